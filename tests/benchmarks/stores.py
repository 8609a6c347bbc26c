"""How many trials a second does a store carry, does that change as it grows, and how soon does a worker start?

The objective costs nothing and random search proposes, so that what is left is the library's own work. Four shapes:

- *processes*: 1, 2, 4 processes share a store, each proposes and evaluates; hpspace's and Optuna's files;
- *workers*: one driver proposes, 1, 2, 4 worker programs evaluate; hpspace's file and MongoDB, and Hyperopt's MongoDB
  if the variable HYPEROPT_PYTHON names an interpreter with Hyperopt and a pymongo that it works with (3.13);
- *growth*: the same with one process or worker, on stores that hold 0, 3,000 and 30,000 finished trials already;
- *latency*: seconds from the insertion of a trial to its start in a worker that waits.

hpspace's rates are counted from the first to the last of the ends that the store noted: a search over 30,000 trials has
to read them once, which takes seconds and is no cost of a trial. To tell growth from the noise of a machine, the three
stores of a row are open at the same time and take turns, a hundred trials each, and medians are compared.

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from common import installed, table, wants_quick

WORKERS = (1, 2, 4)
FINISHED = (0, 3_000, 30_000)

#: Turns of each store in the table of growth, and trials of a turn.
TURNS, PER_TURN = 11, 100

#: What a process of each library runs: `{url}`, `{n}` trials of its own. It says "ready" and waits for a line.
HPSPACE = """
import sys
from hpspace import Trials, fmin, hp
trials = Trials.open({url!r})
def search(n):
    fmin(len, {{"x": hp.uniform("x", 0, 1)}}, "rand", max_new_evals=n, trials=trials, rstate={seed}, verbose=False)
search(1)
print("ready", flush=True)
for line in sys.stdin:
    search({n})
    print("done", flush=True)
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


