"""Trials in one SQLite file, for any number of processes on one machine.

Each method is one transaction: it comes to be as a whole or, if the process dies in it, not at all. SQLite lets one
process write at a time, so the order of changes is total; the counter `rev` numbers them, and `changes` is exact.
The clock of leases is that of the machine, read by SQLite within the statement.

Methods that are called over and over and mostly find nothing (`reserve`, `reap`) look first, since readers are in
nobody's way, and write only when there is something to do.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from hpspace.exceptions import UnknownStore
from hpspace.trials.attachments import attachment_name
from hpspace.trials.bests import loss_of
from hpspace.trials.direction import MINIMIZE
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    TRANSITIONS,
)
from hpspace.trials.moves import check_outcome
from hpspace.trials.shared import sqlite_moves as moves
from hpspace.trials.shared.contract import LEASE, MAX_ATTEMPTS, Changes, Claim, Experiment, Reaped
from hpspace.trials.shared.encoding import encode
from hpspace.trials.shared.rules import check_insertable, new_token, same_trial, tid_taken, worker_lost
from hpspace.trials.shared.sqlite_file import BUSY_TIMEOUT, SqliteFile
from hpspace.trials.shared.sqlite_rows import COLUMNS, SCHEMA, document_of, row_of, time_of
from hpspace.trials.shared.sqlite_shelf import SqliteShelf, drop_blobs, drop_experiment, experiment_metas

#: Seconds between two looks of `SqliteStore.wait`: the first and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05


class SqliteStore(SqliteShelf):
    """A store in a file.

    Parameters
    ----------
    path : str or path
        The file; made if it is not there. Two files beside it, ``-wal`` and ``-shm``, belong to it while it is open.
    durability : str
        "normal": a result that was stored survives the death of every process. "full": a power cut as well, at the
        price of waiting for the disk with each change.
    timeout : float
        Seconds to wait for another process that is writing.

    Raises
    ------
    StoreUnavailable, UnknownStore, StoreTooNew
        The file cannot be opened, is something else, or was made by a later release.

    Examples
    --------
    >>> import tempfile
    >>> from hpspace.trials.document import new_document
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SqliteStore(f"{folder}/study.db")
    ...     store.insert([new_document(0, {"x": 0.5})])
    ...     claim = store.reserve("me", None)
    ...     print(store.finish(claim, 2, {"status": "ok", "loss": 0.25}), store.counts(None))
    ...     store.close()
    True {2: 1}
    """

    def __init__(
        self, path: str | os.PathLike[str], durability: str = "normal", timeout: float = BUSY_TIMEOUT
    ) -> None:
        if str(path) in ("", ":memory:"):
            raise UnknownStore('a SQLite store needs a file; for trials in memory there is "memory:"')
        self._file = SqliteFile(path, SCHEMA, durability, timeout)
        self._seen = threading.local()  # rev: the last change that a thread has looked at

    @property
    def url(self) -> str:
        """The file as a URL: ``sqlite:////folder/study.db``."""
        return self._file.url

    def __repr__(self) -> str:
        return f"SqliteStore({str(self._file.path)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SqliteStore, (self._file.path, self._file.durability, self._file.timeout)

    def close(self) -> None:
        """Close the file in this process; see `Store.close`. It is opened again when it is needed."""
        self._file.close()

    # -- trials: adding and evaluating ---------------------------------------------------------------------

    def new_tids(self, n: int) -> list[int]:
        """Give out ids; see `Store.new_tids`."""
        with self._file.writing() as db:
            first = moves.count(db, "next_tid", n)
        return list(range(first, first + n))

    def insert(self, docs: Sequence[Mapping[str, Any]]) -> None:
        """Add documents; see `Store.insert`."""
        for doc in docs:
            check_insertable(doc)
        rows = [row_of(doc) for doc in docs]
        with self._file.writing() as db:
            moves.count(db, "rev")
            for row in rows:
                old = moves.document(db, row["tid"])
                if old is None:
                    moves.insert(db, row)
                elif not same_trial(old, new := _as_read(row)):
                    raise tid_taken(new)
            beyond = max((row["tid"] + 1 for row in rows), default=0) - moves.counter(db, "next_tid")
            moves.count(db, "next_tid", max(0, beyond))

    def reserve(
        self, owner: str, exp_key: str | None, lease: float = LEASE, tid: int | None = None
    ) -> Claim | None:
        """Claim a queued trial; see `Store.reserve`."""
        with self._file.reading() as db:
            self._seen.rev = moves.counter(db, "rev")
            if moves.oldest_queued(db, exp_key, tid) is None:
                return None
        token = new_token()
        with self._file.writing() as db:
            oldest = moves.oldest_queued(db, exp_key, tid)
            if oldest is None:
                return None
            moves.count(db, "rev")
            moves.book(db, oldest, owner, token, lease)
            doc = moves.held(db, Claim(oldest, token, 0, {}))
        assert doc is not None
        return Claim(oldest, token, doc["attempt"], doc)

    def beat(self, claims: Iterable[Claim], lease: float = LEASE) -> set[int]:
        """Extend leases; see `Store.beat`."""
        with self._file.writing() as db:
            return {claim.tid for claim in claims if moves.extend(db, claim, lease)}

    def checkpoint(
        self, claim: Claim, result: Mapping[str, Any] | None = None, misc: Mapping[str, Any] | None = None
    ) -> bool:
        """Write through what is known of a running trial; see `Store.checkpoint`."""
        return self._update_held(claim, result, misc, {})

    def finish(
        self,
        claim: Claim,
        state: int,
        result: Mapping[str, Any] | None = None,
        misc: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a trial; see `Store.finish`."""
        check_outcome(claim.tid, state)
        loss = loss_of(result or {}) if state == JOB_STATE_DONE else math.nan
        columns = {
            "state": state,
            "closed_by": claim.token,
            "loss": None if math.isnan(loss) else loss,
            **moves.UNHELD,
        }
        return self._update_held(claim, result, misc, columns)

    def _update_held(
        self,
        claim: Claim,
        result: Mapping[str, Any] | None,
        misc: Mapping[str, Any] | None,
        columns: dict[str, Any],
    ) -> bool:
        """Change a trial that a claim is on; True without a change if that claim has ended it already."""
        encode(misc or {}, "misc")  # what cannot be kept is refused before anything is touched
        if result is not None:
            columns["result"] = encode(result, "result")
        with self._file.writing() as db:
            doc = moves.document(db, claim.tid)
            if doc is None or doc["token"] != claim.token:
                return "closed_by" in columns and doc is not None and doc["closed_by"] == claim.token
            if misc:
                columns["misc"] = encode({**doc["misc"], **misc}, "misc")
            moves.count(db, "rev")
            moves.update(db, claim.tid, columns)
            return True

    def release(self, claim: Claim, counted: bool = False) -> bool:
        """Hand a trial back; see `Store.release`."""
        with self._file.writing() as db:
            doc = moves.held(db, claim)
            if doc is not None:
                moves.count(db, "rev")
                moves.queue_again(db, doc, doc["attempt"] - (not counted))
            return doc is not None

    def reap(
        self, exp_key: str | None, max_attempts: int = MAX_ATTEMPTS, dead: Collection[str] = ()
    ) -> Reaped:
        """Take back the trials that nobody holds any more; see `Store.reap`."""
        reaped = Reaped()
        with self._file.reading() as db:
            if not moves.lost(db, exp_key, dead):
                return reaped
        with self._file.writing() as db:
            moves.count(db, "rev")
            for doc in moves.lost(db, exp_key, dead):
                tid, attempt = doc["tid"], doc["attempt"]
                if attempt < max_attempts:
                    moves.queue_again(db, doc, attempt)
                    reaped.requeued.append(tid)
                else:
                    misc = {**doc["misc"], "error": worker_lost(attempt, doc["owner"])}
                    moves.update(db, tid, {"state": JOB_STATE_ERROR, "misc": encode(misc), **moves.UNHELD})
                    reaped.failed.append(tid)
        return reaped

    # -- trials: orders of an operator ---------------------------------------------------------------------

    def cancel(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Cancel queued trials; see `Store.cancel`."""
        with self._file.writing() as db:
            docs = moves.documents(db, [JOB_STATE_NEW], exp_key, tids)
            moves.count(db, "rev")
            for doc in docs:
                moves.update(db, doc["tid"], {"state": JOB_STATE_CANCEL})
        return len(docs)

    def requeue(self, exp_key: str | None, tids: Iterable[int]) -> int:
        """Queue trials again; see `Store.requeue`."""
        states = [state for state, following in TRANSITIONS.items() if JOB_STATE_NEW in following]
        with self._file.writing() as db:
            docs = moves.documents(db, states, exp_key, tids)
            moves.count(db, "rev")
            for doc in docs:
                moves.queue_again(db, doc, attempt=0)
        return len(docs)

    def delete(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Remove trials and what belongs to them; see `Store.delete`."""
        with self._file.writing() as db:
            docs = moves.documents(db, TRANSITIONS.keys(), exp_key, tids)
            for doc in docs:
                db.execute("DELETE FROM trials WHERE tid = ?", [doc["tid"]])
                drop_blobs(db, doc["exp_key"], attachment_name(doc["tid"], ""))
            if tids is None:
                for experiment in experiment_metas(db) if exp_key is None else [exp_key]:
                    drop_experiment(db, experiment)
            moves.count(db, "deletions")
            moves.count(db, "rev")
        self._file.shrink()
        return len(docs)

    # -- reading -------------------------------------------------------------------------------------------

    def changes(self, exp_key: str | None, cursor: Any = None) -> Changes:
        """Return what changed since a cursor; see `Store.changes`."""
        with self._file.reading() as db:
            now = (moves.counter(db, "deletions"), moves.counter(db, "rev"))
            self._seen.rev = now[1]
            reset = cursor is not None and cursor[0] != now[0]
            if cursor == now:
                return Changes([], now)
            rows = moves.changed(db, exp_key, None if cursor is None or reset else cursor[1])
        return Changes([document_of(row) for row in rows], now, reset)

    def counts(self, exp_key: str | None) -> dict[int, int]:
        """Count trials by state; see `Store.counts`."""
        where, parameters = moves.condition(exp_key)
        query = f"SELECT state, count(*) FROM trials {where} GROUP BY state ORDER BY state"  # noqa: S608
        with self._file.reading() as db:
            return dict(db.execute(query, parameters).fetchall())

    def experiments(self) -> list[Experiment]:
        """List the experiments; see `Store.experiments`."""
        query = "SELECT exp_key, state, count(*), min(loss), max(refresh_time) FROM trials GROUP BY exp_key, state"
        with self._file.reading() as db:
            metas = experiment_metas(db)
            rows = db.execute(query).fetchall()
        keys = sorted({*metas, *(row[0] or None for row in rows)}, key=lambda key: key or "")
        return [
            _experiment(key, metas.get(key, {}), [row[1:] for row in rows if (row[0] or None) == key])
            for key in keys
        ]

    def wait(self, seconds: float) -> None:
        """Wait for a change; see `Store.wait`. Looks often at first, later 20 times a second."""
        give_up = time.monotonic() + seconds
        seen = getattr(self._seen, "rev", None)
        pause = FIRST_PAUSE
        while seen in (None, now := self._rev()):
            seen = now
            left = give_up - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _rev(self) -> int:
        with self._file.reading() as db:
            return moves.counter(db, "rev")


def _as_read(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a row that is not in the table yet."""
    return document_of(tuple(row[column] for column in COLUMNS))


def _experiment(exp_key: str | None, meta: Mapping[str, Any], rows: Sequence[tuple[Any, ...]]) -> Experiment:
    """Make a line of the list from rows of (state, number, least loss, last change)."""
    losses = [loss for _, _, loss, _ in rows if loss is not None]
    times = [changed for _, _, _, changed in rows if changed is not None]
    return Experiment(
        exp_key,
        counts={state: number for state, number, _, _ in sorted(rows)},
        best_loss=min(losses, default=None),
        direction=meta.get("direction", MINIMIZE),
        last_change=time_of(max(times, default=None)),
    )
