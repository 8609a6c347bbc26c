"""Logarithms of small probabilities, computed so that they survive the tails.

A mass is the difference of two cdf values. Far from the mean both are 1.0 to the last bit on the right, and
two tiny numbers on the left; very close together their difference is rounding noise. Each function here takes
the form that keeps its digits in its range, and says where it switches. Not a collection of special
functions: only what the distributions of this package and the kernels of TPE need.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpspace.dists.normal import log_ndtr

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: log(sqrt(2 pi)), the normalising constant of the standard normal density.
LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)

#: Smallest positive number used in place of 0 under a logarithm.
TINY = 5e-324

#: Widths, in standard deviations, below which a mass is density times width. There the difference of two
#: log-cdfs has lost half its digits, while the neglected term of the Taylor series is below 1e-11.
_NARROW = 1e-5

#: Beyond this many standard deviations points are not told apart; keeps inf - inf out of the arithmetic.
_FARTHEST = 1e8


def log_diff_exp(larger: ArrayLike, smaller: ArrayLike) -> FloatArray:
    """Return ``log(exp(larger) - exp(smaller))`` without leaving the log scale.

    Parameters
    ----------
    larger, smaller : array_like of float
        Logarithms, ``larger >= smaller``; ``larger`` is finite, ``smaller`` may be ``-inf``.

    Returns
    -------
    ndarray of float64
        The logarithm of the difference; about -745 (the log of the smallest double) below `larger` where both
        are equal.

    Notes
    -----
    ``log(1 - exp(d))`` is computed as ``log(-expm1(d))`` (Mächler 2012, "Accurately computing log(1 -
    exp(-|a|))", eq. 4).

    Examples
    --------
    >>> float(log_diff_exp(np.log(3.0), np.log(1.0)).round(6))  # log(3 - 1)
    0.693147
    """
    larger = np.asarray(larger, dtype=np.float64)
    log_difference: FloatArray = larger + np.log(np.maximum(-np.expm1(np.subtract(smaller, larger)), TINY))
    return log_difference


def log_gauss_density(z: ArrayLike) -> FloatArray:
    """Return the log density of the standard normal distribution.

    Parameters
    ----------
    z : array_like of float
        Standardised points.

    Returns
    -------
    ndarray of float64
        ``-z**2 / 2 - log(sqrt(2 pi))``.
    """
    z = np.asarray(z, dtype=np.float64)
    return np.asarray(-0.5 * z * z - LOG_SQRT_2PI)


def log_gauss_mass(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return the log of the standard normal mass of the interval from `a` to `b`.

    Parameters
    ----------
    a, b : array_like of float
        Lower and upper ends in standard deviations, ``a <= b``; may be infinite.

    Returns
    -------
    ndarray of float64
        ``log(Phi(b) - Phi(a))``, correct to about 1e-11 of the mass also at 9 and more standard deviations.

    Notes
    -----
    An interval that lies mostly on the right is mirrored, so that two values of the *smaller* tail are
    subtracted. Intervals narrower than 1e-5 use the density at their middle.

    Examples
    --------
    >>> float(log_gauss_mass(9.0, 9.5).round(4)) == float(log_gauss_mass(-9.5, -9.0).round(4))
    True
    """
    a = np.minimum(np.maximum(np.asarray(a, dtype=np.float64), -_FARTHEST), _FARTHEST)
    b = np.minimum(np.maximum(np.asarray(b, dtype=np.float64), -_FARTHEST), _FARTHEST)
    mirror = a > -b
    low, high = np.where(mirror, -b, a), np.where(mirror, -a, b)
    width, middle = high - low, 0.5 * (low + high)
    narrow = width * np.maximum(np.abs(middle), 1.0) < _NARROW
    by_density = np.log(np.maximum(width, TINY)) + log_gauss_density(middle)
    by_difference = log_diff_exp(log_ndtr(high), log_ndtr(low))
    return np.where(narrow, by_density, by_difference)
