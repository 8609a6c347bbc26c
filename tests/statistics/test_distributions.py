"""Do the samples follow the distributions? 20,000 draws of each against scipy or against exact masses.

Seeds are fixed, so a pass repeats. On another seed a right sampler fails one of these tests with a
probability below `FALSE_ALARM`; at this sample size a Kolmogorov-Smirnov test notices a cdf that is wrong by
0.018 anywhere.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hpspace.dists import (
    BoundedFloat,
    BoundedInt,
    Categorical,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    RandInt,
    Uniform,
)

N = 20_000  # draws
FALSE_ALARM = 1e-6  # probability that a right sampler fails one test on a random seed

CONTINUOUS = [
    (Uniform(-2.0, 5.0), stats.uniform(-2.0, 7.0)),
    (LogUniform(-7.0, 1.0), stats.loguniform(math.exp(-7.0), math.exp(1.0))),
    (Normal(3.0, 0.5), stats.norm(3.0, 0.5)),
    (LogNormal(0.3, 1.5), stats.lognorm(1.5, scale=math.exp(0.3))),
    (BoundedFloat(-1.0, 1.0), stats.uniform(-1.0, 2.0)),
    (BoundedFloat(1e-4, 10.0, log=True), stats.loguniform(1e-4, 10.0)),
]


@pytest.mark.parametrize(("dist", "reference"), CONTINUOUS, ids=[repr(d) for d, _ in CONTINUOUS])
def test_continuous_samples_follow_scipy(dist, reference):
    values = dist.sample(np.random.default_rng(20240), N)
    assert stats.kstest(values, reference.cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize(("dist", "reference"), CONTINUOUS, ids=[repr(d) for d, _ in CONTINUOUS])
def test_moments_lie_within_five_standard_errors(dist, reference):
    """Of the latent coordinate, whose fourth moment exists for every distribution of the table."""
    z = dist.to_latent(dist.sample(np.random.default_rng(7), N))
    line = dist.latent
    spread = line.scale / math.sqrt(12.0) if math.isfinite(line.low) else line.scale
    kurtosis = 1.8 if math.isfinite(line.low) else 3.0
    assert abs(z.mean() - line.loc) < 5 * spread / math.sqrt(N)
    assert abs(z.var() - spread**2) < 5 * spread**2 * math.sqrt((kurtosis - 1) / N)


def uniform_masses(low, high, q):
    k = np.arange(math.floor(low / q) - 1, math.ceil(high / q) + 2)
    overlap = np.minimum(high, (k + 0.5) * q) - np.maximum(low, (k - 0.5) * q)
    return k * q, np.maximum(overlap, 0.0) / (high - low)


def cdf_masses(cdf, values, q):
    return values, cdf(values + q / 2) - cdf(values - q / 2)


DISCRETE = [
    (QUniform(0.0, 3.0, 1.0), *uniform_masses(0.0, 3.0, 1.0)),
    (QUniform(1.0, 10.0, 4.0), *uniform_masses(1.0, 10.0, 4.0)),
    (QUniform(-1.0, 1.0, 0.15), *uniform_masses(-1.0, 1.0, 0.15)),
    (
        QLogUniform(-1.0, 3.0, 1.0),
        *cdf_masses(stats.loguniform(math.exp(-1), math.exp(3)).cdf, np.arange(0, 22.0), 1.0),
    ),
    (QNormal(0.3, 2.0, 0.5), *cdf_masses(stats.norm(0.3, 2.0).cdf, np.arange(-25, 26) * 0.5, 0.5)),
    (
        QLogNormal(0.5, 1.0, 1.0),
        *cdf_masses(stats.lognorm(1.0, scale=math.exp(0.5)).cdf, np.arange(0, 200.0), 1.0),
    ),
    (RandInt(-3, 4), np.arange(-3, 4.0), np.full(7, 1 / 7)),
    (Ordinal(6), np.arange(6.0), np.full(6, 1 / 6)),
    (Categorical((0.1, 0.0, 0.6, 0.3)), np.arange(4.0), np.array([0.1, 0.0, 0.6, 0.3])),
    (BoundedInt(2, 11, step=3), np.array([2.0, 5.0, 8.0, 11.0]), np.full(4, 0.25)),
    (
        BoundedInt(1, 12, log=True),
        np.arange(1.0, 13.0),
        np.diff(np.log(np.arange(0.5, 13.0))) / math.log(25.0),
    ),
    (BoundedFloat(-1.0, 1.0, step=0.5), np.arange(-1.0, 1.1, 0.5), np.full(5, 0.2)),
]


@pytest.mark.parametrize(("dist", "values", "masses"), DISCRETE, ids=[repr(d) for d, _, _ in DISCRETE])
def test_frequencies_fit_the_exact_masses(dist, values, masses):
    """Chi-square over values with at least 5 expected draws, the rest in one cell. Nothing else is drawn."""
    drawn = dist.sample(np.random.default_rng(99), N)
    nearest = np.abs(drawn[:, None] - values[None, :]).argmin(axis=1)
    assert np.abs(drawn - values[nearest]).max() < 1e-9
    observed, expected = np.bincount(nearest, minlength=len(values)), masses * N
    assert (observed[masses == 0] == 0).all()
    large = expected >= 5
    cells = [*observed[large], observed[~large].sum()], [*expected[large], N - expected[large].sum()]
    keep = np.array(cells[1]) > 1e-6
    observed, expected = np.array(cells[0])[keep], np.array(cells[1])[keep]
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, len(expected) - 1) > FALSE_ALARM, list(zip(observed, expected))


def test_two_calls_are_independent():
    """Consecutive batches from one generator are uncorrelated within five standard errors."""
    rng = np.random.default_rng(3)
    first, second = Normal(0.0, 1.0).sample(rng, N), Normal(0.0, 1.0).sample(rng, N)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(N)
