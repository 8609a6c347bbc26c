"""What the first trials of a history add up to, followed as more of them count.

It is kept with the history, and a pure function of its rows, which never change: what is summed over trials is rounded
so that sums are exact, in whatever order trials came.

Axes: D columns in the order of `Layout`, S smooth columns (see `tables`), n trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.linalg import product
from hpspace.suggest.tpe.grids import BINS, SHARE_BITS, exact
from hpspace.suggest.tpe.layout import Layout
from hpspace.suggest.tpe.notes import Notes
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables, tables_of

#: So many trials are added at once, for the sake of memory.
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Counts:
    """What some trials add up to.

    Parameters
    ----------
    held : float64 array, shape (D,)
        Number of trials that have each parameter.
    cells : float64 array, shape (cells,)
        Sums of their kernels of the smallest bandwidth in each cell; of a choice how often each code occurs.
    """

    held: Matrix
    cells: Matrix

    def plus(self, others: Counts, times: float = 1.0) -> Counts:
        """Return what these and some others, several times, add up to."""
        return Counts(self.held + times * others.held, self.cells + times * others.cells)


class Tally:
    """Counts of the first trials of a history, kept up with it, and what is noted of each.

    Parameters
    ----------
    tables : Tables
        The space's tables.

    Attributes
    ----------
    n : int
        Number of trials that are counted.
    held, cells : float64 arrays
        See `Counts`.
    """

    def __init__(self, tables: Tables) -> None:
        columns = len(tables.layout.order)
        self.layout = tables.layout
        self.tables = tables
        self.n = 0
        self.held: Matrix = np.zeros(columns)
        self.cells: Matrix = np.zeros(tables.cells)
        self._complete = True
        # with more room than trials
        self._codes: Codes = np.zeros((64, columns), dtype=np.intp)
        self._mu: Matrix = np.zeros((64, len(tables.smooth)))
        self._half: Matrix = np.zeros((64, len(tables.fine)))
        self._lacking: NDArray[np.bool_] = np.zeros((64, columns), dtype=bool)

    @property
    def notes(self) -> Notes:
        """What is noted of the trials that are counted."""
        lacking = None if self._complete else self._lacking[: self.n]
        return Notes(self._codes[: self.n], self._mu[: self.n], self._half[: self.n], lacking)

    def follow(self, history: History, n: int) -> None:
        """Count the first n trials of the history."""
        for first in range(self.n, n, _AT_ONCE):
            end = min(first + _AT_ONCE, n)
            self._reserve(end)
            some, rows = Notes.of(self.tables, history, first, end), slice(first, end)
            self._codes[rows], self._mu[rows], self._half[rows] = some.codes, some.mu, some.half
            if some.lacking is not None:
                self._lacking[rows] = some.lacking
                self._complete = False
            sums = Counts(self.held, self.cells).plus(self._counts(some))
            # all at once and last: an interrupt before leaves these trials to be counted the next time
            self.n, self.held, self.cells = end, sums.held, sums.cells

    def of(self, rows: Codes) -> Counts:
        """Return what some trials alone add up to."""
        notes, sums = self.notes, Counts(np.zeros(len(self.held)), np.zeros(len(self.cells)))
        for first in range(0, len(rows), _AT_ONCE):
            sums = sums.plus(self._counts(notes.take(rows[first : first + _AT_ONCE])))
        return sums

    def without(self, others: Counts) -> Counts:
        """Return what is left of the counted trials when some are taken away."""
        return Counts(self.held - others.held, self.cells - others.cells)

    def _reserve(self, n: int) -> None:
        room = len(self._codes)
        while room < n:
            room *= 2
        if room > len(self._codes):
            for name in ("_codes", "_mu", "_half", "_lacking"):
                old = getattr(self, name)
                grown = np.zeros((room, old.shape[1]), dtype=old.dtype)
                grown[: len(old)] = old
                setattr(self, name, grown)

    # ---------------------------------------------------------------- what trials add up to

    def _counts(self, some: Notes) -> Counts:
        """Return what trials add up to; sums are exact, so that the order does not matter."""
        tables, layout, r = self.tables, self.layout, self.layout.reals
        cells = np.zeros(tables.cells)
        if r:
            cells[: BINS * r] = _spread_out(tables.bins(0), *self._shares(some)).ravel()
        if len(tables.tabled):
            self._add_grids(cells, some)
        if layout.numeric < len(layout.order):
            self._add_codes(cells, some)
        held = np.full(len(layout.order), float(len(some)))
        return Counts(held if some.lacking is None else held - some.lacking.sum(axis=0), cells)

    def _add_codes(self, cells: Matrix, some: Notes) -> None:
        m = self.layout.numeric
        codes = some.codes[:, m:] + self.tables.code_cells.T
        np.add.at(cells, codes, 1.0 if some.lacking is None else ~some.lacking[:, m:])

    def _shares(self, some: Notes) -> tuple[Codes, Matrix, Matrix]:
        """Return the first of the two nearest bins of continuous coordinates, and the weights of both; (n, R) each."""
        r = self.layout.reals
        left, share = nearest_bins(some.mu[:, :r])
        share = exact(share, SHARE_BITS)
        rest = 1.0 - share
        if some.lacking is not None:
            here = ~some.lacking[:, :r]
            share *= here
            rest *= here
        return left, rest, share

    def _add_grids(self, cells: Matrix, some: Notes) -> None:
        tables = self.tables
        codes = some.codes[:, tables.tabled_part]  # (n, G)
        for table, place, count in tables.runs:
            masses = table.level(tables.min_bandwidth).masses.take(codes[:, place : place + count], axis=0)
            sums = masses.sum(axis=0)  # (count, L), or more columns
            size = len(table)
            first = tables.first_value[int(tables.tabled[place])]
            cells[first : first + count * size] += sums[:, :size].ravel()
            if not table.complete:
                start = BINS * (self.layout.reals + tables.fine_ones.tolist().index(place))
                cells[start : start + count * BINS] += sums[:, size:].ravel()

    def wide_sums(self, some: Notes, row: int, level: int) -> Matrix:
        """Return the sums of the kernels of a continuous column's trials, of another bandwidth, shape (B,)."""
        left, rest, share = self._shares(some)
        mine = slice(row, row + 1)
        sums: Matrix = _spread_out(self.tables.bins(level), left[:, mine], rest[:, mine], share[:, mine])[0]
        return sums


