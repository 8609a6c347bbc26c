"""Where each trial id stands in the list of documents, without walking it for every question.

The list belongs to others, who may append to it or remove from it at any time; so the index follows the
list's growth, starts anew when the list has shrunk, and never answers with a position it has not checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class TidIndex:
    """Positions of documents by tid.

    Examples
    --------
    >>> docs = [{"tid": 7}]
    >>> index = TidIndex()
    >>> index.find(docs, 7), index.find(docs, 8), index.next_tid(docs)
    (0, None, 8)
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._positions: dict[Any, int] = {}
        self._known = 0
        self._highest = -1

    def find(self, docs: Sequence[dict[str, Any]], tid: Any) -> int | None:
        """Return the position of the document with an id, None if there is none."""
        self.follow(docs)
        position = self._positions.get(tid)
        if position is None or docs[position]["tid"] == tid:
            return position
        self._clear()
        self.follow(docs)
        return self._positions.get(tid)

    def next_tid(self, docs: Sequence[dict[str, Any]]) -> int:
        """Return the lowest int above every int among the ids."""
        self.follow(docs)
        return self._highest + 1

    def follow(self, docs: Sequence[dict[str, Any]]) -> list[Any]:
        """Read the documents that were added since the last call and return their ids.

        Parameters
        ----------
        docs : sequence of dict
            All documents.

        Returns
        -------
        list
            Ids not known before; all of them when documents were removed meanwhile.
        """
        if len(docs) < self._known:
            self._clear()
        added = [doc["tid"] for doc in docs[self._known :]]
        for position, tid in enumerate(added, self._known):
            self._positions.setdefault(tid, position)
            if isinstance(tid, int):
                self._highest = max(self._highest, tid)
        self._known = len(docs)
        return added
