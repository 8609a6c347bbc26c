"""Evaluation on a Spark cluster: one trial is one job of one task, with a tag of its own.

A thread for each trial waits for its job, as Spark's Python API wants it; the driver's thread waits for all of them at
a mailbox. Stopping a trial cancels the jobs with its tag; Spark kills the Python process that computes it some seconds
later. What a task says comes at its end (see `late`): nothing is pruned on Spark.

Spark repeats a task whose worker died, by default four times; a trial that killed its worker by using up the memory
would do so four times. A task that is a repetition therefore reports the death and does nothing else.

Needs the extra "spark", and hpspace on the workers. Spark Connect has no jobs of this kind and is refused.
"""

from __future__ import annotations

import functools
import math
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hpspace.exceptions import ExecutorError
from hpspace.run.executors.base import Died, Event, Job, TimedOut
from hpspace.run.executors.evaluation import text_of
from hpspace.run.executors.late import Collector, LateWords, read_answer, run_task
from hpspace.run.executors.pickling import pickled_domain
from hpspace.run.executors.threads import Mailbox
from hpspace.run.executors.wire import dumps, loads

#: Seconds between two orders to cancel a job that has not ended: the first may come before Spark knows the job.
_REPEAT = 1.0

#: Characters of Spark's own messages that are kept.
_MAX_TEXT = 500


@dataclass
class _Running:
    """A trial that Spark has."""

    job: Job
    #: The jobs of this trial have it.
    tag: str
    #: When to give the next order to cancel, by `time.monotonic`.
    deadline: float
    #: Whether an order was given.
    stopping: bool = False


@dataclass(frozen=True)
class _Ended(Event):
    """The job of a trial is over."""

    tag: str
    answer: bytes | None
    error: Exception | None = None


