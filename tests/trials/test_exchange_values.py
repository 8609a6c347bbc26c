"""Values that text has no words for, in files of lines; and a way through MongoDB (see also tests/stores)."""

from __future__ import annotations

import datetime
import json
import math

import pytest

from hpspace import Trials, fmin, hp
from hpspace.exceptions import Unstorable
from hpspace.trials.document import new_document
from hpspace.trials.exchange import copy_trials, export_jsonl, import_jsonl

SPACE = {"x": hp.uniform("x", -1, 1), "kind": hp.choice("kind", ["a", {"y": hp.uniform("y", 0, 1)}])}


def searched(trials=None, n=6, **options):
    """Trials of a short search with an attachment each, one of them failed."""
    trials = Trials() if trials is None else trials

    def objective(config, ctrl):
        ctrl.attachments["note"] = f"x={config['x']}".encode()
        if ctrl.current_trial["tid"] == 2:
            raise ValueError("the third")
        return config["x"]

    fmin(objective, SPACE, "rand", n, trials=trials, catch=(ValueError,), rstate=0, verbose=False, **options)
    return trials


def comparable(trials):
    """What has to be the same wherever trials are: everything but owners, times and the store's own keys."""
    return [(doc["tid"], doc["state"], doc["result"], doc["misc"]) for doc in trials.documents()]


@pytest.mark.parametrize(
    "value",
    [
        math.inf,
        -math.inf,
        (1, (2, [3])),
        b"\x00\xff",
        datetime.datetime(2026, 1, 5, 10, 14, 2, 587000),
        {"$tuple": 1},
        "ü\n",
    ],
)
def test_values_of_results_come_back_as_they_were(tmp_path, value):
    """Also a dict that looks like the mark of a tuple."""
    trials = Trials()
    doc = {**new_document(0, {"x": 0.5}), "state": 2, "result": {"status": "ok", "loss": 0.5, "extra": value}}
    trials.insert_trial_docs([doc])
    trials.refresh()
    export_jsonl(trials, tmp_path / "t.jsonl")
    again = import_jsonl(tmp_path / "t.jsonl").documents()[0]["result"]["extra"]
    assert again == value and type(again) is type(value)


def test_nan_comes_back(tmp_path):
    trials = Trials()
    doc = {**new_document(0, {"x": 0.5}), "state": 2, "result": {"status": "ok", "loss": math.nan}}
    trials.insert_trial_docs([doc])
    trials.refresh()
    export_jsonl(trials, tmp_path / "t.jsonl")
    assert math.isnan(import_jsonl(tmp_path / "t.jsonl").documents()[0]["result"]["loss"])
    for line in (tmp_path / "t.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # other programs read it, too


def test_what_cannot_be_text_is_named(tmp_path):
    trials = Trials()
    trials.insert_trial_docs(
        [{**new_document(3, {"x": 0.5}), "state": 2, "result": {"status": "ok", "model": object()}}]
    )
    trials.refresh()
    with pytest.raises(Unstorable, match=r"trial 3.*model"):
        export_jsonl(trials, tmp_path / "t.jsonl")


def test_to_mongodb_and_back(standalone_url):
    trials = searched()
    there = copy_trials(trials, standalone_url + "#copy")
    back = copy_trials(there, Trials())
    there.close()
    assert comparable(back) == comparable(trials)
    assert dict(back.trial_attachments(back.documents()[0])) == dict(
        trials.trial_attachments(trials.documents()[0])
    )
