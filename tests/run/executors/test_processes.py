"""Child processes: what an objective may do to its process without anybody else noticing.

Each test is one way in which an evaluation in another process ends, or one thing that has to get there and back.
Objectives are defined inside of the tests: they travel by value, as those of a script or a notebook do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpspace.exceptions import ExecutorError, InvalidResult, ObjectiveError, TrialPruned, UnpicklableObjective
from hpspace.run.executors.base import Died, Finished, Raised, TimedOut
from hpspace.run.executors.processes import ProcessExecutor
from hpspace.run.executors.spawn import THREAD_VARIABLES


def test_an_objective_runs_in_another_process(child: Any) -> None:
    """A closure over a local value; the same child serves the second trial."""
    base = 40

    def objective(x: float) -> dict[str, Any]:
        return {"status": "ok", "loss": base + x, "pid": os.getpid()}

    child.start(objective)
    first, second = child.result(2), child.result(3)
    assert (first.result["loss"], second.result["loss"]) == (42, 43)
    assert first.result["pid"] == second.result["pid"] != os.getpid()


def test_as_many_run_at_a_time_as_there_is_capacity(drive: Any, tmp_path: Path) -> None:
    """Each trial waits for the other: with one after the other they would wait for ever."""

    def objective(x: float) -> float:
        (tmp_path / str(int(x))).touch()
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        return x

    driver = drive(ProcessExecutor(2)).start(objective)
    driver.submit(0), driver.submit(1)
    assert all(isinstance(event, Finished) for event in driver.ends(2).values())


def test_more_jobs_than_children_wait(child: Any) -> None:
    """`submit` never blocks and never refuses; what waits is evaluated in its order."""
    child.start(lambda x: x)
    tids = [child.submit(x) for x in range(5)]
    assert list(child.ends(5)) == tids


# ---------------------------------------------------------------- deaths


def test_a_killed_child_costs_its_trial_only(drive: Any, tmp_path: Path) -> None:
    """kill -9 in the middle of a trial: the cause is named, the neighbour goes on, a new child takes over."""

    def objective(x: float) -> float:
        (tmp_path / f"{int(x)}.tmp").write_text(str(os.getpid()))
        (tmp_path / f"{int(x)}.tmp").rename(tmp_path / f"{int(x)}.pid")
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        return x

    driver = drive(ProcessExecutor(2)).start(objective)
    victim, neighbour = driver.submit(0), driver.submit(1)
    while len(list(tmp_path.glob("*.pid"))) < 2:
        driver.executor.wait(0.05)
    os.kill(int((tmp_path / "0.pid").read_text()), signal.SIGKILL)
    death = driver.ends()[victim]
    assert death == Died(victim, -9, death.reason) and "SIGKILL" in death.reason
    (tmp_path / "go").touch()
    assert driver.ends()[neighbour].result["loss"] == 1
    assert driver.result(5).result["loss"] == 5


@pytest.mark.parametrize(
    ("leave", "code", "word"),
    [
        (lambda: os._exit(7), 7, "exit code 7"),
        (lambda: ctypes.string_at(0), -signal.SIGSEGV, "SIGSEGV"),
        (lambda: os.abort(), -signal.SIGABRT, "SIGABRT"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), -signal.SIGTERM, "SIGTERM"),
    ],
)
def test_how_a_process_ended_is_told(child: Any, leave: Any, code: int, word: str) -> None:
    """The exit code or the name of the signal is in the event, and the next trial is evaluated."""

    def objective(x: float) -> float:
        return leave() if x == 1 else x

    child.start(objective)
    death = child.result(1)
    assert isinstance(death, Died) and death.exitcode == code and word in death.reason
    assert child.result(2).result["loss"] == 2


@pytest.mark.parametrize(("leaving", "code"), [(SystemExit(3), 3), (KeyboardInterrupt(), 1)])
def test_what_would_end_an_interpreter_ends_a_trial(child: Any, leaving: BaseException, code: int) -> None:
    """`sys.exit` in an objective reads as a death, though the process is kept."""

    def objective(x: float) -> float:
        if x == 1:
            raise leaving
        return float(os.getpid())

    child.start(objective)
    pid = child.result(0).result["loss"]
    death = child.result(1)
    assert isinstance(death, Died) and death.exitcode == code and type(leaving).__name__ in death.reason
    assert child.result(0).result["loss"] == pid


def test_a_death_is_noticed_while_others_hold_the_connection(child: Any) -> None:
    """A process that the objective forked has the child's end of the pipe; only the child's own death counts."""

    def objective(x: float) -> float:
        if os.fork() == 0:
            time.sleep(1000)
        os.kill(os.getpid(), signal.SIGKILL)
        return x

    assert isinstance(child.start(objective).result(1), Died)


def test_a_forked_process_that_comes_back_is_not_heard(child: Any) -> None:
    """Both halves of a fork return from the objective; the trial ends once, with the original's result."""

    def objective(x: float) -> float:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        return x if pid else -1.0

    child.start(objective)
    assert [child.result(x).result["loss"] for x in (1, 2)] == [1, 2]


