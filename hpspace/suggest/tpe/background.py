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
0.02 of the exact ones (bins of a quarter of the bandwidth, linear assignment and interpolation; tested).

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

from hpspace.dists.normal import ndtr
from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.layout import Layout, Points, pick
from hpspace.suggest.tpe.parzen import Density, Parzen, code_probabilities, prior_density

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Bins of a continuous parameter.
BINS = 128
#: A grid of more values than this has no table; its kernels are evaluated as in `Parzen`.
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
            _, log_peak = _normal_tables(centres, sigma)
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
        _, peaks = _normal_tables(x[: self.layout.reals], self.tables.min_bandwidth)
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


@dataclass(frozen=True)
class Kernels:
    """The trials of the joint density.

    Parameters
    ----------
    points : Points
        The trials.
    codes : int array, shape (D, n)
        Codes as in `Tally`.
    weights : float64 array, shape (n,)
        Their weights.
    peaks : float64 array, shape (R, n)
        As in `Tally`.
    """

    points: Points
    codes: Codes
    weights: NDArray[np.float64]
    peaks: Matrix

    @cached_property
    def active(self) -> Matrix:
        """1 where a trial has a parameter, else 0; shape (D, n)."""
        return self.points.active.astype(np.float64)


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
        others = self._other_log_kernels(points)  # (G', c, n)
        marginals = self._log_marginals(points, codes, prior, others)
        terms = np.empty((points.n, len(self.kernels.weights) + 1))
        terms[:, :-1] = self._log_joint_kernels(points, codes, marginals, others)
        terms[:, :-1] += np.log(self.kernels.weights)
        log_prior = np.where(points.active, np.log(prior), 0.0)
        terms[:, -1] = log_prior.sum(axis=0) + math.log(self.prior_weight)
        top = terms.max(axis=1)
        joint = top + np.log(np.exp(terms - top[:, None]).sum(axis=1)) - math.log(self.total)
        return Density(joint, marginals)

    # ---------------------------------------------------------------- marginals

    def _log_marginals(self, points: Points, codes: Codes, prior: Matrix, others: Matrix) -> Matrix:
        """Return the log marginal densities at points, shape (D, c); 0 where inactive."""
        density = np.empty(codes.shape)
        r, m = self.layout.reals, self.layout.numeric
        if r:
            density[:r] = self._binned(points.x[:r])
        grids = self.tables.grids
        if grids.rows:
            density[grids.rows] = pick(self._valued, np.maximum(codes[grids.rows], 0))
        if grids.others:
            held = self.kernels.active[grids.others] * self.kernels.weights
            share = (self.totals[grids.others] - self.prior_weight) / np.maximum(held.sum(axis=1), 1e-300)
            density[grids.others] = np.einsum("gcn,gn->gc", np.exp(others), held) * share[:, None]
        if m < len(codes):
            p = code_probabilities(self.layout, points.x[m:])
            here = pick(self._counts[m:], np.maximum(codes[m:], 0))
            held, spread = self.totals[m:, None] - self.prior_weight, self._spread[:, None]
            density[m:] = (here + spread * p * held) / (1.0 + spread)
        mixed = (density + self.prior_weight * prior) / self.totals[:, None]
        return np.where(points.active, np.log(np.maximum(mixed, 1e-300)), 0.0)

    def _binned(self, x: Matrix) -> Matrix:
        """Return the smoothed counts of the continuous columns at coordinates, shape (R, c)."""
        left, share = nearest_bins(x)
        table = self._smoothed
        below = pick(table, left)
        above = pick(table, left + 1)
        return np.asarray(below + share * (above - below))

    @cached_property
    def _smoothed(self) -> Matrix:
        """Sum of the kernels at each bin's centre, continuous columns; shape (R, B)."""
        levels, counts = self._levels[: self.layout.reals], self._counts[: self.layout.reals, :BINS]
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
        return np.asarray(np.einsum("gk,gkl->gl", counts, np.exp(tables)))

    # ---------------------------------------------------------------- joint

    def _log_joint_kernels(self, points: Points, codes: Codes, marginals: Matrix, others: Matrix) -> Matrix:
        """Return the log product kernel of each trial at each point, shape (c, n).

        Where the trial lacks a parameter of the point, its factor is that parameter's marginal.
        """
        on = points.active.astype(np.float64)
        r, m, grids = self.layout.reals, self.layout.numeric, self.tables.grids
        by_both = [np.zeros((0, points.n))], [np.zeros((0, len(self.kernels.weights)))]
        alone = np.zeros(codes.shape)  # the part of a kernel that depends on the point alone
        if r:
            by_x, by_trial, alone[:r] = self._normal_terms(points, on)
            by_both[0].extend([by_x, on[:r]])
            by_both[1].extend([self.kernels.points.x[:r], by_trial])
        if m < len(codes):
            hit, alone[m:], one_hot = self._choice_terms(points, codes, on)
            by_both[0].append(hit)
            by_both[1].append(one_hot)
        total: Matrix = np.concatenate(by_both[0]).T @ np.concatenate(by_both[1])
        if self._complete:
            total += alone.sum(axis=0)[:, None]
        else:
            lacking = marginals.copy()
            lacking[r:m] = 0.0
            total += lacking.sum(axis=0)[:, None] + (alone - lacking).T @ self.kernels.active
        if grids.rows:
            total += self._summed(grids.rows, self._tabled_log_kernels(codes), marginals, on)
        if grids.others:
            total += self._summed(grids.others, others, marginals, on)
        return total

    def _normal_terms(self, points: Points, on: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return the parts of the normal kernels: by x (R, c), by trial (R, n), and by point alone (R, c)."""
        r = self.layout.reals
        levels = self._levels[:r]
        sigma = self.tables.sigma(levels)[:, None]
        x, mu, peaks = points.x[:r] * on[:r], self.kernels.points.x[:r], self.kernels.peaks
        wide = levels > 0
        if wide.any():
            peaks = peaks.copy()
            peaks[wide] = _normal_tables(mu[wide], sigma[wide])[1]
        by_trial = peaks - 0.5 * (mu / sigma) ** 2
        if not self._complete:
            by_trial *= self.kernels.active[:r]
        return x / sigma**2, by_trial, -0.5 * (x / sigma) ** 2

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

    def _tabled_log_kernels(self, codes: Codes) -> Matrix:
        """Return the log kernels of the grid columns that have tables, shape (G, c, n)."""
        rows = self.tables.grids.rows
        mine, theirs = np.maximum(codes[rows], 0), np.maximum(self.kernels.codes[rows], 0)
        which = np.arange(len(rows))[:, None, None]
        logs: Matrix = self._grid_log_masses[which, theirs[:, None, :], mine[:, :, None]]
        return logs

    def _other_log_kernels(self, points: Points) -> Matrix:
        """Return the log kernels of the other grid columns, shape (G', c, n)."""
        rows = self.tables.grids.others
        if not rows:
            return np.empty((0, points.n, len(self.kernels.weights)))
        return self._others.log_kernels(_only(points, rows, self.layout.reals))

    @cached_property
    def _others(self) -> Parzen:
        """The density of the grid columns without tables alone."""
        rows = self.tables.grids.others
        mine = _only(self.kernels.points, rows, self.layout.reals)
        layout = Layout(self.layout.order[rows], 0, len(rows), np.empty(0), np.empty((0, 1)))
        sigma = self.tables.sigma(self._levels[rows])[:, None]
        wide = np.maximum(sigma, 0.5 * (mine.high - mine.low))
        return Parzen(layout, mine, self.kernels.weights, wide, np.empty(0), self.prior_weight)

    def _summed(self, rows: list[int], logs: Matrix, marginals: Matrix, on: Matrix) -> Matrix:
        """Return the sum over grid columns of their log kernels (g, c, n), or marginals where a trial lacks them."""
        if not self._complete:
            logs = np.where(self.kernels.points.active[rows][:, None, :], logs, marginals[rows][:, :, None])
        total: Matrix = np.einsum("gcn,gc->cn", logs, on[rows])
        return total

    @cached_property
    def _complete(self) -> bool:
        return bool(self.kernels.points.active.all())


def _only(points: Points, rows: list[int], reals: int) -> Points:
    """Return points with some of their grid columns only."""
    grid = np.array(rows) - reals
    return Points(points.x[rows], points.active[rows], points.low[grid], points.high[grid])


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
    points = Points.of(layout, history.coords[rows], history.bins_of(rows))
    kernels = Kernels(points, tally.codes[rows].T, weights, tally.peaks[rows].T)
    return Background(layout, tally, tally.without(history, good), kernels, prior_weight)
