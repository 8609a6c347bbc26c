"""The tree-structured Parzen estimator (TPE), the default algorithm.

After a few trials from the prior, every proposal is the most promising of some candidates: points drawn from
a density of the good trials, ranked by that density's ratio to the density of all others. The parts are in
their own modules: `split` (which trials are good), `parzen` (the densities), `score` (the ratio), `startup`
(the first trials).

It differs from the original (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization") and from
Hyperopt's in that whole points are modelled jointly along their active path, good trials are weighted by
their improvement (Watanabe 2023), failed trials repel, no point is proposed twice, and everything happens in
prior quantiles, so that every distribution, also one whose bounds depend on other parameters, is handled
alike.

Nothing is kept between calls but the layout of a space's columns, a pure function of the space.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.history import PENDING, History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import register, unseen
from hpspace.suggest.tpe.choose import Chooser, unseen_rows
from hpspace.suggest.tpe.layout import Layout, Points
from hpspace.suggest.tpe.parzen import MIN_BANDWIDTH, Parzen
from hpspace.suggest.tpe.split import Split, root, split, tenth
from hpspace.suggest.tpe.startup import stratified

logger = logging.getLogger(__name__)

#: Kernels of the bad density; of more bad trials the nearest to the good ones and a sample of the others are
#: kept.
MAX_BAD = 512

_LAYOUTS: WeakKeyDictionary[CompiledSpace, Layout] = WeakKeyDictionary()


@register("tpe")
@dataclass(frozen=True)
class TPE:
    """The tree-structured Parzen estimator.

    Parameters
    ----------
    prior_weight : float
        Weight of the declared distribution in each density, where a trial weighs 1 on average. Positive.
    n_startup_jobs : int
        Finished trials before the densities are used; until then proposals are draws from the prior that take
        the options of choices in turn. (20 in Hyperopt.)
    n_EI_candidates : int
        Candidates for each proposal.
    gamma : float or None
        How many trials are good: None for a tenth of the finished ones, between 2 and 25; a number for
        Hyperopt's ``min(ceil(gamma * sqrt(n)), 25)``.
    verbose : bool
        Whether to log the state of the search at level DEBUG.
    joint_weight : float
        Weight of the joint log ratio against the marginal ones, in [0, 1]. 0 models parameters independently.
    min_bandwidth : float
        Smallest bandwidth of a kernel, in prior quantiles.
    good_weights : {"improvement", "uniform"}
        Whether better good trials count more. "uniform" uses ranks only.
    avoid_repeats : bool
        Whether earlier and pending points are passed over. Set it to False when the objective is so noisy
        that evaluating a point again pays; ``history.allow_repeats`` does the same.

    Raises
    ------
    ValueError
        For a parameter out of its range; names it, its value and the range.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> from hpspace.history import OK
    >>> space = compile_space({"x": hp.uniform("x", -1, 1)})
    >>> history = History(space)
    >>> x = space.sample(0, 30).values
    >>> history.append(x, x[:, 0] ** 2, [OK] * 30)
    >>> batch = TPE().propose(space, history, 2, np.random.default_rng(0))
    >>> bool((abs(batch.values) < 0.5).all())
    True
    """

    prior_weight: float = 1.0
    n_startup_jobs: int = 10
    n_EI_candidates: int = 24  # noqa: N815
    gamma: float | None = None
    verbose: bool = True
    joint_weight: float = 0.5
    min_bandwidth: float = MIN_BANDWIDTH
    good_weights: Literal["improvement", "uniform"] = "improvement"
    avoid_repeats: bool = True

    def __post_init__(self) -> None:
        rules = (
            ("prior_weight", self.prior_weight > 0, "positive"),
            ("n_startup_jobs", self.n_startup_jobs >= 0, "at least 0"),
            ("n_EI_candidates", self.n_EI_candidates >= 1, "at least 1"),
            ("gamma", self.gamma is None or self.gamma > 0, "None or positive"),
            ("joint_weight", 0 <= self.joint_weight <= 1, "between 0 and 1"),
            ("min_bandwidth", 0 < self.min_bandwidth <= 1, "in (0, 1]"),
            ("good_weights", self.good_weights in ("improvement", "uniform"), "'improvement' or 'uniform'"),
        )
        for name, holds, range_ in rules:
            if not holds:
                raise ValueError(f"tpe: {name}={getattr(self, name)!r} must be {range_}")

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        finished = int(np.count_nonzero(history.kind != PENDING))
        if finished < self.n_startup_jobs or not len(history) or not len(space):
            batch = stratified(space, history, n, rng)
        else:
            batch = self._modelled(space, history, n, rng)
        return unseen(space, history, batch, n, rng)

    def densities(self, space: CompiledSpace, history: History) -> tuple[Parzen, Parzen]:
        """Return the density of the good trials and that of all others.

        Parameters
        ----------
        space : CompiledSpace
            What to search.
        history : History
            What is known.

        Returns
        -------
        good, bad : Parzen
            Densities in the space's unit coordinates; the prior where there are no such trials.
        """
        layout = layout_of(space)
        parts = split(history, self._how_many(), self.good_weights == "improvement")
        fit = partial(Parzen.fit, layout, prior_weight=self.prior_weight, min_bandwidth=self.min_bandwidth)
        good = _observed(space, layout, history, parts.good)
        rows, weights = _thinned(layout, history, parts)
        if self.verbose:
            logger.debug("tpe: %d good and %d bad trials", len(parts.good), len(parts.bad))
        return fit(good, parts.weights), fit(_observed(space, layout, history, rows), weights)

    def _how_many(self) -> Callable[[int], int]:
        return tenth if self.gamma is None else root(self.gamma)

    def _modelled(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        good, bad = self.densities(space, history)
        passed_over = history.keys if self.avoid_repeats and not history.allow_repeats else ()
        chooser = Chooser(space, good, bad, self.joint_weight, passed_over)
        rest = unseen_rows(space, passed_over) if passed_over else None
        if rest is not None:
            return Batch(space, chooser.best_of(rest, n))
        return Batch(space, chooser.best_of_draws(n, self.n_EI_candidates, rng))


def _observed(space: CompiledSpace, layout: Layout, history: History, rows: NDArray[np.intp]) -> Points:
    """Return rows of a history in the layout's order."""
    return Points.of(layout, history.coords[rows], space.bins(history.values[rows]))


