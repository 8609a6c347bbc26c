"""The trials of an experiment as a worker sees them: what it has claimed, and nothing else unless somebody asks.

A driver follows every trial; a worker must not, or each would read what all others write. So moves go to the store
and nothing is read back. The other trials are read when an objective's Ctrl needs them, which is when a pruner
compares curves.

What an evaluation has cost is not thrown away because a disk is full: where the store has no room, a worker keeps the
result and tries again, see `Patience`. (A server that is away is waited for by the store itself.)
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hpspace.exceptions import StoreFull, StoreUnavailable
from hpspace.trials.shared.contract import Claim, Store
from hpspace.trials.shared.keeper import Keeper
from hpspace.trials.shared.trials import SharedTrials

logger = logging.getLogger(__name__)

R = TypeVar("R")

#: What passes by itself, or when somebody makes room: a full disk, a file that another program keeps locked.
NO_ROOM = (StoreFull, StoreUnavailable)

#: Seconds between two tries, and between two looks whether to give up.
PAUSE, LOOK = 2.0, 0.25


class Patience:
    """Repeats moves for which the store has no room, until it has; the log says so once, and when it is over."""

    def __init__(self) -> None:
        self._since: float | None = None

    def repeat(self, move: Callable[[], R], give_up: Callable[[], bool]) -> R:
        """Make a move.

        Parameters
        ----------
        move : callable
            What to do; harmless when it is done twice.
        give_up : callable
            Whether to try no longer.

        Returns
        -------
        object
            What it returned.

        Raises
        ------
        StoreFull, StoreUnavailable
            When given up.
        """
        while True:
            try:
                result = move()
            except NO_ROOM as error:  # noqa: PERF203  to try again is the point
                if give_up():
                    raise
                self._note(error)
                self._pause(give_up)
            else:
                self._note_end()
                return result

    def _pause(self, give_up: Callable[[], bool]) -> None:
        end = time.monotonic() + PAUSE
        while time.monotonic() < end and not give_up():
            time.sleep(LOOK)

    def _note(self, error: Exception) -> None:
        if self._since is None:
            self._since = time.monotonic()
            logger.warning("%s; this worker waits and tries again", error, extra={"action": "no_room"})

    def _note_end(self) -> None:
        if self._since is not None:
            seconds, self._since = time.monotonic() - self._since, None
            logger.warning("the store has room again after %.1f s", seconds, extra={"action": "room_again"})


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
    patience : Patience
        With which ends of trials are stored.
    give_up : callable
        Whether it ends.
    """

    def __init__(
        self,
        store: Store,
        exp_key: str | None,
        keeper: Keeper,
        patience: Patience,
        give_up: Callable[[], bool],
    ) -> None:
        super().__init__(store, exp_key, refresh=False)
        self._keeper = keeper
        self._patience, self._give_up = patience, give_up

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

    def _finish(
        self, claim: Claim, state: int, result: dict[str, Any] | None, misc: Mapping[str, Any]
    ) -> bool:
        finish = super()._finish
        return self._patience.repeat(lambda: finish(claim, state, result, misc), self._give_up)

    def hand_back(self, doc: dict[str, Any], counted: bool) -> bool:
        """Put a claimed trial back into the queue, with the attempt counted or not."""
        claim = self._keeper.held(doc["tid"])
        self._keeper.let_go(doc["tid"])
        if claim is None:
            return False
        return self._patience.repeat(lambda: self.store.release(claim, counted), self._give_up)
