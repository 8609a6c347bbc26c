"""What happens to one trial's document while it is evaluated here, and to those that wait.

A trial's way::

    NEW ──► RUNNING ──► DONE     the objective returned a result
                   ├──► ERROR    it raised: misc["error"] and misc["traceback"] say what
                   └──► CANCEL   it was interrupted, as from the keyboard

A trial that was interrupted from the keyboard, or was running when its process was killed, is put back into the queue
when a search goes on (`requeue_interrupted`). One that ended its process by itself (SystemExit) is not.

Each function leaves the document consistent, whatever is raised. Called by `run.loop`; refreshing the trials and
saving them is the loop's business.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from hpspace.run.clock import coarse_utcnow
from hpspace.run.ctrl import Ctrl
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    STATUS_NEW,
    spec_from_misc,
)

logger = logging.getLogger(__name__)


#: Key of a document's misc: the trial was interrupted from the keyboard and waits to be evaluated again.
INTERRUPTED = "interrupted"


def queued(trials: Any) -> list[dict[str, Any]]:
    """Return the documents in state NEW, of the trials' own experiment.

    Parameters
    ----------
    trials : Trials
        Where to look, among trials of every state.

    Returns
    -------
    list of dict
        In order of insertion.
    """
    exp_key = getattr(trials, "_exp_key", None)
    return [
        doc
        for doc in _unsettled(trials)
        if doc["state"] == JOB_STATE_NEW and (exp_key is None or doc["exp_key"] == exp_key)
    ]


def cancel_queued(trials: Any) -> int:
    """Cancel the documents in state NEW.

    Parameters
    ----------
    trials : Trials
        Whose.

    Returns
    -------
    int
        How many there were.
    """
    queue = queued(trials)
    for doc in queue:
        _move(doc, JOB_STATE_CANCEL)
    if queue:
        logger.info(
            "%d queued trials were cancelled",
            len(queue),
            extra={"action": "queue_cancelled", "n": len(queue)},
        )
    return len(queue)


def requeue_interrupted(trials: Any) -> int:
    """Put the trials back into the queue whose evaluation was cut off, so that none of a search's points is lost.

    Parameters
    ----------
    trials : Trials
        Whose, before a search in this process; workers' trials are their own business.

    Returns
    -------
    int
        How many there were.
    """
    busy = getattr(trials, "_in_hand", ())  # an objective may search with the trials that it is one of
    exp_key = getattr(trials, "_exp_key", None)
    cut_off = [
        doc
        for doc in trials._dynamic_trials
        if (doc["state"] == JOB_STATE_CANCEL and doc["misc"].get(INTERRUPTED))
        or (doc["state"] == JOB_STATE_RUNNING and doc["tid"] not in busy)
        if exp_key is None or doc["exp_key"] == exp_key
    ]
    for doc in cut_off:
        doc["misc"].pop(INTERRUPTED, None)
        doc["result"] = {"status": STATUS_NEW}
        _move(doc, JOB_STATE_NEW)
    if cut_off:
        trials.refresh()
        logger.info(
            "%d interrupted trials are evaluated again",
            len(cut_off),
            extra={"action": "requeued", "n": len(cut_off)},
        )
    return len(cut_off)


def _unsettled(trials: Any) -> list[dict[str, Any]]:
    docs: list[dict[str, Any]]
    docs = trials.unsettled() if hasattr(trials, "unsettled") else trials._dynamic_trials
    return docs


def evaluate(domain: Any, trials: Any, trial: dict[str, Any]) -> Exception | None:
    """Evaluate one trial and store in its document how it ended.

    Parameters
    ----------
    domain : Domain
        The objective.
    trials : Trials
        For the objective's Ctrl.
    trial : dict
        The document, in state NEW.

    Returns
    -------
    Exception or None
        What the objective raised.

    Raises
    ------
    BaseException
        KeyboardInterrupt and its kind propagate, after the trial was cancelled.
    """
    busy: set[Any] = getattr(trials, "_in_hand", set())
    try:
        busy.add(trial["tid"])
        _move(trial, JOB_STATE_RUNNING)
        trial["book_time"] = trial["refresh_time"]
        result = domain.evaluate(spec_from_misc(trial["misc"]), Ctrl(trials, current_trial=trial))
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises is this trial's outcome
        trial["misc"]["error"] = (str(type(error)), _text(error))
        trial["misc"]["traceback"] = traceback.format_exc()
        _move(trial, JOB_STATE_ERROR)
        kind = type(error).__name__
        logger.error(
            "trial %s raised %s: %s", trial["tid"], kind, _text(error), extra=event("trial_error", trial)
        )
        return error
    except BaseException as interrupt:
        if isinstance(interrupt, KeyboardInterrupt):
            trial["misc"][INTERRUPTED] = True
        _move(trial, JOB_STATE_CANCEL)
        logger.warning("trial %s was interrupted", trial["tid"], extra=event("trial_cancelled", trial))
        raise
    finally:
        busy.discard(trial["tid"])
    trial["result"] = result
    _move(trial, JOB_STATE_DONE)
    logger.debug(
        "trial %s finished: loss %s", trial["tid"], result.get("loss"), extra=event("trial_done", trial)
    )
    return None


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  an exception that cannot be shown is an outcome all the same
        return "(its message cannot be shown)"


def event(action: str, trial: dict[str, Any]) -> dict[str, Any]:
    """Return what a log record says of a trial."""
    return {"action": action, "tid": trial["tid"]}


def _move(trial: dict[str, Any], state: int) -> None:
    """Put a trial into a state, now."""
    trial["state"] = state
    trial["refresh_time"] = coarse_utcnow()
