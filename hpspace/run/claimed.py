"""The trials of an experiment as a worker sees them: what it has claimed, and nothing else unless somebody asks.

A driver follows every trial; a worker must not, or each would read what all others write. So moves go to the store
and nothing is read back. The other trials are read when an objective's Ctrl needs them, which is when a pruner
compares curves.
"""

from __future__ import annotations

import copy
from typing import Any

from hpspace.trials.shared.contract import Store
from hpspace.trials.shared.keeper import Keeper
from hpspace.trials.shared.trials import SharedTrials


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

    def _read_back(self) -> None:
        """Read nothing: a worker is done with a trial when it has ended."""

    def hand_back(self, doc: dict[str, Any], counted: bool) -> bool:
        """Put a claimed trial back into the queue, with the attempt counted or not."""
        claim = self._keeper.held(doc["tid"])
        self._keeper.let_go(doc["tid"])
        return claim is not None and self.store.release(claim, counted)
