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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpspace.history import PENDING, History

#: No more than this many trials are good: beyond it the density of the good ones would only blur.
MAX_GOOD = 25

#: No weight exceeds this multiple of the mean weight, so that one extraordinary loss does not become the
#: model.
WEIGHT_CAP = 5.0


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the good and the bad rows of a history.

    What follows from the good rows is computed when it is asked for: who keeps it compares `key`.

    Parameters
    ----------
    good : int array, shape (g,)
        Rows of the good trials, best first.
    others : bool array, shape (n,), or int
        Which rows are good or bad; the number of rows when all are.
    losses : float64 array
        Losses that the weights follow from, see `_weights`; None when good trials count alike.
    n_ok : int
        How many of the ranked trials have a loss.
    """

    good: NDArray[np.intp]
    others: NDArray[np.bool_] | int
    losses: NDArray[np.float64] | None
    n_ok: int

    @property
    def key(self) -> bytes:
        """Equal for splits with the same good rows and weights of one history."""
        losses = b"" if self.losses is None else self.losses.tobytes()
        return b"%d %d " % (len(self.good), self.n_ok <= len(self.good)) + self.good.tobytes() + losses

    @property
    def n_bad(self) -> int:
        """Number of bad rows."""
        whole = self.others if isinstance(self.others, int) else int(np.count_nonzero(self.others))
        return whole - len(self.good)

    @cached_property
    def bad(self) -> NDArray[np.intp]:
        """All other rows, in order of insertion, shape (b,)."""
        is_bad = np.ones(self.others, dtype=bool) if isinstance(self.others, int) else self.others.copy()
        is_bad[self.good] = False
        return np.flatnonzero(is_bad)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each good trial, shape (g,); their mean is 1."""
        if self.losses is None or len(self.good) < 2:
            return np.ones(len(self.good))
        return _weights(self.losses, len(self.good), self.n_ok)


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
    order, n_ok = history.ranked, len(history.order)
    if among is None:
        whole: NDArray[np.bool_] | int = len(history)
        finished = history.finished
    else:
        whole, n_ok = among, int(np.count_nonzero(among[history.order]))
        order = order[among[order]]
        finished = int(np.count_nonzero(among & (history.kind != PENDING)))
    n_good = min(len(order), max(1, how_many(finished)))
    losses = history.losses.take(_compared(order, n_good, n_ok)) if weighted else None
    return Split(order[:n_good], whole, losses, n_ok if n_ok < len(order) else len(order) + 1)


def _compared(order: NDArray[np.intp], n_good: int, n_ok: int) -> NDArray[np.intp]:
    """Return the rows whose losses `_weights` wants: the good ones and, where any row has a loss, one more."""
    if n_good < n_ok:  # as a rule
        return order[: n_good + 1]
    # a pruned trial is next, or none: the worst loss
    return np.append(order[:n_good], order[max(0, n_ok - 1) : n_ok])


def _weights(losses: NDArray[np.float64], n_good: int, n_ok: int) -> NDArray[np.float64]:
    """Return the weights of the good trials, from their losses, NaN for pruned ones, and one more.

    That is the best bad trial's or, where there is none or it is a pruned one, the worst of all. A pruned trial's loss
    is not known but taken to be worse than any. So where one is the best bad trial, the threshold lies beyond the
    worst loss by as much as losses are apart on average, and a good pruned trial halfway.
    """
    good, last = losses[:n_good], float(losses[-1])
    if n_good < n_ok:
        return improvement_weights(good, last)
    if n_ok == 0:
        return np.ones(n_good)
    with np.errstate(over="ignore", invalid="ignore"):
        apart = (last - float(losses[0])) / max(1, n_ok - 1)
    apart = apart if math.isfinite(apart) else 0.0
    known = np.where(good == good, good, last + apart / 2)
    return improvement_weights(known, last + apart)


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
