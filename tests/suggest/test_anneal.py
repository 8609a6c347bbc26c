"""Annealing draws around good trials, ever nearer."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, History
from hpspace.suggest.anneal import Anneal


def propose(space, history, n=1, seed=0, **options):
    return Anneal(**options).propose(space, history, n, np.random.default_rng(seed))


def history_of(space, values, losses, kind=OK):
    history = History(space)
    history.append(values, losses, [kind] * len(losses))
    return history


def test_without_a_good_trial_it_draws_from_the_prior():
    """Only failures so far: the proposals are those of random search."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = history_of(space, [[0.2]], [0.0], FAILED)
    expected = space.sample(np.random.default_rng(4), 3).values
    assert propose(space, history, 3, seed=4).values.tolist() == expected.tolist()


@pytest.mark.parametrize(("trials", "width"), [(1, 1 / 1.1), (10, 0.5), (90, 0.1)])
def test_the_window_shrinks_with_the_number_of_trials(trials, width):
    """Width 1 / (1 + 0.1 T) of the prior's quantiles around the trial."""
    space = compile_space(hp.uniform("x", -5, 5))
    x = propose(space, history_of(space, [[0.0]] * trials, [1.0] * trials), 500).values[:, 0] / 10
    assert abs(x).max() <= width / 2
    assert abs(x).max() > 0.45 * width


def test_a_window_at_the_end_of_the_range_is_moved_inside():
    """Around the lower end the window is as wide as anywhere, and one-sided."""
    space = compile_space(hp.loguniform("x", -8, 0))
    x = np.log(propose(space, history_of(space, [[np.exp(-8.0)]] * 10, [1.0] * 10), 500).values[:, 0])
    assert -8 <= x.min() < -7.9
    assert -4.1 < x.max() <= -4.0


def test_a_normal_parameter_is_searched_in_its_quantiles():
    """Far out in the tail the steps are as long as the prior is wide there."""
    space = compile_space(hp.normal("x", 0, 1))
    x = propose(space, history_of(space, [[0.0]] * 90, [1.0] * 90), 300).values[:, 0]
    assert abs(x).max() < 0.13  # quantiles 0.45 ... 0.55


def test_choices_are_mostly_kept():
    """With 90 trials a code is drawn anew with probability 0.1, a quarter of which change nothing."""
    space = compile_space([hp.choice("c", list("abcd")), hp.uniform("x", 0, 1)])
    codes = propose(space, history_of(space, [[2.0, 0.5]] * 90, [1.0] * 90), 2000).values[:, 0]
    changed = (codes != 2.0).mean()
    assert abs(changed - 0.075) < 5 * np.sqrt(0.075 * 0.925 / 2000)


def test_the_mean_rank_of_the_trial_to_start_from():
    """Ranks are geometric: the best of many trials is taken with probability 1 / avg_best_idx."""
    space = compile_space(hp.uniform("x", 0, 1))
    centres = np.linspace(0.1, 0.9, 5)
    history = history_of(space, np.repeat(centres, 400)[:, None], np.repeat(np.arange(5.0), 400))
    best = propose(space, history, 500, avg_best_idx=500.0).values[:, 0]
    assert abs((abs(best - 0.1) < 0.01).mean() - (1 - (1 - 1 / 500) ** 400)) < 0.15
    assert (abs(propose(space, history, 500, avg_best_idx=1.0).values[:, 0] - 0.1) < 0.01).all()


def test_a_parameter_that_the_trial_lacks_starts_from_another_trial():
    """The best trial took branch 0; a proposal in branch 1 takes y from the trial that has it."""
    space = compile_space(hp.choice("c", [{"x": hp.uniform("x", 0, 1)}, {"y": hp.uniform("y", 0, 1)}]))
    nan = np.nan
    index = space.index
    rows = np.full((200, 3), nan)
    rows[:100, [index["c"], index["x"]]] = [0.0, 0.3]
    rows[100:, [index["c"], index["y"]]] = [1.0, 0.7]
    values = propose(space, history_of(space, rows, [1.0] * 100 + [2.0] * 100), 300, avg_best_idx=1.0).values
    y = values[values[:, index["c"]] == 1.0, index["y"]]
    assert len(y) > 3
    assert (abs(y - 0.7) < 0.1).all()


def test_small_grids_do_not_get_stuck():
    """400 trials at one value of ten: the window would be narrower than the bin, so neighbours stay reachable."""
    space = compile_space({"k": hp.int("k", 1, 10), "x": hp.uniform("x", 0, 1)})
    rows = np.full((400, 2), 0.5)
    rows[:, space.index["k"]] = 5.0
    k = propose(space, history_of(space, rows, np.ones(400)), 300).values[:, space.index["k"]]
    assert set(k) == {4.0, 5.0, 6.0}


def test_a_batch_is_distinct_and_new_in_a_finite_space():
    """Seven of nine points are left; all of them are found, each once."""
    space = compile_space({"a": hp.int("a", 1, 3), "b": hp.choice("b", [1, 2, 3])})
    history = history_of(space, [[1.0, 0.0], [2.0, 1.0]], [0.0, 1.0])
    batch = propose(space, history, 20)
    keys = space.keys(batch.values)
    assert len(keys) == len(set(keys)) == 7
    assert not set(keys) & set(history.keys)


@pytest.mark.parametrize(("option", "value"), [("avg_best_idx", 0.5), ("shrink_coef", -1.0)])
def test_options_out_of_range_are_refused(option, value):
    """The message names the option and the value."""
    with pytest.raises(ValueError, match=f"{option}={value}"):
        Anneal(**{option: value})
