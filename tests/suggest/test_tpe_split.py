"""Which trials are good, and how much each counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.suggest.tpe.split import MAX_GOOD, WEIGHT_CAP, improvement_weights, root, split, tenth


def history_of(losses, kinds=None) -> History:
    history = History(compile_space(hp.uniform("x", 0, 1)))
    n = len(losses)
    history.append(np.linspace(0.1, 0.9, n)[:, None], losses, [OK] * n if kinds is None else kinds)
    return history


def test_the_best_are_good_and_all_others_bad():
    """A tenth of 30 is 3."""
    losses = np.random.default_rng(0).permutation(30).astype(float)
    parts = split(history_of(losses), tenth, weighted=False)
    assert losses[parts.good].tolist() == [0.0, 1.0, 2.0]
    assert sorted([*parts.good, *parts.bad]) == list(range(30))


def test_a_failed_trial_is_bad_whatever_its_loss_says():
    """Hyperopt lets a failed trial with a low loss attract the search."""
    parts = split(history_of([-9.0, 1.0, 2.0, -9.0], [FAILED, OK, OK, PENDING]), tenth, weighted=True)
    assert parts.good.tolist() == [1, 2]
    assert parts.bad.tolist() == [0, 3]


def test_nothing_is_good_when_no_trial_is_ok():
    """All failed so far."""
    parts = split(history_of([1.0, 2.0], [FAILED, FAILED]), tenth, weighted=True)
    assert len(parts.good) == 0
    assert parts.bad.tolist() == [0, 1]


def test_pending_trials_do_not_raise_the_number_of_good_ones():
    """10 finished and 30 pending: a tenth of 10, at least 2."""
    parts = split(history_of([float(i) for i in range(40)], [OK] * 10 + [PENDING] * 30), tenth, weighted=True)
    assert len(parts.good) == 2


def test_a_single_trial_is_good():
    """N = 1: there is nothing to compare with, but something to stay near."""
    parts = split(history_of([3.0]), tenth, weighted=True)
    assert (parts.good.tolist(), parts.bad.tolist(), parts.weights.tolist()) == ([0], [], [1.0])


def test_ties_are_split_by_age():
    """Equal losses: the earlier trials are good, as a stable sort has it."""
    assert split(history_of([1.0] * 40), tenth, weighted=True).good.tolist() == [0, 1, 2, 3]


def test_both_rules_stop_at_the_most_good_trials():
    """The cap holds for the linear and for Hyperopt's rule."""
    assert tenth(10_000) == root(0.25)(1_000_000) == MAX_GOOD
    assert root(0.25)(100) == math.ceil(0.25 * 10)


@pytest.mark.parametrize(
    ("losses", "threshold", "expected"),
    [
        ([2.0, 2.0, 2.0], 2.0, [1.0, 1.0, 1.0]),
        ([2.0, 2.0], 5.0, [1.0, 1.0]),
        ([0.0, 1.0], 2.0, [4 / 3, 2 / 3]),
        ([-np.inf, 0.0], 1.0, [2.0, 0.0]),
        ([-np.inf, -np.inf, 0.0], 1.0, [1.5, 1.5, 0.0]),
        ([-np.inf, -np.inf], -np.inf, [1.0, 1.0]),
        ([-1.7e308, 0.0], 1.7e308, [4 / 3, 2 / 3]),
        ([0.0, 5e-324], 5e-324, [2.0, 0.0]),
    ],
)
def test_weights_are_improvements_of_mean_one(losses, threshold, expected):
    """Equal losses, an ordinary case, infinite losses, overflow and underflow."""
    np.testing.assert_allclose(improvement_weights(np.array(losses), threshold), expected, atol=1e-9)


@pytest.mark.parametrize("outliers", [1, 2, 4])
def test_a_huge_outlier_does_not_become_the_model(outliers):
    """20 good trials, some of them better by nine orders of magnitude: each weighs 5 times the mean, not 20."""
    losses = np.sort(np.concatenate([np.full(outliers, -1e9), np.linspace(0.0, 0.5, 20 - outliers)]))
    weights = improvement_weights(losses, 1.0)
    assert weights.mean() == pytest.approx(1.0)
    assert weights.max() <= WEIGHT_CAP + 1e-9
    assert (np.diff(weights) <= 1e-12).all()


def test_weights_do_not_depend_on_the_unit_of_the_loss():
    """Scaling by a power of two is exact, so the weights are equal bit for bit."""
    losses = np.sort(np.random.default_rng(0).random(10))
    assert (improvement_weights(losses, 1.5) == improvement_weights(losses * 1024.0, 1.5 * 1024.0)).all()


def pruned_history(losses, steps) -> History:
    """OK trials with losses, then pruned ones that came to some steps."""
    history = History(compile_space(hp.uniform("x", 0, 1)))
    n = len(losses) + len(steps)
    history.append(
        np.linspace(0.1, 0.9, n)[:, None],
        [*losses, *[np.nan] * len(steps)],
        [OK] * len(losses) + [PRUNED] * len(steps),
        [np.nan] * len(losses) + steps,
        [np.nan] * len(losses) + [-99.0] * len(steps),  # tempting values, of early steps
    )
    return history


def test_pruned_trials_are_bad_while_enough_have_finished():
    """3 of 30 are good: two of the four finished ones are worse than that, and still none of the pruned is good."""
    history = pruned_history([3.0, 0.0, 2.0, 1.0], [9] * 26)
    parts = split(history, tenth, weighted=True)
    assert parts.good.tolist() == [1, 3, 2]
    assert parts.bad.tolist() == [0, *range(4, 30)]
    plain = split(history_of([3.0, 0.0, 2.0, 1.0] + [9.0] * 26), tenth, weighted=True)
    assert parts.weights.tolist() == plain.weights.tolist(), (
        "the threshold is the loss of trial 0, which finished"
    )


def test_the_furthest_pruned_trials_fill_up_and_weigh_least():
    """5 of 50 are good and 3 have finished: losses 0, 1, 2 are 1 apart, so pruned ones count as 2.5, threshold 3."""
    history = pruned_history([0.0, 1.0, 2.0], [*range(1, 46), 50, 60])
    parts = split(history, tenth, weighted=True)
    assert parts.good.tolist() == [0, 1, 2, 49, 48]
    np.testing.assert_allclose(parts.weights / parts.weights[0], [1, 2 / 3, 1 / 3, 1 / 6, 1 / 6])
    assert parts.weights.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("losses", [[], [1.0], [2.0, 2.0], [-np.inf, 1.0], [-1.7e308, 1.7e308]])
def test_with_few_finished_trials_pruned_ones_never_weigh_more(losses):
    history = pruned_history(losses, [3, 2, 1] * 10)
    parts = split(history, lambda _: 4, weighted=True)
    n = len(losses)
    assert len(parts.good) == 4 and np.isfinite(parts.weights).all()
    if n:
        assert parts.weights[n:].max() <= parts.weights[:n].max() + 1e-12
    assert history.steps[parts.good[n:]].tolist() == [3] * (4 - n)


def test_focused_splits_rank_pruned_trials_too():
    history = pruned_history([0.0, 1.0], [5, 7, 6])
    among = np.array([True, False, True, False, True])
    assert split(history, lambda _: 2, weighted=False, among=among).good.tolist() == [0, 4]
