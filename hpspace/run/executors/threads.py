"""Evaluation in threads of this process: for objectives that wait, or that compute outside of Python's lock.

The objective and what it refers to are shared, nothing is pickled. A thread cannot be stopped from outside: there is
no timeout for a trial here, and an objective that runs on after the end of its run is left alone. Its thread is a
daemon, so it does not keep the interpreter from ending, and its next use of `ctrl` raises.

What the objective does through its Ctrl is done by the driver's thread, as with every executor: stores need not be
safe against threads.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from hpspace.exceptions import ExecutorError
from hpspace.run.executors.base import Called, Event, Job, number_of_jobs
from hpspace.run.executors.evaluation import evaluated
from hpspace.run.executors.remote import RemoteCtrl


class Mailbox:
    """Events that other threads hand over to the driver's thread, and the answers that they wait for.

    It is open until `shut`: afterwards every question, also one that waits already, is answered by an exception.
    """

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: set[queue.SimpleQueue[Any]] = set()
        self._shut = False

    def put(self, event: Event) -> None:
        """Hand over an event; from any thread."""
        self._events.put(event)

    def asking(self, tid: Any) -> Callable[..., Any]:
        """Return the function ``ask(name, *args)`` of a trial that runs in another thread."""

        def ask(name: str, *args: Any) -> Any:
            return self._ask(tid, name, args)

        return ask

    def take(self, timeout: float | None) -> list[Event]:
        """Return what has come in, waiting `timeout` seconds for the first; from the driver's thread."""
        try:
            events = [self._events.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self._events.empty():
            events.append(self._events.get())
        return events

    def shut(self) -> None:
        """Answer no question any more."""
        with self._lock:
            self._shut = True
            for answers in self._waiting:
                answers.put(_ended())

    def _ask(self, tid: Any, name: str, args: tuple[Any, ...]) -> Any:
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._lock:
            if self._shut:
                raise _ended()
            self._waiting.add(answers)
        self.put(Called(tid, name, args, answers.put))
        value = answers.get()
        with self._lock:
            self._waiting.discard(answers)
        if isinstance(value, BaseException):
            raise value
        return value


def _ended() -> ExecutorError:
    return ExecutorError("the run that this trial belonged to has ended: nobody can answer its ctrl")


class ThreadExecutor:
    """Evaluates in threads of this process.

    Parameters
    ----------
    capacity : int
        How many threads; -1 is one for each CPU.

    Attributes
    ----------
    can_kill : bool
        False: nothing stops a thread.
    interactive : bool
        True.
    """

    can_kill = False
    interactive = True

    def __init__(self, capacity: int) -> None:
        self.capacity = number_of_jobs(capacity, "ThreadExecutor: capacity")
        self._threads: list[threading.Thread] = []
        self._begin()

    def _begin(self) -> None:
        """Make what one run needs; threads of an earlier one keep theirs."""
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._mailbox = Mailbox()
        self._unstarted: set[Any] = set()

    def start(self, domain: Any) -> None:
        """Start the threads; see `Executor.start`."""
        self._begin()
        work = _Work(domain, self._jobs, self._mailbox, self._unstarted)
        self._threads = [
            threading.Thread(target=work.serve, name=f"hpspace-trial-{i}", daemon=True)
            for i in range(self.capacity)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; see `Executor.submit`."""
        self._unstarted.add(job.tid)
        self._jobs.put(job)

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Wait for events; see `Executor.wait`."""
        return self._mailbox.take(timeout)

    def cancel(self, tid: Any) -> bool:
        """Take back a job that no thread has begun; a running one runs on."""
        try:
            self._unstarted.remove(tid)
        except KeyError:
            return False
        return True

    def close(self, kill: bool = False) -> None:
        """End idle threads; wait for busy ones, or with `kill` leave them alone."""
        self._unstarted.clear()
        self._mailbox.shut()
        for _ in self._threads:
            self._jobs.put(None)
        if not kill:
            for thread in self._threads:
                thread.join()
        self._threads = []


class _Work:
    """What the threads of one run do."""

    def __init__(
        self, domain: Any, jobs: queue.SimpleQueue[Job | None], mailbox: Mailbox, unstarted: set[Any]
    ) -> None:
        self.domain = domain
        self.jobs = jobs
        self.mailbox = mailbox
        self.unstarted = unstarted

    def serve(self) -> None:
        """Evaluate jobs until told to stop."""
        for job in iter(self.jobs.get, None):
            try:
                self.unstarted.remove(job.tid)  # whoever removes it owns it: this thread, or `cancel`
            except KeyError:
                continue
            ctrl = RemoteCtrl(self.mailbox.asking(job.tid), job)
            self.mailbox.put(evaluated(self.domain, job, ctrl))
