"""Pools of others: threads, processes, loky, and what is said when they cannot do what a search wants."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

import hpspace
from hpspace import Trials, fmin, hp
from hpspace.exceptions import ExecutorError, TrialPruned
from hpspace.run.executors.base import Died, Finished, Raised
from hpspace.run.executors.futures import FuturesExecutor


class Inline(Executor):
    """A pool that does everything at once and by the book: what goes in and out is bytes."""

    _max_workers = 1

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert all(isinstance(value, (str, bytes)) for value in args)
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def inline(drive: Any) -> Any:
    return drive(FuturesExecutor(Inline()))


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """The standard library's pool, with the way of starting that is safe beside threads."""
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        yield pool


def test_a_search_in_a_process_pool(processes: ProcessPoolExecutor) -> None:
    """Through `fmin`, with an objective by value; the pool is still open afterwards."""
    here = os.getpid()

    def objective(x: float) -> dict[str, Any]:
        return {"status": "ok", "loss": x, "elsewhere": os.getpid() != here}

    for _ in range(2):
        best = fmin(objective, hp.uniform("x", 0, 1), "rand", 6, executor=processes, rstate=0, verbose=False)
        assert len(best.trials) == 6 and all(result["elsewhere"] for result in best.trials.results)


def test_a_search_in_lokys_pool() -> None:
    """The pool behind joblib."""
    from joblib.externals.loky import ProcessPoolExecutor as Loky

    pool = Loky(1)
    try:
        best = fmin(lambda x: x, hp.uniform("x", 0, 1), "rand", 4, executor=pool, rstate=0, verbose=False)
    finally:
        pool.shutdown(wait=True, kill_workers=True)
    assert len(best.trials) == 4


def test_a_search_in_a_thread_pool_prunes() -> None:
    """Threads of this process are spoken with while they run, and share its memory."""
    lock = threading.Lock()

    def objective(x: float) -> float:
        with lock:
            hpspace.report_or_prune(x, 1)
        return x

    trials = Trials()
    with ThreadPoolExecutor(2) as pool:
        fmin(
            objective,
            hp.uniform("x", 0, 1),
            "rand",
            8,
            trials=trials,
            executor=pool,
            rstate=0,
            pruner=lambda trials, trial: trial["misc"]["reports"][-1][1] > 0.5,
            verbose=False,
        )
    assert {"ok", "pruned"} == set(trials.statuses())


def test_what_a_task_says_comes_at_its_end(inline: Any, caplog: Any) -> None:
    """Reports and attachments are stored, nothing is pruned, and that is said once for the whole run."""

    def objective(x: float, ctrl: Any) -> float:
        ctrl.report(0.5, 1)
        ctrl.report_or_prune(0.4, 2)
        ctrl.attachments["model"] = b"weights"
        ctrl.attachments["draft"] = b"..."
        del ctrl.attachments["draft"]
        ctrl.checkpoint({"status": "running"})
        ctrl.info("half of it is done")
        assert list(ctrl.attachments) == ["before", "model"] and ctrl.attachments["before"] == 1
        return float(ctrl.should_prune())

    inline.start(objective)
    with caplog.at_level(logging.INFO, logger="hpspace"):
        for _ in range(2):
            assert inline.result(1, attachments={"before": 1}).result["loss"] == 0.0
    doc = inline.trials.trials[0]
    assert doc["misc"]["reports"] == [[1, 0.5], [2, 0.4]]
    assert inline.trials.trial_attachments(doc)["model"] == b"weights"
    said = [record.getMessage() for record in caplog.records]
    assert sum("cannot be pruned in Inline" in text for text in said) == 1
    assert "half of it is done" in said


def test_endings_come_back_as_data(inline: Any) -> None:
    """No exception of the objective is one of the engine, which might try again."""
    errors = {1: ValueError("bad"), 2: SystemExit(2), 3: TrialPruned("enough")}

    def objective(x: float) -> float:
        raise errors[int(x)]

    inline.start(objective)
    raised, died, pruned = (inline.result(x) for x in (1, 2, 3))
    assert isinstance(raised, Raised) and isinstance(raised.error, ValueError) and raised.message == "bad"
    assert isinstance(died, Died) and died.exitcode == 2
    assert pruned.pruned and pruned.message == "enough"


def test_what_cannot_be_sent_back_is_named(inline: Any) -> None:
    """A result and an attachment; the other things that the trial said are kept."""

    def objective(x: float, ctrl: Any) -> dict[str, Any]:
        ctrl.report(0.5, 1)
        if x == 1:
            ctrl.attachments["lock"] = threading.Lock()
        return {"status": "ok", "loss": x, "log": threading.Lock() if x == 2 else None}

    inline.start(objective)
    assert "ctrl.attachments['lock']" in inline.result(1).message
    assert "result['log']" in inline.result(2).message
    assert inline.trials.trials[0]["misc"]["reports"] == [[1, 0.5]]


def test_a_broken_pool_is_told_as_such(drive: Any, recwarn: Any) -> None:
    """What it had is lost, with the reason; the next trial is refused with a sentence that says what to do."""
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        driver = drive(FuturesExecutor(pool)).start(lambda x: os._exit(3) if x else x)
        death = driver.result(1)
        assert isinstance(death, Died) and "BrokenProcessPool" in death.reason
        with pytest.raises(ExecutorError, match="make a new pool"):
            driver.submit(0)


def test_a_waiting_task_is_taken_back(drive: Any) -> None:
    """What no worker has begun is cancelled without an event; what runs is not."""
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        driver = drive(FuturesExecutor(pool)).start(lambda x: float(go.wait(60)))
        running, waiting = driver.submit(1), driver.submit(2)
        assert driver.executor.cancel(waiting)
        go.set()
        assert isinstance(driver.ends()[running], Finished)
        assert not driver.executor.cancel(99)
        assert driver.executor.wait(0.05) == [] == driver.executor.wait(None)


def test_closing_waits_for_tasks_unless_killed(drive: Any) -> None:
    """The pool is not ours to end: with `kill` its tasks run on, and nobody waits for them."""
    begun, go, ended = threading.Semaphore(0), threading.Event(), []

    def objective(x: float) -> float:
        begun.release()
        go.wait(60)
        ended.append(x)
        return x

    with ThreadPoolExecutor(2) as pool:
        driver = drive(FuturesExecutor(pool)).start(objective)
        driver.submit(1)
        begun.acquire(timeout=60)
        driver.executor.close(kill=True)
        assert ended == []
        driver.start(objective).submit(2)
        begun.acquire(timeout=60)
        threading.Timer(0.1, go.set).start()
        driver.executor.close()
        assert 2 in ended
