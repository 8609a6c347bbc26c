"""The finished documents at the beginning of a store's list: looked at once, then counted and shown from memory."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hpspace.trials.changes import FINAL
from hpspace.trials.document import JOB_VALID_STATES

_VALID = frozenset(JOB_VALID_STATES)


class Settled:
    """The documents up to the first one that is not finished.

    Most trials of a long search are settled, so that a look at the store costs what is in flight, not what was done.

    Attributes
    ----------
    n : int
        How many there are.
    visible : list of dict
        Those in a valid state, in their order.
    states : Counter
        State to number of settled documents.
    """

    def __init__(self) -> None:
        self.n = 0
        self.visible: list[dict[str, Any]] = []
        self.states: Counter[int] = Counter()

    def follow(self, docs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Reach up to the first unfinished one of all documents; return those from there on."""
        rest = docs[self.n :]
        states = [doc["state"] for doc in rest]
        if not FINAL.issuperset(states):
            del states[next(i for i, state in enumerate(states) if state not in FINAL) :]
        finished = rest[: len(states)]
        hidden = not _VALID.issuperset(states)
        self.visible += [doc for doc in finished if doc["state"] in _VALID] if hidden else finished
        self.states.update(states)
        self.n += len(states)
        return rest[len(states) :]
