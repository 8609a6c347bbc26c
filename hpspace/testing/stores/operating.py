"""Cancelling, queueing again and deleting: what an operator orders."""

from __future__ import annotations

import pytest

from hpspace.testing.stores.base import (
    KEY,
    AnyStore,
    everything,
    filled,
    in_state,
    one,
    reserved,
)
from hpspace.trials.attachments import attachment_name
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    JOB_STATES,
)
from hpspace.trials.shared.contract import Store


class Operating(AnyStore):
    """What happens on the orders of an operator."""

    @pytest.mark.parametrize("state", JOB_STATES)
    def test_only_queued_trials_are_cancelled(self, store: Store, state: int) -> None:
        tid, _ = in_state(store, state)
        version = one(store, tid)["version"]
        cancelled = store.cancel(KEY, [tid])
        assert cancelled == int(state == JOB_STATE_NEW)
        expected = JOB_STATE_CANCEL if cancelled else state
        assert (one(store, tid)["state"], one(store, tid)["version"]) == (expected, version + cancelled)

    def test_the_whole_queue_of_an_experiment_is_cancelled(self, store: Store) -> None:
        filled(store, 3)
        reserved(store)
        (other,) = filled(store, 1, "other")
        assert store.cancel(KEY) == 2
        assert store.counts(KEY) == {JOB_STATE_RUNNING: 1, JOB_STATE_CANCEL: 2}
        assert one(store, other)["state"] == JOB_STATE_NEW

    @pytest.mark.parametrize("state", JOB_STATES)
    def test_failed_cancelled_and_running_trials_are_queued_again(self, store: Store, state: int) -> None:
        tid, claim = in_state(store, state)
        before = one(store, tid)
        moved = store.requeue(KEY, [tid])
        after = one(store, tid)
        assert moved == int(state in (JOB_STATE_ERROR, JOB_STATE_CANCEL, JOB_STATE_RUNNING))
        if not moved:
            assert after == before
            return
        assert (after["state"], after["attempt"], after["owner"]) == (JOB_STATE_NEW, 0, None)
        assert after["result"] == {"status": "new"} and after["version"] == before["version"] + 1
        self.assert_fenced(store, claim)

    def test_a_queued_again_trial_forgets_its_error(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        store.finish(reserved(store), JOB_STATE_ERROR, misc={"error": ["T", "m"], "traceback": "lines"})
        store.requeue(KEY, [tid])
        assert not {"error", "traceback"} & one(store, tid)["misc"].keys()

    def test_orders_keep_to_their_experiment(self, store: Store) -> None:
        (tid,) = filled(store, 1, "other")
        assert store.cancel(KEY, [tid]) == store.requeue(KEY, [tid]) == store.delete(KEY, [tid]) == 0
        assert one(store, tid)["version"] == 0

    def test_some_trials_are_deleted_with_their_attachments(self, store: Store) -> None:
        first, second = filled(store, 2)
        for tid in (first, second):
            store.put_blob(KEY, attachment_name(tid, "log"), b"x")
        store.put_blob(KEY, "shared", b"x")
        assert store.delete(KEY, [first]) == 1
        assert list(everything(store)) == [second]
        assert store.blob_names(KEY) == [attachment_name(second, "log"), "shared"]

    def test_a_deleted_experiment_leaves_nothing(self, store: Store) -> None:
        filled(store, 2)
        (kept,) = filled(store, 1, "other")
        for exp_key in (KEY, "other"):
            store.put_blob(exp_key, "b", b"x")
            store.update_meta(exp_key, {"direction": "maximize"})
            store.publish_domain(exp_key, "sha", b"code")
        assert store.delete(KEY) == 2
        assert store.counts(KEY) == {} and store.blob_names(KEY) == [] and store.get_meta(KEY) == {}
        with pytest.raises(KeyError):
            store.domain(KEY)
        assert list(everything(store)) == [kept] and store.get_blob("other", "b") == b"x"
        assert [experiment.exp_key for experiment in store.experiments()] == ["other"]

    def test_ids_of_deleted_trials_are_not_given_out_again(self, store: Store) -> None:
        tids = filled(store, 2)
        store.delete(None)
        assert store.new_tids(1)[0] > tids[-1]
