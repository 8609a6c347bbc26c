"""How many trials a second does a store carry, and how soon does a worker start?

The objective costs nothing and random search proposes, so that what is left is the library's own work. Three shapes:

- *processes*: 1, 2, 4 processes share a store, each proposes and evaluates; hpspace's and Optuna's files;
- *workers*: one driver proposes, 1, 2, 4 worker programs evaluate; hpspace's file and MongoDB, and Hyperopt's MongoDB
  if the variable HYPEROPT_PYTHON names an interpreter with Hyperopt and a pymongo that it works with (3.13);
- *latency*: seconds from the insertion of a trial to its start in a worker that waits.

hpspace's rates are counted from the first to the last of the ends that the store noted: a search over 30,000 trials has
to read them once, which takes seconds and is no cost of a trial.

Processes say when they are ready and begin together; a run's time ends with the last of them. MongoDB needs a mongod
that `hpspace mongo up` finds; without one its rows are left out. Peers are measured on empty stores only: to fill
theirs takes longer than to measure.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from common import installed, table, wants_quick

WORKERS = (1, 2, 4)
FINISHED = (0, 3_000, 30_000)

#: What a process of each library runs: `{url}`, `{n}` trials of its own. It says "ready" and waits for a line.
HPSPACE = """
import sys
from hpspace import Trials, fmin, hp
trials = Trials.open({url!r})
def search(n):
    fmin(len, {{"x": hp.uniform("x", 0, 1)}}, "rand", max_new_evals=n, trials=trials, rstate={seed}, verbose=False)
search(1)
print("ready", flush=True); sys.stdin.readline()
search({n})
"""
OPTUNA = """
import sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
import warnings; warnings.simplefilter("ignore")
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
storage = {storage}
sampler = optuna.samplers.RandomSampler()
study = optuna.create_study(storage=storage, study_name="e", load_if_exists=True, sampler=sampler)
def search(n):
    study.optimize(lambda trial: len({{"x": trial.suggest_float("x", 0, 1)}}), n_trials=n)
search(1)
print("ready", flush=True); sys.stdin.readline()
search({n})
"""
HYPEROPT = """
import time
from hyperopt import fmin, hp, rand
from hyperopt.mongoexp import MongoTrials
import numpy as np
trials = MongoTrials({url!r}, exp_key="e")
def search(n):
    fmin(len, {{"x": hp.uniform("x", 0, 1)}}, rand.suggest, n, trials=trials, rstate=np.random.default_rng(0),
         show_progressbar=False)
search({warm})
start = time.perf_counter()
search({warm} + {n})
print(time.perf_counter() - start)
"""


def together(programs: list[str]) -> float:
    """Run programs that begin together; return the seconds until the last has ended."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for program in programs
    ]
    try:
        for process in running:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        start = time.perf_counter()
        for process in running:
            process.communicate("go\n")
        seconds = time.perf_counter() - start
        assert not any(process.returncode for process in running)
        return seconds
    finally:
        for process in running:
            process.kill()
            process.wait()


# -- processes that propose and evaluate -------------------------------------------------------------------


