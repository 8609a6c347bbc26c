"""What a SQLite store keeps beside trials: bytes, facts and the objective of each experiment, and who is there.

The lower half of `sqlite.SqliteStore`, which adds the trials.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from hpspace.exceptions import DomainSwapError
from hpspace.trials.document import DOMAIN_CMD
from hpspace.trials.shared.contract import DRIVER_LEASE, LEASE
from hpspace.trials.shared.encoding import decode, encode
from hpspace.trials.shared.sqlite_file import SqliteFile
from hpspace.trials.shared.sqlite_rows import NOW, time_of

#: Bytes of one row of a blob.
CHUNK = 4 * 2**20
#: Days after which an absent worker is forgotten.
WORKER_DAYS = 7
#: The blob that holds the objective; the name under which Hyperopt's programs look for it.
DOMAIN_BLOB = DOMAIN_CMD[1]


class SqliteShelf:
    """Blobs, meta, objectives and presence, in a file."""

    _file: SqliteFile

    # -- blobs ---------------------------------------------------------------------------------------------

    def put_blob(self, exp_key: str | None, name: str, data: bytes) -> None:
        """Keep bytes; see `Store.put_blob`."""
        with self._file.writing() as db:
            _put_blob(db, exp_key, name, data)

    def get_blob(self, exp_key: str | None, name: str) -> bytes:
        """Return bytes; see `Store.get_blob`."""
        with self._file.reading() as db:
            data = _get_blob(db, exp_key, name)
        if data is None:
            raise KeyError(name)
        return data

    def delete_blob(self, exp_key: str | None, name: str) -> None:
        """Remove bytes; see `Store.delete_blob`."""
        with self._file.writing() as db:
            if not _drop_blob(db, exp_key, name):
                raise KeyError(name)

    def blob_names(self, exp_key: str | None, prefix: str = "") -> list[str]:
        """List names; see `Store.blob_names`."""
        with self._file.reading() as db:
            return _blob_names(db, exp_key, prefix)

    # -- meta ----------------------------------------------------------------------------------------------

    def get_meta(self, exp_key: str | None) -> dict[str, Any]:
        """Return facts; see `Store.get_meta`."""
        with self._file.reading() as db:
            return _meta(db, exp_key)

    def update_meta(self, exp_key: str | None, facts: Mapping[str, Any]) -> None:
        """Merge facts; see `Store.update_meta`."""
        encode(facts, "meta")  # what cannot be kept is refused before anything is touched
        with self._file.writing() as db:
            meta = encode({**_meta(db, exp_key), **facts}, "meta")
            _set_experiment(db, exp_key, meta=meta)

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
        query = f"SELECT domain_sha, domain_until, {NOW} FROM experiments WHERE exp_key = ?"  # noqa: S608
        with self._file.writing() as db:
            held, until, now = db.execute(query, [exp_key or ""]).fetchone() or (None, 0, 0)
            if held not in (None, sha) and until > now:
                raise DomainSwapError(exp_key, f"held until {time_of(until):%H:%M:%S} UTC unless renewed")
            if blob is not None or held != sha:
                _drop_blob(db, exp_key, DOMAIN_BLOB)
                _set_experiment(db, exp_key, domain_sha=sha, domain_signature=signature)
            if blob is not None:
                _put_blob(db, exp_key, DOMAIN_BLOB, blob)
            db.execute(
                f"UPDATE experiments SET domain_until = {NOW} + ? WHERE exp_key = ?",  # noqa: S608
                [round(ttl * 1000), exp_key or ""],
            )

    def domain(self, exp_key: str | None) -> tuple[str, bytes | None, str | None]:
        """Return the objective; see `Store.domain`."""
        with self._file.reading() as db:
            sha, signature = db.execute(
                "SELECT domain_sha, domain_signature FROM experiments WHERE exp_key = ?", [exp_key or ""]
            ).fetchone() or (None, None)
            if sha is None:
                raise KeyError("objective")
            return sha, _get_blob(db, exp_key, DOMAIN_BLOB), signature

    # -- presence ------------------------------------------------------------------------------------------

    def hello(self, worker: Mapping[str, Any]) -> None:
        """Note a worker's presence; see `Store.hello`."""
        about = encode(worker, "worker")
        with self._file.writing() as db:
            db.execute(
                f"INSERT OR REPLACE INTO workers VALUES (?, ?, {NOW}, ?)",  # noqa: S608
                [worker["owner"], worker.get("exp_key") or "", about],
            )
            db.execute(f"DELETE FROM workers WHERE seen < {NOW} - ?", [WORKER_DAYS * 86_400_000])  # noqa: S608

    def workers(self, exp_key: str | None, within: float = LEASE) -> list[dict[str, Any]]:
        """List present workers; see `Store.workers`."""
        query = f"""
            SELECT about, ({NOW} - seen) / 1000.0 AS age FROM workers
            WHERE age <= :within AND (:exp_key IS NULL OR exp_key IN ('', :exp_key)) ORDER BY owner
        """  # noqa: S608
        with self._file.reading() as db:
            found = db.execute(query, {"within": within, "exp_key": exp_key}).fetchall()
        return [{**decode(about), "seen": max(0.0, age)} for about, age in found]


