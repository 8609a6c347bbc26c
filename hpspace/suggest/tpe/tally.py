"""How often every value occurs in a history, and tables of the kernels that smooth such counts.

What `background` needs of the past: `Tables` depend on a space and a bandwidth alone, a `Tally` counts the trials of
a history in bins and follows it as it grows. Both are kept between calls, and both are pure functions of what they
are kept for, since the values in a history's rows never change.

Axes: D columns in the order of `Layout`, R reals, G grids, n trials, B bins, L values of a grid.
"""

from __future__ import annotations

import math
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hpspace.dists.normal import ndtr
from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.layout import Layout

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Bins of a continuous parameter.
BINS = 128
#: Bandwidths below this are not resolved by the bins.
SMALLEST_BANDWIDTH = 3.5 / BINS
#: A grid of more values than this has no table; its kernels are evaluated as in `Parzen`.
MOST_VALUES = 256
#: Bandwidths are rounded up to the smallest one times a power of this.
_RATIO = math.sqrt(2.0)

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


def normal_tables(centres: Matrix, sigma: float | Matrix) -> tuple[Matrix, Matrix]:
    """Return the normal mass on [0, 1] of kernels at centres (k,), and their log peak densities, shape (k,)."""
    mass = ndtr((1.0 - centres) / sigma) - ndtr(-centres / sigma)
    return mass, -np.log(sigma * mass) - _LOG_SQRT_2PI


class Grids:
    """The grid columns that are small enough for a table of values.

    Parameters
    ----------
    space : CompiledSpace
        The space.
    layout : Layout
        Its layout.
    """

    def __init__(self, space: CompiledSpace, layout: Layout) -> None:
        self.rows: list[int] = []
        #: Rows of the layout whose grids are too large, infinite, or depend on other parameters.
        self.others: list[int] = []
        self.low: list[Matrix] = []
        self.high: list[Matrix] = []
        for row in range(layout.reals, layout.numeric):
            dist = space.params[int(layout.order[row])].dist
            if dist is not None and dist.size is not None and dist.size <= MOST_VALUES:
                low, high = dist.unit_bins(dist.values())
                self.rows.append(row)
                self.low.append(low)
                self.high.append(high)
            else:
                self.others.append(row)

    @cached_property
    def widest(self) -> int:
        """The most values of any of the grids, at least 1."""
        return max((len(low) for low in self.low), default=1)

    def log_masses(self, g: int, sigma: float) -> Matrix:
        """Return the log mass of each value under the kernel at each value of grid g, shape (L kernels, L values)."""
        low, high = self.low[g], self.high[g]
        centre, width = 0.5 * (low + high), np.maximum(sigma, 0.5 * (high - low))[:, None]
        a, b = (low - centre[:, None]) / width, (high - centre[:, None]) / width
        above = a + b > 0  # take the smaller tail
        mass = ndtr(np.where(above, -a, b)) - ndtr(np.where(above, -b, a))
        inside, _ = normal_tables(centre[:, None], width)
        return np.asarray(np.log(np.maximum(mass / inside, 1e-300)))


class Tables:
    """What depends on the space and on a bandwidth only, made when first asked for.

    Parameters
    ----------
    space, layout
        The space and its layout.
    min_bandwidth : float
        Smallest bandwidth.
    """

    def __init__(self, space: CompiledSpace, layout: Layout, min_bandwidth: float) -> None:
        self.min_bandwidth = min_bandwidth
        self.grids = Grids(space, layout)
        self._bins: dict[int, Matrix] = {}
        self._masses: dict[tuple[int, int], Matrix] = {}

    def level(self, counts: NDArray[np.float64]) -> Codes:
        """Return the rounded bandwidth of columns with a number of trials: a power of `_RATIO`."""
        sigma = np.clip(1.5 / np.maximum(counts, 1.0), self.min_bandwidth, 1.0)
        return np.ceil(np.log(sigma / self.min_bandwidth) / math.log(_RATIO) - 1e-9).astype(np.intp)

    def sigma(self, levels: Codes) -> Matrix:
        """Return the bandwidths of levels."""
        return np.asarray(self.min_bandwidth * _RATIO ** levels.astype(np.float64))

    def bins(self, level: int) -> Matrix:
        """Return the density at each bin's centre of the kernel at each bin's centre, shape (B kernels, B)."""
        if level not in self._bins:
            centres, sigma = (np.arange(BINS) + 0.5) / BINS, self.min_bandwidth * _RATIO**level
            _, log_peak = normal_tables(centres, sigma)
            z = (centres - centres[:, None]) / sigma
            self._bins[level] = np.exp(log_peak[:, None] - 0.5 * z * z)
        return self._bins[level]

    def masses(self, g: int, level: int) -> Matrix:
        """Return `Grids.log_masses` of grid g at a level, padded to the widest grid."""
        if (g, level) not in self._masses:
            table = np.full((self.grids.widest, self.grids.widest), -690.0)
            masses = self.grids.log_masses(g, self.min_bandwidth * _RATIO**level)
            table[: len(masses), : len(masses)] = masses
            self._masses[g, level] = table
        return self._masses[g, level]


