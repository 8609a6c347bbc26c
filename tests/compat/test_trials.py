"""Trials as Hyperopt's users know them, through `hpspace` under Hyperopt's name.

One test for each thing that existing code does with a Trials: what it reads, inserts, edits in place, pickles and
subclasses. Where Hyperopt errs and hpspace answers, the docstring says what Hyperopt does.
"""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import datetime
from typing import Any

import numpy as np
import pytest

import hpspace as hyperopt
from hpspace import STATUS_FAIL, STATUS_OK, Trials, fmin, hp, rand
from hpspace.base import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    JOB_STATES,
    JOB_VALID_STATES,
    STATUS_STRINGS,
    TRIAL_KEYS,
    TRIAL_MISC_KEYS,
    SONify,
    miscs_to_idxs_vals,
    miscs_update_idxs_vals,
    spec_from_misc,
    trials_from_docs,
)
from hpspace.exceptions import AllTrialsFailed, InvalidTrial

SPACE = {"x": hp.uniform("x", 0, 1), "c": hp.choice("c", ["a", {"n": hp.randint("n", 4)}])}


def run(fn: Any, n: int = 8, **kwargs: Any) -> Trials:
    trials = Trials()
    fmin(
        fn,
        SPACE,
        algo=rand.suggest,
        max_evals=n,
        trials=trials,
        rstate=np.random.default_rng(3),
        show_progressbar=False,
        **kwargs,
    )
    return trials


@pytest.fixture(scope="module")
def searched() -> Trials:
    return run(lambda config: config["x"])


def test_constants() -> None:
    assert JOB_STATES == [0, 1, 2, 3, 4] and {0, 1, 2} == JOB_VALID_STATES
    assert (JOB_STATE_NEW, JOB_STATE_RUNNING, JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL) == (
        0,
        1,
        2,
        3,
        4,
    )
    assert STATUS_STRINGS[:5] == ("new", "running", "suspended", "ok", "fail")


def test_a_finished_document_key_by_key(searched: Trials) -> None:
    doc = searched.trials[0]
    assert set(doc) == {*TRIAL_KEYS, "version"}
    assert set(doc["misc"]) == {*TRIAL_MISC_KEYS, "workdir"}
    assert doc["misc"]["cmd"] == ("domain_attachment", "FMinIter_Domain") and doc["misc"]["workdir"] is None
    assert (doc["tid"], doc["misc"]["tid"], doc["state"], doc["spec"]) == (0, 0, JOB_STATE_DONE, None)
    assert (doc["owner"], doc["exp_key"]) == (None, None)


def test_times_are_naive_utc_cut_to_milliseconds(searched: Trials) -> None:
    for doc in searched:
        for name in ("book_time", "refresh_time"):
            assert type(doc[name]) is datetime and doc[name].tzinfo is None
            assert doc[name].microsecond % 1000 == 0
        assert doc["book_time"] <= doc["refresh_time"]


def test_values_are_lists_of_one_or_none(searched: Trials) -> None:
    for doc in searched:
        for label, values in doc["misc"]["vals"].items():
            assert doc["misc"]["idxs"][label] == [doc["tid"]] * len(values)
        assert len(doc["misc"]["vals"]["n"]) == doc["misc"]["vals"]["c"][0]


def test_gathered_values_of_a_conditional_label_are_fewer_than_the_trials(searched: Trials) -> None:
    active = [doc["tid"] for doc in searched if doc["misc"]["vals"]["n"]]
    assert 0 < len(searched.vals["n"]) < len(searched) == len(searched.vals["x"])
    assert searched.idxs["n"] == active


def test_plain_python_types_in_documents(searched: Trials) -> None:
    types = {label: {type(v) for v in values} for label, values in searched.vals.items()}
    assert types == {"x": {float}, "c": {int}, "n": {int}}


def test_results_losses_and_statuses_are_parallel_lists(searched: Trials) -> None:
    assert searched.losses() == [result["loss"] for result in searched.results] == searched.vals["x"]
    assert searched.statuses() == [STATUS_OK] * 8 and searched.tids == list(range(8))


def test_argmin_equals_what_fmin_returns() -> None:
    trials = Trials()
    best = fmin(lambda c: c["x"], SPACE, rand.suggest, 6, trials=trials, rstate=np.random.default_rng(0),
                show_progressbar=False)  # fmt: skip
    assert best == trials.argmin == spec_from_misc(trials.best_trial["misc"])


