"""What algorithms make of trials that were ended early: news of where not to look, never a place to go."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import OK, PRUNED, History
from hpspace.suggest.atpe.algorithm import ATPE
from hpspace.suggest.base import Algorithm
from hpspace.suggest.tpe.algorithm import TPE

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "y": hp.uniform("y", 0, 1)})
X = SPACE.index["x"]


def history_of(finished: np.ndarray, pruned: np.ndarray, n: int = 40) -> History:
    """Trials at some x, in turns; y is anything. The pruned ones had lower values than any loss when they ended."""
    rng = np.random.default_rng(0)
    history = History(SPACE)
    points = rng.random((n, 2))
    points[:, X] = np.concatenate([finished, pruned])
    kinds = [OK] * len(finished) + [PRUNED] * len(pruned)
    losses = np.abs(points[:, X] - 0.8)
    order = rng.permutation(n)
    history.append(
        points[order],
        np.where(np.array(kinds) == OK, losses, np.nan)[order],
        np.array(kinds)[order],
        np.where(np.array(kinds) == PRUNED, 5.0, 9.0)[order],
        np.where(np.array(kinds) == PRUNED, -9.0, losses)[order],
    )
    return history


def share_below(algorithm: Algorithm, history: History, x: float) -> float:
    """Return the share of 100 proposals below some x, one by one as a serial search makes them."""
    proposed = [
        algorithm.propose(SPACE, history, 1, np.random.default_rng(seed)).values[0, X] for seed in range(100)
    ]
    return float(np.mean(np.array(proposed) < x))


@pytest.mark.parametrize("algorithm", [TPE(), ATPE()], ids=["tpe", "atpe"])
@pytest.mark.parametrize("n_finished", [30, 12, 3])
def test_proposals_stay_away_from_where_trials_were_pruned(algorithm: Algorithm, n_finished: int) -> None:
    """All trials below 0.4 were pruned, at low values; those above 0.5 finished. The prior has 40 % below 0.4."""
    rng = np.random.default_rng(1)
    finished, pruned = 0.5 + rng.random(n_finished) / 2, 0.4 * rng.random(40 - n_finished)
    history = history_of(finished, pruned)
    assert share_below(algorithm, history, 0.4) <= 0.1


@pytest.mark.parametrize("algorithm", [TPE(), ATPE()], ids=["tpe", "atpe"])
def test_without_any_finished_trial_those_lead_that_came_furthest(algorithm: Algorithm) -> None:
    """Everything was pruned so far; trials came further the nearer they were to 0.8."""
    history = history_of(np.empty(0), np.linspace(0.01, 0.99, 40))
    near = 9 - np.floor(10 * np.abs(history.values[:, X] - 0.8))
    history.update(np.arange(40), np.full(40, np.nan), np.full(40, PRUNED), near)
    assert share_below(algorithm, history, 0.6) <= 0.15


def test_pruned_trials_repel_as_worse_trials_do() -> None:
    """The same points, once pruned and once finished with a bad loss: to the ratio they are about the same."""
    rng = np.random.default_rng(2)
    finished, others = 0.5 + rng.random(20) / 2, 0.4 * rng.random(20)
    pruned = history_of(finished, others)
    worse = history_of(finished, others)
    bad = np.flatnonzero(worse.pruned)
    worse.update(bad, np.full(len(bad), 9.0), np.full(len(bad), OK))
    shares = [share_below(TPE(trend_trials=0), history, 0.7) for history in (pruned, worse)]
    assert abs(shares[0] - shares[1]) <= 0.1
