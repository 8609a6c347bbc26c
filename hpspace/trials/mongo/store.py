"""Trials in MongoDB: the contract of `hpspace.trials.shared.contract`, one command of the server a move.

Read beside it `moves`, which says what each command looks for and changes; `connect`, by which each method is repeated
until the server answers; and `schema`, which says where things are. What a repetition may find done already is each
method's business: a claim knows its token before it is made, a finished trial knows by which token, an inserted
document its ``_id``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection as Some
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hpspace.trials.document import JOB_STATE_NEW, JOB_STATE_RUNNING, TRANSITIONS
from hpspace.trials.mongo import moves, schema, wake
from hpspace.trials.mongo.blobs import WITH_FILES, attached
from hpspace.trials.mongo.connect import FIRST_CONTACT, Document, Link, brief, patient
from hpspace.trials.mongo.reading import MongoReader
from hpspace.trials.mongo.url import MongoUrl
from hpspace.trials.mongo.values import restored, storable
from hpspace.trials.mongo.where import given
from hpspace.trials.moves import check_outcome
from hpspace.trials.shared.contract import LEASE, MAX_ATTEMPTS, OWN_KEYS, SCHEMA_VERSION, Claim, Reaped
from hpspace.trials.shared.rules import check_insertable, new_token, same_trial, tid_taken, worker_lost

R = TypeVar("R")

_DUPLICATE = 11000

#: What is read of documents for a certain purpose: to know a trial, to take it back, to see whether it changed.
_IDENTITY = dict.fromkeys(("tid", "exp_key", "misc.vals"), True)
_HOLD = {
    **dict.fromkeys(("tid", "owner", "token", "attempt", "lease", "lease_until"), True),
    "silent": {"$divide": [{"$subtract": [moves.NOW, "$refresh_time"]}, 1000]},  # seconds
}


class MongoStore(MongoReader):
    """A store in a database of MongoDB. Use `open_store` to make one.

    Parameters
    ----------
    link : Link
        The database; contact was made.
    adopt_stale : float, optional
        Seconds after which `reap` takes back trials of workers that hold no leases, as Hyperopt's are: so an experiment
        that such workers left behind can be taken over. By default never.
    """

    def __init__(self, link: Link, adopt_stale: float | None = None) -> None:
        super().__init__(link)
        self.adopt_stale = adopt_stale
        self._given_out = 0  # ids below are known to be given out

    @property
    def url(self) -> str:
        """The address without the password."""
        return self._link.url.shown

    @property
    def link(self) -> Link:
        """The connection: for its `patience`, and for whoever wants to talk to the database directly."""
        return self._link

    def __repr__(self) -> str:
        return f"MongoStore({self.url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the address without its password, which `where.given` has to find again."""
        url = self._link.url
        return open_store, (replace(url, password=None), FIRST_CONTACT, self._link.patience, self.adopt_stale)

    def close(self) -> None:
        """Disconnect. The store connects again when it is needed."""
        self._link.close()

    # -- trials: adding and evaluating ---------------------------------------------------------------------

    @patient
    def new_tids(self, n: int) -> list[int]:
        """Give out ids; see `Store.new_tids`."""
        from pymongo import ReturnDocument

        counter = self._link.database[schema.COUNTERS].find_one_and_update(
            schema.THE_COUNTER, {"$inc": {"last_id": n}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        assert counter is not None  # upsert
        self._given_out = int(counter["last_id"])
        return list(range(self._given_out - n, self._given_out))

    def insert(self, docs: Sequence[Mapping[str, Any]]) -> None:
        """Add documents; see `Store.insert`.

        All or none as far as a document can be refused. A server that dies in the middle is asked again.
        """
        new: dict[int, Document] = {}
        for doc in docs:
            check_insertable(doc)
            copy = insertable(doc)
            if not same_trial(new.setdefault(doc["tid"], copy), copy):
                raise tid_taken(doc)
        if new:
            self._raise_counter(max(new) + 1)
            self._insert(new)

    @patient
    def _raise_counter(self, at_least: int) -> None:
        if at_least > self._given_out:
            schema.raise_counter(self._link.database, at_least)
            self._given_out = at_least

    @patient
    def _insert(self, new: dict[int, Document]) -> None:
        """Insert those that are not there; InvalidTrial before any is, if the id of one is taken."""
        from pymongo import UpdateOne
        from pymongo.errors import BulkWriteError

        there = {doc["tid"]: doc for doc in self.jobs.find(moves.of(None, new), _IDENTITY)}
        for tid, doc in there.items():
            if not same_trial({"exp_key": None, **doc}, new[tid]):
                raise tid_taken(new[tid])
        missing = [doc for tid, doc in new.items() if tid not in there]
        writes = [UpdateOne({"_id": doc["_id"]}, moves.born(doc), upsert=True) for doc in missing]
        try:
            if writes:
                self.jobs.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            if not any(write.get("code") == _DUPLICATE for write in error.details["writeErrors"]):
                raise
            self._insert_after_a_race(new, missing)
        wake.ring(self._link)

    def _insert_after_a_race(self, new: dict[int, Document], ours: list[Document]) -> None:
        """Look again, now that somebody else has inserted a document with one of the ids at the same moment."""
        try:
            self._insert(new)
        except ValueError:
            self.jobs.delete_many({"_id": {"$in": [doc["_id"] for doc in ours]}, "state": JOB_STATE_NEW})
            raise

    def reserve(
        self, owner: str, exp_key: str | None, lease: float = LEASE, tid: int | None = None
    ) -> Claim | None:
        """Claim a queued trial; see `Store.reserve`."""
        queue, token = moves.queued(exp_key, None if tid is None else [tid]), new_token()
        tries = itertools.count()
        doc = self._link.insist(
            lambda: self._claimed(token, next(tries)) or self._claim(queue, owner, token, lease)
        )
        return None if doc is None else Claim(doc["tid"], token, doc["attempt"], self._moved(restored(doc)))

    def _claim(self, queue: moves.Filter, owner: str, token: str, lease: float) -> Document | None:
        from pymongo import ReturnDocument

        change, first = moves.claimed(owner, token, lease), [("tid", 1)]
        return self.jobs.find_one_and_update(queue, change, sort=first, return_document=ReturnDocument.AFTER)

    def _claimed(self, token: str, tries: int) -> Document | None:
        """Return the trial that was claimed by a try of which no answer came."""
        return self.jobs.find_one({"state": JOB_STATE_RUNNING, "token": token}) if tries else None

    @brief
    def beat(self, claims: Iterable[Claim], lease: float = LEASE) -> set[int]:
        """Extend leases; see `Store.beat`."""
        mine = {claim.token: claim.tid for claim in claims}
        held = {**moves.of(None, mine.values(), state=JOB_STATE_RUNNING), "token": {"$in": list(mine)}}
        found = self.jobs.update_many(held, moves.extended(lease))
        if found.matched_count == len(mine):
            return set(mine.values())
        return {doc["tid"] for doc in self.jobs.find(held, {"tid": True})}

    def checkpoint(
        self, claim: Claim, result: Mapping[str, Any] | None = None, misc: Mapping[str, Any] | None = None
    ) -> bool:
        """Write through what is known of a running trial; see `Store.checkpoint`."""
        return self._update_held(claim, moves.updated(*_content(result, misc)))

    def finish(
        self,
        claim: Claim,
        state: int,
        result: Mapping[str, Any] | None = None,
        misc: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a trial; see `Store.finish`."""
        check_outcome(claim.tid, state)
        done = self._update_held(claim, moves.ended(claim.token, state, *_content(result, misc)))
        return done or self._ended_by(claim)

    @patient
    def _ended_by(self, claim: Claim) -> bool:
        return self.jobs.find_one({"tid": claim.tid, "closed_by": claim.token}, {"_id": True}) is not None

    def release(self, claim: Claim, counted: bool = False) -> bool:
        """Hand a trial back; see `Store.release`."""
        return self._update_held(claim, moves.queued_again(less=0 if counted else 1))

    @patient
    def _update_held(self, claim: Claim, change: moves.Pipeline) -> bool:
        """Change the trial of a claim, if that is the newest one."""
        return self._moved(self.jobs.update_one(moves.held(claim), change).matched_count > 0)

    def reap(self, exp_key: str | None, max_attempts: int = MAX_ATTEMPTS, dead: Some[str] = ()) -> Reaped:
        """Take back the trials that nobody holds any more; see `Store.reap`.

        Those whose lease has run out only after this process has been in touch with the server for as long as that
        lease was: see `contact`.
        """
        reaped = Reaped()
        for doc in self._unheld(exp_key, dead):
            if doc["owner"] not in dead and not self._has_lapsed(doc):
                continue
            attempt = int(doc.get("attempt") or 0)
            if attempt < max_attempts and self._take_back(doc, moves.queued_again()):
                reaped.requeued.append(doc["tid"])
            elif attempt >= max_attempts and self._take_back(
                doc, moves.given_up(worker_lost(attempt, doc["owner"]))
            ):
                reaped.failed.append(doc["tid"])
        return reaped

    @brief
    def _unheld(self, exp_key: str | None, dead: Some[str]) -> list[Document]:
        """Return the running trials without a valid lease, or of dead owners, as far as is needed to take them back."""
        owned = moves.of(exp_key, state=JOB_STATE_RUNNING, owner={"$in": list(dead)})
        return [
            *(self.jobs.find(owned, _HOLD) if dead else ()),
            *self.jobs.find(moves.expired(exp_key), _HOLD),
        ]

    def _has_lapsed(self, doc: Document) -> bool:
        """Whether a running trial without a valid lease is lost, as far as this process can tell."""
        if "lease_until" in doc:
            return self._link.contact.steady(doc.get("lease") or 0.0)
        silent = math.inf if doc["silent"] is None else doc["silent"]
        return self.adopt_stale is not None and silent > self.adopt_stale

    @brief
    def _take_back(self, doc: Document, change: moves.Pipeline) -> bool:
        return self._moved(self.jobs.update_one(moves.unchanged(doc), change).matched_count > 0)

    # -- trials: orders of an operator ---------------------------------------------------------------------

    @patient
    def cancel(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Cancel queued trials; see `Store.cancel`."""
        return self._moved(
            self.jobs.update_many(moves.queued(exp_key, tids), moves.cancelled()).modified_count
        )

    @patient
    def requeue(self, exp_key: str | None, tids: Iterable[int]) -> int:
        """Queue trials again; see `Store.requeue`."""
        states = [state for state, following in TRANSITIONS.items() if JOB_STATE_NEW in following]
        movable = moves.of(exp_key, tids, state={"$in": states})
        return self._moved(self.jobs.update_many(movable, moves.queued_again(attempts=0)).modified_count)

    @patient
    def delete(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Remove trials and what belongs to them; see `Store.delete`."""
        goners = moves.of(exp_key, tids)
        keys: set[str | None] = {exp_key} if exp_key is not None else self._experiment_keys()
        files = [
            file
            for doc in self.jobs.find({**goners, **WITH_FILES}, {"_attachments": True})
            for file in attached(doc)
        ]
        deleted = self.jobs.delete_many(goners).deleted_count
        self._blobs.remove(files)
        if tids is None:
            self._clear(keys)
        self.mark_deletion()
        return self._moved(deleted)

    @patient
    def mark_deletion(self) -> None:
        """Let readers start anew: trials were deleted."""
        from bson import ObjectId

        new = {"$set": {"deletions": ObjectId()}, "$setOnInsert": {"schema": SCHEMA_VERSION}}
        self._link.database[schema.STORE].update_one(schema.THE_STORE, new, upsert=True)

    def _moved(self, outcome: R) -> R:
        """Tell others of a move, if there was one."""
        if outcome:
            wake.ring(self._link)
        return outcome


def open_store(
    address: str | MongoUrl | None = None,
    timeout: float = FIRST_CONTACT,
    patience: float = math.inf,
    adopt_stale: float | None = None,
) -> MongoStore:
    """Connect to a store in MongoDB.

    Parameters
    ----------
    address : str or MongoUrl, optional
        See `hpspace.trials.mongo.url`; None, or a missing password, is looked up by `where.given`.
    timeout : float
        Seconds that the first contact may take; infinity to wait for the server.
    patience : float
        Seconds for which an operation is repeated while the server is away later on.
    adopt_stale : float, optional
        As for `MongoStore`.

    Returns
    -------
    MongoStore

    Raises
    ------
    UnknownStore
        The address is wrong.
    StoreUnavailable
        Nothing answers there.
    StoreRefused
        User, password or rights are wrong.
    StoreTooNew
        A later release has written it.
    """
    url = given(address)
    link = Link(url, patience)
    try:
        link.open(timeout)
        link.insist(lambda: schema.prepare(link))
        link.insist(lambda: wake.make_room(link))
    except BaseException:
        link.close()
        raise
    return MongoStore(link, adopt_stale)


def insertable(doc: Mapping[str, Any]) -> Document:
    """Return the copy of a document that is inserted, with an ``_id`` of its own; Unstorable if there is none."""
    from bson import ObjectId

    copy = storable({key: value for key, value in doc.items() if key not in OWN_KEYS}, f"trial {doc['tid']}")
    return {"_id": ObjectId(), **copy, "error": copy["misc"].get("error")}


def _content(
    result: Mapping[str, Any] | None, misc: Mapping[str, Any] | None
) -> tuple[Document | None, Document]:
    return None if result is None else storable(result, "result"), storable(misc or {}, "misc")
