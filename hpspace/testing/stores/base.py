"""What the tests of the contract share: documents, claims, states, threads."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    new_document,
)
from hpspace.trials.shared.contract import Claim, Store

#: Seconds of a lease that is to run out, and more than that.
SHORT, LONGER = 0.05, 0.1
OK = {"status": "ok", "loss": 0.5}
KEY = "exp"


def documents(store: Store, n: int, exp_key: str | None = KEY) -> list[dict[str, Any]]:
    """Return documents of n new trials, not inserted."""
    return [new_document(tid, {"x": tid / 8}, ["x", "y"], exp_key) for tid in store.new_tids(n)]


def filled(store: Store, n: int, exp_key: str | None = KEY) -> list[int]:
    """Insert n trials and return their ids."""
    docs = documents(store, n, exp_key)
    store.insert(docs)
    return [doc["tid"] for doc in docs]


def everything(store: Store, exp_key: str | None = None) -> dict[int, dict[str, Any]]:
    """Return all documents by id."""
    return {doc["tid"]: doc for doc in store.changes(exp_key).docs}


def one(store: Store, tid: int) -> dict[str, Any]:
    """Return one document."""
    return everything(store)[tid]


def reserved(store: Store, lease: float = 60.0, tid: int | None = None, owner: str = "me") -> Claim:
    """Claim a trial that is known to be queued."""
    claim = store.reserve(owner, None, lease, tid)
    assert claim is not None
    return claim


def in_state(store: Store, state: int) -> tuple[int, Claim]:
    """Bring a new trial into a state; return its id and the claim that had been on it."""
    (tid,) = filled(store, 1)
    claim = Claim(tid, "none", 0, {})
    if state == JOB_STATE_CANCEL:
        store.cancel(None, [tid])
    elif state != JOB_STATE_NEW:
        claim = reserved(store, tid=tid)
        if state != JOB_STATE_RUNNING:
            store.finish(claim, state, OK)
    return tid, claim


def in_threads(works: list[Callable[[], None]]) -> None:
    """Run functions at the same time; raise what any of them raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class AnyStore:
    """The fixture and the means that every group of tests needs."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """Yield an empty store; to be overridden."""
        raise NotImplementedError

    def again(self, store: Store) -> Store:
        """Return a second connection to the same trials; the same object where there is no such thing."""
        return store

    def let_pass(self, store: Store, seconds: float) -> None:
        """Let time pass by the store's clock."""
        time.sleep(seconds)

    @contextlib.contextmanager
    def opened_again(self, store: Store) -> Iterator[Store]:
        """Open `again` and close it in the end."""
        other = self.again(store)
        try:
            yield other
        finally:
            if other is not store:
                other.close()

    def expired(self, store: Store, tid: int | None = None) -> Claim:
        """Return a claim whose lease has run out."""
        claim = reserved(store, SHORT, tid)
        self.let_pass(store, LONGER)
        return claim

    def assert_fenced(self, store: Store, claim: Claim) -> None:
        """Try all that a claim allows, and look that nothing comes of it."""
        before = one(store, claim.tid)
        late = {"status": "ok", "loss": -1.0}
        for state in (JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL):
            assert not store.finish(claim, state, late, {"late": True})
        assert not store.checkpoint(claim, late, {"late": True})
        assert not store.release(claim) and not store.release(claim, counted=True)
        assert store.beat([claim]) == set()
        assert one(store, claim.tid) == before
