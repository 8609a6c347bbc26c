"""The standard normal distribution function and its kin, from scipy, loaded when first used.

Importing `scipy.special` costs nearly twice as much as importing numpy, and a program that only builds a space or
reads trials never needs it. So these five functions stand in for scipy's of the same names and import it when the first
of them is called.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@functools.cache
def _special() -> Any:
    """Return scipy's module; its stubs tell apart types that do not matter here."""
    from scipy import special

    return special


def ndtr(x: ArrayLike) -> FloatArray:
    """Return the standard normal cdf.

    Parameters
    ----------
    x : array_like of float

    Returns
    -------
    ndarray of float64

    Examples
    --------
    >>> float(ndtr(0.0))
    0.5
    """
    return _special().ndtr(x)  # type: ignore[no-any-return]


def ndtri(p: ArrayLike, out: FloatArray | None = None) -> FloatArray:
    """Return the standard normal quantiles of probabilities, in `out` if it is given."""
    return _special().ndtri(p, out=out)  # type: ignore[no-any-return]


def log_ndtr(x: ArrayLike) -> FloatArray:
    """Return the log of the standard normal cdf, exact in the left tail."""
    return _special().log_ndtr(x)  # type: ignore[no-any-return]


def ndtri_exp(log_p: ArrayLike) -> FloatArray:
    """Return the standard normal quantiles of log probabilities."""
    return _special().ndtri_exp(log_p)  # type: ignore[no-any-return]


def erfcx(x: ArrayLike) -> FloatArray:
    """Return the scaled complementary error function ``exp(x^2) erfc(x)``."""
    return _special().erfcx(x)  # type: ignore[no-any-return]
