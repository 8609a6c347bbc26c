"""How the columns of a space are laid out for the densities: continuous, grid and choice columns in blocks.

Kernels of one kind share a formula, so the densities work on blocks of columns and not on one column at a
time. A `Layout` is the reordering of a space's columns into those blocks together with the tables of the
choices' declared probabilities; `Points` are points in that order.

Axes: D columns in the order real, grid, choice; n points. Coordinates are those of `CompiledSpace.encode`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hpspace.space.compiled import CompiledSpace

T = TypeVar("T", bound=np.generic)

_REAL, _GRID, _CHOICE = 0, 1, 2


#: Of more combinations of codes there is no table.
_MOST_COMBINATIONS = 1024

#: More points without numbers are not looked for one by one.
_MOST_BARE = 16


@dataclass(frozen=True, eq=False)
class Combinations:
    """What follows from the codes of choices, by their combination.

    Parameters
    ----------
    strides : float64 array, shape (D,)
        Times coordinates, a combination's number; 0 for columns that do not count.
    active : bool array, shape (D, combinations)
        Which columns each combination makes active.
    codes : float64 array, shape (choices, combinations), or None
        The codes of each, in the layout's order; None where some choice does not count.
    """

    strides: NDArray[np.float64]
    active: NDArray[np.bool_]
    codes: NDArray[np.float64] | None

    @classmethod
    def of(
        cls, space: CompiledSpace, order: NDArray[np.intp], deciding: NDArray[np.intp]
    ) -> Combinations | None:
        """Return those of all choices of a space or, if they are too many, of those that decide; else None.

        Parameters
        ----------
        space : CompiledSpace
            The space.
        order, deciding : int arrays
            As in `Layout`.
        """
        for places in (np.flatnonzero(space.kinds[order] == _CHOICE), np.unique(deciding)):
            sizes = [len(space.prior_p(int(order[place]))) for place in places]
            if len(places) and math.prod(sizes) <= _MOST_COMBINATIONS:
                return cls._of(space, order, deciding, places, sizes)
        return None

    @classmethod
    def _of(
        cls,
        space: CompiledSpace,
        order: NDArray[np.intp],
        deciding: NDArray[np.intp],
        places: NDArray[np.intp],
        sizes: list[int],
    ) -> Combinations:
        strides = np.zeros(len(order))
        strides[places] = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
        codes = np.indices(sizes).reshape(len(sizes), -1).astype(np.float64)
        active = np.ones((len(order), codes.shape[1]), dtype=bool)
        if not space.unconditional and space.paths is not None:
            active = space.paths.active(codes[np.searchsorted(places, deciding)]).take(order, axis=0)
        whole = bool((space.kinds[order] == _CHOICE).sum() == len(places))
        return cls(strides, active, codes if whole else None)

    def bare(
        self, space: CompiledSpace, order: NDArray[np.intp]
    ) -> tuple[list[bytes], NDArray[np.intp]] | None:
        """Return the points that have no numbers, which their combination alone makes, if they are few.

        Parameters
        ----------
        space : CompiledSpace
            The space.
        order : int array, shape (D,)
            As in `Layout`.

        Returns
        -------
        keys : list of bytes
            Their keys, as of `CompiledSpace.keys`.
        which : int array, shape (combinations,)
            Which of them each combination makes; their number if it has numbers.
        """
        if self.codes is None:
            return None
        numeric = len(order) - len(self.codes)
        alone = np.flatnonzero(~self.active[:numeric].any(axis=0))
        rows = np.full((len(alone), len(order)), np.nan)
        codes = np.where(self.active[numeric:, alone], self.codes[:, alone], np.nan)
        rows[:, order[numeric:]] = codes.T
        keys = space.keys(rows)
        distinct = list(dict.fromkeys(keys))
        if not 0 < len(distinct) <= _MOST_BARE:
            return None
        which = np.full(self.active.shape[1], len(distinct))
        which[alone] = [distinct.index(key) for key in keys]
        return distinct, which

    def at(self, x: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the numbers of the combinations of points (D, c); codes are valid also where they are not active."""
        return (self.strides @ x).astype(np.intp)


