"""Stop when little is left to gain: an estimated bound on how much better than the best the optimum can be.

A Gaussian process (that of atpe) is fitted to the good trials, and the bound is taken from its confidence limits::

    bound = min over evaluated x of (m(x) + sqrt(beta) s(x))  -  min over all x of (m(x) - sqrt(beta) s(x))

with posterior mean m and standard deviation s of the noise-free function. It is the simple regret's upper bound of
Makarova et al. (2022, "Automatic termination for hyperparameter optimization", eq. 3), with the confidence factor of
Srinivas et al. (2010, Theorem 1) over D parameters and n trials, a fifth of it as they do in their experiments::

    beta = 2 log(D n^2 pi^2 / (6 delta)) / 5,   delta = 0.1

Losses further above the median than twice its distance from the best are taken as that far above it: the process has
to be right where it is low. The second minimum is searched for, not solved (draws from the prior and perturbations of
what looked lowest), so it is found from above and the bound is an estimate. It holds as far as the process describes
the objective. Where much of the space has not been seen it is large, and the run goes on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.run.rules import Rule
from hpspace.run.stopping import is_count, is_number
from hpspace.suggest.atpe import acquire
from hpspace.suggest.atpe.acquire import Candidates
from hpspace.suggest.fidelity.view import whole
from hpspace.suggest.surrogate import gp, targets
from hpspace.suggest.surrogate.features import Matrix, distances, features

#: Probability that the confidence limits do not hold somewhere.
DELTA = 0.1
#: The process sees at most this many trials, the best ones.
MAX_TRIALS = 200
#: Losses end so many times the distance from the best to the median above the best.
CLIP = 3.0
#: Iterations of its fit.
ITERATIONS = 50
#: Draws from the prior; rounds of refinement, points refined in each, perturbations of each.
DRAWS, ROUNDS, REFINED, MOVES = 1000, 3, 10, 30


@dataclass(frozen=True)
class RegretBound(Rule):
    """See `regret_bound`."""

    threshold: float
    min_trials: int = 20
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
        return math.inf if len(history.order) < self.min_trials else remaining_gain(history)

    def __repr__(self) -> str:
        return f"regret_bound({self.threshold})"


def regret_bound(threshold: float, min_trials: int = 20, every: int = 5) -> RegretBound:
    """Stop when the optimum is estimated to be no more than this better than the best trial.

    Parameters
    ----------
    threshold : float
        In units of the loss, such as the noise of the objective, or what is not worth another trial.
    min_trials : int
        Good trials before the first estimate.
    every : int
        An estimate costs some tenths of a second: one is made each time so many good trials have come.

    Returns
    -------
    RegretBound
        Its method `bound(trials)` gives the estimate. `hpspace.run.regret` has the formula.

    Raises
    ------
    ValueError
        For a negative threshold, or too few trials to estimate anything from.
    """
    if not (is_number(threshold) and threshold >= 0):
        raise ValueError(f"regret_bound(threshold={threshold!r}): pass a number >= 0, in units of the loss")
    if not (is_count(min_trials, 4) and is_count(every)):
        raise ValueError(f"regret_bound(min_trials={min_trials!r}, every={every!r}): pass at least 4, and 1")
    return RegretBound(float(threshold), int(min_trials), int(every))


def _history(trials: Any) -> History:
    if trials.space is None:
        raise ValueError("regret_bound needs the space of the trials: call trials.remember_space(space)")
    history: History = trials.history(trials.space)
    return history if trials.space.fidelity is None else whole(history, trials.space.fidelity)


def remaining_gain(history: History) -> float:
    """Estimate how much lower than the best loss of a history the optimum can be.

    Parameters
    ----------
    history : History
        With good rows.

    Returns
    -------
    float
        In units of the loss; 0 for a space without parameters, infinite if losses are infinite or all the same.
    """
    space, rows = history.space, history.order[:MAX_TRIALS]
    if not len(space):
        return 0.0
    losses = history.losses[rows]
    if not (np.isfinite(losses).all() and np.ptp(losses) > 0):
        return math.inf
    y, scale = _targets(losses)
    choice = space.kinds == 2
    x = features(history.coords[rows], choice)
    hyper = gp.fit(distances(x, x, choice), y, gp.Hyper.typical(len(space)), ITERATIONS)
    process = gp.Posterior(x, y, choice, hyper)
    width = math.sqrt(confidence(len(space), len(history.order)))
    upper = float(_limits(process, x, -width).min())
    return scale * max(0.0, upper - _lowest(history, process, width))


def _targets(losses: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return clipped, standardised losses, shape (n,), and how many units of the loss one of theirs is."""
    best = float(losses.min())
    distance = (float(np.median(losses)) - best) or float(np.ptp(losses))
    clipped = np.minimum((losses - best) / distance, CLIP)
    return targets.standardised(clipped), float(clipped.std()) * distance


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
    limits = _limits(process, pool.seen, width)
    for _ in range(ROUNDS):
        low = np.argsort(limits, kind="stable")[:REFINED]
        near = Candidates.at(space, acquire.perturbed(space, np.repeat(pool.coords[low], MOVES, axis=0), rng))
        pool, limits = pool.joined(near), np.append(limits, _limits(process, near.seen, width))
    return float(limits.min())


def _limits(process: gp.Posterior, seen: Matrix, width: float) -> NDArray[np.float64]:
    """Return m - width * s at features (c, D), shape (c,)."""
    mean, sd = process.at(seen)
    return np.asarray(mean - width * sd)
