"""Hyperopt's ``criteria`` and ``rdists`` modules: the formulas, the names and the types."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from hpspace import criteria, rdists


def test_empirical_improvement_counts_only_what_is_above():
    assert criteria.EI_empirical(np.array([1.0, 2.0, 3.0]), 2.0) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("mean", "var", "thresh"), [(0.0, 1.0, 0.0), (1.5, 4.0, 3.0), (-2.0, 0.25, -2.9)])
def test_three_accounts_of_expected_improvement_agree(mean, var, thresh):
    """Closed form, quadrature of the definition, and 200,000 draws within five standard errors."""
    closed = criteria.EI_gaussian(mean, var, thresh)
    reference = stats.norm(mean, math.sqrt(var))
    exact = integrate.quad(
        lambda y: (y - thresh) * reference.pdf(y), thresh, mean + 12 * math.sqrt(var), epsabs=1e-13
    )[0]
    assert closed == pytest.approx(exact, rel=1e-9)
    rng, n = np.random.default_rng(11), 200_000
    assert abs(criteria.EI_gaussian_empirical(mean, var, thresh, rng, n) - exact) < 5 * math.sqrt(var / n)


def test_the_empirical_estimate_takes_an_old_random_state():
    estimate = criteria.EI_gaussian_empirical(0.0, 1.0, 0.0, np.random.RandomState(0), 10_000)
    assert abs(estimate - 0.3989) < 0.03


def test_log_improvement_is_the_log_of_the_improvement_where_both_exist():
    thresh = np.linspace(-5.0, 30.0, 200)
    np.testing.assert_allclose(
        criteria.logEI_gaussian(0.0, 1.0, thresh), np.log(criteria.EI_gaussian(0.0, 1.0, thresh)), atol=1e-10
    )


@pytest.mark.parametrize("t", [0.999, 1.001, 6.0, 37.0, 99.9, 100.1, 400.0])
def test_log_improvement_agrees_with_quadrature_across_its_ranges(t):
    """EI / phi(t) = integral of x * exp(-t x - x**2 / 2) over x > 0, which never underflows."""
    integral = integrate.quad(
        lambda x: x * math.exp(-t * x - x * x / 2), 0, 60 / t + 5 / (1 + t), epsabs=0, epsrel=1e-12
    )[0]
    expected = math.log(integral) - t * t / 2 - 0.5 * math.log(2 * math.pi)
    assert criteria.logEI_gaussian(0.0, 1.0, t) == pytest.approx(expected, abs=2e-9)


def test_log_improvement_is_finite_and_decreasing_down_to_5000_sigma():
    values = criteria.logEI_gaussian(np.linspace(0.0, -5000.0, 2001), 1.0, 0.0)
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


def test_a_certain_prediction_improves_by_its_gain_or_not_at_all():
    """Variance 0, without a warning (warnings are errors in this suite)."""
    assert criteria.EI_gaussian([2.0, 0.0, -1.0], 0.0, 0.0).tolist() == [2.0, 0.0, 0.0]
    assert criteria.logEI_gaussian(-1.0, 0.0, 0.0) == -np.inf


def test_scaling_the_units_scales_the_improvement():
    np.testing.assert_allclose(
        criteria.EI_gaussian(3.0, 100.0, 5.0), 10 * criteria.EI_gaussian(0.3, 1.0, 0.5), rtol=1e-12
    )


def test_ucb_is_so_many_standard_deviations_above():
    assert criteria.UCB(1.0, 4.0, 2.0) == 5.0
    assert criteria.UCB(np.zeros(2), np.array([1.0, 9.0]), -1.0).tolist() == [-1.0, -3.0]


def test_loguniform_has_natural_log_bounds():
    reference = rdists.loguniform_gen(-2.0, 3.0)
    assert reference.support() == pytest.approx((math.exp(-2.0), math.exp(3.0)))
    np.testing.assert_allclose(reference.cdf(np.exp([-2.0, 0.5, 3.0])), [0.0, 0.5, 1.0], atol=1e-12)


def test_lognorm_has_the_parameters_of_the_logarithm():
    reference = rdists.lognorm_gen(1.0, 0.5)
    x = np.array([0.5, 2.0, 9.0])
    np.testing.assert_allclose(reference.cdf(x), stats.norm.cdf(np.log(x), 1.0, 0.5))


GENERATORS = [
    (rdists.quniform_gen(0, 10, 1), np.arange(0, 11)),
    (rdists.quniform_gen(-1.0, 1.0, 0.5), np.arange(-2, 3) * 0.5),
    (rdists.qloguniform_gen(0.0, 3.0, 2), np.arange(0, 11) * 2),
    (rdists.qnormal_gen(0.5, 1.0, 1), np.arange(-12, 13)),
    (rdists.qlognormal_gen(0.0, 0.5, 1), np.arange(0, 300)),
]


@pytest.mark.parametrize(("reference", "values"), GENERATORS, ids=lambda x: type(x).__name__)
def test_pmf_sums_to_one_and_is_zero_off_the_grid(reference, values):
    assert abs(reference.pmf(values).sum() - 1.0) < 1e-12
    assert reference.pmf(values[:3] + 0.3 * reference.q).tolist() == [0.0] * 3
    np.testing.assert_array_equal(np.exp(reference.logpmf(values)), reference.pmf(values))
    np.testing.assert_array_equal(reference.in_domain(values), reference.pmf(values) > 0)


@pytest.mark.parametrize(("reference", "values"), GENERATORS, ids=lambda x: type(x).__name__)
def test_draws_follow_the_pmf(reference, values):
    """Chi-square of 20,000 draws over values with 5 expected; false alarms below 1e-6."""
    drawn, n = reference.rvs(20_000, random_state=4), 20_000
    counts = np.array([(drawn == v).sum() for v in values])
    assert counts.sum() == n
    expected = reference.pmf(values) * n
    large = expected >= 5
    observed = np.append(counts[large], counts[~large].sum())
    expected = np.append(expected[large], max(n - expected[large].sum(), 1e-9))
    keep = expected > 1e-6
    statistic = ((observed - expected)[keep] ** 2 / expected[keep]).sum()
    assert stats.chi2.sf(statistic, keep.sum() - 1) > 1e-6


def test_an_int_step_draws_ints_and_a_float_step_floats():
    assert type(rdists.quniform_gen(0, 10, 1).rvs()) is int
    assert type(rdists.quniform_gen(0, 10, 1.0).rvs()) is float
    assert rdists.qnormal_gen(0, 5, 2).rvs(size=(3, 2)).dtype == np.int64
    assert rdists.qnormal_gen(0, 5, 2.0).rvs(size=(3, 2)).dtype == np.float64


@pytest.mark.parametrize(
    "make", [lambda: 7, lambda: np.random.default_rng(7), lambda: np.random.RandomState(7)]
)
def test_draws_repeat_with_the_same_random_state(make):
    reference = rdists.qlognormal_gen(1.0, 1.0, 1)
    np.testing.assert_array_equal(
        reference.rvs(10, random_state=make()), reference.rvs(10, random_state=make())
    )
