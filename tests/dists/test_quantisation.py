"""The quantised distributions against brute force: rational arithmetic, scipy's cdfs, the rounding itself."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from hpspace.dists import (
    BoundedFloat,
    BoundedInt,
    LogUniform,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    Uniform,
)


def exact_masses(low: Fraction, high: Fraction, q: Fraction) -> dict[Fraction, Fraction]:
    """Masses of ``round(u / q) * q`` in rational numbers: the overlap of each bin with the bounds."""
    masses = {}
    for k in range(math.floor(low / q) - 1, math.ceil(high / q) + 2):
        overlap = min(high, (k + Fraction(1, 2)) * q) - max(low, (k - Fraction(1, 2)) * q)
        if overlap > 0:
            masses[k * q] = overlap / (high - low)
    return masses


@pytest.mark.parametrize(
    ("low", "high", "q"),
    [
        ("0", "3", "1"),
        ("1", "10", "4"),
        ("-2.5", "2.5", "1"),
        ("0.5", "3", "1"),
        ("0", "1", "0.1"),
        ("0.15", "1.05", "0.1"),
        ("-7", "-6.9", "5"),
        ("0", "100", "7"),
        ("-1", "2", "0.3"),
    ],
)
def test_quniform_is_the_exact_table(low, high, q):
    """Values and masses equal those computed without rounding, also for decimal steps such as 0.1."""
    expected = exact_masses(Fraction(low), Fraction(high), Fraction(q))
    dist = QUniform(float(low), float(high), float(q))
    np.testing.assert_allclose(dist.values(), [float(v) for v in expected], rtol=1e-15)
    np.testing.assert_allclose(
        np.exp(dist.log_prob(dist.values())), [float(m) for m in expected.values()], rtol=1e-10
    )


def test_the_ends_of_uniformint_have_half_the_mass():
    """quniform(0, 3, 1), which is what uniformint draws: 1/6, 1/3, 1/3, 1/6."""
    masses = np.exp(QUniform(0.0, 3.0, 1.0).log_prob([0, 1, 2, 3]))
    np.testing.assert_allclose(masses, [1 / 6, 1 / 3, 1 / 3, 1 / 6], rtol=1e-14)


def test_the_grid_of_quniform_goes_through_zero_not_through_low():
    """quniform(1, 10, 4) has 0 and 8 but neither 1 nor 10."""
    dist = QUniform(1.0, 10.0, 4.0)
    assert dist.values().tolist() == [0.0, 4.0, 8.0]
    assert dist.contains([0.0, 1.0, 5.0, 9.0, 10.0, 12.0]).tolist() == [True] + [False] * 5


def test_halves_are_rounded_to_the_even_multiple():
    """u = 1/8, 3/8, 5/8, 7/8 of [0, 4] are 0.5, 1.5, 2.5 and 3.5."""
    assert QUniform(0.0, 4.0, 1.0).quantile([0.125, 0.375, 0.625, 0.875]).tolist() == [0.0, 2.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("quantised", "continuous"),
    [
        (QUniform(-3.0, 8.0, 0.7), Uniform(-3.0, 8.0)),
        (QUniform(0.0, 1.0, 0.1), Uniform(0.0, 1.0)),
        (QLogUniform(-2.0, 5.0, 0.3), LogUniform(-2.0, 5.0)),
        (QLogUniform(0.0, 6.0, 1.0), LogUniform(0.0, 6.0)),
    ],
    ids=repr,
)
def test_a_quantised_value_is_its_continuous_value_rounded(quantised, continuous):
    """``round(x / q) * q`` of the continuous quantile at the same u, bit for bit."""
    u = np.random.default_rng(1).random(5000)
    expected = np.round(continuous.quantile(u) / quantised.q) * quantised.q
    np.testing.assert_array_equal(quantised.quantile(u), expected)


@pytest.mark.parametrize("dist", [QLogUniform(0.0, 4.0, 1.0), QLogUniform(-3.0, 2.0, 0.5)], ids=repr)
def test_qloguniform_masses_are_shares_of_the_log_interval(dist):
    expected = stats.loguniform(math.exp(dist.low), math.exp(dist.high))
    v, q = dist.values(), dist.q
    masses = expected.cdf(v + q / 2) - expected.cdf(v - q / 2)
    np.testing.assert_allclose(np.exp(dist.log_prob(v)), masses, rtol=1e-10, atol=1e-14)


def test_qloguniform_has_zero_only_if_low_is_below_half_a_step():
    assert QLogUniform(math.log(0.4), 2.0, 1.0).values()[0] == 0.0
    assert QLogUniform(math.log(0.6), 2.0, 1.0).values()[0] == 1.0


def test_qnormal_masses_are_differences_of_phi():
    dist, v = QNormal(1.3, 2.0, 0.5), np.arange(-20, 25) * 0.5
    masses = stats.norm.cdf(v + 0.25, 1.3, 2.0) - stats.norm.cdf(v - 0.25, 1.3, 2.0)
    np.testing.assert_allclose(np.exp(dist.log_prob(v)), masses, rtol=1e-10, atol=1e-16)


def test_qlognormal_masses_are_differences_of_the_lognormal_cdf():
    """The value 0 gets everything up to half a step."""
    dist, v = QLogNormal(0.5, 1.2, 1.0), np.arange(0, 40.0)
    reference = stats.lognorm(1.2, scale=math.exp(0.5))
    masses = reference.cdf(v + 0.5) - np.where(v > 0, reference.cdf(v - 0.5), 0.0)
    np.testing.assert_allclose(np.exp(dist.log_prob(v)), masses, rtol=1e-10)


@pytest.mark.parametrize("side", [-1, 1])
def test_masses_of_qnormal_keep_their_digits_nine_sigma_away(side):
    """Both tails equal the lower one, where doubles have room: log(Phi(-8.5) - Phi(-9.5)), not -inf."""
    lower = math.log(stats.norm.cdf(-8.5) - stats.norm.cdf(-9.5))
    np.testing.assert_allclose(QNormal(0.0, 1.0, 1.0).log_prob(side * 9.0), lower, rtol=1e-12)


def test_values_of_an_anchored_grid_are_equally_likely_and_within_the_bounds():
    """0.1 steps up to 0.3: the last is 0.3 itself, not 0.30000000000000004."""
    dist = BoundedFloat(0.0, 0.3, step=0.1)
    assert dist.values().tolist() == [0.0, 0.1, 0.2, 0.3]
    np.testing.assert_allclose(dist.log_prob(dist.values()), math.log(0.25), rtol=1e-12)
    assert dist.contains(3 * 0.1)


def test_an_anchored_grid_ends_before_a_bound_that_it_misses():
    assert BoundedFloat(1.0, 2.0, step=0.4).values().tolist() == [1.0, 1.4, 1.8]
    assert BoundedInt(0, 10, step=4).values().tolist() == [0.0, 4.0, 8.0]


def test_integers_on_a_log_scale_have_the_mass_of_their_log_bin():
    dist, v = BoundedInt(1, 20, log=True), np.arange(1.0, 21.0)
    width = math.log(20.5) - math.log(0.5)
    np.testing.assert_allclose(
        np.exp(dist.log_prob(v)), (np.log(v + 0.5) - np.log(v - 0.5)) / width, rtol=1e-12
    )


def test_bounds_of_a_log_float_are_reached_exactly():
    """exp(log(0.1)) is not 0.1 in doubles; the bound is."""
    dist = BoundedFloat(1e-5, 0.1, log=True)
    assert dist.quantile([0.0, 1.0]).tolist() == [1e-5, 0.1]


def test_a_fine_grid_tends_to_its_continuous_distribution():
    u = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(
        QUniform(0.0, 1.0, 1e-6).quantile(u), Uniform(0.0, 1.0).quantile(u), atol=5.1e-7
    )
    v = QUniform(0.0, 1.0, 1e-6).quantile(u)
    np.testing.assert_allclose(QUniform(0.0, 1.0, 1e-6).log_prob(v) - math.log(1e-6), 0.0, atol=1e-8)
