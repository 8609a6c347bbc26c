"""What `n_jobs=2` gains, and what a trial costs in each place where it can be evaluated.

Speed-up: the seconds of a serial search over those of the same search with two evaluations at a time, for an
objective that sleeps and for one that computes in Python; children are started within the measured time. Two is the
best that can be had, and for the second objective only on a machine with two idle cores, which is why the ratio of
two bare processes that only compute is printed beside it.

Overhead: seconds of a search with an objective that does nothing, by the number of trials, after a first trial
has started everything. The algorithm is `rand`, so this is the price of the loop and the way there and back.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from typing import Any

from common import medians, table, wants_quick

from hpspace import Domain, fmin, hp
from hpspace.run.executors.base import Executor, Job, executor_from

#: Python code of the objective that computes; about a tenth of a second.
COUNT = "sum(i * i for i in range({}))"

SPACE = hp.uniform("x", 0, 1)


def sleeping(x: float) -> float:
    time.sleep(0.1)
    return x


def computing(steps: int) -> Callable[[float], float]:
    code = compile(COUNT.format(steps), "<objective>", "eval")
    return lambda x: x + 0 * eval(code)


def seconds_of(objective: Any, n: int, **place: Any) -> float:
    begin = time.perf_counter()
    fmin(objective, SPACE, "rand", n, rstate=0, verbose=False, **place)
    return time.perf_counter() - begin


def bare_processes(steps: int, n: int) -> float:
    """Return the speed-up of two interpreters that do nothing but compute."""

    def run(processes: int) -> float:
        loop = f"for _ in range({n // processes}): {COUNT.format(steps)}"
        begin = time.perf_counter()
        started = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(processes)]
        for process in started:
            process.wait()
        return time.perf_counter() - begin

    seconds = medians({"one": lambda: run(1), "two": lambda: run(2)}, 1)
    return seconds["one"] / seconds["two"]


def speed_up(quick: bool) -> str:
    n, rounds, steps = (4, 1, 20_000) if quick else (60, 3, 1_200_000)
    places = {"serial": {}, "process": {"n_jobs": 2}, "thread": {"n_jobs": 2, "backend": "thread"}}
    rows = []
    for name, objective in {"sleeps": sleeping, "computes": computing(steps)}.items():
        tasks = {
            place: lambda objective=objective, how=how: seconds_of(objective, n, **how)
            for place, how in places.items()
        }
        seconds = medians(tasks, rounds)
        bare = f"{bare_processes(steps, n):.2f}" if name == "computes" else "2.00"
        ratios = [f"{seconds['serial'] / seconds[place]:.3g}" for place in ("process", "thread")]
        rows.append([name, f"{seconds['serial']:.1f} s", *ratios, bare])
    header = ["objective", "serial", "n_jobs=2, processes", "n_jobs=2, threads", "the machine allows"]
    return table(header, rows)


# ---- overhead --------------------------------------------------------------------------------------------


@contextmanager
def dask_client() -> Iterator[Any]:
    import distributed

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@contextmanager
def loky_pool() -> Iterator[Any]:
    from joblib.externals.loky import ProcessPoolExecutor as Loky

    pool = Loky(2)
    try:
        yield pool
    finally:
        pool.shutdown(kill_workers=True)


def places(quick: bool) -> dict[str, Callable[[], AbstractContextManager[Any]]]:
    """Return the places by name.

    A quick run leaves out what takes long to start, any run what is not installed.
    """
    found: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "this thread": contextlib.nullcontext,
        "n_jobs=1, trial_timeout": lambda: contextlib.nullcontext({"trial_timeout": 60}),
        "n_jobs=2": lambda: contextlib.nullcontext({"n_jobs": 2}),
        "n_jobs=2, threads": lambda: contextlib.nullcontext({"n_jobs": 2, "backend": "thread"}),
        "ThreadPoolExecutor(2)": lambda: ThreadPoolExecutor(2),
        "ProcessPoolExecutor(2)": lambda: ProcessPoolExecutor(2, mp_context=get_context("forkserver")),
    }
    if quick:
        return found
    if importlib.util.find_spec("joblib"):
        found["loky, 2"] = loky_pool
    if importlib.util.find_spec("distributed"):
        found["Dask, 2 local workers"] = dask_client
    return found


def executor_of(place: Any) -> Executor | None:
    return executor_from(**place) if isinstance(place, dict) else executor_from(executor=place)


def round_trip(place: Any, n: int) -> tuple[float, float]:
    """Return seconds until the first result, and seconds a job when one is under way at a time."""
    executor = executor_of(place)
    if executor is None:
        return 0.0, 0.0
    begin = time.perf_counter()
    executor.start(Domain(lambda x: x, SPACE))
    executor.submit(Job(-1, {"x": 0.5}))
    executor.wait(None)
    first = time.perf_counter()
    for tid in range(n):
        executor.submit(Job(tid, {"x": 0.5}))
        executor.wait(None)
    end = time.perf_counter()
    executor.close()
    return first - begin, (end - first) / n


def searching(place: Any, n: int) -> float:
    """Return seconds a trial of a whole search."""
    arguments = place if isinstance(place, dict) else {"executor": place}
    few, many = (seconds_of(lambda x: x, count, **arguments) for count in (4, n + 4))
    return max(0.0, many - few) / n


def overhead(quick: bool) -> str:
    n = 10 if quick else 500
    rows = []
    for name, make in places(quick).items():
        with make() as place:
            first, one = round_trip(place, n)
            whole = searching(place, n)
        shown = ["–", "–"] if place is None else [f"{first:.2f} s", f"{one * 1e3:.2f} ms"]
        rows.append([name, *shown, f"{whole * 1e3:.2f} ms"])
    return table(["evaluated in", "first result", "there and back", "a trial of fmin"], rows)


def report(quick: bool) -> str:
    return f"{speed_up(quick)}\n\n{overhead(quick)}"


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
