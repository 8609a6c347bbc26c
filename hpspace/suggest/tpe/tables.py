"""What the binned densities need to know of a space: where each column's values stand, and tables of kernels.

Columns are of three kinds for them. *Smooth* ones are looked up between the centres of bins: the continuous columns,
and grids with values too narrow to be told apart. *Tabled* ones are grids, see `grids`; a large grid is both, each
value the one or the other. *Choices* are looked up by their codes. Grids whose values depend on other parameters are
none of these and are evaluated as in `parzen`.

A density's marginals are one row of numbers, its *cells*: `BINS` for each smooth column, one for each tabled value and
each code, and a 1 for what a point does not have. A kernel's logarithm is linear in *features* of a point: x^2, x and
1 of each smooth column, whether it has each code, and 1.

Made once for a space and a smallest bandwidth. Axes: D columns in the order of `Layout`, S smooth columns, G grids,
C choices with K codes in all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.grids import BINS, DENSITY_BITS, GridTable, densities, exact
from hpspace.suggest.tpe.layout import Layout

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Bandwidths below this are not resolved by the bins.
SMALLEST_BANDWIDTH = 3.5 / BINS
#: Distance of the stretches into which one sorted array holds what is in [0, 1] of several columns.
APART = 2.0
#: An option that is declared impossible but was tried anyway has this probability, so that logs stay finite.
TINY = 1e-12
#: Bandwidths are rounded up to the smallest one times a power of this.
_RATIO = math.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class Coded:
    """What points have by the number of their combination of codes, see `layout.Combinations`.

    Parameters
    ----------
    there : bool array, shape (S + G + C, combinations)
        Which columns they have, in the order of `Tables.places`.
    cells : int array, shape (C, combinations)
        The cells of their codes.
    own : float64 array, shape (K, combinations)
        Whether they have each code.
    """

    there: NDArray[np.bool_]
    cells: Codes
    own: Matrix

    def take(self, numbers: Codes) -> Coded:
        """Return what points have, given the numbers of their combinations."""
        return Coded(
            self.there.take(numbers, axis=1), self.cells.take(numbers, axis=1), self.own.take(numbers, axis=1)
        )


class Tables:
    """Columns, cells and features of a space, and the kernels of its bandwidths.

    Parameters
    ----------
    space, layout
        The space and its layout.
    min_bandwidth : float
        Smallest bandwidth.

    Attributes
    ----------
    grids : dict of int to GridTable
        The tabled columns, by their place in the layout.
    fine : list of int
        Those of them that are smooth as well.
    others : list of int
        The grids that are neither.
    smooth : int array, shape (S,)
        Places of the smooth columns, the continuous ones first.
    choice, option : int array, shape (K,), and float64 array, shape (K, 1)
        Choice (the how-manieth) and option of every code.
    first_option, n_options : int arrays, shape (C,)
        First code of each choice, and how many it has.
    p : float64 array, shape (K,)
        Declared probabilities of the codes; 0 is replaced by something tiny.
    places : int array, shape (S + G + C,)
        Places of the smooth columns, the tabled ones and the choices; a column that is both has two.
    first_bins : int array, shape (S, 1)
        First cell of each smooth column.
    first_value : dict of int to int
        First cell of each tabled column.
    first_code : int
        First cell of the choices. `code_cells`: first cell of each choice, shape (C, 1).
    nothing : int
        The last cell, which is 1.
    column : int array, shape (cells,)
        Place of each cell's column; D for the last one.
    prior, log_prior : float64 arrays, shape (cells,)
        Declared density in each cell, and its logarithm.
    log_range : pair of float
        No log joint declared density is below the first, no log kernel above the second.
    cells, features : int
        Their numbers.
    column_of : int array, shape (features - 1,)
        The place in `places` of each feature's column.
    tabled : int array, shape (G,)
        Places of the tabled columns; `rows` is a list of them.
    fine_ones : int array
        Which of them are smooth as well.
    edges : float64 array
        Where the tabled columns' stretches begin, but the first, see `_cut_grids`; column g is moved by
        ``offsets[g, 0]``. `edges_list`: the same as a list, for single values.
    value_there, cell_there : int arrays
        The tabled value of each stretch, the number of values if it has none, and its cell.
    half_there : float64 array
        Half the width of each stretch's value; 0 if it is not tabled.
    sizes : int array, shape (G, 1)
        Numbers of tabled values; `fine_sizes`: of those that are smooth as well.
    coded : Coded or None
        What points have by their combination of codes, if there are few.
    narrowest : int array
        The levels of the numeric columns when all of them have the smallest bandwidth; always this object.
    """

    def __init__(self, space: CompiledSpace, layout: Layout, min_bandwidth: float) -> None:
        self.layout = layout
        self.min_bandwidth = min_bandwidth
        self.grids: dict[int, GridTable] = {}
        self.others: list[int] = []
        alike: dict[Any, GridTable] = {}
        for row in range(layout.reals, layout.numeric):
            dist = space.params[int(layout.order[row])].dist
            if dist is None:
                self.others.append(row)
            else:
                table = GridTable.of(dist)
                self.grids[row] = alike.setdefault(table.key, table)
        #: Tables that get more centres as trials bring them.
        self.growing = [grid for grid in alike.values() if not grid.complete]
        self.fine = [row for row, grid in self.grids.items() if not grid.complete]
        self.smooth = np.array([*range(layout.reals), *self.fine], dtype=np.intp)
        #: The same as a slice where they stand beside each other, for it makes views instead of copies.
        self.smooth_part: slice | Codes = self.smooth
        if self.smooth.tolist() == list(range(len(self.smooth))):
            self.smooth_part = slice(0, len(self.smooth))
        self._number_codes()
        self.first_bins: Codes = BINS * np.arange(len(self.smooth), dtype=np.intp)[:, None]
        self._number_cells()
        self.coded = self._coded()
        self._bins: dict[int, Matrix] = {}
        self.narrowest: Codes = np.zeros(layout.numeric, dtype=np.intp)

    def _number_codes(self) -> None:
        """Note the choice, the option and the declared probability of each code."""
        self.n_options: Codes = self.layout.n_options.astype(np.intp)
        options = self.n_options
        self.choice = np.repeat(np.arange(len(options)), options)
        self.first_option = np.cumsum(options) - options
        self.option = (np.arange(len(self.choice)) - self.first_option[self.choice]).astype(np.float64)[
            :, None
        ]
        self.p = np.maximum(self.layout.p[self.choice, self.option[:, 0].astype(np.intp)], TINY)

    def _number_cells(self) -> None:
        """Lay out cells and features."""
        layout = self.layout
        cell = BINS * len(self.smooth)
        self.first_value = {}
        for row, grid in self.grids.items():
            self.first_value[row] = cell
            cell += len(grid)
        self.first_code = cell
        self.code_cells: Codes = (cell + self.first_option)[:, None]
        self.nothing = cell + len(self.p)
        self.cells = self.nothing + 1
        self.places = np.array(
            [*self.smooth, *self.grids, *range(layout.numeric, len(layout.order))], dtype=np.intp
        )
        self._describe_cells()
        self._cut_grids()
        #: What stands for coordinates and codes of parameters that a trial lacks, shape (D,).
        self.if_absent: Matrix = np.zeros(len(layout.order))
        self.if_absent[layout.numeric :] = self.n_options
        #: Tables of tabled columns that stand beside each other, the first column's number, and how many they are.
        self.runs: list[tuple[GridTable, int, int]] = []
        for _, same in groupby(enumerate(self.grids.values()), key=lambda pair: id(pair[1])):
            run = list(same)
            self.runs.append((run[0][1], run[0][0], len(run)))
        s, g = len(self.smooth), len(self.tabled)
        self.features = 3 * s + len(self.p) + 1
        self.column_of: Codes = np.concatenate([np.tile(np.arange(s), 3), s + g + self.choice]).astype(
            np.intp
        )

    def _describe_cells(self) -> None:
        """Note the column and the declared density of each cell."""
        columns = len(self.layout.order)
        sizes = [BINS] * len(self.smooth) + [len(grid) for grid in self.grids.values()]
        sizes += [*self.n_options, 1]
        self.column = np.repeat([*self.places, columns], sizes)
        self.prior = np.ones(self.cells)
        for row, first in self.first_value.items():
            self.prior[first : first + len(self.grids[row])] = self.grids[row].widths
        self.prior[self.first_code : self.nothing] = self.p
        self.log_prior = np.log(self.prior)
        ends = np.cumsum(sizes)[: len(self.places)]
        lowest = sum(self.log_prior[end - size : end].min(initial=0.0) for end, size in zip(ends, sizes))
        # the peak of a normal kernel of bandwidth s of which at least half is inside is below 1 / s
        self.log_range = (float(lowest), -len(self.smooth) * math.log(self.min_bandwidth))

    def _cut_grids(self) -> None:
        """Cut the unit intervals of the tabled columns into stretches, each a tabled value or none of them.

        One sorted array holds the beginnings of all columns' stretches, `APART` from one column to the next.
        """
        edges, values, cells = [], [], []
        for i, (row, grid) in enumerate(self.grids.items()):
            starts, what = grid.stretches()
            edges.append(APART * i + starts)
            values.append(what)
            cells.append(np.where(what < len(grid), self.first_value[row] + what, self.nothing))
        halves = [np.append(0.5 * grid.widths, 0.0)[what] for grid, what in zip(self.grids.values(), values)]
        self.half_there = np.concatenate(halves) if edges else np.empty(0)
        # so many of them are not above a coordinate as stretches come before its own
        self.edges = np.concatenate(edges)[1:] if edges else np.empty(0)
        self.edges_list: list[float] = self.edges.tolist()
        self.value_there = np.concatenate(values) if edges else np.empty(0, dtype=np.intp)
        self.cell_there = np.concatenate(cells) if edges else np.empty(0, dtype=np.intp)
        self.sizes = np.array([len(grid) for grid in self.grids.values()], dtype=np.intp)[:, None]
        self.offsets = APART * np.arange(len(self.grids))[:, None]
        self.rows = list(self.grids)
        self.tabled = np.array(self.rows, dtype=np.intp)
        #: The same as a slice where they stand beside each other, for it makes views instead of copies.
        self.tabled_part: slice | Codes = self.tabled
        if len(self.grids) == self.layout.grids:
            self.tabled_part = slice(self.layout.reals, self.layout.numeric)
        self.fine_ones = np.array([list(self.grids).index(row) for row in self.fine], dtype=np.intp)
        self.fine_sizes: Codes = self.sizes[self.fine_ones]

    def _coded(self) -> Coded | None:
        """Return what points have by their combination of codes."""
        combinations, m = self.layout.combinations, self.layout.numeric
        if combinations is None or combinations.codes is None:
            return None
        there = combinations.active.take(self.places, axis=0)
        active, codes = combinations.active[m:], combinations.codes
        cells = np.where(active, codes.astype(np.intp) + self.code_cells, self.nothing)
        own = (codes.take(self.choice, axis=0) == self.option) & active.take(self.choice, axis=0)
        return Coded(there, cells, own.astype(np.float64))

    def level(self, counts: NDArray[np.float64], smallest: float | None = None) -> Codes:
        """Return the rounded bandwidth of columns with a number of trials, as a power of `_RATIO`.

        At least `min_bandwidth`, or another smallest one; the power may be negative then.
        """
        floor = self.min_bandwidth if smallest is None else smallest
        if smallest is None and (len(counts) == 0 or counts.min() * floor >= 1.5):
            return self.narrowest
        sigma = np.minimum(np.maximum(1.5 / np.maximum(counts, 1.0), floor), 1.0)
        return np.ceil(np.log(sigma / self.min_bandwidth) / math.log(_RATIO) - 1e-9).astype(np.intp)

    def sigma(self, levels: Codes) -> Matrix:
        """Return the bandwidths of levels."""
        return np.asarray(self.min_bandwidth * _RATIO ** levels.astype(np.float64))

    def bins(self, level: int) -> Matrix:
        """Return the density at each bin's centre of the kernel at each bin's centre, shape (B kernels, B)."""
        if level not in self._bins:
            centres, sigma = (np.arange(BINS) + 0.5) / BINS, self.min_bandwidth * _RATIO**level
            self._bins[level] = exact(densities(centres, np.full(BINS, sigma)), DENSITY_BITS)
        return self._bins[level]


_TABLES: WeakKeyDictionary[CompiledSpace, dict[float, Tables]] = WeakKeyDictionary()


def tables_of(space: CompiledSpace, layout: Layout, min_bandwidth: float) -> Tables:
    """Return the tables of a space, made when first asked for."""
    of_space = _TABLES.setdefault(space, {})
    tables = of_space.get(min_bandwidth)
    if tables is None:
        tables = of_space[min_bandwidth] = Tables(space, layout, min_bandwidth)
    return tables
