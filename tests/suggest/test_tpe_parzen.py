"""The densities of `suggest.tpe.parzen` are densities, and the ones that are documented.

The reference below is the documented formulas once more, with loops and `math` only: slow and easy to check. There a
column is ("real", None), ("grid", edges) with edges from 0 to 1, or ("choice", p); a trial or a point is a list with
one entry a column: a coordinate, the index of a bin, a code, or None where inactive.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from hpspace import compile_space, hp
from hpspace.suggest.tpe.bandwidths import bandwidths
from hpspace.suggest.tpe.layout import Layout, Points
from hpspace.suggest.tpe.parzen import Parzen, prior_density

#: False-alarm rate of every statistical test here, were the seed random.
ALPHA = 1e-6

REAL = ("real", None)
GRID = ("grid", [0.0, 0.1, 0.3, 0.35, 0.8, 1.0])
CHOICE = ("choice", [0.2, 0.5, 0.3])

# ---------------------------------------------------------------- the reference


def cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def mass(a: float, b: float) -> float:
    """Normal mass of [a, b], from the smaller tail."""
    return cdf(b) - cdf(a) if a + b < 0 else cdf(-a) - cdf(-b)


def centre(column, entry) -> float:
    kind, detail = column
    return entry if kind == "real" else 0.5 * (detail[entry] + detail[entry + 1])


def bandwidth(column, entries, i, min_bandwidth=0.03) -> float:
    """Bandwidth of trial i of a numeric column; `entries` may hold None."""
    xs = [centre(column, e) for e in entries if e is not None]
    x = centre(column, entries[i])
    smaller, larger = [y for y in xs if y < x], [y for y in xs if y > x]
    gaps = ([x - max(smaller)] if smaller else []) + ([min(larger) - x] if larger else [])
    gap = max(gaps) if gaps else max(x, 1.0 - x)
    floor = max(min_bandwidth, (2.0 + len(xs)) ** -2)
    if column[0] == "grid":
        floor = max(floor, 0.5 * (column[1][entries[i] + 1] - column[1][entries[i]]))
    return min(1.0, max(floor, gap / xs.count(x)))


def prior(column, entry) -> float:
    kind, detail = column
    if kind == "real":
        return 1.0
    return detail[entry + 1] - detail[entry] if kind == "grid" else detail[entry]


def kernel(column, entries, i, entry, prior_weight=1.0, min_bandwidth=0.03) -> float:
    """Density (mass) of trial i's kernel of one column at an entry."""
    kind, detail = column
    if kind == "choice":
        e = prior_weight / (sum(v is not None for v in entries) + 1)
        k = len(detail)
        return ((entries[i] == entry) + k * e * detail[entry]) / (1.0 + k * e)
    mu, sigma = centre(column, entries[i]), bandwidth(column, entries, i, min_bandwidth)
    inside = mass(-mu / sigma, (1.0 - mu) / sigma)
    if kind == "real":
        z = (entry - mu) / sigma
        return math.exp(-0.5 * z * z) / (sigma * math.sqrt(2.0 * math.pi)) / inside
    return mass((detail[entry] - mu) / sigma, (detail[entry + 1] - mu) / sigma) / inside


def marginal(columns, trials, weights, d, entry, prior_weight=1.0) -> float:
    entries = [t[d] for t in trials]
    total, s = prior_weight, prior_weight * prior(columns[d], entry)
    for i, t in enumerate(trials):
        if t[d] is not None:
            total += weights[i]
            s += weights[i] * kernel(columns[d], entries, i, entry, prior_weight)
    return s / total


def joint(columns, trials, weights, point, prior_weight=1.0) -> float:
    active = [d for d, v in enumerate(point) if v is not None]
    s = prior_weight
    for d in active:
        s *= prior(columns[d], point[d])
    for i, t in enumerate(trials):
        product = weights[i]
        for d in active:
            if t[d] is None:
                product *= marginal(columns, trials, weights, d, point[d], prior_weight)
            else:
                product *= kernel(columns[d], [u[d] for u in trials], i, point[d], prior_weight)
        s += product
    return s / (sum(weights) + prior_weight)


# ---------------------------------------------------------------- helpers


def layout_of(columns) -> Layout:
    kinds = [("real", "grid", "choice").index(kind) for kind, _ in columns]
    order = np.argsort(kinds, kind="stable")
    tables = [columns[i][1] for i in order if columns[i][0] == "choice"]
    p = np.zeros((len(tables), max((len(t) for t in tables), default=1)))
    for row, table in zip(p, tables):
        row[: len(table)] = table
    return Layout(order, kinds.count(0), kinds.count(1), np.array([float(len(t)) for t in tables]), p)


