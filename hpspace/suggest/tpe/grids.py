"""Tables of kernels on the grid columns: what a kernel at one value gives to every other value.

The mass of a normal kernel in the bin of a value takes two values of the normal cdf, too dear to be computed for every
candidate and trial. But trials share values, and a history's bandwidths are few. So each grid column keeps a table per
bandwidth: one column for every value that a kernel has stood at (a *centre*), one row for every value that is wide
enough to be told from its neighbours (a *tabled* value). Centres are added as trials bring them.

Of a small grid all values are tabled. Of a large or endless one only those whose bin is at least `NARROW` wide are;
to a narrower one a kernel gives its density times the width of the bin, as if the parameter were continuous (within
0.0001 of the exact logarithm at the kernel, 0.003 at five bandwidths from it).

Called by `tables`, which knows the columns. Axes: L tabled values, k centres, B bins.
"""

from __future__ import annotations

import math
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hpspace.dists import Distribution
from hpspace.dists.normal import ndtr

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Bins of a continuous parameter.
BINS = 128
#: A grid of at most this many values is tabled completely.
MOST_VALUES = 256
#: Otherwise the values whose bins are at least this wide are, in prior quantiles: a 27th of the smallest bandwidth.
NARROW = 1.0 / 1024
#: Masses and densities that are summed over trials are multiples of 2**-bits, and their sums thus exact: of up to
#: 100,000 trials, a thousandth of which a share of a bin may be.
MASS_BITS, DENSITY_BITS, SHARE_BITS = 32, 22, 10
#: The centre of trials that lack the parameter: its kernel is 1 everywhere, and counts for nothing.
ABSENT = 0
#: The centre that stands for the declared distribution; it counts for nothing either.
PRIOR = 1
#: The centre at the first tabled value; the others follow.
FIRST_VALUE = 2

_CENTRES = (np.arange(BINS) + 0.5) / BINS
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


def normal_tables(centres: Matrix, sigma: float | Matrix) -> tuple[Matrix, Matrix]:
    """Return the normal mass on [0, 1] of kernels at centres (k,), and their log peak densities, shape (k,)."""
    mass = ndtr((1.0 - centres) / sigma) - ndtr(-centres / sigma)
    return mass, -np.log(sigma * mass) - _LOG_SQRT_2PI


def log_bin_masses(low: Matrix, high: Matrix, mu: Matrix, sigma: Matrix) -> Matrix:
    """Return the log masses of bins under normal kernels truncated to [0, 1]; the arguments broadcast."""
    a, b = (low - mu) / sigma, (high - mu) / sigma
    above = a + b > 0  # take the smaller tail: far above the kernel both cdfs round to 1
    mass = ndtr(np.where(above, -a, b)) - ndtr(np.where(above, -b, a))
    inside, _ = normal_tables(mu, sigma)
    return np.asarray(np.log(np.maximum(mass / inside, 1e-300)))


def exact(numbers: Matrix, bits: int) -> Matrix:
    """Return numbers rounded to multiples of 2**-bits, so that sums of them are exact in any order."""
    scaled = numbers * 2.0**bits
    np.rint(scaled, out=scaled)
    scaled *= 2.0**-bits
    return scaled


def densities(mu: Matrix, sigma: Matrix) -> Matrix:
    """Return the densities of truncated normal kernels (k,) at the centres of the bins, shape (k, B)."""
    _, log_peak = normal_tables(mu, sigma)
    z = (_CENTRES - mu[:, None]) / sigma[:, None]
    return np.asarray(np.exp(log_peak[:, None] - 0.5 * z * z))


