"""What becomes of trials when their worker, its child or the driver vanishes, and when a worker is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hpspace import fmin, hp
from hpspace.exceptions import AllTrialsFailed, DomainSwapError
from hpspace.run.trust import KEY_VARIABLE

DONE, ERROR = 2, 3

SPACE = {"x": hp.uniform("x", -1, 1)}


def until(holds, seconds=30.0, what="it"):
    """Wait until a condition holds; fail if it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def in_thread(function, *args, **options):
    """Run a driver beside the test; return how to get its answer."""
    box: list = []

    def run():
        try:
            box.append(function(*args, **options))
        except BaseException as error:  # handed to the test
            box.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def answer(seconds=60.0):
        thread.join(seconds)
        assert box, f"the driver did not end within {seconds} s"
        if isinstance(box[0], BaseException):
            raise box[0]
        return box[0]

    return answer


def marked(folder, seconds, fatal=None):
    """Make an objective that notes each evaluation in a file of its own, takes its time, and may end its process."""

    def objective(config, ctrl):
        tid = ctrl.current_trial["tid"]
        attempt = len(list(folder.glob(f"ran-{tid}-*")))
        (folder / f"ran-{tid}-{attempt}-{os.getpid()}").touch()
        if fatal == tid:
            os._exit(9)
        time.sleep(seconds)
        return config["x"] ** 2

    return objective


def runs(folder, tid):
    return len(list(folder.glob(f"ran-{tid}-*")))


def test_a_pool_of_two_workers_evaluates_everything_once(pool, tmp_path):
    for _ in range(2):
        pool.worker()
    best = pool.fmin(marked(tmp_path, 0.01), 12)
    assert best.loss == min(best.trials.losses())
    assert pool.states() == {DONE: 12}
    assert [runs(tmp_path, tid) for tid in range(12)] == [1] * 12


def test_a_killed_workers_trial_runs_again_elsewhere_at_the_same_point(pool, tmp_path):
    first = pool.worker()
    answer = in_thread(pool.fmin, marked(tmp_path, 1.0), 3)
    until(lambda: runs(tmp_path, 0), what="the first evaluation")
    point = pool.documents()[0]["misc"]["vals"]
    os.killpg(first.pid, signal.SIGKILL)
    pool.worker()
    answer()
    assert pool.states() == {DONE: 3}
    again = pool.documents()[0]
    assert again["misc"]["vals"] == point
    assert again["attempt"] == 2
    assert runs(tmp_path, 0) == 2


def test_a_trial_that_ends_its_process_is_given_up_and_the_pool_goes_on(pool, tmp_path):
    worker = pool.worker()
    answer = in_thread(pool.fmin, marked(tmp_path, 0.01, fatal=1), 4)
    answer()
    assert pool.states() == {DONE: 3, ERROR: 1}
    assert runs(tmp_path, 1) == 3
    kind, message = pool.documents()[1]["misc"]["error"]
    assert "ProcessDied" in kind and "9" in message
    assert worker.poll() is None


def test_a_frozen_worker_changes_nothing_when_it_wakes(pool, tmp_path):
    """Stopped beyond its lease, it finds its trial done by another, says so, and works on."""
    frozen = pool.worker()
    answer = in_thread(pool.fmin, marked(tmp_path, 1.5), 2, max_queue_len=1)
    until(lambda: runs(tmp_path, 0), what="the first evaluation")
    os.killpg(frozen.pid, signal.SIGSTOP)
    pool.worker()
    until(lambda: runs(tmp_path, 0) == 2, what="the second evaluation")
    until(lambda: pool.documents()[0]["state"] == DONE, what="its end")
    before = pool.documents()[0]
    os.killpg(frozen.pid, signal.SIGCONT)
    answer()
    time.sleep(0.5)
    after = pool.documents()[0]
    assert (after["owner"], after["result"], after["version"]) == (
        before["owner"],
        before["result"],
        before["version"],
    )
    assert frozen.poll() is None


def test_told_to_stop_a_worker_finishes_its_trial_and_takes_no_other(pool, tmp_path):
    worker = pool.worker()
    answer = in_thread(pool.fmin, marked(tmp_path, 1.0), 2)
    until(lambda: runs(tmp_path, 0), what="the first evaluation")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert pool.states()[DONE] == 1
    pool.worker()
    answer()
    assert [runs(tmp_path, tid) for tid in (0, 1)] == [1, 1]


def test_told_twice_it_hands_its_trial_back_uncounted(pool, tmp_path):
    worker = pool.worker()
    answer = in_thread(pool.fmin, marked(tmp_path, 3.0), 1)
    until(lambda: runs(tmp_path, 0), what="the first evaluation")
    worker.send_signal(signal.SIGINT)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    doc = pool.documents()[0]
    assert (doc["state"], doc["attempt"]) == (0, 0)
    pool.worker()
    answer()
    assert pool.documents()[0]["attempt"] == 1


