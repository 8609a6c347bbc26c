"""The program of a worker: take a queued trial, evaluate it, store how it ended; for any store that processes share.

One trial's way through here::

    reserve ──► evaluate in a child process ──► finish           the objective returned, was pruned, or raised
       ▲         │   │   └─ claim lost: kill the child, go on    somebody else has the trial by now
       │         │   └───── child died: back into the queue,     or ERROR "ProcessDied" at the last attempt
       └─ wait   └───────── told to stop: hand it back           the attempt is not counted

The worker itself runs no user code: a child process does, so that a crash, a leak or a loop in C costs a trial and not
the worker, and the worker's heartbeat goes on while the objective computes. Signals only set a number that the loop
looks at; nothing is ever raised into an objective. What is evaluated is the business of `worker_objectives`, how a
trial comes to its end that of `worker_trial`.

Stopping: the first SIGTERM, SIGINT or SIGHUP lets the current trial finish within `drain_timeout` seconds, a second one
hands it back at once; SIGUSR1 stops after the current trial however long it takes. A store that does not answer holds
nobody up: some seconds later the worker leaves without it, and its trial is another's when the lease ends. Until it is
told to stop, a worker waits: for trials, for a server that is away, for room on a full disk; and keeps its result.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from typing import Any

from hpspace.run.claimed import NO_ROOM, ClaimedTrials, Patience
from hpspace.run.ctrl import Ctrl
from hpspace.run.elsewhere import STOP_ASKED
from hpspace.run.executors.base import Died, Event, Raised
from hpspace.run.orders import Done, Limits, Settings, Stop
from hpspace.run.worker_objectives import Objective, Objectives
from hpspace.run.worker_trial import LOOK, evaluated, hand_back, job_of, own_folder, store_end, tell
from hpspace.trials.shared.contract import Claim, Store
from hpspace.trials.shared.keeper import Keeper

logger = logging.getLogger(__name__)

#: Seconds between two looks whether an idle worker is told to stop.
IDLE_LOOK = 1.0


class Worker:
    """Evaluates the trials of a store until told to stop.

    Parameters
    ----------
    store : Store
        Where the trials are.
    settings : Settings
        How to work.
    limits : Limits
        When to stop by itself.
    stop : Stop, optional
        Through which it is told to stop.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings | None = None,
        limits: Limits | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.limits = limits or Limits()
        self.stop = Stop() if stop is None else stop  # one that says nothing yet is false
        self.done = Done()
        self._store = store
        self._keeper = Keeper(
            store,
            self.settings.exp_key,
            self.settings.lease,
            self.settings.max_attempts,
            owner=self.settings.owner,
            role="worker",
        )
        self._keeper.facts["python"] = platform.python_version()
        self._objectives = Objectives(store, self._keeper, self.settings)
        self._patience = Patience()
        self._ended = threading.Event()
        self._start = self._idle_since = time.monotonic()

    # ---------------------------------------------------------------- the loop

    def run(self) -> Done:
        """Work until told to stop or at a limit.

        Returns
        -------
        Done
        """
        self._start = self._idle_since = time.monotonic()
        with self._leaving_in_time(), self._keeper.alive():
            try:
                while not self._over():
                    if not self._take_one():
                        self._store.wait(self._nap())
            finally:
                self._objectives.close()
        logger.info("the worker stops: %s", self.done.reason, extra={"action": "worker_stop"})
        return self.done

    @contextlib.contextmanager
    def _leaving_in_time(self) -> Iterator[None]:
        """Close the store within, should it hold up a worker that is told to stop: what waits for it then raises."""

        def watch() -> None:
            while not self._ended.wait(LOOK):
                if self._is_overdue():
                    logger.warning(
                        "the store does not answer; the worker leaves without it, and its trial is evaluated again "
                        "when the lease has ended",
                        extra={"action": "left_without_store"},
                    )
                    break
            while not self._ended.is_set():  # on its way out it may turn to the store again
                self._store.close()
                self._ended.wait(LOOK)

        self._ended.clear()
        watcher = threading.Thread(target=watch, name="hpspace-leaving", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._ended.set()
            watcher.join()

    def _is_overdue(self) -> bool:
        return self.stop.overdue(self.settings.drain_timeout)

    def _over(self) -> bool:
        """Whether to stop; the reason is noted."""
        now, limits = time.monotonic(), self.limits
        reasons = {
            "it was told to": bool(self.stop),
            "its supervisor has ended": self.settings.parent not in (None, os.getppid()),
            f"it has evaluated {limits.jobs} trials": _reached(self.done.ended, limits.jobs),
            f"nothing to do for {limits.idle} s": _reached(now - self._idle_since, limits.idle),
            f"no trial is begun after {limits.last_start} s": _reached(now - self._start, limits.last_start),
            f"{limits.failures} trials in a row have failed": _reached(self.done.failures, limits.failures),
            f"the store holds {limits.in_store} trials": limits.in_store is not None
            and sum(self._store.counts(None).values()) >= limits.in_store,
        }
        self.done.reason = next((reason for reason, holds in reasons.items() if holds), "")
        return bool(self.done.reason)

    def _nap(self) -> float:
        """Return how long to wait for a trial, in seconds; a signal is noticed afterwards."""
        left = [self.settings.poll_interval, IDLE_LOOK]
        if self.limits.idle is not None:
            left.append(self._idle_since + self.limits.idle - time.monotonic())
        return max(0.0, min(left))

    def _take_one(self) -> bool:
        """Evaluate one trial; False if there is none for this worker."""
        try:
            claim = self._patience.repeat(self._next_claim, self._over)
        except NO_ROOM:  # still none when it was time to stop
            return False
        if claim is None:
            return False
        exp_key = claim.doc["exp_key"]
        trials = ClaimedTrials(self._store, exp_key, self._keeper, self._patience, self._is_overdue)
        trial = trials.document(claim.tid)
        objective = self._objectives.get(exp_key, trials)
        if objective is None:
            trials.hand_back(trial, counted=False)
            return False
        self._evaluate(objective, trial, claim.attempt)
        self._idle_since = time.monotonic()
        return True

    def _next_claim(self) -> Claim | None:
        """Claim the first trial whose objective is not left alone."""
        keys = self._objectives.to_serve()
        return next(filter(None, (self._keeper.claim(exp_key=key) for key in keys)), None)

    # ---------------------------------------------------------------- one trial

    def _evaluate(self, objective: Objective, trial: dict[str, Any], attempt: int) -> None:
        """Evaluate a claimed trial and store how it ended."""
        began = time.monotonic()
        trials, settings = objective.trials, self.settings
        on_stop = functools.partial(self._stop_search, trial["exp_key"])
        ctrl = Ctrl(trials, trial, pruner=objective.pruner, on_stop=on_stop)
        with own_folder(settings.workdir, trial) as folder:
            job = job_of(trial, trials, folder, settings.trial_timeout)
            event = evaluated(
                objective.executor,
                job,
                ctrl,
                settings,
                self.stop,
                lambda: self._keeper.held(trial["tid"]) is not None,
            )
            self._conclude(objective, trial, event, attempt)
        if event is not None:
            tell(trial, event, attempt, time.monotonic() - began)

    def _conclude(
        self, objective: Objective, trial: dict[str, Any], event: Event | None, attempt: int
    ) -> None:
        """Store what an event says of its trial."""
        trials = objective.trials
        if event is None:
            hand_back(trials, trial)
            return
        if isinstance(event, Raised) and not objective.has_loaded:
            trials.hand_back(trial, counted=False)
            self._objectives.leave_alone(trial["exp_key"], f"its objective cannot be loaded: {event.message}")
            return
        self._objectives.note_loaded(trial["exp_key"], objective)
        if isinstance(event, Died) and attempt < self.settings.max_attempts:
            trials.hand_back(trial, counted=True)
            return
        self.done.error = event.error if isinstance(event, Raised) and not event.pruned else None
        failed = not store_end(trials, trial, event)
        self.done.ended += 1
        self.done.failures = self.done.failures + 1 if failed else 0

    def _stop_search(self, exp_key: str | None) -> None:
        """Tell drivers that an objective wants the search to end."""
        self._store.update_meta(exp_key, {STOP_ASKED: time.time()})


def _reached(value: float, limit: float | None) -> bool:
    return limit is not None and value >= limit
