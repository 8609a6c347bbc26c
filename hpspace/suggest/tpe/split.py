"""Which past trials count as good, which as bad, and how much each good one counts.

The tree-structured Parzen estimator models the good trials by one density and all others by another (Bergstra
et al. 2011, eq. 2). Good trials are finished ones with a comparable loss, the best first; only where there are too
few of them, the pruned ones that came furthest fill up, and weigh less. Everything else is bad news: worse trials,
other pruned ones, failed ones whatever their loss says, and pending ones, so that parallel proposals keep their
distance.

This module sees losses and positions only, neither parameters nor densities. Called by `tpe.algorithm`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.history import PENDING, History

#: No more than this many trials are good: beyond it the density of the good ones would only blur.
MAX_GOOD = 25

#: No weight exceeds this multiple of the mean weight, so that one extraordinary loss does not become the
#: model.
WEIGHT_CAP = 5.0


@dataclass(frozen=True)
class Split:
    """Positions of the good and the bad rows of a history.

    Parameters
    ----------
    good : int array, shape (g,)
        Rows of the good trials, best first.
    bad : int array, shape (b,)
        All other rows, in order of insertion.
    weights : float64 array, shape (g,)
        Weight of each good trial; their mean is 1.
    """

    good: NDArray[np.intp]
    bad: NDArray[np.intp]
    weights: NDArray[np.float64]


def tenth(finished: int) -> int:
    """Return how many of the finished trials are good: a tenth, at least 2 and at most 25.

    Linear in the number of trials, as Watanabe (2023, arXiv 2304.11127) recommends and Optuna does.

    Examples
    --------
    >>> [tenth(n) for n in (1, 10, 21, 100, 1000)]
    [2, 2, 3, 10, 25]
    """
    return min(MAX_GOOD, max(2, math.ceil(0.10 * finished)))


def root(gamma: float) -> Callable[[int], int]:
    """Return Hyperopt's rule: ``gamma * sqrt(n)`` of n trials are good, at most 25.

    Parameters
    ----------
    gamma : float
        The factor; Hyperopt's default is 0.25.

    Examples
    --------
    >>> [root(0.25)(n) for n in (20, 100, 1000)]
    [2, 3, 8]
    """
    return lambda finished: min(MAX_GOOD, math.ceil(gamma * math.sqrt(finished)))


def split(
    history: History,
    how_many: Callable[[int], int],
    weighted: bool,
    among: NDArray[np.bool_] | None = None,
) -> Split:
    """Divide a history into good and bad trials.

    Parameters
    ----------
    history : History
        The past trials. Nothing is good when no trial is OK or pruned.
    how_many : callable
        Number of good trials, given the number of finished ones (failed and pruned ones included).
    weighted : bool
        Whether good trials are weighted by their improvement; else they count alike.
    among : bool array, shape (n,), optional
        Which rows to divide, by default all; the others are in neither part.

    Returns
    -------
    Split
    """
    is_bad = np.ones(len(history), dtype=bool) if among is None else among.copy()
    order = history.ranked if among is None else history.ranked[among[history.ranked]]
    finished = int(np.count_nonzero(is_bad & (history.kind != PENDING)))
    n_good = min(len(order), max(1, how_many(finished)))
    good = order[:n_good]
    is_bad[good] = False
    weights = np.ones(n_good)
    if weighted and n_good > 1:
        weights = _weights(history.losses[order], n_good)
    return Split(good, np.flatnonzero(is_bad), weights)


def _weights(losses: NDArray[np.float64], n_good: int) -> NDArray[np.float64]:
    """Return the weights of the first `n_good` of ranked trials, from the losses of all, NaN for pruned ones.

    A pruned trial's loss is not known but taken to be worse than any. So where one is the best bad trial, the threshold
    lies beyond the worst loss by as much as losses are apart on average, and a good pruned trial halfway.
    """
    n_ok = int(np.count_nonzero(losses == losses))
    if n_good < n_ok or n_ok == len(losses):
        return improvement_weights(losses[:n_good], float(losses[min(n_good, n_ok - 1)]))
    if n_ok == 0:
        return np.ones(n_good)
    worst = float(losses[n_ok - 1])
    with np.errstate(over="ignore", invalid="ignore"):
        apart = (worst - float(losses[0])) / max(1, n_ok - 1)
    apart = apart if math.isfinite(apart) else 0.0
    known = np.where(losses == losses, losses, worst + apart / 2)
    return improvement_weights(known[:n_good], worst + apart)


def improvement_weights(losses: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Return weights proportional to how far each loss lies below the threshold.

    This makes the good density the one that expected improvement asks for: Watanabe 2023, section 3.3, eq.
    (9).

    Parameters
    ----------
    losses : float64 array, shape (g,)
        Losses of the good trials, ascending; minus infinity is allowed.
    threshold : float
        The best loss that is not good.

    Returns
    -------
    float64 array, shape (g,)
        Weights of mean 1, at most `WEIGHT_CAP` times the mean before rescaling; all 1 when the losses are
        equal.

    Examples
    --------
    >>> improvement_weights(np.array([1.0, 2.0]), 4.0).round(12).tolist()
    [1.2, 0.8]
    >>> improvement_weights(np.array([3.0, 3.0]), 3.0).tolist()
    [1.0, 1.0]
    """
    if np.isneginf(losses[0]):  # infinitely better: those share the weight
        gains = np.isneginf(losses).astype(np.float64) * (not np.isneginf(threshold))
    else:
        with np.errstate(over="ignore"):
            gains = threshold - losses
        if np.isinf(gains[0]):  # the difference overflows: halve first
            gains = threshold / 2 - losses / 2
    largest = float(gains[0])
    if not largest > 0:
        return np.ones(len(losses))
    capped = _capped(np.maximum(gains / largest, 1e-12))
    return capped / float(capped.mean())


def _capped(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower the largest of descending `weights` until none exceeds `WEIGHT_CAP` times the mean of the result."""
    n = len(weights)
    for k in range(
        math.ceil(n / WEIGHT_CAP)
    ):  # k weights are at the cap: cap * n == WEIGHT_CAP * (k * cap + rest)
        cap = WEIGHT_CAP * float(weights[k:].sum()) / (n - WEIGHT_CAP * k)
        if weights[k] <= cap:
            return np.minimum(weights, cap) if k else weights
    return np.ones(n)
