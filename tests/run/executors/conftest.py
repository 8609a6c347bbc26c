"""Helpers of the tests of executors: a space of one number, and a driver that answers and collects."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hpspace import Ctrl, Domain, Trials, hp
from hpspace.run.executors.base import Called, Event, Job, answer
from hpspace.run.executors.processes import ProcessExecutor
from hpspace.trials.document import JOB_STATE_RUNNING, new_document

#: Seconds after which a test is lost; far more than anything here takes.
PATIENCE = 60.0


class Driver:
    """What the loop is to an executor, for a list of points."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.trials = Trials()
        self.calls: list[Called] = []
        self.pruner: Any = None

    def start(self, fn: Any) -> Driver:
        self.executor.start(Domain(fn, hp.uniform("x", 0, 100)))
        return self

    def submit(self, x: float, timeout: float | None = None, **facts: Any) -> int:
        """Give one trial to the executor; its id counts from 0."""
        (tid,) = self.trials.new_trial_ids(1)
        doc = {**new_document(tid, {"x": x}), "state": JOB_STATE_RUNNING}
        self.trials.insert_trial_doc(doc)
        self.trials.refresh()
        self.executor.submit(Job(tid, {"x": x}, dict(doc["misc"]), timeout, **facts))
        return int(tid)

    def ends(self, n: int = 1) -> dict[int, Event]:
        """Answer calls until `n` trials have ended; return how, by their ids."""
        ended: dict[int, Event] = {}
        deadline = time.monotonic() + PATIENCE
        while len(ended) < n:
            assert time.monotonic() < deadline, f"lost: {n - len(ended)} trials have not ended"
            for event in self.executor.wait(1.0):
                if isinstance(event, Called):
                    self.calls.append(event)
                    answer(event, Ctrl(self.trials, self.trials.by_tid(event.tid), pruner=self.pruner))
                else:
                    assert event.tid not in ended, "one end for each trial"
                    ended[event.tid] = event
        return ended

    def result(self, x: float, **options: Any) -> Any:
        """Evaluate one point and return how that ended."""
        tid = self.submit(x, **options)
        return self.ends()[tid]


@pytest.fixture
def drive() -> Iterator[Callable[..., Driver]]:
    """Make drivers; whatever they have started is killed in the end."""
    drivers: list[Driver] = []

    def make(executor: Any) -> Driver:
        drivers.append(Driver(executor))
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.executor.close(kill=True)


@pytest.fixture
def child(drive: Callable[..., Driver]) -> Driver:
    """A driver of one child process."""
    return drive(ProcessExecutor(1))


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        if not os.path.exists("/proc"):
            raise RuntimeError("these tests read /proc") from None
        return False


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Wait until a process has ended; False if it does not."""

    def wait(pid: int) -> bool:
        deadline = time.monotonic() + PATIENCE
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not alive(pid)

    return wait