def test_an_objective_in_c_keeps_its_lease_for_longer_than_that(pool, tmp_path):
    """Python's lock is held in the child; the heart beats in the parent."""

    def objective(config, ctrl):
        import ctypes

        (tmp_path / f"ran-{ctrl.current_trial['tid']}-{os.getpid()}").touch()
        ctypes.PyDLL(None).sleep(5)  # holds the lock, for more than two leases
        return 0.0

    pool.worker()
    pool.worker()
    answer = in_thread(pool.fmin, objective, 1)
    answer()
    assert runs(tmp_path, 0) == 1


def test_an_exception_is_kept_with_its_traceback_and_the_worker_lives(pool):
    def objective(config):
        if config["x"] < 0:
            raise ValueError(f"no negative x: {config['x']}")
        return config["x"]

    worker = pool.worker()
    pool.fmin(objective, 8)
    failed = [doc for doc in pool.documents() if doc["state"] == ERROR]
    assert failed and len(failed) < 8
    assert "ValueError" in failed[0]["misc"]["error"][0]
    assert "no negative x" in failed[0]["misc"]["traceback"]
    assert worker.poll() is None


def test_when_every_trial_fails_the_driver_says_so(pool):
    def objective(config):
        raise RuntimeError("the data is missing")

    pool.worker()
    with pytest.raises(AllTrialsFailed, match="the data is missing"):
        pool.fmin(objective, 3)


def test_a_missing_module_costs_no_trial_and_is_named(pool, tmp_path):
    """The objective's module is only in the driver's reach: the trial waits, and the worker says what it lacks."""
    driver = (
        "import sys; sys.path.insert(0, 'hidden')\n"
        "import secret_module\n"
        "from hpspace import Trials, fmin, hp, rand\n"
        f"trials = Trials.open({pool.url!r}, asynchronous=True)\n"
        "fmin(secret_module.objective, {'x': hp.uniform('x', -1, 1)}, rand.suggest, 1, trials=trials, verbose=False)\n"
    )
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "secret_module.py").write_text("def objective(config):\n    return 0.5\n")
    process = subprocess.Popen([sys.executable, "-c", driver], cwd=tmp_path)
    try:
        worker = pool.worker()
        until(lambda: "secret_module" in pool.log(worker), what="the message")
        doc = until(pool.documents, what="the trial")[0]
        assert (doc["state"], doc["attempt"]) == (0, 0)
        pool.worker(env={"PYTHONPATH": str(tmp_path / "hidden")})
        assert process.wait(60) == 0
        assert pool.states() == {DONE: 1}
    finally:
        process.kill()
        process.wait()


def test_a_killed_driver_goes_on_to_exactly_the_number_of_trials(pool, tmp_path):
    program = tmp_path / "driver.py"
    program.write_text(
        "import time\n"
        "from hpspace import Trials, fmin, hp, rand\n"
        "def objective(config):\n"
        "    time.sleep(0.05)\n"
        "    return config['x'] ** 2\n"
        f"trials = Trials.open({pool.url!r}, asynchronous=True)\n"
        "fmin(objective, {'x': hp.uniform('x', -1, 1)}, rand.suggest, 20, trials=trials, rstate=3, verbose=False)\n"
    )
    pool.worker()
    first = subprocess.Popen([sys.executable, str(program)], cwd=tmp_path)
    until(lambda: pool.states().get(DONE, 0) >= 5, what="five trials")
    first.kill()
    first.wait()
    assert subprocess.run([sys.executable, str(program)], cwd=tmp_path, timeout=60).returncode == 0
    assert pool.states() == {DONE: 20}
    points = [doc["misc"]["vals"]["x"][0] for doc in pool.documents()]
    assert len(set(points)) == 20


def test_another_objective_is_refused_while_a_search_is_alive(pool, tmp_path):
    pool.worker()
    answer = in_thread(pool.fmin, marked(tmp_path, 0.5), 4)
    until(lambda: runs(tmp_path, 0), what="the first evaluation")
    with pytest.raises(DomainSwapError, match="pool"):
        fmin(lambda config: 1.0, SPACE, "rand", 2, trials=pool.trials(), verbose=False)
    answer()
    assert pool.states() == {DONE: 4}


def test_in_its_own_process_a_worker_evaluates_and_survives_exceptions(pool):
    def objective(config, ctrl):
        ctrl.attachments["pid"] = str(os.getpid()).encode()
        if config["x"] < 0:
            raise ValueError("negative")
        return config["x"]

    worker = pool.worker("--no-subprocesses")
    best = pool.fmin(objective, 6)
    pid = best.trials.trial_attachments(best.trials.best_trial)["pid"]
    assert int(pid) == worker.pid
    assert worker.poll() is None


