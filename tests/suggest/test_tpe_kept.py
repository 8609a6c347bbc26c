"""What tpe keeps between proposals is what it would compute anew; its tables are the formulas they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, History
from hpspace.suggest.linalg import product
from hpspace.suggest.tpe import evaluation, vicinity
from hpspace.suggest.tpe.algorithm import TPE, layout_of
from hpspace.suggest.tpe.candidates import Candidates
from hpspace.suggest.tpe.evidence import MANY
from hpspace.suggest.tpe.grids import ABSENT, FIRST_VALUE, NARROW, PRIOR, GridTable
from hpspace.suggest.tpe.parzen import prior_density
from hpspace.suggest.tpe.score import densities_at
from hpspace.suggest.tpe.split import split, tenth
from hpspace.suggest.tpe.vicinity import Vicinity

FLAT = {
    "u": hp.uniform("u", -1, 1),
    "n": hp.normal("n", 0, 1),
    "q": hp.quniform("q", 1, 40, 1),
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
    "even": hp.quniform("even", 0, 1e6, 1),
    "bound": hp.quniform("bound", 0, hp.uniform("top", 5, 9), 1),
}
SPACES = pytest.mark.parametrize("space", [FLAT, TREE, LARGE], ids=["flat", "tree", "large"])


def searched(compiled, n, seed=0):
    """A history of draws from the prior; losses grow with the distance from a point."""
    history = History(compiled)
    values = compiled.sample(seed, n).values
    losses = np.nansum((compiled.encode(values) - 0.3) ** 2, axis=1)
    history.append(values, losses, [OK] * n)
    return history


@SPACES
@pytest.mark.parametrize("kinds", [[OK], [OK, OK, FAILED, OK, PENDING]], ids=["ok", "some failed"])
def test_a_history_that_grew_has_the_proposals_of_one_that_is_read_at_once(space, kinds):
    """Rows come one by one, with proposals in between that fill the caches; the batches agree bit for bit."""
    compiled = compile_space(space)
    whole, grown = searched(compiled, 420), History(compiled)
    kinds = (420 * kinds)[:420]
    whole.update(np.arange(420), whole.losses, kinds)
    for row in range(420):
        grown.append(whole.values[row : row + 1], whole.losses[row : row + 1], [kinds[row]])
        if row > 230 and row % 7 == 0:
            TPE().propose(compiled, grown, 1, np.random.default_rng(row))
    for seed in range(3):
        first, second = (
            TPE().propose(compiled, history, 3, np.random.default_rng(seed)).values
            for history in (whole, grown)
        )
        np.testing.assert_array_equal(first, second)


def test_pending_trials_that_become_good_leave_the_bad_ones():
    """20 pending trials are told losses below all others, after proposals that counted them as bad."""
    compiled = compile_space(FLAT)
    history, told = searched(compiled, 300), searched(compiled, 320)
    history.append(told.values[300:], np.zeros(20), [PENDING] * 20)
    TPE().propose(compiled, history, 1, np.random.default_rng(0))
    history.update(np.arange(300, 320), -np.arange(1.0, 21.0), [OK] * 20)
    told.update(np.arange(300, 320), -np.arange(1.0, 21.0), [OK] * 20)
    first, second = (TPE().propose(compiled, h, 3, np.random.default_rng(5)).values for h in (history, told))
    np.testing.assert_array_equal(first, second)


@SPACES
def test_the_good_density_in_tables_is_the_exact_one_within_the_stated_bound(space):
    """0.04 for log marginals, 0.01 where they are above their declared density; joint densities within 1e-4."""
    compiled = compile_space(space)
    history = searched(compiled, 400)
    good, bad = TPE().densities(compiled, history)
    candidates = Candidates.at(compiled, layout_of(compiled), compiled.sample(99, 300).values)
    got, _ = densities_at(candidates, good, bad)
    expected = good.at(candidates.points)
    apart = np.abs(got.log_marginals - expected.log_marginals)
    prior = np.log(prior_density(candidates.layout, candidates.points))
    assert apart.max() < 0.04
    assert apart[expected.log_marginals > prior + 0.5].max() < 0.011
    assert np.abs(got.log_joint - expected.log_joint).max() < 1e-4


def test_scores_of_draws_are_those_of_their_values():
    """Candidates are scored by their coordinates; decoded and encoded again they have the same scores."""
    for space in (FLAT, TREE):
        compiled = compile_space(space)
        good, bad = TPE().densities(compiled, searched(compiled, 400))
        layout = layout_of(compiled)
        drawn = Candidates(compiled, layout, good.sampler.draw(np.random.default_rng(0), 200)[0])
        values = Candidates.at(compiled, layout, drawn.values)
        np.testing.assert_array_equal(
            np.ones(drawn.x.shape, dtype=bool) if drawn.active is None else drawn.active,
            values.points.active,
        )
        for first, second in zip(densities_at(drawn, good, bad), densities_at(values, good, bad)):
            np.testing.assert_allclose(first.log_joint, second.log_joint, rtol=0, atol=0.05)


@pytest.mark.parametrize(
    "dist",
    [
        hp.quniform("x", 0, 30, 1),
        hp.int("x", 1, 100, log=True),
        hp.qlognormal("x", 3, 1, 1),
        hp.qnormal("x", 0, 5, 1),
        hp.int("x", 1, 5000, log=True),
    ],
    ids=["even", "log", "qlognormal", "qnormal", "large"],
)
def test_a_grids_stretches_are_the_bins_of_its_values(dist):
    """Every coordinate belongs to the tabled value whose bin it lies in, or to none where that is narrow."""
    dist = compile_space(dist).params[0].dist
    table = GridTable.of(dist)
    u = np.random.default_rng(0).random(3000)
    low, high = dist.unit_bins(dist.quantile(u))
    starts, what = table.stretches()
    found = what[np.searchsorted(starts, u, side="right") - 1]
    tabled = found < len(table)
    np.testing.assert_allclose(table.low[found[tabled]], low[tabled], atol=1e-12)
    assert tabled.all() if table.complete else (tabled == (high - low >= NARROW)).mean() > 0.999


def test_kernels_at_tabled_and_at_new_centres_have_mass_one_on_a_complete_grid():
    """And the two centres that are no values give nothing, and the declared probabilities."""
    table = GridTable.of(compile_space(hp.quniform("x", 0, 12, 1)).params[0].dist)
    level = table.level(0.05)
    sums = level.masses[: level.n].sum(axis=1)
    assert sums[ABSENT] == sums[PRIOR] == 0.0
    np.testing.assert_allclose(sums[FIRST_VALUE:], 1.0, atol=1e-8)
    assert (level.log_masses[:, ABSENT] == 0.0).all()
    np.testing.assert_allclose(np.exp(level.log_masses[:-1, PRIOR]).sum(), 1.0)


def test_a_centre_at_a_narrow_value_is_made_once_and_reaches_every_bandwidth():
    """qlognormal has values far out that are in no table; a kernel there still has mass at those that are."""
    table = GridTable.of(compile_space(hp.qlognormal("x", 3, 1, 1)).params[0].dist)
    narrow, before = table.level(0.03), table.n
    place = table.centre(0.995, 1e-5)
    assert table.centre(0.995, 1e-5) == place == before
    assert table.level(0.03) is narrow
    assert narrow.n == before + 1
    mass, density = narrow.masses[place, : len(table)].sum(), narrow.masses[place, len(table) :].mean()
    outside = 1.0 - (table.high - table.low).sum()
    assert mass + density > 0.9
    assert 0.0 < mass < 1.0 - 0.5 * outside


@pytest.mark.parametrize("n", [75, 100, 127])
def test_few_bad_trials_are_all_kernels(n):
    """Each with its own weight: nothing is sampled."""
    compiled = compile_space(TREE)
    layout, history = layout_of(compiled), searched(compiled, n)
    parts = split(history, tenth, weighted=True)
    assert MANY <= len(parts.bad) < 2 * vicinity.SAMPLED
    rows, weights = Vicinity(layout, history.coords[parts.good], parts.good).rows(history, len(history))
    assert sorted(rows) == parts.bad.tolist() and (weights == 1.0).all()


@pytest.mark.parametrize("n", [220, 700, 1500, 2500])
def test_near_trials_are_the_nearest_and_weights_stand_for_all(n):
    """By brute force where all trials are looked at; beyond that the near ones are near."""
    compiled = compile_space([hp.uniform("x", 0, 1), hp.quniform("q", 0, 9, 1), hp.choice("c", list("abc"))])
    history = searched(compiled, n)
    parts, layout = split(history, tenth, weighted=True), layout_of(compiled)
    rows, weights = Vicinity(layout, history.coords[parts.good], parts.good).rows(history, len(history))
    assert len(set(rows.tolist())) == len(rows)
    assert not set(rows.tolist()) & set(parts.good.tolist())
    assert weights.sum() == pytest.approx(n - len(parts.good))
    coords, good = history.coords, history.coords[parts.good]
    apart = ((coords[:, :2] - good[:, :2].mean(axis=0)) ** 2).sum(axis=1)
    apart += 1.0 - (coords[:, 2:] == good[:, 2]).mean(axis=1)
    apart[parts.good] = np.inf
    near = rows[: vicinity.NEAR]
    if n < 2 * vicinity.LOOKED_AT:
        np.testing.assert_allclose(np.sort(apart[near]), np.sort(apart)[: vicinity.NEAR], atol=1e-8)
    else:
        assert apart[near].mean() < np.sort(apart)[: n // 4].mean()


def test_a_vicinity_that_follows_is_one_made_at_the_end():
    """Trials join one by one; the rows, their order and the weights are the same."""
    compiled = compile_space(TREE)
    whole, grown, layout = searched(compiled, 1300), History(compiled), layout_of(compiled)
    good = np.arange(25)
    grown.append(whole.values[:300], whole.losses[:300], [OK] * 300)
    followed = Vicinity(layout, whole.coords[good], good)
    for row in range(300, 1300):
        grown.append(whole.values[row : row + 1], whole.losses[row : row + 1], [OK])
        rows, weights = followed.rows(grown, len(grown))
    expected_rows, expected_weights = Vicinity(layout, whole.coords[good], good).rows(whole, len(whole))
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(weights, expected_weights)


def test_log_sums_of_moderate_and_of_huge_terms():
    """Small terms are exponentiated as they are; shifted by 5,000 up or down they give the same sums, shifted."""
    terms = np.random.default_rng(0).normal(size=(6, 30)) * 20.0
    parts = [slice(0, 10), slice(10, 30)]
    expected = np.array([[math.log(math.fsum(map(math.exp, row[part]))) for row in terms] for part in parts])
    for shift in (0.0, 5000.0, -5000.0):
        np.testing.assert_allclose(evaluation.log_sums(terms + shift, [0, 10]), expected + shift, rtol=1e-12)


def test_a_product_in_pieces_is_the_product():
    """Larger than one piece, into a part of a larger array."""
    rng = np.random.default_rng(0)
    a, b, out = rng.random((60, 300)), rng.random((300, 90)), np.zeros((60, 100))
    product(a, b, out[:, 10:])
    np.testing.assert_allclose(out[:, 10:], a @ b)
    assert (out[:, :10] == 0.0).all()


def test_a_choice_of_many_options_costs_as_many_numbers():
    """Beside 12 choices of two options one of 800: features are counted by code, not by the widest choice."""
    wide = {f"c{i}": hp.choice(f"c{i}", [0, 1]) for i in range(12)}
    compiled = compile_space({**wide, "k": hp.choice("k", list(range(800))), "x": hp.uniform("x", 0, 1)})
    history = searched(compiled, 260)
    _, bad = TPE().densities(compiled, history)
    assert bad.tables.features == 3 + 12 * 2 + 800 + 1
    assert len(TPE().propose(compiled, history, 2, np.random.default_rng(0))) == 2
