"""The contract of a search algorithm, as checks that an extension can run on its own.

`check_proposals` asks an algorithm for points, given a space, a history and a seed, and checks every law that
`hpspace.suggest.base` states. Run it over `hpspace.testing.spaces.spaces()`, and over histories made by `history`,
which holds finished, failed and pending trials.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hpspace.history import FAILED, OK, PENDING, History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import Algorithm, is_finite


def history(space: CompiledSpace, n: int, rng: Generator) -> History:
    """Return a history of n trials: random points, most of them finished, some failed, some pending.

    Parameters
    ----------
    space : CompiledSpace
        What the points are drawn from.
    n : int
        Number of trials.
    rng : numpy.random.Generator
        Source of points, losses and outcomes.

    Returns
    -------
    History
        Losses are standard normal, a few of them equal, and now and then minus infinity.
    """
    made = History(space)
    losses = np.round(rng.standard_normal(n), 1)
    losses[rng.random(n) < 0.02] = -np.inf
    made.append(space.sample(rng, n).values, losses, rng.choice([OK, FAILED, PENDING], n, p=[0.7, 0.2, 0.1]))
    return made


def check_proposals(algorithm: Algorithm, space: CompiledSpace, past: History, n: int, seed: int) -> Batch:
    """Ask for n points and check the laws of an algorithm.

    Parameters
    ----------
    algorithm : Algorithm
        What is checked.
    space, past : CompiledSpace, History
        What it is given.
    n : int
        How many points are asked for.
    seed : int
        Seed of its generator.

    Returns
    -------
    Batch
        What it proposed.

    Raises
    ------
    AssertionError
        Naming the law that is broken.
    """
    before = (past.values.tobytes(), past.losses.tobytes(), past.kind.tobytes(), dict(past.keys))
    batch = algorithm.propose(space, past, n, np.random.default_rng(seed))
    again = algorithm.propose(space, past, n, np.random.default_rng(seed))
    after = (past.values.tobytes(), past.losses.tobytes(), past.kind.tobytes(), dict(past.keys))
    assert before == after, "propose changed the history"
    assert np.array_equal(batch.values, again.values, equal_nan=True), "the same seed gave other points"
    assert batch.values.shape == (len(batch), len(space)), "a batch has one column a parameter"
    assert np.array_equal(space.mask(batch.values), batch.values, equal_nan=True), "an inactive value is set"
    assert np.array_equal(space.known(batch.values), batch.values, equal_nan=True), "a value is impossible"
    active = space.activity(batch.values)
    assert not np.isnan(batch.values[active]).any(), "an active value is missing"
    _check_distinct(space, past, batch, n)
    return batch


def _check_distinct(space: CompiledSpace, past: History, batch: Batch, n: int) -> None:
    keys = space.keys(batch.values)
    assert len(set(keys)) == len(keys), "two points of a batch are equal"
    if not is_finite(space):
        assert len(batch) == n, "an infinite space always has n more points"
        return
    assert not set(keys) & set(past.keys), "a point of a finite space is proposed again"
    left = int(space.cardinality()) - len(past.keys)
    assert len(batch) == min(n, left), "a finite space is searched to its end, and no farther"
