"""The model of Optuna 5's default `TPESampler`: joint where every trial has a parameter, single elsewhere.

Formulas: Watanabe 2023, "Tree-structured Parzen estimator" (arXiv 2304.11127), section 3, with the constants that
Optuna 5.0.0 uses:

* until `n_startup_jobs` trials are finished or pruned, draws from the prior; failed trials are not seen at all;
* of n finished and pruned trials the best ``min(ceil(gamma * n), 25)`` are good, pruned ones after all others; running
  trials are bad (`constant_liar`);
* parameters that every finished and pruned trial has are modelled jointly: kernel i is the product of trial i's
  kernels. Any other parameter, so every conditional one, is modelled alone by the trials that have it;
* a number: normal kernels, each cut to the line's bounds. Bandwidth: the larger gap to a neighbour; the two outermost
  trials have the inner gap only, a single trial the gaps to the bounds (which count for the outermost too with
  `consider_endpoints`). At least the line's width divided by ``min(100, n + 2)`` (`consider_magic_clip`), at most the
  width. The prior's kernel stands in the middle, as wide as the line;
* on a grid, a value has the mass of its bin;
* a code: ``(1[c = c_i] + prior_weight / (n + 1)) / (1 + K prior_weight / (n + 1))``; the prior's kernel is uniform;
* kernels weigh 1, those older than the latest `LF` linearly less, the prior's `prior_weight`;
* `n_EI_candidates` draws from the good density; the best ratio wins.

What differs from Optuna, on purpose: a space may hold what Optuna does not have. A normal distribution has no bounds:
its own mu and sigma are the prior's kernel and sigma takes the place of the width. Declared probabilities of options
take the place of ``1 / K``. Values that Hyperopt's distributions round have the bins that these give them. A parameter
whose bounds depend on others is modelled alone. Of equal values the older trial is the left neighbour (there: either).
Batches and repeats as `past` says.

Not here: kernels and mixtures. Axes: n trials, d jointly modelled parameters, D columns of the space.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.dists import Distribution
from hpspace.history import OK, PENDING, PRUNED, History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import register, unseen
from hpspace.suggest.tpe.algorithm import Explanation
from hpspace.suggest.tpe.published.kernels import (
    CodeKernels,
    Kernels,
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

#: Optuna's largest good set.
_MAX_GOOD = 25

#: Smallest bandwidth without the magic clip: Optuna's.
_EPS = 1e-12


@register("tpe-optuna5")
@dataclass(frozen=True)
class Optuna5:
    """Optuna 5's tree-structured Parzen estimator, to compare with.

    Parameters
    ----------
    prior_weight : float
        Weight of the prior's kernel, where a recent trial's is 1. Positive.
    n_startup_jobs : int
        Finished or pruned trials before the model is used (Optuna: ``n_startup_trials``).
    n_EI_candidates : int
        Candidates for each proposal (Optuna: ``n_ei_candidates``).
    gamma : float
        ``min(ceil(gamma * n), 25)`` of n trials are good. Positive.
    verbose : bool
        Whether to log the state of the search at level DEBUG.
    LF : int
        How many of the latest trials weigh 1; older ones weigh less. At least 1.
    multivariate : bool
        Whether to model jointly what every trial has. False is the default of Optuna before version 5.
    constant_liar : bool
        Whether running trials count as bad.
    consider_endpoints : bool
        Whether the bounds are neighbours of the outermost trials.
    consider_magic_clip : bool
        Whether bandwidths have a lower limit that falls with the number of trials.

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
    >>> batch = Optuna5().propose(space, history, 2, np.random.default_rng(0))
    >>> bool((abs(batch.values) < 0.5).all())
    True
    """

    prior_weight: float = 1.0
    n_startup_jobs: int = 10
    n_EI_candidates: int = 24  # noqa: N815 - Hyperopt's name
    gamma: float = 0.1
    verbose: bool = True
    LF: int = 25
    multivariate: bool = True
    constant_liar: bool = True
    consider_endpoints: bool = False
    consider_magic_clip: bool = True

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
                raise ValueError(f"tpe-optuna5: {name}={getattr(self, name)!r} must be {range_}")

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        if self.is_starting(history) or not len(space):
            return unseen(space, history, space.sample(rng, n), n, rng)

        def model(past: Past) -> _Draw:
            return _Draw(self, past, *self.split(past), rng)

        return in_turn(space, history, n, rng, model)

    def is_starting(self, history: History) -> bool:
        """Whether too few trials are finished for a model, so that proposals are draws from the prior."""
        return len(history.ranked) < self.n_startup_jobs

    def split(self, past: Past) -> tuple[Rows, Rows]:
        """Return the rows of the good and of the bad trials, each in order of age; failed ones are in neither."""
        ranked = past.history.ranked
        n_good = min(_MAX_GOOD, math.ceil(self.gamma * len(ranked)))
        bad = ranked[n_good:]
        if self.constant_liar:
            bad = np.concatenate([bad, np.flatnonzero(past.history.kind == PENDING), past.proposed])
        if self.verbose:
            logger.debug("tpe-optuna5: %d good and %d bad trials", n_good, len(bad))
        return np.sort(ranked[:n_good]), np.sort(bad)

    def joint_columns(self, past: Past) -> Rows:
        """Return the columns that are modelled jointly: those that every finished and pruned trial has."""
        done = np.isin(past.history.kind, (OK, PRUNED))
        if not self.multivariate or not done.any():
            return np.empty(0, dtype=np.intp)
        held = (~np.isnan(past.history.values[done])).all(axis=0)
        fixed = np.array([param.dist is not None for param in past.space.params])
        return np.flatnonzero(np.logical_and(held, fixed))

    def joint(self, past: Past, rows: Rows, columns: Rows) -> Mixture:
        """Return the joint density of some parameters.

        Parameters
        ----------
        past : Past
            What is known.
        rows : int array
            Which trials, oldest first; those that lack one of the parameters are passed over.
        columns : int array, shape (d,)
            Which parameters; their distributions are fixed.

        Returns
        -------
        Mixture
            Of d parameters.
        """
        nothing = np.empty(0)
        dists = [distribution_of(past.space, int(column), nothing) for column in columns]
        table = np.column_stack([past.column(rows, int(c), dist) for c, dist in zip(columns, dists)])
        table = table[~np.isnan(table).any(axis=1)]
        kinds = [past.space.params[column].kind for column in columns]
        parameters = tuple(
            self._kernels(dist, kind == "choice", values) for dist, kind, values in zip(dists, kinds, table.T)
        )
        return Mixture(parameters, self._log_weights(len(table)))

    def mixture(self, past: Past, rows: Rows, column: int, dist: Distribution) -> Mixture:
        """Return the density of one parameter in some trials; see `Hyperopt03.mixture`."""
        values = past.column(rows, column, dist)
        values = values[values == values]
        kernels = self._kernels(dist, past.space.params[column].kind == "choice", values)
        return Mixture((kernels,), self._log_weights(len(values)))

    def _log_weights(self, n: int) -> Array:
        return np.append(np.log(forgetting_weights(n, self.LF)), math.log(self.prior_weight))

    def _kernels(self, dist: Distribution, is_code: bool, values: Array) -> Kernels:
        """Return the kernels of one parameter at the values (n,) of trials."""
        if is_code:
            return CodeKernels(dist, values, (dist.size or 1) * self.prior_weight / (len(values) + 1.0))
        line = line_of(dist)
        mu = dist.to_latent(values)
        sigma = self._bandwidths(mu, line.low, line.high, line.scale)
        return NumberKernels(dist, np.append(mu, line.loc), np.append(sigma, line.scale))

    def _bandwidths(self, mu: Array, low: float, high: float, width: float) -> Array:
        """Return the bandwidths of the kernels at places `mu` (n,) of a line; without bounds, `width` is sigma."""
        n = len(mu)
        order = np.argsort(mu, kind="stable")
        widths = np.empty(n)
        if n >= 2 and not self.consider_endpoints:
            widths[order] = inner_gaps(mu[order])
        else:
            widths[order] = inner_gaps(np.concatenate([[low], mu[order], [high]]))[1:-1]
        least = width / min(100.0, n + 2.0) if self.consider_magic_clip else _EPS
        return np.clip(widths, least, width)

    def explain(self, space: CompiledSpace, history: History, values: Array) -> Explanation:
        """Return why points are promising or not; see `hpspace.suggest.tpe.algorithm.TPE.explain`.

        Densities are per unit of the latent line; the joint ones are the product of the joint model's density and those
        of the parameters that are modelled alone.
        """
        past = Past.of(space, history)
        good, bad = self.split(past)
        columns = self.joint_columns(past)
        inside, outside = (log_marginals(past, rows, self.mixture, values) for rows in (good, bad))
        log_good, log_bad = (
            _log_whole(self, past, rows, columns, alone, values)
            for rows, alone in ((good, inside), (bad, outside))
        )
        return Explanation(
            good=history.ranked[: len(good)],
            bad=bad,
            weights=np.ones(len(good)),
            log_good=log_good,
            log_bad=log_bad,
            log_good_marginals=inside,
            log_bad_marginals=outside,
            log_improvement=None,
            score=log_good - log_bad,
        )


def _log_whole(
    algorithm: Optuna5, past: Past, rows: Rows, columns: Rows, alone: Array, values: Array
) -> Array:
    """Return the log density of whole points (c, D), given the marginal ones (c, D); shape (c,)."""
    log_density: Array = np.delete(alone, columns, axis=1).sum(axis=1)
    if len(columns):
        log_density += algorithm.joint(past, rows, columns).log_density(values[:, columns])
    return log_density


class _Draw:
    """Draws proposals from the model of one state of the search: the joint part, then the others, parents first."""

    def __init__(self, algorithm: Optuna5, past: Past, good: Rows, bad: Rows, rng: Generator) -> None:
        self.algorithm = algorithm
        self.past = past
        self.sides = good, bad
        self.rng = rng
        self.columns = algorithm.joint_columns(past)
        self.joint = [algorithm.joint(past, rows, self.columns) for rows in self.sides if len(self.columns)]

    def __call__(self) -> Array:
        """Return the raw values of a point, inactive ones included, shape (D,)."""
        row = np.full(len(self.past.space), np.nan)
        if self.joint:
            row[self.columns] = self._best(*self.joint)
        for column in np.setdiff1d(np.arange(len(row)), self.columns):
            dist = distribution_of(self.past.space, int(column), row)
            mixtures = [self.algorithm.mixture(self.past, rows, int(column), dist) for rows in self.sides]
            row[column] = self._best(*mixtures)[0]
        return row

    def _best(self, good: Mixture, bad: Mixture) -> Array:
        return best_of_draws(good, bad, self.algorithm.n_EI_candidates, self.rng)
