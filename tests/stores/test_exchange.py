"""Moving trials: between stores, to and from lines of JSON, and joined with trials that are there."""

from __future__ import annotations

import json
import math

import pytest

from hpspace import SqliteTrials, Trials, fmin, hp
from hpspace.exceptions import DirectionMismatch, StoreTooNew
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    new_document,
)
from hpspace.trials.exchange import copy_trials, export_jsonl, import_jsonl
from hpspace.trials.joining import join
from hpspace.trials.shared.memory import MemoryStore
from hpspace.trials.shared.trials import SharedTrials

SPACE = {"x": hp.uniform("x", -1, 1), "c": hp.choice("c", ["a", {"y": hp.normal("y", 0, 1)}])}


def finished(tid, x=0.5, loss=1.0, exp_key=None, **misc):
    doc = new_document(tid, {"x": x}, exp_key=exp_key)
    doc.update(state=JOB_STATE_DONE, result={"status": "ok", "loss": loss})
    doc["misc"].update(misc)
    return doc


def holding(*docs, exp_key=None):
    trials = Trials(exp_key)
    trials.insert_trial_docs(docs)
    trials.refresh()
    return trials


@pytest.fixture
def searched():
    trials = Trials()
    fmin(lambda c: c["x"], SPACE, "rand", 8, trials=trials, rstate=0, show_progressbar=False)
    return trials


@pytest.fixture
def file(tmp_path):
    trials = SqliteTrials(tmp_path / "study.db", "copy")
    yield trials
    trials.close()


# -- copies --------------------------------------------------------------------------------------------------


def test_a_copy_is_there_whole(searched, file):
    """Ids, points, outcomes, attachments, the space; and back again into memory."""
    searched.attachments["note"] = {"by": "me"}
    searched.trial_attachments(searched.trials[3])["model"] = b"weights"
    back = searched.copy_to(file).copy_to(Trials())
    for copied in (file, back):
        assert (copied.tids, copied.vals, copied.losses()) == (
            searched.tids,
            searched.vals,
            searched.losses(),
        )
        assert copied.best_config == searched.best_config
        assert copied.attachments["note"] == {"by": "me"}
        assert dict(copied.trial_attachments(copied.by_tid(3))) == {"model": b"weights"}
    assert back.trials[0].keys() == searched.trials[0].keys(), "what stores add stays there"


def test_a_copy_can_be_repeated(searched, file):
    searched.copy_to(file)
    searched.copy_to(file)
    assert file.tids == searched.tids


def test_a_search_goes_on_with_a_copy(searched, file):
    searched.copy_to(file)
    fmin(lambda c: c["x"], SPACE, "tpe", 10, trials=file, rstate=0, show_progressbar=False)
    assert len(file) == 10 and len(searched) == 8


def test_the_copy_can_be_named_by_a_url(searched, tmp_path):
    copied = copy_trials(searched, f"sqlite:///{tmp_path}/study.db#e")
    assert copied.losses() == searched.losses() and copied._exp_key == "e"
    copied.close()


def test_running_trials_wait_in_the_copy(file):
    doc = new_document(0, {"x": 0.5})
    doc["state"], doc["owner"] = JOB_STATE_RUNNING, "me"
    source = holding(doc)
    source.copy_to(file)
    assert (file.trials[0]["state"], file.trials[0]["owner"]) == (JOB_STATE_NEW, None)
    assert source.trials[0]["state"] == JOB_STATE_RUNNING, "the source was changed"


def test_failures_are_copied_too(file):
    doc = new_document(0, {"x": 0.5})
    doc["state"] = JOB_STATE_ERROR
    doc["misc"]["error"] = ("ValueError", "no")
    holding(doc).copy_to(file)
    assert file.documents()[0]["misc"]["error"] == ("ValueError", "no")


def test_experiments_stay_apart_or_become_one(tmp_path):
    store = MemoryStore()
    for key in ("a", "b"):
        SharedTrials(store, key).insert_trial_docs([finished(store.new_tids(1)[0], exp_key=key)])
    apart = SharedTrials(store).copy_to(SharedTrials(MemoryStore()))
    one = SharedTrials(store).copy_to(SharedTrials(MemoryStore(), "one"))
    assert sorted(doc["exp_key"] for doc in apart) == ["a", "b"]
    assert [doc["exp_key"] for doc in one] == ["one", "one"]


