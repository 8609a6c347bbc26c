"""What a trial contributes to the binned densities: where it is counted, and where its kernel stands.

It follows from the trial alone and does not change. Called by `tally` for the trials that it counts; of the latest ones
`latest` notes the same.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids (see `tables`), n trials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.suggest.tpe.grids import ABSENT, FIRST_VALUE
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables


@dataclass(frozen=True, eq=False)
class Notes:
    """What is noted of some trials.

    Parameters
    ----------
    codes : int array, shape (n, D)
        Centre (see `grids`) or option of every trial, `ABSENT` or the number of options where inactive; 0 for others.
    mu : float64 array, shape (n, S)
        Coordinates of the smooth columns; 0 where inactive.
    half : float64 array, shape (n, fine columns)
        Half the width of the bin of each value of a large grid, 0 where it is narrow.
    lacking : bool array, shape (n, D), or None
        Which parameters each trial lacks; None if none lacks any.
    """

    codes: Codes
    mu: Matrix
    half: Matrix
    lacking: NDArray[np.bool_] | None

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, tables: Tables, history: History, first: int, end: int) -> Notes:
        """Return those of the trials from `first` on and before `end`."""
        layout, s = tables.layout, len(tables.smooth)
        x = history.coords[first:end].take(layout.order, axis=1)
        missing = np.isnan(x)
        absent = missing if missing.any() else None
        if absent is not None:
            np.copyto(x, tables.if_absent, where=absent)
        mu = x[:, :s] if s == layout.reals else x.take(tables.smooth, axis=1)
        codes, half = _codes(tables, history, x, absent, first)
        return cls(codes, mu, half, absent)

    def take(self, rows: Codes) -> Notes:
        """Return those of some of the trials."""
        lacking = None if self.lacking is None else self.lacking.take(rows, axis=0)
        codes, mu, half = (
            self.codes.take(rows, axis=0),
            self.mu.take(rows, axis=0),
            self.half.take(rows, axis=0),
        )
        return Notes(codes, mu, half, lacking)


def _codes(
    tables: Tables, history: History, x: Matrix, absent: NDArray[np.bool_] | None, first: int
) -> tuple[Codes, Matrix]:
    """Return the centre or option of every value (n, D), and half the widths of bins (n, fine columns)."""
    m, half = tables.layout.numeric, np.zeros((len(x), len(tables.fine)))
    codes = np.zeros(x.shape, dtype=np.intp)
    codes[:, m:] = x[:, m:]
    if not len(tables.tabled):
        return codes, half
    part = tables.tabled_part
    there = tables.edges.searchsorted(x[:, part] + tables.offsets.T, side="right")
    centres = tables.value_there.take(there)
    if absent is not None:
        np.copyto(centres, ABSENT - FIRST_VALUE, where=absent[:, part])
    if tables.fine:
        tables.half_there.take(there.take(tables.fine_ones, axis=1), out=half, mode="clip")
        narrow = centres == tables.sizes.T
        if narrow.any():
            for i, place in np.argwhere(narrow).tolist():
                centres[i, place] = new_centre(tables, history, first + i, tables.rows[place]) - FIRST_VALUE
    codes[:, part] = centres + FIRST_VALUE
    return codes, half


def new_centre(tables: Tables, history: History, row: int, column: int) -> int:
    """Return the centre at a value of a large grid that is in no table."""
    low, high = history.bins_of(np.array([row]))
    place = tables.layout.order[column]
    width = float(high[0, place] - low[0, place])
    return tables.grids[column].centre(float(history.coords[row, place]), width)