def test_a_failed_status_is_a_done_trial_and_never_best() -> None:
    trials = run(
        lambda config: {"status": STATUS_FAIL} if config["x"] < 0.5 else {"status": STATUS_OK, "loss": 1}
    )
    assert {doc["state"] for doc in trials} == {JOB_STATE_DONE} and len(trials) == 8
    assert STATUS_FAIL in trials.statuses() and None in trials.losses()
    assert trials.argmin["x"] >= 0.5


def test_an_error_is_kept_out_of_sight_in_the_dynamic_trials() -> None:
    def raises(config: Any) -> float:
        if config["x"] < 0.5:
            raise ValueError("small")
        return 1.0

    trials = run(raises, catch_eval_exceptions=True)
    hidden = [doc for doc in trials._dynamic_trials if doc["state"] == JOB_STATE_ERROR]
    assert hidden and len(trials) == len(trials._dynamic_trials) - len(hidden)
    assert hidden[0]["misc"]["error"][1] == "small" and "ValueError" in hidden[0]["misc"]["error"][0]
    assert trials.count_by_state_synced(JOB_STATE_ERROR) == 0
    assert trials.count_by_state_unsynced(JOB_STATE_ERROR) == len(hidden)


@pytest.mark.parametrize("trials", [Trials(), trials_from_docs([])])
def test_the_best_of_nothing_is_all_trials_failed(trials: Trials) -> None:
    for name in ("best_trial", "argmin"):
        with pytest.raises(AllTrialsFailed):
            getattr(trials, name)


def test_users_insert_documents_by_hand() -> None:
    """The pieces `suggest` functions are made of."""
    trials = Trials()
    tids = trials.new_trial_ids(2)
    miscs: list[dict[str, Any]] = [{"tid": tid, "cmd": None, "idxs": {}, "vals": {}} for tid in tids]
    miscs_update_idxs_vals(miscs, {"x": tids}, {"x": [0.1, 0.2]})
    docs = trials.new_trial_docs(tids, [None, None], [{"status": "new"}] * 2, miscs)
    assert trials.insert_trial_docs(docs) == tids == [0, 1]
    assert len(trials) == 0
    trials.refresh()
    assert trials.vals == {"x": [0.1, 0.2]} == miscs_to_idxs_vals(trials.miscs)[1]
    assert {doc["state"] for doc in trials} == {JOB_STATE_NEW}


def test_invalid_documents_are_refused_with_the_object() -> None:
    with pytest.raises(InvalidTrial) as caught:
        Trials().insert_trial_doc({"tid": 0})
    assert caught.value.obj == {"tid": 0} and isinstance(caught.value, ValueError)


def test_numpy_values_become_plain_at_insertion(searched: Trials) -> None:
    doc = copy.deepcopy(searched.trials[0])
    doc["result"]["loss"] = np.float32(0.5)
    (stored,) = trials_from_docs([doc]).trials
    assert type(stored["result"]["loss"]) is float
    assert SONify({"a": np.arange(2), "b": (np.int64(1),)}) == {"a": [0, 1], "b": (1,)}


def test_trials_can_be_merged_with_new_ids(searched: Trials) -> None:
    """A recipe of the community: gather the documents of several searches into one Trials."""
    merged = Trials()
    for part in (searched, run(lambda config: -config["x"])):
        for doc in copy.deepcopy(part.trials):
            (tid,) = merged.new_trial_ids(1)
            doc["tid"] = doc["misc"]["tid"] = tid
            doc["misc"]["idxs"] = {k: [tid] * len(v) for k, v in doc["misc"]["vals"].items()}
            merged.insert_trial_doc(doc)
    merged.refresh()
    assert merged.tids == list(range(16)) and merged.best_trial["tid"] >= 8


def test_a_search_goes_on_with_its_pickled_trials() -> None:
    trials = pickle.loads(pickle.dumps(run(lambda config: config["x"])))
    fmin(lambda c: c["x"], SPACE, rand.suggest, 10, trials=trials, rstate=np.random.default_rng(0),
         show_progressbar=False)  # fmt: skip
    assert trials.tids == list(range(10))


def test_fmin_is_a_method_too() -> None:
    trials = Trials()
    best = trials.fmin(
        lambda config: config["x"], SPACE, algo=rand.suggest, max_evals=5, show_progressbar=False
    )
    assert len(trials) == 5 and best == trials.argmin


def test_the_method_has_hyperopts_parameters_in_hyperopts_order() -> None:
    parameters = inspect.signature(Trials.fmin).parameters
    assert list(parameters)[:17] == [
        "self",
        "fn",
        "space",
        "algo",
        "max_evals",
        "timeout",
        "loss_threshold",
        "max_queue_len",
        "rstate",
        "verbose",
        "pass_expr_memo_ctrl",
        "catch_eval_exceptions",
        "return_argmin",
        "show_progressbar",
        "early_stop_fn",
        "trials_save_file",
        "kwargs",
    ]
    assert parameters["verbose"].default is False and parameters["max_queue_len"].default == 1


