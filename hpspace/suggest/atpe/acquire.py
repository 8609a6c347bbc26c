"""Where a Gaussian process expects most: candidates around good points, ranked by what they are expected to gain.

Candidates are draws from the prior, perturbations of the best trials, and tpe's own draws; the best of them are then
perturbed again, twice. Everything is perturbed in coordinates, decoded and encoded again, so grids and dependent
bounds are exact. What a candidate is expected to gain takes into account that losses may be noisy, see
`surrogate.incumbent`.

Axes: c candidates, D parameters.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.surrogate.features import Matrix, features
from hpspace.suggest.surrogate.gp import Posterior

#: Candidates drawn from the prior.
PRIOR_DRAWS = 100
#: Trials that are perturbed, and perturbations of each.
BEST, AROUND = 8, 25
#: Rounds of refinement, points refined in each, perturbations of each.
ROUNDS, REFINED, MOVES = 2, 5, 30
#: Standard deviations of perturbations, in prior quantiles: from a leap to a last adjustment.
STEPS = np.array([0.2, 0.1, 0.03, 0.01])


@dataclass(frozen=True)
class Candidates:
    """Points and what the process sees of them.

    Parameters
    ----------
    coords : float64 array, shape (c, D)
        Coordinates of every parameter, active or not.
    values : float64 array, shape (c, D)
        Raw values; NaN where inactive.
    seen : float64 array, shape (c, D)
        Features.
    """

    coords: Matrix
    values: Matrix
    seen: Matrix

    @classmethod
    def at(cls, space: CompiledSpace, coords: Matrix) -> Candidates:
        """Return the candidates at full coordinates, shape (c, D)."""
        values = space.mask(space.decode(coords))
        return cls(coords, values, features(space.encode(values), space.kinds == 2))

    def select(self, rows: NDArray[np.intp]) -> Candidates:
        """Return some of the candidates."""
        return Candidates(self.coords[rows], self.values[rows], self.seen[rows])

    def joined(self, other: Candidates) -> Candidates:
        """Return these candidates and others."""
        pairs = ((self.coords, other.coords), (self.values, other.values), (self.seen, other.seen))
        return Candidates(*(np.concatenate(pair) for pair in pairs))


def prior_coords(space: CompiledSpace, rng: Generator, n: int) -> Matrix:
    """Return coordinates of every parameter drawn from the prior, shape (n, D)."""
    return space.columns.prior_coords(rng.random((n, len(space))))


def perturbed(space: CompiledSpace, coords: Matrix, rng: Generator) -> Matrix:
    """Return one neighbour of each point.

    About two of its parameters are moved: numbers by a normal step of one of the lengths `STEPS`, reflected at
    the ends of the unit interval; choices are drawn anew.

    Parameters
    ----------
    space : CompiledSpace
        The space.
    coords : float64 array, shape (c, D)
        Full coordinates.
    rng : Generator
        Source of randomness.
    """
    c, d = coords.shape
    fresh = prior_coords(space, rng, c)
    scale = STEPS[rng.integers(len(STEPS), size=(c, 1))]
    moved = np.abs(coords + scale * rng.standard_normal((c, d)))
    moved = 1.0 - np.abs(1.0 - moved % 2.0)
    moved = np.where(space.kinds == 2, fresh, moved)
    share = np.maximum(rng.random((c, 1)), min(1.0, 2.0 / d))  # a few of the parameters, or many
    change = rng.random((c, d)) < np.where(rng.random((c, 1)) < 0.5, min(1.0, 2.0 / d), share)
    change[np.arange(c), rng.integers(d, size=c)] = True
    return np.where(change, moved, coords)


def filled(space: CompiledSpace, coords: Matrix, rng: Generator) -> Matrix:
    """Return coordinates (n, D) with inactive parameters drawn from the prior."""
    return np.where(np.isnan(coords), prior_coords(space, rng, len(coords)), coords)


def log_gain(process: Posterior, seen: Matrix) -> NDArray[np.float64]:
    """Return the log of what trials at features (c, D) are expected to gain, shape (c,)."""
    mean, sd = process.at(seen)
    return process.incumbent().log_gain(mean, sd * sd)


def most_promising(
    space: CompiledSpace,
    process: Posterior,
    first: Candidates,
    old: Container[bytes],
    rng: Generator,
) -> Matrix | None:
    """Return the new point of highest expected gain that was found.

    Parameters
    ----------
    space : CompiledSpace
        The space.
    process : Posterior
        The process.
    first : Candidates
        Where to start.
    old : container of bytes
        Keys of points to pass over.
    rng : Generator
        Source of randomness.

    Returns
    -------
    float64 array of shape (1, D), or None
        Raw values; None if every candidate is old.
    """
    pool, score = first, log_gain(process, first.seen)
    for _ in range(ROUNDS):
        top = np.argsort(-score, kind="stable")[:REFINED]
        near = Candidates.at(space, perturbed(space, np.repeat(pool.coords[top], MOVES, axis=0), rng))
        pool, score = pool.joined(near), np.append(score, log_gain(process, near.seen))
    return first_new(space, pool.values, score, old)


def first_new(
    space: CompiledSpace, values: Matrix, score: NDArray[np.float64], old: Container[bytes]
) -> Matrix | None:
    """Return the point of highest score, shape (1, D), whose key is not old; None if there is none."""
    for row in np.argsort(-score, kind="stable"):
        if space.keys(values[row : row + 1])[0] not in old:
            return values[row : row + 1]
    return None