class Tally:
    """How often each bin, value and option occurs in a history, kept up with it.

    Parameters
    ----------
    layout : Layout
        The space's layout.
    tables : Tables
        The space's tables.

    Attributes
    ----------
    codes : int array, shape (rows, D)
        Bin, position of the value, or option of every trial; -1 where inactive. A grid without a table has code 0.
    counts : float64 array, shape (D, codes)
        Number of trials with each code.
    peaks : float64 array, shape (rows, R)
        Log peak density of a kernel of the smallest bandwidth at every continuous coordinate; 0 where inactive.
    """

    def __init__(self, layout: Layout, tables: Tables) -> None:
        self.layout = layout
        self.tables = tables
        self.n = 0
        widest = max(BINS, tables.grids.widest, layout.p.shape[1])
        self.codes: Codes = np.empty((64, len(layout.order)), dtype=np.intp)
        self.counts: Matrix = np.zeros((len(layout.order), widest))
        self.peaks: Matrix = np.empty((64, layout.reals))

    def follow(self, history: History) -> None:
        """Count the rows that the history has grown by."""
        n = len(history)
        if n == self.n:
            return
        while n > len(self.codes):
            self.codes = np.concatenate([self.codes, np.empty_like(self.codes)])
            self.peaks = np.concatenate([self.peaks, np.empty_like(self.peaks)])
        x = history.coords[self.n : n].T[self.layout.order]
        self.codes[self.n : n] = self.code(x).T
        self._add(self.counts, x, self.codes[self.n : n].T, 1.0)
        _, peaks = normal_tables(x[: self.layout.reals], self.tables.min_bandwidth)
        self.peaks[self.n : n] = np.nan_to_num(peaks).T
        self.n = n

    def without(self, history: History, rows: Codes) -> Matrix:
        """Return the counts of all trials but some, shape (D, codes)."""
        counts = self.counts.copy()
        self._add(counts, history.coords[rows].T[self.layout.order], self.codes[rows].T, -1.0)
        return counts

    def _add(self, counts: Matrix, x: Matrix, codes: Codes, weight: float) -> None:
        """Count trials (D, n); a continuous coordinate is shared out to the two nearest bins."""
        r = self.layout.reals
        column, trial = np.nonzero(codes[r:] >= 0)
        np.add.at(counts, (column + r, codes[r:][column, trial]), weight)
        column, trial = np.nonzero(codes[:r] >= 0)
        left, share = nearest_bins(x[:r][column, trial])
        np.add.at(counts, (column, left), weight * (1.0 - share))
        np.add.at(counts, (column, left + 1), weight * share)

    def code(self, x: Matrix) -> Codes:
        """Return the codes of coordinates (D, n) in the layout's order, NaN where inactive; shape (D, n)."""
        absent = np.isnan(x)
        filled = np.where(absent, 0.0, x)
        codes = filled.astype(np.intp)  # right for choices
        codes[: self.layout.numeric] = 0
        grids = self.tables.grids
        for row, low in zip(grids.rows, grids.low):
            codes[row] = np.maximum(np.searchsorted(low, filled[row], side="right") - 1, 0)
        codes[absent] = -1
        return codes


def nearest_bins(x: Matrix) -> tuple[Codes, Matrix]:
    """Return the bin whose centre is next below each coordinate, and the share of the way to the next centre.

    Within half a bin of the ends of [0, 1] the outermost two centres are used: the share leaves [0, 1] there.
    """
    place = x * BINS - 0.5
    left = np.minimum(np.maximum(place, 0.0).astype(np.intp), BINS - 2)
    return left, place - left


_TALLIES: WeakKeyDictionary[History, dict[float, Tally]] = WeakKeyDictionary()
_TABLES: WeakKeyDictionary[CompiledSpace, dict[float, Tables]] = WeakKeyDictionary()


def tally_of(space: CompiledSpace, layout: Layout, history: History, min_bandwidth: float) -> Tally:
    """Return the tally of a history, up to date."""
    of_space = _TABLES.setdefault(space, {})
    tables = of_space.get(min_bandwidth)
    if tables is None:
        tables = of_space[min_bandwidth] = Tables(space, layout, min_bandwidth)
    of_history = _TALLIES.setdefault(history, {})
    tally = of_history.get(min_bandwidth)
    if tally is None:
        tally = of_history[min_bandwidth] = Tally(layout, tables)
    tally.follow(history)
    return tally
