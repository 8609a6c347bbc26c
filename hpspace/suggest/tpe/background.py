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

Made by `evidence`. Axes: D columns in the order of `Layout`, S smooth columns (see `tables`), G
tabled grids, C choices, n kernels, c points.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.linalg import product
from hpspace.suggest.tpe.blocks import evaluate
from hpspace.suggest.tpe.grids import BINS
from hpspace.suggest.tpe.kernels import Kernels
from hpspace.suggest.tpe.layout import Layout, Points
from hpspace.suggest.tpe.parzen import Density, Parzen
from hpspace.suggest.tpe.sight import Sight
from hpspace.suggest.tpe.tables import Codes, Matrix
from hpspace.suggest.tpe.tally import Counts, Tally, tally_of


class Background:
    """A density of many trials that answers what `Ranking` asks of a `Parzen`.

    Parameters
    ----------
    tally : Tally
        Codes, kernels and tables.
    history : History
        The trials that it follows.
    without : int array
        Rows of the trials that do not belong to the density.
    counted : Counts
        What the others add up to.
    kernels : Kernels
        Those of the trials of the joint density, all or a weighted sample.
    weights : float64 array, shape (n - 1,)
        Their weights.
    prior_weight : float
        Weight of the prior's kernel.
    """

    def __init__(
        self,
        tally: Tally,
        history: History,
        without: Codes,
        counted: Counts,
        kernels: Kernels,
        weights: NDArray[np.float64],
        prior_weight: float,
    ) -> None:
        self.layout = layout = tally.layout
        self.tally = tally
        self.tables = tally.tables
        self.kernels = kernels
        self.weights = weights
        self.prior_weight = prior_weight
        self.n = len(weights) + 1
        self.totals = counted.held + prior_weight
        self.total = float(weights.sum()) + prior_weight
        self._history = history
        self._without = without
        self._counted = counted
        self._levels = self.tables.level(counted.held[: layout.numeric])
        self._spread = layout.n_options * prior_weight / (counted.held[layout.numeric :] + 1.0)

    def narrow(self, point: Points) -> Parzen:
        """Return a mixture with the kernel of one further point, as narrow as the smallest bandwidth."""
        m, reals = self.layout.numeric, self.layout.reals
        sigma = np.full((m, 1), self.tables.min_bandwidth)
        grid = sigma[reals:]
        np.maximum(grid, 0.5 * (point.high - point.low), out=grid)
        return Parzen(self.layout, point, np.ones(1), sigma, self._spread, self.prior_weight)

    def at(self, points: Points) -> Density:
        """Return the densities at points."""
        return evaluate(self.tables, [self], points.x, points.active, points).densities()[0]

    # ---------------------------------------------------------------- marginals

    def write_marginals(self, sight: Sight, out: Matrix) -> None:
        """Write the marginal densities in the cells of points into an array of their shape."""
        m, counted = self.layout.numeric, self._counted
        # what a cell's sum, and its declared density, are to be multiplied with, by column
        factor = 1.0 / self.totals
        prior = self.prior_weight * factor
        if m < len(factor):
            spread = self._spread / (1.0 + self._spread)
            prior[m:] += spread * counted.held[m:] * factor[m:]
            factor[m:] *= 1.0 - spread
        columns = self.tables.looked_up
        np.multiply(counted.cells.take(sight.cells), factor.take(columns), out=out)
        out += prior.take(columns) * sight.prior
        if self._levels is not self.tables.narrowest:
            for row in np.flatnonzero(self._levels).tolist():
                self._write_wide(row, sight, out)
        if sight.nowhere is not None:
            np.copyto(out, 1.0, where=sight.nowhere)

    def _write_wide(self, row: int, sight: Sight, out: Matrix) -> None:
        """Write the densities of a column whose bandwidth is not the smallest, which few trials have."""
        tables, tally, reals = self.tables, self.tally, self.layout.reals
        mine = np.flatnonzero(tally.lacking[: tally.n, row] == 0.0)
        mine = mine[~np.isin(mine, self._without)]
        cells = tables.prior * self.prior_weight
        if row < reals:
            cells[BINS * row : BINS * (row + 1)] += tally.wide_sums(mine, row, int(self._levels[row]))
        elif row in tables.grids:
            grid, first = tables.grids[row], tables.first_value[row]
            sums = grid.level(self._sigma(row)).masses.take(tally.codes[mine, row], axis=0).sum(axis=0)
            cells[first : first + len(grid)] += sums[: len(grid)]
            if not grid.complete:
                first = BINS * (reals + tables.fine.index(row))
                cells[first : first + BINS] += sums[len(grid) :]
        own = tables.looked_up[:, 0] == row
        out[own] = cells.take(sight.cells[own]) / self.totals[row]

    # ---------------------------------------------------------------- joint

    def write_kernels(self, sight: Sight, log_marginals: Matrix, out: Matrix) -> None:
        """Write the logs of the weighted kernels but the prior's into an array (c, n - 1); see `Block`."""
        tables, kernels = self.tables, self.kernels
        wide = self._levels is not tables.narrowest
        coefficients = kernels.widened(self._levels) if wide else kernels.coefficients
        np.log(self.weights, out=coefficients[:, tables.features - 1])
        product(kernels.features(sight, log_marginals, self._spread).T, coefficients.T, out)
        for row, values, centres in zip(tables.grids, sight.values, kernels.centres):
            table = tables.grids[row].level(self._sigma(row)).log_masses
            out += table.take(values, axis=0).take(centres, axis=1)

    def _sigma(self, row: int) -> float:
        level = self._levels[row]
        return float(self.tables.sigma(level)) if level else self.tables.min_bandwidth

    @cached_property
    def others(self) -> tuple[Parzen, Matrix] | None:
        """The grids without tables, alone; their kernels stand for all trials."""
        rows, tables = self.tables.others, self.tables
        if not rows:
            return None
        history, chosen, reals = self._history, self.kernels.rows, self.layout.reals
        points = Points.of(self.layout, history.coords[chosen], history.bins_of(chosen))
        mine = points.only(rows, reals)
        layout = Layout(self.layout.order[rows], 0, len(rows), np.empty(0), np.empty((0, 1)))
        sigma = np.maximum(tables.sigma(self._levels[rows])[:, None], 0.5 * (mine.high - mine.low))
        mixture = Parzen(layout, mine, self.weights, sigma, np.empty(0), self.prior_weight)
        held = np.maximum(mixture.held.sum(axis=1), 1e-300)
        return mixture, (self.totals[rows] - self.prior_weight) / held


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
    counted = tally.without(tally.of(good))
    return Background(tally, history, good, counted, Kernels(tally, rows), weights, prior_weight)
