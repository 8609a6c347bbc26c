"""Which documents of a list have changed since they were last looked at.

Documents are edited in place by their owners, who tell nobody. What is compared is the very objects at the places
where a trial's progress shows; replacing one, as every edit of a number or a word does, is seen. Objects and not
values, because that is fast, needs no equality of users' results, and holds for NaN. Followed by the histories
(`codec.Mirror`) and by the save file.

Looking at every document each turn would make a search's turns ever slower. So those who look often may pass over
the *settled* documents: the longest beginning of the list of which each was finished when last seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: States that a trial does not leave by itself; the numbers of `document`, which must not be imported here.
FINAL = frozenset((2, 3, 4))


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
        self._settled = 0

    def __len__(self) -> int:
        return len(self.docs)

    @property
    def settled(self) -> int:
        """Number of documents at the beginning of the list that were all finished when last seen."""
        while self._settled < len(self.docs) and self._states[self._settled] in FINAL:
            self._settled += 1
        return self._settled

    def of(self, docs: Sequence[dict[str, Any]], recent: bool = False) -> list[int]:
        """Return the positions of documents seen before that are not as they were.

        Parameters
        ----------
        docs : sequence of dict
            The list as it is now, no shorter than what was seen.
        recent : bool
            Pass over the settled documents.

        Returns
        -------
        list of int
            Ascending. Positions past those seen are not among them.
        """
        start = self.settled if recent else 0
        columns = (self.docs, self._states, self._results, self._statuses, self._losses, self._times)
        seen = zip(docs[start:], *(column[start:] for column in columns))
        return [
            position
            for position, (doc, old, state, result, status, loss, time) in enumerate(seen, start)
            if doc["state"] is not state
            or (now := doc["result"]) is not result
            or now.get("loss") is not loss
            or now.get("status") is not status
            or doc["refresh_time"] is not time
            or doc is not old
        ]

    def remember(self, position: int, doc: dict[str, Any]) -> None:
        """Take a document as seen; `position` is one seen before or the next new one."""
        if position < self._settled and doc["state"] not in FINAL:
            self._settled = position
        result = doc["result"]
        seen = (doc, doc["state"], result, result.get("status"), result.get("loss"), doc["refresh_time"])
        columns = (self.docs, self._states, self._results, self._statuses, self._losses, self._times)
        for column, item in zip(columns, seen):
            column[position : position + 1] = [item]
