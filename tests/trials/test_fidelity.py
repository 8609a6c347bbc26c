"""Trials that were given different resources: which is the best, and what a continued trial finds."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hpspace import Trials, hp, space_eval, trials_from_docs
from hpspace.exceptions import AllTrialsFailed
from hpspace.space.compile import compile_space
from hpspace.trials import bests
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_RUNNING, new_document
from hpspace.trials.fidelity import FIDELITY, ancestors_of, at_its_resource, reach, resource_of, staged

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 81)})


def trial(
    tid: int, loss: Any, resource: float | None = None, parent: Any = None, **result: Any
) -> dict[str, Any]:
    """A finished document at ``x = tid / 100``, perhaps with a resource."""
    doc = new_document(tid, {"x": tid / 100})
    doc.update(state=JOB_STATE_DONE, result={"status": "ok", "loss": loss, **result})
    if resource is not None:
        doc["misc"][FIDELITY] = staged(tid, "epochs", resource, 81, 0, 0, parent)
    return doc


def family() -> list[dict[str, Any]]:
    """One configuration, given more twice."""
    first = trial(4, 0.9, 1)
    second = trial(7, 0.8, 3, first)
    return [first, second, trial(9, 0.7, 9, second)]


# ---------------------------------------------------------------- what documents say


def test_a_continued_trial_knows_its_ancestors():
    """The latest first, with the id of the first as that of the configuration."""
    first, second, third = (doc["misc"][FIDELITY] for doc in family())
    assert (first["config"], first["parent"], first["ancestors"]) == (4, None, [])
    assert (second["config"], second["parent"], second["ancestors"]) == (4, 4, [4])
    assert (third["config"], third["parent"], third["ancestors"]) == (4, 7, [7, 4])


def test_ancestors_of_documents_of_others():
    """Without the list, parent and configuration stand for it; a trial is no ancestor of its own."""
    doc = new_document(9, {})
    assert ancestors_of(doc) == ()
    doc["misc"][FIDELITY] = {"resource": 9, "config": 4, "parent": 7}
    assert ancestors_of(doc) == (7, 4)
    doc["misc"][FIDELITY] = {"resource": 9, "config": 9, "parent": None}
    assert ancestors_of(doc) == ()


def test_a_parent_without_a_resource_is_a_configuration_of_its_own():
    """Such as a queued point that somebody continues by hand."""
    assert staged(5, "epochs", 9, 81, 1, 0, new_document(2, {}))["config"] == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, math.inf),
        ("3 epochs", math.inf),
        ({}, math.inf),
        ({"resource": 9, "high": 81}, 9.0),
        ({"resource": 9}, 9.0),
        ({"resource": 81, "high": 81}, math.inf),
    ],
)
def test_the_whole_resource_is_beyond_any_part_of_it(said, expected):
    """A document that says nothing had all of it."""
    doc = new_document(0, {})
    doc["misc"][FIDELITY] = said
    assert reach(doc) == expected


def test_a_point_is_completed_by_its_trials_resource():
    """Only in a space that declares one, and only where a trial had less or was told."""
    doc = trial(1, 0.5, 9)
    assert at_its_resource({"x": 0.5}, doc, SPACE) == {"x": 0.5, "epochs": 9}
    assert at_its_resource({"x": 0.5}, new_document(0, {}), SPACE) == {"x": 0.5}
    assert at_its_resource({"x": 0.5}, None, SPACE) == {"x": 0.5}
    assert at_its_resource({"x": 0.5}, doc, compile_space(hp.uniform("x", 0, 1))) == {"x": 0.5}
    assert resource_of(doc) == 9


# ---------------------------------------------------------------- the best


def test_the_best_is_sought_among_those_with_the_most():
    """A low loss at 3 epochs is no loss at 81."""
    trials = trials_from_docs([trial(0, 0.1, 3), trial(1, 0.4, 81), trial(2, 0.3, 81), trial(3, 0.2, 27)])
    assert trials.best_trial["tid"] == 2


def test_only_results_count_as_reached():
    """Failed trials, and those without a number, say nothing about 81 epochs."""
    nan, failed, pruned = trial(1, math.nan, 81), trial(2, 0.0, 81, status="fail"), trial(3, 0.0, 81)
    pruned["result"] = {"status": "pruned", "last_step": 5, "last_value": 0.0}
    running = {**trial(4, 0.0, 81), "state": JOB_STATE_RUNNING, "result": {"status": "new"}}
    trials = trials_from_docs([trial(0, 0.1, 3), nan, failed, pruned, running, trial(5, 0.2, 1)])
    assert trials.best_trial["tid"] == 0
    with pytest.raises(AllTrialsFailed):
        trials_from_docs([nan, failed, pruned]).best_trial  # noqa: B018


def test_a_trial_without_a_resource_had_all_of_it():
    """Points that were queued, and trials of algorithms that plan nothing, compete with the fully promoted."""
    assert trials_from_docs([trial(0, 0.3), trial(1, 0.2, 81), trial(2, 0.1, 27)]).best_trial["tid"] == 1
    assert trials_from_docs([trial(0, 0.1), trial(1, 0.2, 81), trial(2, 0.0, 27)]).best_trial["tid"] == 0


def test_of_equals_the_first_is_best():
    """At one resource, as without."""
    assert bests.best_of([trial(0, 0.2, 9), trial(1, 0.1, 9), trial(2, 0.1, 9)])["tid"] == 1
    assert bests.best_of([trial(0, math.inf, 9), trial(1, math.inf, 9)])["tid"] == 0


def test_comparable_trials_are_those_at_the_top():
    """What averages over good trials may use."""
    docs = [trial(0, 0.1, 3), trial(1, 0.4, 9), trial(2, math.nan, 81), trial(3, 0.3, 9)]
    assert [doc["tid"] for doc in bests.comparable(docs)] == [1, 3]
    assert bests.comparable([]) == []
    assert trials_from_docs(docs).average_best_error() == 0.3


def test_the_best_configuration_has_its_resource():
    """It is what the objective got; for a final run, `space_eval` gives the point all of it."""
    trials = trials_from_docs([trial(0, 0.1, 3), trial(1, 0.4, 9)])
    trials.remember_space(SPACE)
    assert trials.best_config == {"x": 0.01, "epochs": 9}
    assert trials.argmin == {"x": 0.01}
    assert space_eval(SPACE, trials.argmin) == {"x": 0.01, "epochs": 81}


# ---------------------------------------------------------------- checkpoints


def test_a_continued_trial_reads_what_its_ancestors_wrote():
    """The latest that wrote a name counts; what it writes itself is its own."""
    docs = family()
    trials = trials_from_docs(docs)
    first, second, third = (trials.trial_attachments(doc) for doc in docs)
    first["seed"], first["weights"] = b"s", b"w1"
    second["weights"] = b"w3"
    assert (third["seed"], third["weights"]) == (b"s", b"w3")
    assert "seed" in third and "other" not in third
    assert sorted(third) == ["seed", "weights"] and len(third) == 2
    third["weights"] = b"w9"
    assert (third["weights"], second["weights"], first["weights"]) == (b"w9", b"w3", b"w1")


def test_what_ancestors_wrote_is_not_a_trials_to_delete():
    """Deleting its own shows theirs again."""
    docs = family()
    trials = trials_from_docs(docs)
    first, third = trials.trial_attachments(docs[0]), trials.trial_attachments(docs[2])
    first["log"], third["log"] = "old", "new"
    del third["log"]
    assert third["log"] == "old"
    with pytest.raises(KeyError, match="ATTACH::9::log"):
        del third["log"]
    with pytest.raises(KeyError, match="ATTACH::9::other"):
        third["other"]


def test_strangers_share_nothing():
    """Other configurations of the same bracket do not."""
    trials = trials_from_docs([trial(0, 0.1, 1), trial(1, 0.1, 1)])
    trials.trial_attachments(trials[0])["weights"] = b"w"
    assert "weights" not in trials.trial_attachments(trials[1])
    assert isinstance(trials, Trials)
