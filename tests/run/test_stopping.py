"""Stop functions and the checks of fmin's limits."""

from __future__ import annotations

import math
import pickle
import sys

import pytest

from hpspace import fmin, hp
from hpspace.run.stopping import (
    ask_early_stop,
    best_ok_loss,
    evaluation_limit,
    no_progress_loss,
    validate_loss_threshold,
    validate_timeout,
)
from hpspace.trials.document import JOB_STATE_DONE, new_document
from hpspace.trials.trials import trials_from_docs


def finished(results):
    docs = [new_document(tid, {"x": 0.0}) for tid in range(len(results))]
    for doc, result in zip(docs, results):
        doc.update(state=JOB_STATE_DONE, result=result)
    return trials_from_docs(docs)


def ok(*losses):
    return [{"status": "ok", "loss": loss} for loss in losses]


def turns_until_stop(stop, results):
    """Call a stop function as the loop does, one more trial each time; return the turn that stops."""
    args = []
    for turn in range(1, len(results) + 1):
        stopped, args = stop(finished(results[:turn]), *args)
        if stopped:
            return turn
    return None


def test_a_run_without_progress_stops_after_the_count():
    """The first call counts one: with 10 and the first trial the best, 10 evaluations."""
    calls = []
    best = fmin(
        lambda c: calls.append(c) or len(calls),
        hp.uniform("x", 0, 1),
        "rand",
        100,
        rstate=0,
        verbose=False,
        early_stop_fn=no_progress_loss(10),
    )
    assert len(best.trials) == len(calls) == 10


@pytest.mark.parametrize(
    ("losses", "count", "expected"),
    [
        ([5, 4, 3, 3, 3, 3], 3, 6),  # progress resets to 0: three more turns
        ([5, 5, 5], 2, 2),
        ([5, 4, 3, 2, 1], 2, None),
    ],
)
def test_progress_resets_the_count(losses, count, expected):
    """A new best starts the count again."""
    assert turns_until_stop(no_progress_loss(count), ok(*losses)) == expected


def test_progress_must_reach_the_percentage():
    """With 10 percent, 100 -> 95 is no progress, 100 -> 85 is."""
    assert turns_until_stop(no_progress_loss(2, 10), ok(100, 95)) == 2
    assert turns_until_stop(no_progress_loss(2, 10), ok(100, 85)) is None


def test_failed_and_nan_trials_are_never_progress():
    """Hyperopt raised KeyError 'loss' on a failed trial (pain 29)."""
    results = [*ok(5.0), {"status": "fail"}, {"status": "fail", "loss": -99.0}, *ok(math.nan)]
    assert turns_until_stop(no_progress_loss(4), results) == 4


def test_a_run_of_failures_only_stops_too():
    """No loss at all is no progress either."""
    assert turns_until_stop(no_progress_loss(3), [{"status": "fail"}] * 5) == 3


@pytest.mark.parametrize("answer", [None, 1, (True, [], 0), (True, None), "no"])
def test_another_answer_is_named(answer):
    """The function, what it said, and what it should say."""
    with pytest.raises(TypeError, match=r"early_stop_fn=.*lambda.* returned .*: return \(stop, args\)"):
        ask_early_stop(lambda trials: answer, None, [])


def test_the_stop_function_can_be_pickled():
    """It may have to travel with other arguments of a run."""
    stop = pickle.loads(pickle.dumps(no_progress_loss(2)))
    assert turns_until_stop(stop, ok(1, 1)) == 2


def test_the_best_loss_counts_only_ok_trials():
    """A failed trial's loss says nothing (pain 7); minus infinity is a loss."""
    assert best_ok_loss(finished([{"status": "fail", "loss": -1.0}, *ok(math.nan, 2.0)])) == 2.0
    assert best_ok_loss(finished(ok(1.0, -math.inf))) == -math.inf
    assert best_ok_loss(finished(ok(math.nan))) is None


@pytest.mark.parametrize("wrong", [0, -1, True, "3", math.nan, [1]])
def test_timeout_is_checked_with_hyperopts_words(wrong):
    """The class and the sentence are what programs match."""
    with pytest.raises(
        Exception, match=r"^The timeout argument should be None or a positive value\. Given value: "
    ):
        validate_timeout(wrong)


@pytest.mark.parametrize("wrong", [True, "3", math.nan, [1]])
def test_loss_threshold_is_checked_with_hyperopts_words(wrong):
    """The class and the sentence are what programs match."""
    with pytest.raises(
        Exception, match=r"^The loss_threshold argument should be None or a numeric value\. Given value: "
    ):
        validate_loss_threshold(wrong)


def test_good_limits_pass():
    """Numbers of any kind, and None."""
    for value in (None, 1, 0.5):
        validate_timeout(value)
    for value in (None, 0, -1.5, math.inf):
        validate_loss_threshold(value)


@pytest.mark.parametrize(("given", "limit"), [(None, sys.maxsize), (math.inf, sys.maxsize), (0, 0), (5.0, 5)])
def test_max_evals_as_a_count(given, limit):
    """None and infinity are no limit."""
    assert evaluation_limit(given) == limit


@pytest.mark.parametrize("wrong", [-1, 2.5, "10", math.nan, True])
def test_max_evals_must_be_a_whole_number(wrong):
    """The error names the value."""
    with pytest.raises(ValueError, match="max_evals="):
        evaluation_limit(wrong)
