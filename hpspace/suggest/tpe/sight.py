"""Points as the binned densities see them: which cells they are looked up in, and their features.

Both are described in `tables`. What a point has of each column is found once and serves every density.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids, C choices, c points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.tpe.tables import Codes, Matrix, Tables
from hpspace.suggest.tpe.tally import nearest_bins


class Sight:
    """Some points.

    Parameters
    ----------
    tables : Tables
        The space's tables.
    x : float64 array, shape (D, c)
        Coordinates; of a grid's value anything in its bin, of inactive parameters any valid number.
    active : bool array, shape (D, c), optional
        Which parameters each point has; None for all.
    width : int
        Number of features: those of `tables`, the log declared density, and what others may add.
    numbers : int array, shape (c,), optional
        The combination of codes of each, where `tables.coded` is there.

    Attributes
    ----------
    features : float64 array, shape (width, c)
        What log kernels are linear in; not set beyond the log declared density. In that a narrow value's density stands
        for its mass.
    values : int array, shape (G, c)
        Tabled value of each tabled column; the number of values where a point has none of them.
    cells : int array, shape (S + G + C, c)
        Cells of the smooth columns, the tabled ones and the choices.
    """

    def __init__(
        self,
        tables: Tables,
        x: Matrix,
        active: NDArray[np.bool_] | None,
        width: int,
        numbers: Codes | None = None,
    ) -> None:
        layout, s, g = tables.layout, len(tables.smooth), len(tables.tabled)
        self.tables = tables
        self.n = x.shape[1]
        self.features: Matrix = np.empty((width, self.n))
        self.features[tables.features - 1] = 1.0
        self.cells: Codes = np.empty((len(tables.places), self.n), dtype=np.intp)
        self.values: Codes = self._see_grids(x) if g else np.empty((0, self.n), dtype=np.intp)
        coded = None if numbers is None or tables.coded is None else tables.coded.take(numbers)
        there = None
        if active is not None:
            there = active.take(tables.places, axis=0) if coded is None else coded.there
        if tables.fine:  # of a large grid only the values that are not tabled are smooth
            there = np.ones(self.cells.shape, dtype=bool) if there is None else there
            fine = self.values if len(tables.fine) == g else self.values.take(tables.fine_ones, axis=0)
            there[layout.reals : s] &= fine == tables.fine_sizes
        absent = None if there is None else ~there
        if s:
            self._see_smooth(x, None if there is None else there[:s])
        if absent is not None:
            np.copyto(self.values, tables.sizes, where=absent[s : s + g])
            np.copyto(self.cells[: s + g], tables.nothing, where=absent[: s + g])
        if coded is not None:
            self.features[3 * s : tables.features - 1] = coded.own
            self.cells[s + g :] = coded.cells
        elif layout.numeric < len(x):
            self._see_choices(x[layout.numeric :], None if absent is None else absent[s + g :])
        np.add.reduce(tables.log_prior.take(self.cells), axis=0, out=self.features[tables.features])

    # ---------------------------------------------------------------- finding cells and features

    def _see_grids(self, x: Matrix) -> Codes:
        tables, s, g = self.tables, len(self.tables.smooth), len(self.tables.tabled)
        there = tables.edges.searchsorted(x[tables.tabled_part] + tables.offsets, side="right")
        tables.cell_there.take(there, out=self.cells[s : s + g], mode="clip")
        return tables.value_there.take(there)

    def _see_smooth(self, x: Matrix, there: NDArray[np.bool_] | None) -> None:
        tables, s = self.tables, len(self.tables.smooth)
        smooth = x[tables.smooth_part]
        left, self._share = nearest_bins(smooth)
        np.add(left, tables.first_bins, out=self.cells[:s])
        squares, linear, on = self.features[: 3 * s].reshape(3, s, self.n)
        on[:] = 1.0 if there is None else there
        np.multiply(smooth, on, out=linear)
        np.multiply(linear, smooth, out=squares)

    def _see_choices(self, codes: Matrix, absent: NDArray[np.bool_] | None) -> None:
        tables, features = self.tables, self.features[3 * len(self.tables.smooth) : self.tables.features - 1]
        cells = self.cells[-len(codes) :]
        np.add(codes, tables.code_cells, out=cells, casting="unsafe")
        if absent is not None:
            np.copyto(cells, tables.nothing, where=absent)
            codes = np.where(absent, -1.0, codes)
        np.equal(codes.take(tables.choice, axis=0), tables.option, out=features)

    # ---------------------------------------------------------------- looking up

    def log_marginals(self, cells: Matrix, slopes: Matrix) -> Matrix:
        """Return log marginal densities, shape (b, S + G + C, c).

        A column that is both smooth and tabled has two rows, of which one is 0.

        Parameters
        ----------
        cells : float64 array, shape (b, cells)
            Densities in all cells.
        slopes : float64 array, shape (b, cells)
            How much larger the density in the next cell of a smooth column is; 0 for other columns.
        """
        found: Matrix = cells.take(self.cells, axis=1)
        s = len(self.tables.smooth)
        if s:
            more = slopes.take(self.cells[:s], axis=1)
            more *= self._share
            found[:, :s] += more
        return np.log(found, out=found)
