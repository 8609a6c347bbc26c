"""The trials of a history as the binned densities need them, followed as the history grows.

What a trial contributes to a density does not change: where it is counted, and its kernel at the smallest bandwidth.
So that is computed once, when the trial is first seen, and kept with the history. It is a pure function of the
history's rows, which never change: what is summed over trials is rounded so that sums are exact, in whatever order
trials came.

Axes: D columns in the order of `Layout`, S smooth columns (see `tables`), n trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hpspace.dists.normal import ndtr
from hpspace.dists.special import LOG_SQRT_2PI
from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.linalg import product
from hpspace.suggest.tpe.grids import ABSENT, BINS, FIRST_VALUE, SHARE_BITS, exact
from hpspace.suggest.tpe.layout import Layout
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

    def plus(self, others: Counts, times: float) -> Counts:
        """Return what these and some others, several times, add up to."""
        return Counts(self.held + times * others.held, self.cells + times * others.cells)


class Tally:
    """Counts and kernels of the trials of a history, kept up with it.

    Parameters
    ----------
    tables : Tables
        The space's tables.

    Attributes
    ----------
    n : int
        Number of trials that are noted; the arrays have more room.
    settled : int
        Number of trials that are counted: the first of them.
    codes : int array, shape (room, D)
        Centre (see `grids`) or option of every trial, `ABSENT` or the number of options where inactive; 0 for others.
    held, cells : float64 arrays
        Those of the counted trials, see `Counts`.
    mu : float64 array, shape (room, S)
        Coordinates of the smooth columns; 0 where inactive.
    half : float64 array, shape (room, fine columns)
        Half the width of the bin of each value of a large grid, 0 where it is narrow.
    lacking : float64 array, shape (room, D)
        1 where a trial lacks a parameter.
    complete : bool
        Whether no trial lacks any.
    """

    def __init__(self, tables: Tables) -> None:
        columns = len(tables.layout.order)
        self.layout = tables.layout
        self.tables = tables
        self.n = self.settled = 0
        self.complete = True
        self.codes: Codes = np.zeros((64, columns), dtype=np.intp)
        self.held: Matrix = np.zeros(columns)
        self.cells: Matrix = np.zeros(tables.cells)
        self._kernels: Matrix = np.zeros((64, tables.features))
        self._noted = 0  # how many of them are written down
        self.mu: Matrix = np.empty((64, len(tables.smooth)))
        self.half: Matrix = np.zeros((64, len(tables.fine)))
        self.lacking: Matrix = np.zeros((64, columns))

    def follow(self, history: History, settled: int) -> None:
        """Note the rows that the history has grown by, and count the first `settled` of all."""
        if len(history) > self.n:
            self._note(history)
        for first in range(self.settled, settled, _AT_ONCE):
            rows = slice(first, min(first + _AT_ONCE, settled))
            self.held += self._held(rows)
            self._add(self.cells, rows)
        self.settled = max(self.settled, settled)

    def _note(self, history: History) -> None:
        start, n = self.n, len(history)
        self._reserve(n)
        x = history.coords[start:n].take(self.layout.order, axis=1)
        missing = np.isnan(x)
        absent = missing if missing.any() else None
        if absent is not None:
            self.complete = False
            self.lacking[start:n] = absent
            np.copyto(x, 0.0, where=absent)
        self._note_codes(history, x, absent, start)
        s = len(self.tables.smooth)
        self.mu[start:n] = x[:, :s] if s == self.layout.reals else x.take(self.tables.smooth, axis=1)
        self.n = n

    def kernels_of(self, rows: Codes) -> Matrix:
        """Return coefficients of trials' log kernels at the smallest bandwidth, shape (rows, features).

        They are 0 where a trial lacks the parameter; of a choice, whether it has each code.
        """
        if self._noted < self.n:
            self._note_kernels(slice(self._noted, self.n))
            self._noted = self.n
        return self._kernels.take(rows, axis=0)

    def of(self, rows: Codes) -> Counts:
        """Return what some trials alone add up to."""
        cells = np.zeros(self.tables.cells)
        for first in range(0, len(rows), _AT_ONCE):
            self._add(cells, rows[first : first + _AT_ONCE])
        return Counts(self._held(rows), cells)

    def _held(self, rows: Codes | slice) -> Matrix:
        """Return how many of some trials have each parameter."""
        lacking = self.lacking[rows]
        return np.asarray(len(lacking) - lacking.sum(axis=0))

    def without(self, others: Counts) -> Counts:
        """Return what is left of the counted trials when some are taken away."""
        return Counts(self.held - others.held, self.cells - others.cells)

    def _reserve(self, n: int) -> None:
        room = len(self.codes)
        while room < n:
            room *= 2
        if room > len(self.codes):
            for name in ("codes", "_kernels", "mu", "half", "lacking"):
                old = getattr(self, name)
                grown = np.zeros((room, old.shape[1]), dtype=old.dtype)
                grown[: len(old)] = old
                setattr(self, name, grown)

    # ---------------------------------------------------------------- what is known of a trial

    def _note_codes(self, history: History, x: Matrix, absent: NDArray[np.bool_] | None, start: int) -> None:
        """Find the centre or option of every value (n, D)."""
        tables, m = self.tables, self.layout.numeric
        codes = self.codes[start : start + len(x)]
        codes[:, m:] = x[:, m:]
        if absent is not None:
            np.copyto(codes[:, m:], tables.n_options, where=absent[:, m:])
        if not len(tables.tabled):
            return
        there = tables.edges.searchsorted(x[:, tables.tabled_part] + tables.offsets.T, side="right")
        centres = tables.value_there.take(there)
        if absent is not None:
            np.copyto(centres, ABSENT - FIRST_VALUE, where=absent.take(tables.tabled, axis=1))
        if tables.fine:
            self.half[start : start + len(x)] = tables.half_there.take(there.take(tables.fine_ones, axis=1))
            for i, place in np.argwhere(centres == tables.sizes.T).tolist():
                centres[i, place] = self._new_centre(history, start + i, tables.rows[place]) - FIRST_VALUE
        np.add(centres, FIRST_VALUE, out=codes[:, tables.tabled_part])

    def _new_centre(self, history: History, row: int, column: int) -> int:
        """Return the centre at a value of a large grid that is in no table."""
        low, high = history.bins_of(np.array([row]))
        place = self.layout.order[column]
        width = float(high[0, place] - low[0, place])
        return self.tables.grids[column].centre(float(history.coords[row, place]), width)

    def _note_kernels(self, rows: slice) -> None:
        """Write down the coefficients of trials' kernels."""
        tables, s, kernels = self.tables, len(self.tables.smooth), self._kernels[rows]
        if s:
            normal_kernels(self.mu[rows], self.bandwidths(rows, tables.min_bandwidth), kernels[:, : 3 * s])
            if not self.complete:
                here = 1.0 - self.lacking[rows].take(tables.smooth, axis=1)
                kernels[:, : 3 * s].reshape(len(here), 3, s)[:] *= here[:, None, :]
        if len(tables.p):
            codes = self.codes[rows, self.layout.numeric :]  # where inactive none of the options
            kernels[:, 3 * s : -1] = codes.take(tables.choice, axis=1) == tables.option.T

    def bandwidths(self, rows: Codes | slice, sigma: float | Matrix) -> float | Matrix:
        """Return the bandwidths of the smooth columns' kernels, given the columns' own (S,).

        A kernel at a value of a large grid is at least as wide as half the value's bin.
        """
        if not self.tables.fine:
            return sigma
        half = self.half[rows]
        out = np.empty((len(half), len(self.tables.smooth)))
        out[:] = sigma
        fine = out[:, self.layout.reals :]
        np.maximum(fine, half, out=fine)
        return out

    # ---------------------------------------------------------------- what trials add up to

    def _add(self, cells: Matrix, rows: Codes | slice) -> None:
        """Add the kernels of some trials to cells; sums are exact, so that the order does not matter."""
        tables, layout, r = self.tables, self.layout, self.layout.reals
        if r:
            smooth = cells[: BINS * r].reshape(r, BINS)
            smooth += _spread_out(tables.bins(0), *self._shares(rows))
        if len(tables.tabled):
            self._add_grids(cells, rows)
        if layout.numeric < len(layout.order):
            self._add_codes(cells, rows)

    def _add_codes(self, cells: Matrix, rows: Codes | slice) -> None:
        m = self.layout.numeric
        codes = self.codes[rows, m:] + self.tables.code_cells.T
        if self.complete:
            np.add.at(cells, codes, 1.0)
        else:
            np.add.at(cells, codes, 1.0 - self.lacking[rows, m:])

    def _shares(self, rows: Codes | slice) -> tuple[Codes, Matrix, Matrix]:
        """Return the first of the two nearest bins of continuous coordinates, and the weights of both; (n, R) each."""
        r = self.layout.reals
        left, share = nearest_bins(self.mu[rows, :r])
        share = exact(share, SHARE_BITS)
        rest = 1.0 - share
        if not self.complete:
            here = 1.0 - self.lacking[rows, :r]
            share *= here
            rest *= here
        return left, rest, share

    def _add_grids(self, cells: Matrix, rows: Codes | slice) -> None:
        tables = self.tables
        codes = self.codes[rows][:, tables.tabled_part]  # (n, G)
        for table, place, count in tables.runs:
            if len(codes) == count == 1 and codes[0, place] == ABSENT:
                continue
            masses = table.level(tables.min_bandwidth).masses.take(codes[:, place : place + count], axis=0)
            sums = masses.sum(axis=0) if len(masses) > 1 else masses[0]  # (count, L), or more columns
            size = len(table)
            first = tables.first_value[int(tables.tabled[place])]
            cells[first : first + count * size] += sums[:, :size].ravel()
            if not table.complete:
                start = BINS * (self.layout.reals + tables.fine_ones.tolist().index(place))
                cells[start : start + count * BINS] += sums[:, size:].ravel()

    def wide_sums(self, rows: Codes, row: int, level: int) -> Matrix:
        """Return the sums of the kernels of a continuous column's trials, of another bandwidth, shape (B,)."""
        left, rest, share = self._shares(rows)
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
    n, r = left.shape
    if n == 1:
        out: Matrix = bins.take(left[0], axis=0) * rest.T
        out += bins.take(left[0] + 1, axis=0) * share.T
        return out
    counts = np.zeros((r, BINS))
    column = np.arange(r)
    np.add.at(counts, (column, left), rest)
    np.add.at(counts, (column, left + 1), share)
    return product(counts, bins)


