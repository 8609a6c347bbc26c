"""The latest trials of a history as kernels, which join those of the settled ones one by one.

Between two proposals of a search one trial is new. numpy takes longer to begin than to compute what a single trial of a
few parameters contributes, so here this is done number by number; the formulas are those of `kernels` and `notes`, for
one trial. In spaces of many parameters those are used themselves.

Used by `settled`, `background` and `stack`. Axes: S smooth columns, G tabled grids, C choices with K codes in all (see
`tables`).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpspace.dists.special import LOG_SQRT_2PI
from hpspace.history import History
from hpspace.suggest.tpe.grids import ABSENT, FIRST_VALUE
from hpspace.suggest.tpe.kernels import Widths, kernels_of
from hpspace.suggest.tpe.notes import Notes, new_centre
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables

#: Up to so many columns kernels are written number by number.
FEW_COLUMNS = 32

_SQRT_HALF = math.sqrt(0.5)


@dataclass(frozen=True, eq=False)
class Kernel:
    """One kernel; see `kernels.Kernels`.

    Parameters
    ----------
    coefficients : sequence of float, length `features`
        Of the features of `tables`, 0 where the trial lacks the parameter; the last is the weight's logarithm.
    lacking : sequence of bool, length S + G + C, or None
        Which parameters its trial lacks; None if it lacks none.
    centres : sequence of int, length G
        Where it stands on the tabled grids.
    failed : bool
        Whether its trial failed.
    """

    coefficients: list[float] | Matrix
    lacking: list[bool] | NDArray[np.bool_] | None
    centres: list[int] | Codes
    failed: bool


@dataclass(frozen=True, eq=False)
class Latest:
    """The trials of a history from one on, but some, as kernels.

    A value: who follows the history makes another one, so that an interrupt, or another thread, finds it as it was.

    Parameters
    ----------
    makers : sequence of Maker
        Who makes kernels: of trials that did not fail and, if any failed, of the others.
    without : frozenset of int
        Trials to leave out.
    end : int
        The first trial that was not looked at.
    rows : tuple of int
        The trials that were followed.
    kernels : tuple of Kernel
        What they contribute.
    total : float
        The weights' sum.
    lacks : bool
        Whether any of them lacks a parameter.
    """

    makers: Sequence[Maker]
    without: frozenset[int]
    end: int
    rows: tuple[int, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    total: float = 0.0
    lacks: bool = False

    @classmethod
    def of(
        cls, tables: Tables, widths: Sequence[Widths], weights: Sequence[float], first: int, without: Codes
    ) -> Latest:
        """Return none of them.

        Parameters
        ----------
        tables : Tables
            The space's tables.
        widths : sequence of Widths
            How wide kernels are: those of trials that did not fail and, if any failed, those of the others.
        weights : sequence of float
            The same for how much they count.
        first : int
            The first trial that is wanted.
        without : int array
            Trials to leave out.
        """
        maker = _Numbers if len(tables.layout.order) <= FEW_COLUMNS else _Arrays
        makers = [maker(tables, some, weight) for some, weight in zip(widths, weights)]
        return cls(makers, frozenset(row for row in without.tolist() if row >= first), first)

    def followed(self, history: History, failed: NDArray[np.bool_] | None) -> Latest:
        """Return these trials with those that came and as those that failed since; itself if nothing changed.

        Parameters
        ----------
        history : History
            All trials.
        failed : bool array, shape (trials,), or None
            Which of them failed; None if none did.
        """
        known = self.kernels
        if failed is not None:
            known = tuple(
                self._made(history, [row], failed)[0] if kernel.failed != failed[row] else kernel
                for row, kernel in zip(self.rows, known)
            )
        new = [row for row in range(self.end, len(history)) if row not in self.without]
        if not new and known == self.kernels:
            return self
        more = self._made(history, new, failed)
        kernels = (*known, *more)
        if failed is None:
            total = self.total + self.makers[0].weight * len(new)
        else:
            total = float(sum(self.makers[kernel.failed].weight for kernel in kernels))
        lacks = self.lacks or any(kernel.lacking is not None for kernel in more)
        return Latest(self.makers, self.without, len(history), (*self.rows, *new), kernels, total, lacks)

    def _made(self, history: History, rows: list[int], failed: NDArray[np.bool_] | None) -> list[Kernel]:
        """Return the kernels of some trials."""
        if not rows:
            return []
        if failed is None:
            return self.makers[0].kernels(history, rows, False)
        made: dict[int, Kernel] = {}
        of: list[bool] = failed.take(rows).tolist()
        for kind in sorted(set(of)):
            mine = [row for row, own in zip(rows, of) if own == kind]
            made.update(zip(mine, self.makers[kind].kernels(history, mine, kind)))
        return [made[row] for row in rows]


class Maker(Protocol):
    """Makes kernels of one kind: of trials that failed, or of others."""

    weight: float

    def kernels(self, history: History, rows: list[int], failed: bool) -> list[Kernel]:
        """Return the kernels of some trials, at least one."""


class _Arrays:
    """Makes them as `kernels` does."""

    def __init__(self, tables: Tables, widths: Widths, weight: float) -> None:
        self._tables = tables
        self._widths = widths
        self.weight = weight

    def kernels(self, history: History, rows: list[int], failed: bool) -> list[Kernel]:
        """See `Maker`."""
        first = rows[0]
        notes = Notes.of(self._tables, history, first, rows[-1] + 1).take(np.array(rows) - first)
        made = kernels_of(self._tables, notes, self._widths, np.full(len(rows), self.weight))
        lacking = [None] * len(rows) if made.lacking is None else made.lacking
        parts = zip(made.coefficients, lacking, made.centres.T)
        return [Kernel(coefficients, lacks, centres, failed) for coefficients, lacks, centres in parts]


class _Numbers:
    """Makes them number by number."""

    def __init__(self, tables: Tables, widths: Widths, weight: float) -> None:
        order = tables.layout.order
        self._tables = tables
        self._columns: list[int] = order[tables.places].tolist()
        sigma = np.broadcast_to(widths.sigma, len(tables.smooth)).tolist()
        self._smooth = list(zip(order[tables.smooth].tolist(), sigma))
        # of a large grid, which smooth column it is too
        smooth = {int(grid): i for i, grid in enumerate(tables.fine_ones, tables.layout.reals)}
        self._grids = [
            (int(order[row]), row, float(offset), len(tables.grids[row]), smooth.get(grid))
            for grid, (row, offset) in enumerate(zip(tables.rows, tables.offsets[:, 0]))
        ]
        self._choices = list(
            zip(
                order[tables.layout.numeric :].tolist(),
                tables.first_option.tolist(),
                tables.n_options.tolist(),
            )
        )
        self._miss: list[float] = widths.miss.tolist()
        self._hit: list[float] = (widths.miss + widths.gain).tolist()
        self.weight = weight

    def kernels(self, history: History, rows: list[int], failed: bool) -> list[Kernel]:
        """See `Maker`."""
        return [self._kernel(history, row, failed) for row in rows]

    def _kernel(self, history: History, row: int, failed: bool) -> Kernel:
        x: list[float] = history.coords[row].tolist()
        centres, halves = self._on_grids(history, row, x)
        lacking = [x[column] != x[column] for column in self._columns]
        coefficients = [*self._normal(x, halves), *self._codes(x), math.log(self.weight)]
        return Kernel(coefficients, lacking if any(lacking) else None, centres, failed)

    def _on_grids(self, history: History, row: int, x: list[float]) -> tuple[list[int], dict[int, float]]:
        """Return the centres, and of some smooth columns the least bandwidth."""
        tables = self._tables
        centres = [ABSENT] * len(self._grids)
        halves: dict[int, float] = {}
        for grid, (column, place, offset, size, smooth) in enumerate(self._grids):
            at = x[column]
            if at == at:
                there = bisect_right(tables.edges_list, at + offset)
                value = int(tables.value_there[there])
                if smooth is not None:
                    halves[smooth] = float(tables.half_there[there])
                found = value < size
                centres[grid] = value + FIRST_VALUE if found else new_centre(tables, history, row, place)
        return centres, halves

    def _normal(self, x: list[float], halves: dict[int, float]) -> list[float]:
        """Return the coefficients of x^2, of x and of 1 of the smooth columns, shape (3 S,)."""
        s = len(self._smooth)
        out = [0.0] * (3 * s)
        for i, (column, sigma) in enumerate(self._smooth):
            mu = x[column]
            if mu == mu:
                sigma = max(sigma, halves.get(i, 0.0))
                steep = 1.0 / sigma
                z = mu * steep
                inside = 0.5 * (math.erf(_SQRT_HALF * (steep - z)) + math.erf(_SQRT_HALF * z))
                out[i] = -0.5 * steep * steep
                out[s + i] = z * steep
                out[2 * s + i] = -0.5 * z * z - math.log(sigma * inside) - LOG_SQRT_2PI
        return out

    def _codes(self, x: list[float]) -> list[float]:
        """Return the coefficients of the codes, shape (K,)."""
        codes = self._miss.copy()
        for column, first, options in self._choices:
            code = x[column]
            if code == code:
                codes[first + int(code)] = self._hit[first + int(code)]
            else:
                codes[first : first + options] = [0.0] * options
        return codes
