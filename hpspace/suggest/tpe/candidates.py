"""Points that may be proposed, in whichever form somebody needs them.

A proposal draws a few dozen points and keeps one. What ranks them needs coordinates and which parameters are active;
raw values are needed of the one that is kept. So each form is made when it is asked for: activity from the codes of
choices alone where that is possible, raw values of single points, and everything of all points only for densities that
need it.

Called by `choose` and `score`. Axes: c points, D columns.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.layout import Layout, Points

Matrix = NDArray[np.float64]


class Candidates:
    """Some points of a space.

    Parameters
    ----------
    space : CompiledSpace
        The space.
    layout : Layout
        Its layout.
    x : float64 array, shape (D, c)
        Coordinates in the layout's order; of inactive parameters any.
    values : float64 array, shape (c, D), optional
        Raw values in the space's order, if they are known; NaN where inactive.
    numbers : int array, shape (c,), optional
        The combination of codes of each, if it is known.
    """

    def __init__(
        self,
        space: CompiledSpace,
        layout: Layout,
        x: Matrix,
        values: Matrix | None = None,
        numbers: NDArray[np.intp] | None = None,
    ) -> None:
        self.space = space
        self.layout = layout
        self.x = x
        self._values = values
        self._numbers = numbers
        self._active: NDArray[np.bool_] | None = None
        self._sees_active = False

    @classmethod
    def at(cls, space: CompiledSpace, layout: Layout, values: Matrix) -> Candidates:
        """Return points given by their raw values (c, D)."""
        x = space.encode(values).T[layout.order]
        x[np.isnan(x)] = 0.0
        return cls(space, layout, x, values)

    def __len__(self) -> int:
        return int(self.x.shape[1])

    @cached_property
    def coords(self) -> Matrix:
        """Coordinates in the space's order, shape (c, D)."""
        return self.x.take(self.layout.places, axis=0).T

    @cached_property
    def values(self) -> Matrix:
        """Raw values of all points, shape (c, D); NaN where inactive."""
        return self.space.mask(self.space.decode(self.coords)) if self._values is None else self._values

    @property
    def _has_values(self) -> bool:
        """Whether `values` are given, or made for all points already."""
        return self._values is not None or "values" in self.__dict__

    @property
    def numbers(self) -> NDArray[np.intp] | None:
        """The combination of codes of each point, shape (c,); None if there are too many, or values were given."""
        if self._numbers is None and self._values is None and self.layout.combinations is not None:
            self._numbers = self.layout.combinations.at(self.x)
        return self._numbers

    @property
    def active(self) -> NDArray[np.bool_] | None:
        """Which parameters each point has, in the layout's order, shape (D, c); None if each has all."""
        # OPTIM: not a cached_property, which takes a lock before Python 3.12
        if not self._sees_active:
            self._active, self._sees_active = self._find_active(), True
        return self._active

    def _find_active(self) -> NDArray[np.bool_] | None:
        if self._values is None:
            if self.space.unconditional:
                return None
            layout, numbers = self.layout, self.numbers
            if layout.combinations is not None and numbers is not None:
                return layout.combinations.active.take(numbers, axis=1)
            if layout.deciding is not None and self.space.paths is not None:
                active = self.space.paths.active(self.x.take(layout.deciding, axis=0))
                return active.take(layout.order, axis=0)
        values = self.values.T[self.layout.order]
        return np.asarray(values == values)

    @cached_property
    def points(self) -> Points:
        """The points as Parzen densities need them."""
        values = self.values
        coords = np.where(values == values, self.coords, np.nan)
        return Points.of(self.layout, coords, self.space.bins(values))

    def takes(self, column: int, code: float) -> NDArray[np.bool_]:
        """Return which points have a code in a column of the space, shape (c,)."""
        place = int(self.layout.places[column])
        taken: NDArray[np.bool_] = self.x[place] == code
        return taken if self.active is None else taken & self.active[place]

    def row(self, chosen: int) -> Matrix:
        """Return the raw values of one point, shape (D,); NaN where inactive."""
        if self._has_values:
            return np.asarray(self.values[chosen])
        places, active = self.layout.places, self.active
        return self.space.columns.decode_point(
            self.x[:, chosen].take(places), None if active is None else active[:, chosen].take(places)
        )

    def rows(self, chosen: NDArray[np.intp]) -> Matrix:
        """Return the raw values of some points, shape (m, D); NaN where inactive."""
        if self._has_values:
            return self.values[chosen]
        columns = self.x.take(chosen, axis=1).take(self.layout.places, axis=0)  # (D, m)
        if self.active is None:
            return self.space.columns.decode_in_place(columns.T)
        active = self.active.take(chosen, axis=1).take(self.layout.places, axis=0)
        rows = self.space.columns.decode_in_place(columns.T, np.logical_or.reduce(active, axis=1))
        columns[~active] = np.nan
        return rows
