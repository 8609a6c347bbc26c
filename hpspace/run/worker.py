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
hands it back at once; SIGUSR1 stops after the current trial however long it takes.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import signal
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
from hpspace.run.trust import Parcel, opened, pruner_of, shared_key
from hpspace.trials.document import spec_from_misc
from hpspace.trials.fidelity import resource_of
from hpspace.trials.shared.contract import LEASE, MAX_ATTEMPTS, Claim, Store
from hpspace.trials.shared.keeper import Keeper

logger = logging.getLogger(__name__)

#: Seconds for which an objective that could not be loaded is left alone.
LEFT_ALONE = 60.0

#: Seconds between two looks at signals and claims while an objective computes.
LOOK = 0.25

#: Signals that children take no notice of: this process decides.
SHIELDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


@dataclass(frozen=True)
class Limits:
    """When a worker stops by itself; by default never.

    Parameters
    ----------
    jobs : int or None
        Trials to evaluate.
    idle : float or None
        Seconds without a trial.
    last_start : float or None
        Seconds after the worker's start from which no trial is begun.
    failures : int or None
        Trials in a row that ended in an error.
    in_store : int or None
        Trials that the store holds.
    """

    jobs: int | None = None
    idle: float | None = None
    last_start: float | None = None
    failures: int | None = None
    in_store: int | None = None


@dataclass(frozen=True)
class Settings:
    """How a worker works.

    Parameters
    ----------
    exp_key : str or None
        The experiment to serve; None serves all.
    lease : float
        Seconds after which a trial is another worker's if this one is silent.
    max_attempts : int
        Claims of a trial after which it is given up.
    drain_timeout : float
        Seconds that the current trial has to finish when the worker is told to stop.
    poll_interval : float
        Seconds between two looks at the queue where the store cannot wake its workers.
    subprocess : bool
        Evaluate in a child process; False evaluates in this one, which an objective can then take down.
    fresh : bool
        A new child for every trial.
    workdir : Path or None
        Folder in which each trial gets a folder of its own to run in, removed afterwards if it is empty.
    parcel : Parcel or None
        The objective, where it is found by name and not taken from the store.
    """

    exp_key: str | None = None
    lease: float = LEASE
    max_attempts: int = MAX_ATTEMPTS
    drain_timeout: float = 25.0
    poll_interval: float = 1.0
    subprocess: bool = True
    fresh: bool = False
    workdir: Path | None = None
    parcel: Parcel | None = None


class Stop:
    """What the signals have said so far; made by the program, looked at by the loop."""

    def __init__(self) -> None:
        self.asked = 0  # times that the worker was told to stop
        self.after_this = False
        self._since = 0.0

    def ask(self) -> None:
        """Tell the worker to stop; the second time: now."""
        if not self.asked:
            self._since = time.monotonic()
        self.asked += 1

    def patience(self, seconds: float) -> float:
        """Return how many seconds the current trial still has, given how many it is granted in all."""
        if not self.asked:
            return float("inf")
        return 0.0 if self.asked > 1 else self._since + seconds - time.monotonic()

    def __bool__(self) -> bool:
        return bool(self.asked) or self.after_this


@contextlib.contextmanager
def heeding_signals(stop: Stop) -> Iterator[None]:
    """Let signals speak to a worker within; the handlers from before come back afterwards."""

    def ask(number: int, frame: Any) -> None:
        stop.ask()

    def after_this(number: int, frame: Any) -> None:
        stop.after_this = True

    handlers = {"SIGTERM": ask, "SIGINT": ask, "SIGHUP": ask, "SIGUSR1": after_this}
    known = {getattr(signal, name): handler for name, handler in handlers.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in known.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Objective:
    """The objective of an experiment, ready to evaluate."""

    sha: str
    trials: ClaimedTrials
    executor: Executor
    pruner: Any = None
    loaded: bool = False


@dataclass
class Done:
    """What a worker has done.

    Parameters
    ----------
    ended : int
        Trials that it brought to an end.
    failures : int
        Of the latest ones, how many in a row ended in an error.
    reason : str
        Why it stopped.
    """

    ended: int = 0
    failures: int = 0
    reason: str = ""


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
        self.stop = stop or Stop()
        self.done = Done()
        self._store = store
        self._keeper = Keeper(
            store, self.settings.exp_key, self.settings.lease, self.settings.max_attempts, role="worker"
        )
        self._objectives: dict[str | None, _Objective] = {}
        self._left_alone: dict[str | None, float] = {}  # experiment to the end of its being left alone
        self._start = self._idle_since = time.monotonic()

    # ---------------------------------------------------------------- the loop

    def run(self) -> Done:
        """Work until told to stop or at a limit.

        Returns
        -------
        Done
        """
        self._start = self._idle_since = time.monotonic()
        with self._keeper.alive():
            try:
                while not self._over():
                    if not self._take_one():
                        self._store.wait(self._nap())
            finally:
                for objective in self._objectives.values():
                    objective.executor.close(kill=True)
        logger.info("the worker stops: %s", self.done.reason, extra={"action": "worker_stop"})
        return self.done

    def _over(self) -> bool:
        """Whether to stop; the reason is noted."""
        now, limits = time.monotonic(), self.limits
        reasons = {
            "it was told to": bool(self.stop),
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
        left = [self.settings.poll_interval]
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
        keys = [experiment.exp_key for experiment in self._store.experiments()]
        others = [key for key in keys if key is not None and key not in self._left_alone]
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
        except (UntrustedObjective, ImportError, AttributeError) as error:
            self._leave_alone(exp_key, str(error))
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
        self._keeper.facts["cannot_load"] = {str(exp_key): reason}
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
        return Job(trial["tid"], spec_from_misc(misc), misc, **facts)

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
        objective.loaded = True
        if isinstance(event, Died) and attempt < self.settings.max_attempts:
            trials.hand_back(trial, counted=True)
            return
        failed = not _stored_end(trials, trial, event)
        self.done.ended += 1
        self.done.failures = self.done.failures + 1 if failed else 0

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
