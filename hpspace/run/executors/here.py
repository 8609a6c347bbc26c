"""Evaluation in the worker's own process: for objectives that must not be in a child of it.

The job is evaluated when events are asked for, and nothing can stop it: no timeout, no cancel, and an objective that
takes its process down takes the worker with it. The heartbeat goes on in its own thread.
"""

from __future__ import annotations

import pickle
from collections import deque
from typing import Any

from hpspace.run.executors.base import Called, Event, Job
from hpspace.run.executors.evaluation import evaluated, in_folder, raised
from hpspace.run.executors.remote import RemoteCtrl


class HereExecutor:
    """Evaluates in this process, one job at a time.

    Parameters
    ----------
    blob : bytes
        The pickled domain, read when the first job comes.

    Attributes
    ----------
    loaded : bool
        Whether the domain could be read.
    answering : callable
        ``answering(called)`` is called when the objective uses its Ctrl; it has to reply.
    """

    capacity = 1
    can_kill = False
    interactive = True

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._domain: Any = None
        self._jobs: deque[Job] = deque()
        self.loaded = False
        self.answering: Any = None

    def start(self, domain: Any) -> None:
        """Take an objective that is in this process already; see `Executor.start`."""
        self._domain, self.loaded = domain, True

    def submit(self, job: Job) -> None:
        """Take one job; it is evaluated in `wait`."""
        self._jobs.append(job)

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Evaluate the next job; see `Executor.wait`."""
        if not self._jobs:
            return []
        job = self._jobs.popleft()
        try:
            domain = self._loaded_domain()
        except Exception as error:  # noqa: BLE001 - reading imports modules of the user
            return [raised(job.tid, error)]
        with in_folder(job.folder):
            return [
                evaluated(domain, job, RemoteCtrl(lambda name, *args: self._ask(job.tid, name, args), job))
            ]

    def _loaded_domain(self) -> Any:
        if not self.loaded:
            self._domain = pickle.loads(self._blob)  # noqa: S301 - the worker has decided to trust it
            self.loaded = True
        return self._domain

    def _ask(self, tid: Any, name: str, args: tuple[Any, ...]) -> Any:
        replies: list[Any] = []
        self.answering(Called(tid, name, args, replies.append))
        (value,) = replies
        if isinstance(value, Exception):
            raise value
        return value

    def cancel(self, tid: Any) -> bool:
        """Take back a job that has not begun; see `Executor.cancel`."""
        waiting = [job for job in self._jobs if job.tid == tid]
        for job in waiting:
            self._jobs.remove(job)
        return bool(waiting)

    def close(self, kill: bool = False) -> None:
        """Forget what was submitted; see `Executor.close`."""
        self._jobs.clear()
