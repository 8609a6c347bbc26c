"""The density of many bad trials, at a cost that hardly grows with their number.

A Parzen density of n kernels costs n evaluations a candidate and parameter. With hundreds of bad trials that is
where a proposal's time goes, although almost all kernels have the same, smallest bandwidth. `Background` uses that:

* marginals: trials are counted in bins (128 for a continuous parameter, one a value for a grid or a choice), and the
  counts are smoothed by one table of kernels. Counts are kept with the history and grow with it, so a proposal
  looks at new trials only;
* the joint density: the log of a product of normal kernels is linear in x and x^2, so that all candidates against
  all trials is one matrix product; grids and choices are looked up in tables of log masses.

A parameter's kernels share the bandwidth ``max(min_bandwidth, 3 / (2 n_d))``, which is what the neighbour rule of
`bandwidths.bandwidths` gives on average for n_d evenly spread trials, rounded up to a power of sqrt(2) times
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

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.layout import Layout, Points, pick
from hpspace.suggest.tpe.parzen import Density, Parzen, code_probabilities, prior_density
from hpspace.suggest.tpe.tally import BINS, Codes, Matrix, Tally, nearest_bins, normal_tables, tally_of


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
            peaks[wide] = normal_tables(mu[wide], sigma[wide])[1]
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
