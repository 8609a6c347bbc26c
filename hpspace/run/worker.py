"""The program of a worker: take a queued trial, evaluate it, store how it ended; for any store that processes share.

One trial's way through here::

    reserve ──► evaluate in a child process ──► finish           the objective returned, was pruned, or raised
       ▲         │   │   └─ claim lost: kill the child, go on    somebody else has the trial by now
       │         │   └───── child died: back into the queue,     or ERROR "ProcessDied" at the last attempt
       └─ wait   └───────── told to stop: hand it back           the attempt is not counted

The worker itself runs no user code: a child process does, so that a crash, a leak or a loop in C costs a trial and not
the worker, and the worker's heartbeat goes on while the objective computes. Signals only set a number that the loop
looks at; nothing is ever raised into an objective.

Stopping: the first SIGTERM, SIGINT or SIGHUP lets the current trial finish within `drain_timeout` seconds, a second one
hands it back at once; SIGUSR1 stops after the current trial however long it takes. A store that does not answer holds
nobody up: some seconds later the worker leaves without it, and its trial is another's when the lease ends.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import math
import os
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpspace.exceptions import ExecutorError, InvalidResult, UntrustedObjective
from hpspace.run import turn
from hpspace.run.claimed import ClaimedTrials
from hpspace.run.ctrl import Ctrl
from hpspace.run.direction import stored
from hpspace.run.elsewhere import STOP_ASKED
from hpspace.run.executors.base import Called, Died, Event, Executor, Finished, Job, Raised, TimedOut, answer
from hpspace.run.orders import LAST_WORDS, Done, Limits, Settings, Stop
from hpspace.run.trust import Parcel, opened, pruner_of, shared_key
from hpspace.trials.document import spec_from_misc
from hpspace.trials.fidelity import resource_of
from hpspace.trials.shared.contract import Claim, Store
from hpspace.trials.shared.keeper import Keeper

logger = logging.getLogger(__name__)

#: Seconds for which an objective that could not be loaded is left alone.
LEFT_ALONE = 60.0

#: Seconds between two looks at signals and claims while an objective computes.
LOOK = 0.25

#: Seconds between two looks whether an idle worker is told to stop.
IDLE_LOOK = 1.0

#: Seconds for which the list of experiments is believed, while some of them are left alone.
LIST_HOLDS = 5.0

#: Signals that children take no notice of: this process decides.
SHIELDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


@dataclass
class _Objective:
    """The objective of an experiment, ready to evaluate."""

    sha: str
    trials: ClaimedTrials
    executor: Executor
    pruner: Any = None
    loaded: bool = False


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
        self._objectives: dict[str | None, _Objective] = {}
        self._left_alone: dict[str | None, float] = {}  # experiment to the end of its being left alone
        self._listed: tuple[float, list[str]] = (-math.inf, [])  # when the experiments were listed, and they
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
                for objective in self._objectives.values():
                    objective.executor.close(kill=True)
        logger.info("the worker stops: %s", self.done.reason, extra={"action": "worker_stop"})
        return self.done

    @contextlib.contextmanager
    def _leaving_in_time(self) -> Iterator[None]:
        """Close the store within, should it hold up a worker that is told to stop: what waits for it then raises."""

        def watch() -> None:
            while not self._ended.wait(LOOK):
                if self.stop.overdue(self.settings.drain_timeout):
                    logger.warning(
                        "the store does not answer; the worker leaves without it, and its trial is evaluated again "
                        "when the lease has ended",
                        extra={"action": "left_without_store"},
                    )
                    self._store.close()
                    self._ended.wait(LAST_WORDS)

        self._ended.clear()
        watcher = threading.Thread(target=watch, name="hpspace-leaving", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._ended.set()
            watcher.join()

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
        claim = self._next_claim()
        if claim is None:
            return False
        exp_key = claim.doc["exp_key"]
        trials = ClaimedTrials(self._store, exp_key, self._keeper)
        trial = trials.document(claim.tid)
        objective = self._objective(exp_key, trials)
        if objective is None:
            trials.hand_back(trial, counted=False)
            return False
        self._evaluate(objective, trial, claim.attempt)
        self._idle_since = time.monotonic()
        return True

    def _next_claim(self) -> Claim | None:
        """Claim the first trial whose objective is not left alone."""
        now = time.monotonic()
        self._left_alone = {key: end for key, end in self._left_alone.items() if end > now}
        if not self._left_alone:
            return self._keeper.claim()
        if self.settings.exp_key is not None:
            return None
        if now - self._listed[0] > LIST_HOLDS:
            keys = [experiment.exp_key for experiment in self._store.experiments()]
            self._listed = now, [key for key in keys if key is not None]
        others = [key for key in self._listed[1] if key not in self._left_alone]
        return next(filter(None, (self._keeper.claim(exp_key=key) for key in others)), None)

    # ---------------------------------------------------------------- objectives

    def _objective(self, exp_key: str | None, trials: ClaimedTrials) -> _Objective | None:
        """Return the objective of an experiment, None if it cannot be had now."""
        try:
            sha, blob, signature = self._store.domain(exp_key)
        except KeyError:
            self._leave_alone(exp_key, "no driver has published an objective for it yet")
            return None
        known = self._objectives.get(exp_key)
        if known is not None and known.sha == sha:
            known.trials = trials
            return known
        try:
            parcel = self.settings.parcel or self._parcel(blob, signature)
            pruner = pruner_of(parcel)
        except Exception as error:  # noqa: BLE001 - it is read from a pickle, which may raise anything
            self._leave_alone(exp_key, str(error) or type(error).__name__)
            return None
        if known is not None:
            known.executor.close(kill=True)
        made = _Objective(sha, trials, self._executor(parcel), pruner)
        self._objectives[exp_key] = made
        return made

    def _parcel(self, blob: bytes | None, signature: str | None) -> Parcel:
        if blob is None:
            raise UntrustedObjective(
                "its driver evaluates the trials itself and has sent no objective: "
                "open the trials with workers=1 (or asynchronous=True) there"
            )
        return opened(blob, signature, shared_key())

    def _executor(self, parcel: Parcel) -> Executor:
        if not self.settings.subprocess:
            from hpspace.run.executors.here import HereExecutor

            return HereExecutor(parcel.domain)
        from hpspace.run.executors.processes import ProcessExecutor

        executor = ProcessExecutor(1, fresh=self.settings.fresh, shielded=SHIELDED)
        executor.start_pickled(parcel.domain)
        return executor

    def _leave_alone(self, exp_key: str | None, reason: str) -> None:
        """Say why an experiment cannot be served, to this log and to its driver, and leave it for a while."""
        logger.error(
            "experiment %s is left alone for %d s: %s",
            exp_key,
            LEFT_ALONE,
            reason,
            extra={"action": "cannot_load", "exp_key": exp_key},
        )
        self._left_alone[exp_key] = time.monotonic() + LEFT_ALONE
        self._keeper.tell(cannot_load={**self._keeper.facts.get("cannot_load", {}), str(exp_key): reason})
        known = self._objectives.pop(exp_key, None)
        if known is not None:
            known.executor.close(kill=True)

    # ---------------------------------------------------------------- one trial

    def _evaluate(self, objective: _Objective, trial: dict[str, Any], attempt: int) -> None:
        """Evaluate a claimed trial and store how it ended."""
        began = time.monotonic()
        ctrl = Ctrl(
            objective.trials,
            trial,
            pruner=objective.pruner,
            on_stop=functools.partial(self._stop_search, trial["exp_key"]),
        )
        if hasattr(objective.executor, "answering"):  # it evaluates in `wait`: questions cannot be events
            objective.executor.answering = functools.partial(answer, ctrl=ctrl)
        with _own_folder(self.settings.workdir, trial) as folder:
            try:
                objective.executor.submit(self._job(trial, objective.trials, folder))
                event = self._end_of(objective, trial, ctrl)
            except ExecutorError as error:
                event = Died(trial["tid"], None, str(error))
            self._conclude(objective, trial, event, attempt)
        if event is not None:
            self._tell(trial, event, attempt, time.monotonic() - began)

    def _job(self, trial: dict[str, Any], trials: ClaimedTrials, folder: Path | None) -> Job:
        misc = copy.deepcopy(trial["misc"])
        place = None if folder is None else str(folder.absolute())
        facts = {"direction": trials.direction, "resource": resource_of(trial), "folder": place}
        return Job(trial["tid"], spec_from_misc(misc), misc, self.settings.trial_timeout, **facts)

    def _end_of(self, objective: _Objective, trial: dict[str, Any], ctrl: Ctrl) -> Event | None:
        """Answer what the objective asks until it ends; None if the worker had to let go of the trial."""
        while True:
            patience = self.stop.patience(self.settings.drain_timeout)
            for event in objective.executor.wait(max(0.0, min(LOOK, patience))):
                if isinstance(event, Called):
                    answer(event, ctrl)
                else:
                    return event
            lost = self._keeper.held(trial["tid"]) is None
            if lost or patience <= 0:
                objective.executor.cancel(trial["tid"])
                return None

    def _conclude(
        self, objective: _Objective, trial: dict[str, Any], event: Event | None, attempt: int
    ) -> None:
        """Store what an event says of its trial."""
        trials = objective.trials
        if event is None:
            if trials.hand_back(trial, counted=False):
                logger.warning(
                    "trial %d was handed back",
                    trial["tid"],
                    extra={"action": "handed_back", "tid": trial["tid"]},
                )
            return
        if isinstance(event, Raised) and not objective.loaded and not _has_loaded(objective.executor):
            trials.hand_back(trial, counted=False)
            self._leave_alone(trial["exp_key"], f"its objective cannot be loaded: {event.message}")
            return
        self._note_loaded(objective, trial["exp_key"])
        if isinstance(event, Died) and attempt < self.settings.max_attempts:
            trials.hand_back(trial, counted=True)
            return
        self.done.error = event.error if isinstance(event, Raised) and not event.pruned else None
        failed = not _stored_end(trials, trial, event)
        self.done.ended += 1
        self.done.failures = self.done.failures + 1 if failed else 0

    def _note_loaded(self, objective: _Objective, exp_key: str | None) -> None:
        """Take back what was said of an objective that could not be loaded before."""
        objective.loaded = True
        missing = self._keeper.facts.get("cannot_load", {})
        if missing.pop(str(exp_key), None) is not None:
            self._keeper.tell(cannot_load=missing)

    def _stop_search(self, exp_key: str | None) -> None:
        """Tell drivers that an objective wants the search to end."""
        self._store.update_meta(exp_key, {STOP_ASKED: time.time()})

    def _tell(self, trial: dict[str, Any], event: Event, attempt: int, seconds: float) -> None:
        """Write the one line of a trial."""
        outcome = type(event).__name__.lower()
        what = getattr(event, "result", None) or {}
        said = what.get("loss", what.get("status")) if what else getattr(event, "message", None)
        logger.info(
            "trial=%d exp_key=%s outcome=%s attempt=%d seconds=%.3f loss=%s",
            trial["tid"],
            trial["exp_key"],
            outcome,
            attempt,
            seconds,
            said if said is not None else getattr(event, "reason", ""),
            extra={
                "action": "trial_ended",
                "tid": trial["tid"],
                "exp_key": trial["exp_key"],
                "outcome": outcome,
                "attempt": attempt,
                "seconds": round(seconds, 3),
            },
        )


def _stored_end(trials: ClaimedTrials, trial: dict[str, Any], event: Event) -> bool:
    """Store how a trial ended; return whether that was with a result."""
    if isinstance(event, Finished):
        try:
            result = stored(event.result, trials.direction, trial["tid"])
        except InvalidResult as error:
            turn.fail(trials, trial, str(type(error)), str(error))
            return False
        turn.finish(trials, trial, result)
        return True
    if isinstance(event, Raised) and event.pruned:
        turn.prune(trials, trial, event.message)
        return True
    if isinstance(event, Raised):
        turn.fail(trials, trial, event.kind, event.message, event.traceback)
    elif isinstance(event, Died):
        turn.fail(trials, trial, "ProcessDied", event.reason)
    elif isinstance(event, TimedOut):
        turn.fail(trials, trial, "TrialTimeout", f"no result after {event.seconds} s")
    return False


def _reached(value: float, limit: float | None) -> bool:
    return limit is not None and value >= limit


def _has_loaded(executor: Executor) -> bool:
    """Whether the objective was loaded at least once where it is evaluated."""
    return bool(getattr(executor, "loaded", True))


@contextlib.contextmanager
def _own_folder(workdir: Path | None, trial: dict[str, Any]) -> Iterator[Path | None]:
    """Give a trial a folder of its own, which goes afterwards if nothing was left in it."""
    wanted = trial["misc"].get("workdir") if workdir is None else workdir
    if wanted is None:
        yield None
        return
    folder = Path(wanted) / str(trial["tid"])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()