class GridTable:
    """The tabled values of one grid column, or of several alike, and the centres that have occurred.

    Parameters
    ----------
    low, high : float64 arrays, shape (L,)
        Unit bins of the tabled values, ascending.
    complete : bool
        Whether the column has no other values.

    Attributes
    ----------
    widths : float64 array, shape (L,)
        Declared probabilities of the tabled values.
    mu, width : float64 arrays
        Middle of each centre's bin, and its width; there may be more room than centres. Those at tabled values come
        first, from `FIRST_VALUE` on.
    """

    def __init__(self, low: Matrix, high: Matrix, complete: bool) -> None:
        self.low = low
        self.high = high
        self.complete = complete
        self.widths = np.maximum(high - low, 1e-300)
        self.n = FIRST_VALUE + len(low)
        room = self.n if complete else 2 * self.n + 64
        self.mu, self.width = np.full(room, 0.5), np.ones(room)
        self.mu[FIRST_VALUE : self.n], self.width[FIRST_VALUE : self.n] = 0.5 * (low + high), high - low
        self._place: dict[float, int] = {}
        self._levels: dict[float, Level] = {}
        self._growing = Lock()  # a space may be searched by several threads at once

    @classmethod
    def of(cls, dist: Distribution) -> GridTable:
        """Return the table of a distribution on a grid."""
        if dist.size is not None and dist.size <= MOST_VALUES:
            return cls(*dist.unit_bins(dist.values()), complete=True)
        # a bin of width w holds a point of any even grid of more than 1 / w points
        spots = (np.arange(2.0 / NARROW) + 0.5) * (0.5 * NARROW)
        low, high = dist.unit_bins(np.unique(dist.quantile(spots)))
        wide = high - low >= NARROW
        return cls(low[wide], high[wide], complete=False)

    @property
    def key(self) -> tuple[bytes, bytes, bool]:
        """Equal for tables that can stand for each other."""
        return self.low.tobytes(), self.high.tobytes(), self.complete

    def __len__(self) -> int:
        return len(self.low)

    def stretches(self) -> tuple[Matrix, Codes]:
        """Return where the stretches of [0, 1] begin that one value has, and that value; L if it is not tabled."""
        size = len(self)
        if self.complete:
            return np.append(-0.5, self.low[1:]), np.arange(
                size
            )  # the first has all that is below the second
        gap = np.append(self.low[1:] > self.high[:-1], True)[:size]  # behind which ones others follow
        starts = np.stack([self.low, self.high], axis=1)[np.stack([np.ones(size, dtype=bool), gap], axis=1)]
        values = np.stack([np.arange(size), np.full(size, size)], axis=1)
        values = values[np.stack([np.ones(size, dtype=bool), gap], axis=1)]
        return np.append(-0.5, starts), np.append(size, values)

    def centre(self, mu: float, width: float) -> int:
        """Return the centre at a value that is not tabled, by the middle of its bin; made if it is new."""
        place = self._place.get(mu)
        if place is not None:
            return place
        with self._growing:
            if self.n == len(self.mu):
                self.mu, self.width = (np.concatenate([a, np.empty_like(a)]) for a in (self.mu, self.width))
            if mu not in self._place:
                self.mu[self.n], self.width[self.n] = mu, width
                self._place[mu] = self.n
                self.n += 1
            return self._place[mu]

    def level(self, sigma: float) -> Level:
        """Return the kernels of a bandwidth, at every centre."""
        found = self._levels.get(sigma)
        if found is None or found.n < self.n:
            with self._growing:
                found = self._levels.setdefault(sigma, Level(self, sigma))
                found.extend()
        return found


class Level:
    """The kernels of one bandwidth of one grid column.

    Parameters
    ----------
    table : GridTable
        The column.
    sigma : float
        Bandwidth; a kernel is at least as wide as half the bin that it stands at.

    Attributes
    ----------
    log_masses : float64 array, shape (L + 1, centres)
        Log masses of the tabled values; the last row is 0, for points that have none of them.
    masses : float64 array, shape (centres, L) or (centres, L + B)
        Masses of the tabled values; and densities at the centres of the bins if there are other values. Multiples
        of 2**-`MASS_BITS` and 2**-`DENSITY_BITS`.
    n : int
        Number of centres that are filled in; there may be room for more.
    """

    def __init__(self, table: GridTable, sigma: float) -> None:
        self._table = table
        self._sigma = sigma
        self.log_masses = np.zeros((len(table) + 1, 0))
        self.masses = np.zeros((0, len(table) + (0 if table.complete else BINS)))
        self.n = 0

    def extend(self) -> None:
        """Add the centres that the column has got since."""
        table, start, stop, size = self._table, self.n, self._table.n, len(self._table)
        if len(self.masses) < stop:
            room = len(table.mu)
            self.masses = _grown(self.masses, (room, self.masses.shape[1]))
            self.log_masses = _grown(self.log_masses, (size + 1, room))
        mu, width = table.mu[start:stop], table.width[start:stop]
        sigma = np.maximum(self._sigma, 0.5 * width)
        logs = log_bin_masses(table.low, table.high, mu[:, None], sigma[:, None])
        self.log_masses[:size, start:stop] = logs.T
        self.masses[start:stop, :size] = exact(np.exp(logs), MASS_BITS)
        if not table.complete:
            self.masses[start:stop, size:] = exact(densities(mu, sigma), DENSITY_BITS)
        self.log_masses[:size, PRIOR] = np.log(table.widths)
        for centre in (ABSENT, PRIOR):
            self.masses[centre] = 0.0
        self.log_masses[:, ABSENT] = 0.0
        self.n = stop


def _grown(array: Matrix, shape: tuple[int, int]) -> Matrix:
    grown = np.zeros(shape)
    grown[: array.shape[0], : array.shape[1]] = array
    return grown
