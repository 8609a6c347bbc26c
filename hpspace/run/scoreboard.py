"""How far a run is, and how good: counts, the best loss, and what the progress display is told.

Kept up to date trial by trial, so that a turn of the loop costs the same however many trials there are; `read` counts
everything anew where trials came from somebody else. Used by `run.loop`.
"""

from __future__ import annotations

import logging
import math
import sys
from typing import Any

from hpspace.run.direction import direction_of
from hpspace.run.progress import Silence
from hpspace.trials.bests import best_of, loss_of, standing
from hpspace.trials.direction import measure, shown
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_NEW, STATUS_OK

logger = logging.getLogger(__name__)


class Scoreboard:
    """Counts of a run.

    Parameters
    ----------
    trials : Trials
        Of the run.

    Attributes
    ----------
    best : float
        The lowest loss so far, as it is stored, among those at the highest resource; infinite if there is none.
    done : int
        Finished trials.
    told : int
        Finished trials that the display knows of.
    display : Progress
        Where to show it.
    """

    def __init__(self, trials: Any) -> None:
        self._trials = trials
        self._standing = (math.inf, math.inf)  # of the best trial
        self.done = self.told = 0
        self.display: Any = Silence()
        self._documents = 0
        self._warned_nan = False

    @property
    def best(self) -> float:
        """The loss of the best trial."""
        return self._standing[1]

    def read(self) -> None:
        """Count finished trials and find the best loss anew."""
        best = best_of(self._trials.trials)
        self._standing = (math.inf, math.inf) if best is None else standing(best)
        self.done = self.count(JOB_STATE_DONE)
        self._documents = len(self._trials._dynamic_trials)

    def expected(self, n: int, max_evals: int, new: int | None) -> int:
        """Return how many trials there will be.

        Parameters
        ----------
        n : int
            How many are to be queued.
        max_evals : int
            How many there are to be, `sys.maxsize` for no limit; more when points are queued on top of it.
        new : int or None
            How many may be queued.

        Returns
        -------
        int
            `sys.maxsize` when nothing limits them.
        """
        if new is None and max_evals == sys.maxsize:
            return max_evals
        there = self.told + self.count(JOB_STATE_NEW) + max(n if new is None else min(n, new), 0)
        return there if max_evals == sys.maxsize or new is not None else max(max_evals, there)

    def follow(self, inserted: int = 0) -> None:
        """Read anew if there are trials that this run has not inserted itself."""
        self._documents += inserted
        if len(self._trials._dynamic_trials) != self._documents:
            self.read()

    def note(self, trial: dict[str, Any]) -> bool:
        """Count a trial that has ended; warn of the first NaN.

        Parameters
        ----------
        trial : dict
            Its document.

        Returns
        -------
        bool
            Whether it is better than all before.
        """
        if trial["state"] != JOB_STATE_DONE:
            return False
        self.done += 1
        loss = loss_of(trial["result"])
        if math.isnan(loss) and trial["result"].get("status") == STATUS_OK and not self._warned_nan:
            self._warned_nan = True
            logger.warning(
                "trial %s: the loss is NaN; such trials count as failed and are never the best",
                trial["tid"],
                extra={"action": "nan_loss", "tid": trial["tid"]},
            )
        place = standing(trial)
        if not place < self._standing:  # a NaN among them: not so
            return False
        self._standing = place
        return loss < math.inf

    def show(self) -> None:
        """Tell the display of newly finished trials."""
        if self.done <= self.told:
            return
        if self.best < math.inf:
            direction = direction_of(self._trials)
            self.display.postfix = f"best {measure(direction)}: {shown(self.best, direction)}"
        self.display.update(self.done - self.told)
        self.told = self.done

    def count(self, states: Any) -> int:
        """Count trials in a state or states, as of now."""
        return int(self._trials.count_by_state_unsynced(states))