def test_a_worker_with_a_key_reads_signed_objectives_only(pool, monkeypatch):
    worker = pool.worker(env={KEY_VARIABLE: "secret"})
    answer = in_thread(pool.fmin, lambda config: 0.25, 1)
    until(lambda: "not signed" in pool.log(worker), what="the refusal")
    assert pool.states() == {0: 1}
    pool.worker()  # without a key: trusts the store
    answer()
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    signed = pool.worker(env={KEY_VARIABLE: "secret"})
    pool.workers[1].send_signal(signal.SIGTERM)
    pool.workers[1].wait(20)
    pool.fmin(lambda config: 0.5, 3)
    assert "trial=2" in pool.log(signed) or "trial=1" in pool.log(signed)


def test_by_name_a_worker_needs_no_pickle(pool, tmp_path):
    """What the driver sent is not read: the worker's own module is evaluated."""
    (tmp_path / "site_module.py").write_text(
        "from hpspace import hp\n"
        "space = {'x': hp.uniform('x', -1, 1)}\n"
        "def objective(config):\n    return 100 + config['x']\n"
    )
    pool.worker("--objective", "site_module:objective", "--space", "site_module:space")
    best = pool.fmin(lambda config: 0.0, 2)
    assert best.loss > 90


def test_a_result_that_cannot_be_kept_fails_its_trial_only(pool):
    def objective(config):
        return {"status": "ok", "loss": config["x"], "extra": object() if config["x"] < 0 else 1}

    worker = pool.worker()
    pool.fmin(objective, 8)
    states = pool.states()
    assert set(states) == {DONE, ERROR} and sum(states.values()) == 8
    assert worker.poll() is None


def test_limits_end_a_worker_by_itself(pool):
    worker = pool.worker("--max-jobs", "2")
    answer = in_thread(pool.fmin, lambda config: 0.0, 3)
    assert worker.wait(30) == 0
    idle = pool.worker("--reserve-timeout", "0.5")
    answer()
    assert idle.wait(30) == 0
    assert "nothing to do" in pool.log(idle)


def test_each_trial_has_a_folder_and_none_is_left_empty(pool, tmp_path):
    def objective(config, ctrl):
        if ctrl.current_trial["tid"] == 1:
            Path("model.txt").write_text("kept")
        return len(str(Path.cwd()))

    pool.worker("--workdir", str(tmp_path / "work"))
    pool.fmin(objective, 3)
    until(lambda: not (tmp_path / "work" / "2").exists(), what="the last folder's removal")
    assert [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "work").rglob("*")] == [
        "work/1",
        "work/1/model.txt",
    ]


def test_a_supervisor_replaces_the_dead_and_ends_with_its_workers(pool, tmp_path):
    parent = pool.worker("--jobs", "2")
    answer = in_thread(pool.fmin, marked(tmp_path, 0.3), 8)
    until(lambda: runs(tmp_path, 0), what="the first evaluation")
    children = [
        int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    ]
    assert len(children) == 2
    os.killpg(children[0], signal.SIGKILL)
    answer()
    assert pool.states() == {DONE: 8}
    until(lambda: "another one follows" in pool.log(parent), what="the replacement")
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(20) == 0


@pytest.mark.slow
def test_chaos(pool, tmp_path):
    """120 trials while workers are killed at random moments: each ends done, run again once per kill at most.

    A worker is killed when it has evaluated something. A trial that lost three workers would rightly be given up, so
    all of them, and the driver, are told to be more patient.
    """
    trials = pool.trials(max_attempts=9)
    answer = in_thread(pool.fmin, marked(tmp_path, 0.05), 120, trials=trials, max_queue_len=8)
    for _ in range(3):
        pool.worker("--max-attempts", "9")
    kills = 0
    for pause in (0.07, 0.11, 0.04, 0.09, 0.13, 0.06):
        victim = pool.workers[kills]
        until(lambda log=victim: "trial=" in pool.log(log), what="an evaluation")
        time.sleep(pause)
        os.killpg(victim.pid, signal.SIGKILL)
        kills += 1
        pool.worker("--max-attempts", "9")
    answer(120)
    assert [doc["misc"]["error"] for doc in pool.documents() if doc["state"] == ERROR] == []
    assert pool.states() == {DONE: 120}
    doubled = sum(runs(tmp_path, tid) - 1 for tid in range(120))
    assert 0 <= doubled <= kills


def test_the_space_of_a_pool_is_searched_as_any_other():
    """The objective's second parameter arrives in the child with all that `Ctrl` has; here in this process."""
    seen = fmin(
        lambda config, ctrl: ctrl.current_trial["tid"], {"x": hp.uniform("x", 0, 1)}, "rand", 2, verbose=False
    )
    assert seen.loss == 0
