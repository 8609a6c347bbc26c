"""What the figures need to know of trials: one small record a trial, in the order of the store.

A loss is shown only where it means something: for a finished trial with status "ok" and a finite number. All
other trials are still in the list, as failed or pending, so that a figure can mark where they are instead of
hiding them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpspace.trials.bests import loss_of
from hpspace.trials.direction import shown
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    STATUS_FAIL,
    STATUS_OK,
    STATUS_PRUNED,
)

if TYPE_CHECKING:
    from hpspace.trials.trials import Trials


@dataclass(frozen=True)
class Row:
    """One trial, as figures see it.

    Parameters
    ----------
    x : float
        Where it stands on an axis of trials: its id if ids are whole numbers, else its position.
    status : str
        Status of its result; "fail" also for one that raised, and for one that is "ok" without a finite loss.
    loss : float
        Its loss as it is stored, NaN unless `status` is "ok"; by it trials are ranked.
    value : float
        The same in the direction asked for; it is shown.
    values : mapping of str to float
        Raw values of its active parameters.
    """

    x: float
    status: str
    loss: float
    value: float
    values: Mapping[str, float]

    @property
    def ok(self) -> bool:
        """Whether it has a loss to show."""
        return self.status == STATUS_OK

    @property
    def failed(self) -> bool:
        """Whether it is over without a loss, and was not ended by a pruner."""
        return self.status == STATUS_FAIL

    @property
    def pruned(self) -> bool:
        """Whether a pruner ended it."""
        return self.status == STATUS_PRUNED


def rows_of(trials: Trials) -> list[Row]:
    """Read all trials but the cancelled ones.

    Parameters
    ----------
    trials : Trials
        The trials, errors included.

    Returns
    -------
    list of Row
        In the order of the store.
    """
    docs = [doc for doc in trials.documents() if doc["state"] != JOB_STATE_CANCEL]
    by_tid = all(isinstance(doc["tid"], int) for doc in docs)
    direction = trials.direction
    return [_row(doc, doc["tid"] if by_tid else position, direction) for position, doc in enumerate(docs)]


def _row(doc: Mapping[str, Any], x: float, direction: str) -> Row:
    status, loss = _outcome(doc)
    found = {label: values[0] for label, values in doc["misc"]["vals"].items() if values}
    return Row(x, status, loss, shown(loss, direction), found)


def _outcome(doc: Mapping[str, Any]) -> tuple[str, float]:
    """Return the status to show and the loss that goes with it."""
    if doc["state"] == JOB_STATE_ERROR:
        return STATUS_FAIL, math.nan
    if doc["state"] != JOB_STATE_DONE:
        return "running" if doc["state"] else "new", math.nan
    if doc["result"].get("status") == STATUS_PRUNED:
        return STATUS_PRUNED, math.nan
    loss = loss_of(doc["result"])
    if math.isfinite(loss):
        return STATUS_OK, loss
    return STATUS_FAIL, math.nan


def labels_of(rows: Sequence[Row], trials: Trials) -> list[str]:
    """Return the labels to plot: those of the space in its order, then any other that a trial has.

    Parameters
    ----------
    rows : sequence of Row
        The trials.
    trials : Trials
        Knows the space, perhaps.

    Returns
    -------
    list of str
        Each label once.
    """
    declared = trials.space.labels if trials.space is not None else ()
    return list(dict.fromkeys([*declared, *(label for row in rows for label in row.values)]))
