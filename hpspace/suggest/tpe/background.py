"""The density of many bad trials, at a cost that hardly grows with their number.

A Parzen density of n kernels costs n evaluations a candidate and parameter. With hundreds of bad trials that is
where a proposal's time goes, although almost all kernels have the same, smallest bandwidth. `Background` uses that:

* marginals: trials are counted in bins (128 for a continuous parameter, one a value for a grid or a choice), and the
  counts are smoothed by one table of kernels;
* the joint density: the log of a product of normal kernels is linear in x and x^2, so that all candidates against
  all trials is one matrix product; grids and choices are looked up in tables of log masses.

Most of this stays the same from one proposal to the next. So all but the latest trials are *settled*: counted, thinned
and made a block once, until others settle or other trials are good. The latest, at most a 32nd of all, join as kernels
of the joint density, each of them, at once: proposals keep away from them. The marginals come to know them when they
settle.

Failed trials weigh more, and in the joint density they have narrower kernels.

A parameter's kernels share the bandwidth ``max(min_bandwidth, 3 / (2 n_d))``, which is what the neighbour rule of
`bandwidths.bandwidths` gives on average for n_d evenly spread trials, rounded up to a power of sqrt(2) times
`min_bandwidth`. Given the bandwidth, joint densities are exact; log marginals of continuous parameters are within
0.02 of the exact ones (bins of a quarter of the bandwidth, linear assignment and interpolation; tested).

Made by `evidence`. Axes: D columns in the order of `Layout`, S smooth columns (see `tables`), G
tabled grids, C choices, n kernels, c points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.blocks import Block, Evaluation, Mixture, Others, Stack, evaluate
from hpspace.suggest.tpe.grids import BINS, Level
from hpspace.suggest.tpe.kernels import Kernels, Widths, kernels_of
from hpspace.suggest.tpe.layout import Layout, Points
from hpspace.suggest.tpe.notes import Notes
from hpspace.suggest.tpe.parzen import Density, Parzen
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables
from hpspace.suggest.tpe.tally import Counts, Tally, tally_of

#: No more trials than this are not settled.
MOST_LATEST = 32

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
    weights : float64 array, shape (n,), or None
        How much they count; None if all count 1.
    total : float
        The weights' sum.
    """

    parts: list[Kernels]
    order: Codes | None
    weights: NDArray[np.float64] | None
    total: float

    @classmethod
    def of(
        cls,
        tables: Tables,
        notes: Notes,
        weights: NDArray[np.float64] | None,
        failed: NDArray[np.bool_] | None,
        widths: Sequence[Widths],
    ) -> Weighted:
        """Return the kernels of trials (n,), given how many each stands for, which of them failed, and their widths."""
        if failed is None:
            total = float(len(notes) if weights is None else weights.sum())
            return cls([kernels_of(tables, notes, widths[0], weights)], None, weights, total)
        parts = [np.flatnonzero(~failed), np.flatnonzero(failed)]
        weights = np.ones(len(notes)) if weights is None else weights
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
        Rows of the trials that do not belong to the density.
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
        self._without = without
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
        none = kernels_of(tables, tally.notes.take(rows[:0]), self.widths[0])
        self._latest = self.n, none
        self._made: tuple[list[Mixture | int], Stack] | None = None

    def beside(self, *fronts: Mixture, lacks: bool = False) -> Stack:
        """Return the stack of other mixtures and this one; the same object while they are the same.

        Kernels that lack parameters may join it if `lacks`.
        """
        # a grid may have new centres since, at which the latest kernels stand
        key: list[Mixture | int] = [*fronts, *(grid.n for grid in self.tally.tables.growing)]
        if self._made is None or self._made[0] != key or (lacks and not self._made[1].lacks):
            self._made = key, Stack(self.tally.tables, [*fronts, self.mixture], lacks)
        return self._made[1]

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

    def latest(self, history: History, rows: Codes | slice, failed: NDArray[np.bool_] | None) -> Weighted:
        """Return the kernels of trials that are not settled.

        Parameters
        ----------
        history : History
            The trials.
        rows : int array, shape (k,), or slice
            Which; a slice for all of them.
        failed : bool array, shape (k,), or None
            Which of them failed; None if none did.
        """
        tables = self.tally.tables
        if failed is not None:
            notes = Notes.of(tables, history, self.n, len(history))
            chosen = notes if isinstance(rows, slice) else notes.take(rows - self.n)
            return Weighted.of(tables, chosen, None, failed, self.widths)
        n, kernels = self._latest
        if n < len(history):
            kernels = kernels.plus(
                kernels_of(tables, Notes.of(tables, history, n, len(history)), self.widths[0])
            )
            self._latest = len(history), kernels
        some = kernels if isinstance(rows, slice) else kernels.take(rows - self.n)
        return Weighted([some], None, None, float(len(some)))

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
        tables, tally, reals = self.tally.tables, self.tally, self.tally.layout.reals
        notes = tally.notes
        mine = np.arange(tally.n) if notes.lacking is None else np.flatnonzero(~notes.lacking[:, row])
        some = notes.take(mine[~np.isin(mine, self._without)])
        if row < reals:
            sums = tally.wide_sums(some, row, int(self.widths[0].levels[row]))
            self._write(row, slice(BINS * row, BINS * (row + 1)), sums, cells)
        elif row in tables.grids:
            grid, first = tables.grids[row], tables.first_value[row]
            sums = self._level(row, self.widths[0]).masses.take(some.codes[:, row], axis=0).sum(axis=0)
            self._write(row, slice(first, first + len(grid)), sums[: len(grid)], cells)
            if not grid.complete:
                first = BINS * (reals + tables.fine.index(row))
                self._write(row, slice(first, first + BINS), sums[len(grid) :], cells)

    def _write(self, row: int, where: slice, sums: Matrix, cells: Matrix) -> None:
        prior = self.prior_weight * self.tally.tables.prior[where]
        cells[where] = (sums + prior) / self.totals[row]


