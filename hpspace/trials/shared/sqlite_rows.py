"""The tables of a SQLite store, and documents as rows of them.

What moves change has columns of its own, so that a move is one small update; what people wrote is JSON (`encoding`),
so that ``sqlite3 study.db "select tid, state, loss, result from trials"`` shows it. Times are milliseconds since 1970
in UTC, by the clock of the machine that wrote them.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Mapping
from typing import Any

from hpspace.exceptions import Unstorable
from hpspace.trials.shared.contract import STORE_KEYS
from hpspace.trials.shared.encoding import decode, encode
from hpspace.trials.shared.rules import best_loss_of

#: The statements that make the tables.
SCHEMA = (
    """
    CREATE TABLE trials (
        tid         INTEGER PRIMARY KEY,
        exp_key     TEXT NOT NULL,     -- '' for none, here and below
        state       INTEGER NOT NULL,  -- 0 new, 1 running, 2 done, 3 error, 4 cancelled
        owner       TEXT,              -- who claimed it last
        version     INTEGER NOT NULL,  -- changes so far
        attempt     INTEGER NOT NULL,  -- claims so far
        token       TEXT,              -- proves the present claim
        lease_until INTEGER,           -- end of the present claim
        closed_by   TEXT,              -- token of the claim that ended it
        book_time   INTEGER,
        refresh_time INTEGER,
        loss        REAL,              -- of trials that may be the best; a copy of what the result says
        rev         INTEGER NOT NULL,  -- number of the change to the file in which it changed last
        result      TEXT NOT NULL,     -- JSON
        misc        TEXT NOT NULL,     -- JSON
        rest        TEXT               -- JSON: keys of the document that have no column
    )
    """,
    "CREATE INDEX trials_by_state ON trials (exp_key, state)",
    "CREATE INDEX trials_queued ON trials (tid) WHERE state = 0",
    "CREATE INDEX trials_running ON trials (lease_until) WHERE state = 1",
    "CREATE INDEX trials_by_rev ON trials (rev)",
    """
    CREATE TABLE experiments (
        exp_key     TEXT PRIMARY KEY,
        meta        TEXT NOT NULL DEFAULT '{}',     -- JSON
        domain_sha  TEXT,                           -- the objective
        domain_signature TEXT,
        domain_until INTEGER NOT NULL DEFAULT 0     -- end of the drivers' hold on it
    )
    """,
    """
    CREATE TABLE blobs (
        id          INTEGER PRIMARY KEY,
        exp_key     TEXT NOT NULL,
        name        TEXT NOT NULL,
        size        INTEGER NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX blobs_by_name ON blobs (exp_key, name)",
    """
    CREATE TABLE chunks (
        blob        INTEGER NOT NULL,
        position    INTEGER NOT NULL,
        data        BLOB NOT NULL
    )
    """,
    "CREATE INDEX chunks_by_blob ON chunks (blob, position)",
    """
    CREATE TABLE workers (
        owner       TEXT PRIMARY KEY,
        exp_key     TEXT NOT NULL,
        seen        INTEGER NOT NULL,
        about       TEXT NOT NULL      -- JSON
    )
    """,
    """
    CREATE TABLE counters (
        name        TEXT PRIMARY KEY,
        value       INTEGER NOT NULL
    )
    """,
    "INSERT INTO counters VALUES ('next_tid', 0), ('rev', 0), ('deletions', 0)",
)

#: The present by the clock of the machine, as the tables hold it; one moment within a statement.
NOW = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"

#: Columns from which a document is made, in the order of its keys.
COLUMNS = (
    "state",
    "tid",
    "rest",
    "result",
    "misc",
    "exp_key",
    "owner",
    "version",
    "book_time",
    "refresh_time",
    "attempt",
    "token",
    "lease_until",
    "closed_by",
)
_TIMES = ("book_time", "refresh_time", "lease_until")
_EPOCH = datetime.datetime(1970, 1, 1)
_MILLISECOND = datetime.timedelta(milliseconds=1)


def row_of(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a document that is to be inserted, without `rev`.

    Parameters
    ----------
    doc : mapping
        A checked document; whatever claim it was under elsewhere is left behind.

    Returns
    -------
    dict
        Column to value.

    Raises
    ------
    Unstorable
        A value cannot be kept.
    """
    name = f"trial {doc['tid']}"
    whole = {**STORE_KEYS, **doc, "token": None, "lease_until": None}
    row = {column: whole.pop(column) for column in COLUMNS if column != "rest"}
    for column in _TIMES:
        row[column] = _milliseconds(row[column], f"{name}[{column!r}]")
    for column in ("result", "misc"):
        row[column] = encode(row[column], f"{name}[{column!r}]")
    if not isinstance(row["owner"], (str, type(None))):  # a list, in documents of Hyperopt
        whole["owner"], row["owner"] = row["owner"], None
    row["exp_key"] = row["exp_key"] or ""
    if whole.get("spec", ...) is None:
        del whole["spec"]
    row["rest"] = encode(whole, name) if whole else None
    row["loss"] = best_loss_of(doc)
    return row


def document_of(row: sqlite3.Row | tuple[Any, ...]) -> dict[str, Any]:
    """Return the document of a row of `COLUMNS`."""
    doc = dict(zip(COLUMNS, row))
    rest = doc["rest"]
    doc["result"], doc["misc"] = decode(doc["result"]), decode(doc["misc"])
    for column in _TIMES:
        doc[column] = time_of(doc[column])
    doc["exp_key"] = doc["exp_key"] or None
    del doc["rest"]
    doc["spec"] = None
    if rest is not None:
        doc.update(decode(rest))
    return doc


def time_of(milliseconds: int | None) -> datetime.datetime | None:
    """Return a time of a table as documents hold it: naive UTC."""
    return None if milliseconds is None else _EPOCH + milliseconds * _MILLISECOND


def _milliseconds(when: Any, name: str) -> int | None:
    if when is None:
        return None
    if not isinstance(when, datetime.datetime):
        raise Unstorable(name, when, f"a time is a datetime or None, not {when!r}")
    if when.tzinfo is not None:
        when = when.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    milliseconds: int = (when - _EPOCH) // _MILLISECOND
    return milliseconds
