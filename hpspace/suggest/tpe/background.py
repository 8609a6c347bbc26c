"""The density of many bad trials, at a cost that hardly grows with their number.

A Parzen density of n kernels costs n evaluations a candidate and parameter. With hundreds of bad trials that is
where a proposal's time goes, although almost all kernels have the same, smallest bandwidth. `Background` uses that:

* marginals: trials are counted in bins (128 for a continuous parameter, one a value for a grid or a choice), and the
  counts are smoothed by one table of kernels. Counts are kept with the history and grow with it, so a proposal
  looks at new trials only;
* the joint density: the log of a product of normal kernels is linear in x and x^2, so that all candidates against
  all trials is one matrix product; grids and choices are looked up in tables of log masses.

A parameter's kernels share the bandwidth ``max(min_bandwidth, 3 / (2 n_d))``, which is what the neighbour rule of
`parzen.bandwidths` gives on average for n_d evenly spread trials, rounded up to a power of sqrt(2) times
`min_bandwidth`. Given the bandwidth, joint densities are exact; log marginals of continuous parameters are within
0.02 of the exact ones (bins of a quarter of the bandwidth, linear interpolation; tested).

`many_bad` is what `evidence` calls; what is kept between calls (`Tally`) is a function of the
history's rows, which never change. Axes: D columns in the order of `Layout`, R reals, G grids, C choices, n trials, c
candidates, B bins, L values of a grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.layout import Layout, Points
from hpspace.suggest.tpe.parzen import Density, Parzen, code_probabilities, prior_density

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Bins of a continuous parameter.
BINS = 128
#: A grid of more values than this is treated as continuous, with bins as wide as the values' own.
MOST_VALUES = 256
#: Bandwidths are rounded up to the smallest one times a power of this.
_RATIO = math.sqrt(2.0)

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


def _normal_tables(centres: Matrix, sigma: float | Matrix) -> tuple[Matrix, Matrix]:
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
        self.low: list[Matrix] = []
        self.high: list[Matrix] = []
        for row in range(layout.reals, layout.numeric):
            dist = space.params[int(layout.order[row])].dist
            if dist is not None and dist.size is not None and dist.size <= MOST_VALUES:
                low, high = dist.unit_bins(dist.values())
                self.rows.append(row)
                self.low.append(low)
                self.high.append(high)

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
        inside, _ = _normal_tables(centre[:, None], width)
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
        #: Rows of the layout that are treated as continuous.
        self.smooth = np.array([r for r in range(layout.numeric) if r not in self.grids.rows], dtype=np.intp)
        self._bins: dict[int, Matrix] = {}
        self._masses: dict[tuple[int, int], Matrix] = {}

    def level(self, counts: NDArray[np.float64]) -> Codes:
        """Return the rounded bandwidth of columns with a number of trials: a power of `_RATIO`."""
        sigma = np.clip(1.5 / np.maximum(counts, 1.0), self.min_bandwidth, 1.0)
        return np.ceil(np.log(sigma / self.min_bandwidth) / math.log(_RATIO) - 1e-9).astype(np.intp)

    def sigma(self, level: int) -> float:
        """Return the bandwidth of a level."""
        return float(self.min_bandwidth * _RATIO**level)

    def bins(self, level: int) -> Matrix:
        """Return the density at each bin's centre of the kernel at each bin's centre, shape (B kernels, B)."""
        if level not in self._bins:
            centres, sigma = (np.arange(BINS) + 0.5) / BINS, self.sigma(level)
            _, log_peak = _normal_tables(centres, sigma)
            z = (centres - centres[:, None]) / sigma
            self._bins[level] = np.exp(log_peak[:, None] - 0.5 * z * z)
        return self._bins[level]

    def masses(self, g: int, level: int) -> Matrix:
        """Return `Grids.log_masses` of grid g at a level, padded to the widest grid."""
        if (g, level) not in self._masses:
            table = np.full((self.grids.widest, self.grids.widest), -690.0)
            masses = self.grids.log_masses(g, self.sigma(level))
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
        Bin, position of the value, or option of every trial; -1 where inactive.
    counts : float64 array, shape (D, codes)
        Number of trials with each code.
    """

    def __init__(self, layout: Layout, tables: Tables) -> None:
        self.layout = layout
        self.tables = tables
        self.n = 0
        widest = max(BINS, tables.grids.widest, layout.p.shape[1])
        self.codes: Codes = np.empty((64, len(layout.order)), dtype=np.intp)
        self.counts: Matrix = np.zeros((len(layout.order), widest))

    def follow(self, history: History) -> None:
        """Count the rows that the history has grown by."""
        n = len(history)
        if n == self.n:
            return
        while n > len(self.codes):
            self.codes = np.concatenate([self.codes, np.empty_like(self.codes)])
        new = self.code(history.coords[self.n : n].T[self.layout.order]).T
        self.codes[self.n : n] = new
        self._add(self.counts, new, 1.0)
        self.n = n

    def without(self, rows: Codes) -> Matrix:
        """Return the counts of all trials but some, shape (D, codes)."""
        counts = self.counts.copy()
        self._add(counts, self.codes[rows], -1.0)
        return counts

    def _add(self, counts: Matrix, codes: Codes, weight: float) -> None:
        trial, column = np.nonzero(codes >= 0)
        np.add.at(counts, (column, codes[trial, column]), weight)

    def code(self, x: Matrix) -> Codes:
        """Return the codes of coordinates (D, n) in the layout's order, NaN where inactive; shape (D, n)."""
        absent = np.isnan(x)
        filled = np.where(absent, 0.0, x)
        codes = filled.astype(np.intp)
        smooth = self.tables.smooth
        codes[smooth] = np.minimum(filled[smooth] * BINS, BINS - 1).astype(np.intp)
        grids = self.tables.grids
        for row, low in zip(grids.rows, grids.low):
            codes[row] = np.searchsorted(low, filled[row], side="right") - 1
        codes[absent] = -1
        return np.maximum(codes, -1)


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