def test_attachments_of_the_trial_that_another_continues_are_copied_once(file):
    """The later one reads them there, in the copy too."""
    later = finished(1, fidelity={"label": "n", "resource": 3, "parent": 0, "config": 0, "ancestors": [0]})
    source = holding(finished(0), later)
    source.trial_attachments(source.trials[0])["weights"] = b"w"
    source.copy_to(file)
    assert list(file.attachments) == ["ATTACH::0::weights"]
    assert file.trial_attachments(file.by_tid(1))["weights"] == b"w"


def test_the_direction_of_an_experiment_is_copied_with_it():
    """Also when the source shows the whole store, whose own direction means nothing."""
    store = MemoryStore()
    trials = SharedTrials(store, "up")
    trials.direction = "maximize"
    trials.insert_trial_docs([finished(0, loss=-2.0, exp_key="up")])
    assert SharedTrials(store).copy_to(Trials()).direction == "maximize"


# -- joining -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Trials, lambda: SharedTrials(MemoryStore())])
def test_taken_ids_are_given_anew_with_all_that_refers_to_them(make):
    """1 was injected by 0, and 2 continues 0: all three are renumbered together."""
    target = make()
    target.insert_trial_docs([finished(tid, x=9.0) for tid in range(3)])
    fidelity = {"label": "n", "resource": 3, "config": 0, "parent": 0, "ancestors": [0]}
    docs = [finished(0), finished(1, from_tid=0), finished(2, fidelity=fidelity), finished(77)]
    tids = join(target, docs, "minimize")
    assert len(set(tids)) == 4 and not set(tids[:3]) & {0, 1, 2} and tids[3] == 77
    first, injected, later = (target.by_tid(tid) for tid in tids[:3])
    assert injected["misc"]["from_tid"] == first["tid"] and injected["misc"]["idxs"] == {
        "x": [injected["tid"]]
    }
    assert later["misc"]["fidelity"] == {
        **fidelity,
        "config": first["tid"],
        "parent": first["tid"],
        "ancestors": [first["tid"]],
    }
    assert docs[1]["tid"] == 1, "the caller's documents were changed"


def test_the_same_point_with_another_outcome_is_another_trial():
    target = holding(finished(0, loss=1.0), finished(1, loss=math.nan))
    assert join(target, [finished(0, loss=2.0), finished(1, loss=math.nan)], "minimize") == [2, 1]
    assert len(target) == 3


def test_ids_that_are_no_numbers_get_numbers_in_a_store():
    target = SharedTrials(MemoryStore())
    assert join(target, [finished("first"), finished("second", from_tid="first")], "minimize") == [0, 1]
    assert target.by_tid(1)["misc"]["from_tid"] == 0


def test_directions_are_not_mixed():
    empty, full = Trials(), holding(finished(0))
    join(empty, [finished(5)], "maximize")
    assert empty.direction == "maximize"
    with pytest.raises(DirectionMismatch):
        join(full, [finished(5)], "maximize")
    assert full.tids == [0]


# -- lines ---------------------------------------------------------------------------------------------------


def test_lines_come_back(searched, tmp_path):
    searched.trials[0]["result"]["extra"] = {"nan": math.nan, "pair": (1, b"x")}
    path = tmp_path / "trials.jsonl"
    assert export_jsonl(searched, path) == 8
    back = import_jsonl(path)
    assert repr([doc["result"] for doc in back]) == repr([doc["result"] for doc in searched])
    assert back.vals == searched.vals
    header, *lines = map(json.loads, path.read_text().splitlines())
    assert (header["hpspace"], header["schema"], header["direction"]) == ("trials", 1, "minimize")
    assert header["space"] == searched.space_json and [line["tid"] for line in lines] == searched.tids


def test_lines_of_a_store_can_be_added_to_another(searched, file, tmp_path):
    export_jsonl(searched.copy_to(file), tmp_path / "lines")
    assert import_jsonl(tmp_path / "lines", SharedTrials(MemoryStore(), "e")).losses() == searched.losses()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "line 1: this is no file of trials"),
        ("[1]\n", ValueError, "line 1: this is no file of trials"),
        ('{"hpspace": "trials", "schema": 99}\n', StoreTooNew, "schema version 99.*reads up to 1"),
        ('{"hpspace": "trials", "schema": 1, "direction": "minimize"}\n{"tid": 0\n', ValueError, "line 2"),
        (
            '{"hpspace": "trials", "schema": 1, "direction": "minimize"}\n\n{"tid": 0}\n',
            ValueError,
            "line 3: .*spec",
        ),
    ],
)
def test_other_files_are_refused_by_line(tmp_path, text, error, message):
    path = tmp_path / "lines"
    path.write_text(text)
    with pytest.raises(error, match=message):
        import_jsonl(path)
