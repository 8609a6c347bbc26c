"""Past trials as columns: what an algorithm may know of them.

A `History` belongs to one compiled space. Rows are positions, never trial ids, so ids cannot influence a
proposal. It is a cache of the trials' documents and never their source: only the trials layer appends or updates
rows; an algorithm reads. Documents, stores and clocks are unknown here.

Trials of a space with a declared resource are stages of configurations: rows of one point, each with more of the
resource. `configs`, `rungs` and `brackets` say which; `select` makes a history of some rows only, in which outcomes
may be replaced, so that an algorithm compares like with like.

Axes: n rows (trials, in order of insertion), D columns (parameters, in the space's order).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpspace.space.compiled import CompiledSpace

#: The trial finished with a loss that can be compared.
OK = 0
#: The trial failed, raised, or gave no comparable loss: bad news, whatever its loss says.
FAILED = 1
#: The trial is queued or running.
PENDING = 2
#: The trial was ended early by a pruner: how far it came, and with what value, is known.
PRUNED = 3


#: The arrays with one element, or one row, a trial.
_COLUMNS = (
    "_values", "_coords", "_low", "_high", "_losses", "_steps", "_partials", "_resources", "_kind", "_stages",
)  # fmt: skip

#: Up to this many outcomes at once are inserted into the order, which is cheaper than sorting it again.
_FEW = 8


class History:
    """Columns of the trials of one space.

    Parameters
    ----------
    space : CompiledSpace
        The space the columns belong to.

    Attributes
    ----------
    space : CompiledSpace
    allow_repeats : bool
        Whether a finite space's point may be proposed again. False by default.

    Examples
    --------
    >>> from hpspace import hp, compile_space
    >>> space = compile_space({"x": hp.uniform("x", 0, 4)})
    >>> history = History(space)
    >>> history.append([[1.0], [3.0]], [0.5, 0.25], [OK, OK])
    >>> history.coords[:, 0].tolist(), history.order.tolist()
    ([0.25, 0.75], [1, 0])
    """

    def __init__(self, space: CompiledSpace) -> None:
        self.space = space
        self.allow_repeats = False
        columns = len(space)
        self._n = 0
        self._values = np.empty((16, columns))
        self._coords = np.empty((16, columns))
        self._low = np.empty((16, columns))
        self._high = np.empty((16, columns))
        self._losses = np.empty(16)
        self._steps, self._partials, self._resources = np.empty(16), np.empty(16), np.empty(16)
        self._kind = np.empty(16, dtype=np.int8)
        self._stages = np.empty((16, 3), dtype=np.intp)  # rung, bracket, config
        self._keys: Counter[bytes] = Counter()
        self._order: NDArray[np.intp] | None = None
        self._ranked: NDArray[np.intp] | None = None
        self._counts: list[int] | None = None
        #: Changes with every append or update; caches of derived arrays compare it.
        self.version = 0

    def __len__(self) -> int:
        return self._n

    @property
    def n(self) -> int:
        """Number of rows."""
        return self._n

    @property
    def space_labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self.space.labels

    @property
    def values(self) -> NDArray[np.float64]:
        """Raw values, shape (n, D); NaN where inactive or unknown to this space."""
        return _read_only(self._values[: self._n])

    @property
    def coords(self) -> NDArray[np.float64]:
        """Coordinates of the values as `CompiledSpace.encode` gives them, shape (n, D); NaN where inactive."""
        return _read_only(self._coords[: self._n])

    def bins_of(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the cdf intervals of some rows' grid values, as `CompiledSpace.bins` gives them.

        Parameters
        ----------
        rows : int array, shape (m,)
            Positions.

        Returns
        -------
        low, high : float64 arrays, shape (m, D)
        """
        return self._low[rows], self._high[rows]

    @property
    def losses(self) -> NDArray[np.float64]:
        """Losses, shape (n,); NaN unless the row is OK."""
        return _read_only(self._losses[: self._n])

    @property
    def kind(self) -> NDArray[np.int8]:
        """`OK`, `FAILED`, `PENDING` or `PRUNED`, shape (n,)."""
        kind = self._kind[: self._n]
        kind.flags.writeable = False
        return kind

    @property
    def steps(self) -> NDArray[np.float64]:
        """Highest step that each row reported, shape (n,); NaN if it reported none.

        Of pending rows it is what was known when their document last changed.
        """
        return _read_only(self._steps[: self._n])

    @property
    def partials(self) -> NDArray[np.float64]:
        """Value reported at that step, shape (n,); NaN if none, or if NaN was reported."""
        return _read_only(self._partials[: self._n])

    @property
    def resources(self) -> NDArray[np.float64]:
        """Resource that each row was given, in units of the declared fidelity, shape (n,); NaN without one."""
        return _read_only(self._resources[: self._n])

    @property
    def rungs(self) -> NDArray[np.intp]:
        """How often each row's configuration had been given more of the resource, shape (n,); -1 without one."""
        return self._stage(0)

    @property
    def brackets(self) -> NDArray[np.intp]:
        """The race that each row takes part in, shape (n,); -1 for rows without a resource."""
        return self._stage(1)

    @property
    def configs(self) -> NDArray[np.intp]:
        """First row of each row's configuration, shape (n,): itself for a new one; -1 without a resource."""
        return self._stage(2)

    def _stage(self, column: int) -> NDArray[np.intp]:
        values = self._stages[: self._n, column]
        values.flags.writeable = False
        return values

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which rows finished with a comparable loss, shape (n,)."""
        return np.equal(self._kind[: self._n], OK)

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which rows failed, shape (n,)."""
        return np.equal(self._kind[: self._n], FAILED)

    @property
    def pending(self) -> NDArray[np.bool_]:
        """Which rows are queued or running, shape (n,)."""
        return np.equal(self._kind[: self._n], PENDING)

    @property
    def pruned(self) -> NDArray[np.bool_]:
        """Which rows were ended early by a pruner, shape (n,)."""
        return np.equal(self._kind[: self._n], PRUNED)

    def count(self, kind: int) -> int:
        """Return the number of rows of a kind."""
        counts = self._counts
        if counts is None:
            counts = self._counts = np.bincount(self._kind[: self._n], minlength=4).tolist()
        return counts[kind]

    @property
    def finished(self) -> int:
        """Number of rows that are not pending."""
        return self._n - self.count(PENDING)

    @property
    def order(self) -> NDArray[np.intp]:
        """Positions of the OK rows, best loss first; equal losses in order of insertion."""
        if self._order is None:
            rows = np.flatnonzero(self.ok)
            self._order = rows[np.argsort(self._losses[rows], kind="stable")]
        return self._order

    @property
    def ranked(self) -> NDArray[np.intp]:
        """Positions of the rows that say how good a point is: `order`, then the pruned rows.

        Of two pruned rows the one that came further is the better, and at one step the one whose last value is lower.
        Unknown steps and values come last, equal rows in order of insertion.
        """
        if self._ranked is None and not self.count(PRUNED):
            self._ranked = self.order
        if self._ranked is None:
            rows = np.flatnonzero(self.pruned)
            by_progress = np.lexsort((self._partials[rows], -self._steps[rows]))  # stable; NaN is last
            self._ranked = np.concatenate([self.order, rows[by_progress]])
        return self._ranked

    @property
    def keys(self) -> Counter[bytes]:
        """How often each point occurs, by `CompiledSpace.keys`; rows of every kind count."""
        return self._keys

    def append(
        self,
        values: ArrayLike,
        losses: ArrayLike,
        kinds: ArrayLike,
        steps: ArrayLike | None = None,
        partials: ArrayLike | None = None,
        resources: ArrayLike | None = None,
        stages: ArrayLike | None = None,
    ) -> None:
        """Add rows. For the trials layer only.

        Parameters
        ----------
        values : array_like, shape (m, D)
            Raw values; NaN for a label that a trial lacks.
        losses : array_like, shape (m,)
            Losses; ignored unless the row is OK.
        kinds : array_like of int, shape (m,)
            `OK`, `FAILED`, `PENDING` or `PRUNED`.
        steps, partials : array_like, shape (m,), optional
            Highest reported step and the value there; by default NaN, nothing was reported.
        resources : array_like, shape (m,), optional
            What the trials were given of the declared fidelity; by default NaN.
        stages : array_like of int, shape (m, 3), optional
            Columns of `rungs`, `brackets` and `configs`; by default -1.
        """
        rows = np.asarray(values, dtype=np.float64).reshape(np.size(losses), len(self.space))
        start, stop = self._n, self._n + len(rows)
        self._reserve(stop)
        rows = self.space.known(rows)
        self._values[start:stop] = rows
        self._coords[start:stop], self._low[start:stop], self._high[start:stop] = self.space.place(rows)
        self._n = stop
        self._keys.update(self.space.keys(rows))
        self._kind[start:stop] = PENDING
        if self._counts is not None:
            self._counts[PENDING] += len(rows)
        new = np.arange(start, stop)
        for column in (self._steps, self._partials, self._resources):
            column[start:stop] = np.nan
        self._stages[start:stop] = -1 if stages is None else stages
        self._set(new, losses, kinds, steps, partials, resources)

    def update(
        self,
        positions: ArrayLike,
        losses: ArrayLike,
        kinds: ArrayLike,
        steps: ArrayLike | None = None,
        partials: ArrayLike | None = None,
        resources: ArrayLike | None = None,
    ) -> None:
        """Change the outcome of rows. For the trials layer only.

        Parameters
        ----------
        positions : array_like of int, shape (m,)
            Which rows.
        losses, kinds : array_like, shape (m,)
            As in `append`.
        steps, partials, resources : array_like, shape (m,), optional
            As in `append`; by default they stay as they are.
        """
        self._set(np.asarray(positions, dtype=np.intp), losses, kinds, steps, partials, resources)

    def select(self, rows: NDArray[np.intp], known: Iterable[bytes] | None = None) -> History:
        """Return a new history of some rows, which may then be given other outcomes by `update`.

        Parameters
        ----------
        rows : int array, shape (m,)
            Positions, in the order wanted. `configs` of the new history still speak of rows of this one.
        known : iterable of bytes, optional
            What its `keys` are to be; by default those of the rows.

        Returns
        -------
        History
            Of the same space; changing it does not change this one.
        """
        part = History(self.space)
        part.allow_repeats = self.allow_repeats
        part._n = len(rows)
        for name in _COLUMNS:
            setattr(part, name, getattr(self, name)[rows])
        part._keys = Counter(self.space.keys(part._values) if known is None else known)
        return part

    def _set(
        self, rows: NDArray[np.intp], losses: ArrayLike, kinds: ArrayLike, *progress: ArrayLike | None
    ) -> None:
        kind = np.asarray(kinds, dtype=np.int8)
        loss = np.where(kind == OK, np.asarray(losses, dtype=np.float64), np.nan)
        keep = self._order is not None and len(rows) <= _FEW and not self.ok[rows].any()
        self._count_changes(rows, kind)
        self._kind[rows] = kind
        self._losses[rows] = loss
        for column, given in zip((self._steps, self._partials, self._resources), progress):
            if given is not None:
                column[rows] = given
        self._ranked = None
        if keep:
            for row in rows[kind == OK]:
                self._insert_into_order(int(row))
        else:
            self._order = None
        self.version += 1

    def _count_changes(self, rows: NDArray[np.intp], kinds: NDArray[np.int8]) -> None:
        """Keep the counts of kinds when rows are about to become others."""
        if self._counts is None or len(rows) > _FEW:
            self._counts = None
            return
        for before, after in zip(self._kind[rows].tolist(), kinds.tolist()):
            self._counts[before] -= 1
            self._counts[after] += 1

    def _insert_into_order(self, row: int) -> None:
        """Keep `order` when a row becomes OK: after better losses, and after earlier rows of the same loss."""
        assert self._order is not None  # asked by the caller
        ordered = self._losses[self._order]
        first, last = (
            np.searchsorted(ordered, self._losses[row]),
            np.searchsorted(ordered, self._losses[row], "right"),
        )
        place = first + np.searchsorted(self._order[first:last], row)
        self._order = np.insert(self._order, place, row)

    def _reserve(self, rows: int) -> None:
        """Grow the arrays by doubling until they hold `rows` rows."""
        capacity = len(self._losses)
        if rows <= capacity:
            return
        capacity = max(capacity, 16)  # a selection may be empty
        while capacity < rows:
            capacity *= 2
        for name in _COLUMNS:
            setattr(self, name, _grown(getattr(self, name), capacity))


def _grown(array: NDArray[Any], capacity: int) -> NDArray[Any]:
    grown = np.empty((capacity, *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.flags.writeable = False
    return array
