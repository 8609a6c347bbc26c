"""Adaptive TPE (atpe): every proposal comes from tpe or from a Gaussian process, as the problem asks for.

The two fail differently. tpe models where good trials are, copes with branches, wide choices and many parameters, and
costs next to nothing; its own trend of the losses (`hpspace.suggest.tpe.trend`) has one length scale for all
parameters. The process here has one for each, finds its proposals by a search of their own, and finishes smooth
problems that tpe only approaches; but it needs trials to learn from, so the first `n_startup_jobs` are tpe's. From
then on they take turns, and the process gets the more turns the better it predicts: the rank correlation of its
leave-one-out predictions with the losses is the sensed quality (a dense signal, where improvements would be too few
to learn from). Each also sees the other's trials, so neither is led astray for long.

The idea of adapting tpe to statistics of the problem is ElectricBrain's, in Hyperopt's atpe; design, models and code
are our own. Nothing is kept between calls but a cache of fits, a pure function of the history.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.history import OK, PENDING, History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.atpe import acquire
from hpspace.suggest.atpe.acquire import Candidates
from hpspace.suggest.base import register, unseen
from hpspace.suggest.surrogate import gp, targets
from hpspace.suggest.surrogate.features import Matrix, distances, features
from hpspace.suggest.tpe.algorithm import TPE
from hpspace.suggest.tpe.choose import unseen_rows

#: The process sees at most this many trials: the best half and the latest half.
MAX_TRIALS = 200
#: With more active parameters than this the process is left out.
MAX_PARAMETERS = 60
#: Iterations of each fit.
ITERATIONS = 30


@dataclass(frozen=True)
class Fit:
    """A fitted process.

    Parameters
    ----------
    hyper : Hyper
        Hyperparameters.
    transform : str
        Name of the targets' transform, a function of `targets`.
    quality : float
        Rank correlation of leave-one-out predictions with the losses.
    """

    hyper: gp.Hyper
    transform: str
    quality: float


#: Fits of a history by what they were made from.
_FITS: WeakKeyDictionary[History, dict[bytes, Fit]] = WeakKeyDictionary()


@register("atpe")
@dataclass(frozen=True)
class ATPE:
    """tpe and a Gaussian process in turns, shared out by how well the process predicts.

    Parameters
    ----------
    n_startup_jobs : int
        Finished trials before the process is used.
    least, most : float
        Share of the proposals that the process makes when it predicts badly, and when it predicts well.
    tpe : TPE
        The other searcher.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> space = compile_space({"x": hp.uniform("x", -1, 1)})
    >>> history = History(space)
    >>> x = space.sample(0, 60).values
    >>> history.append(x, x[:, 0] ** 2, [OK] * 60)
    >>> batch = ATPE().propose(space, history, 2, np.random.default_rng(0))
    >>> bool((abs(batch.values) < 0.5).all())
    True
    """

    n_startup_jobs: int = 40
    least: float = 0.3
    most: float = 0.6
    tpe: TPE = field(default_factory=TPE)

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        finished = int(np.count_nonzero(history.kind != PENDING))
        if finished < max(self.n_startup_jobs, 3) or len(history.order) < 3 or not self._suits(space):
            return self.tpe.propose(space, history, n, rng)
        fit = fitted(space, history)
        modelled = int(np.count_nonzero(rng.random(n) < self.share(fit)))
        batch = self.tpe.propose(space, history, n - modelled, rng)
        if modelled:
            batch = Batch.concat([batch, self._modelled(space, history, fit, batch, modelled, rng)])
        return unseen(space, history, batch, n, rng)

    def share(self, fit: Fit) -> float:
        """Return the probability that a proposal comes from the process."""
        return min(max((fit.quality - 0.2) / 0.5, self.least), self.most)

    def _suits(self, space: CompiledSpace) -> bool:
        return 0 < len(space) <= 4 * MAX_PARAMETERS

    def _modelled(
        self, space: CompiledSpace, history: History, fit: Fit, others: Batch, n: int, rng: Generator
    ) -> Batch:
        """Propose n points by expected improvement, apart from pending trials and `others`."""
        process = posterior(space, history, fit)
        old = set() if history.allow_repeats else set(history.keys)
        waiting = [history.coords[history.pending], space.encode(others.values)]
        pending = np.concatenate(waiting)
        if len(pending):
            process = process.with_believed(features(pending, space.kinds == 2))
        old.update(space.keys(others.values))
        rows: list[Matrix] = []
        rest = unseen_rows(space, old)
        for _ in range(n):
            row = self._next(space, history, process, rest, old, rng)
            if row is None:
                break
            rows.append(row)
            old.update(space.keys(row))
            if len(rows) < n:
                process = process.with_believed(features(space.encode(row), space.kinds == 2))
        return Batch(space, np.concatenate(rows) if rows else np.empty((0, len(space))))

    def _next(
        self,
        space: CompiledSpace,
        history: History,
        process: gp.Posterior,
        rest: Matrix | None,
        old: set[bytes],
        rng: Generator,
    ) -> Matrix | None:
        """Return the next point, shape (1, D): of all that are left in a small space, else of candidates."""
        if rest is not None:
            seen = features(space.encode(rest), space.kinds == 2)
            return acquire.first_new(space, rest, acquire.log_gain(process, seen), old)
        return acquire.most_promising(space, process, self._candidates(space, history, rng), old, rng)

    def _candidates(self, space: CompiledSpace, history: History, rng: Generator) -> Candidates:
        best = acquire.filled(space, history.coords[history.order[: acquire.BEST]], rng)
        good, _ = self.tpe.densities(space, history)
        around = acquire.perturbed(space, np.repeat(best, acquire.AROUND, axis=0), rng)
        coords = [
            acquire.prior_coords(space, rng, acquire.PRIOR_DRAWS),
            around,
            good.sample(rng, self.tpe.candidates()),
        ]
        return Candidates.at(space, np.concatenate(coords))


def checkpoint(n: int) -> int:
    """Return how many trials the fit for n trials is made from, so that it serves several proposals.

    Examples
    --------
    >>> [checkpoint(n) for n in (3, 9, 30, 63, 100, 1000)]
    [3, 9, 28, 60, 96, 960]
    """
    step = 1 if n < 10 else 4 if n < 64 else 8 if n < 256 else 64
    return n - n % step


def fitted(space: CompiledSpace, history: History) -> Fit:
    """Return the process fitted to the history's trials up to the last checkpoint."""
    finished = np.flatnonzero(history.kind != PENDING)
    rows = finished[: checkpoint(len(finished))]
    key = history.losses[rows].tobytes() + history.kind[rows].tobytes()
    cache = _FITS.setdefault(history, {})
    if key not in cache:
        cache.clear()
        cache[key] = _fit(space, history, rows)
    return cache[key]


