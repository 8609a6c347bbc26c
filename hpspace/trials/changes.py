"""Which documents of a list have changed since they were last looked at.

Documents are edited in place by their owners, who tell nobody. What is compared is the very objects at the places
where a trial's progress shows; replacing one, as every edit of a number or a word does, is seen. Objects and not
values, because that is fast, needs no equality of users' results, and holds for NaN. Followed by the histories
(`codec.Mirror`) and by the save file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Changes:
    """What was last seen of each document of a list that grows.

    Examples
    --------
    >>> docs = [{"state": 0, "result": {"status": "new"}, "refresh_time": None}]
    >>> changes = Changes()
    >>> changes.remember(0, docs[0])
    >>> changes.of(docs)
    []
    >>> docs[0]["state"] = 1
    >>> changes.of(docs)
    [0]
    """

    def __init__(self) -> None:
        #: The documents seen, by position.
        self.docs: list[dict[str, Any]] = []
        self._states: list[Any] = []
        self._results: list[Any] = []
        self._statuses: list[Any] = []
        self._losses: list[Any] = []
        self._times: list[Any] = []

    def __len__(self) -> int:
        return len(self.docs)

    def of(self, docs: Sequence[dict[str, Any]]) -> list[int]:
        """Return the positions of documents seen before that are not as they were.

        Parameters
        ----------
        docs : sequence of dict
            The list as it is now, no shorter than what was seen.

        Returns
        -------
        list of int
            Ascending. Positions past those seen are not among them.
        """
        seen = zip(docs, self.docs, self._states, self._results, self._statuses, self._losses, self._times)
        return [
            position
            for position, (doc, old, state, result, status, loss, time) in enumerate(seen)
            if doc["state"] is not state
            or (now := doc["result"]) is not result
            or now.get("loss") is not loss
            or now.get("status") is not status
            or doc["refresh_time"] is not time
            or doc is not old
        ]

    def remember(self, position: int, doc: dict[str, Any]) -> None:
        """Take a document as seen; `position` is one seen before or the next new one."""
        result = doc["result"]
        seen = (doc, doc["state"], result, result.get("status"), result.get("loss"), doc["refresh_time"])
        columns = (self.docs, self._states, self._results, self._statuses, self._losses, self._times)
        for column, item in zip(columns, seen):
            column[position : position + 1] = [item]