def test_deaths_are_noticed_without_descriptors_of_processes(child: Any, monkeypatch: Any) -> None:
    """Where the system has no pidfd (macOS), a thread waits for the child instead."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert child.start(lambda x: os._exit(3)).result(1).exitcode == 3


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize(
    "hang",
    [
        lambda: time.sleep(1000),
        lambda: ctypes.PyDLL(None).sleep(1000),  # in C, with Python's lock held
        lambda: all(True for _ in iter(int, 1)),
    ],
    ids=["sleep", "in C", "endless loop"],
)
def test_a_timeout_stops_whatever_runs(child: Any, hang: Any) -> None:
    """And the time counts from the beginning of the evaluation, not of the process."""

    def objective(x: float) -> float:
        return hang() if x == 1 else x

    child.start(objective)
    assert child.result(1, timeout=0.2) == TimedOut(0, 0.2)
    assert child.result(2, timeout=30).result["loss"] == 2


def test_cancelled_jobs_are_silent(drive: Any) -> None:
    """A running one is stopped, a waiting one taken back; of neither an event follows."""
    driver = drive(ProcessExecutor(1)).start(lambda x: time.sleep(1000) if x else 0.0)
    running, waiting, last = driver.submit(1), driver.submit(2), driver.submit(0)
    driver.executor.wait(1.0)
    assert driver.executor.cancel(waiting) and driver.executor.cancel(running)
    assert not driver.executor.cancel(99)
    assert list(driver.ends()) == [last]
    assert driver.executor.wait(None) == []  # nothing is under way: nothing to wait for


def test_closing_leaves_no_process(drive: Any, gone: Any, tmp_path: Path) -> None:
    """Neither the child nor what its objective has started."""

    def objective(x: float) -> float:
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        (tmp_path / "tmp").write_text(f"{os.getpid()} {sleeper.pid}")
        (tmp_path / "tmp").rename(tmp_path / "pids")
        sleeper.wait()
        return x

    driver = drive(ProcessExecutor(1)).start(objective)
    driver.submit(1)
    while not (tmp_path / "pids").exists():
        driver.executor.wait(0.05)
    driver.executor.close(kill=True)
    pid, sleeper = map(int, (tmp_path / "pids").read_text().split())
    assert not os.path.exists(f"/proc/{pid}") and gone(sleeper)


def test_closing_lets_exit_functions_run(drive: Any, tmp_path: Path) -> None:
    """A child that is let go ends as an interpreter does: loggers and trackers flush what they have."""

    def objective(x: float) -> float:
        import atexit

        atexit.register((tmp_path / "flushed").touch)
        return x

    driver = drive(ProcessExecutor(1)).start(objective)
    driver.result(1)
    driver.executor.close()
    assert (tmp_path / "flushed").exists()


def test_a_closed_executor_can_be_started_again(child: Any) -> None:
    """As for the second of two searches with one executor."""
    child.start(lambda x: 1.0).result(0)
    child.executor.close()
    child.executor.close()
    assert child.start(lambda x: 2.0).result(0).result["loss"] == 2.0


def test_a_running_trial_is_waited_for_unless_killed(drive: Any, tmp_path: Path) -> None:
    """`close()` without `kill` lets it finish, even when it asks for something that nobody answers any more."""

    def objective(x: float, ctrl: Any) -> float:
        (tmp_path / "begun").touch()
        time.sleep(0.3)
        try:
            ctrl.should_prune()
        finally:
            (tmp_path / "ended").touch()
        return x

    driver = drive(ProcessExecutor(1)).start(objective)
    driver.submit(1)
    while not (tmp_path / "begun").exists():
        driver.executor.wait(0.05)
    driver.executor.close()
    assert (tmp_path / "ended").exists()


def test_the_keyboard_is_the_parents_business(child: Any) -> None:
    """SIGINT, which a terminal sends to everybody, does nothing in a child."""

    def objective(x: float) -> float:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return x

    assert child.start(objective).result(4).result["loss"] == 4


# ---------------------------------------------------------------- what travels


def test_an_exception_comes_back_with_its_traceback(child: Any) -> None:
    """A class of the script is the same class here, so `catch=` and `except` know it."""

    class Overfit(ValueError):
        def __init__(self, loss: float) -> None:
            super().__init__(f"loss {loss}")
            self.loss = loss

        def __reduce__(self) -> Any:
            return Overfit, (self.loss,)

    def objective(x: float) -> float:
        raise Overfit(x)

    event = child.start(objective).result(3)
    assert isinstance(event, Raised) and isinstance(event.error, Overfit) and event.error.loss == 3
    assert "Overfit" in event.kind and event.message == "loss 3.0" and "in objective" in event.traceback
    assert "in objective" in str(event.error.__cause__)
    assert not event.pruned


def test_an_exception_arrives_as_itself_however_its_class_is_written(child: Any) -> None:
    """So `catch=` and `except` know its bases. What pickle makes of most such classes is an error, or another text."""

    class Failed(Exception):
        pass

    class Numbered(Failed):
        def __init__(self, first: int, second: int) -> None:
            super().__init__(f"{first} and {second}")
            self.second = second

    class Worded(Failed):
        def __init__(self, code: int) -> None:
            super().__init__(f"code {code}")

    class Locked(Failed):
        def __init__(self) -> None:
            super().__init__("locked")
            self.lock = threading.Lock()

    def objective(x: float) -> float:
        raise {1: lambda: Numbered(1, 2), 2: lambda: Worded(7), 3: Locked}[x]()

    child.start(objective)
    numbered, worded, locked = (child.result(x).error for x in (1, 2, 3))
    assert isinstance(numbered, Failed) and str(numbered) == "1 and 2" and numbered.second == 2
    assert isinstance(worded, Failed) and str(worded) == "code 7"
    assert isinstance(locked, Failed) and locked.lock.startswith("<unlocked _thread.lock")


def test_an_exception_that_cannot_travel_is_represented(child: Any) -> None:
    """By one that shows the same, if its class cannot be called with what it was given."""

    class Unmakeable(Exception):
        def __new__(cls, *, needed: int) -> Any:
            return super().__new__(cls, f"needs {needed}")

        def __init__(self, *, needed: int) -> None:
            pass

    def objective(x: float) -> float:
        raise Unmakeable(needed=2)

    event = child.start(objective).result(1)
    assert (
        isinstance(event.error, ObjectiveError) and "Unmakeable" in event.kind and event.message == "needs 2"
    )


def test_a_pruned_trial_is_told_apart(child: Any) -> None:
    """TrialPruned is an outcome, with its reason as the message."""

    def objective(x: float) -> float:
        raise TrialPruned("too slow")

    event = child.start(objective).result(1)
    assert event.pruned and event.message == "too slow" and isinstance(event.error, TrialPruned)


def test_results_of_any_size_and_kind_come_back(child: Any) -> None:
    """100 MB, and an object of a class that only the script knows."""

    class Model:
        weights = (1, 2)

    def objective(x: float) -> dict[str, Any]:
        return {"status": "ok", "loss": x, "big": np.zeros(12_500_000), "model": Model()}

    result = child.start(objective).result(1).result
    assert result["big"].nbytes == 100_000_000 and type(result["model"]) is Model


def test_a_result_that_cannot_be_pickled_names_the_key(child: Any) -> None:
    """The trial is lost, the conversation goes on."""

    def objective(x: float) -> dict[str, Any]:
        return {"status": "ok", "loss": x, "extra": 1, "log": threading.Lock() if x == 1 else None}

    child.start(objective)
    event = child.result(1)
    assert isinstance(event.error, InvalidResult) and "result['log']" in event.message
    assert child.result(2).result["log"] is None


def test_a_result_that_cannot_be_read_back_spoils_its_trial(child: Any) -> None:
    """Reading runs the user's code, here one that works in the child only."""
    here = os.getpid()

    class Homesick:
        def __reduce__(self) -> Any:
            return _refuse_in, (here,)

    def _refuse_in(pid: int) -> int:
        if os.getpid() == pid:
            raise LookupError("not here")
        return 1

    def objective(x: float) -> dict[str, Any]:
        return {"status": "ok", "loss": x, "home": Homesick() if x == 1 else None}

    child.start(objective)
    assert "LookupError: not here" in child.result(1).message
    assert child.result(2).result["home"] is None


