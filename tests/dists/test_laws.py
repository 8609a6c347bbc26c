"""The sentences that every distribution obeys, over one table of distributions.

A new distribution gets all of these tests by adding rows to `TABLE`. Numbers are compared with what the
sentences themselves demand (a derivative, a difference, an inverse); independent references are in the other
files.
"""

from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pytest

from hpspace import dists
from hpspace.dists import (
    BoundedFloat,
    BoundedInt,
    Categorical,
    Choice,
    Distribution,
    Grid,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    RandInt,
    Real,
    Uniform,
)

CONTINUOUS = [
    Uniform(0.0, 1.0),
    Uniform(-3.0, 1e6),
    LogUniform(-7.0, 0.0),
    LogUniform(2.0, 2.5),
    Normal(0.0, 1.0),
    Normal(-50.0, 1e-3),
    LogNormal(0.0, 1.0),
    LogNormal(-2.0, 0.1),
    BoundedFloat(-1.0, 2.0),
    BoundedFloat(1e-5, 0.1, log=True),
]
FINITE = [
    QUniform(0.0, 3.0, 1.0),
    QUniform(1.0, 10.0, 4.0),
    QUniform(-2.5, 2.5, 1.0),
    QUniform(0.0, 1.0, 0.1),
    QUniform(0.15, 1.05, 0.1),
    QUniform(3.1, 3.4, 1.0),
    QLogUniform(0.0, 4.0, 1.0),
    QLogUniform(-3.0, 2.0, 0.5),
    QLogUniform(2.0, 7.0, 16.0),
    RandInt(0, 1),
    RandInt(0, 7),
    RandInt(-4, 3),
    RandInt(0, 100_000),
    Ordinal(1),
    Ordinal(5),
    BoundedInt(3, 3),
    BoundedInt(-2, 9),
    BoundedInt(0, 10, step=4),
    BoundedInt(1, 1000, log=True),
    BoundedFloat(0.0, 1.0, step=0.1),
    BoundedFloat(0.0, 0.3, step=0.1),
    BoundedFloat(-1.0, 1.0, step=0.3),
    BoundedFloat(2.0, 2.0, step=1.0),
]
INFINITE = [
    QNormal(0.0, 1.0, 0.5),
    QNormal(10.2, 3.0, 2.0),
    QNormal(0.0, 1.0, 100.0),
    QLogNormal(0.0, 1.0, 1.0),
    QLogNormal(1.0, 0.5, 0.25),
]
CHOICES = [
    Categorical((1.0,)),
    Categorical((0.2, 0.3, 0.5)),
    Categorical((0.0, 0.25, 0.0, 0.75, 0.0)),
    Categorical((0.1,) * 10),
]
GRIDS = FINITE + INFINITE
TABLE = CONTINUOUS + GRIDS + CHOICES
NUMERIC = CONTINUOUS + GRIDS

every = pytest.mark.parametrize("dist", TABLE, ids=repr)
every_numeric = pytest.mark.parametrize("dist", NUMERIC, ids=repr)
every_continuous = pytest.mark.parametrize("dist", CONTINUOUS, ids=repr)
every_grid = pytest.mark.parametrize("dist", GRIDS, ids=repr)

U = np.concatenate([[0.0, 1e-300, 2.0**-53], np.linspace(1e-6, 1.0 - 1e-6, 2001), [1.0 - 2.0**-53, 1.0]])
INNER = np.linspace(1e-4, 1.0 - 1e-4, 401)


@every
def test_one_number_has_the_quantile_that_it_has_in_an_array(dist):
    """`at` is `quantile`, to the last bit."""
    assert [dist.form.at(u) for u in U.tolist()] == dist.quantile(U).tolist()


def grid_values(dist: Distribution) -> np.ndarray:
    """Every value of a finite grid; of an infinite one the values from 1e-12 to 1 - 1e-12."""
    if dist.size is not None:
        return dist.values()
    low, high = dist.quantile([1e-12, 1.0 - 1e-12])
    return dist.quantile(dist.unit(np.arange(low, high + dist.q / 2, dist.q)))