def points_of(columns, rows) -> Points:
    coords = np.full((len(rows), len(columns)), np.nan)
    low, high = coords.copy(), coords.copy()
    for i, row in enumerate(rows):
        for d, (column, entry) in enumerate(zip(columns, row)):
            if entry is not None:
                coords[i, d] = entry if column[0] != "grid" else centre(column, entry)
                if column[0] == "grid":
                    low[i, d], high[i, d] = column[1][entry : entry + 2]
    return Points.of(layout_of(columns), coords, (low, high))


def fit(columns, rows, weights=None, **options) -> Parzen:
    w = np.ones(len(rows)) if weights is None else np.asarray(weights)
    return Parzen.fit(layout_of(columns), points_of(columns, rows), w, **options)


def random_entry(column, rng):
    kind, detail = column
    if kind == "real":
        return float(rng.choice([0.0, 1.0, rng.random(), 0.5], p=[0.05, 0.05, 0.8, 0.1]))
    return int(rng.integers(len(detail) - (kind == "grid")))


def random_rows(columns, n, missing, rng):
    """Rows whose first column is always active."""
    return [
        [None if d and rng.random() < missing else random_entry(c, rng) for d, c in enumerate(columns)]
        for _ in range(n)
    ]


# ---------------------------------------------------------------- against the reference


@pytest.mark.parametrize("n", [1, 2, 3, 30])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_densities_equal_the_reference(n, missing):
    """Random columns of all kinds, ties and ends of the interval included; trials and points may lack parameters."""
    rng = np.random.default_rng([n, int(10 * missing)])
    for _ in range(6):
        columns = [CHOICE] + [(REAL, GRID, ("choice", [0.25] * 4))[k] for k in rng.integers(3, size=4)]
        trials, weights = random_rows(columns, n, missing, rng), rng.random(n) + 0.1
        points = random_rows(columns, 8, missing, rng)
        density = fit(columns, trials, weights, prior_weight=0.7).at(points_of(columns, points))
        expected = [math.log(joint(columns, trials, weights, p, 0.7)) for p in points]
        np.testing.assert_allclose(density.log_joint, expected, rtol=1e-9, atol=1e-12)
        for place, d in enumerate(layout_of(columns).order):
            for c, p in enumerate(points):
                log_p = 0.0 if p[d] is None else math.log(marginal(columns, trials, weights, d, p[d], 0.7))
                assert density.log_marginals[place, c] == pytest.approx(log_p, rel=1e-9, abs=1e-12)


def test_points_in_chunks_have_the_same_densities(monkeypatch):
    """Many points are evaluated in turn to bound memory; the result does not show it."""
    rng = np.random.default_rng(3)
    columns = [CHOICE, REAL, GRID]
    model, points = (
        fit(columns, random_rows(columns, 9, 0.3, rng)),
        points_of(columns, random_rows(columns, 50, 0, rng)),
    )
    whole = model.at(points)
    monkeypatch.setattr("hpspace.suggest.tpe.parzen._CHUNK", 3 * 9 * 7)
    parts = model.at(points)
    assert (parts.log_joint == whole.log_joint).all()
    assert (parts.log_marginals == whole.log_marginals).all()


def test_far_bins_keep_their_mass():
    """A bin 30 bandwidths above the kernel: the difference of two cdfs that round to 1 would be 0."""
    edges = [0.0, 0.01, *np.linspace(0.02, 1.0, 99)]
    columns = [("grid", edges)]
    model = Parzen(
        layout_of(columns), points_of(columns, [[0]]), np.ones(1), np.full((1, 1), 0.03), np.ones(0), 1e-300
    )
    log_mass = model.log_kernels(points_of(columns, [[90]]))[0, 0, 0]
    a, b = (edges[90] - 0.005) / 0.03, (edges[91] - 0.005) / 0.03
    inside = mass(-0.005 / 0.03, 0.995 / 0.03)
    expected = math.log(0.5 * math.erfc(a / math.sqrt(2)) - 0.5 * math.erfc(b / math.sqrt(2))) - math.log(
        inside
    )
    assert log_mass == pytest.approx(expected, rel=1e-9)
    assert log_mass < -400


# ---------------------------------------------------------------- they are densities


