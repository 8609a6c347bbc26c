"""Losses as targets of a Gaussian process: finite, standardised, and tamed where losses are wild.

Two transforms are offered, and `algorithm` takes the one under which the process predicts left-out trials better:

* `clipped`: what lies further above the median than twice the distance from the median down to the best is moved
  there, so that hopeless trials do not flatten the rest;
* `copula`: the normal quantiles of the ranks, for losses that span orders of magnitude.

Both give mean 0 and variance 1, and keep the order. Shapes are (n,) throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpspace.dists.normal import ndtri

Vector = NDArray[np.float64]


def ranks(y: Vector) -> Vector:
    """Return the mid ranks of values, from 1 to n; equal values share their mean rank.

    Examples
    --------
    >>> ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(y, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - 0.5 * (counts - 1))[inverse], dtype=np.float64)


def standardised(y: Vector) -> Vector:
    """Return values with mean 0 and variance 1 (all 0 when they are equal)."""
    spread = float(y.std())
    return (y - y.mean()) / spread if spread > 0 else np.zeros_like(y)


def clipped(losses: Vector) -> Vector:
    """Return losses clipped far above the median, standardised; see the module's text."""
    half = np.maximum(losses, _lowest_finite(losses)) / 2  # so that no difference overflows
    middle, best = float(np.median(half)), float(half.min())
    with np.errstate(over="ignore"):
        return standardised(np.minimum((half - best) / max(middle - best, 1e-300), 3.0))


def copula(losses: Vector) -> Vector:
    """Return the normal quantiles of the losses' ranks, standardised."""
    return standardised(np.asarray(ndtri((ranks(losses) - 0.5) / len(losses))))


def _lowest_finite(losses: Vector) -> float:
    finite = losses[np.isfinite(losses)]
    return float(finite.min()) if len(finite) else 0.0


def rank_correlation(a: Vector, b: Vector) -> float:
    """Return Spearman's correlation of two vectors, 0 where it is not defined."""
    x, y = standardised(ranks(a)), standardised(ranks(b))
    return float(x @ y) / len(a)
