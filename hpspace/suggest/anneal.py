"""Annealing: draw around good trials, in a window that shrinks as trials come in.

A simple, model-free search: pick a trial whose rank is geometrically distributed, keep its choices, and move
its numbers a little. It needs no density and no minimum number of trials, and is hard to beat where one basin
leads to the optimum. The scheme is Hyperopt's (`hyperopt.anneal`), in prior quantiles and for any number of
points at once.

Not simulated annealing: nothing is accepted or rejected, and there is no temperature.

Axes: n points, D columns of the space, k OK trials best first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import register, unseen

_GRID, _CHOICE = 1, 2

#: Rounds in which repeated points are drawn again, each in windows twice as wide.
_ROUNDS = 4


@register("anneal")
@dataclass(frozen=True)
class Anneal:
    """Search around good trials with shrinking steps.

    Parameters
    ----------
    avg_best_idx : float
        Mean rank of the trial to start from, 1 being the best. At least 1.
    shrink_coef : float
        How fast the steps shrink: with T trials that had a parameter, its window has ``1 / (1 + T *
        shrink_coef)`` of the width of its prior, and a choice is drawn anew with that probability. Not
        negative.

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
    >>> history.append([[0.5]] * 90, [0.0] * 90, [OK] * 90)
    >>> near = Anneal().propose(space, history, 5, np.random.default_rng(0)).values
    >>> bool((abs(near - 0.5) <= 0.1).all())
    True
    """

    avg_best_idx: float = 2.0
    shrink_coef: float = 0.1

    def __post_init__(self) -> None:
        if not self.avg_best_idx >= 1:
            raise ValueError(f"anneal: avg_best_idx={self.avg_best_idx!r} must be at least 1")
        if not self.shrink_coef >= 0:
            raise ValueError(f"anneal: shrink_coef={self.shrink_coef!r} must not be negative")

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        batch = space.sample(rng, n)
        if len(history.order) and len(space):
            rows: list[NDArray[np.float64]] = []
            own: set[bytes] = set()
            for widening in 2.0 ** np.arange(_ROUNDS):
                drawn = self._draw(space, history, n - len(rows), float(widening), rng)
                rows += _new(space, history, drawn, own)
                if len(rows) == n:
                    break
            batch = Batch(space, np.array(rows).reshape(len(rows), len(space)))
        return unseen(space, history, batch, n, rng)

    def _draw(
        self, space: CompiledSpace, history: History, n: int, widening: float, rng: Generator
    ) -> NDArray[np.float64]:
        """Draw n points around good trials; raw values (n, D), NaN where inactive."""
        trials = history.coords[history.order]  # (k, D)
        source = self._sources(trials, n, rng)  # (n, D)
        centre = np.take_along_axis(trials, source, axis=0)
        share = np.minimum(1.0, widening / (1.0 + self.shrink_coef * (trials == trials).sum(axis=0)))
        uniform = rng.random(centre.shape)
        drawn = space.columns.prior_coords(rng.random(centre.shape))
        choice = np.asarray(space.kinds) == _CHOICE
        window = np.maximum(share, 2.0 * _bin_widths(space, history, source))
        near = np.where(choice, np.where(uniform < share, drawn, centre), _around(centre, window, uniform))
        return space.mask(space.decode(np.where(centre == centre, near, drawn)))

    def _sources(self, trials: NDArray[np.float64], n: int, rng: Generator) -> NDArray[np.intp]:
        """Return which trial each parameter starts from, shape (n, D): one a point, others where that one lacks it."""
        k, columns = trials.shape
        first = np.minimum(rng.geometric(1.0 / self.avg_best_idx, size=n), k) - 1
        source = np.repeat(first[:, None], columns, axis=1)
        held = trials == trials
        for row, column in zip(*np.nonzero(~held[first])):
            have = np.flatnonzero(held[:, column])
            if len(have):
                source[row, column] = have[min(rng.geometric(1.0 / self.avg_best_idx), len(have)) - 1]
        return source


def _bin_widths(space: CompiledSpace, history: History, source: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the widths of the unit bins of the grid values to start from, shape (n, D); 0 in other columns."""
    if not (np.asarray(space.kinds) == _GRID).any():
        return np.zeros(source.shape)
    low, high = space.bins(np.take_along_axis(history.values[history.order], source, axis=0))
    return np.nan_to_num(high - low)


def _around(
    centre: NDArray[np.float64], window: NDArray[np.float64], uniform: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Draw from windows around centres, moved to lie inside [0, 1]; all of one shape."""
    width = np.minimum(window, 1.0)
    low = np.clip(centre - 0.5 * width, 0.0, 1.0 - width)
    return low + width * uniform


def _new(
    space: CompiledSpace, history: History, rows: NDArray[np.float64], own: set[bytes]
) -> list[NDArray[np.float64]]:
    """Return the rows that are neither in the history nor in `own`, which they join."""
    new = []
    for row, key in zip(rows, space.keys(rows)):
        if key not in own and (history.allow_repeats or key not in history.keys):
            own.add(key)
            new.append(row)
    return new
