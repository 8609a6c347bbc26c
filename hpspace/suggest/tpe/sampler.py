"""Draws from a Parzen density: a trial for every point, then every parameter from that trial's kernel.

Where the trial lacks a parameter, another trial that has it is drawn for that parameter. Everything is by inversion:
uniform numbers are looked up among cumulated weights and turned into normal quantiles, all points and parameters at
once. Where there are few combinations of codes, trial and combination are drawn in one. The arrays that this needs
depend on the density alone and are kept with it.

Axes: D columns in the order of `Layout`, n slots (the trials, then the prior), c points.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.dists.normal import ndtri
from hpspace.suggest.tpe.layout import Layout

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Distance of the stretches into which one sorted array holds the cumulated shares of several columns, each in [0, 1].
_APART = 2.0


class Sampler:
    """The inverse of a mixture's distribution function.

    Parameters
    ----------
    layout : Layout
        The columns.
    x : float64 array, shape (D, n - 1)
        The trials' coordinates and codes.
    held : float64 array, shape (D, n - 1)
        Weight of each trial for each column, 0 where it lacks it.
    weights : float64 array, shape (n - 1,)
        Weights of the trials.
    prior_weight : float
        Weight of the prior.
    sigma, below, mass : float64 arrays, shape (numeric, n - 1)
        Bandwidths, and the kernels' normal masses below 0 and in [0, 1].
    spread : float64 array, shape (choices,)
        As in `Parzen`.
    """

    def __init__(
        self,
        layout: Layout,
        x: Matrix,
        held: Matrix,
        weights: Matrix,
        prior_weight: float,
        sigma: Matrix,
        below: Matrix,
        mass: Matrix,
        spread: Matrix,
    ) -> None:
        m, n = layout.numeric, x.shape[1] + 1
        self._m = m
        self._total = float(weights.sum()) + prior_weight
        slots = np.append(weights, prior_weight)
        combinations = layout.combinations
        self._codes = None if combinations is None else combinations.codes
        if self._codes is not None:
            shares = _code_shares(layout, x[m:], held[m:], prior_weight, spread)
            for some in shares:  # of every slot and combination, the last choice's codes next to each other
                slots = (slots.reshape(n, -1, 1) * some[:, None, :]).ravel()
            x, held = x[:m], held[:m]
        self._ends = np.cumsum(slots)
        self._ends[self._ends >= self._ends[-1]] = np.inf  # from the last possible one on
        columns = len(x)
        self._columns = columns
        self._slots = n * np.arange(columns)[:, None]  # of column d, its first one among all
        self._offsets = _APART * np.arange(columns)[:, None]
        self._kernels = self._stacked(x, sigma, below, mass, spread)
        self._lacks = np.zeros((columns, n), dtype=bool)
        self._lacks[:, :-1] = held <= 0
        self._complete = not self._lacks.any()
        own = np.empty((columns, n))
        np.cumsum(held, axis=1, out=own[:, :-1])
        own[:, :-1] /= (held.sum(axis=1) + prior_weight)[:, None]
        self._column_ends = _apart(own)
        ends = np.cumsum(layout.p, axis=1)
        ends /= ends[:, -1:]
        ends[ends == 1.0] = 1.5  # from the last possible option on
        self._code_ends = _apart(ends)
        self._code_there = np.tile(np.arange(ends.shape[1], dtype=np.float64), len(ends))

    def _stacked(self, x: Matrix, sigma: Matrix, below: Matrix, mass: Matrix, spread: Matrix) -> Matrix:
        """Return what is drawn from, shape (4, D n): offset and factor of a uniform number, centre, bandwidth.

        For numbers these make it a normal probability, for codes negative if the trial's own is kept, and else uniform
        again. A negative bandwidth marks the prior.
        """
        out = np.zeros((4, len(x), x.shape[1] + 1))
        offset, factor, centre, width = out
        factor[:, -1], width[:, -1] = 1.0, -1.0
        offset[: self._m, :-1], factor[: self._m, :-1] = below, mass
        if len(x) > self._m:
            factor[self._m :, :-1] = (1.0 + 1.0 / np.maximum(spread, 1e-300))[:, None]
            offset[self._m :, :-1] = 1.0 - factor[self._m :, :-1]
        centre[:, :-1] = x
        width[: self._m, :-1] = sigma
        return out.reshape(4, -1)

    def draw(self, rng: Generator, size: int) -> tuple[Matrix, Codes | None]:
        """Draw points from the joint density.

        Parameters
        ----------
        rng : Generator
            Source of randomness.
        size : int
            Number of points.

        Returns
        -------
        x : float64 array, shape (D, size)
            Coordinates of every column; the activity of the drawn codes is not applied, and a grid's coordinate may
            lie anywhere in its value's bin.
        numbers : int array, shape (size,), or None
            The combination of codes of each point, if there are few, see `Layout`.
        """
        columns, m = self._columns, self._m
        uniform = rng.random((1 + columns if self._complete else 1 + 2 * columns, size))
        slots: Codes = self._ends.searchsorted(uniform[0] * self._total, side="right")
        numbers: Codes | None = None
        if self._codes is not None:
            slots, numbers = np.divmod(slots, self._codes.shape[1])
        slots = self._slots + slots
        if not self._complete:
            lacking = self._lacks.take(slots)
            spots = uniform[1 + columns :]
            spots += self._offsets
            slots[lacking] = self._column_ends.searchsorted(spots[lacking], side="right")
        kernels: Matrix = self._kernels.take(slots, axis=1)
        offset, share, centre, width = kernels
        uniform = uniform[1 : 1 + columns]
        share *= uniform
        share += offset
        if m:
            _draw_numbers(uniform[:m], share[:m], centre[:m], width[:m])
        if self._codes is not None and numbers is not None:
            codes: Matrix = self._codes.take(numbers, axis=1)
            return np.concatenate([centre, codes]), numbers
        if m < columns:
            self._draw_codes(share[m:], centre[m:])
        return centre.copy(), None  # on its own, or it would keep all four

    def _draw_codes(self, share: Matrix, codes: Matrix) -> None:
        """Replace the trials' own codes (choices, c) by the declared quantile of `share` where that is not negative."""
        again = share >= 0.0
        share += self._offsets[: len(codes)]
        codes[again] = self._code_there.take(self._code_ends.searchsorted(share[again], side="right"))


