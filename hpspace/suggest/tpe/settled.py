"""The settled trials of a `Background`: counted, thinned and made a mixture, once for many proposals.

Most of what a density of many trials takes stays the same from one proposal to the next. So all but the latest trials
are settled: what follows from them is computed once, until others settle or other trials are good. The latest, fewer
than a 32nd of all, are kernels of the joint density, each of them, at once, so that proposals keep away from them. The
marginals come to know them when they settle.

Failed trials weigh more, and in the joint density they have narrower kernels.

Called by `evidence` and used by `background`. Axes: D columns in the order of `Layout`, S smooth columns (see
`tables`), C choices, n kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.tpe.grids import BINS, Level
from hpspace.suggest.tpe.kernels import Kernels, Widths, kernels_of
from hpspace.suggest.tpe.latest import Latest
from hpspace.suggest.tpe.notes import Notes
from hpspace.suggest.tpe.stack import MOST_LATEST, Block, Mixture, Stack
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables
from hpspace.suggest.tpe.tally import Counts, Tally

#: Weight of a failed trial's kernel; other bad trials weigh 1.
FAILED_WEIGHT = 3.0

#: Smallest bandwidth of a failed trial's kernel, in prior quantiles.
FAILED_BANDWIDTH = 0.005


def settled(n: int) -> int:
    """Return how many of n trials are settled: all but the latest, fewer than a 32nd of them and than `MOST_LATEST`.

    They settle in steps of a power of two.

    Examples
    --------
    >>> [settled(n) for n in (63, 64, 65, 66, 255, 256, 263, 1000, 1023, 1024, 99_999)]
    [63, 64, 64, 66, 252, 256, 256, 992, 1008, 1024, 99968]
    """
    step = min(MOST_LATEST, 1 << max(0, (n // 32).bit_length() - 1))
    return n - n % step


@dataclass(frozen=True, eq=False)
class Weighted:
    """Some trials as kernels.

    Parameters
    ----------
    parts : list of Kernels
        Those of trials that did not fail and, where some failed, those of the others.
    order : int array, shape (n,), or None
        The trials in this order; None if it is that in which they were given.
    each : float64 array, shape (n,)
        How much they count.
    total : float
        The weights' sum.
    """

    parts: list[Kernels]
    order: Codes | None
    each: NDArray[np.float64]
    total: float

    @classmethod
    def of(
        cls,
        tables: Tables,
        notes: Notes,
        weights: NDArray[np.float64],
        failed: NDArray[np.bool_] | None,
        widths: Sequence[Widths],
    ) -> Weighted:
        """Return the kernels of trials (n,), given how many each stands for, which of them failed, and their widths."""
        if failed is None:
            return cls([kernels_of(tables, notes, widths[0], weights)], None, weights, float(weights.sum()))
        parts = [np.flatnonzero(~failed), np.flatnonzero(failed)]
        weigh = [weights[parts[0]], FAILED_WEIGHT * weights[parts[1]]]
        kernels = [
            kernels_of(tables, notes.take(part), width, some)
            for part, width, some in zip(parts, widths, weigh)
        ]
        together = np.concatenate(weigh)
        return cls(kernels, np.concatenate(parts), together, float(together.sum()))


class Settled:
    """The settled trials of a `Background`, and what follows from them.

    Parameters
    ----------
    tally : Tally
        Codes, kernels and tables.
    without : int array
        Rows of the trials that do not belong to the density, settled or not.
    counted : Counts
        What the others add up to.
    rows : int array, shape (n,)
        The trials of the joint density, all or a weighted sample.
    weights : float64 array, shape (n,)
        How many trials each of them stands for.
    failed : bool array, shape (trials,), or None
        Which of all trials failed; None if none did.
    prior_weight : float
        Weight of the prior's kernel.

    Attributes
    ----------
    n : int
        Number of settled trials, those that do not belong to the density included.
    totals : float64 array, shape (D,)
        Weight behind each marginal, the prior's included.
    spread : float64 array, shape (C,)
        As in `Parzen`.
    latest : Latest
        The trials that are not settled, as far as they were followed.
    widths : list of Widths
        How wide its kernels are: those of trials that did not fail and, if any failed, those of the others.
    """

    def __init__(
        self,
        tally: Tally,
        without: Codes,
        counted: Counts,
        rows: Codes,
        weights: NDArray[np.float64],
        failed: NDArray[np.bool_] | None,
        prior_weight: float,
    ) -> None:
        layout, tables = tally.layout, tally.tables
        self.tally = tally
        self.n = tally.n
        self.prior_weight = prior_weight
        self.totals = counted.held + prior_weight
        self._without, self._failed = without, failed
        self._counted = counted
        self.spread = layout.n_options * prior_weight / (counted.held[layout.numeric :] + 1.0)
        levels = [tables.level(counted.held[: layout.numeric])]
        if failed is not None:
            smallest = min(FAILED_BANDWIDTH, tables.min_bandwidth)
            levels.append(tables.level(counted.held[: layout.numeric], smallest))
        self.widths = [Widths.of(tables, some, self.spread) for some in levels]
        which = None if failed is None else failed[rows]
        self.rows = rows
        self.kernels = Weighted.of(tables, tally.notes.take(rows), weights, which, self.widths)
        self._cells = self._marginals()
        self._total = self.kernels.total + prior_weight
        self.latest = Latest.of(tables, self.widths, (1.0, FAILED_WEIGHT), self.n, without)
        self._made: tuple[list[Mixture | int], Stack] | None = None

    def beside(self, fronts: Sequence[Mixture], latest: Latest) -> Stack:
        """Return the stack of other mixtures and this one, which the latest trials may join.

        It is the same object while the mixtures are the same.
        """
        # a grid may have new centres since, at which the latest kernels stand
        key: list[Mixture | int] = [*fronts, *[grid.n for grid in self.tally.tables.growing]]
        made = self._made
        if made is None or made[0] != key or (latest.lacks and not made[1].lacks):
            made = self._made = key, Stack(self.tally.tables, [*fronts, self.mixture], latest.lacks)
        return made[1]

    @property
    def mixture(self) -> Mixture:
        """The density of the settled trials."""
        blocks = [
            Block(kernels, [self._level(row, widths).log_masses for row in self.tally.tables.grids])
            for kernels, widths in zip(self.kernels.parts, self.widths)
        ]
        return Mixture(blocks, self._cells, self._total, self.prior_weight)

    def _level(self, row: int, widths: Widths) -> Level:
        """Return the kernels of a grid column."""
        tables, level = self.tally.tables, widths.levels[row]
        return tables.grids[row].level(float(tables.sigma(level)) if level else tables.min_bandwidth)

    # ---------------------------------------------------------------- marginals

    def _marginals(self) -> Matrix:
        """Return the marginal densities in all cells."""
        tables, m, held = self.tally.tables, self.tally.layout.numeric, self._counted.held
        # what a cell's sum, and its declared density, are to be multiplied with, by column
        factor = 1.0 / self.totals
        prior = self.prior_weight * factor
        spread = self.spread / (1.0 + self.spread)
        prior[m:] += spread * held[m:] * factor[m:]
        factor[m:] *= 1.0 - spread
        columns = tables.column[: tables.nothing]
        cells = np.ones(tables.cells)
        np.multiply(self._counted.cells[: tables.nothing], factor.take(columns), out=cells[: tables.nothing])
        cells[: tables.nothing] += prior.take(columns) * tables.prior[: tables.nothing]
        levels = self.widths[0].levels
        if levels is not tables.narrowest:
            for row in np.flatnonzero(levels).tolist():
                self._write_wide(row, cells)
        return cells

    def _write_wide(self, row: int, cells: Matrix) -> None:
        """Write the densities of a column whose bandwidth is not the smallest, which few trials have."""
        tables, notes = self.tally.tables, self.tally.notes
        mine = np.arange(self.n) if notes.lacking is None else np.flatnonzero(~notes.lacking[:, row])
        mine = mine[~np.isin(mine, self._without)]
        parts = self._wide_sums(row, notes.take(mine))
        if self._failed is not None:
            failed = self._wide_sums(row, notes.take(mine[self._failed[mine]]))
            parts = [
                (first, sums + (FAILED_WEIGHT - 1.0) * more)
                for (first, sums), (_, more) in zip(parts, failed)
            ]
        for first, sums in parts:
            where = slice(first, first + len(sums))
            cells[where] = (sums + self.prior_weight * tables.prior[where]) / self.totals[row]

    def _wide_sums(self, row: int, some: Notes) -> list[tuple[int, Matrix]]:
        """Return the sums of a column's kernels in its cells, and the first of these; for each stretch of cells."""
        tables, widths, reals = self.tally.tables, self.widths[0], self.tally.layout.reals
        if row < reals:
            return [(BINS * row, self.tally.wide_sums(some, row, int(widths.levels[row])))]
        if row not in tables.grids:
            return []
        grid = tables.grids[row]
        sums = self._level(row, widths).masses.take(some.codes[:, row], axis=0).sum(axis=0)
        parts = [(tables.first_value[row], sums[: len(grid)])]
        if not grid.complete:
            parts.append((BINS * (reals + tables.fine.index(row)), sums[len(grid) :]))
        return parts
