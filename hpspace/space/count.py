"""Counting a finite space, and naming its points by number, without listing them.

The points of a space are the assignments of its active parameters. Parts of the space that share nothing are
independent, so their counts multiply; a part that hangs on a selector (or on a parameter that others depend on) is
counted value by value, and the counts add. Dividing an index by the same products and sums finds the point of that
index in a number of steps that grows with the depth of the space, not with its size (ranking and unranking, Knuth,
The Art of Computer Programming 4A, section 7.2.1).

Used by `CompiledSpace` only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpspace import dists
from hpspace.dists.forms import GridForm
from hpspace.exceptions import InvalidPoint
from hpspace.space.activity import Reach
from hpspace.space.faults import label_of, params_below

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace

#: What has been decided: column -> value.
Env = dict[int, float]


@dataclass(frozen=True)
class _Part:
    """Parameters still without a value, and switches still without an option.

    Parameters
    ----------
    params : frozenset of int
        Columns.
    switches : frozenset of int
        Positions in the space's plan.
    """

    params: frozenset[int]
    switches: frozenset[int]


class Counter:
    """Counts, ranks and unranks the points of one space.

    Parameters
    ----------
    space : CompiledSpace
        Any space; an infinite one has total `math.inf`.
    """

    def __init__(self, space: CompiledSpace) -> None:
        self._space = space
        self._plan = space.plan
        self._needs = [self._selector_columns(i) for i in range(len(space.plan.switches))]
        self._waits = [frozenset(space.index[label] for label in p.depends_on) for p in space.params]
        self._below = self._switch_closures()
        self._memo: dict[Any, int] = {}
        self._root = _Part(*_columns(space.plan.root))
        self.total: int | float = math.inf if self._endless() else self._count(self._root, {})

    def finite_total(self) -> int:
        """Return the number of points.

        Raises
        ------
        ValueError
            If the space is infinite; names a parameter that makes it so.
        """
        if isinstance(self.total, int):
            return self.total
        label = next(p.label for p in self._space.params if _is_endless(p.dist, p.kind))
        raise ValueError(
            f"the space is infinite ({label!r} has infinitely many values), so it cannot be enumerated"
        )

    def point_at(self, index: int) -> dict[str, int | float]:
        """Return the point of an index; see `CompiledSpace.point_at`."""
        total = self.finite_total()
        if not 0 <= index < total:
            raise IndexError(f"point {index} of a space with {total} points")
        env: Env = {}
        self._unrank(self._root, env, int(index))
        return {
            p.label: p.to_python(env[column]) for column, p in enumerate(self._space.params) if column in env
        }

    def index_of(self, point: Mapping[str, Any]) -> int:
        """Return the index of a point; see `CompiledSpace.index_of`."""
        self.finite_total()
        return self._rank(self._root, {}, point)

    # ---------------------------------------------------------------- structure

    def _endless(self) -> bool:
        return any(_is_endless(p.dist, p.kind) for p in self._space.params)

    def _selector_columns(self, position: int) -> frozenset[int]:
        switch = self._plan.switches[position]
        if switch.column is not None:
            return frozenset((switch.column,))
        return frozenset(self._space.index[label_of(node)] for node in params_below(switch.selector))

    def _switch_closures(self) -> list[frozenset[int]]:
        """Return the columns that each switch can lead to, its selector's included."""
        below: list[frozenset[int]] = [frozenset()] * len(self._plan.switches)
        for i in reversed(range(len(below))):  # children stand after their parents
            columns = set(self._needs[i])
            for _, reach in self._plan.switches[i].options:
                params, switches = _columns(reach)
                columns |= params.union(*(below[child] for child in switches))
            below[i] = frozenset(columns).union(*(self._waits[c] for c in columns))
        return below

    def _split(self, part: _Part) -> Iterator[_Part]:
        """Yield the independent pieces of a part, in order of their first column."""
        groups: list[tuple[set[int], set[int], set[int]]] = []  # reached columns, params, switches
        items: list[tuple[set[int], set[int], set[int]]] = [
            ({c} | self._waits[c], {c}, set()) for c in part.params
        ]
        items += [(set(self._below[s]), set(), {s}) for s in part.switches if self._plan.switches[s].options]
        for reached, params, switches in items:
            merged = (reached, params, switches)
            rest = []
            for group in groups:
                if group[0] & merged[0]:
                    merged = (merged[0] | group[0], merged[1] | group[1], merged[2] | group[2])
                else:
                    rest.append(group)
            groups = [*rest, merged]
        for _, params, switches in sorted(groups, key=lambda group: min(group[0])):
            yield _Part(frozenset(params), frozenset(switches))

    def _branching(self, part: _Part) -> int | None:
        """Return the first column whose value decides something else, None when all are independent."""
        needed = frozenset().union(*(self._needs[s] for s in part.switches))
        needed = needed.union(*(self._waits[c] for c in part.params))
        undecided = needed & part.params
        return min(undecided) if undecided else None

    def _decided(self, part: _Part, env: Env) -> _Part:
        """Open every switch whose selector is known."""
        params, switches = set(part.params), set(part.switches)
        ready = [s for s in switches if self._needs[s] <= env.keys()]
        while ready:
            position = ready.pop()
            switches.discard(position)
            new_params, new_switches = self._opened(position, env)
            params |= new_params - env.keys()
            switches |= new_switches
            ready = [s for s in switches if self._needs[s] <= env.keys()]
        return _Part(frozenset(params), frozenset(switches))

    def _opened(self, position: int, env: Env) -> tuple[frozenset[int], frozenset[int]]:
        switch = self._plan.switches[position]
        chosen = (
            self._space.select(switch, self._row(env)) if switch.column is None else int(env[switch.column])
        )
        return _columns(dict(switch.options).get(chosen))

    def _row(self, env: Env) -> Any:
        row = np.full(len(self._space), np.nan)
        row[list(env)] = list(env.values())
        return row

    # ---------------------------------------------------------------- values of one parameter

    def _dist(self, column: int, env: Env) -> dists.Distribution:
        dist = self._space.params[column].dist
        return dist if dist is not None else self._space.columns.conditional(column, self._row(env))

    def _size(self, column: int, env: Env) -> int:
        size = self._dist(column, env).size
        assert size is not None  # an endless space is never counted
        return size

    # ---------------------------------------------------------------- the three recursions

    def _count(self, part: _Part, env: Env) -> int:
        return math.prod(self._count_piece(piece, env) for piece in self._split(part))

    def _count_piece(self, piece: _Part, env: Env) -> int:
        key = (piece, frozenset(item for item in env.items() if item[0] in self._relevant(piece)))
        if key not in self._memo:
            column = self._branching(piece)
            if column is None:
                self._memo[key] = math.prod(self._size(c, env) for c in piece.params)
            else:
                self._memo[key] = sum(
                    self._count(*branch) for _, branch in self._branches(piece, column, env)
                )
        return self._memo[key]

    def _relevant(self, piece: _Part) -> frozenset[int]:
        """Return the columns whose value may matter to a piece."""
        columns = piece.params.union(*(self._below[s] for s in piece.switches))
        return columns.union(*(self._waits[c] for c in columns))

    def _branches(self, piece: _Part, column: int, env: Env) -> Iterator[tuple[float, tuple[_Part, Env]]]:
        """Yield each value of a column with what remains to be decided after it."""
        rest = _Part(piece.params - {column}, piece.switches)
        dist = self._dist(column, env)
        for k in range(self._size(column, env)):
            value = value_at(dist, k)
            decided = {**env, column: value}
            yield value, (self._decided(rest, decided), decided)

    def _unrank(self, part: _Part, env: Env, index: int) -> None:
        """Write the values of the point with an index into `env`; the last piece varies fastest."""
        pieces = list(self._split(part))
        for piece in reversed(pieces):
            index, own = divmod(index, self._count_piece(piece, env))
            self._unrank_piece(piece, env, own)

    def _unrank_piece(self, piece: _Part, env: Env, index: int) -> None:
        column = self._branching(piece)
        if column is None:
            for c in sorted(piece.params, reverse=True):
                index, own = divmod(index, self._size(c, env))
                env[c] = value_at(self._dist(c, env), own)
            return
        for value, (rest, decided) in self._branches(piece, column, env):
            count = self._count(rest, decided)
            if index < count:
                env[column] = value
                self._unrank(rest, env, index)
                return
            index -= count

    def _rank(self, part: _Part, env: Env, point: Mapping[str, Any]) -> int:
        index = 0
        for piece in self._split(part):
            index = index * self._count_piece(piece, env) + self._rank_piece(piece, env, point)
        return index

    def _rank_piece(self, piece: _Part, env: Env, point: Mapping[str, Any]) -> int:
        column = self._branching(piece)
        if column is None:
            index = 0
            for c in sorted(piece.params):
                index = index * self._size(c, env) + self._position(c, env, point)
            return index
        before, wanted = 0, value_at(self._dist(column, env), self._position(column, env, point))
        for value, (rest, decided) in self._branches(piece, column, env):
            if value == wanted:
                return before + self._rank(rest, decided, point)
            before += self._count(rest, decided)
        raise AssertionError("a value in the support has a branch")

    def _position(self, column: int, env: Env, point: Mapping[str, Any]) -> int:
        param = self._space.params[column]
        if param.label not in point:
            raise InvalidPoint(f"the point has no value for {param.label!r} ({param.path}).")
        value = point[param.label]
        dist = self._dist(column, env)
        if not dist.contains(np.array([value], dtype=np.float64))[0]:
            raise InvalidPoint(f"{param.label!r}={value!r} is no value of {dist!r} ({param.path}).")
        return position_of(dist, float(value))


def _columns(reach: Reach | None) -> tuple[frozenset[int], frozenset[int]]:
    if reach is None:
        return frozenset(), frozenset()
    return frozenset(int(c) for c in reach.params), frozenset(reach.switches)


def _is_endless(dist: dists.Distribution | None, kind: str) -> bool:
    return kind == "real" if dist is None else dist.size is None


def value_at(dist: dists.Distribution, k: int) -> float:
    """Return the k-th smallest value of a finite distribution."""
    if isinstance(dist.form, GridForm):
        lattice = dist.form.lattice
        return float(lattice.value(np.asarray(lattice.first + k)))
    return float(dist.values()[k])


def position_of(dist: dists.Distribution, value: float) -> int:
    """Return k such that `value` is the k-th smallest value of a finite distribution."""
    if isinstance(dist.form, GridForm):
        lattice = dist.form.lattice
        return int(lattice.code(np.asarray(value)) - lattice.first)
    return int(np.searchsorted(dist.values(), value))
