"""Stop what is worse than the best trial on the same steps: for cross-validation folds and test instances.

Steps are repetitions here and not progress: step 3 is the fold, instance or seed number 3, for every trial. A trial is
compared with the best finished trial on the steps that both have, by the signed-rank test of Wilcoxon (1945,
"Individual comparisons by ranking methods", Biometrics Bulletin 1, 80-83). Pairing removes that some folds are harder
than others, so a few folds decide; by what the trial has already shown, and long before all of them are done.

The p-value is exact given the ranks, also with ties: all 2^n signs are equally likely under the hypothesis that the
trials are alike, and the distribution of the rank sum is a convolution. Only beyond `EXACT` steps it is the usual
normal approximation. A difference of zero counts half on each side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.prune.base import Verdict, check_count, is_number, register
from hpspace.prune.curves import Curve, Curves

#: Up to so many steps the distribution of the rank sum is computed; it then has at most 6,480 values.
EXACT = 80


@register("wilcoxon")
@dataclass(frozen=True)
class Wilcoxon:
    """Stop a trial that is significantly worse than the best finished one on the steps that both have reported.

    A trial whose mean over those steps is no worse than the best trial's is never stopped. Steps where either value is
    NaN are left out; infinite values are ranked as such.

    Parameters
    ----------
    p_threshold : float
        A trial is stopped when the one-sided p-value is below it, in (0, 1]. With n steps no p-value is below
        0.5 ** n, so the default decides after 4 steps at the earliest.
    startup_steps : int
        Common steps without which nothing is decided.

    Examples
    --------
    >>> from hpspace.prune.curves import curves_of
    >>> others = curves_of([[0.2, 0.4, 0.3, 0.1, 0.5]])
    >>> print(Wilcoxon().decide(Curve.of([0.3, 0.6, 0.6, 0.5]), others).reason)
    step 3: p = 0.0625 that it is no worse than trial 0 on 4 common steps, where means are 0.5 and 0.25
    """

    p_threshold: float = 0.1
    startup_steps: int = 2

    def __post_init__(self) -> None:
        if not (is_number(self.p_threshold) and 0 < self.p_threshold <= 1):
            raise ValueError(f"Wilcoxon: p_threshold={self.p_threshold!r} must be a number in (0, 1]")
        check_count("Wilcoxon", "startup_steps", self.startup_steps, 1)

    def decide(self, curve: Curve, others: Curves) -> Verdict:
        """Answer whether the trial should stop; see `hpspace.prune.base.Pruner`."""
        best = others.best()
        if best is None:
            return Verdict(False, f"step {curve.step}: no finished trial to be compared with")
        mine, theirs = _paired(curve, best)
        n = len(mine)
        if n < self.startup_steps:
            return Verdict(
                False, f"step {curve.step}: {n} of {self.startup_steps} steps in common with trial {best.tid}"
            )
        with np.errstate(invalid="ignore"):  # of infinities of both signs there is no mean: not worse
            means = float(np.mean(mine)), float(np.mean(theirs))
        where = f"on {n} common steps, where means are {curve.shown(means[0])} and {curve.shown(means[1])}"
        if not means[0] > means[1]:
            return Verdict(False, f"step {curve.step}: no worse than trial {best.tid} {where}")
        p = p_worse(_differences(mine, theirs))
        text = f"step {curve.step}: p = {p:.3g} that it is no worse than trial {best.tid} {where}"
        return Verdict(p < self.p_threshold, text)


def _paired(curve: Curve, best: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values of both at the steps where both have reported a number."""
    _, mine, theirs = np.intersect1d(curve.steps, best.steps, assume_unique=True, return_indices=True)
    a, b = curve.values[mine], best.values[theirs]
    known = (a == a) & (b == b)
    return a[known], b[known]


def _differences(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)  # equal infinities differ by nothing


def p_worse(differences: NDArray[np.float64]) -> float:
    """Return the probability of a rank sum of positive differences as large as this one, if signs are random.

    Parameters
    ----------
    differences : float64 array, shape (n,)
        Without NaN.

    Returns
    -------
    float
        Small if the differences tend to be positive.

    Examples
    --------
    >>> p_worse(np.array([0.1, 0.2, 0.3, 0.4]))
    0.0625
    """
    size = np.abs(differences)
    doubled = _doubled_ranks(size)  # integers, also with ties
    counted = doubled[size > 0]
    positive = int(doubled[differences > 0].sum())
    if len(counted) == 0:
        return 1.0
    if len(differences) > EXACT:
        return _normal_tail(positive, counted)
    # Zeros take up the lowest ranks and add the same to both sides, so they shift the sum and its distribution alike.
    ways = np.ones(1)  # ways[s] / 2**n: probability that the doubled ranks with sign + sum to s
    for rank in counted.tolist():
        grown = np.zeros(len(ways) + rank)
        grown[: len(ways)] += 0.5 * ways
        grown[rank:] += 0.5 * ways
        ways = grown
    return float(min(1.0, ways[positive:].sum()))


def _doubled_ranks(size: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return twice the mid ranks."""
    _, inverse, counts = np.unique(size, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (2 * last - counts + 1)[inverse]


def _normal_tail(positive: int, counted: NDArray[np.int64]) -> float:
    mean = 0.5 * float(counted.sum())
    spread = 0.5 * math.sqrt(float((counted.astype(np.float64) ** 2).sum()))  # each sign has variance 1/4
    return 0.5 * math.erfc((positive - mean) / (spread * math.sqrt(2.0)))
