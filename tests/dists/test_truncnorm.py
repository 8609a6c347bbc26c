"""Truncated normal kernels against scipy, and against identities where doubles run out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from hpspace.dists import truncnorm

CASES = [
    (0.5, 0.1, 0.0, 1.0),
    (0.0, 0.03, 0.0, 1.0),
    (1.0, 1.0, 0.0, 1.0),
    (0.5, 50.0, 0.0, 1.0),
    (-3.0, 0.5, 0.0, 1.0),
    (4.0, 0.5, 0.0, 1.0),
    (0.0, 1.0, -np.inf, np.inf),
]


@pytest.mark.parametrize(("mu", "sigma", "low", "high"), CASES)
def test_density_is_scipys(mu, sigma, low, high):
    reference = stats.truncnorm((low - mu) / sigma, (high - mu) / sigma, mu, sigma)
    x = np.linspace(0.01, 0.99, 25)
    np.testing.assert_allclose(
        truncnorm.log_pdf(x, mu, sigma, low, high), reference.logpdf(x), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("mu", "sigma", "low", "high"), CASES[:-1])
def test_density_integrates_to_one(mu, sigma, low, high):
    def density(x):
        return np.exp(truncnorm.log_pdf(x, mu, sigma, low, high))

    points = np.clip([mu - sigma, mu, mu + sigma], 0.0, 1.0)
    assert abs(integrate.quad(density, low, high, points=points, epsabs=1e-12)[0] - 1.0) < 1e-8


@pytest.mark.parametrize(("mu", "sigma", "low", "high"), CASES[:-1])
def test_quantile_inverts_the_mass(mu, sigma, low, high):
    """Mass from low to quantile(u), over the mass of the interval, is u."""
    u = np.linspace(0.001, 0.999, 101)
    x = truncnorm.quantile(u, mu, sigma, low, high)
    share = np.exp(truncnorm.log_mass(low, x, mu, sigma) - truncnorm.log_mass(low, high, mu, sigma))
    np.testing.assert_allclose(share, u, rtol=0, atol=1e-10)


def test_quantiles_start_and_end_at_the_cut():
    for mu, sigma, low, high in CASES[:-1]:
        ends = truncnorm.quantile([0.0, 1.0], mu, sigma, low, high)
        np.testing.assert_allclose(ends, [low, high], atol=1e-12)
        assert low <= ends[0]
        assert ends[1] <= high


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_an_interval_sixty_sigma_away_is_still_sampled(side):
    """There the tail is exponential with rate 60 up to 1 / 60**2, while cdf values are all 0 or 1."""
    low, high = (60.0, 61.0) if side > 0 else (-61.0, -60.0)
    x = truncnorm.sample(np.random.default_rng(0), 0.0, 1.0, low, high, size=20_000)
    assert x.min() >= low
    assert x.max() <= high
    excess = side * x - 60.0
    assert stats.kstest(excess * 60.0, stats.expon.cdf).pvalue > 1e-6


def test_arguments_broadcast_to_a_matrix_of_points_and_kernels():
    """Candidates down, kernels across; each cell equals its own scalar call."""
    x, mu, sigma = np.array([[0.1], [0.9]]), np.array([0.2, 0.5, 0.7]), np.array([0.1, 0.2, 0.3])
    matrix = truncnorm.log_pdf(x, mu, sigma, 0.0, 1.0)
    assert matrix.shape == (2, 3)
    assert matrix[1, 2] == truncnorm.log_pdf(0.9, 0.7, 0.3, 0.0, 1.0)


def test_samples_follow_the_distribution_of_each_kernel():
    """20,000 draws a kernel, Kolmogorov-Smirnov against scipy."""
    mu, sigma = np.array([0.1, 0.5, 1.5]), np.array([0.05, 0.3, 0.2])
    x = truncnorm.sample(np.random.default_rng(1), mu, sigma, 0.0, 1.0, size=(20_000, 3))
    for column, m, s in zip(x.T, mu, sigma):
        reference = stats.truncnorm((0.0 - m) / s, (1.0 - m) / s, m, s)
        assert stats.kstest(column, reference.cdf).pvalue > 1e-6


def test_sample_takes_the_shape_of_the_kernels_by_default():
    assert truncnorm.sample(np.random.default_rng(0), np.zeros((2, 3)), 1.0, -1.0, 1.0).shape == (2, 3)


def test_density_outside_the_cut_is_zero():
    assert truncnorm.log_pdf([-0.1, 1.1], 0.5, 1.0, 0.0, 1.0).tolist() == [-np.inf, -np.inf]
