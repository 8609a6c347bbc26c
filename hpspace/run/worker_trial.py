"""One trial in a worker: evaluated in its executor until it ends or has to be let go, then stored as it ended.

Signals raise nothing into an objective: they have set a number, and here is where a worker looks at it while it waits.
Used by `hpspace.run.worker` only.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hpspace.exceptions import ExecutorError, InvalidResult
from hpspace.run import turn
from hpspace.run.claimed import ClaimedTrials
from hpspace.run.ctrl import Ctrl
from hpspace.run.direction import stored
from hpspace.run.executors.base import Called, Died, Event, Executor, Finished, Job, Raised, TimedOut, answer
from hpspace.run.orders import Settings, Stop
from hpspace.trials.document import spec_from_misc
from hpspace.trials.fidelity import resource_of

logger = logging.getLogger(__name__)

#: Seconds between two looks at signals and claims while an objective computes.
LOOK = 0.25


def evaluated(
    executor: Executor, job: Job, ctrl: Ctrl, settings: Settings, stop: Stop, is_held: Callable[[], bool]
) -> Event | None:
    """Evaluate a trial.

    Parameters
    ----------
    executor : Executor
        Where.
    job : Job
        The trial.
    ctrl : Ctrl
        What answers the objective's questions.
    settings : Settings
        Of the worker.
    stop : Stop
        Whether the worker is told to stop.
    is_held : callable
        Whether the trial is still this worker's.

    Returns
    -------
    Event or None
        How it ended; None if the worker had to let go of it.
    """
    if hasattr(executor, "answering"):  # it evaluates in `wait`: questions cannot be events
        executor.answering = functools.partial(answer, ctrl=ctrl)
    try:
        executor.submit(job)
        return _end_of(executor, job, ctrl, settings.drain_timeout, stop, is_held)
    except ExecutorError as error:
        return Died(job.tid, None, str(error))


def _end_of(
    executor: Executor, job: Job, ctrl: Ctrl, drain: float, stop: Stop, is_held: Callable[[], bool]
) -> Event | None:
    """Answer what the objective asks until it ends; None if the worker had to let go of the trial."""
    told = False
    while True:
        patience = stop.patience(drain)
        if stop.asked == 1 and not told:
            told = True
            logger.info(
                "told to stop: trial %d has %.0f s to end; told again, it is handed back at once",
                job.tid,
                max(0.0, patience),
                extra={"action": "draining", "tid": job.tid},
            )
        for event in executor.wait(max(0.0, min(LOOK, patience))):
            if isinstance(event, Called):
                answer(event, ctrl)
            else:
                return event
        if not is_held() or patience <= 0:
            executor.cancel(job.tid)
            return None


def job_of(trial: dict[str, Any], trials: ClaimedTrials, folder: Path | None, timeout: float | None) -> Job:
    """Return what an executor is given of a trial."""
    misc = copy.deepcopy(trial["misc"])
    place = None if folder is None else str(folder.absolute())
    facts = {"direction": trials.direction, "resource": resource_of(trial), "folder": place}
    return Job(trial["tid"], spec_from_misc(misc), misc, timeout, **facts)


@contextlib.contextmanager
def own_folder(workdir: Path | None, trial: dict[str, Any]) -> Iterator[Path | None]:
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


def store_end(trials: ClaimedTrials, trial: dict[str, Any], event: Event) -> bool:
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


def hand_back(trials: ClaimedTrials, trial: dict[str, Any]) -> None:
    """Put a trial that the worker had to let go of back into the queue, at no cost."""
    if trials.hand_back(trial, counted=False):
        logger.warning(
            "trial %d was handed back",
            trial["tid"],
            extra={"action": "handed_back", "tid": trial["tid"]},
        )


def tell(trial: dict[str, Any], event: Event, attempt: int, seconds: float) -> None:
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
