"""Which options get proposals of their own, and which trials a thinned history keeps."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, History
from hpspace.suggest.tpe.algorithm import TPE, layout_of
from hpspace.suggest.tpe.evidence import FAILED_WEIGHT, MAX_BAD, thinned
from hpspace.suggest.tpe.focus import Focus, draw_focuses
from hpspace.suggest.tpe.split import split, tenth


def test_only_active_choices_are_focused_on():
    """Three rows: the second choice is inactive in the first, both are inactive in the last."""
    rows = np.array([[0.5, 1.0, np.nan], [0.5, 1.0, 2.0], [0.5, np.nan, np.nan]])
    seen = set()
    for seed in range(20):
        plan = draw_focuses(rows, np.array([1, 2]), np.random.default_rng(seed))
        assert sum(plan.values()) == 3
        assert plan[None] == 1
        seen |= set(plan)
    assert seen == {None, Focus(1, 1.0), Focus(2, 2.0)}


def test_choices_with_parameters_of_their_own_come_first():
    """A plain choice beside a selecting one: only the latter is a selector."""
    space = compile_space(
        [hp.choice("plain", [1, 2]), hp.choice("model", [hp.uniform("a", 0, 1), hp.uniform("b", 0, 1)])]
    )
    assert layout_of(space).selectors.tolist() == [space.index["model"]]


def test_all_early_proposals_take_the_option_that_was_drawn():
    """With a huge share every proposal is inside an option; both options keep coming up although one is worse."""
    space = compile_space([hp.choice("c", ["good", "bad"]), hp.uniform("x", 0, 1)])
    history = History(space)
    values = space.sample(0, 60).values
    code = values[:, space.index["c"]]
    history.append(values, code + values[:, space.index["x"]], [OK] * 60)
    batch = TPE(explore_options=1e9).propose(space, history, 200, np.random.default_rng(0)).values
    ranked = TPE(explore_options=0.0).propose(space, history, 200, np.random.default_rng(0)).values
    share, without = ((rows[:, space.index["c"]] == 1).mean() for rows in (batch, ranked))
    assert 0.02 < share < 0.5
    assert without < share


def test_inside_an_option_its_own_best_trials_are_good():
    """The densities of an option are built from the trials that took it."""
    space = compile_space([hp.choice("c", ["good", "bad"]), hp.uniform("x", 0, 1)])
    history = History(space)
    values = space.sample(0, 60).values
    code, x = values[:, space.index["c"]], values[:, space.index["x"]]
    history.append(values, 10.0 * code + (x - 0.8 * code) ** 2, [OK] * 60)
    good, bad = TPE().densities(space, history, code == 1)
    assert good.points.n + bad.points.n == (code == 1).sum()
    assert (good.points.x[0] > 0.6).all()


@pytest.mark.parametrize("n", [100, 3000])
def test_thinning_keeps_the_total_weight_and_the_nearest(n):
    """Up to the limit all bad trials are kept; beyond it the nearest to the good ones are among those kept."""
    space = compile_space([hp.uniform("x", 0, 1), hp.quniform("q", 0, 9, 1), hp.choice("c", list("abc"))])
    history = History(space)
    values = space.sample(0, n).values
    history.append(values, np.abs(values[:, 0] - 0.5), [OK] * n)
    parts = split(history, tenth, weighted=True)
    rows, weights = thinned(layout_of(space), history.coords, parts)
    assert weights.sum() == pytest.approx(len(parts.bad))
    assert len(rows) == len(set(rows.tolist())) == min(len(parts.bad), MAX_BAD)
    if len(parts.bad) > MAX_BAD:
        near = np.abs(values[rows[: MAX_BAD // 2], 0] - 0.5)
        assert near.mean() < np.abs(values[parts.bad, 0] - 0.5).mean()


def test_failed_trials_are_heavier_and_narrower():
    """Two dense groups of bad trials, one failed: its kernels stand for more and reach less far."""
    space = compile_space(hp.uniform("x", 0, 1))
    x = np.concatenate([np.linspace(0.2, 0.22, 20), np.linspace(0.7, 0.72, 20), [0.5, 0.51]])
    history = History(space)
    history.append(x[:, None], np.r_[np.full(20, np.nan), np.ones(20), 0.0, 0.0], [FAILED] * 20 + [OK] * 22)
    _, bad = TPE(n_startup_jobs=1).densities(space, history)
    assert bad.weights.tolist() == [FAILED_WEIGHT] * 20 + [1.0] * (len(bad.weights) - 20)
    sigma = bad._sigma[0]
    assert np.median(sigma[:20]) < 0.01
    assert np.median(sigma[20:]) == pytest.approx(0.03)
