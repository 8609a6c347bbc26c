"""Evaluation by others: workers that share the trials, wherever they are.

The run keeps their queue full and looks what has ended. What a worker raises is a document in state ERROR; it never
ends the run.
"""

from __future__ import annotations

import logging
import math
from typing import Any

from hpspace.run import turn
from hpspace.run.direction import direction_of
from hpspace.run.domain import DOMAIN_ATTACHMENT
from hpspace.run.evaluators import Run
from hpspace.run.presence import Presence
from hpspace.trials.changes import FINAL
from hpspace.trials.curves import REPORTS
from hpspace.trials.direction import shown
from hpspace.trials.document import JOB_STATE_NEW, JOB_STATE_RUNNING

logger = logging.getLogger(__name__)

#: Key of an experiment's meta: when a worker's objective has asked for the end of the search.
STOP_ASKED = "stop_asked"


class Elsewhere:
    """Lets others evaluate: workers that share the trials. Keeps their queue full and looks what has ended.

    Parameters
    ----------
    run : Run
        The loop.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._presence = Presence(run.trials)
        self._shared = bool(getattr(run.trials, "shared", False))  # then a look costs what has changed
        self._n_known = 0  # of the first so many documents of shared trials, all were announced
        self._known: set[Any] = set()  # ids of the trials whose end was announced, or came before this run
        self._heard: dict[Any, int] = {}  # id to the number of reports that were announced
        self._asked_before: Any = (
            None  # mark of the last `ctrl.stop()` of a worker's objective before this run
        )
        if not self._shared:  # a store is told by `adopt`
            self._publish_domain()

    def open(self) -> None:
        """Note what has ended, and been asked, before this run."""
        self._asked_before = self._asked_to_stop()
        for trial in self._documents():
            self._heard[trial["tid"]] = len(trial["misc"].get(REPORTS) or ())
            if trial["state"] in FINAL:
                self._known.add(trial["tid"])

    def room(self) -> int:
        """Return how many trials to ask for: one for each live worker shall wait, and at least `max_queue_len`."""
        count = getattr(self._run.trials, "live_workers", None)
        workers = int(count()) if count is not None else 0
        return max(self._run.max_queue_len, workers) - self._count(JOB_STATE_NEW)

    def busy(self) -> bool:
        """Whether trials are queued or running."""
        return self._count([JOB_STATE_NEW, JOB_STATE_RUNNING]) > 0

    def turn(self, more: bool = False) -> None:
        """Wait until something may have changed, and look."""
        seconds = max(0.0, min(self._run.poll_interval_secs, self._run.seconds_left()))
        turn.move(self._run.trials, "wait")(seconds)
        self.look()
        self._presence.look()

    def look(self) -> None:
        """Announce what has happened since the last look."""
        turn.look(self._run.trials) if self._shared else self._run.trials.refresh()
        for trial in self._unannounced():
            if trial["tid"] in self._known:
                continue
            self._announce_reports(trial)
            if trial["state"] in FINAL:
                self._known.add(trial["tid"])
                self._run.ended(trial)
        if self._asked_to_stop() != self._asked_before:
            self._run.stop("ctrl.stop() in a worker")

    def _asked_to_stop(self) -> Any:
        """Return what workers leave in a shared store when their objective wants the search to end."""
        store = getattr(self._run.trials, "store", None)
        return store.get_meta(self._run.trials._exp_key).get(STOP_ASKED) if store is not None else None

    def _announce_reports(self, trial: dict[str, Any]) -> None:
        reports = trial["misc"].get(REPORTS) or ()
        for step, value in reports[self._heard.get(trial["tid"], 0) :]:
            self._run.reported(trial, step, shown(value, direction_of(self._run.trials)))
        self._heard[trial["tid"]] = len(reports)

    def drain(self) -> None:
        """Wait for what is queued or running, until the run's timeout; the rest goes on without this run."""
        while self.busy() and self._run.seconds_left() > 0:
            self.turn()
        self.look()  # counting has read what has ended meanwhile
        left = self._count([JOB_STATE_NEW, JOB_STATE_RUNNING])
        if left and math.isfinite(self._run.seconds_left()):
            logger.warning(
                "the timeout is over: %d trials are still with their workers, and end up in the trials",
                left,
                extra={"action": "left_with_workers", "n": left},
            )

    def close(self, kill: bool = False) -> None:
        """Nothing here is ours."""

    def _documents(self) -> list[dict[str, Any]]:
        trials = self._run.trials
        docs: list[dict[str, Any]]
        docs = trials.documents() if hasattr(trials, "documents") else trials._dynamic_trials
        return docs

    def _unannounced(self) -> list[dict[str, Any]]:
        """Return the documents without the first ones, if those are all known: in a store they keep their places."""
        docs = self._documents()
        if not self._shared:
            return docs
        if self._n_known > len(docs):
            self._n_known = 0
        while self._n_known < len(docs) and docs[self._n_known]["tid"] in self._known:
            self._n_known += 1
        return docs[self._n_known :]

    def _count(self, states: Any) -> int:
        """Count trials; those of a store as of the last look."""
        if not self._shared:
            return int(self._run.trials.count_by_state_unsynced(states))
        wanted = states if isinstance(states, list) else [states]
        return sum(doc["state"] in wanted for doc in self._run.trials.unsettled())

    def _publish_domain(self) -> None:
        """Store the pickled domain with the trials, where workers find it."""
        import cloudpickle

        attachments = self._run.trials.attachments
        if DOMAIN_ATTACHMENT in attachments:
            logger.warning(
                "the trials hold an objective already; it is replaced", extra={"action": "domain_replaced"}
            )
        attachments[DOMAIN_ATTACHMENT] = cloudpickle.dumps(self._run.domain)
