"""The four arguments of `fmin` that say where to evaluate, and what is said when they make no sense."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hpspace.run.executors.base import Executor, executor_from, usable_cpus
from hpspace.run.executors.futures import FuturesExecutor
from hpspace.run.executors.processes import ProcessExecutor
from hpspace.run.executors.threads import ThreadExecutor


def test_one_job_needs_no_executor() -> None:
    """The plain call evaluates in the calling thread."""
    assert executor_from() is None
    assert executor_from(n_jobs=1, backend="thread") is None


@pytest.mark.parametrize(
    ("arguments", "kind", "capacity"),
    [
        ({"n_jobs": 3}, ProcessExecutor, 3),
        ({"n_jobs": -1, "trial_timeout": 1}, ProcessExecutor, usable_cpus()),
        ({"n_jobs": 2, "backend": "thread"}, ThreadExecutor, 2),
        ({"trial_timeout": 2.5}, ProcessExecutor, 1),
    ],
)
def test_arguments_choose_the_executor(arguments: dict[str, Any], kind: type, capacity: int) -> None:
    """A timeout for trials needs a process that can be killed, also for one job at a time."""
    executor = executor_from(**arguments)
    assert type(executor) is kind and executor.capacity == capacity
    assert isinstance(executor, Executor)


def test_a_pool_is_adapted_and_its_size_respected() -> None:
    """`n_jobs` says how many to keep in flight there; by default the pool's own number."""
    with ThreadPoolExecutor(3) as pool:
        adapted, fewer = executor_from(executor=pool), executor_from(executor=pool, n_jobs=2)
    assert isinstance(adapted, FuturesExecutor) and (adapted.capacity, fewer.capacity) == (3, 2)


def test_an_executor_is_taken_as_it_is() -> None:
    """Its own capacity counts."""
    mine = ProcessExecutor(5)
    assert executor_from(executor=mine) is mine


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n_jobs": 0}, ValueError, "n_jobs=0"),
        ({"n_jobs": -2}, ValueError, "n_jobs=-2"),
        ({"n_jobs": 2.0}, TypeError, "n_jobs=2.0"),
        ({"n_jobs": True}, TypeError, "n_jobs=True"),
        ({"n_jobs": None}, TypeError, "n_jobs=None"),
        ({"backend": "loky"}, ValueError, "backend='loky'"),
        ({"trial_timeout": 0}, ValueError, "trial_timeout=0"),
        ({"trial_timeout": float("nan")}, ValueError, "trial_timeout=nan"),
        ({"trial_timeout": "1"}, TypeError, "trial_timeout='1'"),
        ({"trial_timeout": True}, TypeError, "trial_timeout=True"),
        ({"trial_timeout": 1, "n_jobs": 2, "backend": "thread"}, ValueError, "ThreadExecutor cannot stop"),
        ({"trial_timeout": 1, "backend": "thread"}, ValueError, "ThreadExecutor cannot stop"),
        ({"executor": 4}, TypeError, "executor=4"),
        ({"executor": ThreadPoolExecutor}, TypeError, "is a class"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    """With the argument, its value and what to pass."""
    with pytest.raises(error, match=words):
        executor_from(**arguments)


@pytest.mark.parametrize("made", [ProcessExecutor, ThreadExecutor])
@pytest.mark.parametrize(("capacity", "error"), [(0, ValueError), ("2", TypeError), (1.5, TypeError)])
def test_an_executor_of_ones_own_says_so_too(made: Any, capacity: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{made.__name__}: capacity={capacity!r}"):
        made(capacity)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity of processes")
def test_one_a_cpu_means_those_that_may_be_used() -> None:
    """A container or a batch system that allows one CPU of many gets one evaluation at a time."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
