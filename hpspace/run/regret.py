"""Stop when little is left to gain: an estimated bound on how much better than the best the optimum can be.

A Gaussian process (that of atpe) is fitted to the better trials, and the bound is taken from its confidence limits::

    bound = min over evaluated x of (m(x) + sqrt(beta) s(x))  -  min over all x of (m(x) - sqrt(beta) s(x))

with posterior mean m and standard deviation s of the noise-free function. It is the simple regret's upper bound of
Makarova et al. (2022, "Automatic termination for hyperparameter optimization", eq. 3), with the confidence factor of
Srinivas et al. (2010, Theorem 1) over D parameters and n trials, a fifth of it as they do in their experiments::

    beta = 2 log(D n^2 pi^2 / (6 delta)) / 5,   delta = 0.1

The second minimum is searched for, not solved: draws from the prior and perturbations of what looked lowest, so it is
found from above and the bound is an estimate. It holds as far as the process describes the objective. Where much of the
space has not been seen it is large, and the run goes on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpspace.history import History
from hpspace.run.rules import Rule
from hpspace.suggest.atpe import acquire
from hpspace.suggest.atpe.acquire import Candidates
from hpspace.suggest.surrogate import gp, targets
from hpspace.suggest.surrogate.features import distances, features

#: Probability that the confidence limits do not hold somewhere.
DELTA = 0.1
#: The process sees at most this many trials.
MAX_TRIALS = 200
#: Iterations of its fit.
ITERATIONS = 50
#: Draws from the prior; rounds of refinement, points refined in each, perturbations of each.
DRAWS, ROUNDS, REFINED, MOVES = 1000, 3, 10, 30


@dataclass(frozen=True)
class RegretBound(Rule):
    """See `regret_bound`."""

    threshold: float
    min_trials: int = 20
    top: float = 0.5
    every: int = 5

    def reason(self, trials: Any) -> str | None:
        """Say how little is left to gain."""
        n = len(_history(trials).order)
        if n < self.min_trials or (n - self.min_trials) % self.every:
            return None
        bound = self.bound(trials)
        return f"at most {bound:.3g} is left to gain" if bound <= self.threshold else None

    def bound(self, trials: Any) -> float:
        """Estimate how much better than the best of the trials the optimum can be.

        Parameters
        ----------
        trials : Trials
            Their space has to be known; `fmin` makes it known.

        Returns
        -------
        float
            In units of the loss; infinite while there are fewer than `min_trials` good trials.
        """
        history = _history(trials)
        if len(history.order) < self.min_trials:
            return math.inf
        keep = max(self.min_trials, math.ceil(self.top * len(history.order)))
        return remaining_gain(history, min(keep, MAX_TRIALS))

    def __repr__(self) -> str:
        return f"regret_bound({self.threshold})"


def regret_bound(threshold: float, min_trials: int = 20, top: float = 0.5, every: int = 5) -> RegretBound:
    """Stop when the optimum is estimated to be no more than this better than the best trial.

    Parameters
    ----------
    threshold : float
        In units of the loss, such as the noise of the objective, or what is not worth another trial.
    min_trials : int
        Good trials before the first estimate.
    top : float
        Share of the good trials, the best ones, that the model is made of: far from the optimum a loss may behave
        quite differently.
    every : int
        An estimate costs up to a tenth of a second: one is made each time so many good trials have come.

    Returns
    -------
    RegretBound
        Its method `bound(trials)` gives the estimate. `hpspace.run.regret` has the formula.
    """
    if not threshold >= 0:
        raise ValueError(f"regret_bound(threshold={threshold!r}): pass a number >= 0, in units of the loss")
    if not 0 < top <= 1:
        raise ValueError(f"regret_bound(top={top!r}): pass a share in (0, 1]")
    if min_trials < 4 or every < 1:
        raise ValueError(f"regret_bound(min_trials={min_trials!r}, every={every!r}): pass at least 4, and 1")
    return RegretBound(float(threshold), int(min_trials), float(top), int(every))


def _history(trials: Any) -> History:
    if trials.space is None:
        raise ValueError("regret_bound needs the space of the trials: call trials.remember_space(space)")
    history: History = trials.history(trials.space)
    return history


def remaining_gain(history: History, keep: int) -> float:
    """Estimate how much lower than the best loss of a history the optimum can be.

    Parameters
    ----------
    history : History
        With at least `keep` good rows.
    keep : int
        How many rows the process is made of, the best ones.

    Returns
    -------
    float
        In units of the loss; 0 for a space without parameters.
    """
    space, rows = history.space, history.order[:keep]
    losses = history.losses[rows]
    scale = float(losses.std())
    if not len(space) or not math.isfinite(scale):
        return 0.0 if not len(space) else math.inf
    choice = space.kinds == 2
    x, y = features(history.coords[rows], choice), targets.standardised(losses)
    hyper = gp.fit(distances(x, x, choice), y, gp.Hyper.typical(len(space)), ITERATIONS)
    process = gp.Posterior(x, y, choice, hyper)
    width = math.sqrt(confidence(len(space), len(history.order)))
    mean, sd = process.at(x)
    return scale * max(0.0, float((mean + width * sd).min()) - _lowest(history, process, width))


def confidence(d: int, n: int) -> float:
    """Return beta of the module's text for d parameters and n trials.

    Examples
    --------
    >>> round(confidence(2, 20), 3)
    3.794
    """
    return 2.0 * math.log(d * n**2 * math.pi**2 / (6.0 * DELTA)) / 5.0


def _lowest(history: History, process: gp.Posterior, width: float) -> float:
    """Return the lowest lower confidence limit that was found in the space."""
    space, rng = history.space, np.random.default_rng(0)  # the same trials give the same estimate
    best = acquire.filled(space, history.coords[history.order[: acquire.BEST]], rng)
    pool = Candidates.at(space, np.concatenate([acquire.prior_coords(space, rng, DRAWS), best]))
    limits = _limits(process, pool, width)
    for _ in range(ROUNDS):
        low = np.argsort(limits, kind="stable")[:REFINED]
        near = Candidates.at(space, acquire.perturbed(space, np.repeat(pool.coords[low], MOVES, axis=0), rng))
        pool, limits = pool.joined(near), np.append(limits, _limits(process, near, width))
    return float(limits.min())


def _limits(process: gp.Posterior, points: Candidates, width: float) -> Any:
    mean, sd = process.at(points.seen)
    return mean - width * sd
