"""Learning curves of many trials as columns: the writing side.

A row is a trial, in the order in which trials were added; a report is a (step, value) of a row. Values have the
sign of what is minimised. Reports are kept twice, by row and by step, because rules ask for "this trial's curve" and
for "everybody's value at this step"; and for steps that a rule has asked about with `values_from`, each row's value
at its first report there or later is kept up too. So a question costs what its answer is long, however many reports
there are.

Only the trials layer writes (`trials.curves`); pruners read through `prune.curves.Curves`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpspace.history import PENDING
from hpspace.prune.growing import Growing


class CurveTable:
    """Curves of the trials of one experiment.

    Parameters
    ----------
    direction : {"minimize", "maximize"}
        What the user asked for; only how numbers are shown depends on it.

    Examples
    --------
    >>> table = CurveTable()
    >>> row = table.add(tid=7)
    >>> for step, value in enumerate([0.9, 0.7, 0.8]):
    ...     table.report(row, step, value)
    >>> table.steps(row).tolist(), table.values(row).tolist()
    ([0, 1, 2], [0.9, 0.7, 0.8])
    """

    def __init__(self, direction: str = "minimize") -> None:
        self.direction = direction
        #: Ids of the trials, by row.
        self.tids: list[Any] = []
        #: By row: the step of the latest question whether to stop, -1 before the first.
        self.asked: list[int] = []
        self._kinds = Growing(np.int8)
        self._losses = Growing(np.float64)
        self._branches = Growing(np.intp)
        self._numbers = Growing(np.int64)
        self._last = Growing(np.int64)
        self._branch_ids: dict[Hashable, int] = {}
        self._steps: list[Growing] = []
        self._values: list[Growing] = []
        self._at: dict[int, tuple[Growing, Growing]] = {}
        self._from: dict[int, Growing] = {}

    def __len__(self) -> int:
        return len(self.tids)

    # -- writing -------------------------------------------------------------------------------------------

    def add(self, tid: Any, branch: Hashable = None) -> int:
        """Add a trial that has reported nothing yet.

        Parameters
        ----------
        tid : object
            Its id.
        branch : hashable
            What trials of the same branch of the space have in common.

        Returns
        -------
        int
            Its row.
        """
        row = len(self.tids)
        self.tids.append(tid)
        self.asked.append(-1)
        self._numbers.append(tid if isinstance(tid, int) else row)
        self._last.append(-1)
        self._kinds.append(PENDING)
        self._losses.append(np.nan)
        self._branches.append(self._branch_ids.setdefault(branch, len(self._branch_ids)))
        self._steps.append(Growing(np.int64))
        self._values.append(Growing(np.float64))
        for first in self._from.values():
            first.append(np.nan)
        return row

    def report(self, row: int, step: int, value: float) -> None:
        """Add a report; the first one of a step wins.

        Parameters
        ----------
        row : int
            The trial.
        step : int
            At least 0.
        value : float
            With the sign of what is minimised; may be NaN.
        """
        steps = self._steps[row]
        place = len(steps)
        if place and steps[place - 1] >= step:
            place = int(np.searchsorted(steps.view, step))
            if steps[place] == step:
                return
        before = int(steps[place - 1]) if place else -1
        steps.insert(place, step)
        self._values[row].insert(place, value)
        self._last[row] = max(self._last[row], step)
        rows, values = self._at.setdefault(step, (Growing(np.intp), Growing(np.float64)))
        rows.append(row)
        values.append(value)
        for start, first in self._from.items():
            if before < start <= step:
                first[row] = _comparable(value)

    def settle(self, row: int, kind: int, loss: float) -> None:
        """Record how a trial ended.

        Parameters
        ----------
        row : int
            The trial.
        kind : int
            `OK`, `FAILED`, `PENDING` or `PRUNED` of `hpspace.history`.
        loss : float
            Its loss, NaN unless it is OK.
        """
        self._kinds[row] = kind
        self._losses[row] = loss

    # -- reading -------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> NDArray[np.int8]:
        """How each trial ended, shape (n,)."""
        return self._kinds.view

    @property
    def losses(self) -> NDArray[np.float64]:
        """Loss of each trial, shape (n,); NaN unless it is OK."""
        return self._losses.view

    @property
    def branches(self) -> NDArray[np.intp]:
        """A number for the branch of each trial, shape (n,)."""
        return self._branches.view

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Place of each trial among all: its id if that is an integer, else its row; shape (n,)."""
        return self._numbers.view

    @property
    def last_steps(self) -> NDArray[np.int64]:
        """Highest step that each trial has reported, shape (n,); -1 without a report."""
        return self._last.view

    def steps(self, row: int) -> NDArray[np.int64]:
        """Return the steps that a trial reported, ascending."""
        return self._steps[row].view

    def values(self, row: int) -> NDArray[np.float64]:
        """Return the values that a trial reported, in the order of their steps."""
        return self._values[row].view

    def at(self, step: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return who reported at exactly this step, and what: rows and values."""
        if step not in self._at:
            return np.empty(0, dtype=np.intp), np.empty(0)
        rows, values = self._at[step]
        return rows.view, values.view

    def first_from(self, step: int) -> NDArray[np.float64]:
        """Return each trial's value at its first report at this step or later, shape (n,).

        NaN without such a report; infinity where NaN was reported, which is as bad as can be.
        """
        if step not in self._from:
            self._from[step] = self._find_first(step)
        return self._from[step].view

    def _find_first(self, step: int) -> Growing:
        found = Growing(np.float64)
        for steps, values in zip(self._steps, self._values):
            place = int(np.searchsorted(steps.view, step))
            found.append(_comparable(values[place]) if place < len(steps) else np.nan)
        return found


def _comparable(value: float) -> float:
    return np.inf if value != value else value