@dataclass(frozen=True)
class Layout:
    """Columns of a space in blocks by kind.

    Parameters
    ----------
    order : int array, shape (D,)
        The space's column at each place: continuous columns, then grids, then choices.
    reals, grids : int
        Number of continuous and of grid columns; the others are choices.
    n_options : float64 array, shape (choices,)
        Number of options of each choice.
    p : float64 array, shape (choices, most options)
        Declared probabilities, padded with 0.
    selectors : int array
        The space's columns of the choices whose options have parameters of their own.
    deciding : int array or None
        Places of the columns of the space's `paths`, if these are choices: activity follows from codes then.
    combinations : Combinations or None
        The combinations of codes, if they are not too many and activity follows from them.
    bare : pair of list and int array, or None
        The points without numbers, see `Combinations.bare`.
    """

    order: NDArray[np.intp]
    reals: int
    grids: int
    n_options: NDArray[np.float64]
    p: NDArray[np.float64]
    selectors: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    deciding: NDArray[np.intp] | None = None
    combinations: Combinations | None = None
    bare: tuple[list[bytes], NDArray[np.intp]] | None = None

    @cached_property
    def numeric(self) -> int:
        """Number of columns that are no choice."""
        return self.reals + self.grids

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """Place of each of the space's columns, shape (D,): the inverse of `order`."""
        return np.argsort(self.order)

    def codes_at(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the declared quantiles of the choices.

        Parameters
        ----------
        u : float64 array, shape (choices, n)
            Where on the unit interval; values below 0 count as 0.

        Returns
        -------
        float64 array, shape (choices, n)
            Codes.
        """
        ends = np.cumsum(self.p, axis=1)
        ends /= ends[:, -1:]  # exactly 1 from the last possible option on
        below = np.minimum(u, 1.0 - 2.0**-53)
        codes: NDArray[np.float64] = (ends[:, None, :] <= below[:, :, None]).sum(axis=2).astype(np.float64)
        return codes

    @classmethod
    def of(cls, space: CompiledSpace) -> Layout:
        """Return the layout of a space."""
        kinds = np.asarray(space.kinds)
        order = np.argsort(kinds, kind="stable")
        choices = order[kinds[order] == _CHOICE]
        tables = [space.prior_p(int(column)) for column in choices]
        p = np.zeros((len(tables), max((len(table) for table in tables), default=1)))
        for row, table in zip(p, tables):
            row[: len(table)] = table
        deciding = _deciding(space, np.argsort(order))
        combinations = None if deciding is None else Combinations.of(space, order, deciding)
        return cls(
            order=order,
            reals=int(np.count_nonzero(kinds == _REAL)),
            grids=int(np.count_nonzero(kinds == _GRID)),
            n_options=np.array([len(table) for table in tables], dtype=np.float64),
            p=p,
            selectors=_selectors(space, choices),
            deciding=deciding,
            combinations=combinations,
            bare=None if combinations is None else combinations.bare(space, order),
        )


def _selectors(space: CompiledSpace, choices: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the choices on which another parameter's existence depends."""
    named = {label for param in space.params for clauses in param.conditions for label, _ in clauses}
    return np.array([column for column in choices if space.labels[column] in named], dtype=np.intp)


def _deciding(space: CompiledSpace, places: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return the places of the choices that activity follows from, given every column's; see `Layout`."""
    paths = space.paths
    if space.unconditional:
        return np.empty(0, dtype=np.intp)
    if paths is None or not (space.kinds[paths.columns] == _CHOICE).all():
        return None
    return places[paths.columns]


def pick(table: NDArray[T], columns: NDArray[np.intp]) -> NDArray[T]:
    """Return the entries of each row of a table (d, k) at the same row of `columns` (d, n); shape (d, n)."""
    picked: NDArray[T] = table[np.arange(len(table))[:, None], columns]
    return picked


@dataclass(frozen=True)
class Points:
    """Points in a layout's order; entries of inactive parameters hold any valid number.

    Parameters
    ----------
    x : float64 array, shape (D, n)
        Coordinates; codes for choices.
    active : bool array, shape (D, n)
        Which parameters each point has.
    low, high : float64 arrays, shape (grids, n)
        Unit bins of the grid values.
    """

    x: NDArray[np.float64]
    active: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        layout: Layout,
        coords: NDArray[np.float64],
        bins: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> Points:
        """Arrange rows of a space.

        Parameters
        ----------
        layout : Layout
            The space's layout.
        coords : float64 array, shape (n, D)
            Coordinates in the space's order; NaN where inactive. A grid's may lie anywhere in the value's
            bin.
        bins : pair of float64 arrays, shape (n, D)
            What `CompiledSpace.bins` returns for the same rows, for grid columns at least.
        """
        x = coords.T[layout.order]
        active = x == x
        grid = layout.order[layout.reals : layout.numeric]
        low, high = bins[0].T[grid], bins[1].T[grid]
        x[layout.reals : layout.numeric] = 0.5 * (low + high)
        if not active.all():
            x[~active] = 0.0
            known = active[layout.reals : layout.numeric]
            low, high = np.where(known, low, 0.0), np.where(known, high, 1.0)
        return cls(x, active, low, high)

    def select(self, columns: NDArray[np.intp] | slice) -> Points:
        """Return some of the points."""
        return Points(
            self.x[:, columns], self.active[:, columns], self.low[:, columns], self.high[:, columns]
        )

    def only(self, rows: list[int], reals: int) -> Points:
        """Return the points with some of their grid columns only, given the number of continuous columns."""
        grid = np.array(rows, dtype=np.intp) - reals
        return Points(self.x[rows], self.active[rows], self.low[grid], self.high[grid])

    @property
    def n(self) -> int:
        """Number of points."""
        return int(self.x.shape[1])
