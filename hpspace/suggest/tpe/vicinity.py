"""Which of very many bad trials become kernels of the joint density: those near the good ones, and a sample of all.

Where candidates lie, near the good trials, the near bad ones decide; of the others an even sample over time will do.
A new trial changes little in this, so distances are kept, and the choice is brought up to date instead of made anew
until other trials are good.

All of it is a pure function of the history and of which trials are good: distances are sums of multiples of 2**-30,
exact in any order, and which trials are looked at or sampled follows from the number of trials alone.

Called by `evidence`. Axes: n trials, D columns of the space, in the order of `Layout` but in a history's arrays.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.suggest.tpe.grids import exact
from hpspace.suggest.tpe.layout import Layout
from hpspace.suggest.tpe.tables import Codes, Matrix

T = TypeVar("T", bound=np.generic)

#: Near trials that are kernels.
NEAR = 64

#: About so many trials, between this and twice as many, are sampled from all.
SAMPLED = 64

#: Near ones are sought among the latest trials, between this number and twice as many, and a sample of the others.
LOOKED_AT = 1024

#: A trial that lacks a parameter counts as this far (squared) from the good ones in it.
_ABSENT = 0.25

#: Squared distances are multiples of 2**-this, so that sums of them are exact.
_BITS = 30


class Vicinity:
    """The choice of kernels for one set of good trials.

    Parameters
    ----------
    layout : Layout
        The columns.
    coords : float64 array, shape (g, D)
        Coordinates of the good ones.
    good : int array, shape (g,)
        Their rows.
    """

    def __init__(self, layout: Layout, coords: Matrix, good: Codes) -> None:
        self._good = good
        self._order = layout.order
        self._numeric = layout.numeric  # in this order choices come after so many columns
        self._describe(layout, coords.take(layout.order, axis=1))
        self._forget()

    def _describe(self, layout: Layout, coords: Matrix) -> None:
        """Note the middle of the good trials, and how rare each code is among them."""
        known = coords == coords
        sums = np.where(known, coords, 0.0).sum(axis=0)
        self._centre = sums / np.maximum(known.sum(axis=0), 1)
        codes = coords[:, self._numeric :]
        options = np.arange(layout.p.shape[1])
        shares = (codes[:, :, None] == options).sum(axis=0) / max(1, len(coords))  # (choices, options)
        self._rare = (1.0 - shares).ravel()
        # where each choice begins in it
        self._first = len(options) * np.arange(len(shares), dtype=np.float64)

    def _forget(self) -> None:
        self._n = 0
        self._base = -1
        self._distances: Matrix = np.empty(0)
        self._near: Codes = np.empty(0, dtype=np.intp)
        self._taken = np.zeros(64, dtype=bool)

    def rows(self, history: History, n: int) -> tuple[Codes, NDArray[np.float64]]:
        """Return the rows of the kernels, and the weight of each, which sum to the number of bad trials.

        Parameters
        ----------
        history : History
            The trials.
        n : int
            Only the first so many of them count, at least one of them bad; up to `NEAR` bad ones are all near.

        Returns
        -------
        rows : int array
            The near ones, nearest first, then the sample in order of insertion.
        weights : float64 array
            1 for the near ones; the others stand for all others.
        """
        bad = n - int(np.count_nonzero(self._good < n))
        self._follow(history, n)
        stride = max(1, n // SAMPLED)
        sample = np.arange(stride // 2, n, stride)
        rows = np.concatenate([self._near, sample[~self._taken[sample]]])
        near = len(self._near)
        weights = np.ones(len(rows))
        if len(rows) > near:
            weights[near:] = (bad - near) / (len(rows) - near)
        else:
            weights *= bad / near
        return rows, weights

    def _follow(self, history: History, n: int) -> None:
        """Bring the near trials up to date."""
        base = LOOKED_AT * max(0, n // LOOKED_AT - 1)
        if base != self._base or n < self._n:
            self._forget()
            self._begin(history, base, n)
        elif n > self._n:
            distances = self._apart(history.coords[self._n : n])
            for row, distance in zip(range(self._n, n), distances.tolist()):
                self._consider(row, distance)
        self._n = n

    def _begin(self, history: History, base: int, n: int) -> None:
        """Look for the near ones among the trials from `base` on and a sample of those before."""
        rows = np.arange(base, n)
        if base:
            rows = np.concatenate([np.arange(0, base, -(-base // LOOKED_AT)), rows])
        distances = self._apart(history.coords[rows])
        distances[np.isin(rows, self._good)] = np.inf
        order = np.lexsort((rows, distances))[:NEAR]
        order = order[distances[order] < np.inf]
        self._near, self._distances, self._base = rows[order], distances[order], base
        self._taken = np.zeros(2 * n, dtype=bool)
        self._taken[self._near] = self._taken[self._good] = True

    def _consider(self, row: int, distance: float) -> None:
        """Let a new trial take its place among the near ones, if it is one."""
        if row >= len(self._taken):
            self._taken = np.concatenate([self._taken, np.zeros_like(self._taken)])
        full = len(self._near) == NEAR
        if (full and distance >= self._distances[-1]) or self._taken[row]:
            return
        place = int(self._distances.searchsorted(distance, side="right"))
        if full:
            self._taken[self._near[-1]] = False
        self._taken[row] = True
        self._near = _inserted(self._near, place, row, full)
        self._distances = _inserted(self._distances, place, distance, full)

    def _apart(self, coords: Matrix) -> Matrix:
        """Return how far trials (n, D) are from the good ones; a code counts by how rare it is among them."""
        apart = coords.take(self._order, axis=1)
        absent = np.isnan(apart)
        np.copyto(apart, 0.0, where=absent)
        codes = apart[:, self._numeric :] + self._first
        apart -= self._centre
        apart *= apart
        if len(self._first):
            apart[:, self._numeric :] = self._rare.take(codes.astype(np.intp))
        np.copyto(apart, _ABSENT, where=absent)
        return np.asarray(exact(apart, _BITS).sum(axis=1))


def _inserted(array: NDArray[T], place: int, value: float, full: bool) -> NDArray[T]:
    """Return an array with a value at a place, and without its last if it was full."""
    out: NDArray[T] = np.empty(len(array) + (not full), dtype=array.dtype)
    out[:place] = array[:place]
    out[place] = value
    out[place + 1 :] = array[place : len(out) - 1]
    return out
