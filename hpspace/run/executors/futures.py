"""Evaluation in a pool that somebody else made: anything that speaks `concurrent.futures`, and Dask.

One task is one trial. Thread and process pools of the standard library, loky's, mpi4py's and Dask's are such pools;
the user starts and ends them. What a task sends comes at its end (see `late`), so nothing is pruned here, and a
running task cannot be stopped. When a pool breaks, because one of its processes died, the trials that it had are
reported as lost, and the next `submit` says that the pool is broken: nobody but its maker can make a new one.

A `ThreadPoolExecutor` shares this process's memory: its tasks get the objective as it is, and speak with the driver
while they run, as in `threads`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from typing import Any

from hpspace.exceptions import ExecutorError
from hpspace.run.executors.base import Died, Event, Executor, Job, usable_cpus
from hpspace.run.executors.evaluation import evaluated, text_of
from hpspace.run.executors.late import LateWords, read_answer, run_task
from hpspace.run.executors.pickling import pickled_domain
from hpspace.run.executors.remote import RemoteCtrl
from hpspace.run.executors.threads import Mailbox
from hpspace.run.executors.wire import dumps


@dataclass(frozen=True)
class _Ended(Event):
    """A task is over."""

    #: The pool's future.
    future: Any


class FuturesExecutor:
    """Evaluates in a pool with the methods of `concurrent.futures.Executor`.

    Parameters
    ----------
    pool : concurrent.futures.Executor
        Or any object whose ``submit(fn, *args)`` returns futures that have `add_done_callback`, `exception`,
        `result`, `cancel` and `cancelled`.
    capacity : int or None
        How many trials to keep there; None asks the pool how many workers it has, and without an answer takes the
        number of CPUs.

    Attributes
    ----------
    can_kill : bool
        False.
    interactive : bool
        True for threads of this process, else False.
    """

    can_kill = False

    def __init__(self, pool: Any, capacity: int | None = None) -> None:
        self._pool = pool
        self._name = getattr(pool, "name", None) or type(pool).__name__
        self.capacity = capacity or _workers_of(pool)
        self.interactive = isinstance(pool, futures.ThreadPoolExecutor)
        self._task: Callable[[Job], Any] = _not_started
        self._mailbox = Mailbox()
        self._futures: dict[Any, Any] = {}
        self._late = LateWords(self._name)

    @classmethod
    def around(cls, pool: Any, capacity: int | None = None) -> Executor:
        """Return an executor for what a user passed to `fmin` as `executor`.

        Parameters
        ----------
        pool : object
            A pool, or a Dask client.
        capacity : int or None
            As for the class.

        Returns
        -------
        Executor
            That keeps `pool` busy.

        Raises
        ------
        TypeError
            If it is neither.
        """
        if type(pool).__module__.partition(".")[0] == "distributed" and hasattr(pool, "scheduler"):
            from hpspace.run.executors.dask import DaskPool

            pool = DaskPool(pool)
        if not callable(getattr(pool, "submit", None)):
            raise TypeError(
                f"executor={pool!r}: pass a concurrent.futures.Executor, a dask.distributed.Client, or an object "
                "with the methods of hpspace.run.executors.base.Executor"
            )
        return cls(pool, capacity)

    def start(self, domain: Any) -> None:
        """Take the objective; see `Executor.start`."""
        self._mailbox = Mailbox()
        self._futures = {}
        self._late = LateWords(self._name)
        self._task = self._local_task(domain) if self.interactive else self._remote_task(domain)

    def _local_task(self, domain: Any) -> Callable[[Job], Any]:
        mailbox = self._mailbox

        def evaluate(job: Job) -> Event:
            return evaluated(domain, job, RemoteCtrl(mailbox.asking(job.tid), job))

        return lambda job: self._pool.submit(evaluate, job)

    def _remote_task(self, domain: Any) -> Callable[[Job], Any]:
        blob, name = pickled_domain(domain), uuid.uuid4().hex
        return lambda job: self._pool.submit(run_task, name, blob, dumps(job))

    def submit(self, job: Job) -> None:
        """Give a trial to the pool; see `Executor.submit`.

        Raises
        ------
        ExecutorError
            If the pool takes nothing any more.
        """
        try:
            future = self._task(job)
        except Exception as error:
            raise ExecutorError(
                f"{self._name} takes no trials any more ({type(error).__name__}: {text_of(error)}); "
                "make a new pool and call fmin again with the same trials, or use n_jobs, which replaces what dies"
            ) from error
        self._futures[job.tid] = future
        mailbox = self._mailbox
        future.add_done_callback(lambda ended: mailbox.put(_Ended(job.tid, ended)))

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Wait for events; see `Executor.wait`."""
        if timeout is None and not self._futures:
            return []
        events: list[Event] = []
        for event in self._mailbox.take(timeout):
            if not isinstance(event, _Ended):
                events.append(event)
            elif self._futures.pop(event.tid, None) is not None:
                events += self._read(event)
        return events

    def _read(self, ended: _Ended) -> list[Event]:
        """Return the events that a task's end stands for."""
        try:
            outcome = ended.future.result()
        except Exception as error:  # noqa: BLE001 - every engine has its own words for what it lost
            return [Died(ended.tid, None, f"the pool lost it: {type(error).__name__}: {text_of(error)}")]
        if isinstance(outcome, Event):
            return [outcome]
        return self._late.heard(read_answer(outcome))

    def cancel(self, tid: Any) -> bool:
        """Take a trial back that no worker has begun; a running one runs on."""
        future = self._futures.get(tid)
        if future is None or not future.cancel():
            return False
        del self._futures[tid]
        return True

    def close(self, kill: bool = False) -> None:
        """Take back what has not begun, and wait for the rest unless `kill`; the pool itself stays open."""
        self._mailbox.shut()
        running = {tid: future for tid, future in self._futures.items() if not future.cancel()}
        self._futures = {}
        while running and not kill:
            for event in self._mailbox.take(None):
                if isinstance(event, _Ended):
                    running.pop(event.tid, None)


def _not_started(job: Job) -> Any:
    raise RuntimeError("start was not called")


def _workers_of(pool: Any) -> int:
    """Return how many tasks a pool works on at a time, as far as it says."""
    for name in ("_max_workers", "max_workers", "num_workers"):
        number = getattr(pool, name, None)
        if isinstance(number, int) and number > 0:
            return number
    return usable_cpus()
