"""What the losses themselves say, while trials are few: a small Gaussian process that joins the ratio of densities.

The densities of good and bad trials forget how good and how bad, which costs most while there are few of them. So up
to `TPE.trend_trials` trials a candidate's score is its log expected improvement under a Gaussian process, noise
considered (`surrogate.incumbent`), plus a fraction of its log density ratio. The process is as plain as one can be: a
Matern-5/2 kernel of the distance in prior quantiles, *one* length scale for all parameters, and length scale and noise
chosen from short lists by their likelihood. What it lacks, knowledge of which parameters matter and of branches, the
ratio has; and the candidates are the ratio's too.

k(x, x') = v m(w |x - x'|^2), with m as in `surrogate.gp`, w = 3 / (l^2 D) for D parameters: `l` is the length scale
of a space of three parameters. Options that differ count like numbers that differ by `sqrt(CHOICE_DISTANCE)`.
The variance v is at its likelihood's maximum, ``y' R^-1 y / n`` (Rasmussen & Williams 2006, eq. 5.8 with K = v R).

Called by `tpe.algorithm`. Axes: n trials, c candidates, D parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.linalg import cholesky, product, solve
from hpspace.suggest.surrogate import targets
from hpspace.suggest.surrogate.features import Matrix, features
from hpspace.suggest.surrogate.gp import correlation
from hpspace.suggest.surrogate.incumbent import Incumbent

Vector = NDArray[np.float64]

#: Length scales and noise variances (of a unit signal) among which the likelihood chooses.
LENGTHS = (0.3, 0.6, 1.2, 2.4)
NOISES = (1e-4, 1e-1, 0.5, 2.0)
#: Those where some trials failed: the step beside them is neither to be followed closely nor all noise.
NOISES_IF_FAILED = (1e-3, 1e-1, 0.5)

#: Squared distance of two different options.
CHOICE_DISTANCE = 0.15

#: With fewer finished trials there is nothing to see.
FEWEST = 5

#: Weight of the log density ratio beside the log expected improvement.
RATIO_WEIGHT = 0.3

#: The log of an expected improvement is cut here: far below, differences mean nothing.
_LOWEST = -60.0

_JITTER = 1e-8

#: Candidates that are scored at once.
_CHUNK = 1024


@dataclass(frozen=True)
class Kernel:
    """Length scale and noise of a process."""

    length: float
    noise: float


@dataclass(frozen=True, eq=False)
class Trend:
    """A Gaussian process given trials.

    Parameters
    ----------
    space : CompiledSpace
        What is searched.
    seen : float64 array, shape (n, D)
        Features of the trials.
    waiting : float64 array, shape (p, D)
        Features of the pending trials, around which less is expected.
    scale : float
        ``w`` of the module's text.
    lower : float64 array, shape (n, n)
        Cholesky factor of the correlations plus noise.
    alpha : float64 array, shape (n,)
        ``R^-1 y``.
    variance : float
        Variance of the signal.
    incumbent : Incumbent
        What is to be improved on.
    """

    space: CompiledSpace
    seen: Matrix
    waiting: Matrix
    scale: float
    lower: Matrix
    alpha: Vector
    variance: float
    incumbent: Incumbent

    @classmethod
    def of(cls, space: CompiledSpace, history: History, by_rank: bool = False) -> Trend | None:
        """Return the process of a history's finished trials.

        Parameters
        ----------
        space : CompiledSpace
            What is searched.
        history : History
            Its trials. Failed ones count as the worst loss that is known. Pruned ones are left to the ratio: as a
            plateau of worst losses they would bend the process around the good trials (measured: with them in, the
            regret on simulated learning curves is 3 to 10 times as large).
        by_rank : bool
            Whether only the order of the losses counts.

        Returns
        -------
        Trend or None
            None where too few trials are finished, or all of them with one loss.
        """
        rows = np.flatnonzero((history.kind != PENDING) & (history.kind != PRUNED))
        y = _targets(history, rows, by_rank)
        if y is None:
            return None
        kernel = chosen_kernel(space, history, rows, by_rank)
        seen = _features(space, history.coords[rows])
        scale = _scale(space, kernel.length)
        plain = correlation(scale * _squared(space, seen, seen))
        lower = _factor(plain, kernel.noise)
        whitened = solve(lower, y)
        alpha = solve(lower, whitened, transposed=True)
        variance = max(1e-12, float(whitened @ whitened) / len(y))
        noise = 0.0 if (history.kind[rows] == FAILED).any() else variance * kernel.noise
        return cls(
            space=space,
            seen=seen,
            waiting=_features(space, history.coords[history.pending]),
            scale=scale,
            lower=lower,
            alpha=alpha,
            variance=variance,
            incumbent=_incumbent(y, np.einsum("mn,n->m", plain, alpha), noise),
        )

    def features(self, values: Matrix) -> Matrix:
        """Return points as the process sees them, shape (c, D), given raw values (c, D), NaN where inactive."""
        return _features(self.space, self.space.encode(values))

    def scores(self, points: Matrix) -> Vector:
        """Return the log expected improvement at points, less where pending trials are near.

        Parameters
        ----------
        points : float64 array, shape (c, D)
            What `features` returns.

        Returns
        -------
        float64 array, shape (c,)
        """
        parts = [self._scores(points[i : i + _CHUNK]) for i in range(0, len(points), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _scores(self, points: Matrix) -> Vector:
        k = self._correlation(points, self.seen)  # (c, n)
        unexplained = solve(self.lower, k.T)
        left = np.maximum(1e-12, 1.0 - np.einsum("nc,nc->c", unexplained, unexplained))
        gain = self.incumbent.log_gain(np.einsum("cn,n->c", k, self.alpha), self.variance * left)
        score: Vector = np.maximum(gain, _LOWEST)
        for row in self.waiting:
            score += self.less_around(points, row)
        return score

    def less_around(self, points: Matrix, other: Vector) -> Vector:
        """Return what the scores of points lose because another one is evaluated now.

        With the process's correlation rho to it, the share ``rho^2`` of a point's variance will be known then: its
        log of the rest, which is at most 0.

        Parameters
        ----------
        points : float64 array, shape (c, D)
            What `features` returns.
        other : float64 array, shape (D,)
            The same of the other point.

        Returns
        -------
        float64 array, shape (c,)
        """
        rho = self._correlation(points, other[None, :])[:, 0]
        return np.asarray(np.log(np.maximum(1.0 - rho * rho, 1e-9)))

    def _correlation(self, a: Matrix, b: Matrix) -> Matrix:
        return correlation(self.scale * _squared(self.space, a, b))


def _incumbent(y: Vector, means: Vector, noise: float) -> Incumbent:
    """Return what is to be improved on: the trial of lowest loss, or without noise the best posterior mean.

    The border between trials that failed and others is a step, which a smooth process takes for noise. A good trial
    beside it is then believed to be poor, and proposals crowd around it on both sides (22 % of the last 40 of 100
    failed for 14 %, 25 seeds). So where trials failed noise is left out.
    """
    if not noise:
        return Incumbent(float(means.min()), float(means.min()), 0.0)
    first = int(y.argmin())
    return Incumbent(float(y[first]), float(means[first]), noise)


# ------------------------------------------------------------------------------------------------ the kernel

#: The kernel of each history by the losses that it was chosen from.
_CHOSEN: WeakKeyDictionary[History, tuple[tuple[bytes, bool], Kernel]] = WeakKeyDictionary()


def checkpoint(n: int) -> int:
    """Return how many of n trials the kernel is chosen from, so that a choice serves several proposals.

    Examples
    --------
    >>> [checkpoint(n) for n in (5, 19, 30, 63, 100)]
    [5, 19, 28, 60, 96]
    """
    step = 1 if n < 20 else 4 if n < 64 else 8
    return n - n % step


def chosen_kernel(
    space: CompiledSpace, history: History, rows: NDArray[np.intp], by_rank: bool = False
) -> Kernel:
    """Return the most likely kernel for trials up to the last checkpoint.

    Parameters
    ----------
    space, history
        The space and its trials.
    rows : int array
        Positions of the finished trials.
    by_rank : bool
        See `Trend.of`.

    Returns
    -------
    Kernel
        A pure function of the trials; the last answer for a history is kept.
    """
    first = rows[: checkpoint(len(rows))]
    key = history.losses[first].tobytes() + history.kind[first].tobytes() + first.tobytes(), by_rank
    known = _CHOSEN.get(history)
    if known is None or known[0] != key:
        known = _CHOSEN[history] = (key, _most_likely(space, history, first, by_rank))
    return known[1]


def _most_likely(space: CompiledSpace, history: History, rows: NDArray[np.intp], by_rank: bool) -> Kernel:
    y = _targets(history, rows, by_rank)
    if y is None:
        return Kernel(LENGTHS[1], NOISES[0])
    seen = _features(space, history.coords[rows])
    apart = _squared(space, seen, seen)
    noises = NOISES_IF_FAILED if (history.kind[rows] == FAILED).any() else NOISES
    found: list[tuple[float, Kernel]] = []
    for length in LENGTHS:
        plain = correlation(_scale(space, length) * apart)
        found += [(log_likelihood(plain, noise, y), Kernel(length, noise)) for noise in noises]
    return max(found, key=lambda pair: pair[0])[1]


def log_likelihood(plain: Matrix, noise: float, y: Vector) -> float:
    """Return the log likelihood of targets, up to a constant, with the signal's variance at its best value.

    Parameters
    ----------
    plain : float64 array, shape (n, n)
        Correlations.
    noise : float
        Noise variance of a unit signal.
    y : float64 array, shape (n,)
        Targets.

    Examples
    --------
    >>> far_apart, y = np.eye(2), np.array([1.0, -1.0])
    >>> round(log_likelihood(far_apart, 0.0, y), 6) + 0.0
    0.0
    """
    lower = _factor(plain, noise)
    whitened = solve(lower, y)
    variance = max(1e-12, float(whitened @ whitened) / len(y))
    return -0.5 * len(y) * math.log(variance) - float(np.log(np.diag(lower)).sum())


def _targets(history: History, rows: NDArray[np.intp], by_rank: bool) -> Vector | None:
    """Return the standardised losses of finished trials, None if they say nothing."""
    ok = history.kind[rows] == OK
    if len(rows) < FEWEST or not ok.any():
        return None
    losses = history.losses[rows]
    transform = targets.copula if by_rank else targets.clipped
    y = transform(np.where(ok, losses, losses[ok].max()))
    return y if y.any() else None


def _features(space: CompiledSpace, coords: Matrix) -> Matrix:
    return features(coords, space.kinds == 2)


def _scale(space: CompiledSpace, length: float) -> float:
    return 3.0 / (length * length * len(space))


def _squared(space: CompiledSpace, a: Matrix, b: Matrix) -> Matrix:
    """Return the squared distances of features (n, D) and (m, D), shape (n, m)."""
    choice = space.kinds == 2
    x, y = a[:, ~choice], b[:, ~choice]
    apart = np.einsum("nd,nd->n", x, x)[:, None] + np.einsum("md,md->m", y, y) - 2.0 * product(x, y.T)
    np.maximum(apart, 0.0, out=apart)
    for column in np.flatnonzero(choice):
        apart += CHOICE_DISTANCE * (a[:, column, None] != b[:, column])
    return np.asarray(apart)


def _factor(plain: Matrix, noise: float) -> Matrix:
    noisy = plain.copy()
    noisy.flat[:: len(plain) + 1] += noise + _JITTER
    return cholesky(noisy)