@dataclass(frozen=True)
class Kernels:
    """The trials of the joint density.

    Parameters
    ----------
    x : float64 array, shape (D, n)
        Coordinates, 0 where inactive.
    codes : int array, shape (D, n)
        Codes as in `Tally`.
    weights : float64 array, shape (n,)
        Their weights.
    """

    x: Matrix
    codes: Codes
    weights: NDArray[np.float64]

    @cached_property
    def active(self) -> Matrix:
        """1 where a trial has a parameter, else 0; shape (D, n)."""
        return (self.codes >= 0).astype(np.float64)


class Background:
    """A density of many trials that answers what `Ranking` asks of a `Parzen`.

    Parameters
    ----------
    layout : Layout
        The columns.
    tally : Tally
        Codes and tables.
    counts : float64 array, shape (D, codes)
        Counts of the trials whose density this is.
    kernels : Kernels
        The trials of the joint density, all or a weighted sample.
    prior_weight : float
        Weight of the prior's kernel.
    """

    def __init__(
        self, layout: Layout, tally: Tally, counts: Matrix, kernels: Kernels, prior_weight: float
    ) -> None:
        self.layout = layout
        self.tally = tally
        self.tables = tally.tables
        self.kernels = kernels
        self.prior_weight = prior_weight
        self.totals = counts.sum(axis=1) + prior_weight
        self.total = float(kernels.weights.sum()) + prior_weight
        self._counts = counts
        self._levels = self.tables.level(self.totals[: layout.numeric] - prior_weight)
        self._spread = layout.n_options * prior_weight / (self.totals[layout.numeric :] - prior_weight + 1.0)

    def narrow(self, point: Points) -> Parzen:
        """Return a mixture with the kernel of one further point, as narrow as the smallest bandwidth."""
        m, reals = self.layout.numeric, self.layout.reals
        sigma = np.full((m, 1), self.tables.min_bandwidth)
        grid = sigma[reals:]
        np.maximum(grid, 0.5 * (point.high - point.low), out=grid)
        return Parzen(self.layout, point, np.ones(1), sigma, self._spread, self.prior_weight)

    def at(self, points: Points) -> Density:
        """Return the densities at points."""
        codes = self.tally.code(np.where(points.active, points.x, np.nan))  # (D, c)
        prior = prior_density(self.layout, points)
        marginals = self._log_marginals(points, codes, prior)
        terms = np.empty((points.n, len(self.kernels.weights) + 1))
        terms[:, :-1] = self._log_joint_kernels(points, codes, marginals) + np.log(self.kernels.weights)
        log_prior = np.where(points.active, np.log(prior), 0.0)
        terms[:, -1] = log_prior.sum(axis=0) + math.log(self.prior_weight)
        top = terms.max(axis=1)
        joint = top + np.log(np.exp(terms - top[:, None]).sum(axis=1)) - math.log(self.total)
        return Density(joint, marginals)

    # ---------------------------------------------------------------- marginals

    def _log_marginals(self, points: Points, codes: Codes, prior: Matrix) -> Matrix:
        """Return the log marginal densities at points, shape (D, c); 0 where inactive."""
        density = np.empty(codes.shape)
        smooth, m = self.tables.smooth, self.layout.numeric
        if len(smooth):
            density[smooth] = self._binned(points.x[smooth]) * prior[smooth]
        rows = self.tables.grids.rows
        if rows:
            density[rows] = np.take_along_axis(self._valued, np.maximum(codes[rows], 0), axis=1)
        if m < len(codes):
            p = code_probabilities(self.layout, points.x[m:])
            here = np.take_along_axis(self._counts[m:], np.maximum(codes[m:], 0), axis=1)
            held, spread = self.totals[m:, None] - self.prior_weight, self._spread[:, None]
            density[m:] = (here + spread * p * held) / (1.0 + spread)
        mixed = (density + self.prior_weight * prior) / self.totals[:, None]
        return np.where(points.active, np.log(np.maximum(mixed, 1e-300)), 0.0)

    def _binned(self, x: Matrix) -> Matrix:
        """Return the smoothed counts of the continuous columns at coordinates, shape (S, c)."""
        place = np.clip(x * BINS - 0.5, 0.0, BINS - 1.0)
        left = np.minimum(place.astype(np.intp), BINS - 2)
        share = place - left
        table = self._smoothed
        below = np.take_along_axis(table, left, axis=1)
        above = np.take_along_axis(table, left + 1, axis=1)
        return below + share * (above - below)

    @cached_property
    def _smoothed(self) -> Matrix:
        """Sum of the kernels at each bin's centre, continuous columns; shape (S, B)."""
        smooth = self.tables.smooth
        levels, counts = self._levels[smooth], self._counts[smooth, :BINS]
        out = np.empty(counts.shape)
        for level in np.unique(levels):
            mine = levels == level
            out[mine] = counts[mine] @ self.tables.bins(int(level))
        return out

    @cached_property
    def _grid_log_masses(self) -> Matrix:
        """Log masses of the grid columns' values under kernels at their values, shape (G, L, L)."""
        rows = self.tables.grids.rows
        return np.stack([self.tables.masses(g, int(self._levels[row])) for g, row in enumerate(rows)])

    @cached_property
    def _valued(self) -> Matrix:
        """Sum of the kernels' masses at each value of the grid columns, shape (G, L)."""
        tables = self._grid_log_masses
        counts = self._counts[self.tables.grids.rows, : tables.shape[1]]
        return np.einsum("gk,gkl->gl", counts, np.exp(tables))

    # ---------------------------------------------------------------- joint

    def _log_joint_kernels(self, points: Points, codes: Codes, marginals: Matrix) -> Matrix:
        """Return the log product kernel of each trial at each point, shape (c, n).

        Where the trial lacks a parameter of the point, its factor is that parameter's marginal.
        """
        on = points.active.astype(np.float64)
        m, smooth, grids = self.layout.numeric, self.tables.smooth, self.tables.grids.rows
        alone = np.zeros(codes.shape)  # the part of a kernel that depends on the point alone
        left, right = [np.zeros((0, points.n))], [np.zeros((0, len(self.kernels.weights)))]
        if len(smooth):
            by_x, by_trial, alone[smooth] = self._normal_terms(points, on)
            left += [by_x, on[smooth]]
            right += [self.kernels.x[smooth] * self.kernels.active[smooth], by_trial]
        if m < len(codes):
            hit, alone[m:], one_hot = self._choice_terms(points, codes, on)
            left.append(hit)
            right.append(one_hot)
        total: Matrix = np.concatenate(left).T @ np.concatenate(right)
        if self._complete:
            total += alone.sum(axis=0)[:, None]
        else:
            lacking = marginals.copy()
            lacking[grids] = 0.0
            total += lacking.sum(axis=0)[:, None] + (alone - lacking).T @ self.kernels.active
        return total + self._grid_terms(codes, marginals, on) if grids else total

    def _normal_terms(self, points: Points, on: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return the parts of the normal kernels: by x (S, c), by trial (S, n), and by point alone (S, c)."""
        smooth = self.tables.smooth
        sigma = np.array([self.tables.sigma(int(level)) for level in self._levels[smooth]])[:, None]
        x, mu = points.x[smooth] * on[smooth], self.kernels.x[smooth]
        _, log_peak = _normal_tables(mu, sigma)
        by_trial = (log_peak - 0.5 * (mu / sigma) ** 2) * self.kernels.active[smooth]
        width = prior_density(self.layout, points)[smooth]  # 1, or the bin of a large grid's value
        alone = (-0.5 * (x / sigma) ** 2 + np.log(width)) * on[smooth]
        return x / sigma**2, by_trial, alone

    def _choice_terms(self, points: Points, codes: Codes, on: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return log(hit / miss) as one-hot rows (C K, c), log miss (C, c), and one-hot codes (C K, n)."""
        m, k = self.layout.numeric, self.layout.p.shape[1]
        spread = self._spread[:, None]
        p = code_probabilities(self.layout, points.x[m:])
        miss = spread * p / (1.0 + spread)
        gain = np.log1p(1.0 / (spread * p)) * on[m:]
        options = np.arange(k)[:, None]
        hit = np.where(codes[m:, None, :] == options, gain[:, None, :], 0.0).reshape(-1, points.n)
        one_hot = (self.kernels.codes[m:, None, :] == options).astype(np.float64).reshape(len(hit), -1)
        return hit, np.log(miss) * on[m:], one_hot

    def _grid_terms(self, codes: Codes, marginals: Matrix, on: Matrix) -> Matrix:
        """Return the sum of the grid columns' log kernels, shape (c, n)."""
        rows = self.tables.grids.rows
        mine, theirs = np.maximum(codes[rows], 0), np.maximum(self.kernels.codes[rows], 0)
        which = np.arange(len(rows))[:, None, None]
        logs = self._grid_log_masses[which, theirs[:, None, :], mine[:, :, None]]  # (G, c, n)
        if not self._complete:
            logs = np.where(self.kernels.active[rows][:, None, :] > 0, logs, marginals[rows][:, :, None])
        return np.einsum("gcn,gc->cn", logs, on[rows])

    @cached_property
    def _complete(self) -> bool:
        return bool((self.kernels.codes >= 0).all())


def many_bad(
    space: CompiledSpace,
    layout: Layout,
    history: History,
    good: Codes,
    rows: Codes,
    weights: NDArray[np.float64],
    prior_weight: float,
    min_bandwidth: float,
) -> Background:
    """Return the density of all trials but the good ones.

    Parameters
    ----------
    space, layout, history
        The space, its layout, and its trials, none of which failed.
    good : int array
        Rows of the good trials.
    rows, weights : int array and float64 array, shape (n,)
        Trials of the joint density and how many each stands for.
    prior_weight, min_bandwidth : float
        As for `Parzen.fit`.
    """
    tally = tally_of(space, layout, history, min_bandwidth)
    x = history.coords[rows].T[layout.order]
    kernels = Kernels(np.where(np.isnan(x), 0.0, x), tally.codes[rows].T, weights)
    return Background(layout, tally, tally.without(good), kernels, prior_weight)