def all_masses(dist: Distribution) -> np.ndarray:
    """Masses of every value; of an infinite grid of every value with a mass above 1e-100."""
    if dist.size is not None:
        return np.exp(dist.log_prob(dist.values()))
    q, z = dist.q, dist.mu + np.array([-25.0, 25.0]) * dist.sigma
    low, high = np.round(z / q) if isinstance(dist, QNormal) else (0, min(np.exp(z[1]) / q, 1e6))
    return np.exp(dist.log_prob(np.arange(low, high + 1) * q))


@every
def test_quantile_is_increasing(dist):
    """From u = 0 to u = 1 inclusive; finite everywhere, also for the unbounded ones."""
    values = dist.quantile(U)
    assert np.isfinite(values).all()
    assert (np.diff(values) >= 0).all()


@every
def test_quantiles_are_possible_values_within_the_support(dist):
    values = dist.quantile(U)
    assert dist.contains(values).all()
    low, high = dist.support
    assert low <= values.min()
    assert values.max() <= high


@every_continuous
def test_cdf_inverts_quantile(dist):
    """``cdf(quantile(u)) == u``; the tolerance is the rounding of a value far from 0, in cdf units."""
    values = dist.quantile(INNER)
    rounding = 1e-13 + 4e-16 * np.abs(values) * np.exp(dist.log_prob(values))
    assert (np.abs(dist.cdf(values) - INNER) <= rounding).all()


@every_continuous
def test_unit_of_a_continuous_value_is_its_cdf(dist):
    values = dist.quantile(INNER)
    np.testing.assert_allclose(dist.unit(values), dist.cdf(values), rtol=1e-15)
    np.testing.assert_allclose(dist.quantile(dist.unit(values)), values, rtol=1e-9)


@every_continuous
def test_density_is_the_derivative_of_the_cdf(dist):
    """Central difference over a thousandth of the local scale; its error is below 1e-8 of the density."""
    u = np.linspace(0.02, 0.98, 97)
    values = dist.quantile(u)
    step = 1e-3 * (dist.quantile(u + 0.01) - dist.quantile(u - 0.01))
    slope = (dist.cdf(values + step) - dist.cdf(values - step)) / (2 * step)
    np.testing.assert_allclose(np.exp(dist.log_prob(values)), slope, rtol=1e-6)


@pytest.mark.parametrize("dist", GRIDS + CHOICES, ids=repr)
def test_masses_sum_to_one(dist):
    masses = all_masses(dist)
    assert (masses > 0).any()
    assert abs(math.fsum(masses) - 1.0) <= 1e-12