@pytest.mark.parametrize("xs", [[0.3], [0.0], [0.0, 1.0], [0.5] * 5, [0.1, 0.1, 0.9], None])
def test_a_continuous_density_integrates_to_one(xs):
    """One trial, trials at the ends, ties, and 300 random ones."""
    xs = np.random.default_rng(0).random(300).tolist() if xs is None else xs
    model = fit([REAL], [[x] for x in xs])

    def density(x):
        return math.exp(model.at(points_of([REAL], [[x]])).log_joint[0])

    total, _ = integrate.quad(density, 0.0, 1.0, points=np.linspace(0.05, 0.95, 19), limit=200, epsabs=1e-10)
    assert total == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("column", [GRID, CHOICE])
@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_masses_sum_to_one(column, n):
    """Grid and choice: the probabilities of all values."""
    rng = np.random.default_rng(n)
    model = fit([column], random_rows([column], n, 0.0, rng), rng.random(n) + 0.1)
    values = [[v] for v in range(len(column[1]) - (column[0] == "grid"))]
    assert np.exp(model.at(points_of([column], values)).log_joint).sum() == pytest.approx(1.0, abs=1e-12)


def test_a_conditional_density_sums_to_one_over_the_tree():
    """Total probability of a tree: choice -> (0: real a | 1: grid g | 2: nothing), and a shared real s.

    A trial in one branch must back off to a normalised density in the others, or this is not 1.
    """
    rng = np.random.default_rng(5)
    columns = [CHOICE, REAL, GRID, REAL]

    def keep(row):
        return [row[0], row[1] if row[0] == 0 else None, row[2] if row[0] == 1 else None, row[3]]

    trials = [keep(row) for row in random_rows(columns, 12, 0.0, rng)]
    model = fit(columns, trials, rng.random(12) + 0.1)
    nodes, w = np.polynomial.legendre.leggauss(60)
    nodes, w = 0.5 * (nodes + 1.0), 0.5 * w
    branches = [
        ([[0, a, None, s] for a in nodes for s in nodes], np.outer(w, w).ravel()),
        ([[1, None, g, s] for g in range(5) for s in nodes], np.tile(w, 5)),
        ([[2, None, None, s] for s in nodes], w),
    ]
    total = sum(float(np.exp(model.at(points_of(columns, p)).log_joint) @ weight) for p, weight in branches)
    assert total == pytest.approx(1.0, abs=1e-6)


def test_without_trials_the_density_is_the_prior():
    """No good trials yet: everything is as declared."""
    columns = [REAL, GRID, CHOICE]
    points = points_of(columns, [[0.2, 1, 1], [0.9, 3, 0]])
    density = fit(columns, []).at(points)
    np.testing.assert_allclose(np.exp(density.log_joint), [0.2 * 0.5, 0.45 * 0.2])
    np.testing.assert_allclose(np.exp(density.log_marginals), prior_density(layout_of(columns), points))


def test_an_option_declared_impossible_has_finite_log_density():
    """pchoice with p = 0 whose option was tried anyway, by points_to_evaluate."""
    columns = [("choice", [0.0, 1.0])]
    density = fit(columns, [[0]]).at(points_of(columns, [[0], [1]]))
    assert np.isfinite(density.log_joint).all()


# ---------------------------------------------------------------- bandwidths


