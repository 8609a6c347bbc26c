"""The model of Hyperopt 0.3's `tpe.suggest`: every parameter on its own.

Formulas: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", section 4, with the constants that
Hyperopt 0.3.0 uses:

* until there are `n_startup_jobs` trials, of any state, draws from the prior;
* of N trials the best ``min(ceil(gamma * sqrt(N)), 25)`` are good; a failed or running trial has the loss +inf;
* a number: a normal kernel around every trial that has the parameter and one for the prior, which stands at the middle
  of the line with its whole width as bandwidth (normal distributions: their own mu and sigma). Bandwidth: the larger
  gap to a neighbour, where the prior's place is a neighbour like any other; with one trial, half the prior's. At least
  the prior's divided by ``min(100, n + 2)``, at most the prior's;
* the mixture as a whole is cut to the line's bounds; on a grid, values have the mass of their bin inside the bounds;
* a rounded log value of 0 counts as 1e-12, and its bin starts there: half of the kernels at 0 are lost;
* a code: counts of the trials plus ``prior_weight * K * p_k``;
* counts and kernels weigh 1, those older than the latest `LF` linearly less;
* `n_EI_candidates` draws from the good density; the best ratio wins, parameter by parameter.

What differs from Hyperopt, on purpose: equal losses, and equal values, rank by age (there: in any order); failed trials
have no loss even if they report one; `hp.int`, `hp.ordinal` and `hp.float` with a step, which Hyperopt does not have,
are grids whose end values have whole bins; batches and repeats as `past` says.

Not here: kernels and mixtures. Axes: n trials that have a parameter, D columns of the space.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.dists import Distribution
from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import register, unseen
from hpspace.suggest.tpe.algorithm import Explanation
from hpspace.suggest.tpe.published.kernels import (
    CodeKernels,
    Mixture,
    NumberKernels,
    best_of_draws,
    line_of,
)
from hpspace.suggest.tpe.published.past import (
    Past,
    Rows,
    distribution_of,
    forgetting_weights,
    in_turn,
    inner_gaps,
    log_marginals,
)

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: Hyperopt's largest good set.
_MAX_GOOD = 25

#: Hyperopt takes no logarithm of anything smaller: a rounded log value can be 0.
_EPS = 1e-12


@register("tpe-hyperopt03")
@dataclass(frozen=True)
class Hyperopt03:
    """Hyperopt 0.3's tree-structured Parzen estimator, to compare with.

    Parameters
    ----------
    prior_weight : float
        Weight of the prior's kernel, where a recent trial's is 1. Positive.
    n_startup_jobs : int
        Trials, of any state, before the model is used.
    n_EI_candidates : int
        Candidates for each parameter.
    gamma : float
        ``min(ceil(gamma * sqrt(N)), 25)`` of N trials are good. Positive.
    verbose : bool
        Whether to log the state of the search at level DEBUG.
    LF : int
        How many of the latest trials weigh 1 ("linear forgetting"); older ones weigh less. At least 1.

    Raises
    ------
    ValueError
        For a parameter out of its range.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> from hpspace.history import OK
    >>> space = compile_space({"x": hp.uniform("x", -1, 1)})
    >>> history = History(space)
    >>> x = space.sample(0, 30).values
    >>> history.append(x, x[:, 0] ** 2, [OK] * 30)
    >>> batch = Hyperopt03().propose(space, history, 2, np.random.default_rng(0))
    >>> bool((abs(batch.values) < 0.5).all())
    True
    """

    prior_weight: float = 1.0
    n_startup_jobs: int = 20
    n_EI_candidates: int = 24  # noqa: N815 - Hyperopt's name
    gamma: float = 0.25
    verbose: bool = True
    LF: int = 25

    def __post_init__(self) -> None:
        rules = (
            ("prior_weight", self.prior_weight > 0, "positive"),
            ("n_startup_jobs", self.n_startup_jobs >= 0, "at least 0"),
            ("n_EI_candidates", self.n_EI_candidates >= 1, "at least 1"),
            ("gamma", self.gamma > 0, "positive"),
            ("LF", self.LF >= 1, "at least 1"),
        )
        for name, holds, range_ in rules:
            if not holds:
                raise ValueError(f"tpe-hyperopt03: {name}={getattr(self, name)!r} must be {range_}")

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        if self.is_starting(history) or not len(space):
            return unseen(space, history, space.sample(rng, n), n, rng)

        def model(past: Past) -> _Draw:
            return _Draw(self, past, *self.split(past), rng)

        return in_turn(space, history, n, rng, model)

    def is_starting(self, history: History) -> bool:
        """Whether too few trials are known for a model, so that proposals are draws from the prior."""
        return len(history) < self.n_startup_jobs

    def split(self, past: Past) -> tuple[Rows, Rows]:
        """Return the rows of the good and of the bad trials, each in order of age."""
        order = past.history.order
        others = np.setdiff1d(np.arange(past.n), order)
        n_good = min(_MAX_GOOD, math.ceil(self.gamma * math.sqrt(past.n)))
        by_loss = np.concatenate([order, others])
        if self.verbose:
            logger.debug("tpe-hyperopt03: %d good and %d bad trials", n_good, past.n - n_good)
        return np.sort(by_loss[:n_good]), np.sort(by_loss[n_good:])

    def mixture(self, past: Past, rows: Rows, column: int, dist: Distribution) -> Mixture:
        """Return the density of one parameter in some trials.

        Parameters
        ----------
        past : Past
            What is known.
        rows : int array
            Which trials, oldest first; those without the parameter are passed over.
        column : int
            Which parameter.
        dist : Distribution
            Its distribution.

        Returns
        -------
        Mixture
            Of one parameter.
        """
        values = past.column(rows, column, dist)
        values = values[values == values]
        weights = np.log(forgetting_weights(len(values), self.LF))
        if _is_code(past.space, column):
            prior = self.prior_weight * (dist.size or 1)  # K kernels' worth: prior_weight each, p_k alike
            return Mixture((CodeKernels(dist, values, 0.0),), np.append(weights, math.log(prior)))
        line = line_of(dist)
        mu = _places(dist, values)
        sigma = bandwidths(mu, line.loc, line.scale)
        least = math.log(_EPS) if dist.is_log else -math.inf
        kernels = NumberKernels(dist, np.append(mu, line.loc), np.append(sigma, line.scale), least)
        # Cutting the mixture as a whole is cutting each kernel and weighting it by what was inside.
        return Mixture((kernels,), np.append(weights, math.log(self.prior_weight)) + kernels.log_inside())

    def explain(self, space: CompiledSpace, history: History, values: Array) -> Explanation:
        """Return why points are promising or not; see `hpspace.suggest.tpe.algorithm.TPE.explain`.

        Densities are per unit of the latent line, and joint ones are the products of the marginals.
        """
        past = Past.of(space, history)
        good, bad = self.split(past)
        inside, outside = (log_marginals(past, rows, self.mixture, values) for rows in (good, bad))
        ranked = np.concatenate([history.order, np.setdiff1d(good, history.order)])[: len(good)]
        return Explanation(
            good=ranked,
            bad=bad,
            weights=np.ones(len(good)),
            log_good=inside.sum(axis=1),
            log_bad=outside.sum(axis=1),
            log_good_marginals=inside,
            log_bad_marginals=outside,
            log_improvement=None,
            score=(inside - outside).sum(axis=1),
        )


class _Draw:
    """Draws proposals from the model of one state of the search; parents come before what depends on them."""

    def __init__(self, algorithm: Hyperopt03, past: Past, good: Rows, bad: Rows, rng: Generator) -> None:
        self.algorithm = algorithm
        self.past = past
        self.sides = good, bad
        self.rng = rng
        self._fitted: dict[int, tuple[Mixture, Mixture]] = {}

    def __call__(self) -> Array:
        """Return the raw values of a point, inactive ones included, shape (D,)."""
        row = np.full(len(self.past.space), np.nan)
        for column in range(len(row)):
            good, bad = self._mixtures(column, row)
            row[column] = best_of_draws(good, bad, self.algorithm.n_EI_candidates, self.rng)[0]
        return row

    def _mixtures(self, column: int, row: Array) -> tuple[Mixture, Mixture]:
        if column in self._fitted:
            return self._fitted[column]
        dist = distribution_of(self.past.space, column, row)
        good, bad = (self.algorithm.mixture(self.past, rows, column, dist) for rows in self.sides)
        if self.past.space.params[column].dist is not None:
            self._fitted[column] = good, bad
        return good, bad


def _is_code(space: CompiledSpace, column: int) -> bool:
    """Whether Hyperopt counts the values of a parameter instead of placing them: choices, and randint."""
    param = space.params[column]
    return param.kind == "choice" or param.name == "randint"


def _places(dist: Distribution, values: Array) -> Array:
    """Return where Hyperopt puts values on the line: a rounded value may lie outside of the bounds."""
    return np.log(np.maximum(values, _EPS)) if dist.is_log else values


def bandwidths(mu: Array, prior_mu: float, prior_sigma: float) -> Array:
    """Return Hyperopt's bandwidths of the kernels at places `mu`.

    Parameters
    ----------
    mu : float64 array, shape (n,)
        Places on the line, in any order.
    prior_mu, prior_sigma : float
        Place and width of the prior's kernel.

    Returns
    -------
    float64 array, shape (n,)

    Examples
    --------
    >>> bandwidths(np.array([0.1, 0.7]), 0.5, 1.0).tolist()  # neighbours: 0.1, 0.5 (the prior), 0.7
    [0.4, 0.25]
    """
    n = len(mu)
    if n == 1:
        widths = np.array([0.5 * prior_sigma])
    else:
        places = np.append(prior_mu, mu)  # the prior first: of equal places it is the left one
        order = np.argsort(places, kind="stable")
        widths = np.empty(n + 1)
        widths[order] = inner_gaps(places[order]) if n else prior_sigma
        widths = widths[1:]
    clipped: Array = np.clip(widths, prior_sigma / min(100.0, n + 2.0), prior_sigma)
    return clipped