# -- within a transaction -----------------------------------------------------------------------------------


def drop_experiment(db: sqlite3.Connection, exp_key: str | None) -> None:
    """Remove all that an experiment has but its trials."""
    drop_blobs(db, exp_key, "")
    db.execute("DELETE FROM experiments WHERE exp_key = ?", [exp_key or ""])


def drop_blobs(db: sqlite3.Connection, exp_key: str | None, prefix: str) -> None:
    """Remove the blobs of an experiment whose names begin with a prefix."""
    for name in _blob_names(db, exp_key, prefix):
        _drop_blob(db, exp_key, name)


def experiment_metas(db: sqlite3.Connection) -> dict[str | None, dict[str, Any]]:
    """Return the facts of each experiment that has anything but trials."""
    metas: dict[str | None, dict[str, Any]] = {
        exp_key or None: {} for (exp_key,) in db.execute("SELECT DISTINCT exp_key FROM blobs")
    }
    rows = db.execute("SELECT exp_key, meta FROM experiments")
    return {**metas, **{exp_key or None: decode(meta) for exp_key, meta in rows}}


def _blob_names(db: sqlite3.Connection, exp_key: str | None, prefix: str) -> list[str]:
    last = prefix + chr(0x10FFFF)
    names = db.execute(
        "SELECT name FROM blobs WHERE exp_key = ? AND name BETWEEN ? AND ? ORDER BY name",
        [exp_key or "", prefix, last],
    )
    return [name for (name,) in names if name.startswith(prefix)]


def _blob_id(db: sqlite3.Connection, exp_key: str | None, name: str) -> int | None:
    query = "SELECT id FROM blobs WHERE exp_key = ? AND name = ?"
    (blob,) = db.execute(query, [exp_key or "", name]).fetchone() or (None,)
    return blob


def _get_blob(db: sqlite3.Connection, exp_key: str | None, name: str) -> bytes | None:
    blob = _blob_id(db, exp_key, name)
    chunks = db.execute("SELECT data FROM chunks WHERE blob = ? ORDER BY position", [blob])
    return None if blob is None else b"".join(data for (data,) in chunks)


def _put_blob(db: sqlite3.Connection, exp_key: str | None, name: str, data: bytes) -> None:
    _drop_blob(db, exp_key, name)
    row = [exp_key or "", name, len(data)]
    blob = db.execute("INSERT INTO blobs (exp_key, name, size) VALUES (?, ?, ?)", row).lastrowid
    view = memoryview(data)
    for position in range(0, len(view), CHUNK):
        chunk = view[position : position + CHUNK]
        db.execute("INSERT INTO chunks VALUES (?, ?, ?)", [blob, position, chunk])


def _drop_blob(db: sqlite3.Connection, exp_key: str | None, name: str) -> bool:
    """Remove a blob; False if there is none."""
    blob = _blob_id(db, exp_key, name)
    db.execute("DELETE FROM chunks WHERE blob = ?", [blob])
    db.execute("DELETE FROM blobs WHERE id = ?", [blob])
    return blob is not None


def _meta(db: sqlite3.Connection, exp_key: str | None) -> dict[str, Any]:
    found = db.execute("SELECT meta FROM experiments WHERE exp_key = ?", [exp_key or ""]).fetchone()
    meta: dict[str, Any] = decode(found[0]) if found else {}
    return meta


def _set_experiment(db: sqlite3.Connection, exp_key: str | None, **columns: str | None) -> None:
    """Set columns of an experiment's row, which is made if need be."""
    db.execute("INSERT OR IGNORE INTO experiments (exp_key) VALUES (?)", [exp_key or ""])
    for column, value in columns.items():
        db.execute(f"UPDATE experiments SET {column} = ? WHERE exp_key = ?", [value, exp_key or ""])  # noqa: S608
