"""`MongoTrials.handle`: the collection of trials as Hyperopt's programs use it directly.

Scripts that look at jobs, repair them, or have a worker loop of their own call these methods. They work on raw
documents and move them wherever the caller wants; what hpspace itself does goes through the store. Who reserves a job
here holds no lease on it, as in Hyperopt: only `MongoStore.adopt_stale` or an operator's order takes it back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hpspace.exceptions import StoreError
from hpspace.trials.attachments import attachment_name
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
)
from hpspace.trials.mongo import moves, schema
from hpspace.trials.mongo.connect import Document, Link, once, patient
from hpspace.trials.mongo.store import MongoStore, insertable, open_store
from hpspace.trials.mongo.url import as_mongo_str
from hpspace.trials.mongo.values import storable

if TYPE_CHECKING:
    from gridfs import GridFS
    from pymongo import MongoClient
    from pymongo.collection import Collection
    from pymongo.database import Database


class MongoJobs:
    """The jobs of a database.

    Parameters
    ----------
    store : MongoStore
        The database as a store.
    """

    def __init__(self, store: MongoStore) -> None:
        self.store = store

    @classmethod
    def new_from_connection_str(cls, conn_str: str) -> MongoJobs:
        """Connect to an address; see `hpspace.trials.mongo.url`."""
        return cls(open_store(as_mongo_str(conn_str)))

    # -- what pymongo calls them ---------------------------------------------------------------------------

    @property
    def _link(self) -> Link:
        return self.store.link

    @property
    def conn(self) -> MongoClient[Document]:
        """The client."""
        return self._link.client

    @property
    def db(self) -> Database[Document]:
        """The database."""
        return self._link.database

    @property
    def jobs(self) -> Collection[Document]:
        """The collection of jobs."""
        return self.store.jobs

    @property
    def collection(self) -> Collection[Document]:
        """Another name for `jobs`."""
        return self.jobs

    @property
    def gfs(self) -> GridFS:
        """The files."""
        from gridfs import GridFS

        return GridFS(self.db)

    def create_indexes(self) -> None:
        """Make what is not there; opening the store has done so."""
        schema.prepare(self._link)

    # -- looking -------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Document]:
        return iter(self._list({}))

    @patient
    def __len__(self) -> int:
        return self.jobs.count_documents({})

    def __repr__(self) -> str:
        return f"MongoJobs({self.store.url!r})"

    def jobs_complete(self, cursor: bool = False) -> Any:
        """Return the jobs in state DONE, as a list or as a cursor."""
        return self._in_state(JOB_STATE_DONE, cursor)

    def jobs_error(self, cursor: bool = False) -> Any:
        """Return the jobs in state ERROR, as a list or as a cursor."""
        return self._in_state(JOB_STATE_ERROR, cursor)

    def jobs_queued(self, cursor: bool = False) -> Any:
        """Return the jobs in state NEW, as a list or as a cursor."""
        return self._in_state(JOB_STATE_NEW, cursor)

    def jobs_running(self) -> list[Document]:
        """Return the jobs in state RUNNING whose lease has not run out, or that have none."""
        dead = {doc["_id"] for doc in self.jobs_dead()}
        return [doc for doc in self._in_state(JOB_STATE_RUNNING, cursor=False) if doc["_id"] not in dead]

    def jobs_dead(self) -> list[Document]:
        """Return the jobs in state RUNNING whose lease has run out."""
        return self._list({**moves.expired(None), "lease_until": {"$type": "date"}})

    def _in_state(self, state: int, cursor: bool) -> Any:
        return self.jobs.find({"state": state}) if cursor else self._list({"state": state})

    @patient
    def _list(self, which: Mapping[str, Any]) -> list[Document]:
        return list(self.jobs.find(which))

    # -- changing ------------------------------------------------------------------------------------------

    @patient
    def insert(self, job: Mapping[str, Any]) -> Document:
        """Insert a document and return it with its ``_id``; the one given stays as it is."""
        new = insertable(job)
        self.jobs.update_one({"_id": new["_id"]}, moves.born(new), upsert=True)
        return {**job, "_id": new["_id"]}

    @patient
    def delete(self, job: Mapping[str, Any]) -> None:
        """Delete the jobs that a filter of MongoDB describes, such as a whole document."""
        self.jobs.delete_many(job)
        self.store.mark_deletion()

    def delete_all(self, cond: Mapping[str, Any] | None = None) -> None:
        """Delete the jobs that a filter of MongoDB describes, or all, and their attachments."""
        self.store.delete(None, self.store.tids(dict(cond or {})))

    def delete_all_error_jobs(self) -> None:
        """Delete the jobs in state ERROR and their attachments."""
        self.delete_all({"state": JOB_STATE_ERROR})

    @once
    def reserve(
        self, host_id: Any, cond: Mapping[str, Any] | None = None, exp_key: str | None = None
    ) -> Document | None:
        """Take a queued job: NEW to RUNNING; None if there is none.

        Parameters
        ----------
        host_id : object
            Becomes its owner.
        cond : mapping, optional
            What else it has to be, as a filter of MongoDB.
        exp_key : str, optional
            The experiment; None for any.

        Returns
        -------
        dict or None
            The document.

        Raises
        ------
        ValueError
            `cond` asks for a job that has an owner.
        """
        from pymongo import ReturnDocument

        if (cond or {}).get("owner") is not None:
            raise ValueError(f"a job that has an owner cannot be reserved: cond={cond!r}")
        wanted = {key: value for key, value in (cond or {}).items() if key != "owner"}
        return self.jobs.find_one_and_update(
            {**wanted, **moves.queued(exp_key)},
            moves.booked(host_id),
            sort=[("tid", 1)],
            return_document=ReturnDocument.AFTER,
        )

    def refresh(self, doc: Document) -> None:
        """Note that somebody works on a job."""
        self.update(doc, {})

    @once
    def update(self, doc: Document, dct: Mapping[str, Any]) -> Document:
        """Write keys into a job, in the database and in `doc`, if nobody has changed it since `doc` was read.

        Parameters
        ----------
        doc : dict
            The document; changed in place.
        dct : mapping
            Top-level keys and their new values.

        Returns
        -------
        dict
            `doc`.

        Raises
        ------
        ValueError
            `doc` has no ``_id``, or `dct` another one.
        StoreError
            (Hyperopt's OperationFailure.) Somebody has changed it, or it is gone.
        """
        from pymongo import ReturnDocument

        if "_id" not in doc:
            raise ValueError('doc must have an "_id" key to be updated')
        if dct.get("_id", doc["_id"]) != doc["_id"]:
            raise ValueError("the _id of a job cannot change")
        fields = storable({key: value for key, value in dct.items() if key not in ("_id", "version")}, "job")
        same = {"_id": doc["_id"], "version": doc.get("version")}
        new = self.jobs.find_one_and_update(same, moves.edited(fields), return_document=ReturnDocument.AFTER)
        if new is None:
            raise StoreError(
                f"job {doc['_id']} is not in version {doc.get('version')} any more: read it again"
            )
        doc.update({key: new[key] for key in (*fields, "version", "refresh_time")})
        return doc

    # -- attachments ---------------------------------------------------------------------------------------

    def attachment_names(self, doc: Mapping[str, Any]) -> list[str]:
        """Return the names of a job's attachments, as `doc` knows them."""
        return [pair[0] for pair in doc.get("_attachments") or ()]

    def set_attachment(self, doc: Document, blob: bytes | str, name: str) -> None:
        """Attach bytes to a job under a name; texts are written as UTF-8."""
        data = blob.encode() if isinstance(blob, str) else blob
        self.store.put_blob(doc["exp_key"], attachment_name(doc["tid"], name), data)
        self._follow_attachments(doc)

    def get_attachment(self, doc: Mapping[str, Any], name: str) -> bytes:
        """Return the bytes attached to a job under a name.

        Raises
        ------
        StoreError
            (Hyperopt's OperationFailure.) There are none.
        """
        with _not_found_is_failure(name):
            return self.store.get_blob(doc["exp_key"], attachment_name(doc["tid"], name))

    def delete_attachment(self, doc: Document, name: str) -> None:
        """Remove an attachment of a job; StoreError (Hyperopt's OperationFailure) if there is none."""
        with _not_found_is_failure(name):
            self.store.delete_blob(doc["exp_key"], attachment_name(doc["tid"], name))
        self._follow_attachments(doc)

    @patient
    def _follow_attachments(self, doc: Document) -> None:
        now = self.jobs.find_one({"_id": doc["_id"]}, {"_attachments": True}) or {}
        doc["_attachments"] = now.get("_attachments", [])


@contextlib.contextmanager
def _not_found_is_failure(name: str) -> Iterator[None]:
    try:
        yield
    except KeyError:
        raise StoreError(f"Attachment not found: {name}") from None