@every_grid
def test_mass_is_the_difference_of_the_bin_edges(dist):
    """Three accounts of a mass agree: log_prob, the unit bin, and the step of the cdf between neighbours."""
    values = grid_values(dist)
    low, high = dist.unit_bins(values)
    np.testing.assert_allclose(np.exp(dist.log_prob(values)), high - low, rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(dist.cdf(values), high)
    if len(values) > 1:
        np.testing.assert_allclose(np.diff(dist.cdf(values)), (high - low)[1:], rtol=0, atol=1e-15)


@every_grid
def test_bins_tile_the_unit_interval(dist):
    low, high = dist.unit_bins(grid_values(dist))
    np.testing.assert_array_equal(high[:-1], low[1:])
    assert (low < high).all()
    if dist.size is not None:
        assert (low[0], high[-1]) == (0.0, 1.0)


@every_grid
def test_bins_are_the_edges_seen_through_the_line(dist):
    values = grid_values(dist)
    for end, share in zip(dist.edges(values), dist.unit_bins(values)):
        np.testing.assert_array_equal(dist.line_cdf(end), share)


@every_grid
def test_quantile_of_the_unit_coordinate_is_the_value(dist):
    """For every possible value, to the last bit: encoding a grid value and decoding it loses nothing."""
    values = grid_values(dist)
    np.testing.assert_array_equal(dist.quantile(dist.unit(values)), values)


@every_grid
def test_quantile_is_the_value_whose_bin_holds_u(dist):
    u = np.random.default_rng(0).random(2000)
    low, high = dist.unit_bins(dist.quantile(u))
    assert (low - 1e-12 <= u).all()
    assert (u <= high + 1e-12).all()


@every_grid
def test_cdf_is_a_staircase(dist):
    """Between two values the cdf stays at the lower one's; below the first it is 0, from the last 1."""
    values = grid_values(dist)[:500]
    middles = (values[:-1] + values[1:]) / 2
    np.testing.assert_array_equal(dist.cdf(middles), dist.cdf(values[:-1]))
    np.testing.assert_array_equal(dist.cdf([-1e300, 1e300]), [0.0, 1.0])


@every_numeric
def test_latent_coordinates_round_trip(dist):
    """Values go to the line and back by finite coordinates within its bounds, also 0 on a log line."""
    values = dist.quantile(INNER)
    z = dist.to_latent(values)
    line = dist.latent if isinstance(dist.latent, Real) else dist.latent.line
    assert np.isfinite(z).all()
    assert (line.low <= z).all()
    assert (z <= line.high).all()
    back = dist.from_latent(z)
    if isinstance(dist.latent, Grid):
        np.testing.assert_array_equal(back, values)
    else:
        np.testing.assert_allclose(back, values, rtol=1e-12)


@every_numeric
def test_line_quantile_inverts_line_cdf(dist):
    """As for values, the tolerance covers the rounding of coordinates that are large against their spread."""
    line = dist.latent if isinstance(dist.latent, Real) else dist.latent.line
    np.testing.assert_allclose(
        dist.line_cdf(dist.line_quantile(INNER)),
        INNER,
        rtol=0,
        atol=1e-13 + 1e-15 * abs(line.loc) / line.scale,
    )


@every
def test_only_possible_values_have_probability(dist):
    """``contains`` and a log_prob above -inf are the same statement, inside and outside the support."""
    low, high = dist.support
    ends = [x for x in (low, high) if math.isfinite(x)]
    outside = [e + s for e in ends for s in (-0.26, 0.26, -1e7, 1e7)] + [math.nan, math.inf, -math.inf]
    x = np.concatenate([dist.quantile(INNER), dist.quantile(INNER) + 0.013, outside])
    np.testing.assert_array_equal(dist.contains(x), dist.log_prob(x) > -np.inf)
    assert not dist.contains([math.nan, math.inf, -math.inf]).any()


@every
def test_values_and_size_agree(dist):
    if dist.size is None:
        with pytest.raises(ValueError, match="no list of values"):
            dist.values()
        return
    values = dist.values()
    assert len(values) == dist.size
    assert (np.diff(values) > 0).all()
    assert (values[0], values[-1]) == dist.support
    np.testing.assert_array_equal(dist.values(limit=2), values[:2])


@every
def test_sample_is_the_quantile_of_one_uniform_call(dist):
    """Same generator state, same values; and the generator advances by exactly one call of random(size)."""
    rng, twin = np.random.default_rng(5), np.random.default_rng(5)
    drawn = dist.sample(rng, 50)
    assert drawn.dtype == np.float64
    np.testing.assert_array_equal(drawn, dist.quantile(twin.random(50)))
    assert rng.random() == twin.random()


@every
def test_python_values_have_exact_types(dist):
    """Ints where the user was promised ints, floats elsewhere; never a numpy scalar, never -0.0."""
    for x in dist.quantile(INNER):
        value = dist.to_python(x)
        assert type(value) is (int if dist.is_integer else float)
        assert value == x
        assert math.copysign(1.0, value) == 1.0 or value != 0


@every
def test_equal_arguments_make_equal_values(dist):
    twin = type(dist)(*(getattr(dist, f.name) for f in dataclasses.fields(dist)))
    assert twin == dist
    assert hash(twin) == hash(dist)
    assert sum(other == dist for other in TABLE) == 1


@every
def test_repr_is_the_constructor_call(dist):
    assert eval(repr(dist), vars(dists)) == dist


@every
def test_pickle_keeps_the_arguments_only(dist):
    """What was computed on the way is not stored: used and unused distributions pickle to the same bytes."""
    before = pickle.dumps(dist)
    dist.quantile(0.5)
    assert pickle.dumps(dist) == before
    assert pickle.loads(before) == dist


@every
def test_fields_cannot_be_changed(dist):
    field = dataclasses.fields(dist)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(dist, field, 1.0)


@every
def test_build_reads_back_its_own_arguments(dist):
    """The registered name and the fields are enough to build it again, and no fault is found in them."""
    args = dataclasses.asdict(dist)
    assert type(dist).faults(args) == []
    assert dists.build(dist.name, args) == dist
    assert tuple(p.name for p in type(dist).parameters()) == tuple(args)


@every_numeric
def test_shapes_follow_the_argument(dist):
    """A number gives a number, a matrix a matrix."""
    for f in (
        dist.quantile,
        dist.cdf,
        dist.log_prob,
        dist.contains,
        dist.unit,
        dist.to_latent,
        dist.from_latent,
    ):
        assert np.shape(f(0.5)) == ()
        assert np.shape(f(np.full((2, 3), 0.5))) == (2, 3)


@every
def test_latent_kind_and_values_agree(dist):
    latent = dist.latent
    if isinstance(latent, Choice):
        assert math.isclose(math.fsum(latent.p), 1.0, abs_tol=1e-15)
        assert np.isnan(dist.unit_bins([0.0])).all()
        return
    assert (dist.size is None) == (isinstance(latent, Real) or latent.size is None)
    line = latent if isinstance(latent, Real) else latent.line
    if math.isfinite(line.low):
        assert (line.loc, line.scale) == ((line.low + line.high) / 2, line.high - line.low)
    else:
        assert (line.loc, line.scale) == (dist.mu, dist.sigma)


@every
def test_only_exponentials_ask_for_a_log_axis(dist):
    """By name or by argument; nothing else spreads over orders of magnitude."""
    assert dist.is_log == ("log" in dist.name or getattr(dist, "log", False))


@pytest.mark.parametrize(
    "members",
    [
        [QUniform(0.0, 3.0, 1.0), QUniform(1.0, 10.0, 4.0), RandInt(-4, 3), BoundedFloat(0.0, 0.3, step=0.1)],
        [QLogUniform(0.0, 4.0, 1.0), BoundedInt(1, 1000, log=True)],
        [LogUniform(-7.0, 0.0), BoundedFloat(1e-5, 0.1, log=True)],
        [Normal(0.0, 1.0), Normal(-50.0, 1e-3)],
    ],
    ids=lambda members: members[0].name,
)
def test_forms_of_one_shape_work_as_columns(members):
    """One form with arrays as fields gives, column by column, what its members give one by one."""

    def stack(values):
        if dataclasses.is_dataclass(values[0]):
            names = [f.name for f in dataclasses.fields(values[0])]
            return type(values[0])(*(stack([getattr(value, name) for value in values]) for name in names))
        if isinstance(values[0], tuple):
            return tuple(stack(list(column)) for column in zip(*values))
        return np.array(values) if isinstance(values[0], (int, float)) else values[0]

    form, u = stack([dist.form for dist in members]), np.random.default_rng(0).random((50, len(members)))
    values = form.quantile(u)
    for column, dist in enumerate(members):
        own = dist.quantile(u[:, column])
        np.testing.assert_array_equal(values[:, column], own)
        np.testing.assert_array_equal(form.unit(values)[:, column], dist.unit(own))
        np.testing.assert_array_equal(form.cdf(values)[:, column], dist.cdf(own))
        np.testing.assert_array_equal(form.unit_bins(values)[0][:, column], dist.unit_bins(own)[0])


def test_a_choice_has_no_line():
    with pytest.raises(TypeError, match="no order"):
        Categorical((0.5, 0.5)).line_cdf([0.0])
    with pytest.raises(TypeError, match="no order"):
        Categorical((0.5, 0.5)).line_quantile([0.5])


def test_unit_coordinate_of_a_choice_is_its_code():
    assert Categorical((0.5, 0.25, 0.25)).unit([2.0, 0.0]).tolist() == [2.0, 0.0]


def test_every_registered_distribution_is_in_the_table():
    assert {dist.name for dist in TABLE} == set(dists.names())
