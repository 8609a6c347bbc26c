"""Reading what changed, counting, listing, waiting."""

from __future__ import annotations

import datetime
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from hpspace.testing.stores.base import (
    KEY,
    OK,
    AnyStore,
    everything,
    filled,
    in_state,
    in_threads,
    one,
    reserved,
)
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATES,
)
from hpspace.trials.shared.contract import Store


class Following(AnyStore):
    """What readers see, and when."""

    def test_each_change_is_seen_once_by_each_reader(self, store: Store) -> None:
        """Two readers with cursors of their own, over every kind of move."""
        tids = filled(store, 4)
        cursors = [store.changes(KEY).cursor, store.changes(None).cursor]
        claim = reserved(store)
        moves: list[Callable[[], Any]] = [
            lambda: store.checkpoint(claim, {"status": "running"}),
            lambda: store.finish(claim, JOB_STATE_ERROR),
            lambda: store.requeue(KEY, [claim.tid]),
            lambda: store.cancel(KEY, [tids[1]]),
            lambda: store.release(reserved(store, tid=tids[2])),
            lambda: store.reap(None, dead=[reserved(store, tid=tids[3], owner="dead:1").doc["owner"]]),
        ]
        changed = [tids[0], tids[0], tids[0], tids[1], tids[2], tids[3]]
        store_reads = []
        for move in moves:
            move()
            for reader, exp_key in enumerate([KEY, None]):
                seen = store.changes(exp_key, cursors[reader])
                cursors[reader] = seen.cursor
                store_reads.append([doc["tid"] for doc in seen.docs])
                assert not seen.reset
                assert all(doc == one(store, doc["tid"]) for doc in seen.docs)
                assert store.changes(exp_key, cursors[reader]).docs == []
        assert store_reads == [[tid] for tid in changed for _ in range(2)]

    def test_changes_of_other_experiments_are_not_seen(self, store: Store) -> None:
        filled(store, 1)
        cursor = store.changes(KEY).cursor
        filled(store, 1, "other")
        assert store.changes(KEY, cursor).docs == []
        assert len(store.changes(None, cursor).docs) == 1

    def test_a_document_that_changed_twice_is_told_once_as_it_is_now(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        cursor = store.changes(None).cursor
        store.finish(reserved(store), JOB_STATE_DONE, OK)
        assert store.changes(None, cursor).docs == [one(store, tid)]

    def test_readers_are_told_to_start_anew_after_a_deletion(self, store: Store) -> None:
        first, second = filled(store, 2)
        cursor = store.changes(None).cursor
        store.delete(None, [first])
        seen = store.changes(None, cursor)
        assert seen.reset and [doc["tid"] for doc in seen.docs] == [second]
        assert store.changes(None, seen.cursor).docs == []
        assert not store.changes(None, seen.cursor).reset

    def test_no_change_is_missed_while_others_write(self, store: Store) -> None:
        """One reads on and on while three write: in the end it has each document in its last form."""
        filled(store, 30)
        mirror: dict[int, dict[str, Any]] = {}
        writing = threading.Event()

        def read() -> None:
            with self.opened_again(store) as mine:
                cursor, last = None, False
                while not last:
                    last = not writing.is_set() and mine.counts(KEY) == {JOB_STATE_DONE: 30}
                    seen = mine.changes(KEY, cursor)
                    cursor = seen.cursor
                    mirror.update((doc["tid"], doc) for doc in seen.docs)

        def write() -> None:
            with self.opened_again(store) as mine:
                while (claim := mine.reserve("w", KEY)) is not None:
                    mine.checkpoint(claim, {"status": "running"})
                    mine.finish(claim, JOB_STATE_DONE, OK)

        in_threads([read, write, write, write])
        assert mirror == everything(store, KEY)

    def test_trials_are_counted_by_state(self, store: Store) -> None:
        for state in JOB_STATES:
            in_state(store, state)
        filled(store, 2, "other")
        assert store.counts(KEY) == dict.fromkeys(JOB_STATES, 1)
        assert store.counts(None) == {**dict.fromkeys(JOB_STATES, 1), JOB_STATE_NEW: 3}
        assert store.counts("nobody") == {}

    def test_experiments_are_listed(self, store: Store) -> None:
        filled(store, 2, "b")
        for loss in (math.nan, 0.5, 0.25):
            filled(store, 1, None)
            claim = store.reserve("me", None, tid=max(everything(store)))
            assert claim is not None
            store.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": loss})
        store.update_meta("b", {"direction": "maximize"})
        store.update_meta("a", {"note": 1})
        nameless, empty, queued = store.experiments()
        assert [e.exp_key for e in (nameless, empty, queued)] == [None, "a", "b"]
        assert (nameless.counts, nameless.best_loss, nameless.direction) == (
            {JOB_STATE_DONE: 3},
            0.25,
            "minimize",
        )
        assert (queued.counts, queued.best_loss, queued.direction) == ({JOB_STATE_NEW: 2}, None, "maximize")
        assert empty.counts == {} and isinstance(nameless.last_change, datetime.datetime)

    @pytest.mark.parametrize("event", ["insert", "finish", "delete"])
    def test_waiting_ends_with_a_change(self, store: Store, event: str) -> None:
        """A change between the last look and the wait counts too: nobody sleeps over it."""
        filled(store, 1)
        claim = reserved(store)
        with self.opened_again(store) as other:
            store.changes(None)
            if event == "insert":
                filled(other, 1)
            elif event == "finish":
                other.finish(claim, JOB_STATE_DONE, OK)
            else:
                other.delete(None)
            started = time.monotonic()
            store.wait(300.0)
            assert time.monotonic() - started < 200.0

    def test_waiting_ends_with_a_change_of_another_thread(self, store: Store) -> None:
        woken = threading.Event()

        def wait() -> None:
            with self.opened_again(store) as mine:
                mine.changes(None)
                ready.set()
                mine.wait(300.0)
                woken.set()

        ready = threading.Event()
        thread = threading.Thread(target=wait)
        thread.start()
        ready.wait()
        filled(store, 1)
        assert woken.wait(200.0)
        thread.join()
