"""`MongoTrials`: trials in MongoDB, proposed by a search here and evaluated by workers anywhere.

It is `SharedTrials` over a `MongoStore`, with what Hyperopt's class of that name has besides: its arguments, its
`handle`, and deletion by a filter of MongoDB. Two things are different underneath: nothing is ever evaluated in this
process, and now and then all versions are compared with the database's, because not everybody who writes there writes
the time of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from hpspace.trials.mongo.jobs import MongoJobs
from hpspace.trials.mongo.store import MongoStore, open_store
from hpspace.trials.shared.contract import LEASE, MAX_ATTEMPTS
from hpspace.trials.shared.trials import SharedTrials

T = TypeVar("T", bound="MongoTrials")

#: Seconds between two comparisons of all versions, and how many times as long as one takes at least.
COMPARE_SECONDS = 30.0
COMPARE_PATIENCE = 100.0


class MongoTrials(SharedTrials):
    """The trials of an experiment in MongoDB.

    Parameters
    ----------
    arg : str, MongoJobs or MongoStore, optional
        Where: ``mongo://host:port/database/jobs``, a standard ``mongodb://`` or ``mongodb+srv://`` address with any
        option of MongoDB, a `handle`, or a store. None takes the address from ``$HPSPACE_MONGO_URL``, from the file
        that ``$HPSPACE_MONGO_URL_FILE`` names, or that of the server which ``hpspace mongo up`` has started.
    exp_key : str, optional
        The experiment; by default the one at the end of the address (``#name``). None shows all of the database.
    cmd, workdir : object, optional
        Kept as attributes, for programs that read them.
    refresh : bool
        Whether to read at once.
    lease : float
        Seconds after which a trial whose worker is silent is evaluated again.
    max_attempts : int
        Workers that a trial may cost before it is given up.

    Raises
    ------
    UnknownStore
        (A ValueError.) The address is wrong.
    StoreUnavailable
        (A ConnectionError.) Nothing answers there.
    StoreRefused
        (A PermissionError.) User, password or rights are wrong.

    Attributes
    ----------
    handle : MongoJobs
        The documents, for programs that work on them directly.
    """

    __module__ = "hpspace.mongoexp"

    asynchronous = True

    _compare_at: float
    _reading: threading.RLock

    def __init__(
        self,
        arg: str | MongoJobs | MongoStore | None = None,
        exp_key: str | None = None,
        cmd: Any = None,
        workdir: str | None = None,
        refresh: bool = True,
        *,
        lease: float = LEASE,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        store = _store_of(arg)
        self.cmd = cmd
        self.workdir = workdir
        key = store.link.url.exp_key if exp_key is None else exp_key
        super().__init__(store, key, refresh, asynchronous=True, lease=lease, max_attempts=max_attempts)

    @classmethod
    def _caches(cls) -> dict[str, Any]:
        return {**super()._caches(), "_compare_at": time.monotonic() + COMPARE_SECONDS}

    @property
    def handle(self) -> MongoJobs:
        """The documents, for programs that work on them directly."""
        return MongoJobs(self._mongo)

    @property
    def _mongo(self) -> MongoStore:
        assert isinstance(self.store, MongoStore)
        return self.store

    def view(
        self: T,
        exp_key: str | None = None,
        refresh: bool = True,
        *,
        cmd: Any = None,
        workdir: str | None = None,
    ) -> T:
        """Return trials of the same database.

        Parameters
        ----------
        exp_key : str, optional
            The experiment to show; None stays with the present one.
        refresh : bool
            Whether to read at once.
        cmd, workdir : object, optional
            Replace the attributes.

        Returns
        -------
        MongoTrials
        """
        other = super().view(self._exp_key if exp_key is None else exp_key, refresh)
        other.cmd = self.cmd if cmd is None else cmd
        other.workdir = self.workdir if workdir is None else workdir
        return other

    # -- reading -------------------------------------------------------------------------------------------

    def refresh_tids(self, tids: Iterable[Any] | None = None) -> None:
        """Compare trials with the database, and read those that differ.

        Parameters
        ----------
        tids : iterable of int, optional
            Their ids; None for all.
        """
        self._compare(None if tids is None else list(tids))
        self.refresh()

    def _read_changes(self) -> bool:
        settled = super()._read_changes()
        if time.monotonic() < self._compare_at:
            return settled
        started = time.monotonic()
        settled = self._compare() or settled
        pause = max(COMPARE_SECONDS, COMPARE_PATIENCE * (time.monotonic() - started))
        self._compare_at = time.monotonic() + pause
        return settled

    def _compare(self, tids: list[int] | None = None) -> bool:
        """Read what differs from the database; whether that concerns trials that were thought to be settled."""
        with self._reading:
            there = self._mongo.versions(self._exp_key, tids)
            here = {
                doc["tid"]: doc["version"]
                for doc in self._dynamic_trials
                if tids is None or doc["tid"] in tids
            }
            gone = here.keys() - there.keys()
            if gone:
                self._forget_all_but({doc["tid"] for doc in self._dynamic_trials} - gone)
            news = [tid for tid, version in there.items() if here.get(tid) != version]
            places = [self._take(doc) for doc in self._mongo.documents(news)] if news else []
        return bool(gone) or any(place < self._n_settled for place in places)

    # -- deleting ------------------------------------------------------------------------------------------

    def delete_all(self, cond: Mapping[str, Any] | None = None) -> None:
        """Remove trials of the experiment (without an `exp_key`: of the database) and what belongs to them.

        Parameters
        ----------
        cond : mapping, optional
            Which ones, as a filter of MongoDB; None removes all, and everything else that the experiment has.
        """
        if cond is None:
            super().delete_all()
            return
        experiment = {} if self._exp_key is None else {"exp_key": self._exp_key}
        self._mongo.delete(self._exp_key, self._mongo.tids({**cond, **experiment}))
        self.refresh()


def _store_of(arg: str | MongoJobs | MongoStore | None) -> MongoStore:
    if isinstance(arg, MongoJobs):
        return arg.store
    return arg if isinstance(arg, MongoStore) else open_store(arg)