def _apart(ends: Matrix) -> Matrix:
    """Return rows of cumulated shares (d, k) as one ascending array; the last of each row is never exceeded."""
    ends[:, -1] = 1.5
    out: Matrix = (ends + _APART * np.arange(len(ends))[:, None]).ravel()
    return out


def _draw_numbers(uniform: Matrix, share: Matrix, centre: Matrix, width: Matrix) -> None:
    """Move centres of kernels to normal quantiles of `share`, or to uniform numbers where the prior's is drawn."""
    steps = ndtri(share, out=share)
    steps *= width
    centre += steps
    np.minimum(np.maximum(centre, 0.0, out=centre), 1.0, out=centre)
    np.copyto(centre, uniform, where=width < 0.0)


def _code_shares(
    layout: Layout, codes: Matrix, held: Matrix, prior_weight: float, spread: Matrix
) -> list[Matrix]:
    """Return for each choice the probabilities of its codes under each slot, shape (n, options)."""
    found = []
    declared = [p[:k] for p, k in zip(layout.p, layout.n_options.astype(np.intp).tolist())]
    for own, weights, share, p in zip(codes, held, spread, declared):
        kernels = ((own[:, None] == np.arange(len(p))) + share * p) / (1.0 + share)
        marginal = (weights @ kernels + prior_weight * p) / (weights.sum() + prior_weight)
        kernels[weights <= 0] = marginal
        found.append(np.vstack([kernels, p]))
    return found
