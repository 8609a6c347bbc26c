"""A batch of points of one space, as columns.

This is the shape in which proposals travel: one row a point, one column a label, NaN where the label is not
active. It is immutable; `points` turns it into the label -> value dicts that documents hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace


@dataclass(frozen=True)
class Stage:
    """How much of the declared resource a proposed trial is given, and what it goes on from.

    Parameters
    ----------
    resource : int or float
        In units of the declaration.
    rung : int
        How often its configuration was given more, 0 for a new one.
    bracket : int
        The race that it takes part in: trials are compared within one rung of one bracket.
    parent : int or None
        Row of the history whose trial it continues, at the same point; None for a new configuration.
    """

    resource: int | float
    rung: int = 0
    bracket: int = 0
    parent: int | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Points of a space as a matrix.

    Parameters
    ----------
    space : CompiledSpace
        The space the points belong to.
    values : float64 array, shape (n, D)
        Raw values, one row a point and one column a parameter; NaN where a parameter is inactive.
    stages : tuple of Stage, optional
        One a row, from algorithms that plan resources; without, every trial gets the whole resource.
    """

    space: CompiledSpace
    values: NDArray[np.float64]
    stages: tuple[Stage, ...] | None = None

    def __post_init__(self) -> None:
        self.values.flags.writeable = False

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self.space.labels

    def points(self) -> list[dict[str, Any]]:
        """Return each row as a dict of the active labels to plain Python values."""
        return [self.space.point(row) for row in self.values]

    def select(self, rows: Sequence[int] | NDArray[Any]) -> Batch:
        """Return the batch of the given rows (indices or a boolean mask)."""
        stages = self.stages
        if stages is not None:
            stages = tuple(stages[i] for i in np.arange(len(self))[np.asarray(rows)])
        return Batch(self.space, self.values[np.asarray(rows)], stages)

    @classmethod
    def concat(cls, batches: Sequence[Batch]) -> Batch:
        """Return one batch of all rows of `batches`, of one space, at least one, with stages all or none."""
        values = np.concatenate([batch.values for batch in batches])
        if any(batch.stages is None for batch in batches):
            return cls(batches[0].space, values)
        return cls(
            batches[0].space, values, tuple(stage for batch in batches for stage in batch.stages or ())
        )
