"""The trials of an experiment as a worker sees them: what it has claimed, and nothing else unless somebody asks.

A driver follows every trial; a worker must not, or each would read what all others write. So moves go to the store
and nothing is read back. The other trials are read when an objective's Ctrl needs them, which is when a pruner
compares curves.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from hpspace.trials.moves import check_outcome, log_refused, outcome_misc
from hpspace.trials.shared.contract import Store
from hpspace.trials.shared.keeper import Keeper
from hpspace.trials.shared.trials import SharedTrials

logger = logging.getLogger(__name__)


class ClaimedTrials(SharedTrials):
    """Trials of one experiment that a worker evaluates.

    Parameters
    ----------
    store : Store
        Where they are.
    exp_key : str or None
        The experiment.
    keeper : Keeper
        The worker's claims, which it shares among its experiments.
    """

    def __init__(self, store: Store, exp_key: str | None, keeper: Keeper) -> None:
        super().__init__(store, exp_key, refresh=False)
        self._keeper = keeper

    def document(self, tid: int) -> dict[str, Any]:
        """Return the document of a trial that is claimed, for its Ctrl to work on."""
        claim = self._keeper.held(tid)
        assert claim is not None  # just reserved
        doc = copy.deepcopy(claim.doc)
        self._dynamic_trials[:] = [other for other in self._dynamic_trials if other["tid"] != tid]
        self._dynamic_trials.append(doc)  # a pruner's look at all trials finds this one as it is here
        return doc

    def conclude(
        self,
        doc: dict[str, Any],
        state: int,
        result: dict[str, Any] | None = None,
        error: tuple[str, str] | None = None,
        traceback: str | None = None,
        misc: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record how a trial ended; see `SharedTrials.conclude`."""
        check_outcome(doc["tid"], state)
        claim = self._keeper.held(doc["tid"])
        done = claim is not None and self._finish(claim, state, result, outcome_misc(error, traceback, misc))
        self._keeper.let_go(doc["tid"])
        if not done:
            log_refused(doc, state)
        return done

    def hand_back(self, doc: dict[str, Any], counted: bool) -> bool:
        """Put a claimed trial back into the queue, with the attempt counted or not."""
        claim = self._keeper.held(doc["tid"])
        self._keeper.let_go(doc["tid"])
        return claim is not None and self.store.release(claim, counted)
