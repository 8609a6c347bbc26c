"""Acquisition criteria: how much better than a threshold an uncertain prediction may be.

Stand-alone criteria for models that predict a Gaussian, in the *maximisation* convention: an improvement is
what lies above the threshold (for losses, negate mean and threshold). Not an algorithm and not used by one
here; Hyperopt offers them as ``hyperopt.criteria`` and people build their own searches from them. All
broadcast over arrays.

Source: Jones, Schonlau & Welch (1998), "Efficient Global Optimization of Expensive Black-Box Functions", eq.
(15), with s = (mean - thresh) / sigma:  EI = sigma * h(s),  h(s) = s * Phi(s) + phi(s).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpspace.dists.normal import erfcx, ndtr

FloatArray = NDArray[np.float64]

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_SQRT_HALF_PI = math.sqrt(0.5 * math.pi)

#: Below this s, h(s) is a small difference of large numbers and the log form is used instead.
_LOW = -1.0

#: Below this s the log form too loses digits (about s**2 * 1e-16 of them) and its asymptotic series, whose
#: neglected term is 945 / s**8, is better.
_VERY_LOW = -100.0


def EI_empirical(samples: ArrayLike, thresh: float) -> float:
    """Return the mean improvement over a threshold among samples.

    Parameters
    ----------
    samples : array_like of float
        Draws of the predicted quantity.
    thresh : float
        What counts as no improvement.

    Returns
    -------
    float
        ``mean(max(samples - thresh, 0))``.

    Examples
    --------
    >>> EI_empirical([1.0, 2.0, 5.0], thresh=2.0)
    1.0
    """
    return float(np.maximum(np.subtract(samples, thresh), 0.0).mean())


def EI_gaussian_empirical(mean: float, var: float, thresh: float, rng: Any, N: int) -> float:
    """Return the expected improvement of a Gaussian, estimated from draws.

    Parameters
    ----------
    mean, var : float
        Mean and variance.
    thresh : float
        What counts as no improvement.
    rng : numpy.random.Generator or RandomState
        Source of randomness.
    N : int
        Number of draws.

    Returns
    -------
    float
        The estimate; its standard error falls as ``1 / sqrt(N)``.
    """
    return EI_empirical(rng.standard_normal(N) * math.sqrt(var) + mean, thresh)


def EI_gaussian(mean: ArrayLike, var: ArrayLike, thresh: ArrayLike) -> FloatArray:
    """Return the expected improvement of Gaussians.

    Parameters
    ----------
    mean, var : array_like of float
        Means and variances; a variance of 0 is a certain prediction.
    thresh : array_like of float
        What counts as no improvement.

    Returns
    -------
    ndarray of float64
        Expected improvements, at least 0.

    Examples
    --------
    >>> EI_gaussian(0.0, 1.0, [0.0, 1.0]).round(4).tolist()
    [0.3989, 0.0833]
    """
    return np.exp(logEI_gaussian(mean, var, thresh))


def logEI_gaussian(mean: ArrayLike, var: ArrayLike, thresh: ArrayLike) -> FloatArray:
    """Return the log expected improvement of Gaussians, finite where the improvement underflows.

    Parameters
    ----------
    mean, var : array_like of float
        Means and variances; a variance of 0 is a certain prediction.
    thresh : array_like of float
        What counts as no improvement.

    Returns
    -------
    ndarray of float64
        Natural logarithms; -inf only for certain predictions that do not improve.

    Notes
    -----
    ``log h(s)`` in three ranges. s > -1: as written. Below: ``log phi(s) + log(1 - |s| M(|s|))`` with Mills'
    ratio M(t) = sqrt(pi/2) erfcx(t / sqrt(2)). Below -100: ``1 - t M(t) = t**-2 - 3 t**-4 + 15 t**-6 - 105
    t**-8 ...`` (Abramowitz & Stegun 26.2.12).

    Examples
    --------
    >>> logEI_gaussian(0.0, 1.0, [0.0, 5000.0]).round(4).tolist()
    [-0.9189, -12500017.9533]
    """
    gain, sigma = np.subtract(mean, thresh, dtype=np.float64), np.sqrt(np.asarray(var, dtype=np.float64))
    certain = sigma == 0
    spread = np.where(certain, 1.0, sigma)
    uncertain_log = np.log(spread) + _log_h(gain / spread)
    certain_log = np.where(gain > 0, np.log(np.where(gain > 0, gain, 1.0)), -np.inf)
    return np.asarray(np.where(certain, certain_log, uncertain_log))[()]


def _log_h(s: FloatArray) -> FloatArray:
    """Return log(s * Phi(s) + phi(s)), each range evaluated on numbers of its own."""
    high, low, very_low = np.maximum(s, _LOW), np.clip(s, _VERY_LOW, _LOW), np.minimum(s, _VERY_LOW)
    as_written = np.log(high * ndtr(high) + np.exp(-0.5 * high * high - _LOG_SQRT_2PI))
    by_mills = np.log1p(low * _SQRT_HALF_PI * erfcx(-low / math.sqrt(2.0)))
    w = very_low**-2.0
    by_series = np.log(w) + np.log1p(w * (-3.0 + w * (15.0 - 105.0 * w)))
    log_phi = -0.5 * s * s - _LOG_SQRT_2PI
    return np.where(s > _LOW, as_written, log_phi + np.where(s > _VERY_LOW, by_mills, by_series))


def UCB(mean: ArrayLike, var: ArrayLike, zscore: ArrayLike) -> FloatArray:
    """Return the upper confidence bound of Gaussians.

    Parameters
    ----------
    mean, var : array_like of float
        Means and variances.
    zscore : array_like of float
        Standard deviations above the mean.

    Returns
    -------
    ndarray of float64
        ``mean + sqrt(var) * zscore``.

    Examples
    --------
    >>> UCB(1.0, 4.0, 2.0).item()
    5.0
    """
    return np.asarray(np.add(mean, np.sqrt(var) * np.asarray(zscore)))[()]
