"""How a trial moves from state to state: the hooks through which a run changes documents.

A run never edits the state of a document itself. It asks the trials, and the answer may be no: documents in memory
belong to this process, but those of a store (`hpspace.trials.shared`) may be claimed, finished or taken back by
others at any moment. `MovingTrials` is the form for memory: it edits the document in place, follows the one table
of legal moves (`document.TRANSITIONS`), and never has to wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from hpspace.exceptions import IllegalMove
from hpspace.trials.clock import coarse_utcnow
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NAMES,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    TRANSITIONS,
    requeued,
)

logger = logging.getLogger(__name__)

#: States in which a trial's evaluation is over.
OUTCOMES = frozenset({JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL})


class MovingTrials:
    """The moves of documents in memory."""

    #: Whether other processes may change the documents, so that a move may be refused.
    shared: ClassVar[bool] = False

    def claim(self, doc: dict[str, Any], owner: str | None = None) -> bool:
        """Take a queued trial in order to evaluate it: NEW to RUNNING.

        Parameters
        ----------
        doc : dict
            The document.
        owner : str, optional
            Who evaluates it, recorded as ``doc["owner"]``.

        Returns
        -------
        bool
            False if it is not in the queue any more, and so not ours to evaluate.
        """
        if doc["state"] != JOB_STATE_NEW:
            return False
        _move(doc, JOB_STATE_RUNNING)
        doc["book_time"] = doc["refresh_time"]
        if owner is not None:
            doc["owner"] = owner
        return True

    def conclude(
        self,
        doc: dict[str, Any],
        state: int,
        result: dict[str, Any] | None = None,
        error: tuple[str, str] | None = None,
        traceback: str | None = None,
        misc: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record how the evaluation of a claimed trial ended: RUNNING to DONE, ERROR or CANCEL.

        Parameters
        ----------
        doc : dict
            The document.
        state : int
            One of `JOB_STATE_DONE`, `JOB_STATE_ERROR`, `JOB_STATE_CANCEL`.
        result : dict, optional
            Replaces ``doc["result"]``.
        error : (str, str), optional
            Type and message of what was raised, kept as ``doc["misc"]["error"]``.
        traceback : str, optional
            Kept as ``doc["misc"]["traceback"]``.
        misc : mapping, optional
            Keys to merge into ``doc["misc"]``.

        Returns
        -------
        bool
            False if the trial is not running, or not ours any more (which is logged): nothing was changed. A store
            that cannot hold the result records the trial as failed instead and returns True: look at
            ``doc["state"]``.

        Raises
        ------
        IllegalMove
            `state` is no outcome.
        """
        check_outcome(doc["tid"], state)
        if doc["state"] != JOB_STATE_RUNNING:
            log_refused(doc, state)
            return False
        if result is not None:
            doc["result"] = result
        doc["misc"].update(outcome_misc(error, traceback, misc))
        _move(doc, state)
        return True

    def requeue(self, doc: dict[str, Any]) -> bool:
        """Put a trial back into the queue, as if it had never been evaluated.

        Parameters
        ----------
        doc : dict
            The document of a trial that is running, failed or cancelled.

        Returns
        -------
        bool
            False if its state does not allow it: it is queued already, or done.
        """
        if JOB_STATE_NEW not in TRANSITIONS[doc["state"]]:
            return False
        requeued(doc)
        _move(doc, JOB_STATE_NEW)
        return True

    def cancel(self, doc: dict[str, Any]) -> bool:
        """Cancel a queued trial: NEW to CANCEL.

        Parameters
        ----------
        doc : dict
            The document.

        Returns
        -------
        bool
            False if it is not in the queue.
        """
        if doc["state"] != JOB_STATE_NEW:
            return False
        _move(doc, JOB_STATE_CANCEL)
        return True

    def checkpoint(self, doc: dict[str, Any]) -> None:
        """Make known what this process has changed in the document of a running trial.

        Parameters
        ----------
        doc : dict
            The document; ``doc["result"]`` and ``doc["misc"]`` may have been edited.
        """
        doc["refresh_time"] = coarse_utcnow()

    def wait(self, seconds: float) -> None:
        """Return when something may have changed elsewhere, at the latest after some time.

        Parameters
        ----------
        seconds : float
            How long to wait at most.
        """
        time.sleep(max(0.0, seconds))

    def adopt(self, domain: Any, seal: Callable[[Any], tuple[bytes, str | None]] | None = None) -> None:
        """Say which objective the trials are evaluated with from here on.

        Parameters
        ----------
        domain : Domain
            The objective and its space.
        seal : callable, optional
            ``seal(domain)`` makes the bytes in which the objective travels to workers, and their signature.

        Raises
        ------
        DomainSwapError
            A live search evaluates another objective in the same experiment of a store.
        """

    def keeping_alive(self) -> AbstractContextManager[Any]:
        """Return a context manager within which what this process has claimed stays claimed."""
        return nullcontext()


def check_outcome(tid: Any, state: int) -> None:
    """Refuse to conclude a trial with a state that is none of `OUTCOMES`."""
    if state not in OUTCOMES:
        raise IllegalMove(tid, JOB_STATE_NAMES[JOB_STATE_RUNNING], JOB_STATE_NAMES.get(state, state))


def outcome_misc(
    error: tuple[str, str] | None, traceback: str | None, misc: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the keys of ``doc["misc"]`` that tell how a trial ended."""
    told = {"error": error, "traceback": traceback}
    return {**(misc or {}), **{key: value for key, value in told.items() if value is not None}}


def log_refused(doc: Mapping[str, Any], state: int) -> None:
    """Say that an outcome was dropped."""
    logger.warning(
        "the outcome of trial %s (%s) is dropped: the trial is %s and belongs to somebody else now",
        doc["tid"],
        JOB_STATE_NAMES[state],
        JOB_STATE_NAMES[doc["state"]],
        extra={"action": "outcome_dropped", "tid": doc["tid"]},
    )


def _move(doc: dict[str, Any], state: int) -> None:
    """Put a document into a state, now."""
    doc["state"] = state
    doc["refresh_time"] = coarse_utcnow()
