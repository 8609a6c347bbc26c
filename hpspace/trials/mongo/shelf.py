"""What MongoDB keeps beside trials: bytes, facts and the objective of each experiment, and who is there.

The lower half of `store.MongoStore`, which adds the trials. An experiment has one document in ``drivers``::

    exp_key   meta {...}   domain {sha, file, signature, until}

whose objective is swapped by pointing to another file, once that is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpspace.exceptions import DomainSwapError
from hpspace.trials.document import DOMAIN_CMD
from hpspace.trials.mongo.blobs import TRIES, Blobs
from hpspace.trials.mongo.connect import Document, Link, brief, patient
from hpspace.trials.mongo.moves import NOW, literal
from hpspace.trials.mongo.schema import DRIVERS, WORKERS
from hpspace.trials.mongo.values import storable
from hpspace.trials.shared.contract import DRIVER_LEASE, LEASE

if TYPE_CHECKING:
    from bson import ObjectId
    from pymongo.collection import Collection


#: Objectives whose bytes are kept in memory.
OBJECTIVES = 4


class MongoShelf:
    """Blobs, meta, objectives and presence.

    Parameters
    ----------
    link : Link
        The database.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._blobs = Blobs(link)
        self._objectives: dict[ObjectId, bytes] = {}  # those read last

    @property
    def _drivers(self) -> Collection[Document]:
        return self._link.database[DRIVERS]

    # -- what belongs to an experiment ---------------------------------------------------------------------

    def put_blob(self, exp_key: str | None, name: str, data: bytes) -> None:
        """Keep bytes; see `Store.put_blob`."""
        self._blobs.put(exp_key, name, data)

    def get_blob(self, exp_key: str | None, name: str) -> bytes:
        """Return bytes; see `Store.get_blob`."""
        return self._blobs.get(exp_key, name)

    def delete_blob(self, exp_key: str | None, name: str) -> None:
        """Remove bytes; see `Store.delete_blob`."""
        self._blobs.delete(exp_key, name)

    def blob_names(self, exp_key: str | None, prefix: str = "") -> list[str]:
        """List names; see `Store.blob_names`."""
        return self._blobs.names(exp_key, prefix)

    @patient
    def get_meta(self, exp_key: str | None) -> dict[str, Any]:
        """Return facts; see `Store.get_meta`."""
        found = self._drivers.find_one({"exp_key": exp_key}, {"meta": True}) or {}
        return dict(found.get("meta", {}))

    def update_meta(self, exp_key: str | None, facts: Mapping[str, Any]) -> None:
        """Merge facts; see `Store.update_meta`."""
        merged = {"$mergeObjects": [{"$ifNull": ["$meta", {}]}, literal(storable(facts, "meta"))]}
        self._update_driver(exp_key, {"meta": merged})

    @patient
    def _update_driver(self, exp_key: str | None, fields: dict[str, Any]) -> None:
        self._drivers.update_one({"exp_key": exp_key}, [{"$set": fields}], upsert=True)

    @brief
    def _make_driver(self, exp_key: str | None) -> None:
        """Make the document of an experiment, so that there is one to hold."""
        self._drivers.update_one({"exp_key": exp_key}, {"$setOnInsert": {"meta": {}}}, upsert=True)

    # -- the objective -------------------------------------------------------------------------------------

    def publish_domain(
        self,
        exp_key: str | None,
        sha: str,
        blob: bytes | None = None,
        signature: str | None = None,
        ttl: float = DRIVER_LEASE,
    ) -> None:
        """Declare and hold the objective; see `Store.publish_domain`."""
        self._make_driver(exp_key)
        file = None if blob is None else self._file_of(exp_key, sha, blob, signature)
        found, old = self._swap(exp_key, sha, file, signature, ttl)
        if not found:
            self._discard(file)
            raise DomainSwapError(exp_key, f"held until {old['until']:%H:%M:%S} UTC unless renewed")
        if file is not None and old.get("file") != file:
            self._discard(old.get("file"))

    @patient
    def _file_of(self, exp_key: str | None, sha: str, blob: bytes, signature: str | None) -> ObjectId:
        """Return the file with the bytes of an objective, written now unless it is there."""
        same = {
            "exp_key": exp_key,
            "domain.sha": sha,
            "domain.signature": signature,
            "domain.file": {"$ne": None},
        }
        there = self._drivers.find_one(same)
        if there is not None:
            file: ObjectId = there["domain"]["file"]
            return file
        return self._blobs.write(blob, exp_key, DOMAIN_CMD[1], domain=True)

    @brief
    def _swap(
        self, exp_key: str | None, sha: str, file: ObjectId | None, signature: str | None, ttl: float
    ) -> tuple[bool, Document]:
        """Let the experiment's objective be this one, if nobody holds another; whether it is, and the one before."""
        is_same = {"$eq": ["$domain.sha", literal(sha)]}
        domain = {
            "sha": literal(sha),
            "file": file or {"$cond": [is_same, "$domain.file", None]},
            "signature": literal(signature)
            if file
            else {"$cond": [is_same, "$domain.signature", literal(signature)]},
            "until": {"$add": [NOW, round(1000 * ttl)]},
        }
        free = {"$expr": {"$or": [is_same, {"$lte": ["$domain.until", NOW]}]}}  # also if there is none
        before = self._drivers.find_one_and_update(
            {"exp_key": exp_key, **free}, [{"$set": {"domain": domain}}]
        )
        held = before or self._drivers.find_one({"exp_key": exp_key}) or {}
        return before is not None, held.get("domain", {})

    @patient
    def _discard(self, file: ObjectId | None) -> None:
        if file is not None:
            self._blobs.remove([file])

    def domain(self, exp_key: str | None) -> tuple[str, bytes | None, str | None]:
        """Return the objective; see `Store.domain`."""
        from gridfs.errors import GridFSError

        for _ in range(TRIES):
            with contextlib.suppress(GridFSError):  # swapped since we looked
                return self._domain(exp_key)
        return self._domain(exp_key)

    @patient
    def _domain(self, exp_key: str | None) -> tuple[str, bytes | None, str | None]:
        found = self._drivers.find_one({"exp_key": exp_key, "domain.sha": {"$exists": True}})
        if found is None:
            raise KeyError(f"no objective of exp_key={exp_key!r} was published")
        domain = found["domain"]
        return domain["sha"], self._bytes_of(domain["file"]), domain["signature"]

    def _bytes_of(self, file: ObjectId | None) -> bytes | None:
        """Return the bytes of an objective; workers ask for the same ones before every trial, and have them once."""
        if file is None:
            return None
        if file not in self._objectives:
            kept = list(self._objectives.items())[-(OBJECTIVES - 1) :]
            self._objectives = {**dict(kept), file: self._blobs.read(file)}
        return self._objectives[file]

    # -- presence ------------------------------------------------------------------------------------------

    @brief
    def hello(self, worker: Mapping[str, Any]) -> None:
        """Note a worker's presence; see `Store.hello`."""
        about = storable(worker, "worker")
        fields = {"about": literal(about), "exp_key": literal(about.get("exp_key")), "seen": NOW}
        self._link.database[WORKERS].update_one({"_id": about["owner"]}, [{"$set": fields}], upsert=True)

    @brief
    def workers(self, exp_key: str | None, within: float = LEASE) -> list[dict[str, Any]]:
        """List present workers; see `Store.workers`."""
        experiment = {} if exp_key is None else {"exp_key": {"$in": [None, exp_key]}}
        present = {"$gte": ["$seen", {"$subtract": [NOW, round(1000 * within)]}]}
        age = {"$divide": [{"$subtract": [NOW, "$seen"]}, 1000]}
        found = self._link.database[WORKERS].find(
            {**experiment, "$expr": present}, {"about": True, "age": age}
        )
        return [{**worker["about"], "seen": float(worker["age"])} for worker in found]

    # -- for `MongoStore` ----------------------------------------------------------------------------------

    def _shelved_keys(self) -> set[str | None]:
        """Return the experiments that have anything here."""
        return {
            driver.get("exp_key") for driver in self._drivers.find({}, {"exp_key": True})
        } | self._blobs.exp_keys()

    def _clear(self, exp_keys: set[str | None]) -> None:
        """Remove all that experiments have."""
        self._drivers.delete_many({"exp_key": {"$in": list(exp_keys)}})
        self._blobs.remove(self._blobs.of_experiments(exp_keys))