def test_what_an_objective_refers_to_is_checked_before_anything_runs(child: Any) -> None:
    """`start` names the part that refuses; see test_pickling for the ways it can hide."""
    lock = threading.Lock()
    with pytest.raises(UnpicklableObjective, match=r"fn\.__closure__\['lock'\]"):
        child.start(lambda x: x if lock else 0.0)


def test_modules_beside_the_script_are_found(child: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """The child has the parent's `sys.path`, `sys.argv` and working directory."""
    (tmp_path / "beside_the_script.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["train.py", "--fast"])
    monkeypatch.chdir(tmp_path)

    def objective(x: float) -> dict[str, Any]:
        import beside_the_script

        return {"status": "ok", "loss": beside_the_script.answer, "argv": sys.argv, "cwd": os.getcwd()}

    result = child.start(objective).result(1).result
    assert (result["loss"], result["argv"], result["cwd"]) == (42, ["train.py", "--fast"], str(tmp_path))


def test_a_working_directory_hides_no_standard_module(child: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A folder with a random.py in it, entered by a script that lies elsewhere."""
    (tmp_path / "random.py").write_text("raise RuntimeError('the wrong random')\n")
    (tmp_path / "socket.py").write_text("raise RuntimeError('the wrong socket')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert child.start(lambda x: x).result(1).result["loss"] == 1


def test_an_objective_whose_module_is_missing_there_is_told(
    child: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """The parent had the module when it was imported, the child cannot find it: the trial says so."""
    (tmp_path / "only_here.py").write_text("def objective(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here

    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    event = child.start(only_here.objective).result(1)
    assert isinstance(event.error, ModuleNotFoundError) and "only_here" in event.message


def test_a_child_that_cannot_start_is_told_at_once(drive: Any) -> None:
    """An interpreter without its library: no trial is to blame, and trying again would not help."""
    driver = drive(ProcessExecutor(1, env={"PYTHONHOME": "/nonexistent"})).start(lambda x: x)
    driver.submit(1)
    with pytest.raises(ExecutorError, match="exit code 1"):
        driver.ends()


def test_prints_of_an_objective_appear_and_reading_ends_at_once(child: Any, capfd: Any) -> None:
    """Standard output and error are the parent's; on standard input there is nothing."""

    def objective(x: float) -> float:
        print("hello from the objective")  # noqa: T201
        print("a word of warning", file=sys.stderr)  # noqa: T201
        return float(len(sys.stdin.read()))

    assert child.start(objective).result(1).result["loss"] == 0
    out, err = capfd.readouterr()
    assert "hello from the objective" in out and "a word of warning" in err


# ---------------------------------------------------------------- options


def _threads(x: float) -> dict[str, Any]:
    return {"status": "ok", "loss": x, "env": {name: os.environ.get(name) for name in THREAD_VARIABLES}}


def test_numerical_libraries_share_the_cpus(drive: Any, monkeypatch: Any) -> None:
    """Several children start one thread for each CPU together, not each."""
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    threads = drive(ProcessExecutor(64)).start(lambda x: _threads(x)).result(1).result["env"]
    assert set(threads.values()) == {"1"}


def test_threads_that_the_user_has_set_are_left_alone(drive: Any, monkeypatch: Any) -> None:
    """One variable is enough to say that somebody has thought about it."""
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    executor = ProcessExecutor(64, env={"OMP_NUM_THREADS": "3"})
    threads = drive(executor).start(lambda x: _threads(x)).result(1).result["env"]
    assert threads.pop("OMP_NUM_THREADS") == "3" and set(threads.values()) == {None}


def test_a_fresh_process_for_every_trial(drive: Any) -> None:
    """What one trial leaves behind is not there for the next."""
    driver = drive(ProcessExecutor(2, fresh=True)).start(lambda x: float(os.getpid()))
    for x in range(5):
        driver.submit(x)
    assert len({event.result["loss"] for event in driver.ends(5).values()}) == 5


def test_a_child_may_have_a_folder_of_its_own(drive: Any, tmp_path: Path) -> None:
    """As the workers' ``--workdir`` wants it."""
    driver = drive(ProcessExecutor(1, cwd=str(tmp_path)))
    driver.start(lambda x: {"status": "ok", "loss": x, "cwd": os.getcwd()})
    assert driver.result(1).result["cwd"] == str(tmp_path)


def test_the_parent_chooses_the_signals_that_are_ignored(drive: Any) -> None:
    """A worker that drains on SIGTERM wants its children to finish, though the signal went to all of them."""

    def objective(x: float) -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        return x

    driver = drive(ProcessExecutor(1, shielded=("SIGINT", "SIGTERM")))
    assert driver.start(objective).result(4).result["loss"] == 4


def test_children_of_a_thread_outlive_it(drive: Any) -> None:
    """The kernel's signal at the parent's death comes with the end of the *thread*: it must not be used there."""
    driver = drive(ProcessExecutor(1)).start(lambda x: float(os.getpid()))
    first: list[float] = []
    thread = threading.Thread(target=lambda: first.append(driver.result(0).result["loss"]))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert driver.result(0).result["loss"] == first[0]
