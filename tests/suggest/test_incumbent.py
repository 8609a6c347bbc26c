"""What another trial is expected to gain where losses are noisy: beside draws, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace.suggest.criteria import logEI_gaussian
from hpspace.suggest.surrogate.incumbent import Incumbent


@pytest.mark.parametrize("seen, believed", [(-1.0, -1.0), (-2.0, 0.3), (0.5, 0.4)])
@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_the_gain_is_the_mean_over_draws_of_value_and_observation(seen, believed, noise):
    """400,000 draws: ``(believed - f) 1{y < seen}``, within five standard errors."""
    rng = np.random.default_rng(0)
    mean, variance = np.array([-1.5, -0.5, 0.2]), np.array([0.3, 1.0, 2.0])
    value = mean + np.sqrt(variance) * rng.standard_normal((400_000, 3))
    observed = value + np.sqrt(noise) * rng.standard_normal(value.shape)
    gain = (believed - value) * (observed < seen)
    expected, error = gain.mean(axis=0), gain.std(axis=0) / np.sqrt(len(gain))
    found = np.exp(Incumbent(seen, believed, noise).log_gain(mean, variance))
    useful = expected > 5 * error
    assert useful.any()
    assert (abs(found - expected) < 5 * error)[useful].all()


def test_without_noise_it_is_the_expected_improvement():
    mean, variance = np.array([-2.0, 0.0, 3.0, 30.0]), np.array([1.0, 0.5, 1e-2, 1.0])
    found = Incumbent(seen=-0.5, mean=-0.5, noise=0.0).log_gain(mean, variance)
    np.testing.assert_allclose(found[:2], logEI_gaussian(-mean, variance, 0.5)[:2], rtol=1e-9)
    np.testing.assert_allclose(found[2:], logEI_gaussian(-mean, variance, 0.5)[2:], rtol=1e-2)


def test_a_lucky_incumbent_is_replaced_by_what_is_believed_to_be_good():
    """The point of lower mean wins, though the other one's uncertainty makes an improvement on the mean likelier."""
    incumbent = Incumbent(seen=-3.0, mean=0.5, noise=1.0)
    good, uncertain = incumbent.log_gain(np.array([-1.0, 0.4]), np.array([0.01, 0.1]))
    assert good > uncertain


def test_points_that_would_do_harm_are_last_and_still_in_order():
    incumbent = Incumbent(seen=-1.0, mean=-1.0, noise=0.5)
    helps, little, much = incumbent.log_gain(np.array([-1.2, -0.5, 2.0]), np.full(3, 1e-4))
    assert helps > little > much
    assert np.isfinite([helps, little, much]).all()


def test_it_is_finite_however_far_and_certain_the_points_are():
    mean = np.array([-1e6, -10.0, 0.0, 10.0, 1e6])
    for noise in (0.0, 1e-4, 1.0):
        for variance in (1e-12, 1.0):
            found = Incumbent(0.0, 0.1, noise).log_gain(mean, np.full(5, variance))
            assert np.isfinite(found).all(), (noise, variance, found)