def _spread_out(bins: Matrix, left: Codes, rest: Matrix, share: Matrix) -> Matrix:
    """Return the sums of kernels (kernels, B), at bins and at the next ones, with weights; shape (R, B).

    Parameters
    ----------
    bins : float64 array, shape (B, B)
        Kernels at the bins' centres.
    left : int array, shape (n, R)
        The first bins.
    rest, share : float64 arrays, shape (n, R)
        Weights of the first bins, and of the next ones.
    """
    r = left.shape[1]
    counts = np.zeros((r, BINS))
    column = np.arange(r)
    np.add.at(counts, (column, left), rest)
    np.add.at(counts, (column, left + 1), share)
    return product(counts, bins)


def nearest_bins(x: Matrix) -> tuple[Codes, Matrix]:
    """Return the bin whose centre is next below each coordinate, and the share of the way to the next centre.

    Within half a bin of the ends of [0, 1] the outermost two centres are used: the share leaves [0, 1] there.
    """
    place = x * BINS
    place -= 0.5
    left = np.minimum(place, BINS - 2.0).astype(np.intp)  # which cuts off: the lowest is 0
    place -= left
    return left, place


_TALLIES: WeakKeyDictionary[History, dict[float, Tally]] = WeakKeyDictionary()


def tally_of(
    space: CompiledSpace, layout: Layout, history: History, min_bandwidth: float, n: int | None = None
) -> Tally:
    """Return the tally of a history, with the first n trials counted, by default all."""
    of_history = _TALLIES.setdefault(history, {})
    tally = of_history.get(min_bandwidth)
    if tally is None:
        tally = of_history[min_bandwidth] = Tally(tables_of(space, layout, min_bandwidth))
    tally.follow(history, len(history) if n is None else n)
    return tally
