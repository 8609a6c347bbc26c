"""Inserting, refreshing, ids and views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hpspace import Trials, trials_from_docs
from hpspace.exceptions import InvalidTrial
from hpspace.trials.document import new_document


def test_nothing_shows_before_refresh(make: Any) -> None:
    trials = Trials()
    assert trials.insert_trial_docs([make(0, 1.0), make(1, 2.0)]) == [0, 1]
    assert len(trials) == 0
    trials.refresh()
    assert trials.tids == [0, 1]


def test_the_very_object_is_stored_with_plain_values() -> None:
    """Third parties go on editing the document that they inserted."""
    trials = Trials()
    doc = new_document(0, {"x": np.float32(0.5), "c": np.int64(1)})
    doc["result"]["curve"] = np.arange(2)
    assert trials.insert_trial_doc(doc) == 0
    trials.refresh()
    assert trials[0] is doc
    assert repr(trials.vals) == "{'x': [0.5], 'c': [1]}" and doc["result"]["curve"] == [0, 1]


def test_edits_in_place_show_after_refresh(make: Any) -> None:
    """What an adapter of another tuner does: find the document, set state, result and time, refresh."""
    trials = trials_from_docs([make(0, state=0), make(1, state=0)])
    doc = next(doc for doc in trials.trials if doc["tid"] == 1)
    doc["state"], doc["result"], doc["book_time"] = 2, {"status": "ok", "loss": 0.5}, "now"
    trials.trials[0]["state"] = 3
    trials.refresh()
    assert (trials.tids, trials.losses(), trials[0]["book_time"]) == ([1], [0.5], "now")
    assert trials.best_trial is doc and trials.count_by_state_unsynced(3) == 1


def test_a_taken_id_is_refused(trials: Trials, make: Any) -> None:
    with pytest.raises(InvalidTrial, match="a trial with tid 4 is there already"):
        trials.insert_trial_doc(make(4, 1.0))


def test_an_id_twice_in_one_call_is_refused_and_nothing_is_inserted(make: Any) -> None:
    trials = Trials()
    with pytest.raises(InvalidTrial, match="tid 1"):
        trials.insert_trial_docs([make(0, 1.0), make(1, 1.0), make(1, 2.0)])
    assert trials._dynamic_trials == []


def test_an_invalid_document_keeps_the_valid_ones_beside_it_out(make: Any) -> None:
    trials = Trials()
    with pytest.raises(InvalidTrial):
        trials.insert_trial_docs([make(0, 1.0), make(1, 1.0, exp_key="other")])
    assert trials._dynamic_trials == []


def test_an_id_can_be_taken_again_after_its_document_was_removed_by_hand(trials: Trials, make: Any) -> None:
    del trials._dynamic_trials[0]
    trials._dynamic_trials.append(make(8, 1.0))  # the length is as before, so only the document itself tells
    assert trials.insert_trial_doc(make(0, 3.0)) == 0
    assert trials.by_tid(8)["tid"] == 8 and trials.by_tid(3)["tid"] == 3


def test_ids_count_up_from_zero_and_are_given_once() -> None:
    trials = Trials()
    assert (
        trials.new_trial_ids(2) == [0, 1] and trials.new_trial_ids(0) == [] and trials.new_trial_ids(1) == [2]
    )


def test_ids_of_inserted_documents_are_never_given(make: Any) -> None:
    """Hyperopt gives id 1 after a document with id 5, and would give 5 again."""
    trials = trials_from_docs([make(5, 1.0)])
    assert trials.new_trial_ids(3) == [6, 7, 8]
    trials.insert_trial_doc(make(20, 1.0))
    assert trials.new_trial_ids(2) == [21, 22]


def test_ids_of_any_kind_live_beside_numbers(make: Any) -> None:
    trials = trials_from_docs([make("a", 1.0), make(2.5, 1.0)])
    tids = trials.new_trial_ids(3)
    assert tids == sorted(set(tids)) and not {"a", 2.5} & set(tids)


def test_delete_all_empties_the_store_and_goes_on_counting(trials: Trials) -> None:
    trials.trial_attachments(trials[0])["log"] = "text"
    trials.delete_all()
    assert (len(trials), trials._dynamic_trials, trials.attachments) == (0, [], {})
    assert trials.new_trial_ids(1) == [5]


def test_new_documents_are_laid_out_from_their_parts() -> None:
    trials = Trials(exp_key="k")
    misc: dict[str, Any] = {"tid": 1, "cmd": None, "idxs": {}, "vals": {}}
    (doc,) = trials.new_trial_docs([1], ["spec"], [{"status": "new"}], [misc])
    assert (doc["tid"], doc["spec"], doc["state"], doc["exp_key"]) == (1, "spec", 0, "k")
    assert doc["misc"] is misc and len(trials._dynamic_trials) == 0


def test_documents_from_sources_take_over_their_state_and_name_them(trials: Trials) -> None:
    misc: dict[str, Any] = {"tid": 50, "cmd": None, "idxs": {}, "vals": {}}
    (doc,) = trials.source_trial_docs([50], [None], [{"status": "ok", "loss": 1.0}], [misc], [trials[3]])
    assert (doc["state"], doc["book_time"]) == (2, trials[3]["book_time"])
    assert doc["misc"]["from_tid"] == 3 and doc["tid"] == 50


def test_parts_of_different_number_are_refused() -> None:
    with pytest.raises(ValueError, match="'tids': 1, 'specs': 2"):
        Trials().new_trial_docs([1], [None, None], [{}], [{}])


def test_a_view_shares_the_store_and_shows_one_experiment(make: Any) -> None:
    everything = Trials()
    a, b = everything.view("a"), everything.view("b")
    a.insert_trial_doc(make(a.new_trial_ids(1)[0], 1.0, exp_key="a"))
    b.insert_trial_doc(make(b.new_trial_ids(1)[0], 2.0, exp_key="b"))
    for view in (everything, a, b):
        view.refresh()
    assert (everything.tids, a.tids, b.tids) == ([0, 1], [0], [1])
    assert b.best_trial["tid"] == 1 and a.count_by_state_unsynced(2) == 1
    assert a.attachments is b.attachments and everything.new_trial_ids(1) == [2]
    assert everything.view("b").tids == [1]


def test_a_view_can_wait_for_its_first_refresh(trials: Trials) -> None:
    view = trials.view(refresh=False)
    with pytest.raises(AttributeError, match="refresh"):
        len(view)


def test_ids_are_unique_across_experiments(make: Any) -> None:
    store = trials_from_docs([make(0, 1.0, exp_key="a")], exp_key="a")
    with pytest.raises(InvalidTrial, match="tid 0"):
        store.view("b").insert_trial_doc(make(0, 1.0, exp_key="b"))


def test_trials_from_unchecked_documents(make: Any) -> None:
    """Without validation even a document with too few keys is taken; with it, it is not."""
    doc = {"tid": 1, "state": 2, "result": {}, "misc": {"vals": {}, "tid": 1}, "refresh_time": None}
    assert trials_from_docs([doc], validate=False).tids == [1]
    with pytest.raises(InvalidTrial, match="missing the keys spec, owner"):
        trials_from_docs([doc])


def test_trials_from_documents_of_an_experiment(make: Any) -> None:
    assert trials_from_docs([make(0, 1.0, exp_key="k")], exp_key="k").tids == [0]


def test_fmin_of_the_trials_hands_over_to_the_registered_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """With itself as trials, and told not to come back; arguments unknown here are passed on."""
    seen: dict[str, Any] = {}

    def hook(fn: Any, space: Any, **kwargs: Any) -> str:
        seen.update(kwargs, fn=fn, space=space)
        return "best"

    monkeypatch.setattr(Trials, "_fmin_hook", hook)
    trials = Trials()
    assert trials.fmin(abs, "space", max_evals=3, novelty=1) == "best"
    assert seen["trials"] is trials and seen["allow_trials_fmin"] is False
    assert (seen["fn"], seen["space"], seen["max_evals"], seen["novelty"]) == (abs, "space", 3, 1)
    assert seen["verbose"] is False


def test_fmin_without_a_run_layer_says_what_to_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trials, "_fmin_hook", None)
    with pytest.raises(RuntimeError, match="import hpspace"):
        Trials().fmin(abs, {})