def test_attachments_of_a_result_are_found_through_the_trial() -> None:
    trials = run(lambda c: {"loss": c["x"], "status": "ok", "attachments": {"log": b"%f" % c["x"]}}, n=2)
    assert trials.trial_attachments(trials.trials[1])["log"] == b"%f" % trials.losses()[1]
    assert "ATTACH::1::log" in trials.attachments and "attachments" not in trials.results[1]


def test_an_unrefreshed_trials_has_length_zero_until_refreshed() -> None:
    """What ``generate_trials_to_calculate`` gives, as an adapter of another tuner uses it."""
    from hpspace.fmin import generate_trials_to_calculate

    trials = generate_trials_to_calculate([{"x": 0.5}, {"x": 0.25}])
    assert len(trials) == 0
    trials.refresh()
    assert [doc["misc"]["vals"]["x"] for doc in trials.trials] == [[0.5], [0.25]]
    assert trials.tids == [0, 1] and trials.new_trial_ids(1) == [2]


def test_a_tuner_that_steers_trials_by_editing_documents() -> None:
    """Ask with an int seed, insert, look the document up again by id, edit it, refresh; twenty times."""
    trials = hyperopt.Trials()
    domain = hyperopt.Domain(lambda spec: spec, SPACE)
    for step in range(25):
        tids = trials.new_trial_ids(1)
        new = hyperopt.tpe.suggest(tids, domain, trials, np.random.RandomState(step).randint(2**31 - 1))
        trials.insert_trial_docs(new)
        trials.refresh()
        (doc,) = [trial for trial in trials.trials if trial["tid"] == tids[0]]
        now = hyperopt.utils.coarse_utcnow()
        doc.update(book_time=now, refresh_time=now, state=hyperopt.base.JOB_STATE_RUNNING)
        trials.refresh()
        config = hyperopt.base.spec_from_misc(doc["misc"])
        if step % 5 == 4:
            doc["state"] = hyperopt.base.JOB_STATE_ERROR
            doc["misc"]["error"] = ("Error", "lost")
        else:
            doc["state"] = hyperopt.base.JOB_STATE_DONE
            doc["result"] = {"loss": config["x"], "status": "ok"}
        trials.refresh()
    assert len(trials) == 20 and trials.tids[4] == 5
    history = trials.history(domain.space)
    assert history.ok.sum() == 20 and history.failed.sum() == 5
    assert trials.best_trial["result"]["loss"] == min(trials.losses())


def test_a_reader_that_edits_values_in_place_to_show_them() -> None:
    """Unpacks the one-element lists in the documents and compares with what fmin returned; results hold models."""
    trials = Trials()
    model = object()
    best = fmin(
        lambda c: {"loss": c["x"], "status": "ok", "model": model},
        SPACE, rand.suggest, 5, trials=trials, rstate=np.random.default_rng(1), show_progressbar=False,
    )  # fmt: skip
    found = None
    for trial in trials:
        vals = trial["misc"]["vals"]
        for label in vals:
            if vals[label]:
                vals[label] = vals[label][0]
        if {label: value for label, value in vals.items() if value != []} == best:
            found = trial["result"]["model"]
    assert found is model


def test_experiments_share_a_store_through_views() -> None:
    store = Trials(exp_key="one")
    (doc,) = store.new_trial_docs(
        store.new_trial_ids(1), [None], [{"status": "new"}], [{"tid": 0, "cmd": None, "idxs": {}, "vals": {}}]
    )
    store.insert_trial_doc(doc)
    store.refresh()
    assert (len(store), len(store.view("two")), len(store.view())) == (1, 0, 1)
    assert store.view("two")._ids is store._ids


def test_deleting_everything_and_starting_again() -> None:
    trials = run(lambda config: config["x"], n=3)
    trials.delete_all()
    assert len(trials) == 0 and trials.attachments == {} and trials.new_trial_ids(1) == [3]


def test_average_best_error_of_losses_without_variance_is_the_lowest(searched: Trials) -> None:
    assert searched.average_best_error() == min(searched.losses())


def test_trials_are_iterated_in_order_and_indexed_by_position(searched: Trials) -> None:
    """Hyperopt iterates; for an index it raises NotImplementedError."""
    assert list(searched) == searched.trials
    assert searched[2] is searched.trials[2] and searched[-1]["tid"] == 7
