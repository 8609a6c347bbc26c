"""Waiting for a change without asking for it again and again.

A `Bell` holds a cursor that the server answers when something has happened: on replica sets a change stream of the
trials, on a single server the tail of a small capped collection, into which stores there write a few bytes with each
change (`Bell.ring`). Where neither is allowed it just waits a little.

The cursor stays open between two waits. So what happens while nobody waits is not missed, and the first wait of all
returns at once: what happened before it nobody can know. A bell that rings too often costs a look; one that cannot be
heard costs the time until the caller looks of itself. Neither loses anything, so every trouble here ends a wait early
and is left to the next operation of the store to report.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from hpspace.trials.mongo.connect import Link
from hpspace.trials.mongo.schema import WAKEUPS

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

#: Seconds that the server may keep one request; less than a socket waits.
LONGEST_REQUEST = 5.0
#: Seconds between two looks where the server cannot call.
POLL = 0.25
#: Bytes of the capped collection.
SIZE = 1 << 14

#: Changes of trials that others have to see: every move counts the version up, and a beat does not.
_MOVES: list[dict[str, Any]] = [
    {"operationType": {"$in": ["insert", "replace", "delete", "drop", "invalidate"]}},
    {"updateDescription.updatedFields.version": {"$exists": True}},
]

_NO_CHANGE_STREAMS, _EXISTS = 40573, 48


class Bell:
    """Rings when trials change. To be waited for by one thread.

    Parameters
    ----------
    link : Link
        The database.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._session: ClientSession | None = None
        self._cursor: tuple[int, str] | None = None  # its number and its collection

    def wait(self, seconds: float) -> None:
        """Return when trials may have changed since the last wait, at the latest after some time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self._try_to_hear(left):
            pass

    def _try_to_hear(self, seconds: float) -> bool:
        """Wait for one answer of the server; whether it ends the wait."""
        try:
            return self._heard(min(seconds, LONGEST_REQUEST))
        except Exception:  # noqa: BLE001  see above: the next operation meets the same trouble, and tells of it
            self.close()
            time.sleep(min(seconds, POLL))
            return True

    def _heard(self, seconds: float) -> bool:
        """Wait for the server's answer; whether it was that something has happened."""
        if self._cursor is None:
            self._open()
            return True
        number, collection = self._cursor
        command = {"getMore": number, "collection": collection, "maxTimeMS": max(1, round(1000 * seconds))}
        reply = self._link.database.command(command, session=self._session)
        self._link.contact.heard()
        if reply["cursor"]["id"] == 0:
            self._cursor = None
            return True
        return bool(reply["cursor"]["nextBatch"])

    def _open(self) -> None:
        from pymongo.errors import OperationFailure

        self.close()
        self._session = self._link.client.start_session()
        try:
            self._cursor = self._stream()
        except OperationFailure as error:
            if error.code != _NO_CHANGE_STREAMS:
                raise
            self._cursor = self._tail()

    def _stream(self) -> tuple[int, str]:
        jobs = self._link.url.collection
        stages = [{"$changeStream": {}}, {"$match": {"$or": _MOVES}}, {"$project": {"_id": 1}}]
        reply = self._link.database.command(
            {"aggregate": jobs, "pipeline": stages, "cursor": {}}, session=self._session
        )
        return reply["cursor"]["id"], jobs

    def _tail(self) -> tuple[int, str]:
        make_room(self._link)
        reply = self._link.database.command(
            {"find": WAKEUPS, "tailable": True, "awaitData": True, "batchSize": SIZE}, session=self._session
        )
        return reply["cursor"]["id"], WAKEUPS

    def close(self) -> None:
        """Let go of the cursor; the next wait opens another."""
        cursor, self._cursor = self._cursor, None
        session, self._session = self._session, None
        with contextlib.suppress(Exception):  # the server forgets abandoned cursors by itself
            if cursor is not None:
                self._link.database.command(
                    {"killCursors": cursor[1], "cursors": [cursor[0]]}, session=session
                )
            if session is not None:
                session.end_session()


def ring(link: Link) -> None:
    """Wake those who wait on a single server; change streams do so by themselves."""
    from pymongo import WriteConcern
    from pymongo.errors import PyMongoError

    if link.standalone:
        wakeups = link.database.get_collection(WAKEUPS, write_concern=WriteConcern(w=0))
        with contextlib.suppress(PyMongoError):
            wakeups.insert_one({})


def make_room(link: Link) -> None:
    """Make the collection in which `ring` writes, on a single server."""
    from pymongo.errors import OperationFailure

    if not link.standalone:
        return
    try:
        link.database.command({"create": WAKEUPS, "capped": True, "size": SIZE})
        ring(link)  # the tail of an empty collection would end at once
    except OperationFailure as error:
        if error.code != _EXISTS:
            raise
