"""Threads: shared memory, nothing pickled, and nothing that can be stopped from outside."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from hpspace.exceptions import ExecutorError
from hpspace.run.executors.base import Died, Finished, Raised
from hpspace.run.executors.threads import ThreadExecutor


def test_the_objective_is_shared(drive: Any) -> None:
    """What it refers to need not be picklable, and what it appends to is the caller's list."""
    lock, seen = threading.Lock(), []

    def objective(x: float) -> float:
        with lock:
            seen.append(x)
        return x

    driver = drive(ThreadExecutor(2)).start(objective)
    for x in range(6):
        driver.submit(x)
    assert all(isinstance(event, Finished) for event in driver.ends(6).values())
    assert sorted(seen) == list(range(6))


def test_as_many_run_at_a_time_as_there_are_threads(drive: Any) -> None:
    """Both have to be there for the barrier to open."""
    barrier = threading.Barrier(2, timeout=60)
    driver = drive(ThreadExecutor(2)).start(lambda x: float(barrier.wait() >= 0))
    driver.submit(0), driver.submit(1)
    assert all(isinstance(event, Finished) for event in driver.ends(2).values())


def test_whatever_is_raised_is_an_event(drive: Any) -> None:
    """Exceptions as they are, `sys.exit` as a death; the thread serves on."""
    errors = {1: ValueError("bad"), 2: SystemExit(3)}

    def objective(x: float) -> float:
        if x in errors:
            raise errors[int(x)]
        return x

    driver = drive(ThreadExecutor(1)).start(objective)
    raised, died, finished = (driver.result(x) for x in (1, 2, 3))
    assert isinstance(raised, Raised) and raised.error is errors[1] and "in objective" in raised.traceback
    assert isinstance(died, Died) and died.exitcode == 3
    assert finished.result["loss"] == 3


def test_only_what_no_thread_has_begun_is_cancelled(drive: Any) -> None:
    """A running trial says no; a waiting one vanishes without an event."""
    begun, go = threading.Event(), threading.Event()

    def objective(x: float) -> float:
        begun.set()
        go.wait(60)
        return x

    driver = drive(ThreadExecutor(1)).start(objective)
    running, waiting = driver.submit(1), driver.submit(2)
    begun.wait(60)
    assert driver.executor.cancel(waiting) and not driver.executor.cancel(running)
    go.set()
    assert list(driver.ends()) == [running]
    assert driver.executor.wait(0.05) == []


def test_an_objective_that_outlives_its_run_hears_of_it(drive: Any) -> None:
    """`close(kill=True)` cannot stop it and does not wait; its next use of ctrl raises."""
    begun, closed, heard = threading.Event(), threading.Event(), []

    def objective(x: float, ctrl: Any) -> float:
        begun.set()
        closed.wait(60)
        try:
            ctrl.should_prune()
        except ExecutorError as error:
            heard.append(str(error))
        return x

    driver = drive(ThreadExecutor(1)).start(objective)
    (thread,) = driver.executor._threads
    driver.submit(1)
    begun.wait(60)
    driver.executor.close(kill=True)
    closed.set()
    thread.join(60)
    assert "has ended" in heard[0]


def test_a_question_that_nobody_answers_any_more_is_refused(drive: Any) -> None:
    """The objective waits for an answer when the run ends: `close` releases it, and then waits for it."""
    released = []

    def objective(x: float, ctrl: Any) -> float:
        try:
            ctrl.should_prune()
        except ExecutorError:
            released.append(x)
        return x

    driver = drive(ThreadExecutor(1)).start(objective)
    driver.submit(1)
    while not driver.executor.wait(0.05):  # the question has arrived, and is not answered
        time.sleep(0)
    driver.executor.close()
    assert released == [1]


@pytest.mark.parametrize("kill", [True, False])
def test_closing_ends_idle_threads(drive: Any, kill: bool) -> None:
    """None of the threads is left when nothing runs."""
    driver = drive(ThreadExecutor(3)).start(lambda x: x)
    threads = driver.executor._threads
    driver.result(1)
    driver.executor.close(kill=kill)
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