def _thinned(layout: Layout, history: History, parts: Split) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows of the bad density's kernels, at most `MAX_BAD`, and their weights.

    Half of them are the trials nearest to the good ones: where candidates lie, they decide. The other half is
    an even sample of the rest over time, each with the weight of the trials it stands for.
    """
    rows = parts.bad
    if len(rows) <= MAX_BAD:
        return rows, np.ones(len(rows))
    half = MAX_BAD // 2
    nearness = np.argpartition(_distance(layout, history.coords, parts), half)
    near, rest = np.sort(nearness[:half]), np.sort(nearness[half:])
    sample = rest[(np.arange(half) + 0.5) * len(rest) // half]
    weights = np.repeat([1.0, len(rest) / half], half)
    return rows[np.concatenate([near, sample])], weights


def _distance(layout: Layout, coords: NDArray[np.float64], parts: Split) -> NDArray[np.float64]:
    """Return how far each bad trial is from the good ones' mean, shape (b,); a different code counts as 1."""
    order, m = layout.order, layout.numeric
    bad, good = coords[parts.bad].T[order], coords[parts.good].T[order]
    known = good == good
    centre = np.where(known, good, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    apart = (bad[:m] - centre[:m, None]) ** 2
    same = np.zeros(bad[m:].shape)
    for column in good[m:].T:
        same += bad[m:] == column[:, None]
    apart = np.concatenate([apart, 1.0 - same / max(1, good.shape[1])])
    distance: NDArray[np.float64] = np.where(bad == bad, apart, 0.25).sum(axis=0)
    return distance


def layout_of(space: CompiledSpace) -> Layout:
    """Return the layout of a space, computed once."""
    layout = _LAYOUTS.get(space)
    if layout is None:
        layout = _LAYOUTS[space] = Layout.of(space)
    return layout
