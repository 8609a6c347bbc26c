"""Learning curves as a pruner reads them: the curve in question, and those of the other trials.

Values have the sign of what is minimised: lower is better, always. `Curve.shown` turns a number back into what the
user knows. Nothing here can be changed by a rule, and nothing knows documents or stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpspace.history import OK
from hpspace.prune.table import CurveTable


@dataclass(frozen=True, eq=False)
class Curve:
    """What one trial has reported.

    Parameters
    ----------
    tid : object
        The trial's id.
    number : int
        Its place among the trials, from 0: the id if that is an integer, else the order of insertion.
    steps : int array, shape (m,)
        The steps, ascending.
    values : float64 array, shape (m,)
        What was reported there; lower is better, NaN is possible.
    asked : int
        Step at which the question whether to stop was put the time before; -1 before the first. Rules that decide
        only now and then compare it with the last step, so that no turn is missed by who asks seldom.
    branch : int
        A number for the branch of the space that the trial is in: which parameters it has.
    direction : {"minimize", "maximize"}
        What the user asked for.
    """

    tid: Any
    number: int
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    asked: int = -1
    branch: int = 0
    direction: str = "minimize"

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        steps: Sequence[int] | None = None,
        direction: str = "minimize",
        asked: int = -1,
    ) -> Curve:
        """Make a curve of plain numbers, to try a rule by hand.

        Parameters
        ----------
        values : sequence of float
            In the order of the steps; lower is better.
        steps : sequence of int, optional
            Ascending; by default 0, 1, 2 and so on.
        direction, asked
            As for the class.

        Examples
        --------
        >>> Curve.of([0.9, 0.7, 0.8]).best
        0.7
        """
        numbers = np.arange(len(values)) if steps is None else np.asarray(steps)
        return cls(None, 0, numbers, np.asarray(values, dtype=np.float64), asked, direction=direction)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def step(self) -> int:
        """The last step; -1 before the first report."""
        return int(self.steps[-1]) if len(self.steps) else -1

    @property
    def last(self) -> float:
        """The value at the last step; NaN before the first report."""
        return float(self.values[-1]) if len(self.values) else np.nan

    @property
    def best(self) -> float:
        """The lowest value so far; NaN if there is none."""
        return lowest(self.values)

    def first_from(self, step: int) -> float:
        """Return the value at the first report at this step or later; NaN without one."""
        place = int(np.searchsorted(self.steps, step))
        return float(self.values[place]) if place < len(self.steps) else np.nan

    def shown(self, value: float) -> str:
        """Return a value as the user knows it: with its own sign, and six digits."""
        return f"{0.0 - value if self.direction == 'maximize' else value + 0.0:.6g}"  # no "-0"


class Curves:
    """The curves of other trials: all of them, or those that a restriction left.

    Parameters
    ----------
    table : CurveTable
        All curves.
    among : bool array, shape (n,)
        Which rows of the table belong to it.

    Examples
    --------
    >>> others = curves_of([[0.9, 0.8], [0.7, 0.5], [0.6]], losses=[0.8, 0.5, None])
    >>> len(others), len(others.finished())
    (3, 2)
    >>> others.values_at(0).tolist(), others.finished().values_at(1).tolist()
    ([0.9, 0.7, 0.6], [0.8, 0.5])
    """

    def __init__(self, table: CurveTable, among: NDArray[np.bool_]) -> None:
        self._table = table
        self._among = among

    def __len__(self) -> int:
        return int(np.count_nonzero(self._among))

    def among(self, which: NDArray[np.bool_]) -> Curves:
        """Return the curves for which `which` holds, a bool array with an entry for each row of the table."""
        return Curves(self._table, self._among & which)

    def finished(self) -> Curves:
        """Return the curves of trials that finished with a loss."""
        return self.among(self._table.kinds == OK)

    def of_branch(self, branch: int) -> Curves:
        """Return the curves of trials in one branch of the space."""
        return self.among(self._table.branches == branch)

    @property
    def total(self) -> int:
        """Number of rows of the table: the length of the arrays that `among` takes."""
        return len(self._among)

    @property
    def rows(self) -> NDArray[np.intp]:
        """Their rows in the table."""
        return np.flatnonzero(self._among)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The place of each among the trials, in the order of `rows`; see `Curve.number`."""
        numbers: NDArray[np.int64] = self._table.numbers[self._among]
        return numbers

    def values_at(self, step: int) -> NDArray[np.float64]:
        """Return what was reported at exactly this step, by those who did; without NaN."""
        rows, values = self._table.at(step)
        there: NDArray[np.float64] = values[self._among[rows] & (values == values)]
        return there

    def values_from(self, step: int) -> NDArray[np.float64]:
        """Return the value of each at its first report at this step or later, in the order of `rows`.

        NaN for those who have not come there; infinity for those who reported NaN.
        """
        first: NDArray[np.float64] = self._table.first_from(step)[self._among]
        return first

    def furthest(self) -> int:
        """Return the highest step that any of them has reported; -1 without one."""
        return int(self._table.last_steps[self._among].max(initial=-1))

    def best(self) -> Curve | None:
        """Return the curve of the finished trial with the lowest loss, the first of equals; None without one."""
        losses = np.where(self._among & (self._table.kinds == OK), self._table.losses, np.nan)
        if not len(losses) or np.isnan(losses).all():
            return None
        return curve_at(self._table, int(np.nanargmin(losses)))


def curve_at(table: CurveTable, row: int) -> Curve:
    """Return one row of a table."""
    return Curve(
        table.tids[row],
        int(table.numbers[row]),
        _read_only(table.steps(row)),
        _read_only(table.values(row)),
        table.asked[row],
        int(table.branches[row]),
        table.direction,
    )


def others_of(table: CurveTable, row: int | None) -> Curves:
    """Return all curves of a table but one; all of them for None."""
    among = np.ones(len(table), dtype=bool)
    if row is not None:
        among[row] = False
    return Curves(table, among)


def curves_of(values: Sequence[Sequence[float]], losses: Sequence[float | None] = ()) -> Curves:
    """Make curves of plain numbers, to try a rule by hand.

    Parameters
    ----------
    values : sequence of sequences of float
        The values of each trial at steps 0, 1, 2 and so on; lower is better.
    losses : sequence of float or None
        The loss of each trial, None if it has not finished; by default the last value of each.

    Returns
    -------
    Curves
    """
    table = CurveTable()
    ends = losses if len(losses) else [curve[-1] if len(curve) else None for curve in values]
    for tid, (curve, loss) in enumerate(zip(values, ends)):
        row = table.add(tid)
        for step, value in enumerate(curve):
            table.report(row, step, value)
        if loss is not None:
            table.settle(row, OK, loss)
    return Curves(table, np.ones(len(table), dtype=bool))


def lowest(values: NDArray[np.float64]) -> float:
    """Return the lowest value that is not NaN; NaN if there is none."""
    return float(np.fmin.reduce(values)) if len(values) else np.nan


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
