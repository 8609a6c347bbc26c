"""Normal distributions cut to an interval, many at a time: the kernels of which TPE's mixtures are made.

Every function broadcasts over its arguments, so a column of kernels against a row of points gives the matrix
of both. Nothing is rejected and redrawn, and nothing underflows where the interval lies far in a tail: masses
are differences of the smaller tail, quantiles are taken on the log scale.

The density is phi((x - mu) / sigma) / (sigma * Z) on [low, high] with Z = Phi((high - mu) / sigma) -
Phi((low - mu) / sigma), and 0 elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hpspace.dists.normal import log_ndtr, ndtri_exp
from hpspace.dists.special import FloatArray, log_gauss_density, log_gauss_mass


def _standard(x: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> FloatArray:
    return np.asarray(np.subtract(x, mu) / np.asarray(sigma, dtype=np.float64))


def log_mass(low: ArrayLike, high: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> FloatArray:
    """Return the log probability that a normal variable falls between two points.

    Parameters
    ----------
    low, high : array_like of float
        Ends of the intervals, ``low <= high``; may be infinite.
    mu, sigma : array_like of float
        Means and standard deviations, ``sigma > 0``.

    Returns
    -------
    ndarray of float64
        log Z, of the common shape of the arguments.
    """
    return log_gauss_mass(_standard(low, mu, sigma), _standard(high, mu, sigma))


def log_pdf(x: ArrayLike, mu: ArrayLike, sigma: ArrayLike, low: ArrayLike, high: ArrayLike) -> FloatArray:
    """Return the log density of truncated normal distributions.

    Parameters
    ----------
    x : array_like of float
        Points.
    mu, sigma : array_like of float
        Means and standard deviations before the cut, ``sigma > 0``.
    low, high : array_like of float
        The cut, ``low < high``; may be infinite.

    Returns
    -------
    ndarray of float64
        Log densities; -inf outside ``[low, high]``.

    Examples
    --------
    >>> log_pdf([0.5, 2.0], mu=0.5, sigma=100.0, low=0.0, high=1.0).round(3).tolist()  # almost uniform
    [0.0, -inf]
    """
    density = log_gauss_density(_standard(x, mu, sigma)) - np.log(sigma) - log_mass(low, high, mu, sigma)
    return np.where(np.greater_equal(x, low) & np.less_equal(x, high), density, -np.inf)


def quantile(u: ArrayLike, mu: ArrayLike, sigma: ArrayLike, low: ArrayLike, high: ArrayLike) -> FloatArray:
    """Return the quantiles of truncated normal distributions.

    Parameters
    ----------
    u : array_like of float
        Probabilities from 0 to 1.
    mu, sigma : array_like of float
        Means and standard deviations before the cut, ``sigma > 0``.
    low, high : array_like of float
        The cut, ``low < high``; finite.

    Returns
    -------
    ndarray of float64
        Points of ``[low, high]``.

    Notes
    -----
    Phi(z) = (1 - u) Phi(a) + u Phi(b) is solved for z as a sum of logarithms. An interval mostly on the right
    is mirrored first, so that Phi is the smaller tail.

    Examples
    --------
    >>> quantile([0.0, 0.5, 1.0], mu=0.0, sigma=1.0, low=-1.0, high=1.0).round(9).tolist()
    [-1.0, 0.0, 1.0]
    """
    a, b = _standard(low, mu, sigma), _standard(high, mu, sigma)
    mirror = a > -b
    left, right = np.where(mirror, -b, a), np.where(mirror, -a, b)
    share = np.where(mirror, np.subtract(1.0, u), u)
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant: that end has no share
        parts = np.log1p(-share) + log_ndtr(left), np.log(share) + log_ndtr(right)
    z = ndtri_exp(np.logaddexp(*parts))
    x = np.asarray(mu) + np.asarray(sigma) * np.where(mirror, -z, z)
    return np.asarray(np.minimum(np.maximum(x, low), high))


def sample(
    rng: np.random.Generator,
    mu: ArrayLike,
    sigma: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    size: int | tuple[int, ...] | None = None,
) -> FloatArray:
    """Draw from truncated normal distributions by inversion, one uniform number a draw.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mu, sigma, low, high : array_like of float
        As for `quantile`.
    size : int or tuple of int, optional
        Shape of the result; default: the common shape of the parameters.

    Returns
    -------
    ndarray of float64
        Points of ``[low, high]``.
    """
    shape = np.broadcast_shapes(*map(np.shape, (mu, sigma, low, high))) if size is None else size
    return quantile(rng.random(shape), mu, sigma, low, high)
