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


@dataclass(frozen=True, eq=False)
class Batch:
    """Points of a space as a matrix.

    Parameters
    ----------
    space : CompiledSpace
        The space the points belong to.
    values : float64 array, shape (n, D)
        Raw values, one row a point and one column a parameter; NaN where a parameter is inactive.
    """

    space: CompiledSpace
    values: NDArray[np.float64]

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
        return Batch(self.space, self.values[np.asarray(rows)])

    @classmethod
    def concat(cls, batches: Sequence[Batch]) -> Batch:
        """Return one batch of all rows of `batches`, which is not empty and of one space."""
        return cls(batches[0].space, np.concatenate([batch.values for batch in batches]))
