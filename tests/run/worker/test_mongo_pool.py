"""Workers on a real MongoDB: woken, killed, left by their server, and called as Hyperopt's manual calls them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from hpspace import Domain, MongoTrials, fmin, hp
from hpspace.exceptions import ReserveTimeout
from hpspace.mongoexp import MongoWorker
from hpspace.run import mongod
from hpspace.run.trust import sealed
from hpspace.trials.document import new_document

DONE, ERROR = 2, 3
SPACE = {"x": hp.uniform("x", -1, 1)}


def until(holds, seconds=30.0, what="it"):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


class Workers:
    """Programs that evaluate, ended with the test."""

    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self, *words, module="hpspace.cli.main"):
        log = (self.folder / f"worker{len(self.running)}.log").open("w")
        command = [sys.executable, "-m", module, *words]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
        )
        log.close()
        self.running.append(process)
        return process

    def log(self, process):
        return (self.folder / f"worker{self.running.index(process)}.log").read_text()

    def close(self):
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def workers(tmp_path):
    made = Workers(tmp_path)
    yield made
    made.close()


@pytest.fixture
def driver(tmp_path):
    """Start a search in a process of its own: `driver(url, n, seconds)`."""
    started = []

    def start(url, n, seconds):
        program = (
            "import time, pathlib, os\n"
            "from hpspace import MongoTrials, fmin, hp\n"
            "def objective(config, ctrl):\n"
            f"    pathlib.Path({str(tmp_path)!r}, f\"ran-{{ctrl.current_trial['tid']}}-{{time.time_ns()}}\").touch()\n"
            f"    time.sleep({seconds})\n"
            "    return config['x'] ** 2\n"
            f"trials = MongoTrials({url!r}, exp_key='e')\n"
            f"fmin(objective, {{'x': hp.uniform('x', -1, 1)}}, 'rand', {n}, trials=trials, rstate=0, verbose=False)\n"
        )
        started.append(subprocess.Popen([sys.executable, "-c", program]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def ran(folder, tid="*"):
    return len(list(folder.glob(f"ran-{tid}-*")))


def documents(url):
    trials = MongoTrials(url, exp_key="e")
    try:
        return trials.documents()
    finally:
        trials.close()


def test_two_workers_share_the_trials_and_one_that_is_killed_loses_none(mongo_url, workers, driver, tmp_path):
    first = workers.start("worker", mongo_url, "--lease", "2")
    search = driver(mongo_url, 8, 0.3)
    until(lambda: ran(tmp_path), what="the first evaluation")
    os.killpg(first.pid, signal.SIGKILL)
    for _ in range(2):
        workers.start("worker", mongo_url, "--lease", "2")
    assert search.wait(60) == 0
    docs = documents(mongo_url)
    assert [doc["state"] for doc in docs] == [DONE] * 8
    assert sum(doc["attempt"] for doc in docs) == ran(tmp_path) <= 9


@pytest.mark.slow
def test_a_server_killed_in_mid_run_costs_nothing(workers, driver, tmp_path):
    """kill -9 while a trial is evaluated, up again some seconds later: driver and worker go on by themselves."""
    folder = tmp_path / "db"
    server = mongod.up(folder)
    try:
        worker = workers.start("worker", server.url, "--lease", "4")
        search = driver(server.url, 6, 0.5)
        until(lambda: ran(tmp_path) >= 2, what="the second evaluation")
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: mongod.status(folder) is None, what="the end of the server")
        time.sleep(2.0)
        mongod.up(folder)
        assert search.wait(90) == 0
        assert worker.poll() is None
        docs = documents(server.url)
        assert [doc["state"] for doc in docs] == [DONE] * 6
        assert ran(tmp_path) <= 7
        assert server.url.split(":")[2].split("@")[0] not in workers.log(worker)
    finally:
        mongod.down(folder)


@pytest.mark.slow
def test_a_worker_told_to_stop_leaves_a_server_that_is_gone(workers, driver, tmp_path):
    """It cannot hand its trial back; the lease ends, and another worker evaluates the trial."""
    folder = tmp_path / "db"
    server = mongod.up(folder)
    try:
        worker = workers.start("worker", server.url, "--lease", "2")
        driver(server.url, 1, 30)
        until(lambda: ran(tmp_path), what="the evaluation")
        os.kill(server.pid, signal.SIGKILL)
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
        worker.wait(40)
        assert "leaves without it" in workers.log(worker)
    finally:
        mongod.down(folder)


def test_the_commands_of_hyperopts_manual_run(standalone_url, workers):
    """``--mongo=host:port/db --poll-interval=0.1``, with the trials at ``mongo://host:port/db/jobs``."""
    address = standalone_url.removeprefix("mongodb://")
    program = "hpspace.cli.hyperopt_worker"
    worker = workers.start(
        f"--mongo={address}",
        "--poll-interval=0.1",
        "--exp-key=e",
        "--max-jobs=4",
        "--workdir=w",
        module=program,
    )
    trials = MongoTrials(f"mongo://{address}/jobs", exp_key="e")
    best = fmin(lambda config: config["x"] ** 2, SPACE, "rand", 4, trials=trials, rstate=0, verbose=False)
    assert worker.wait(20) == 0
    assert best.loss == min(trials.losses()) and len(trials) == 4
    idle = workers.start(f"--mongo={address}", "--reserve-timeout=0.2", "--exp-key=e", module=program)
    assert idle.wait(20) == 0
    trials.close()


def test_a_program_with_a_worker_loop_of_its_own(standalone_url):
    """`MongoWorker.run_one`: one trial a call, what it raised is raised, and nothing to do is a ReserveTimeout."""

    def objective(config):
        if config["x"] < 0:
            raise ValueError("negative")
        return config["x"]

    trials = MongoTrials(standalone_url, exp_key="e")
    tids = trials.new_trial_ids(2)
    trials.insert_trial_docs([new_document(t, {"x": x}, exp_key="e") for t, x in zip(tids, (0.5, -0.5))])
    trials.store.publish_domain("e", "0" * 64, *sealed(Domain(objective, SPACE)))
    worker = MongoWorker(trials.handle, poll_interval=0.1, exp_key="e")
    worker.run_one("ann:1")
    with pytest.raises(ValueError, match="negative"):
        worker.run_one("ann:1")
    with pytest.raises(ReserveTimeout):
        worker.run_one("ann:1", reserve_timeout=0.2)
    trials.refresh()
    docs = trials.documents()
    assert [doc["state"] for doc in docs] == [DONE, ERROR]
    assert docs[0]["owner"] == "ann:1" and "negative" in docs[1]["misc"]["error"][1]
    trials.close()