def hpspace_processes(folder: Path, workers: int, n: int, finished: int) -> float:
    url = f"sqlite:///{folder / 'hpspace.db'}#e"
    fill(url, finished)
    together([HPSPACE.format(url=url, n=n // workers, seed=k) for k in range(workers)])
    return rate(url, n)


def optuna_processes(kind: str, folder: Path, workers: int, n: int) -> float:
    storage = {
        "SQLite": repr(f"sqlite:///{folder / 'optuna.db'}"),
        "journal": f"JournalStorage(JournalFileBackend({str(folder / 'optuna.log')!r}))",
    }[kind]
    together([OPTUNA.format(storage=storage, n=1)])  # makes the tables
    return n / together([OPTUNA.format(storage=storage, n=n // workers)] * workers)


def rate(url: str, n: int) -> float:
    """Return the trials a second of the last n that ended, by the store's own times."""
    from hpspace import Trials

    trials = Trials.open(url)
    ends = sorted(doc["refresh_time"] for doc in trials.documents() if doc["refresh_time"] is not None)[-n:]
    trials.close()
    return (n - 1) / (ends[-1] - ends[0]).total_seconds()


def fill(url: str, finished: int) -> None:
    """Put finished trials into a store."""
    from hpspace import Trials
    from hpspace.trials.document import new_document

    trials = Trials.open(url, refresh=False)
    done = {"state": 2, "result": {"status": "ok", "loss": 1.0}}
    for start in range(0, finished, 1000):
        tids = trials.store.new_tids(min(1000, finished - start))
        docs = [new_document(tid, {"x": tid / (finished + 1)}, exp_key=trials._exp_key) for tid in tids]
        trials.store.insert([{**doc, **done} for doc in docs])
    trials.close()


# -- a driver and its workers ------------------------------------------------------------------------------


@contextlib.contextmanager
def programs(command: list[str], count: int, **env: str) -> Iterator[None]:
    """Keep worker programs running within."""
    running = [
        subprocess.Popen(
            command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={**os.environ, **env}
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def worker_of(url: str) -> list[str]:
    return [sys.executable, "-m", "hpspace.cli.main", "worker", url]


def hpspace_workers(url: str, workers: int, n: int, finished: int) -> float:
    """Trials a second through workers that have loaded the objective."""
    from hpspace import Trials, fmin, hp

    fill(url, finished)
    trials = Trials.open(url, asynchronous=True)

    def search(count: int) -> None:
        space = {"x": hp.uniform("x", 0, 1)}
        fmin(len, space, "rand", max_new_evals=count, trials=trials, max_queue_len=8, rstate=0, verbose=False)

    with programs(worker_of(url), workers):
        while trials.live_workers() < workers:
            time.sleep(0.1)
        search(10 * workers)
        search(n)
    trials.close()
    return rate(url, n)


def hyperopt_workers(url: str, workers: int, n: int) -> float:
    python = os.environ["HYPEROPT_PYTHON"]
    address = url.removeprefix("mongodb://")
    command = [
        str(Path(python).parent / "hyperopt-mongo-worker"),
        f"--mongo={address}",
        "--poll-interval=0.1",
    ]
    program = HYPEROPT.format(url=f"mongo://{address}/jobs", n=n, warm=workers)
    with programs(command, workers):
        out = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True, timeout=300)
    return n / float(out.stdout)


def latency(url: str, rounds: int) -> list[float]:
    """Return the seconds from each insertion to the start of its evaluation."""
    from hpspace import Domain, Trials, hp
    from hpspace.run.trust import sealed
    from hpspace.trials.document import new_document

    trials = Trials.open(url, asynchronous=True)
    trials.store.publish_domain(
        "e", "0" * 64, *sealed(Domain(lambda config: time.time(), {"x": hp.uniform("x", 0, 1)}))
    )
    found = []
    with programs(worker_of(url), 1):
        for _ in range(rounds + 1):
            (tid,) = trials.new_trial_ids(1)
            inserted = time.time()
            trials.insert_trial_docs([new_document(tid, {"x": 0.5}, exp_key="e")])
            while (doc := next(doc for doc in trials.documents() if doc["tid"] == tid))["state"] != 2:
                trials.wait(1.0)
                trials.refresh()
            found.append(doc["result"]["loss"] - inserted)
            time.sleep(0.3)  # the worker waits again
    trials.close()
    return found[1:]


# -- the tables --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(auth: bool) -> Iterator[str | None]:
    """Serve a MongoDB for the benchmark; None if there is none on this machine."""
    from hpspace.run import mongod

    with tempfile.TemporaryDirectory() as folder:
        try:
            server = mongod.up(folder, auth=auth, replica_set=auth)
        except FileNotFoundError:
            yield None
            return
        try:
            yield server.url
        finally:
            mongod.down(folder)


def report(quick: bool) -> str:
    n, workers, finished = (20, (1,), (0, 50)) if quick else (300, WORKERS, FINISHED)
    settings = [(count, 0) for count in workers] + [(1, size) for size in finished[1:]]
    rows: dict[str, list[float | None]] = {}

    def measure(name: str, function: Callable[[Path, int, int], float | None]) -> None:
        rows[name] = []
        for count, size in settings:
            with tempfile.TemporaryDirectory() as folder:
                rows[name].append(function(Path(folder), count, size))

    measure("hpspace SQLite, processes", lambda folder, w, size: hpspace_processes(folder, w, n, size))
    if "optuna" in installed():
        few = n // 4
        for kind in ("SQLite", "journal"):
            measure(
                f"Optuna {kind}, processes",
                lambda folder, w, size, kind=kind: None if size else optuna_processes(kind, folder, w, few),
            )
    measure(
        "hpspace SQLite, workers",
        lambda folder, w, size: hpspace_workers(f"sqlite:///{folder / 'a.db'}#e", w, n, size),
    )
    waits = {}
    with tempfile.TemporaryDirectory() as folder:
        waits["SQLite"] = latency(f"sqlite:///{folder}/a.db#e", 3 if quick else 20)
    with served(auth=True) as url:
        if url is not None:
            base, _, options = url.partition("?")
            rows["hpspace MongoDB, workers"] = [
                hpspace_workers(f"{base}_{w}_{size}?{options}#e", w, n, size) for w, size in settings
            ]
            waits["MongoDB"] = latency(f"{base}_wait?{options}#e", 3 if quick else 20)
    if "HYPEROPT_PYTHON" in os.environ:
        with served(auth=False) as url:
            if url is not None:
                rows["Hyperopt MongoDB, workers"] = [
                    hyperopt_workers(f"{url}_{w}", w, 12) if size == 0 else None for w, size in settings
                ]
    header = ["trials a second", *(f"{w} × at {size:,}" for w, size in settings)]
    lines = [
        [name, *("–" if rate is None else f"{rate:.3g}" for rate in rates)] for name, rates in rows.items()
    ]
    shown = [
        [name, f"{statistics.median(found) * 1e3:.0f} ms", f"{max(found) * 1e3:.0f} ms"]
        for name, found in waits.items()
    ]
    return f"{table(header, lines)}\n\n{table(['insert to start', 'median', 'longest'], shown)}"


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
