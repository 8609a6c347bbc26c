"""Reading the trials in MongoDB: what has changed, how many there are, which experiments; and waiting for news.

Every move stamps its document with the server's time (``mtime``). A reader asks for what was stamped since a little
before its last question, and drops by ``version`` what it has already: so a change may become visible a little later
than its stamp says. Should the clock of a server ever jump back by more than `OVERLAP`, a change can be passed over;
`MongoTrials` compares all versions now and then.
"""

from __future__ import annotations

import datetime
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hpspace.trials.direction import MINIMIZE
from hpspace.trials.document import JOB_STATE_DONE, STATUS_OK
from hpspace.trials.mongo import moves, schema
from hpspace.trials.mongo.connect import Document, Link, patient
from hpspace.trials.mongo.shelf import MongoShelf
from hpspace.trials.mongo.values import restored
from hpspace.trials.mongo.wake import Bell
from hpspace.trials.shared.contract import Changes, Experiment

if TYPE_CHECKING:
    from bson import ObjectId
    from pymongo.collection import Collection

#: How much later than its stamp says a change may become visible.
OVERLAP = datetime.timedelta(seconds=2)

_STAMP = dict.fromkeys(("tid", "version", "mtime"), True)


@dataclass(frozen=True)
class Cursor:
    """What a reader has seen."""

    #: Changes when trials are deleted.
    deletions: ObjectId
    #: Whatever was stamped before this time of the server has been seen.
    since: datetime.datetime
    #: Id to version of the documents stamped since then that have been seen too.
    seen: Mapping[int, int] = field(repr=False)


class MongoReader(MongoShelf):
    """The trials of a database, to be read.

    Parameters
    ----------
    link : Link
        The database; contact was made.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._bells = threading.local()

    @property
    def jobs(self) -> Collection[Document]:
        """The collection of trials."""
        return self._link.database[self._link.url.collection]

    # -- following -----------------------------------------------------------------------------------------

    @patient
    def changes(self, exp_key: str | None, cursor: Any = None) -> Changes:
        """Return what changed since a cursor; see `Store.changes`."""
        deletions, now = self._mark()
        if not isinstance(cursor, Cursor) or cursor.deletions != deletions:
            docs = self._read(moves.of(exp_key))
            return Changes(docs, _cursor(deletions, now, docs), reset=cursor is not None)
        stamped = list(self.jobs.find(moves.changed_since(exp_key, cursor.since), _STAMP))
        new = {doc["_id"] for doc in stamped if cursor.seen.get(doc["tid"]) != doc.get("version")}
        docs = self._read({"_id": {"$in": list(new)}}) if new else []
        known = [doc for doc in stamped if doc["_id"] not in new]
        return Changes(docs, _cursor(deletions, now, [*known, *docs]))

    def _mark(self) -> tuple[ObjectId, datetime.datetime]:
        """Return the mark of the last deletion, and the server's time."""
        what = {"deletions": True, "now": moves.NOW}
        store = self._link.database[schema.STORE].find_one(schema.THE_STORE, what)
        if store is None:  # somebody has dropped the whole database
            schema.prepare(self._link)
            return self._mark()
        return store["deletions"], store["now"]

    def _read(self, which: moves.Filter) -> list[Document]:
        return [restored(doc) for doc in self.jobs.find(which)]

    @patient
    def versions(self, exp_key: str | None, tids: Iterable[int] | None = None) -> dict[int, int]:
        """Return the version of each trial, of all or of those with given ids."""
        found = self.jobs.find(moves.of(exp_key, tids), {"tid": True, "version": True})
        return {doc["tid"]: doc.get("version", 0) for doc in found}

    @patient
    def tids(self, which: moves.Filter) -> list[int]:
        """Return the ids of the trials that a filter of MongoDB describes."""
        return [doc["tid"] for doc in self.jobs.find(which, {"tid": True})]

    @patient
    def documents(self, tids: Iterable[int]) -> list[Document]:
        """Return the trials with given ids, as far as they are there."""
        return self._read(moves.of(None, tids))

    def wait(self, seconds: float) -> None:
        """Wait for a change; see `Store.wait` and `wake`."""
        if not hasattr(self._bells, "bell"):
            self._bells.bell = Bell(self._link)  # one a thread: what one has heard, another has not
        self._bells.bell.wait(seconds)

    # -- counting ------------------------------------------------------------------------------------------

    @patient
    def counts(self, exp_key: str | None) -> dict[int, int]:
        """Count trials by state; see `Store.counts`."""
        by_state = {"$group": {"_id": "$state", "n": {"$sum": 1}}}
        stages = [{"$match": moves.of(exp_key)}, by_state, {"$sort": {"_id": 1}}]
        return {group["_id"]: group["n"] for group in self.jobs.aggregate(stages)}

    @patient
    def experiments(self) -> list[Experiment]:
        """List the experiments; see `Store.experiments`."""
        found: dict[str | None, list[Document]] = {key: [] for key in self._shelved_keys()}
        for row in self.jobs.aggregate([{"$group": _BY_EXPERIMENT_AND_STATE}, {"$sort": {"_id.state": 1}}]):
            found.setdefault(row["_id"].get("exp_key"), []).append(row)
        keys = sorted(found, key=lambda key: (key is not None, key or ""))
        return [self._experiment(key, found[key]) for key in keys]

    def _experiment(self, exp_key: str | None, rows: list[Document]) -> Experiment:
        return Experiment(
            exp_key,
            counts={row["_id"]["state"]: row["n"] for row in rows},
            best_loss=min((row["best"] for row in rows if row["best"] is not None), default=None),
            direction=self.get_meta(exp_key).get("direction", MINIMIZE),
            last_change=max((row["last"] for row in rows if row["last"] is not None), default=None),
        )

    def _experiment_keys(self) -> set[str | None]:
        return {*self.jobs.distinct("exp_key"), *self._shelved_keys()}


_LOSS = "$result.loss"
_IS_GOOD = [
    {"$eq": ["$state", JOB_STATE_DONE]},
    {"$eq": ["$result.status", STATUS_OK]},
    {"$isNumber": _LOSS},
    {"$ne": [_LOSS, math.nan]},
]
_BY_EXPERIMENT_AND_STATE = {
    "_id": {"exp_key": "$exp_key", "state": "$state"},
    "n": {"$sum": 1},
    "best": {"$min": {"$cond": [{"$and": _IS_GOOD}, _LOSS, None]}},
    "last": {"$max": "$refresh_time"},
}


def _cursor(deletions: ObjectId, now: datetime.datetime, docs: Iterable[Document]) -> Cursor:
    """Return the place of a reader who has seen documents after having asked for the time."""
    since = now - OVERLAP
    late = {
        doc["tid"]: doc["version"] for doc in docs if doc.get("mtime") is not None and doc["mtime"] >= since
    }
    return Cursor(deletions, since, late)
