"""Evaluation by an executor, several trials at a time, while the algorithm goes on proposing.

The one evaluator in which things happen in an order that nobody chooses. So each step is made to be safe against an
interrupt right behind it: a trial is noted as under way before it is claimed, an event is dropped only after it was
dealt with, and `Parallel.close` can say of every trial that is noted whether it has ended or is to be evaluated again.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from typing import Any

from hpspace.exceptions import AllTrialsFailed, InvalidResult
from hpspace.run import turn
from hpspace.run.direction import direction_of, stored
from hpspace.run.evaluators import Run
from hpspace.run.executors.base import Called, Died, Event, Executor, Finished, Job, Raised, TimedOut, answer
from hpspace.trials.document import JOB_STATE_RUNNING, spec_from_misc

#: A run whose first trials all end with their process is given up after so many.
HOPELESS = 10


@dataclass(frozen=True)
class _UnderWay:
    """A trial that an executor has."""

    trial: dict[str, Any]
    ctrl: Any


class Parallel:
    """Evaluates by an executor, several trials at a time; the algorithm knows those under way as pending.

    While all places are taken, the next trials (`max_queue_len` of them) are proposed already and wait, so that a
    place that becomes free is taken at once. With one place only nothing is proposed ahead: the run is the same as in
    this thread.

    Parameters
    ----------
    run : Run
        The loop.
    executor : Executor
        Who evaluates.
    trial_timeout : float or None
        Seconds for one trial.
    """

    def __init__(self, run: Run, executor: Executor, trial_timeout: float | None = None) -> None:
        self._run = run
        self._executor = executor
        self._timeout = trial_timeout
        self._under_way: dict[Any, _UnderWay] = {}
        self._events: deque[Event] = deque()
        self._is_open = self._left_alone = False
        self._deaths: int | None = (
            0  # trials that ended with their process; None once one has ended otherwise
        )

    def open(self) -> None:
        """Start the executor with the objective."""
        if not self._is_open:
            self._executor.start(self._run.domain)
            self._is_open = True

    def room(self) -> int:
        """Return how many trials to ask for: some whenever none is waiting."""
        alone = self._executor.capacity == 1 and bool(self._under_way)
        return 0 if alone or turn.queued(self._run.trials) else self._run.max_queue_len

    def busy(self) -> bool:
        """Whether trials are queued or under way."""
        return bool(self._under_way or turn.queued(self._run.trials))

    def turn(self, more: bool = False) -> None:
        """Give queued trials to the executor, and take what has happened."""
        for trial in turn.queued(self._run.trials):
            if len(self._under_way) >= self._executor.capacity:
                break
            self._begin(trial)
        self._take(0.0 if more and self.room() > 0 else self._patience())

    def _begin(self, trial: dict[str, Any]) -> None:
        """Give a trial to the executor, unless somebody else was faster."""
        self._under_way[trial["tid"]] = _UnderWay(trial, self._run.ctrl_of(trial))  # first: see `_put_aside`
        if not turn.claim(self._run.trials, trial):
            self._forget(trial)
            return
        kept = {} if self._executor.interactive else dict(self._run.trials.trial_attachments(trial))
        misc = copy.deepcopy(trial["misc"])
        ctrl = self._under_way[trial["tid"]].ctrl
        facts = {"direction": ctrl.direction, "resource": ctrl.resource}
        self._executor.submit(Job(trial["tid"], spec_from_misc(misc), misc, self._timeout, kept, **facts))

    def _patience(self) -> float:
        """Return how long to wait for events, in seconds: now and then the loop looks at its limits."""
        return max(0.0, min(self._run.poll_interval_secs, self._run.seconds_left()))

    def _take(self, timeout: float) -> None:
        """Wait for events and deal with all of them, then let an exception of an objective take its course."""
        if not self._under_way:
            return
        self._events.extend(self._executor.wait(timeout))
        errors = []
        while self._events:
            under_way = self._under_way.get(self._events[0].tid)
            if under_way is not None:
                errors.append(self._deal_with(self._events[0], under_way))
            self._events.popleft()
        for error in errors:
            if error is not None:
                self._run.failed(error)

    def _deal_with(self, event: Event, under_way: _UnderWay) -> Exception | None:
        """Answer a question, or store how a trial ended; return what its objective raised."""
        if isinstance(event, Called):
            answer(event, under_way.ctrl)
            return None
        error = self._conclude(event, under_way.trial)
        self._forget(under_way.trial)
        self._run.ended(under_way.trial)
        self._count_deaths(event)
        return error

    def _conclude(self, event: Event, trial: dict[str, Any]) -> Exception | None:
        """Store how a trial ended, unless that was done just before an interrupt; return what its objective raised."""
        trials = self._run.trials
        if trial["state"] != JOB_STATE_RUNNING:
            return None
        if isinstance(event, Finished):
            return self._finish(event, trial)
        if isinstance(event, Raised) and event.pruned:
            turn.prune(trials, trial, event.message)
        elif isinstance(event, Raised):
            turn.fail(trials, trial, event.kind, event.message, event.traceback)
            return event.error
        elif isinstance(event, Died):
            turn.fail(trials, trial, "ProcessDied", event.reason)
        elif isinstance(event, TimedOut):
            turn.fail(trials, trial, "TrialTimeout", f"no result after {event.seconds} s")
        return None

    def _finish(self, event: Finished, trial: dict[str, Any]) -> Exception | None:
        trials = self._run.trials
        try:
            kept = stored(event.result, direction_of(trials), trial["tid"])
        except InvalidResult as error:
            turn.fail(trials, trial, str(type(error)), str(error))
            return error
        turn.finish(trials, trial, kept)
        return None

    def _forget(self, trial: dict[str, Any]) -> None:
        self._under_way.pop(trial["tid"], None)
        turn.let_go(self._run.trials, trial)

    def _count_deaths(self, event: Event) -> None:
        """Give up when the first trials of a run have all ended with their process."""
        if self._deaths is None:
            return
        self._deaths = self._deaths + 1 if isinstance(event, Died) else None
        if self._deaths is not None and self._deaths >= HOPELESS:
            assert isinstance(event, Died)
            raise AllTrialsFailed(
                f"each of the first {self._deaths} trials of this run ended with its process: {event.reason}"
            )

    def drain(self) -> None:
        """Wait for what is under way; at the run's timeout stop it, or leave it alone if it cannot be stopped."""
        while self._under_way and self._run.seconds_left() > 0:
            self._take(self._patience())
        self._take(0.0)
        for under_way in list(self._under_way.values()):
            stopped = self._executor.cancel(under_way.trial["tid"])
            self._left_alone |= not stopped
            turn.interrupt(self._run.trials, under_way.trial, again=False)
            self._forget(under_way.trial)

    def close(self, kill: bool = False) -> None:
        """Let the executor go; with `kill` keep what has ended already, and put the rest aside for the next run."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            if kill and self._under_way:
                self._events.extend(self._executor.wait(0.0))
        finally:
            self._executor.close(kill=kill or self._left_alone)
            self._put_aside()

    def _put_aside(self) -> None:
        """Store what events say that nobody has dealt with, and interrupt all other trials that are under way."""
        try:
            for event in self._events:
                if event.tid in self._under_way:
                    self._conclude(event, self._under_way[event.tid].trial)
            for under_way in self._under_way.values():
                turn.interrupt(self._run.trials, under_way.trial, again=True)
        finally:
            self._events.clear()
            for under_way in list(self._under_way.values()):
                self._forget(under_way.trial)
