"""Waiting: who waits is called when something happens, and left alone by heartbeats."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from hpspace.trials.document import JOB_STATE_DONE, new_document
from hpspace.trials.mongo import wake
from hpspace.trials.mongo.store import MongoStore, open_store
from hpspace.trials.mongo.wake import Bell

#: Seconds that nobody waits if he is called, and seconds of silence.
LONG, SHORT = 120.0, 0.3


@pytest.fixture
def stores(mongo_url: str) -> Iterator[tuple[MongoStore, MongoStore]]:
    """One who waits and one who does things."""
    pair = open_store(mongo_url), open_store(mongo_url)
    yield pair
    for store in pair:
        store.close()


def queued(store: MongoStore) -> int:
    (tid,) = store.new_tids(1)
    store.insert([new_document(tid, {"x": 0.5}, exp_key="e")])
    return tid


def called(bell: Bell, seconds: float) -> bool:
    """Wait; whether the wait ended before its time."""
    started = time.monotonic()
    bell.wait(seconds)
    return time.monotonic() - started < seconds


@pytest.mark.parametrize("kind", ["insert", "claim", "finish", "release", "cancel", "delete"])
def test_every_move_ends_a_wait(stores: tuple[MongoStore, MongoStore], kind: str) -> None:
    waiting, doing = stores
    tid = queued(doing)
    claim = doing.reserve("me", "e") if kind in ("finish", "release") else None
    bell = Bell(waiting.link)
    bell.wait(LONG)  # the first wait only begins to listen
    while called(bell, SHORT):
        pass
    thread = threading.Thread(
        target={
            "insert": lambda: queued(doing),
            "claim": lambda: doing.reserve("me", "e"),
            "finish": lambda: doing.finish(claim, JOB_STATE_DONE),  # type: ignore[arg-type]
            "release": lambda: doing.release(claim),  # type: ignore[arg-type]
            "cancel": lambda: doing.cancel("e", [tid]),
            "delete": lambda: doing.delete("e"),
        }[kind]
    )
    thread.start()
    assert called(bell, LONG)
    thread.join()
    bell.close()


def test_heartbeats_wake_nobody(stores: tuple[MongoStore, MongoStore]) -> None:
    """Or a pool of waiting workers would be busy with each other's heartbeats."""
    waiting, doing = stores
    queued(doing)
    claim = doing.reserve("me", "e")
    assert claim is not None
    bell = Bell(waiting.link)
    bell.wait(LONG)
    while called(bell, SHORT):
        pass
    for _ in range(5):
        doing.beat([claim])
    doing.hello({"owner": "me", "exp_key": "e"})
    assert not called(bell, SHORT)
    bell.close()


def test_what_happens_between_two_waits_is_heard(stores: tuple[MongoStore, MongoStore]) -> None:
    waiting, doing = stores
    bell = Bell(waiting.link)
    bell.wait(LONG)
    queued(doing)
    assert called(bell, LONG)
    bell.close()


def test_each_thread_hears_for_itself(stores: tuple[MongoStore, MongoStore]) -> None:
    """What one thread was woken by is news to another."""
    waiting, doing = stores
    bells = Bell(waiting.link), Bell(waiting.link)
    for bell in bells:
        bell.wait(LONG)
    queued(doing)
    assert [called(bell, LONG) for bell in bells] == [True, True]
    for bell in bells:
        bell.close()


def test_changes_by_other_programs_are_heard_on_a_replica_set(replset_url: str) -> None:
    """Hyperopt's tools ring no bell, but count the version up; the change stream sees that."""
    store = open_store(replset_url)
    tid = queued(store)
    bell = Bell(store.link)
    bell.wait(LONG)
    with MongoClient(replset_url) as client:
        client.get_default_database()["jobs"].update_one({"tid": tid}, {"$set": {"state": 2, "version": 1}})
    assert called(bell, LONG)
    bell.close()
    store.close()


def test_where_nothing_can_be_heard_the_wait_is_a_short_sleep(
    stores: tuple[MongoStore, MongoStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that allows neither way: the caller looks again after a moment, and no error reaches it."""

    def refuse(*args: object) -> None:
        raise RuntimeError("not allowed")

    monkeypatch.setattr(wake.Bell, "_open", refuse)
    bell = Bell(stores[0].link)
    started = time.monotonic()
    bell.wait(LONG)
    assert wake.POLL * 0.9 < time.monotonic() - started < LONG


def test_bells_on_a_single_server_need_little_room(standalone_url: str) -> None:
    """The collection that they ring through is capped."""
    store = open_store(standalone_url)
    assert store.link.database["wakeups"].options()["capped"] is True
    store.close()
