"""Values, coordinates and sampling in columns: every stacked group agrees with the single distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hpspace import compile_space, hp

MANY = {
    "u": hp.uniform("u", -2, 3),
    "u2": hp.uniform("u2", 5, 6),
    "lu": hp.loguniform("lu", -7, 0),
    "n": hp.normal("n", 3, 2),
    "ln": hp.lognormal("ln", 0, 1),
    "q": hp.quniform("q", 1, 10, 4),
    "q2": hp.quniform("q2", 0, 1, 0.25),
    "ql": hp.qloguniform("ql", -1, 5, 2),
    "qn": hp.qnormal("qn", 0, 3, 0.5),
    "qln": hp.qlognormal("qln", 1, 1, 1),
    "r": hp.randint("r", -3, 8),
    "i": hp.int("i", 1, 1000, log=True),
    "f": hp.float("f", 0.1, 0.9, step=0.2),
    "o": hp.ordinal("o", list("abcd")),
    "c": hp.choice("c", list("xyz")),
    "p": hp.pchoice("p", [(0.1, 0), (0.9, 1)]),
}


@pytest.fixture(scope="module")
def compiled():
    return compile_space(MANY)


@pytest.mark.parametrize("labels", [MANY, ["u", "lu", "ln", "q", "qln", "i", "c"]], ids=["many", "few"])
def test_one_point_is_decoded_as_in_a_matrix(labels):
    """Bit for bit, number by number (few columns) and by arrays (many); NaN where inactive."""
    columns = compile_space({label: MANY[label] for label in labels}).columns
    rng = np.random.default_rng(5)
    coords = columns.prior_coords(rng.random((50, len(labels))))
    whole, active = columns.decode(coords), rng.random(coords.shape) < 0.5
    for point, expected, present in zip(coords, whole, active):
        np.testing.assert_array_equal(columns.decode_point(point), expected)
        masked = np.where(present, expected, np.nan)
        np.testing.assert_array_equal(columns.decode_point(point, present), masked)


def test_one_point_with_dependent_bounds_is_decoded_as_in_a_matrix():
    """The upper bound is a parameter."""
    columns = compile_space({"x": hp.uniform("x", 0, hp.uniform("top", 1, 9))}).columns
    coords = np.random.default_rng(6).random((20, 2))
    for point, expected in zip(coords, columns.decode(coords)):
        np.testing.assert_array_equal(columns.decode_point(point), expected)


def test_coordinates_agree_with_each_distribution(compiled):
    values = compiled.sample(0, 500).values
    coords = compiled.encode(values)
    low, high = compiled.bins(values)
    for d, param in enumerate(compiled):
        expected = values[:, d] if param.kind == "choice" else param.dist.unit(values[:, d])
        np.testing.assert_allclose(coords[:, d], expected, rtol=1e-12, err_msg=param.label)
        if param.kind == "grid":
            np.testing.assert_allclose(
                [low[:, d], high[:, d]], param.dist.unit_bins(values[:, d]), rtol=1e-12
            )
        else:
            assert np.isnan(low[:, d]).all() and np.isnan(high[:, d]).all()


def test_sampled_columns_follow_their_distributions(compiled):
    """20,000 rows: the randomised cdf of every value is uniform (KS, false alarm 1e-6 a column)."""
    rng = np.random.default_rng(3)
    values = compiled.sample(rng, 20_000).values
    for d, param in enumerate(compiled):
        x = values[:, d]
        if param.kind == "real":
            u = param.dist.cdf(x)
        elif param.kind == "grid":
            low, high = param.dist.unit_bins(x)
            u = low + (high - low) * rng.random(len(x))
        else:
            u = param.dist.cdf(x - 1) + (param.dist.cdf(x) - param.dist.cdf(x - 1)) * rng.random(len(x))
        assert stats.kstest(u, "uniform").pvalue > 1e-6, param.label


def test_coordinates_of_a_chosen_place_decode_to_the_value_there(compiled):
    middle = np.full((1, len(compiled)), 0.5)
    values = compiled.decode(middle)[0]
    assert values[compiled.index["u"]] == 0.5
    assert values[compiled.index["n"]] == pytest.approx(3)
    assert values[compiled.index["lu"]] == pytest.approx(math.exp(-3.5))


def test_unknown_values_are_masked(compiled):
    """Documents of another, wider space may hold values that this one has not."""
    row = compiled.sample(0, 1).values.copy()
    row[0, compiled.index["u"]] = 4.0
    row[0, compiled.index["c"]] = 3.0
    row[0, compiled.index["lu"]] = 2.0
    known = compiled.known(row)
    assert np.flatnonzero(np.isnan(known[0])).tolist() == sorted(compiled.index[k] for k in ("u", "c", "lu"))


def test_a_value_at_the_end_of_its_support_is_known_despite_rounding():
    compiled = compile_space(hp.loguniform("x", math.log(1e-4), math.log(1e-1)))
    assert not np.isnan(compiled.known(np.array([[1e-4], [1e-1]]))).any()


@pytest.mark.parametrize("seed", range(3))
def test_dependent_bounds_hold_for_every_row_and_spread_evenly(seed):
    """y ~ uniform(0, x): y / x is uniform and never above 1; its coordinate is that share."""
    x = hp.uniform("x", 1, 4)
    compiled = compile_space({"x": x, "y": hp.uniform("y", 0, x), "k": hp.randint("k", hp.int("n", 1, 4))})
    values = compiled.sample(seed, 2000).values
    share = values[:, compiled.index["y"]] / values[:, compiled.index["x"]]
    assert stats.kstest(share, "uniform").pvalue > 1e-6
    np.testing.assert_allclose(compiled.encode(values)[:, compiled.index["y"]], share)
    assert (values[:, compiled.index["k"]] < values[:, compiled.index["n"]]).all()
    np.testing.assert_array_equal(
        compiled.decode(compiled.encode(values)), compiled.decode(compiled.encode(values))
    )


def test_keys_are_equal_for_equal_points_only(compiled):
    values = compiled.sample(1, 50).values
    keys = compiled.keys(values)
    assert len(set(keys)) == 50
    assert compiled.keys(values.copy()) == keys
    zero, minus = np.zeros((1, len(compiled))), np.full((1, len(compiled)), -0.0)
    assert compiled.keys(zero) == compiled.keys(minus)
