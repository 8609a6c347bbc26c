"""The tree-structured Parzen estimator (TPE), the default algorithm.

After a few trials from the prior, every proposal is the most promising of some candidates: points drawn from
a density of the good trials, ranked by that density's ratio to the density of all others and, while trials are
few, by what their losses lead to expect. The parts are in their own modules: `split` (which trials are good),
`parzen` (the densities), `score` (the ratio), `trend` (what losses lead to expect), `startup` (the first trials).

It differs from the original (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization") and from
Hyperopt's in that whole points are modelled jointly along their active path, good trials are weighted by
their improvement (Watanabe 2023), failed trials repel, no point is proposed twice, and everything happens in
prior quantiles, so that every distribution, also one whose bounds depend on other parameters, is handled
alike.

Nothing is kept between calls but the layout of a space's columns, a pure function of the space.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import register, unseen
from hpspace.suggest.tpe.background import Background
from hpspace.suggest.tpe.bandwidths import MIN_BANDWIDTH
from hpspace.suggest.tpe.candidates import Candidates
from hpspace.suggest.tpe.choose import Chooser, unseen_rows
from hpspace.suggest.tpe.evidence import densities
from hpspace.suggest.tpe.focus import MIN_TRIALS, Focus, draw_focuses, share_of_focused
from hpspace.suggest.tpe.layout import Layout
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.score import Ranking, densities_at
from hpspace.suggest.tpe.split import root, split, tenth
from hpspace.suggest.tpe.startup import stratified
from hpspace.suggest.tpe.trend import Trend

logger = logging.getLogger(__name__)

#: Candidates for each proposal: Hyperopt's number, and more while it is known better which is worth it.
CANDIDATES, CANDIDATES_WITH_TREND = 24, 64

#: The trend joins in batches of at most so many proposals, as its cost grows with their square.
MAX_BATCH = 64

_LAYOUTS: WeakKeyDictionary[CompiledSpace, Layout] = WeakKeyDictionary()


@dataclass(frozen=True)
class Explanation:
    """Why points are promising or not: what `TPE.explain` returns for c points of a space with D parameters.

    Parameters
    ----------
    good : int array, shape (g,)
        Positions in the history of the trials that count as good, best first.
    bad : int array, shape (b,)
        Positions of those that count as bad, in order of insertion.
    weights : float64 array, shape (g,)
        How much each of them counts; their mean is 1.
    log_good, log_bad : float64 arrays, shape (c,)
        Log joint densities of the good and of the bad trials at each point.
    log_good_marginals, log_bad_marginals : float64 arrays, shape (c, D)
        Log densities of each parameter alone, in the space's order; 0 where inactive.
    score : float64 array, shape (c,)
        What proposals are ranked by: ``joint_weight`` of the joint log ratio, the rest of the marginal ones. While the
        trend joins, a fraction of that, plus the log expected improvement.
    log_improvement : float64 array, shape (c,), or None
        Log expected improvement under the trend of the losses, see `Trend`; None when that does not join.
    """

    good: NDArray[np.intp]
    bad: NDArray[np.intp]
    weights: NDArray[np.float64]
    log_good: NDArray[np.float64]
    log_bad: NDArray[np.float64]
    log_good_marginals: NDArray[np.float64]
    log_bad_marginals: NDArray[np.float64]
    score: NDArray[np.float64]
    log_improvement: NDArray[np.float64] | None = None


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
    n_EI_candidates : int or None
        Candidates for each proposal; None for 24 (as in Hyperopt), and 64 while the trend joins.
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
    explore_options : float
        With n finished trials, a share ``min(1, explore_options / n)`` of the proposals is made inside one option
        of a choice whose options have parameters of their own, modelled by the trials that took it alone. Where
        there are only k plain choices, it is a k-th of that, of any of them. 0 turns this off.
    trend_trials : int
        Up to so many finished trials, the expected improvement under a Gaussian process of their losses joins the
        ratio of densities, see `Trend`. 0 turns this off: the ratio alone decides, as in other TPEs.

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
    n_EI_candidates: int | None = None  # noqa: N815
    gamma: float | None = None
    verbose: bool = True
    joint_weight: float = 0.5
    min_bandwidth: float = MIN_BANDWIDTH
    good_weights: Literal["improvement", "uniform"] = "improvement"
    avoid_repeats: bool = True
    explore_options: float = 30.0
    trend_trials: int = 200

    def __post_init__(self) -> None:
        rules = (
            ("prior_weight", self.prior_weight > 0, "positive"),
            ("n_startup_jobs", self.n_startup_jobs >= 0, "at least 0"),
            (
                "n_EI_candidates",
                self.n_EI_candidates is None or self.n_EI_candidates >= 1,
                "None or at least 1",
            ),
            ("gamma", self.gamma is None or self.gamma > 0, "None or positive"),
            ("joint_weight", 0 <= self.joint_weight <= 1, "between 0 and 1"),
            ("min_bandwidth", 0 < self.min_bandwidth <= 1, "in (0, 1]"),
            ("explore_options", self.explore_options >= 0, "at least 0"),
            ("trend_trials", self.trend_trials >= 0, "at least 0"),
            ("good_weights", self.good_weights in ("improvement", "uniform"), "'improvement' or 'uniform'"),
        )
        for name, holds, range_ in rules:
            if not holds:
                raise ValueError(f"tpe: {name}={getattr(self, name)!r} must be {range_}")

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        if self.is_starting(history) or not len(space):
            batch = stratified(space, history, n, rng)
        else:
            batch = self._modelled(space, history, n, rng)
        return unseen(space, history, batch, n, rng)

    def is_starting(self, history: History) -> bool:
        """Whether too few trials are finished for a model, so that proposals are draws from the prior."""
        return history.finished < self.n_startup_jobs or not len(history)

    def densities(
        self, space: CompiledSpace, history: History, among: NDArray[np.bool_] | None = None
    ) -> tuple[Parzen, Parzen | Background]:
        """Return the density of the good trials and that of all others.

        Parameters
        ----------
        space : CompiledSpace
            What to search.
        history : History
            What is known.
        among : bool array, shape (len(history),), optional
            Which trials to model, by default all.

        Returns
        -------
        good, bad : Parzen
            Densities in the space's unit coordinates; the prior where there are no such trials.
        """
        layout = layout_of(space)
        parts = split(history, self._how_many(), self.good_weights == "improvement", among)
        if self.verbose and logger.isEnabledFor(logging.DEBUG):
            logger.debug("tpe: %d good and %d bad trials", len(parts.good), parts.n_bad)
        return densities(space, layout, history, parts, self.prior_weight, self.min_bandwidth)

    def explain(self, space: CompiledSpace, history: History, values: NDArray[np.float64]) -> Explanation:
        """Return why points are promising or not, given what is known.

        Parameters
        ----------
        space : CompiledSpace
            What is searched.
        history : History
            What was known when the points were proposed.
        values : float64 array, shape (c, D)
            Raw values of the points, NaN where inactive, such as ``batch.values``.

        Returns
        -------
        Explanation

        Examples
        --------
        >>> from hpspace import compile_space, hp
        >>> from hpspace.history import OK
        >>> space = compile_space({"x": hp.uniform("x", -1, 1)})
        >>> history = History(space)
        >>> x = space.sample(0, 30).values
        >>> history.append(x, x[:, 0] ** 2, [OK] * 30)
        >>> near, far = TPE().explain(space, history, np.array([[0.0], [0.9]])).score
        >>> bool(near > far)
        True
        """
        layout = layout_of(space)
        parts = split(history, self._how_many(), self.good_weights == "improvement")
        good, bad = self.densities(space, history)
        candidates = Candidates.at(space, layout, np.asarray(values, dtype=np.float64))
        inside, outside = densities_at(candidates, good, bad)
        trend = self.trend(space, history)
        expected = None if trend is None else trend.scores(trend.features(candidates.values))
        place = layout.places  # from the layout's order back to the space's
        return Explanation(
            good=parts.good,
            bad=parts.bad,
            weights=parts.weights,
            log_good=inside.log_joint,
            log_bad=outside.log_joint,
            log_good_marginals=inside.log_marginals[place].T,
            log_bad_marginals=outside.log_marginals[place].T,
            log_improvement=expected,
            score=Ranking(candidates, good, bad, self.joint_weight, expected).scores,
        )

    def _how_many(self) -> Callable[[int], int]:
        return tenth if self.gamma is None else root(self.gamma)

    def _modelled(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points by the densities; at least one trial is known."""
        whole = self.densities(space, history)
        old = history.keys if self.avoid_repeats and not history.allow_repeats else ()
        rest = unseen_rows(space, old) if old else None
        trend = self.trend(space, history) if n <= MAX_BATCH else None
        taken: set[bytes] = set()
        rows = []
        for focus, count in self._plan(space, history, whole[0], n, rng).items():
            good, bad = whole if focus is None else self._inside(space, history, focus) or whole
            chooser = Chooser(space, good, bad, self.joint_weight, old, taken, focus, trend)
            if rest is not None:
                rows.append(chooser.best_of(rest, count))
            else:
                rows.append(chooser.best_of_draws(count, self.candidates(trend), rng))
        if len(rows) == 1:
            return Batch(space, rows[0])
        return Batch(space, np.concatenate(rows or [np.empty((0, len(space)))]))

    def trend(self, space: CompiledSpace, history: History) -> Trend | None:
        """Return what the losses lead to expect; None when that does not join, or says nothing."""
        if history.finished > self.trend_trials:
            return None
        return Trend.of(space, history, by_rank=self.good_weights == "uniform")

    def candidates(self, trend: Trend | None = None) -> int:
        """Return the number of candidates for a proposal, with or without the trend."""
        if self.n_EI_candidates is not None:
            return self.n_EI_candidates
        return CANDIDATES if trend is None else CANDIDATES_WITH_TREND

    def _plan(
        self, space: CompiledSpace, history: History, good: Parzen, n: int, rng: Generator
    ) -> Mapping[Focus | None, int]:
        """Return how many of n proposals are made inside which option; see `focus`."""
        layout = good.layout
        nested = len(layout.selectors) > 0
        choices = layout.selectors if nested else layout.order[layout.numeric :]
        share = share_of_focused(self.explore_options, history.finished, 1 if nested else len(choices))
        focused = sum(rng.random() < share for _ in range(n)) if len(choices) else 0
        if not focused:
            return {None: n} if n else {}
        plan = draw_focuses(space.mask(space.decode(good.sample(rng, focused))), choices, rng)
        plan[None] += n - focused
        return +plan

    def _inside(
        self, space: CompiledSpace, history: History, focus: Focus
    ) -> tuple[Parzen, Parzen | Background] | None:
        """Return the densities of the trials that took an option, None if they are too few."""
        among = focus.holds(history.values)
        return self.densities(space, history, among) if among.sum() >= MIN_TRIALS else None


def layout_of(space: CompiledSpace) -> Layout:
    """Return the layout of a space, computed once."""
    layout = _LAYOUTS.get(space)
    if layout is None:
        layout = _LAYOUTS[space] = Layout.of(space)
    return layout


def configured(**parameters: Any) -> TPE:
    """Return a `TPE` with these parameters; as a rule the same object for the same ones."""
    try:
        return _configured(**parameters)  # OPTIM: 7 us of a suggestion
    except TypeError:  # one of them has no hash
        return TPE(**parameters)


_configured = lru_cache(maxsize=32)(TPE)