def _fit(space: CompiledSpace, history: History, rows: NDArray[np.intp]) -> Fit:
    choice = space.kinds == 2
    rows = _chosen(history, rows)
    x, losses = features(history.coords[rows], choice), _losses(history, rows)
    apart = distances(x, x, choice)
    fits = []
    for name in ("clipped", "copula"):
        y = getattr(targets, name)(losses)
        hyper = gp.fit(apart, y, gp.Hyper.typical(len(space)), ITERATIONS)
        left_out = gp.Posterior(x, y, choice, hyper).left_out()
        fits.append(Fit(hyper, name, targets.rank_correlation(left_out, y)))
    return max(fits, key=lambda fit: fit.quality)


def posterior(space: CompiledSpace, history: History, fit: Fit) -> gp.Posterior:
    """Return the process given all finished trials."""
    rows = _chosen(history, np.flatnonzero(history.kind != PENDING))
    y = getattr(targets, fit.transform)(_losses(history, rows))
    return gp.Posterior(features(history.coords[rows], space.kinds == 2), y, space.kinds == 2, fit.hyper)


def _chosen(history: History, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return at most `MAX_TRIALS` of the rows: the best half and the latest of the others, in order."""
    if len(rows) <= MAX_TRIALS:
        return rows
    losses = _losses(history, rows)
    order = np.argsort(losses, kind="stable")
    best, others = order[: MAX_TRIALS // 2], np.sort(order[MAX_TRIALS // 2 :])
    chosen: NDArray[np.intp] = rows[
        np.sort(np.concatenate([best, others[-(MAX_TRIALS - MAX_TRIALS // 2) :]]))
    ]
    return chosen


def _losses(history: History, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the losses of rows; a failed or pruned trial counts as the worst loss of all that are known."""
    losses = history.losses[rows]
    ok = history.kind[rows] == OK
    worst = float(losses[ok].max()) if ok.any() else 0.0
    return np.where(ok, losses, worst if math.isfinite(worst) else 0.0)
