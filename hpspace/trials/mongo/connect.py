"""The connection: one client a process, patient with a server that is away, and plain about everything else.

A server that restarts, fails over or is cut off for a while is no error here. Every operation of the store may be
repeated, so it *is* repeated, with growing pauses, until the server answers: one line in the log when it goes away, one
when it is back. Only the first contact has to succeed within some seconds, because a wrong address looks the same as a
server that is away. What waiting cannot cure (a wrong password, missing rights, a full disk) is raised at once.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from hpspace.exceptions import StoreError, StoreFull, StoreRefused, StoreUnavailable, UnknownStore
from hpspace.trials.mongo.contact import Contact
from hpspace.trials.mongo.url import MongoUrl

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

logger = logging.getLogger(__name__)

Document = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")

#: Seconds that the first contact may take.
FIRST_CONTACT = 10.0
#: Seconds between two tries while the server is away: the first pause, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0

#: What clients are told unless the address says otherwise. Acknowledged means: on disk, on most members.
OPTIONS: dict[str, Any] = {
    "appname": "hpspace",
    "w": "majority",
    "journal": True,
    "serverSelectionTimeoutMS": 5_000,
    "socketTimeoutMS": 30_000,
    "connectTimeoutMS": 10_000,
    "uuidRepresentation": "standard",
}

#: Codes of MongoDB's errors: with a server that goes away or becomes secondary, a cursor of the one before, ...
_AWAY = frozenset(
    {
        6,
        7,
        43,
        64,
        89,
        91,
        112,
        133,
        134,
        189,
        202,
        237,
        262,
        317,
        9001,
        10058,
        10107,
        11600,
        11602,
        13435,
        13436,
    }
)
#: ... with a user, and with a full disk.
_WRONG_USER, _NO_RIGHT, _DISK_FULL = frozenset({18, 8000}), frozenset({13, 33}), frozenset({14031})


class Link:
    """A database of MongoDB that trials are kept in.

    Parameters
    ----------
    url : MongoUrl
        Where.
    patience : float
        Seconds for which an operation is repeated while the server is away; may be changed at any time.
    """

    def __init__(self, url: MongoUrl, patience: float = math.inf) -> None:
        self.url = url
        self.patience = patience
        self.contact = Contact()
        self._clients: dict[int, MongoClient[Document]] = {}  # by process: none survives a fork
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._away_since: float | None = None
        self._standalone: bool | None = None

    @property
    def client(self) -> MongoClient[Document]:
        """The client of this process."""
        pid = os.getpid()
        with self._lock:
            if self._closed.is_set():
                raise StoreUnavailable(f"{self.url.shown} was closed")
            if pid not in self._clients:
                self._clients[pid] = _new_client(self.url)
            return self._clients[pid]

    @property
    def database(self) -> Database[Document]:
        """The database."""
        return self.client[self.url.database]

    @property
    def standalone(self) -> bool:
        """Whether it is a single server, which streams no changes."""
        if self._standalone is None:
            hello = self.client.admin.command("hello")
            self._standalone = "setName" not in hello and hello.get("msg") != "isdbgrid"
        return self._standalone

    def open(self, timeout: float = FIRST_CONTACT) -> None:
        """Make the first contact.

        Parameters
        ----------
        timeout : float
            Seconds that it may take; infinity to wait for the server.

        Raises
        ------
        StoreUnavailable
            Nothing answers.
        StoreRefused
            The server does not accept the user.
        """
        patience, self.patience = self.patience, timeout
        try:
            self.insist(lambda: self.database.command("ping"))
        finally:
            self.patience = patience

    def close(self) -> None:
        """Disconnect; operations that wait for the server give up."""
        self._closed.set()
        with self._lock:
            client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def insist(self, operation: Callable[[], R]) -> R:
        """Do something with the server, and do it again until it answers.

        Parameters
        ----------
        operation : callable
            What to do; harmless when it is done twice.

        Returns
        -------
        object
            What it returned.

        Raises
        ------
        StoreUnavailable
            The server was away for longer than `patience`, or the store was closed meanwhile.
        StoreRefused, StoreFull
            The server refuses.
        """
        started = time.monotonic()
        for pause in pauses():
            error, result = self._tried(operation)
            if error is None:
                return result
            left = started + self.patience - time.monotonic()
            if left <= 0 or self._closed.wait(min(pause, left)):
                raise self._unavailable(error)
        raise AssertionError("the pauses never end")

    def _tried(self, operation: Callable[[], R]) -> tuple[None, R] | tuple[Exception, None]:
        """Do something with the server; return the error if it is away."""
        from pymongo.errors import PyMongoError

        try:
            result = operation()
        except PyMongoError as error:
            if is_away(error):
                self._note_away(error)
                return error, None
            explained = self._explained(error)
            if explained is None:
                raise
            raise explained from None
        self._note_answer()
        return None, result

    def _note_away(self, error: Exception) -> None:
        with self._lock:
            news, self._away_since = self._away_since is None, self._away_since or time.monotonic()
        if news:
            logger.warning(
                "%s does not answer (%s); waiting for it",
                self.url.shown,
                reason(error),
                extra={"action": "store_away"},
            )

    def _note_answer(self) -> None:
        with self._lock:
            self.contact.heard()
            since, self._away_since = self._away_since, None
        if since is not None:
            seconds = time.monotonic() - since
            logger.warning("%s is back after %.1f s", self.url.shown, seconds, extra={"action": "store_back"})

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        hosts = ", ".join(self.url.hosts)
        return StoreUnavailable(
            f"no MongoDB that can be written to answers at {hosts} ({reason(error)}); check that it runs, that host "
            f"and port are right, and that no firewall is between (address: {self.url.shown})"
        )

    def _explained(self, error: Exception) -> StoreError | None:
        """Return what to raise instead of an error that waiting does not cure; None if it speaks for itself."""
        from pymongo.errors import ConfigurationError

        code = getattr(error, "code", None)
        if self._closed.is_set():
            return StoreUnavailable(f"{self.url.shown} was closed")
        if isinstance(error, ConfigurationError):  # such as a name that DNS does not know
            return self._unavailable(error)
        if code in _WRONG_USER:
            return StoreRefused(
                f"{self.url.shown}: the server refuses user {self.url.user!r}; check name, password and, if the user "
                "is kept in another database, ?authSource=..."
            )
        if code in _NO_RIGHT:
            who = "without a user in the address" if self.url.user is None else f"to user {self.url.user!r}"
            return StoreRefused(f"{self.url.shown}: the server does not allow this {who}: {reason(error)}")
        if code in _DISK_FULL:
            return StoreFull(f"{self.url.shown}: the disk of the server is full: {reason(error)}")
        return None


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each further try, for ever."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


def is_away(error: Exception) -> bool:
    """Whether an error tells of a server that is away, restarting or not the primary any more."""
    from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError

    if isinstance(error, ConnectionFailure):
        return True
    if isinstance(error, BulkWriteError):
        concerns = (error.details or {}).get("writeConcernErrors", [])
        return any(concern.get("code") in _AWAY for concern in concerns) and not error.details.get(
            "writeErrors"
        )
    retryable = isinstance(error, PyMongoError) and error.has_error_label("RetryableWriteError")
    return retryable or getattr(error, "code", None) in _AWAY


def reason(error: Exception) -> str:
    """Return the gist of an error of pymongo: its text without the dump of what the client knows."""
    text = re.split(r", (?:Timeout|full error|Topology Description): ", str(error))[0]
    return re.sub(r" ?\(configured timeouts:[^)]*\)", "", text)[:300]


def _new_client(url: MongoUrl) -> MongoClient[Document]:
    """Make a client; what its address says goes before `OPTIONS`."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    options = {key: value for key, value in OPTIONS.items() if key.lower() not in url.option_names}
    try:
        return MongoClient(url.uri, **options)
    except (PyMongoError, ValueError) as error:
        text = str(error).replace(url.password, "***") if url.password else str(error)
        raise UnknownStore(f"{url.shown}: {text}") from None


class _Linked(Protocol):
    @property
    def _link(self) -> Link: ...


L = TypeVar("L", bound=_Linked)


def patient(method: Callable[Concatenate[L, P], R]) -> Callable[Concatenate[L, P], R]:
    """Make a method of something with a `_link` one that waits for a server that is away; see `Link.insist`."""

    @functools.wraps(method)
    def patiently(self: L, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._link.insist(functools.partial(method, self, *args, **kwargs))

    return patiently
