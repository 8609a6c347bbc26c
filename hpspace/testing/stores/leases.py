"""Leases, fencing, attempts: what becomes of trials whose evaluator vanished, and of evaluators that come back."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest

from hpspace.testing.stores.base import (
    KEY,
    LONGER,
    OK,
    SHORT,
    AnyStore,
    filled,
    in_threads,
    one,
    reserved,
)
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
)
from hpspace.trials.shared.contract import Store


class Leases(AnyStore):
    """What happens when evaluators vanish and come back."""

    def test_a_lost_trial_is_evaluated_again(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        first = self.expired(store)
        assert store.reap(None).requeued == [tid]
        doc = one(store, tid)
        assert (doc["state"], doc["owner"], doc["token"], doc["attempt"]) == (JOB_STATE_NEW, None, None, 1)
        second = reserved(store)
        assert (second.tid, second.attempt) == (tid, 2) and second.token != first.token

    def test_a_zombie_changes_nothing(self, store: Store) -> None:
        """Fenced after its trial was taken back, after it was claimed anew, and after it was finished."""
        (tid,) = filled(store, 1)
        zombie = self.expired(store)
        store.reap(None)
        self.assert_fenced(store, zombie)
        second = reserved(store)
        self.assert_fenced(store, zombie)
        assert store.finish(second, JOB_STATE_DONE, OK)
        self.assert_fenced(store, zombie)
        assert one(store, tid)["closed_by"] == second.token

    def test_an_expired_claim_holds_until_somebody_takes_the_trial_back(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        claim = self.expired(store)
        assert store.beat([claim], 60.0) == {tid}
        assert not store.reap(None)
        assert store.finish(claim, JOB_STATE_DONE, OK)

    def test_a_beat_keeps_the_lease_and_tells_what_is_held(self, store: Store) -> None:
        held, lost = filled(store, 2)
        claims = [reserved(store, SHORT, held), self.expired(store, lost)]
        assert store.beat([claims[0]], 60.0) == {held}
        assert store.reap(None).requeued == [lost]
        assert store.beat(claims, 60.0) == {held}

    def test_a_beat_is_no_change(self, store: Store) -> None:
        """Or every reader would fetch every running trial again, every few seconds."""
        (tid,) = filled(store, 1)
        claim = reserved(store)
        cursor = store.changes(None).cursor
        store.beat([claim], 600.0)
        assert store.changes(None, cursor).docs == []
        assert one(store, tid)["version"] == claim.doc["version"]
        assert one(store, tid)["lease_until"] > claim.doc["lease_until"]

    def test_only_expired_trials_of_the_experiment_are_taken_back(self, store: Store) -> None:
        (held,), (mine,), (other,) = filled(store, 1), filled(store, 1), filled(store, 1, "other")
        reserved(store, 60.0, held)
        reserved(store, SHORT, mine)
        self.expired(store, other)
        assert store.reap(KEY).requeued == [mine]
        assert store.reap(None).requeued == [other]
        assert not store.reap(None)

    def test_trials_of_owners_known_dead_are_taken_back_at_once(self, store: Store) -> None:
        first, second = filled(store, 2)
        reserved(store, tid=first, owner="dead:1")
        reserved(store, tid=second, owner="alive:1")
        assert store.reap(None, dead=["dead:1"]).requeued == [first]

    def test_a_poison_trial_is_given_up_and_the_others_go_on(self, store: Store) -> None:
        poison, good = filled(store, 2)
        for attempt in (1, 2, 3):
            assert store.reserve("host:7", None, SHORT, poison)
            self.let_pass(store, LONGER)
            reaped = store.reap(None, max_attempts=3)
            assert reaped.failed == ([poison] if attempt == 3 else [])
            assert reaped.requeued == ([] if attempt == 3 else [poison])
        doc = one(store, poison)
        kind, message = doc["misc"]["error"]
        assert (doc["state"], doc["attempt"], kind) == (JOB_STATE_ERROR, 3, "WorkerLost")
        assert "3 times" in message and "host:7" in message
        assert reserved(store).tid == good and store.reserve("me", None) is None

    @pytest.mark.parametrize("counted", [False, True])
    def test_a_trial_is_handed_back(self, store: Store, counted: bool) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        store.checkpoint(claim, OK, {"reports": [[0, 1.0]]})
        assert store.release(claim, counted)
        doc = one(store, tid)
        assert (doc["state"], doc["attempt"], doc["owner"]) == (JOB_STATE_NEW, int(counted), None)
        assert doc["result"] == {"status": "new"} and "reports" not in doc["misc"]
        assert not store.release(claim, counted) and not store.finish(claim, JOB_STATE_DONE, OK)

    def test_a_checkpoint_is_seen_by_others(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        cursor = store.changes(None).cursor
        assert store.checkpoint(claim, {"status": "running", "step": 3})
        assert store.checkpoint(claim, misc={"reports": [[0, 1.5]]})
        (doc,) = store.changes(None, cursor).docs
        assert doc["state"] == JOB_STATE_RUNNING and doc["result"] == {"status": "running", "step": 3}
        assert doc["misc"]["reports"] == [[0, 1.5]] and doc["misc"]["vals"]["x"] == [tid / 8]

    def test_chaos_ends_every_trial_exactly_once(self, store: Store) -> None:
        """Four workers with tiny leases beat, dawdle, hand back, vanish and reap, until everything is done."""
        tids = filled(store, 40)
        accepted: Counter[int] = Counter()
        lock = threading.Lock()

        def work(seed: int) -> None:
            dice = random.Random(seed)  # noqa: S311 - a dice
            with self.opened_again(store) as mine:
                while mine.counts(KEY) != {JOB_STATE_DONE: len(tids)}:
                    mine.reap(KEY, max_attempts=10**6)
                    claim = mine.reserve(f"worker:{seed}", KEY, dice.choice([0.0, 0.001, 60.0]))
                    fate = dice.choice(["finish", "finish", "dawdle", "hand back", "vanish"])
                    if claim is None or (fate == "vanish" and mine.beat([claim], 0.0) is not None):
                        continue
                    if fate == "hand back":
                        mine.release(claim, counted=dice.random() < 0.5)
                        continue
                    if fate == "dawdle":
                        time.sleep(0.002)
                    if mine.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": float(seed)}):
                        with lock:
                            accepted[claim.tid] += 1

        in_threads([lambda seed=seed: work(seed) for seed in range(4)])  # type: ignore[misc]
        assert accepted == Counter(tids)