class SparkExecutor:
    """Evaluates on the workers of a Spark session.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
        A classic one; it stays open.
    capacity : int or None
        How many trials at a time; None is Spark's default parallelism.
    profile : pyspark.resource.ResourceProfile or None
        Resources that each trial's task needs.

    Attributes
    ----------
    can_kill : bool
        True. A timeout counts from when the trial is given to Spark: waiting for a free place is part of it.
    interactive : bool
        False.

    Raises
    ------
    ExecutorError
        If the session is one of Spark Connect, or Spark is older than 3.5.
    """

    can_kill = True
    interactive = False

    def __init__(self, session: Any, capacity: int | None = None, profile: Any = None) -> None:
        _check_session(session)
        self._session = session
        self._context = session.sparkContext
        self._profile = profile
        self.capacity = capacity or max(1, int(self._context.defaultParallelism))
        self._mailbox = Mailbox()
        self._late = LateWords("Spark")
        self._running: dict[Any, _Running] = {}
        self._name = ""
        self._checked = False
        self._domain: Any = None

    def start(self, domain: Any) -> None:
        """Send the objective to the workers, and see whether they can do anything with it; see `Executor.start`.

        Raises
        ------
        ExecutorError
            If the workers have no hpspace, or another Python.
        """
        self.close(kill=True)
        blob = pickled_domain(domain)
        self.check_workers()
        self._mailbox = Mailbox()
        self._late = LateWords("Spark")
        self._name = uuid.uuid4().hex
        self._domain = self._context.broadcast(blob)

    def check_workers(self) -> None:
        """Run something trivial everywhere, once: it also starts the workers' Python before any trial is timed.

        Raises
        ------
        ExecutorError
            As `start`.
        """
        if self._checked:
            return
        try:
            self._context.parallelize(range(self.capacity), self.capacity).mapPartitions(_hello).collect()
        except Exception as error:
            raise ExecutorError(
                f"the Spark workers cannot evaluate trials: {_words(error)}; they need Python "
                f"{sys.version_info.major}.{sys.version_info.minor} and hpspace; set the environment variable "
                "PYSPARK_PYTHON to such an interpreter before the session is made"
            ) from error
        self._checked = True

    def submit(self, job: Job) -> None:
        """Give a trial to Spark; see `Executor.submit`.

        Raises
        ------
        ExecutorError
            If the session was stopped.
        """
        if self._context._jsc is None or self._context._jsc.sc().isStopped():
            raise ExecutorError(
                "the Spark session was stopped; make a new one and go on with the same trials"
            )
        end = math.inf if job.timeout is None else time.monotonic() + job.timeout
        running = _Running(job, f"hpspace-trial-{self._name[:8]}-{job.tid}", end)
        self._running[job.tid] = running
        thread = _inheriting_thread(self._session, functools.partial(self._run, running, self._mailbox))
        thread.daemon = True
        thread.start()

    def _run(self, running: _Running, mailbox: Mailbox) -> None:
        """Run the job of a trial and wait for it, in a thread of its own."""
        tid, tag = running.job.tid, running.tag
        task = functools.partial(_task, self._name, self._domain, dumps(running.job))
        try:
            self._context.addJobTag(tag)
            rows = self._context.parallelize([0], 1)
            if self._profile is not None:
                rows = rows.withResources(self._profile)
            (answer,) = rows.mapPartitions(task).collect()
        except Exception as error:  # noqa: BLE001 - whatever Spark raises is how this trial ended
            mailbox.put(_Ended(tid, tag, None, error))
        else:
            mailbox.put(_Ended(tid, tag, bytes(answer)))

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Wait for events; see `Executor.wait`."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        events: list[Event] = []
        while not events and not (timeout is None and not self._running):
            wake = min([end, *(running.deadline for running in self._running.values())])
            seconds = None if wake == math.inf else max(0.0, wake - time.monotonic())
            for ended in self._mailbox.take(seconds):
                assert isinstance(ended, _Ended)
                events += self._understand(ended)
            self._cancel_late_ones()
            if time.monotonic() >= end:
                break
        return events

    def _understand(self, ended: _Ended) -> list[Event]:
        running = self._running.get(ended.tid)
        if running is None or running.tag != ended.tag:
            return []
        del self._running[ended.tid]
        if ended.answer is not None:
            return self._late.heard(read_answer(ended.answer))
        if running.stopping and running.job.timeout is not None:
            return [TimedOut(ended.tid, running.job.timeout)]
        assert ended.error is not None
        return [Died(ended.tid, None, f"Spark lost it: {_words(ended.error)}")]

    def _cancel_late_ones(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if running.deadline <= now:
                self._order_to_cancel(running)

    def _order_to_cancel(self, running: _Running) -> None:
        running.stopping = True
        running.deadline = time.monotonic() + _REPEAT
        self._context.cancelJobsWithTag(running.tag)

    def cancel(self, tid: Any) -> bool:
        """Stop a trial: returns when its job has ended; the kernel process follows within seconds."""
        running = self._running.get(tid)
        if running is None:
            return False
        held: list[Event] = []
        while tid in self._running:
            self._order_to_cancel(running)
            for event in self._mailbox.take(_REPEAT):
                if event.tid == tid:
                    del self._running[tid]
                else:
                    held.append(event)
        for event in held:
            self._mailbox.put(event)
        return True

    def close(self, kill: bool = False) -> None:
        """Wait for running trials, or cancel them with `kill`; the session stays open."""
        for running in self._running.values():
            if kill:
                self._order_to_cancel(running)
        while self._running:
            for event in self._mailbox.take(_REPEAT):
                self._running.pop(event.tid, None)
            if kill:
                self._cancel_late_ones()
        if self._domain is not None:
            self._domain.unpersist()
            self._domain = None


# -------------------------------------------------------------------- what runs on the workers


def _hello(rows: Iterator[int]) -> Iterator[bool]:
    yield sum(1 for _ in rows) > 0


def _task(name: str, domain: Any, job: bytes, rows: Iterator[int]) -> Iterator[bytes]:
    """Evaluate one trial on a worker, unless that was begun before."""
    from pyspark import TaskContext

    list(rows)  # Spark keeps a Python process for further tasks only if its input was read to the end
    context = TaskContext.get()
    if context is not None and context.attemptNumber() > 0:
        work = loads(job)
        yield Collector(work).answer(Died(work.tid, None, "the Spark worker that evaluated it died"))
    else:
        yield run_task(name, domain.value, job)


# -------------------------------------------------------------------- Spark's own ways


def _check_session(session: Any) -> None:
    if ".connect." in f".{type(session).__module__}.":
        raise ExecutorError(
            f"{type(session).__module__}.SparkSession is a session of Spark Connect, which cannot run Python jobs one "
            "by one; use a classic session: SparkSession.builder.master(...).getOrCreate()"
        )
    if not hasattr(session.sparkContext, "addJobTag"):
        raise ExecutorError(
            "Spark is older than 3.5 and cannot cancel single jobs: pip install 'pyspark>=3.5'"
        )


def _inheriting_thread(session: Any, target: Any) -> threading.Thread:
    """Return a thread whose jobs have this thread's properties, such as the scheduler's pool."""
    import inspect

    from pyspark import InheritableThread

    named = "session" in inspect.signature(InheritableThread.__init__).parameters  # since Spark 4
    thread: threading.Thread = InheritableThread(target, **({"session": session} if named else {}))
    return thread


def _words(error: Exception) -> str:
    """Return the first words of one of Spark's long messages."""
    java = getattr(error, "java_exception", None)
    text = java.getMessage() if java is not None else text_of(error)
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    telling = [
        line for line in lines if line.startswith(("ModuleNotFoundError", "pyspark.", "org.apache.spark"))
    ]
    return " ".join([*lines[:1], *telling[-1:]])[:_MAX_TEXT]
