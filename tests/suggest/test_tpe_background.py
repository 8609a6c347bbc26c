"""The density of many bad trials against the exact Parzen density of the same kernels."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, History
from hpspace.suggest.tpe import evidence
from hpspace.suggest.tpe.algorithm import TPE, layout_of
from hpspace.suggest.tpe.background import Background
from hpspace.suggest.tpe.layout import Points
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.settled import FAILED_WEIGHT, Settled, settled
from hpspace.suggest.tpe.split import split, tenth
from hpspace.suggest.tpe.tally import tally_of

FLAT = {
    "u": hp.uniform("u", -1, 1),
    "n": hp.normal("n", 0, 1),
    "l": hp.loguniform("l", -7, 0),
    "q": hp.quniform("q", 1, 40, 1),
    "i": hp.int("i", 1, 100, log=True),
    "c": hp.choice("c", ["a", "b", "c"]),
    "p": hp.pchoice("p", [(0.9, "a"), (0.1, "b")]),
}
TREE = hp.choice(
    "model",
    [
        {"C": hp.lognormal("C", 0, 1), "kernel": hp.choice("kernel", [0, hp.uniform("width", 0, 1)])},
        {"depth": hp.qlognormal("depth", 3, 1, 1), "leaf": hp.int("leaf", 1, 20)},
        {"rare": hp.uniform("rare", 0, 1)},
    ],
)
LARGE = {
    "endless": hp.qnormal("endless", 0, 5, 1),
    "many": hp.int("many", 1, 5000, log=True),
    "bound": hp.uniform("bound", 0, hp.uniform("top", 1, 2)),
}
# one grid in a table and one that is in none, since its values depend on another parameter
BOUND = {
    "endless": hp.qnormal("endless", 0, 5, 1),
    "bound": hp.quniform("bound", 0, hp.uniform("top", 5, 9), 1),
    "c": hp.choice("c", [0, hp.uniform("z", 0, 1)]),
}


def searched(space, n, seed=0):
    history = History(space)
    values = space.sample(seed, n).values
    losses = np.nansum((space.encode(values) - 0.3) ** 2, axis=1)
    history.append(values, losses, [OK] * n)
    return history


def both(space, history):
    """The background of all but the good trials, and a Parzen density with the same kernels."""
    layout = layout_of(space)
    parts = split(history, tenth, True)
    weights = np.ones(len(parts.bad))
    tally = tally_of(space, layout, history, 0.03)
    counted = tally.without(tally.of(parts.good))
    whole = Settled(tally, parts.good, counted, parts.bad, weights, None, 1.0)
    quick = Background(whole, history, None)
    points = evidence._observed(layout, history, parts.bad)
    sigma = np.repeat(quick.tables.sigma(quick.settled.widths[0].levels)[:, None], len(parts.bad), axis=1)
    sigma[layout.reals :] = np.maximum(sigma[layout.reals :], 0.5 * (points.high - points.low))
    exact = Parzen(layout, points, weights, sigma, quick.settled.spread, 1.0)
    drawn = space.sample(99, 200).values
    return quick, exact, Points.of(layout, space.encode(drawn), space.bins(drawn))


@pytest.mark.parametrize("space", [FLAT, TREE, LARGE, BOUND], ids=["flat", "tree", "large", "bound"])
def test_marginals_are_within_the_stated_bound_and_the_joint_follows(space):
    """0.02 for the log marginals; the joint differs only where a trial backs off to one of these."""
    compiled = compile_space(space)
    quick, exact, points = both(compiled, searched(compiled, 400))
    got, expected = quick.at(points), exact.at(points)
    assert np.abs(got.log_marginals - expected.log_marginals).max() < 0.02
    assert np.abs(got.log_joint - expected.log_joint).max() < 0.02


def test_the_joint_density_is_exact_where_every_trial_has_every_parameter():
    compiled = compile_space(FLAT)
    quick, exact, points = both(compiled, searched(compiled, 300))
    np.testing.assert_allclose(quick.at(points).log_joint, exact.at(points).log_joint, rtol=0, atol=1e-9)


def test_counts_that_grow_with_the_history_are_those_of_a_fresh_count():
    compiled = compile_space(TREE)
    grown, whole = History(compiled), searched(compiled, 300)
    layout = layout_of(compiled)
    for row in range(0, 300, 7):
        stop = min(row + 7, 300)
        grown.append(whole.values[row:stop], whole.losses[row:stop], [OK] * (stop - row))
        tally = tally_of(compiled, layout, grown, 0.03)
    fresh = tally_of(compiled, layout, whole, 0.03)
    np.testing.assert_array_equal(tally.cells, fresh.cells)
    np.testing.assert_array_equal(tally.held, fresh.held)
    np.testing.assert_array_equal(tally.notes.codes, fresh.notes.codes)


def test_a_rare_parameter_has_a_wider_bandwidth():
    compiled = compile_space(hp.pchoice("c", [(0.98, 0), (0.02, hp.uniform("x", 0, 1))]))
    history = searched(compiled, 400)
    layout = layout_of(compiled)
    quick, _, _ = both(compiled, history)
    held = int(quick.totals[0] - 1.0)
    assert held < 20
    assert 1.5 / held <= quick.tables.sigma(quick.settled.widths[0].levels)[0] <= 1.5 / held * np.sqrt(2)
    assert layout.reals == 1


def test_it_is_used_for_many_trials_if_its_bins_are_fine_enough():
    compiled = compile_space(FLAT)
    few, many = searched(compiled, 60), searched(compiled, 400)
    assert isinstance(TPE().densities(compiled, few)[1], Parzen)
    assert isinstance(TPE().densities(compiled, many)[1], Background)
    assert isinstance(TPE(min_bandwidth=0.01).densities(compiled, many)[1], Parzen)
    many.update([7], [0.0], [FAILED])
    assert isinstance(TPE().densities(compiled, many)[1], Background)
    some = searched(compiled, 150)
    assert isinstance(TPE().densities(compiled, some)[1], Background)
    some.update([7], [0.0], [FAILED])
    assert isinstance(TPE().densities(compiled, some)[1], Parzen)


def test_pending_trials_are_among_the_bad_ones():
    compiled = compile_space({"x": hp.uniform("x", 0, 1)})
    history = searched(compiled, 300)
    before = TPE().densities(compiled, history)[1]
    history.append(np.full((60, 1), 0.31), np.zeros(60), [PENDING] * 60)
    after = TPE().densities(compiled, history)[1]
    at = Points.of(layout_of(compiled), np.array([[0.31]]), compiled.bins(np.array([[0.31]])))
    assert after.at(at).log_joint[0] > before.at(at).log_joint[0] + 0.5


@pytest.mark.parametrize("failures", [0, 30])
def test_the_latest_trials_and_the_failed_ones_are_kernels_of_their_own(failures, monkeypatch):
    """127 trials: one is not settled, the others are all kernels; by brute force, in a space without branches."""
    monkeypatch.setattr(evidence, "MANY_IF_FAILED", evidence.MANY)
    compiled = compile_space(FLAT)
    history, layout = searched(compiled, 127), layout_of(compiled)
    kinds = [FAILED if row < failures or row == 126 > failures > 0 else OK for row in range(127)]
    history.update(np.arange(127), history.losses, kinds)
    _, quick = TPE().densities(compiled, history)
    bad = split(history, tenth, True).bad
    failed = history.kind[bad] == FAILED
    assert settled(127) == 126 and quick.latest.total == (FAILED_WEIGHT if failures else 1.0)
    assert failed.sum() == failures + (failures > 0)
    points = evidence._observed(layout, history, bad)
    each = [quick.tables.sigma(widths.levels)[:, None] for widths in quick.settled.widths]
    sigma = np.where(failed, each[-1], each[0])
    sigma[layout.reals :] = np.maximum(sigma[layout.reals :], 0.5 * (points.high - points.low))
    weights = np.where(failed, FAILED_WEIGHT, 1.0)
    exact = Parzen(layout, points, weights, sigma, quick.settled.spread, 1.0)
    drawn = compiled.sample(99, 200).values
    at = Points.of(layout, compiled.encode(drawn), compiled.bins(drawn))
    np.testing.assert_allclose(quick.at(at).log_joint, exact.at(at).log_joint, rtol=0, atol=1e-9)
    assert quick.total == pytest.approx(exact.total)


def test_marginals_have_mass_one_where_few_trials_have_a_parameter_and_some_of_them_failed():
    """The bandwidth is wide there, and failed trials weigh three times as much."""
    compiled = compile_space(
        hp.pchoice("c", [(0.95, 0), (0.05, [hp.uniform("x", 0, 1), hp.qnormal("q", 0, 3, 1)])])
    )
    history, layout = searched(compiled, 400), layout_of(compiled)
    rare = np.flatnonzero(history.values[:, compiled.labels.index("c")] == 1)
    history.update(rare[::2], history.losses[rare[::2]], [FAILED] * len(rare[::2]))
    _, quick = TPE().densities(compiled, history)
    assert all(some.levels[:2].all() for some in quick.settled.widths)
    u = (np.arange(2000) + 0.5) / 2000
    for label, where in (("x", u), ("q", compile_space(hp.qnormal("q", 0, 3, 1)).params[0].dist.quantile(u))):
        rows = compiled.sample(0, 2000).values.copy()
        rows[:, [compiled.labels.index(name) for name in ("c", "x", "q")]] = [1.0, 0.5, 0.0]
        rows[:, compiled.labels.index(label)] = where
        points = Points.of(layout, compiled.encode(rows), compiled.bins(rows))
        place = int(layout.places[compiled.labels.index(label)])
        densities = np.exp(quick.at(points).log_marginals[place])
        if label == "q":  # a mass: the share of u that a value has is its declared probability
            grid = place - layout.reals
            densities /= points.high[grid] - points.low[grid]
        assert densities.mean() == pytest.approx(1.0, abs=0.01)


def test_a_trial_that_fails_after_it_settled_repels_more():
    compiled = compile_space({"x": hp.uniform("x", 0, 1), "y": hp.uniform("y", 0, 1)})
    history = searched(compiled, 300)
    history.append(np.full((8, 2), 0.9), np.zeros(8), [PENDING] * 8)
    history.append(searched(compiled, 30, seed=1).values, np.ones(30), [OK] * 30)
    at = Points.of(layout_of(compiled), np.array([[0.9, 0.9]]), compiled.bins(np.array([[0.9, 0.9]])))
    before = TPE().densities(compiled, history)[1].at(at)
    history.update(np.arange(300, 308), np.zeros(8), [FAILED] * 8)
    after = TPE().densities(compiled, history)[1].at(at)
    assert after.log_joint[0] > before.log_joint[0] + 1.0
    assert (after.log_marginals > before.log_marginals + 0.1).all()


def test_a_long_search_still_converges():
    """300 trials of a smooth function of four numbers: the last fifty are all near the optimum."""
    compiled = compile_space({f"x{i}": hp.uniform(f"x{i}", 0, 1) for i in range(4)})
    history, algorithm = History(compiled), TPE()
    for trial in range(300):
        batch = algorithm.propose(compiled, history, 1, np.random.default_rng(trial))
        history.append(batch.values, [float(((batch.values - 0.7) ** 2).sum())], [OK])
    assert history.losses.min() < 1e-3
    assert np.median(history.losses[250:]) < 0.02
