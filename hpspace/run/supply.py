"""Where a run's trials come from: the algorithm is asked, and its answer is put into the queue.

Each call of the algorithm has a seed of its own, made of the run's seed and the first id of the call, so a resumed run
goes on instead of repeating itself. Used by `run.loop`, which decides when and for how many to ask, and by
`run.asktell`.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from typing import Any

from hpspace.run.bridge import Suggest, history_of, space_of
from hpspace.run.seeds import Base, seed_for
from hpspace.run.turn import queued
from hpspace.trials.document import JOB_STATE_CANCEL, JOB_STATE_ERROR

logger = logging.getLogger(__name__)


class Supply:
    """Asks an algorithm for trials and inserts them.

    Parameters
    ----------
    algo : callable
        ``algo(new_ids, domain, trials, seed)``.
    domain : Domain
        The objective and its space.
    trials : Trials
        Where to insert.
    base : Base
        The run's seed.

    Attributes
    ----------
    exhausted : bool
        The algorithm has nothing more to propose, as `give_up` was told.
    own : set
        Ids of the trials that were inserted here.
    """

    def __init__(self, algo: Suggest, domain: Any, trials: Any, base: Base) -> None:
        self._algo = algo
        self._domain = domain
        self._trials = trials
        self._base = base
        self.exhausted = False
        self.own: set[Any] = set()

    def ask(self, n: int) -> list[Any]:
        """Ask for trials and insert them.

        Parameters
        ----------
        n : int
            How many, in one call.

        Returns
        -------
        list
            Ids of those that were inserted, at most n. The trials are not refreshed.
        """
        tids = self._inserted(n)
        self.own.update(tids)
        return tids

    def _inserted(self, n: int) -> list[Any]:
        tids = list(self._trials.new_trial_ids(n))
        try:
            docs = list(self._algo(tids, self._domain, self._trials, seed_for(self._base, tids[0])))
            if len(docs) > len(tids):
                raise ValueError(f"the algorithm was given {len(tids)} ids and answered {len(docs)} trials")
            if docs:
                self._trials.insert_trial_docs(docs)
        except BaseException:  # the next seed depends on the next id: an interrupt must not use ids up
            if hasattr(self._trials, "release_trial_ids"):
                self._trials.release_trial_ids(tids)
            raise
        return [doc["tid"] for doc in docs]

    def give_up(self) -> None:
        """Ask no more; say that a finite space is used up, if that is why the algorithm gave nothing."""
        self.exhausted = True
        space = space_of(self._domain)
        size = space.cardinality()
        if len(history_of(self._trials, space).keys) >= size:
            logger.warning(
                "all %d configurations of the space were evaluated: the run ends"
                if len(space)
                else "the space has no parameters, and its %d configuration was evaluated: the run ends",
                size,
                extra={"action": "space_exhausted", "configurations": size},
            )


class Demand:
    """How many trials a run still has to queue.

    Where other drivers add to the same store, theirs count for the total that the run was asked for.

    Parameters
    ----------
    n : int
        How many trials to add.
    total : int
        How many there are to be; `sys.maxsize` for no limit. Failed ones count only if they failed in this run.
    supply : Supply
        Knows which trials are the run's own.
    trials : Trials
        All trials.

    Attributes
    ----------
    queued : int
        How many the run has added.
    """

    def __init__(self, n: int, total: int, supply: Supply, trials: Any) -> None:
        self._n = n
        self._total = total
        self._supply = supply
        self._trials = trials
        self._counted = bool(getattr(trials, "shared", False)) and total < sys.maxsize
        self._failed_before = self._states()[JOB_STATE_ERROR] if self._counted else 0
        self.queued = 0

    @property
    def missing(self) -> int:
        """How many trials are still to be queued; not positive if there are enough."""
        return min(self._n - self.queued, self._room())

    def _room(self) -> int:
        """Return how many are missing from the total; negative if there are too many."""
        if not self._counted:
            return sys.maxsize
        states = self._states()
        return self._total - (states.total() - states[JOB_STATE_CANCEL] - self._failed_before)

    def _states(self) -> Counter[int]:
        counts: Counter[int] = self._trials.states()
        return counts

    def surplus(self) -> set[Any]:
        """Return ids of the run's latest trials, as many as are too many since other drivers have added some meanwhile.

        Whoever has added the last one sees all others, so there are never too many for long; if all take theirs back,
        they try again.
        """
        room = self._room()
        if room >= 0:
            return set()
        waiting = [doc["tid"] for doc in queued(self._trials) if doc["tid"] in self._supply.own]
        return set(sorted(waiting)[room:])
