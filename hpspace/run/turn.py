"""What happens to one trial's document while it is evaluated, and to those that wait.

A trial's way::

    NEW ──► RUNNING ──► DONE     the objective returned a result, or the trial was pruned
       claim       ├──► ERROR    it raised, died or took too long: misc["error"] and misc["traceback"] say what
                   └──► CANCEL   it was interrupted, as from the keyboard

Every step is a move of the trials (`hpspace.trials.moves`), and may be refused where several processes share a store:
then the trial is somebody else's, and nothing is lost. Trials of classes that know no moves get those of memory.

A trial that was interrupted from the keyboard, or was running when its process was killed, is put back into the queue
when a search goes on (`requeue_interrupted`). One that ended its process by itself (SystemExit) is not.

Each function leaves the document consistent, whatever is raised. Called by `run.evaluators`, `run.loop` and
`run.asktell`; refreshing the trials and saving them is the loop's business.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable
from typing import Any

from hpspace.exceptions import TrialPruned
from hpspace.run.direction import direction_of, stored
from hpspace.run.reporting import LAST_VERDICT, PRUNE_REASON, pruned_result
from hpspace.trials.curves import REPORTS
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    spec_from_misc,
)
from hpspace.trials.moves import MovingTrials

logger = logging.getLogger(__name__)


#: Key of a document's misc: the trial was interrupted from the keyboard and waits to be evaluated again.
INTERRUPTED = "interrupted"


def move(trials: Any, name: str) -> Callable[..., Any]:
    """Return a move of trials: their own, or that of memory for a class that has none.

    Parameters
    ----------
    trials : Trials
        Of any class.
    name : str
        A method of `MovingTrials`.

    Returns
    -------
    callable
        Bound to the trials.
    """
    own: Callable[..., Any] | None = getattr(trials, name, None)
    return functools.partial(getattr(MovingTrials, name), trials) if own is None else own


def look(trials: Any) -> None:
    """Refresh trials, at a cost that does not grow with the search if they can."""
    recent = getattr(trials, "refresh_recent", None)
    trials.refresh() if recent is None else recent()


# -------------------------------------------------------------------- those that wait


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


def cancel_queued(trials: Any, only: set[Any] | None = None) -> int:
    """Cancel documents in state NEW.

    Parameters
    ----------
    trials : Trials
        Whose.
    only : set, optional
        Ids of those to cancel; by default all.

    Returns
    -------
    int
        How many were cancelled.
    """
    queue = [doc for doc in queued(trials) if only is None or doc["tid"] in only]
    cancelled = sum(bool(move(trials, "cancel")(doc)) for doc in queue)
    if cancelled:
        logger.info(
            "%d queued trials were cancelled", cancelled, extra={"action": "queue_cancelled", "n": cancelled}
        )
    return cancelled


def requeue_interrupted(trials: Any) -> int:
    """Put the trials back into the queue whose evaluation was cut off, so that none of a search's points is lost.

    Parameters
    ----------
    trials : Trials
        Whose, before a search in this process; workers' trials are their own business, and so are those that are
        running in a store that others share.

    Returns
    -------
    int
        How many there were.
    """
    busy = getattr(trials, "_in_hand", ())  # an objective may search with the trials that it is one of
    exp_key = getattr(trials, "_exp_key", None)
    shared = getattr(trials, "shared", False)
    cut_off = [
        doc
        for doc in trials._dynamic_trials
        if (doc["state"] == JOB_STATE_CANCEL and doc["misc"].get(INTERRUPTED))
        or (doc["state"] == JOB_STATE_RUNNING and doc["tid"] not in busy and not shared)
        if exp_key is None or doc["exp_key"] == exp_key
    ]
    again = sum(bool(move(trials, "requeue")(doc)) for doc in cut_off)
    if again:
        trials.refresh()
        logger.info(
            "%d interrupted trials are evaluated again", again, extra={"action": "requeued", "n": again}
        )
    return again


def _unsettled(trials: Any) -> list[dict[str, Any]]:
    docs: list[dict[str, Any]]
    docs = trials.unsettled() if hasattr(trials, "unsettled") else trials._dynamic_trials
    return docs


# -------------------------------------------------------------------- one that is evaluated


def claim(trials: Any, trial: dict[str, Any]) -> bool:
    """Take a queued trial in order to evaluate it in this process.

    Parameters
    ----------
    trials : Trials
        Where the document is.
    trial : dict
        The document, as far as is known in state NEW.

    Returns
    -------
    bool
        False: somebody else was faster, and the trials were refreshed. Whatever is raised, `let_go` has to follow.
    """
    _in_hand(trials).add(trial["tid"])
    if move(trials, "claim")(trial):
        return True
    let_go(trials, trial)
    trials.refresh()
    return False


def let_go(trials: Any, trial: dict[str, Any]) -> None:
    """Note that this process does not evaluate a trial any more."""
    _in_hand(trials).discard(trial["tid"])


def _in_hand(trials: Any) -> set[Any]:
    """Return the ids of the trials that this process evaluates; a set that nobody keeps for foreign classes."""
    ids: set[Any] = getattr(trials, "_in_hand", set())
    return ids


def evaluate(domain: Any, trials: Any, trial: dict[str, Any], ctrl: Any) -> Exception | None:
    """Evaluate a claimed trial in this process, and store how it ended.

    Parameters
    ----------
    domain : Domain
        The objective.
    trials : Trials
        Where the document is.
    trial : dict
        The document, in state RUNNING.
    ctrl : Ctrl
        For the objective.

    Returns
    -------
    Exception or None
        What the objective raised; None also for a trial that was pruned.

    Raises
    ------
    BaseException
        KeyboardInterrupt and its kind propagate, after the trial was cancelled.
    """
    try:
        error, conclude = _evaluated(domain, trials, trial, ctrl)
        conclude()
    except (KeyboardInterrupt, SystemExit, GeneratorExit) as leaving:
        interrupt(trials, trial, again=isinstance(leaving, KeyboardInterrupt))
        raise
    return error


def _evaluated(
    domain: Any, trials: Any, trial: dict[str, Any], ctrl: Any
) -> tuple[Exception | None, Callable[[], bool]]:
    """Run the objective; return what it raised, and the function that stores how the trial ended."""
    try:
        result = domain.evaluate(spec_from_misc(trial["misc"]), ctrl)
        kept = stored(result, direction_of(trials), trial["tid"])
    except TrialPruned as pruned:
        return None, functools.partial(prune, trials, trial, pruned.reason)
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises is this trial's outcome
        where = traceback.format_exc()
        return error, functools.partial(fail, trials, trial, str(type(error)), text_of(error), where)
    return None, functools.partial(finish, trials, trial, kept)


def finish(trials: Any, trial: dict[str, Any], result: dict[str, Any]) -> bool:
    """Store the result of a trial.

    Parameters
    ----------
    trials : Trials
        Where the document is.
    trial : dict
        The document, in state RUNNING.
    result : dict
        As `direction.stored` gives it.

    Returns
    -------
    bool
        False if the trial is somebody else's by now, and nothing was changed.
    """
    logger.debug("trial %s: loss %s", trial["tid"], result.get("loss"), extra=event("trial_done", trial))
    return bool(move(trials, "conclude")(trial, JOB_STATE_DONE, result=result, misc=_said(trial)))


def prune(trials: Any, trial: dict[str, Any], reason: str) -> bool:
    """Store that a trial was ended early, and why; all else as of `finish`."""
    result = pruned_result(trial, reason)
    logger.debug(
        "trial %s was pruned: %s", trial["tid"], result["reason"], extra=event("trial_pruned", trial)
    )
    return bool(move(trials, "conclude")(trial, JOB_STATE_DONE, result=result, misc=_said(trial)))


def fail(trials: Any, trial: dict[str, Any], kind: str, message: str, where: str | None = None) -> bool:
    """Store that a trial ended without a result.

    Parameters
    ----------
    trials, trial
        As of `finish`.
    kind, message : str
        What happened: text of an exception's type, and its message.
    where : str, optional
        Traceback.

    Returns
    -------
    bool
        As of `finish`.
    """
    text = message.removeprefix(f"trial {trial['tid']}: ")
    logger.error("trial %s: %s: %s", trial["tid"], _short(kind), text, extra=event("trial_error", trial))
    error = (kind, message)
    return bool(
        move(trials, "conclude")(trial, JOB_STATE_ERROR, error=error, traceback=where, misc=_said(trial))
    )


def interrupt(trials: Any, trial: dict[str, Any], again: bool) -> None:
    """Store that a trial was stopped from outside, and log it; parameters as of `set_aside`."""
    if set_aside(trials, trial, again):
        logger.warning("trial %s was interrupted", trial["tid"], extra=event("trial_cancelled", trial))


def set_aside(trials: Any, trial: dict[str, Any], again: bool) -> bool:
    """Store that a trial is not evaluated any more.

    Parameters
    ----------
    trials, trial
        As of `finish`.
    again : bool
        Whether to evaluate it again when a search goes on with the trials. In a store that others share it goes back
        into the queue at once.

    Returns
    -------
    bool
        False if it has ended just before.
    """
    if trial["state"] != JOB_STATE_RUNNING:
        return False
    if again and getattr(trials, "shared", False):
        move(trials, "requeue")(trial)
    else:
        mark = {INTERRUPTED: True} if again else {}
        move(trials, "conclude")(trial, JOB_STATE_CANCEL, misc={**_said(trial), **mark})
    return True


def _said(trial: dict[str, Any]) -> dict[str, Any]:
    """Return what the objective has said while it ran, which a store may not have been told of yet."""
    return {key: trial["misc"][key] for key in (REPORTS, PRUNE_REASON, LAST_VERDICT) if key in trial["misc"]}


def text_of(error: BaseException) -> str:
    """Return the text of any exception, also of one that cannot be shown."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  an exception that cannot be shown is an outcome all the same
        return "(its message cannot be shown)"


def _short(kind: str) -> str:
    """Return the bare name in the text of a type: ``<class 'a.B'>`` is B."""
    return kind.removeprefix("<class '").removesuffix("'>").rpartition(".")[2]


def event(action: str, trial: dict[str, Any]) -> dict[str, Any]:
    """Return what a log record says of a trial."""
    return {"action": action, "tid": trial["tid"]}