def test_bandwidths_do_not_depend_on_the_order_of_ties():
    """Equal coordinates share one bandwidth, so permuting the trials permutes the bandwidths."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 6, size=(3, 20)) / 5.0
    active = rng.random((3, 20)) < 0.8
    floor = np.full((3, 20), 0.01)
    order = rng.permutation(20)
    np.testing.assert_array_equal(
        bandwidths(x, active, floor)[:, order], bandwidths(x[:, order], active[:, order], floor)
    )


def test_bandwidths_stay_between_floor_and_one():
    """A dense cluster would have a bandwidth of nearly 0, one trial at the end exactly 1."""
    x = np.array([[0.5, 0.5 + 1e-9, 0.5 + 2e-9, 1.0], [1.0, 0.2, 0.3, 0.4]])
    active = np.array([[True] * 4, [True] + [False] * 3])
    sigma = bandwidths(x, active, np.full((2, 4), 0.03))
    np.testing.assert_allclose(sigma, [[0.03, 0.03, 0.5, 0.5], [1.0, 1.0, 1.0, 1.0]], atol=1e-8)


def test_a_grid_kernel_reaches_the_neighbouring_values():
    """Three levels, all trials at the middle one: the others keep more than a sliver of mass."""
    column = ("grid", [0.0, 1 / 3, 2 / 3, 1.0])
    mass_above = marginal([column], [[1]] * 20, [1.0] * 20, 0, 2)
    model = fit([column], [[1]] * 20)
    assert math.exp(model.at(points_of([column], [[2]])).log_joint[0]) == pytest.approx(mass_above)
    assert mass_above > 0.1


# ---------------------------------------------------------------- the sampler


def model_of_a_tree(rng) -> tuple[list, Parzen]:
    columns = [CHOICE, REAL, GRID, REAL]
    trials = [[k, x if k == 0 else None, g, s] for k, x, g, s in random_rows(columns, 8, 0.0, rng)]
    return columns, fit(columns, trials, rng.random(8) + 0.2)


def test_samples_of_every_parameter_follow_its_marginal():
    """20,000 draws: KS against the integrated density for numbers, chi-square for codes and bins.

    Detects an error of 0.02 in a cdf. The second column is missing from some trials: its draws back off.
    """
    rng = np.random.default_rng(11)
    columns, model = model_of_a_tree(rng)
    drawn = model.sample(rng, 20_000)
    grid_of = np.linspace(0.0, 1.0, 2001)
    for d in (1, 3):
        place = int(np.flatnonzero(model.layout.order == d)[0])
        rows = [[0, x, 0, x] for x in grid_of]
        pdf = np.exp(model.at(points_of(columns, rows)).log_marginals[place])
        cdf_values = integrate.cumulative_simpson(pdf, x=grid_of, initial=0.0)
        assert stats.kstest(drawn[:, d], lambda x, c=cdf_values: np.interp(x, grid_of, c)).pvalue > ALPHA
    for d, values in ((0, range(3)), (2, range(5))):
        place = int(np.flatnonzero(model.layout.order == d)[0])
        rows = [[v if d == 0 else 0, 0.5, v if d == 2 else 0, 0.5] for v in values]
        expected = np.exp(model.at(points_of(columns, rows)).log_marginals[place])
        codes = drawn[:, d] if d == 0 else np.searchsorted(GRID[1], drawn[:, d], side="right") - 1
        observed = np.bincount(codes.astype(int), minlength=len(expected))
        assert stats.chisquare(observed, 20_000 * expected).pvalue > ALPHA


def test_samples_are_joint():
    """Two narrow clusters on the diagonal: product sampling would put half of the points off it."""
    columns = [REAL, REAL]
    model = fit(columns, [[0.2, 0.2], [0.21, 0.19], [0.8, 0.8], [0.79, 0.81]] * 5, prior_weight=1e-9)
    drawn = model.sample(np.random.default_rng(0), 2000)
    assert (np.abs(drawn[:, 0] - drawn[:, 1]) > 0.4).mean() < 0.02


def test_log_density_of_samples_matches_its_entropy():
    """Draws of whole points follow the joint density: the mean of p/q over draws of q is 1 for another density p.

    q is the model, p the prior on the same tree; a wrong joint sampler or density moves the mean. 5 sigma.
    """
    rng = np.random.default_rng(2)
    columns, model = model_of_a_tree(rng)
    drawn = model.sample(rng, 20_000)
    rows = [
        [int(k), x if k == 0 else None, int(np.searchsorted(GRID[1], g, side="right") - 1), s]
        for k, x, g, s in drawn
    ]
    points = points_of(columns, rows)
    log_p = np.log(prior_density(model.layout, points))
    log_p[~points.active] = 0.0
    ratio = np.exp(log_p.sum(axis=0) - model.at(points).log_joint)
    assert abs(ratio.mean() - 1.0) < 5.0 * ratio.std() / math.sqrt(len(ratio))


def test_impossible_options_are_never_drawn():
    """Options of probability 0 in front, in the middle and at the end."""
    layout = layout_of([("choice", [0.0, 0.5, 0.0, 0.5, 0.0])])
    codes = layout.codes_at(np.array([[0.0, 0.3, 0.5, 0.7, 1.0]]))
    assert codes.tolist() == [[1.0, 1.0, 3.0, 3.0, 3.0]]


# ---------------------------------------------------------------- layout


def test_a_layout_groups_the_columns_by_kind():
    """The order of the space's columns is kept within a kind."""
    space = compile_space(
        [hp.choice("c", [0, 1]), hp.uniform("x", 0, 1), hp.quniform("q", 0, 4, 1), hp.normal("n", 0, 1)]
    )
    layout = Layout.of(space)
    assert [space.labels[i] for i in layout.order] == ["x", "n", "q", "c"]
    assert (layout.reals, layout.grids, layout.p.tolist()) == (2, 1, [[0.5, 0.5]])