def hpspace_processes(folder: Path, workers: int, n: int) -> float:
    url = f"sqlite:///{folder / 'hpspace.db'}#e"
    together([HPSPACE.format(url=url, n=n // workers, seed=k) for k in range(workers)])
    with reading(url) as trials:
        return rate(trials, n)


def optuna_processes(kind: str, folder: Path, workers: int, n: int) -> float:
    storage = {
        "SQLite": repr(f"sqlite:///{folder / 'optuna.db'}"),
        "journal": f"JournalStorage(JournalFileBackend({str(folder / 'optuna.log')!r}))",
    }[kind]
    together([OPTUNA.format(storage=storage, n=1)])  # makes the tables
    return n / together([OPTUNA.format(storage=storage, n=n // workers)] * workers)


def rate(trials: Any, n: int) -> float:
    """Return the trials a second of the last n that ended, by the store's own times."""
    trials.refresh()
    ends = sorted(doc["refresh_time"] for doc in trials.documents() if doc["refresh_time"] is not None)[-n:]
    return (n - 1) / (ends[-1] - ends[0]).total_seconds()


@contextlib.contextmanager
def reading(url: str) -> Iterator[Any]:
    """Open the trials of a store within."""
    from hpspace import Trials

    trials = Trials.open(url, asynchronous=True)
    yield trials
    trials.close()


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
def programs(command: list[str], count: int, cwd: str | None = None, **env: str) -> Iterator[None]:
    """Keep worker programs running within."""
    settings = {**os.environ, **env}
    running = [
        subprocess.Popen(command, cwd=cwd, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=settings)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


WORKER = [sys.executable, "-m", "hpspace.cli.main", "worker"]


@contextlib.contextmanager
def searching(url: str, workers: int) -> Iterator[Callable[[int], float]]:
    """Yield how to search with workers that have loaded the objective; a search returns its trials a second."""
    from hpspace import fmin, hp

    space = {"x": hp.uniform("x", 0, 1)}
    with reading(url) as trials, programs(WORKER, workers, HPSPACE_URL=url):

        def search(n: int) -> float:
            fmin(len, space, "rand", max_new_evals=n, trials=trials, max_queue_len=8, rstate=0, verbose=False)
            return rate(trials, n)

        while trials.live_workers() < workers:
            time.sleep(0.1)
        search(10 * workers)
        yield search


def hpspace_workers(url: str, workers: int, n: int) -> float:
    """Trials a second through workers."""
    with searching(url, workers) as search:
        return search(n)


def hyperopt_workers(url: str, workers: int, n: int) -> float:
    python = os.environ["HYPEROPT_PYTHON"]
    address = url.removeprefix("mongodb://")
    command = [
        str(Path(python).parent / "hyperopt-mongo-worker"),
        f"--mongo={address}",
        "--poll-interval=0.1",
    ]
    program = HYPEROPT.format(url=f"mongo://{address}/jobs", n=n, warm=workers)
    with tempfile.TemporaryDirectory() as left, programs(command, workers, left):  # a log, a folder a trial
        out = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True, timeout=300)
    return n / float(out.stdout)


# -- growth ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def one_process(url: str, n: int) -> Iterator[Callable[[], float]]:
    """Yield how to let a process propose and evaluate n trials, which returns its trials a second."""
    process = subprocess.Popen(
        [sys.executable, "-c", HPSPACE.format(url=url, n=n, seed=0)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    said, heard = process.stdin, process.stdout
    assert said is not None and heard is not None
    heard.readline()
    try:
        with reading(url) as trials:

            def turn() -> float:
                said.write("go\n")
                said.flush()
                heard.readline()
                return rate(trials, n)

            yield turn
    finally:
        process.communicate()


@contextlib.contextmanager
def one_worker(url: str, n: int) -> Iterator[Callable[[], float]]:
    """Yield how to let a worker evaluate n trials, which returns its trials a second."""
    with searching(url, 1) as search:
        yield lambda: search(n)


def growth(
    urls: Sequence[str],
    opened: Callable[[str, int], contextlib.AbstractContextManager[Callable[[], float]]],
    finished: Sequence[int],
    turns: int,
    n: int,
) -> list[float]:
    """Return the median trials a second of stores that hold so many finished trials, and take turns."""
    with contextlib.ExitStack() as stack:
        tasks = []
        for url, size in zip(urls, finished):
            fill(url, size)
            tasks.append(stack.enter_context(opened(url, n)))
        found: list[list[float]] = [[] for _ in tasks]
        for _ in range(turns + 1):
            for rates, task in zip(found, tasks):
                rates.append(task())
    return [statistics.median(rates[1:]) for rates in found]


# -- latency -----------------------------------------------------------------------------------------------


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
    with programs(WORKER, 1, HPSPACE_URL=url):
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
    turns, per_turn = (1, 10) if quick else (TURNS, PER_TURN)
    rows: dict[str, list[float]] = {}
    grown: dict[str, list[float]] = {}
    waits: dict[str, list[float]] = {}

    def measure(name: str, function: Callable[[Path, int], float]) -> None:
        rows[name] = []
        for count in workers:
            with tempfile.TemporaryDirectory() as folder:
                rows[name].append(function(Path(folder), count))

    def grow(name: str, url_of: Callable[[str, int], str], opened: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            urls = [url_of(folder, size) for size in finished]
            grown[name] = growth(urls, opened, finished, turns, per_turn)

    def file(folder: str, size: int) -> str:
        return f"sqlite:///{folder}/{size}.db#e"

    measure("hpspace SQLite, processes", lambda folder, w: hpspace_processes(folder, w, n))
    if "optuna" in installed():
        for kind in ("SQLite", "journal"):
            measure(
                f"Optuna {kind}, processes",
                lambda folder, w, kind=kind: optuna_processes(kind, folder, w, n // 5),
            )
    measure("hpspace SQLite, workers", lambda folder, w: hpspace_workers(file(str(folder), 0), w, n))
    grow("hpspace SQLite, one process", file, one_process)
    grow("hpspace SQLite, one worker", file, one_worker)
    with tempfile.TemporaryDirectory() as folder:
        waits["SQLite"] = latency(file(folder, 0), 3 if quick else 20)
    with served(auth=True) as url:
        if url is not None:
            base, _, options = url.partition("?")
            measure("hpspace MongoDB, workers", lambda _, w: hpspace_workers(f"{base}_{w}?{options}#e", w, n))
            grow(
                "hpspace MongoDB, one worker",
                lambda _, size: f"{base}_holding_{size}?{options}#e",
                one_worker,
            )
            waits["MongoDB"] = latency(f"{base}_wait?{options}#e", 3 if quick else 20)
    if "HYPEROPT_PYTHON" in os.environ:
        with served(auth=False) as url:
            if url is not None:
                measure("Hyperopt MongoDB, workers", lambda _, w: hyperopt_workers(f"{url}_{w}", w, 6))
    lines = [[name, *(f"{rate:.3g}" for rate in rates)] for name, rates in rows.items()]
    flat = [
        [name, *(f"{rate:.3g}" for rate in rates), f"{rates[-1] / rates[0] - 1:+.0%}"]
        for name, rates in grown.items()
    ]
    shown = [
        [name, f"{statistics.median(found) * 1e3:.0f} ms", f"{max(found) * 1e3:.0f} ms"]
        for name, found in waits.items()
    ]
    tables = [
        table(["trials a second", *map(str, workers)], lines),
        table(["trials a second at", *(f"{size:,} finished" for size in finished), "last to first"], flat),
        table(["insert to start", "median", "longest"], shown),
    ]
    return "\n\n".join(tables)


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