class Background:
    """A density of many trials that answers what `Ranking` asks of a `Parzen`.

    Parameters
    ----------
    settled : Settled
        Most of the trials.
    history : History
        Where they come from.
    good : int array
        Rows of the trials that do not belong to the density.
    failed : bool array, shape (trials,), or None
        Which of all trials failed; None if none did.
    front : pair of Parzen and Mixture, optional
        The density that this one is compared with, and the same as `evaluate` takes it, if it is known.

    Attributes
    ----------
    total, totals : float and float64 array, shape (D,)
        Weight behind the joint density, and behind each marginal, the prior's included.
    """

    def __init__(
        self,
        settled: Settled,
        history: History,
        good: Codes,
        failed: NDArray[np.bool_] | None,
        front: tuple[Parzen, Mixture] | None = None,
    ) -> None:
        self.settled = settled
        self.front = front
        self.tables = settled.tally.tables
        self.layout = settled.tally.layout
        late = good[good >= settled.n]
        self._rows: Codes | slice = slice(settled.n, len(history))
        if len(late):
            is_bad = np.ones(len(history), dtype=bool)
            is_bad[: settled.n] = is_bad[late] = False
            self._rows = np.flatnonzero(is_bad)
        self.latest = settled.latest(history, self._rows, None if failed is None else failed[self._rows])
        self.total = settled.kernels.total + settled.prior_weight + self.latest.total
        self.totals = settled.totals
        self._history = history

    def narrow(self, point: Points) -> Parzen:
        """Return a mixture with the kernel of one further point, as narrow as the smallest bandwidth."""
        m, reals = self.layout.numeric, self.layout.reals
        sigma = np.full((m, 1), self.tables.min_bandwidth)
        grid = sigma[reals:]
        np.maximum(grid, 0.5 * (point.high - point.low), out=grid)
        return Parzen(self.layout, point, np.ones(1), sigma, self.settled.spread, self.settled.prior_weight)

    def at(self, points: Points) -> Density:
        """Return the densities at points."""
        return self.evaluate([], points.x, points.active, points).densities()[0]

    def evaluate(
        self,
        fronts: Sequence[Mixture],
        x: Matrix,
        active: NDArray[np.bool_] | None,
        points: Points | None = None,
        others: Sequence[Others] = (),
    ) -> Evaluation:
        """Return the densities of other mixtures and this one, see `blocks.evaluate`."""
        if self.tables.others and points is not None:
            others = [*others, self._others()]
        latest = self.latest
        stack = self.settled.beside(*fronts, lacks=any(some.lacking is not None for some in latest.parts))
        return evaluate(stack, latest.parts, x, active, points, others, latest.total)

    def _others(self) -> Others:
        """Return the grids without tables, alone; their kernels stand for all trials."""
        rows, tables, settled, latest = self.tables.others, self.tables, self.settled, self.latest
        kinds = [(settled.rows, settled.kernels), (np.arange(len(self._history))[self._rows], latest)]
        chosen = np.concatenate([rows if some.order is None else rows[some.order] for rows, some in kinds])
        points = Points.of(self.layout, self._history.coords[chosen], self._history.bins_of(chosen))
        mine = points.only(rows, self.layout.reals)
        layout = Layout(self.layout.order[rows], 0, len(rows), np.empty(0), np.empty((0, 1)))
        sigma = [tables.sigma(widths.levels[rows]) for widths in settled.widths]
        lengths = [len(some) for kernels in (settled.kernels, latest) for some in kernels.parts]
        each = np.repeat(np.array(2 * sigma), lengths, axis=0).T
        weights = np.concatenate(
            [np.ones(len(rows)) if some.weights is None else some.weights for rows, some in kinds]
        )
        widest = np.maximum(each, 0.5 * (mine.high - mine.low))
        mixture = Parzen(layout, mine, weights, widest, np.empty(0), settled.prior_weight)
        held = np.maximum(mixture.held.sum(axis=1), 1e-300)
        return Others(mixture, (self.totals[rows] - settled.prior_weight) / held, self.totals[rows])


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
    """Return the density of all trials but the good ones, all of them settled.

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
    whole = Settled(tally, good, counted, rows, weights, None, prior_weight)
    return Background(whole, history, good, None)
