"""The contract of a search algorithm, as checks that an extension can run on its own.

`check_proposals` asks an algorithm for points, given a space, a history and a seed, and checks every law that
`hpspace.suggest.base` states. Run it over `hpspace.testing.spaces.spaces()`, and over histories made by `history`,
which holds finished, failed and pending trials. An algorithm that plans resources (its class says ``needs_fidelity``)
is checked in spaces that declare one (`with_resource`), and over histories of its own making (`raced`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from hpspace import hp
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


def with_resource(algorithm: Algorithm, space: Any) -> Any:
    """Return a space in which an algorithm can be used: with a declared resource, if it plans one.

    Parameters
    ----------
    algorithm : Algorithm
        Which algorithm.
    space : object
        What a user would pass to `fmin`, without a resource.
    """
    if not getattr(algorithm, "needs_fidelity", False):
        return space
    return {"space": space, "resource": hp.fidelity("the resource", 1, 9)}


def record(past: History, batch: Batch, losses: ArrayLike, kinds: ArrayLike) -> None:
    """Add proposals to a history, as the trials layer does.

    Parameters
    ----------
    past : History
        What the proposals were made from.
    batch : Batch
        The proposals.
    losses, kinds : array_like, shape (n,)
        How they ended, as for `History.append`.
    """
    stages = batch.stages or ()
    rows = range(len(past), len(past) + len(stages))
    places = [
        (s.rung, s.bracket, row if s.parent is None else past.configs[s.parent])
        for s, row in zip(stages, rows)
    ]
    given = [s.resource for s in stages]
    past.append(batch.values, losses, kinds, resources=given or None, stages=places or None)


def raced(algorithm: Algorithm, space: CompiledSpace, n: int, rng: Generator) -> History:
    """Return a history of about n trials that an algorithm proposed itself, with random outcomes in random order.

    Parameters
    ----------
    algorithm : Algorithm
        Who proposes.
    space : CompiledSpace
        Where.
    n : int
        Number of trials; fewer if it ends the search.
    rng : numpy.random.Generator
        Source of seeds and outcomes: most trials end with a loss, some fail, some are still pending in the end.
    """
    past = History(space)
    while len(past) < n:
        batch = algorithm.propose(space, past, int(rng.integers(1, 4)), rng)
        if not len(batch) and not past.pending.any():
            break
        record(past, batch, np.full(len(batch), np.nan), [PENDING] * len(batch))
        pending = rng.permutation(np.flatnonzero(past.pending))
        ended = pending[: max(1, len(pending) - int(rng.integers(0, 4)))]
        past.update(
            ended,
            np.round(rng.standard_normal(len(ended)), 1),
            rng.choice([OK, FAILED], len(ended), p=[0.8, 0.2]),
        )
    return past


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
    if batch.stages is not None:
        _check_stages(space, past, batch, n)
        return
    keys = space.keys(batch.values)
    assert len(set(keys)) == len(keys), "two points of a batch are equal"
    if not is_finite(space):
        assert len(batch) == n, "an infinite space always has n more points"
        return
    assert not set(keys) & set(past.keys), "a point of a finite space is proposed again"
    left = int(space.cardinality()) - len(past.keys)
    assert len(batch) == min(n, left), "a finite space is searched to its end, and no farther"


def _check_stages(space: CompiledSpace, past: History, batch: Batch, n: int) -> None:
    """Check the laws of an algorithm that plans resources: what is proposed is a point at a resource."""
    stages = batch.stages or ()
    assert space.fidelity is not None and len(stages) == len(batch), "a stage a row, of the declared resource"
    points = list(zip(space.keys(batch.values), (s.resource for s in stages)))
    jobs = [point if s.parent is None else s.parent for point, s in zip(points, stages)]
    assert len(set(jobs)) == len(jobs), "two jobs of a batch are equal"
    for row, stage in zip(batch.values, stages):
        assert space.fidelity.low <= stage.resource <= space.fidelity.high, "a resource is out of its bounds"
        if stage.parent is not None:
            assert np.array_equal(row, past.values[stage.parent], equal_nan=True), (
                "a promotion changes the point"
            )
            assert past.ok[stage.parent], "only a trial with a loss is given more"
            assert stage.resource > past.resources[stage.parent], "a promotion gives no more"
            assert stage.rung == past.rungs[stage.parent] + 1, "a promotion leads one rung up"
    if is_finite(space):
        known = zip(space.keys(past.values), past.resources.tolist())
        assert not set(points) & set(known), "a point is proposed again at a resource that it had"
    else:
        assert len(batch) == n, "an infinite space always has one more job"
