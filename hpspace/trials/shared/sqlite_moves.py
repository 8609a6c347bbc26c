"""Steps on the table of trials, to be taken within a transaction of `sqlite_file.SqliteFile`.

Each function takes the connection and does one thing; what belongs together, and in which order, is `sqlite`'s
business. The statements are put together from constants of this package; what callers give is always a parameter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hpspace.trials.document import JOB_STATE_NEW, JOB_STATE_RUNNING, requeued
from hpspace.trials.shared.contract import Claim
from hpspace.trials.shared.encoding import encode
from hpspace.trials.shared.sqlite_rows import COLUMNS, NOW, document_of

Document = dict[str, Any]

SELECT = f"SELECT {', '.join(COLUMNS)} FROM trials"  # noqa: S608
_REV = "(SELECT value FROM counters WHERE name = 'rev')"
_CHANGED = f"version = version + 1, refresh_time = {NOW}, rev = {_REV}"
#: What the columns of a trial are that nobody holds.
UNHELD: Mapping[str, Any] = {"token": None, "lease_until": None}


def counter(db: sqlite3.Connection, name: str) -> int:
    """Return one of the counters: next_tid, rev, deletions."""
    return int(db.execute("SELECT value FROM counters WHERE name = ?", [name]).fetchone()[0])


def count(db: sqlite3.Connection, name: str, n: int = 1) -> int:
    """Add to a counter; return what it was before."""
    before = counter(db, name)
    db.execute("UPDATE counters SET value = value + ? WHERE name = ?", [n, name])
    return before


# -- finding -------------------------------------------------------------------------------------------------


def condition(exp_key: str | None, *others: str) -> tuple[str, list[Any]]:
    """Return a WHERE clause for trials of one experiment, or of any, and its parameters."""
    mine = [] if exp_key is None else ["exp_key = ?"]
    return f"WHERE {' AND '.join([*mine, *others]) or '1'}", [] if exp_key is None else [exp_key]


def document(db: sqlite3.Connection, tid: int) -> Document | None:
    """Return a trial's document, if it is there."""
    row = db.execute(f"{SELECT} WHERE tid = ?", [tid]).fetchone()
    return None if row is None else document_of(row)


def documents(
    db: sqlite3.Connection, states: Collection[int], exp_key: str | None, tids: Iterable[int] | None = None
) -> list[Document]:
    """Return the trials of an experiment that are in one of some states, all or those with given ids."""
    if tids is not None:
        found = [doc for tid in dict.fromkeys(tids) if (doc := document(db, tid)) is not None]
        return [doc for doc in found if doc["state"] in states and exp_key in (None, doc["exp_key"])]
    where, parameters = condition(exp_key, f"state IN ({', '.join(map(str, states))})")
    return [document_of(row) for row in db.execute(f"{SELECT} {where}", parameters)]


def oldest_queued(db: sqlite3.Connection, exp_key: str | None, tid: int | None) -> int | None:
    """Return the lowest id in the queue, or the one asked for if it is queued."""
    where, parameters = condition(exp_key, f"state = {JOB_STATE_NEW}", *([] if tid is None else ["tid = ?"]))
    query = f"SELECT tid FROM trials {where} ORDER BY tid LIMIT 1"  # noqa: S608
    (found,) = db.execute(query, [*parameters, *([] if tid is None else [tid])]).fetchone() or (None,)
    return found


def held(db: sqlite3.Connection, claim: Claim) -> Document | None:
    """Return the document that a claim is on, if it is the newest claim."""
    doc = document(db, claim.tid)
    return doc if doc is not None and doc["token"] == claim.token else None


def lost(db: sqlite3.Connection, exp_key: str | None, dead: Collection[str]) -> list[Document]:
    """Return the running trials whose lease has run out, or whose owner is known dead."""
    overdue = f"(lease_until IS NULL OR lease_until < {NOW} OR owner IN ({', '.join('?' * len(dead))}))"
    where, parameters = condition(exp_key, f"state = {JOB_STATE_RUNNING}", overdue)
    found = [document_of(row) for row in db.execute(f"{SELECT} {where}", [*parameters, *dead])]
    return sorted(
        found, key=lambda doc: int(doc["tid"])
    )  # SQLite, asked to sort, would go through all trials


def changed(db: sqlite3.Connection, exp_key: str | None, since: int | None) -> list[Any]:
    """Return the rows of an experiment, all or those that changed after a change."""
    if since is None:
        where, parameters = condition(exp_key)
        return db.execute(f"{SELECT} {where}", parameters).fetchall()
    # The plus keeps SQLite from looking through the whole experiment instead of through what is new.
    query = f"{SELECT} WHERE rev > :since AND (:exp_key IS NULL OR +exp_key = :exp_key)"
    return db.execute(query, {"since": since, "exp_key": exp_key}).fetchall()


# -- changing: after ``count(db, "rev")``, which numbers the change ------------------------------------------


def insert(db: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Insert the row of a document."""
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    db.execute(f"INSERT INTO trials ({names}, rev) VALUES ({values}, {_REV})", row)  # noqa: S608


def book(db: sqlite3.Connection, tid: int, owner: str, token: str, lease: float) -> None:
    """Record a claim."""
    db.execute(
        f"UPDATE trials SET {_CHANGED}, state = {JOB_STATE_RUNNING}, attempt = attempt + 1, book_time = {NOW}, "  # noqa: S608
        f"owner = ?, token = ?, lease_until = {NOW} + ?, closed_by = NULL WHERE tid = ?",
        [owner, token, round(lease * 1000), tid],
    )


def extend(db: sqlite3.Connection, claim: Claim, lease: float) -> bool:
    """Extend the lease of a claim; False if it is lost. No change that readers hear of."""
    done = db.execute(
        f"UPDATE trials SET lease_until = {NOW} + ? WHERE tid = ? AND token = ?",  # noqa: S608
        [round(lease * 1000), claim.tid, claim.token],
    )
    return done.rowcount == 1


def update(db: sqlite3.Connection, tid: int, columns: Mapping[str, Any]) -> None:
    """Set columns of a trial."""
    settings = ", ".join([_CHANGED, *(f"{column} = ?" for column in columns)])
    db.execute(f"UPDATE trials SET {settings} WHERE tid = ?", [*columns.values(), tid])  # noqa: S608


def queue_again(db: sqlite3.Connection, doc: Document, attempt: int) -> None:
    """Put a trial back into the queue as if it had never been evaluated."""
    requeued(doc)
    texts = {key: encode(doc[key]) for key in ("result", "misc")}
    nobody = {"owner": None, "book_time": None, "closed_by": None, "loss": None, **UNHELD}
    update(db, doc["tid"], {"state": JOB_STATE_NEW, "attempt": attempt, **nobody, **texts})
