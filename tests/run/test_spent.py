"""Trials that are given different resources: what a run knows as its best, and what it has spent."""

from __future__ import annotations

import math

import pytest

from hpspace import fmin, hp, stop, trials_from_docs
from hpspace.exceptions import CallbackError, InvalidFidelity
from hpspace.run.scoreboard import Scoreboard
from hpspace.run.spent import spent
from hpspace.space.compile import compile_space
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_RUNNING, new_document
from hpspace.trials.fidelity import FIDELITY, staged

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 81)})


def trial(tid, loss, resource=None, parent=None, state=JOB_STATE_DONE):
    doc = new_document(tid, {"x": 0.5})
    doc.update(state=state, result={"status": "ok", "loss": loss})
    if resource is not None:
        doc["misc"][FIDELITY] = staged(tid, "epochs", resource, 81, 0, 0, parent)
    return doc


def trials_of(*docs):
    trials = trials_from_docs(docs)
    trials.remember_space(SPACE)
    return trials


# ---------------------------------------------------------------- what is best


def test_a_run_knows_the_best_of_the_highest_resource():
    """A worse loss at more epochs is the new best; a better one at fewer is not."""
    board = Scoreboard(trials_of())
    noted = [
        board.note(doc) for doc in (trial(0, 0.2, 3), trial(1, 0.5, 9), trial(2, 0.1, 3), trial(3, 0.4, 9))
    ]
    assert noted == [True, True, False, True]
    assert board.best == 0.4


def test_reading_anew_gives_what_was_noted():
    """When other processes add trials."""
    docs = [trial(0, 0.2, 3), trial(1, 0.5, 9), trial(2, math.nan, 81), trial(3, 0.6, 9)]
    trials = trials_of(*docs)
    read, noted = Scoreboard(trials), Scoreboard(trials)
    read.read()
    for doc in docs:
        noted.note(doc)
    assert read.best == noted.best == 0.5
    Scoreboard(trials_of()).read()


def test_a_loss_that_is_no_number_never_is_the_best():
    """Neither at first nor later; an infinite one is no news."""
    board = Scoreboard(trials_of())
    assert [board.note(trial(0, loss)) for loss in (math.nan, math.inf, 0.5, math.nan)] == [
        False,
        False,
        True,
        False,
    ]
    assert board.best == 0.5


def test_more_of_the_resource_is_an_improvement():
    """`no_improvement` counts from the last trial that made the best better, or that went further."""
    rule = stop.no_improvement(2)
    assert rule.reason(trials_of(trial(0, 0.2, 3), trial(1, 0.9, 9), trial(2, 0.1, 3))) is None
    assert rule.reason(trials_of(trial(0, 0.2, 3), trial(1, 0.9, 9), trial(2, 0.1, 3), trial(3, 0.95, 9)))


# ---------------------------------------------------------------- what is spent


def family():
    first = trial(0, 0.5, 1)
    second = trial(2, 0.4, 3, first)
    return [first, trial(1, 0.6, 1), second, trial(3, 0.3, 9, second)]


@pytest.mark.parametrize(("resuming", "expected"), [(False, 14.0), (True, 10.0)])
def test_a_promotion_costs_all_of_it_or_what_it_adds(resuming, expected):
    """1 + 1 + 3 + 9, or 1 + 1 + 2 + 6 for an objective that goes on from a checkpoint."""
    assert spent(family(), 81, resuming) == expected


def test_a_trial_without_a_resource_costs_the_whole():
    """A queued point, or one of another algorithm."""
    assert spent([*family(), trial(9, 0.1)], 81, False) == 95.0


def test_every_trial_that_ended_counts():
    """Those that failed have cost as much; those under way have not ended."""
    failed = trial(5, None, 27, state=JOB_STATE_ERROR)
    under_way = {**trial(6, None, 81, state=JOB_STATE_RUNNING), "result": {"status": "new"}}
    trials = trials_of(*family(), failed, under_way)
    assert stop.total_resource(41).reason(trials) == "41 of the resource is spent, of 41"
    assert stop.total_resource(41.5).reason(trials) is None
    assert repr(stop.total_resource(41, resuming=True)) == "total_resource(41, resuming=True)"


def test_a_run_ends_when_its_budget_is_spent():
    """With the trial that spends the last of it."""
    best = fmin(
        lambda config: config["x"], {"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 9)},
        "hyperband", rstate=0, verbose=False, callbacks=stop.total_resource(100),
    )  # fmt: skip
    given = [doc["misc"][FIDELITY]["resource"] for doc in best.trials]
    assert sum(given[:-1]) < 100 <= sum(given)


def test_without_a_declared_resource_it_says_so_before_anything_is_evaluated():
    """Not when the first trial has been paid for."""
    evaluated = []
    with pytest.raises(
        CallbackError, match=r"on_start.* the space declares no resource; .*hp\.fidelity"
    ) as caught:
        fmin(
            evaluated.append,
            hp.uniform("x", 0, 1),
            "rand",
            5,
            verbose=False,
            callbacks=stop.total_resource(9),
        )
    assert isinstance(caught.value.error, InvalidFidelity)
    assert evaluated == []


@pytest.mark.parametrize("budget", [0, -1, True, math.nan])
def test_a_budget_is_a_number_above_zero(budget):
    """Else the argument is named."""
    with pytest.raises(ValueError, match="total_resource"):
        stop.total_resource(budget)
