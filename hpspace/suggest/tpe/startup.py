"""The first proposals: draws from the prior that visit every option of every choice.

Independent draws leave an option of a small choice untried surprisingly often: with 10 trials and 4 equally
likely options, one in five runs misses one. So codes are drawn from what each option still lacks of its
declared share, ``max(0, p_k (n + 1) - n_k)`` after n trials of which n_k took option k. Before any trial
these are the declared probabilities; afterwards equally likely options take turns in random order. All other
parameters are independent draws from their distributions.

Called by `tpe.algorithm`. The shares are counted in the history, so the rule needs no memory of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace

_CHOICE = 2


def stratified(space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
    """Draw n points from the prior, each choice's options in turn.

    Parameters
    ----------
    space : CompiledSpace
        What to search.
    history : History
        Past trials, whose choices count.
    n : int
        Number of points.
    rng : Generator
        Source of randomness.

    Returns
    -------
    Batch
        n points, inactive parameters masked.
    """
    uniform = rng.random((n, len(space)))
    coords = space.columns.prior_coords(uniform)
    choices = np.flatnonzero(np.asarray(space.kinds) == _CHOICE)
    if not len(choices):
        return space.batch(space.decode(coords))
    declared = [space.prior_p(int(column)) for column in choices]
    counts = [_counts(history.values[:, column], len(p)) for column, p in zip(choices, declared)]
    rows = np.empty_like(coords)
    for i in range(n):
        for column, p, count in zip(choices, declared, counts):
            coords[i, column] = _lacking(p, count, uniform[i, column])
        rows[i] = space.mask(space.decode(coords[i : i + 1]))[0]
        for column, count in zip(choices, counts):
            if rows[i, column] == rows[i, column]:
                count[int(rows[i, column])] += 1.0
    return Batch(space, rows)


def _counts(codes: NDArray[np.float64], options: int) -> NDArray[np.float64]:
    known = codes[codes == codes].astype(np.intp)
    return np.bincount(known, minlength=options).astype(np.float64)


def _lacking(p: NDArray[np.float64], count: NDArray[np.float64], u: float) -> int:
    """Return the option at quantile u of the shares that are still lacking, which sum to more than 0."""
    lack = np.maximum(0.0, p * (count.sum() + 1.0) - count)
    ends = np.cumsum(lack)
    return int(np.searchsorted(ends / ends[-1], u, side="right").clip(max=len(p) - 1))