def normal_kernels(mu: Matrix, sigma: float | Matrix, out: Matrix) -> None:
    """Write the coefficients of log normal kernels (n, S) into `out` (n, 3 S): of x^2, of x, and of 1."""
    s = mu.shape[1]
    steep = 1.0 / sigma
    z = mu * steep
    mass = ndtr(steep - z)
    mass -= ndtr(-z)
    out[:, :s] = -0.5 * steep * steep
    np.multiply(z, steep, out=out[:, s : 2 * s])
    z *= z
    z *= -0.5
    z -= np.log(mass)
    np.subtract(z, np.log(sigma) + LOG_SQRT_2PI, out=out[:, 2 * s :])


def nearest_bins(x: Matrix) -> tuple[Codes, Matrix]:
    """Return the bin whose centre is next below each coordinate, and the share of the way to the next centre.

    Within half a bin of the ends of [0, 1] the outermost two centres are used: the share leaves [0, 1] there.
    """
    place = x * BINS
    place -= 0.5
    left = np.minimum(np.maximum(place, 0.0), BINS - 2.0).astype(np.intp)
    place -= left
    return left, place


_TALLIES: WeakKeyDictionary[History, dict[float, Tally]] = WeakKeyDictionary()


def tally_of(
    space: CompiledSpace, layout: Layout, history: History, min_bandwidth: float, settled: int | None = None
) -> Tally:
    """Return the tally of a history, up to date, with the first `settled` trials counted, by default all."""
    of_history = _TALLIES.setdefault(history, {})
    tally = of_history.get(min_bandwidth)
    if tally is None:
        tally = of_history[min_bandwidth] = Tally(tables_of(space, layout, min_bandwidth))
    tally.follow(history, len(history) if settled is None else settled)
    return tally
