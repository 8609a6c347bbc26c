"""Evaluation in child processes of this one: the default for more than one job at a time, and what a worker uses.

Children are started when jobs need them, and kept: the objective travels once to each. A child that dies costs the
job it had, which is reported with the cause, and a new child takes its place. A job that exceeds its timeout is
stopped by killing its child, so a loop in C or an endless ``while True`` ends like anything else.

There is no thread and no polling: `ProcessExecutor.wait` sleeps until a connection, a death or a deadline wakes it.
Jobs are only handed out in `submit` and `wait`, which the driver's thread calls.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import time
from collections import deque
from collections.abc import Mapping
from multiprocessing import connection as mpc
from typing import Any

from hpspace.exceptions import ExecutorError
from hpspace.run.executors.base import Called, Died, Event, Job, TimedOut, number_of_jobs, usable_cpus
from hpspace.run.executors.pickling import pickled_domain
from hpspace.run.executors.spawn import GRACE, THREAD_VARIABLES, Child, cause_of
from hpspace.run.executors.wire import decoded, dumps, loads

#: Seconds that a child which closed its connection has until it is killed; usually it is about to end by itself.
_LAST_BREATH = 1.0


class ProcessExecutor:
    """Evaluates in child processes.

    Parameters
    ----------
    capacity : int
        How many children; -1 is one for each CPU.
    fresh : bool
        A new process for every trial, for objectives that leave something behind (memory, threads, a GPU context).
        Starting one takes a fraction of a second, and the imports of the objective.
    env : mapping or None
        Environment variables of the children, on top of this process's. With more than one child the numerical
        libraries are told to use no more threads than there are CPUs for each, unless one of `THREAD_VARIABLES`
        is set here or in the environment.
    cwd : str or None
        Working directory of the children; None is this process's at the time they are started.
    shielded : tuple of str
        Names of signals that children take no notice of; the driver decides.

    Attributes
    ----------
    can_kill : bool
        True.
    interactive : bool
        True.
    """

    can_kill = True
    interactive = True

    def __init__(
        self,
        capacity: int,
        *,
        fresh: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        shielded: tuple[str, ...] = ("SIGINT",),
    ) -> None:
        self.capacity = number_of_jobs(capacity, "ProcessExecutor: capacity")
        self._greeting = {"once": fresh, "shielded": shielded}
        self._env = {**_thread_limits(self.capacity, env or {}), **(env or {})}
        self._cwd = cwd
        self._blob = b""
        self._children: list[Child] = []
        self._queue: deque[Job] = deque()
        self._events: list[Event] = []
        self._proven = False  # a child has loaded the domain at least once

    # ---------------------------------------------------------------- the driver's side

    def start(self, domain: Any) -> None:
        """Pickle the objective; see `Executor.start`."""
        self.start_pickled(pickled_domain(domain))

    def start_pickled(self, blob: bytes) -> None:
        """Do what `start` does with a domain that is pickled already.

        Parameters
        ----------
        blob : bytes
            As `cloudpickle.dumps(domain)` makes it. It is not read in this process.
        """
        self.close(kill=True)
        self._blob = blob
        self._proven = False

    def submit(self, job: Job) -> None:
        """Hand a job to an idle child, or queue it; see `Executor.submit`."""
        self._queue.append(job)
        self._hand_out()

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Wait for events; see `Executor.wait`.

        Raises
        ------
        ExecutorError
            If no child can be started at all.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            self._listen(end)
            self._enforce_deadlines()
            self._hand_out()
            if self._events or time.monotonic() >= end or (timeout is None and not self._under_way()):
                events, self._events = self._events, []
                return events

    def cancel(self, tid: Any) -> bool:
        """Take back a job, or stop it by killing its child; see `Executor.cancel`."""
        for job in self._queue:
            if job.tid == tid:
                self._queue.remove(job)
                return True
        for child in self._children:
            if child.job is not None and child.job.tid == tid:
                self._kill(child)
                self._events = [event for event in self._events if event.tid != tid]
                self._hand_out()
                return True
        return False

    def close(self, kill: bool = False) -> None:
        """End all children; see `Executor.close`."""
        self._queue.clear()
        for child in self._children:
            if child.ready and not kill:
                child.release()
        while self._children:  # one by one: an interrupted call can be repeated
            child = self._children[-1]
            if kill or not child.ready:
                child.kill()
            else:
                child.join(GRACE if child.job is None else None)
            self._children.pop()
        self._events.clear()

    @property
    def loaded(self) -> bool:
        """Whether a child has loaded the objective."""
        return self._proven

    # ---------------------------------------------------------------- waiting

    def _under_way(self) -> bool:
        return bool(self._queue) or any(child.job is not None for child in self._children)

    def _listen(self, end: float) -> None:
        """Hear what children say, waiting for it until `end` or the next deadline."""
        end = min([end, *(child.deadline for child in self._children)])
        if self._events or (end == math.inf and not self._under_way()):
            end = 0.0
        ends = {child.connection: child for child in self._children}
        deaths = {child.death: child for child in self._children}
        seconds = None if end == math.inf else max(0.0, end - time.monotonic())
        ready = mpc.wait([*ends, *deaths], seconds)
        dead = [deaths[item] for item in ready if item in deaths]
        for item in ready:
            if item in ends and ends[item] not in dead:
                self._hear(ends[item])
        for child in dead:
            self._end(child)

    def _hear(self, child: Child) -> None:
        message = child.receive()
        if message is None:
            self._end(child)
        else:
            self._understand(child, *message)

    def _end(self, child: Child) -> None:
        """Take leave of a child that has ended, or does not speak any more."""
        mpc.wait([child.death], _LAST_BREATH)
        for message in child.rest():
            self._understand(child, *message)
        job, code = child.take_job(), self._kill(child)
        if job is not None:
            self._events.append(Died(job.tid, code, cause_of(code)))
        elif not child.ready and not child.leaving:
            self._not_started(f"{cause_of(code)} before it was ready", code)

    def _not_started(self, reason: str, code: int) -> None:
        """Charge a child that could not be started to the job that waited for it."""
        if not self._proven:
            raise ExecutorError(
                f"the objective cannot be evaluated in a child process: {reason}; what it wrote to stderr may say why"
            )
        if self._queue:
            self._events.append(Died(self._queue.popleft().tid, code, reason))

    def _enforce_deadlines(self) -> None:
        """Kill children whose job, or end, takes too long."""
        now = time.monotonic()
        for child in [child for child in self._children if child.deadline <= now]:
            job = child.take_job()
            self._kill(child)
            if job is not None and job.timeout is not None:
                self._events.append(TimedOut(job.tid, job.timeout))

    # ---------------------------------------------------------------- what children say

    def _understand(self, child: Child, kind: str, fields: tuple[Any, ...], body: bytes) -> None:
        if kind == "ready":
            child.ready = self._proven = True
        elif kind == "called":
            self._called(child, fields[0], fields[1], body)
        elif child.ready:
            child.take_job()
            self._events.append(decoded(kind, fields, body))
            if self._greeting["once"]:
                child.leave()
        else:  # it could not load the domain
            child.leave()
            event = decoded(kind, fields, body)
            if self._queue:
                self._events.append(dataclasses.replace(event, tid=self._queue.popleft().tid))

    def _called(self, child: Child, tid: Any, name: str, body: bytes) -> None:
        reply = functools.partial(_reply, child, child.job)
        try:
            args = loads(body)
        except Exception as error:  # noqa: BLE001 - reading runs the code of whatever the user sent
            reply(error)
        else:
            self._events.append(Called(tid, name, args, reply))

    # ---------------------------------------------------------------- children

    def _hand_out(self) -> None:
        """Give queued jobs to idle children, and start children for the rest."""
        for child in self._children:
            if self._queue and child.idle:
                child.give(self._queue.popleft())
        staying = [child for child in self._children if not child.leaving]
        starting = sum(not child.ready for child in staying)
        missing = min(len(self._queue) - starting, self.capacity - len(staying))
        for _ in range(missing):
            self._spawn()

    def _spawn(self) -> None:
        try:
            child = Child(self._blob, self._greeting, self._env, self._cwd)
        except OSError as error:
            if not self._children:
                raise ExecutorError(
                    f"no process can be started to evaluate the objective: {error}"
                ) from error
            return  # those that are there do the work
        self._children.append(child)

    def _kill(self, child: Child) -> int:
        self._children.remove(child)
        return child.kill()


def _reply(child: Child, job: Job | None, value: Any) -> None:
    """Answer the question of a job, unless that is over."""
    if child.job is not job:
        return
    try:
        data = dumps(value)
    except Exception as error:  # noqa: BLE001 - objects refuse to be pickled in whatever way they like
        data = dumps(TypeError(f"the answer to ctrl cannot be sent to the child process: {error}"))
    child.send(data)


def _thread_limits(capacity: int, env: Mapping[str, str]) -> dict[str, str]:
    """Return what to tell numerical libraries, so that children do not fight for CPUs."""
    if capacity == 1 or any(name in env or name in os.environ for name in THREAD_VARIABLES):
        return {}
    return dict.fromkeys(THREAD_VARIABLES, str(max(1, usable_cpus() // capacity)))
