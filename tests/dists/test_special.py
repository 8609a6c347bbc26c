"""Log-scale arithmetic where naive formulas give 0, inf or noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import log_ndtr

from hpspace.dists import LogNormal, Normal
from hpspace.dists.special import log_diff_exp, log_gauss_mass


def test_log_diff_exp_of_numbers_that_underflow():
    """exp(-1000) is 0 in doubles; the difference of exp(-1000) and exp(-1001) is not."""
    np.testing.assert_allclose(
        log_diff_exp(-1000.0, -1001.0), -1000.0 + math.log(1 - math.exp(-1)), rtol=1e-15
    )


def test_log_diff_exp_of_nothing_is_the_larger():
    assert log_diff_exp([-3.0], [-np.inf]).tolist() == [-3.0]


def test_log_diff_exp_of_equals_is_very_small_and_no_nan():
    assert log_diff_exp(-1.0, -1.0) < -700


@pytest.mark.parametrize("z", [0.0, 1.0, 5.0, 9.0, 20.0, 37.0])
def test_gauss_mass_of_a_whole_tail_is_the_log_cdf(z):
    np.testing.assert_allclose(log_gauss_mass(z, np.inf), log_ndtr(-z), rtol=1e-14)
    np.testing.assert_allclose(log_gauss_mass(-np.inf, -z), log_ndtr(-z), rtol=1e-14)


def test_gauss_mass_of_everything_is_one():
    assert log_gauss_mass(-np.inf, np.inf) == 0.0


@pytest.mark.parametrize("middle", [0.0, 0.3, 2.0, 9.0, 15.0])
@pytest.mark.parametrize("width", [1e-14, 1e-9, 0.99e-5, 1.01e-5, 1e-3, 0.5, 3.0])
def test_gauss_mass_agrees_with_quadrature(middle, width):
    """Relative to the density at the middle, integrated numerically: across the switch of formulas too."""
    a, b = middle - width / 2, middle + width / 2
    a, b = float(a), float(b)
    ratio = integrate.quad(
        lambda t: math.exp(middle**2 / 2 - (middle + t) ** 2 / 2), a - middle, b - middle, epsrel=1e-12
    )[0]
    expected = math.log(ratio) - middle**2 / 2 - 0.5 * math.log(2 * math.pi)
    tolerance = 1e-9 + 1e-15 / width * max(middle, 1.0)  # a and b themselves are rounded
    assert abs(log_gauss_mass(a, b) - expected) < tolerance
    np.testing.assert_allclose(log_gauss_mass(-b, -a), log_gauss_mass(a, b), rtol=1e-14)


def test_gauss_masses_far_beyond_the_tail_are_numbers():
    """No NaN and no warning from inf - inf at coordinates that no data should have."""
    assert not np.isnan(log_gauss_mass([1e200, -np.inf, 1e9], [np.inf, -1e200, 2e9])).any()


@pytest.mark.parametrize("sigmas", [-9.0, -5.0, 0.0, 5.0, 9.0])
def test_log_density_of_a_normal_far_out(sigmas):
    x = 3.0 + sigmas * 0.5
    np.testing.assert_allclose(Normal(3.0, 0.5).log_prob(x), stats.norm.logpdf(x, 3.0, 0.5), rtol=1e-13)
    np.testing.assert_allclose(
        LogNormal(3.0, 0.5).log_prob(math.exp(x)),
        stats.lognorm.logpdf(math.exp(x), 0.5, scale=math.exp(3.0)),
        rtol=1e-10,
    )


def test_a_normal_quantile_is_never_infinite():
    """u = 0 and u = 1 stand for 2**-53 and 1 - 2**-53: 8.2 sigma."""
    low, high = Normal(0.0, 1.0).quantile([0.0, 1.0])
    assert -8.3 < low < -8.1
    assert low == -high


def test_a_lognormal_with_a_huge_sigma_neither_overflows_nor_reaches_zero():
    low, high = LogNormal(0.0, 1000.0).quantile([0.0, 1.0])
    assert low > 0
    assert math.isfinite(high)


def test_the_unit_coordinate_of_a_normal_is_strictly_inside():
    """A stored value 20 sigma out still has a place from which it can be decoded to something finite."""
    unit = Normal(0.0, 1.0).unit([-20.0, 20.0])
    assert unit[0] > 0
    assert unit[1] < 1
