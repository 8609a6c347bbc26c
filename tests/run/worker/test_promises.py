"""What a pool promises besides surviving: hands trials on at once, obeys every signal, keeps experiments apart."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from hpspace import MongoTrials, Trials, fmin, hp
from hpspace.cli import worker as worker_command
from hpspace.cli.main import main
from hpspace.exceptions import AllTrialsFailed, StoreUnavailable, UnpicklableObjective
from hpspace.run import mongod
from hpspace.trials.mongo.url import parse

NEW, DONE = 0, 2
SPACE = {"x": hp.uniform("x", -1, 1)}


def until(holds, seconds=30.0, what="it"):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def noting(folder, seconds):
    """Make an objective that leaves a file for each evaluation, with the process in its name, and takes its time."""

    def objective(config, ctrl):
        tid = ctrl.current_trial["tid"]
        (folder / f"ran-{tid}-{os.getpid()}").touch()
        if len(list(folder.glob("ran-*"))) == 1:
            time.sleep(seconds)
        return config["x"]

    return objective


def driving(pool, fn, n):
    """Run a driver beside the test."""
    thread = threading.Thread(target=pool.fmin, args=(fn, n))
    thread.start()
    return thread


# -- workers -------------------------------------------------------------------------------------------------


def test_a_child_that_is_killed_costs_no_lease(pool, tmp_path):
    """The worker sees it die, and hands the trial on at once: with a lease of an hour, the run would hang here."""
    worker = pool.worker("--lease", "3600")
    driver = driving(pool, noting(tmp_path, 60), 2)
    until(lambda: list(tmp_path.glob("ran-*")), what="the evaluation")
    (ran,) = tmp_path.glob("ran-*")
    os.kill(int(ran.name.split("-")[2]), signal.SIGKILL)
    driver.join(30)
    assert not driver.is_alive() and worker.poll() is None
    assert sorted(doc["attempt"] for doc in pool.documents()) == [1, 2]
    assert "died" in pool.log(worker)


def test_an_idle_worker_ends_well_by_any_signal(pool, tmp_path):
    """And leaves nothing in the folder in which it was started but the store, whose log stays if all close at once."""
    before = {path.name for path in tmp_path.iterdir()}
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]
    workers = [pool.worker() for _ in numbers]
    for worker, number in zip(workers, numbers):
        until(lambda log=worker: "worker for" in pool.log(log), what="the start")
        worker.send_signal(number)
    assert [worker.wait(20) for worker in workers] == [0] * 4
    after = {path.name for path in tmp_path.iterdir() if not path.name.endswith(".log")}
    assert {name for name in after - before if not name.startswith("study.db")} == set()


def test_a_trial_that_outlasts_the_drain_is_handed_back_uncounted(pool, tmp_path):
    worker = pool.worker("--drain-timeout", "0.3")
    driver = driving(pool, noting(tmp_path, 60), 1)
    until(lambda: list(tmp_path.glob("ran-*")), what="the evaluation")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert "told to stop: trial 0" in pool.log(worker) and "was handed back" in pool.log(worker)
    assert [(doc["state"], doc["attempt"]) for doc in pool.documents()] == [(NEW, 0)]
    pool.worker()
    driver.join(30)
    assert pool.states() == {DONE: 1}


def test_late_and_failing_workers_leave_when_told_so_in_advance(pool):
    """``--last-job-timeout`` and ``--max-consecutive-failures``, with an exit code of success."""
    late = pool.worker("--last-job-timeout", "0")
    assert late.wait(20) == 0 and "no trial is begun" in pool.log(late)
    failing = pool.worker("--max-consecutive-failures", "2")

    def objective(config):
        raise ValueError("always")

    def search():
        with contextlib.suppress(AllTrialsFailed):
            pool.fmin(objective, 2)

    driver = threading.Thread(target=search)
    driver.start()
    driver.join(30)
    assert failing.wait(30) == 0 and "2 trials in a row have failed" in pool.log(failing)


def test_one_worker_serves_experiments_with_different_objectives(pool):
    """Two searches at the same time; every trial is evaluated with the objective of its own search."""
    pool.url = pool.url.removesuffix("#pool")
    pool.worker()
    trials = {name: Trials.open(pool.url, name, asynchronous=True) for name in ("one", "two")}
    found = {}

    def search(name):
        found[name] = fmin(
            lambda config: {"status": "ok", "loss": config["x"], "of": name},
            SPACE,
            "rand",
            6,
            trials=trials[name],
            rstate=0,
            verbose=False,
        )

    drivers = [threading.Thread(target=search, args=(name,)) for name in trials]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join(60)
    for name, of in trials.items():
        assert [doc["result"]["of"] for doc in of.documents()] == [name] * 6
        of.close()


def test_a_worker_waits_for_a_server_that_is_not_there_yet(monkeypatch, caplog, tmp_path):
    """Pools are started in any order; the log says what it waits for."""
    opened, tries = worker_command.opened, []

    def away_at_first(url, exp_key):
        tries.append(url)
        if len(tries) < 3:
            raise StoreUnavailable("nobody answers at db:27017")
        return opened(f"sqlite:///{tmp_path / 'study.db'}", exp_key)

    monkeypatch.setattr(worker_command, "opened", away_at_first)
    monkeypatch.setattr(worker_command, "AWAY_PAUSE", 0.01)
    monkeypatch.setattr(worker_command, "set_up_logging", lambda level, style: None)
    monkeypatch.setenv("HPSPACE_URL", "mongodb://db:27017/tuning")
    assert main(["worker", "--last-job-timeout", "0"]) == 0
    assert caplog.text.count("nobody answers at db:27017; trying again") == 2


@pytest.mark.parametrize("program", ["hpspace.cli.main", "hpspace.cli.hyperopt_worker"])
def test_a_wrong_password_ends_a_worker_with_one_line(mongod_replset, program, tmp_path):
    """Waiting would not help. The line names the user, and not the password."""
    url = parse(mongod_replset.url)
    wrong = mongod_replset.url.replace(str(url.password), "tiger")
    words = ["worker"] if program.endswith("main") else []
    done = subprocess.run(
        [sys.executable, "-m", program, *words],
        env={**os.environ, "HPSPACE_URL": wrong},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "refuses user 'hpspace'" in done.stderr
    assert "tiger" not in done.stderr


# -- drivers -------------------------------------------------------------------------------------------------


def test_what_cannot_be_pickled_is_named_before_anything_is_queued(pool):
    lock = threading.Lock()

    def guarded(config):
        with lock:
            return config["x"]

    with pytest.raises(UnpicklableObjective, match=r"fn\.__closure__\['lock'\]"):
        pool.fmin(guarded, 2)
    assert pool.states() == {}


def test_an_interrupted_driver_leaves_the_rest_to_its_workers(pool, tmp_path):
    """Ctrl-C ends it in a moment, though a trial is evaluated; the trial and those queued come to their ends."""
    program = (
        "import pathlib, time\n"
        "from hpspace import Trials, fmin, hp, rand\n"
        "def objective(config):\n"
        f"    pathlib.Path({str(tmp_path / 'begun')!r}).touch()\n"
        "    time.sleep(1.0)\n"
        "    return config['x']\n"
        f"trials = Trials.open({pool.url!r}, asynchronous=True)\n"
        "fmin(objective, {'x': hp.uniform('x', -1, 1)}, rand.suggest, 50, trials=trials, verbose=False)\n"
    )
    worker = pool.worker()
    driver = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    until((tmp_path / "begun").exists, what="the evaluation")
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=20)
    assert "KeyboardInterrupt" in said
    until(lambda: set(pool.states()) == {DONE}, what="the end of what was queued")
    assert 1 <= pool.states()[DONE] < 50 and worker.poll() is None


# -- everything at once ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_chaos_on_mongodb(tmp_path):
    """Eight workers, the driver and the server are killed in mid-trial; 40 of 40 trials end done.

    A trial is run again once per kill at most: by the worker that died with it, or by one whose result the dying
    server had not acknowledged.
    """
    folder = tmp_path / "db"
    server = mongod.up(folder)
    env = {**os.environ, "HPSPACE_URL": server.url, "HPSPACE_MONGO_URL": server.url}
    worker = [sys.executable, "-m", "hpspace.cli.main", "worker", "--lease", "4", "--max-attempts", "9"]
    program = (
        "import pathlib, time\n"
        "from hpspace import MongoTrials, fmin, hp\n"
        "def objective(config, ctrl):\n"
        "    tid = ctrl.current_trial['tid']\n"
        f"    pathlib.Path({str(tmp_path)!r}, f'ran-{{tid}}-{{time.time_ns()}}').touch()\n"
        "    time.sleep(0.2)\n"
        "    return config['x'] ** 2\n"
        "trials = MongoTrials(exp_key='e', max_attempts=9)\n"
        "fmin(objective, {'x': hp.uniform('x', -1, 1)}, 'rand', 40, trials=trials, rstate=0, verbose=False)\n"
    )

    def started(command):
        return subprocess.Popen(
            command, env=env, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL
        )

    def ran():
        return len(list(tmp_path.glob("ran-*")))

    running = [started(worker) for _ in range(3)]
    driver = started([sys.executable, "-c", program])
    try:
        for kill in range(8):
            seen = ran()
            until(lambda seen=seen: ran() >= seen + 2, 60, what="evaluations")
            os.killpg(running[kill].pid, signal.SIGKILL)
            running.append(started(worker))
            if kill == 3:
                driver.kill()
                driver.wait()
                driver = started([sys.executable, "-c", program])
            if kill == 5:
                os.kill(server.pid, signal.SIGKILL)
                until(lambda: mongod.status(folder) is None, what="the end of the server")
                mongod.up(folder)
        assert driver.wait(120) == 0
        trials = MongoTrials(server.url, "e")
        docs = trials.documents()
        trials.close()
        assert [doc["state"] for doc in docs] == [DONE] * 40
        assert 40 <= ran() <= 40 + 8 + 3  # the server's death may cost each live worker one more
    finally:
        for process in [driver, *running]:
            process.kill()
            process.wait()
        mongod.down(folder)
