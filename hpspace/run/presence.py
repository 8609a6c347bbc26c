"""What a driver knows of its workers, and tells its user: that there are none, or that they cannot load the objective.

A search whose trials nobody evaluates looks like one whose objective is slow. So the driver looks who is there, and the
log says, once, what is wrong and what to type.
"""

from __future__ import annotations

import logging
import shlex
import time
from typing import Any

from hpspace.trials.document import JOB_STATE_NEW, JOB_STATE_RUNNING
from hpspace.trials.mongo.url import HIDDEN
from hpspace.trials.shared.process import is_gone

logger = logging.getLogger(__name__)

#: Seconds without any worker after which the user is told.
PATIENCE = 30.0

#: Seconds between two looks.
LOOK = 2.0


class Presence:
    """Watches for the workers of an experiment.

    Parameters
    ----------
    trials : Trials
        Those that workers evaluate; of a class that has no store, nothing is known or said.
    """

    def __init__(self, trials: Any) -> None:
        self._trials = trials
        self._store = getattr(trials, "store", None)
        self._seen = self._looked = time.monotonic()
        self._told: set[tuple[str, str]] = set()
        self._told_of_none = False

    def look(self) -> None:
        """Look who is there, if it is time to, and log what the user should know."""
        now = time.monotonic()
        if self._store is None or now - self._looked < min(LOOK, PATIENCE):
            return
        self._looked = now
        workers = self._workers()
        for worker in workers:
            self._tell_what_is_missing(worker)
        if workers or not self._work_waits():
            self._seen, self._told_of_none = now, False
        elif now - self._seen >= PATIENCE and not self._told_of_none:
            self._told_of_none = True
            self._tell_that_none_is_there()

    def _workers(self) -> list[dict[str, Any]]:
        present = self._store.workers(self._trials._exp_key)  # type: ignore[union-attr]
        return [one for one in present if one.get("role") == "worker" and not is_gone(one)]

    def _work_waits(self) -> bool:
        counts = self._trials.count_by_state_unsynced
        return bool(counts(JOB_STATE_NEW)) and not counts(JOB_STATE_RUNNING)

    def _tell_what_is_missing(self, worker: dict[str, Any]) -> None:
        """Log why a worker cannot serve this experiment; the same reason of the same worker once."""
        reason = (worker.get("cannot_load") or {}).get(str(self._trials._exp_key))
        if reason is None or (worker["owner"], reason) in self._told:
            return
        self._told.add((worker["owner"], reason))
        logger.error(
            "worker %s cannot evaluate experiment %s: %s",
            worker["owner"],
            self._trials._exp_key,
            reason,
            extra={"action": "cannot_load", "owner": worker["owner"], "reason": reason},
        )

    def _tell_that_none_is_there(self) -> None:
        logger.warning(
            "trials wait, and no worker was seen for %.0f s; start one with: %s",
            PATIENCE,
            self.command(),
            extra={"action": "no_worker", "exp_key": self._trials._exp_key},
        )

    def command(self) -> str:
        """Return what to type to start a worker; a password is not shown, and belongs into no command line."""
        url, key = self._store.url, self._trials._exp_key  # type: ignore[union-attr]
        words = [] if key is None else ["--exp-key", key]
        if HIDDEN not in url:
            return shlex.join(["hpspace", "worker", url, *words])
        return f"HPSPACE_URL={shlex.quote(url)} {shlex.join(['hpspace', 'worker', *words])}"
