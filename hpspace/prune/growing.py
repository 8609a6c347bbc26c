"""An array that grows: appending costs little, and reading is a view of numpy's.

Only what learning curves need. Called by `prune.table`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Growing:
    """A one-dimensional array to append to.

    Parameters
    ----------
    dtype : numpy dtype
        Of the entries.

    Examples
    --------
    >>> numbers = Growing(np.float64)
    >>> for number in (2.0, 3.0):
    ...     numbers.append(number)
    >>> numbers.insert(1, 2.5)
    >>> numbers.view.tolist(), len(numbers)
    ([2.0, 2.5, 3.0], 3)
    """

    __slots__ = ("_data", "_n")

    def __init__(self, dtype: Any) -> None:
        self._data: NDArray[Any] = np.empty(8, dtype=dtype)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    @property
    def view(self) -> NDArray[Any]:
        """The entries; not to be kept over an append."""
        return self._data[: self._n]

    def append(self, entry: Any) -> None:
        """Add an entry at the end."""
        if self._n == len(self._data):
            self._data = np.concatenate([self._data, np.empty_like(self._data)])
        self._data[self._n] = entry
        self._n += 1

    def insert(self, place: int, entry: Any) -> None:
        """Add an entry before the one at `place`."""
        self.append(entry)
        if place < self._n - 1:
            self._data[place + 1 : self._n] = self._data[place : self._n - 1].copy()
            self._data[place] = entry

    def __getitem__(self, place: int) -> Any:
        return self.view[place]

    def __setitem__(self, place: int, entry: Any) -> None:
        self.view[place] = entry
