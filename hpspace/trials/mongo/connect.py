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
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from hpspace.exceptions import StoreError, UnknownStore
from hpspace.trials.mongo.contact import Contact
from hpspace.trials.mongo.errors import explained, is_away, reason, unavailable
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
#: Seconds that calls are repeated for which come again anyway, like heartbeats; and any call after Ctrl-C.
BRIEF = 10.0
#: Seconds between two tries while the server is away: the first pause, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0

#: Seconds to disconnect in good order. A client tells its server that its sessions end, and looks for one that is gone.
GOODBYE = 1.0

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


class Link:
    """A database of MongoDB that trials are kept in.

    Parameters
    ----------
    url : MongoUrl
        Where.
    patience : float
        Seconds for which an operation is repeated while the server is away; may be changed at any time.

    Attributes
    ----------
    contact : Contact
        How long the server has answered without a break.
    """

    def __init__(self, url: MongoUrl, patience: float = math.inf) -> None:
        self.url = url
        self.patience = patience
        self.contact = Contact()
        self._clients: dict[int, MongoClient[Document]] = {}  # by process: none survives a fork
        weakref.finalize(self, _close_client, self._clients)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._away_since: float | None = None
        self._hurried = False
        self._standalone: bool | None = None

    @property
    def client(self) -> MongoClient[Document]:
        """The client of this process."""
        pid = os.getpid()
        with self._lock:
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
        self.insist(lambda: self.database.command("ping"), timeout)

    def close(self) -> None:
        """Disconnect; operations that wait for the server give up, and later ones connect again."""
        with self._lock:
            closed, self._closed = self._closed, threading.Event()
            client = self._clients.pop(os.getpid(), None)
        closed.set()
        if client is not None:
            leaving = threading.Thread(target=client.close, name="hpspace-goodbye", daemon=True)
            leaving.start()
            leaving.join(GOODBYE)

    def insist(self, operation: Callable[[], R], patience: float = math.inf) -> R:
        """Do something with the server, and do it again until it answers.

        Parameters
        ----------
        operation : callable
            What to do; harmless when it is done twice.
        patience : float
            Seconds after which to give up, if that is less than `self.patience`.

        Returns
        -------
        object
            What it returned.

        Raises
        ------
        StoreUnavailable
            The server was away for too long, or the store was closed meanwhile.
        StoreRefused, StoreFull, StoreError
            The server refuses.
        """
        from pymongo.errors import PyMongoError

        started, closed = time.monotonic(), self._closed
        for pause in pauses():
            try:
                result = operation()
            except KeyboardInterrupt:  # noqa: PERF203  to try again is the point
                self._hurry()
                raise
            except PyMongoError as error:
                if closed.is_set() or not is_away(error):
                    problem = explained(self.url, error, closed.is_set())
                    raise problem from (error if type(problem) is StoreError else None)
                self._note_away(error)
                left = started + min(patience, self._patience) - time.monotonic()
                if left <= 0 or self._paused(closed, min(pause, left)):
                    raise unavailable(self.url, error) from None
            else:
                self._note_answer()
                return result
        raise AssertionError("the pauses never end")

    def _paused(self, closed: threading.Event, seconds: float) -> bool:
        """Wait before the next try; True if the store was closed meanwhile."""
        try:
            return closed.wait(seconds)
        except KeyboardInterrupt:
            self._hurry()
            raise

    def _hurry(self) -> None:
        """Wait for the server no longer than a moment from now on, so that who cleans up after Ctrl-C gets done."""
        self._hurried = True

    @property
    def _patience(self) -> float:
        return min(self.patience, BRIEF) if self._hurried else self.patience

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
            since, self._away_since, self._hurried = self._away_since, None, False
        if since is not None:
            seconds = time.monotonic() - since
            logger.warning("%s is back after %.1f s", self.url.shown, seconds, extra={"action": "store_back"})


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each further try, for ever."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


def _new_client(url: MongoUrl) -> MongoClient[Document]:
    """Make a client; what its address says goes before `OPTIONS`."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    options = {key: value for key, value in OPTIONS.items() if key.lower() not in url.option_names}
    try:
        return MongoClient(url.uri, **options)
    except (PyMongoError, ValueError, OSError) as error:  # an option, or a file that it names
        text = str(error).replace(url.password, "***") if url.password else str(error)
        raise UnknownStore(f"{url.shown}: {text}") from None


def _close_client(clients: dict[int, MongoClient[Document]]) -> None:
    """Close the client of this process, if there is one."""
    client = clients.pop(os.getpid(), None)
    if client is not None:
        client.close()


class _Linked(Protocol):
    @property
    def _link(self) -> Link: ...


L = TypeVar("L", bound=_Linked)


def patient(method: Callable[Concatenate[L, P], R]) -> Callable[Concatenate[L, P], R]:
    """Make a method of something with a `_link` one that waits for a server that is away; see `Link.insist`."""
    return _repeated(method, math.inf)


def brief(method: Callable[Concatenate[L, P], R]) -> Callable[Concatenate[L, P], R]:
    """Make a method one that waits a little only: it is called again anyway, by somebody who must not be held up."""
    return _repeated(method, BRIEF)


def once(method: Callable[Concatenate[L, P], R]) -> Callable[Concatenate[L, P], R]:
    """Make a method one that is tried once, because doing it twice would do harm; its errors are explained."""
    return _repeated(method, 0.0)


def _repeated(method: Callable[Concatenate[L, P], R], patience: float) -> Callable[Concatenate[L, P], R]:
    @functools.wraps(method)
    def repeated(self: L, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._link.insist(functools.partial(method, self, *args, **kwargs), patience)

    return repeated
