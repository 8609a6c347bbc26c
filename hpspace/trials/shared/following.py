"""Trials that follow a store: what changed there is read into the same documents, and shown at the next refresh.

Two costs are kept from growing with the experiment. Reading: a cursor says what was read before, so that only what
changed since is asked for. Showing: `Trials.trials` is a list of its own after every refresh, so that who holds one
keeps what it showed; to copy 30,000 places twice a trial costs a third as much as the trial, and a search asks for
counts and columns and never for the list. So a refresh only notes what the list would be, the first so many of the
settled documents, which stay in their places, and the few behind them; it is made when somebody asks for it.

The part of `SharedTrials` that reads.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hpspace.trials.document import JOB_VALID_STATES
from hpspace.trials.store import StoredTrials
from hpspace.trials.trials import Trials

if TYPE_CHECKING:
    from hpspace.trials.shared.contract import Store
    from hpspace.trials.shared.keeper import Keeper
    from hpspace.trials.spacememo import SpaceMemo


class FollowingTrials(Trials):
    """Trials whose documents are copies of those in a store."""

    store: Store
    _keeper: Keeper
    _cursor: Any
    _stale: bool
    _reading: threading.RLock
    _outline: tuple[list[dict[str, Any]], int, list[dict[str, Any]]] | None

    @classmethod
    def _caches(cls) -> dict[str, Any]:
        return {
            **super()._caches(),
            "_cursor": None,  # of `Store.changes`
            "_stale": False,  # whether a trial has changed that was thought to be settled
            "_reading": threading.RLock(),  # held while documents are added or replaced
            "_outline": None,  # what the visible list is made of; None before the first refresh
        }

    def _stored_memo(self) -> SpaceMemo:
        raise NotImplementedError

    # -- reading the store ---------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read what changed in the store, and show it."""
        self._pull()
        self._stale = False
        super().refresh()

    def refresh_recent(self) -> None:
        """Do what `refresh` does, at a cost that depends on what changed and not on how much there is."""
        self._pull()
        if self._stale:
            self._stale = False
            StoredTrials.refresh(self)
        else:
            super().refresh_recent()

    def refresh_tids(self, tids: Iterable[Any] | None = None) -> None:
        """Read what changed; Hyperopt's name, where `tids` are the only ones that are read."""
        self._pull()

    def _pull(self) -> None:
        """Read what changed into the documents held here; what is shown of them stays as it is."""
        self._stale = self._read_changes() or self._stale

    def _read_changes(self) -> bool:
        """Read what changed; return whether that concerns trials that were thought to be settled."""
        with self._reading:
            changes = self.store.changes(self._exp_key, self._cursor)
            self._cursor = changes.cursor
            if changes.reset:
                self._forget_all_but({doc["tid"] for doc in changes.docs})
            incoming = sorted(changes.docs, key=lambda doc: int(doc["tid"]))
            places = [self._take(doc) for doc in incoming]
        if places and self._memo.json is None:
            self._memo = self._stored_memo()
        return changes.reset or any(place < self._n_settled for place in places)

    def _take(self, doc: dict[str, Any]) -> int:
        """Put a document where it belongs; return its place."""
        place = self._tid_index.find(self._dynamic_trials, doc["tid"])
        if place is None:
            self._dynamic_trials.append(doc)
            return len(self._dynamic_trials) - 1
        mine, claim = self._dynamic_trials[place], self._keeper.held(doc["tid"])
        if mine["version"] != doc["version"] and not (claim and claim.token == doc["token"]):
            replace(mine, doc)
        return place

    def _forget_all_but(self, tids: set[Any]) -> None:
        self._dynamic_trials[:] = [doc for doc in self._dynamic_trials if doc["tid"] in tids]

    def _stored(self) -> list[dict[str, Any]]:
        return self._dynamic_trials  # nothing else was read

    def _refreshes_itself(self) -> bool:
        return type(self).refresh is not FollowingTrials.refresh

    def _shows_a_part(self) -> bool:
        return False

    # -- showing -------------------------------------------------------------------------------------------

    @property
    def _trials(self) -> list[dict[str, Any]]:
        state = self.__dict__
        if "_trials" not in state:
            if self._outline is None:
                raise AttributeError("_trials")  # never refreshed
            settled, n, rest = self._outline
            state["_trials"] = [*itertools.islice(settled, n), *rest]
        listed: list[dict[str, Any]] = state["_trials"]
        return listed

    @_trials.setter
    def _trials(self, docs: list[dict[str, Any]]) -> None:
        """Show documents that a subclass has chosen."""
        self.__dict__["_trials"] = docs
        self._outline = (docs, len(docs), [])

    def _show_documents(self, rest: list[dict[str, Any]]) -> None:
        settled = self._settled.visible
        self._outline = (settled, len(settled), [doc for doc in rest if doc["state"] in JOB_VALID_STATES])
        self.__dict__.pop("_trials", None)

    def _shown_now(self) -> Any:
        return self._outline


def replace(doc: dict[str, Any], content: dict[str, Any]) -> None:
    """Let a document be what another one is."""
    for key in doc.keys() - content.keys():
        del doc[key]
    doc.update(content)
