"""Claiming trials and ending them."""

from __future__ import annotations

import datetime
import threading

import pytest

from hpspace.exceptions import IllegalMove
from hpspace.testing.stores.base import (
    KEY,
    OK,
    AnyStore,
    filled,
    in_state,
    in_threads,
    one,
    reserved,
)
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    JOB_STATES,
)
from hpspace.trials.shared.contract import Claim, Store


class Evaluating(AnyStore):
    """What happens when trials are claimed and ended."""

    def test_a_claim_is_recorded(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store, owner="host:1")
        doc = one(store, tid)
        assert (claim.tid, claim.attempt, claim.token) == (tid, 1, doc["token"])
        assert claim.doc == doc
        assert (doc["state"], doc["owner"], doc["attempt"], doc["version"]) == (
            JOB_STATE_RUNNING,
            "host:1",
            1,
            1,
        )
        assert doc["book_time"] == doc["refresh_time"] < doc["lease_until"]
        assert isinstance(doc["book_time"], datetime.datetime) and doc["book_time"].tzinfo is None

    def test_the_oldest_trial_is_claimed_first(self, store: Store) -> None:
        tids = filled(store, 3)
        assert [reserved(store).tid for _ in tids] == tids
        assert store.reserve("me", None) is None

    def test_a_certain_trial_can_be_claimed_once(self, store: Store) -> None:
        tids = filled(store, 3)
        assert reserved(store, tid=tids[1]).tid == tids[1]
        assert store.reserve("me", None, tid=tids[1]) is None
        assert store.reserve("me", "another", tid=tids[2]) is None

    def test_trials_are_claimed_by_experiment_or_from_any(self, store: Store) -> None:
        filled(store, 1, "a")
        (tid,) = filled(store, 1, "b")
        claim = store.reserve("me", "b")
        assert claim is not None and claim.tid == tid
        assert store.reserve("me", "b") is None
        assert store.reserve("me", None) is not None

    def test_tokens_are_never_the_same(self, store: Store) -> None:
        filled(store, 1)
        tokens = set()
        for _ in range(5):
            claim = reserved(store)
            tokens.add(claim.token)
            store.release(claim)
        assert len(tokens) == 5

    def test_racing_threads_claim_each_trial_once(self, store: Store) -> None:
        """Four connections, 60 trials; each thread goes on until there is nothing left."""
        tids = filled(store, 60)
        claimed: list[int] = []

        def work() -> None:
            with self.opened_again(store) as mine:
                while (claim := mine.reserve(threading.current_thread().name, KEY)) is not None:
                    claimed.append(claim.tid)
                    assert mine.finish(claim, JOB_STATE_DONE, OK)

        in_threads([work] * 4)
        assert sorted(claimed) == tids
        assert store.counts(KEY) == {JOB_STATE_DONE: 60}

    @pytest.mark.parametrize("state", [JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL])
    def test_a_trial_is_ended(self, store: Store, state: int) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        assert store.finish(claim, state, OK, {"error": ["T", "m"], "more": 1})
        doc = one(store, tid)
        assert (doc["state"], doc["result"], doc["closed_by"]) == (state, OK, claim.token)
        assert (doc["token"], doc["lease_until"], doc["version"]) == (None, None, 2)
        assert (doc["misc"]["more"], list(doc["misc"]["error"])) == (1, ["T", "m"])
        assert doc["misc"]["vals"] == {"x": [tid / 8], "y": []}, "merging lost what the misc held"

    def test_a_finish_may_be_repeated(self, store: Store) -> None:
        """When its answer was lost. The second says yes and changes nothing, whatever it carries."""
        (tid,) = filled(store, 1)
        claim = reserved(store)
        assert store.finish(claim, JOB_STATE_DONE, OK)
        before = one(store, tid)
        assert store.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": 9.0})
        assert one(store, tid) == before

    def test_a_finish_without_a_result_leaves_the_last_one(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        store.checkpoint(claim, {"status": "running", "loss": 2.0})
        store.finish(claim, JOB_STATE_CANCEL)
        assert one(store, tid)["result"] == {"status": "running", "loss": 2.0}

    @pytest.mark.parametrize("state", [JOB_STATE_NEW, JOB_STATE_RUNNING, 7])
    def test_only_outcomes_end_a_trial(self, store: Store, state: int) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        with pytest.raises(IllegalMove, match=f"trial {tid}"):
            store.finish(claim, state, OK)
        assert one(store, tid) == claim.doc

    @pytest.mark.parametrize("state", [s for s in JOB_STATES if s != JOB_STATE_RUNNING])
    def test_what_is_not_running_cannot_be_ended(self, store: Store, state: int) -> None:
        tid, _ = in_state(store, state)
        before = one(store, tid)
        stranger = Claim(tid, "0" * 32, 1, {})
        assert not store.finish(stranger, JOB_STATE_DONE, OK)
        assert not store.checkpoint(stranger, OK)
        assert not store.release(stranger)
        assert store.beat([stranger]) == set()
        assert one(store, tid) == before

    def test_moves_of_trials_that_are_gone_are_refused(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        store.delete(KEY, [tid])
        assert not store.finish(claim, JOB_STATE_DONE, OK)
        assert not store.checkpoint(claim, OK) and not store.release(claim) and not store.beat([claim])
