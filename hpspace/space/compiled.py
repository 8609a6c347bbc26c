"""The compiled space: a frozen table of parameters, and everything that can be asked of it.

Made by `space.compile`; read by algorithms (columns, activity, sampling), by the trials layer (rows and points) and
by users (describe, count, enumerate). It draws only from generators passed to it and knows nothing of trials.

Coordinates. Algorithms see every parameter through its prior: column d of a coordinate matrix is, for a continuous
parameter, the value's cdf in (0, 1); for a parameter on a grid, the middle of the value's cdf interval; for a choice,
its code. So the declared distribution is uniform in coordinates, and a parameter whose bounds depend on another has
fixed bounds there.

Axes: n rows (points), D columns (parameters in dependency order). NaN marks an inactive parameter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from hpspace.graph.evaluate import GarbageCollected, evaluate
from hpspace.graph.node import Node
from hpspace.space import describe, drawing, points, schema
from hpspace.space.activity import ActivityPlan, Switch, active_mask
from hpspace.space.batch import Batch
from hpspace.space.columns import Columns
from hpspace.space.count import Counter
from hpspace.space.fidelity import Fidelity
from hpspace.space.params import NO_DEFAULT, Param, labels_of
from hpspace.space.paths import Paths, paths_of

_KIND_CODES = {"real": 0, "grid": 1, "choice": 2}


class CompiledSpace:
    """A validated search space.

    Build it with :func:`hpspace.compile_space`.

    Parameters
    ----------
    expr : Node
        Root of the expression graph.
    params : tuple of Param
        The parameters, each after those that its distribution depends on.
    plan : ActivityPlan
        How activity is computed.
    fidelity : Fidelity or None
        The declared resource, which is no parameter: it has no column, and points need not name it.

    Attributes
    ----------
    labels : tuple of str
        Labels of the columns.
    index : dict of str to int
        Column of each label.
    kinds : int8 array, shape (D,)
        0 for continuous, 1 for ordered values, 2 for choices.
    n_options : int array, shape (D,)
        Number of codes of a choice, 0 for other kinds.
    unconditional : bool
        Whether every point has every parameter.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> space = compile_space(hp.choice("model", [
    ...     {"kind": "svm", "C": hp.float("C", 0.1, 10, log=True)},
    ...     {"kind": "tree", "depth": hp.int("depth", 1, 3)},
    ... ]))
    >>> space.config({"model": 1, "depth": 2})
    {'kind': 'tree', 'depth': 2}
    >>> space["depth"].conditions
    ((('model', 1),),)
    >>> space.cardinality()
    inf
    """

    def __init__(
        self, expr: Node, params: tuple[Param, ...], plan: ActivityPlan, fidelity: Fidelity | None = None
    ) -> None:
        self.expr = expr
        self.params = params
        self.plan = plan
        self.fidelity = fidelity
        self.labels = labels_of(params)
        self.index = {label: i for i, label in enumerate(self.labels)}
        self.kinds: NDArray[np.int8] = np.array([_KIND_CODES[p.kind] for p in params], dtype=np.int8)
        self.columns = Columns(params)
        self.n_options = self.columns.n_options
        self.unconditional = len(plan.root.params) == len(params)
        self._readings = [(p.label, round if p.integer else float) for p in params]  # as `Param.to_python`

    def __len__(self) -> int:
        return len(self.params)

    def __iter__(self) -> Iterator[Param]:
        return iter(self.params)

    def __getitem__(self, label: str) -> Param:
        return self.params[self.index[label]]

    def __contains__(self, label: object) -> bool:
        return label in self.index

    def __repr__(self) -> str:
        size = self.cardinality()
        count = "infinitely many" if size == math.inf else f"{size:,}"
        return f"<CompiledSpace: {len(self)} parameters, {count} configurations>"

    def __reduce__(self) -> tuple[Any, ...]:
        from hpspace.space.compile import compile_space

        return compile_space, (self.expr,)

    # ---------------------------------------------------------------- columns

    def encode(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the coordinates of raw values.

        Parameters
        ----------
        values : array_like, shape (n, D)
            Raw values; NaN where inactive.

        Returns
        -------
        float64 array, shape (n, D)
            Coordinates (see the module's text); NaN where the value is NaN.
        """
        return self.columns.encode(np.asarray(values, dtype=np.float64))

    def decode(self, coords: ArrayLike) -> NDArray[np.float64]:
        """Return the raw values at coordinates; the inverse of `encode` up to a grid's resolution.

        Parameters
        ----------
        coords : array_like, shape (n, D)
            Coordinates of every column, active or not.

        Returns
        -------
        float64 array, shape (n, D)
            Raw values of every column; `mask` removes the inactive ones.
        """
        return self.columns.decode(np.asarray(coords, dtype=np.float64))

    def bins(self, values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the cdf interval of each grid value.

        Parameters
        ----------
        values : array_like, shape (n, D)
            Raw values.

        Returns
        -------
        low, high : float64 arrays, shape (n, D)
            Ends of the interval in coordinates; NaN in columns that are no grid.
        """
        return self.columns.bins(np.asarray(values, dtype=np.float64))

    def place(
        self, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return what `encode` and what `bins` return, at the cost of one of them."""
        return self.columns.place(values)

    def known(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `values` (n, D) with NaN wherever a value lies outside its distribution's support."""
        return self.columns.known(values)

    def prior_p(self, column: int) -> NDArray[np.float64]:
        """Return the declared probabilities of a choice's codes, shape (n_options[column],)."""
        return self.columns.prior_p(column)

    def activity(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Return which parameters are active.

        Parameters
        ----------
        values : array_like, shape (n, D)
            Raw values; a choice must have a code wherever it is active.

        Returns
        -------
        bool array, shape (n, D)
        """
        rows = np.asarray(values, dtype=np.float64)
        if self.paths is not None:
            return self.paths.active(rows.T[self.paths.columns]).T
        return active_mask(self.plan, rows, lambda switch, row: self.select(switch, rows[row]))

    @cached_property
    def paths(self) -> Paths | None:
        """What activity follows from where it follows from values alone; None where it takes more."""
        return paths_of([param.conditions for param in self.params], self.index)

    def mask(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return a copy of `values`, shape (n, D), with NaN wherever a parameter is inactive."""
        rows = np.array(values, dtype=np.float64)
        if not self.unconditional:
            rows[~self.activity(rows)] = np.nan
        return rows

    def select(self, switch: Switch, row: NDArray[np.float64]) -> int:
        """Return the option that an expression selects, given a row (D,) of values."""
        memo = {p.node: p.to_python(v) for p, v in zip(self.params, row.tolist()) if v == v}
        return int(evaluate(switch.selector, memo))

    def sample(self, rng: Generator | int, n: int = 1) -> Batch:
        """Draw points from the declared distributions.

        Parameters
        ----------
        rng : numpy.random.Generator or int
            Source of randomness; an int seeds a fresh generator.
        n : int
            Number of points.

        Returns
        -------
        Batch
            n points. The first k of n points are those that k alone would give.
        """
        uniform = np.random.default_rng(rng).random((n, len(self)))
        values = self.columns.draw(uniform)
        if not self.unconditional:
            values[~self.activity(values)] = np.nan
        return Batch(self, values)

    @cached_property
    def has_density(self) -> bool:
        """Whether every point has a continuous parameter, so that two independent draws never are equal."""
        return any(p.kind == "real" and p.always_active for p in self.params)

    def batch(self, values: ArrayLike) -> Batch:
        """Return a `Batch` of raw values (n, D), inactive ones masked."""
        return Batch(self, self.mask(values))

    def keys(self, values: ArrayLike) -> list[bytes]:
        """Return one hashable key a row, equal for equal points; inactive parameters do not count."""
        rows = np.asarray(values, dtype=np.float64, order="C") + 0.0  # -0.0 + 0.0 == 0.0
        np.copyto(rows, np.nan, where=np.isnan(rows))  # one bit pattern for every NaN
        return [row.tobytes() for row in rows]

    def key(self, row: NDArray[np.float64]) -> bytes:
        """Return the same for one row (D,) of which every NaN is numpy's own."""
        return (row + 0.0).tobytes()

    # ---------------------------------------------------------------- rows and points

    def point(self, row: NDArray[np.float64]) -> dict[str, int | float]:
        """Return a row (D,) as a dict of active labels to plain Python values."""
        return {label: plain(v) for (label, plain), v in zip(self._readings, row.tolist()) if v == v}

    def row(self, point: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return a point as a row, shape (D,); NaN for labels it lacks, labels of other spaces ignored."""
        return np.array([point.get(label, np.nan) for label in self.labels], dtype=np.float64)

    def memo(self, point: Mapping[str, Any]) -> dict[Node, Any]:
        """Return what evaluation needs to know: each parameter's node with its value.

        Parameters
        ----------
        point : mapping of str to object
            Label to raw value. Labels that are absent are marked `GarbageCollected`: reading one is an error. The
            resource is whole unless the point names it.
        """
        memo = {p.node: point.get(p.label, GarbageCollected) for p in self.params}
        if self.fidelity is not None and self.fidelity.label in point:
            memo[self.fidelity.node] = point[self.fidelity.label]
        return memo

    def config(self, point: Mapping[str, Any]) -> Any:
        """Return the configuration of a point: the space as the objective sees it.

        Parameters
        ----------
        point : mapping of str to object
            Label to raw value (a choice's index), at least for the active labels. The resource, if the space declares
            one, is whole unless the point names it.

        Returns
        -------
        object

        Raises
        ------
        InvalidPoint
            If an active label is missing; names it.
        """
        return points.config(self, point)

    def complete(self, partial: Mapping[str, Any], rng: Generator | int) -> dict[str, int | float]:
        """Validate a partial point and fill what is missing from the prior.

        Parameters
        ----------
        partial : mapping of str to object
            Label to raw value; for a choice its index or, where that is no index, an option itself.
        rng : numpy.random.Generator or int
            Source of the missing values.

        Returns
        -------
        dict of str to int or float
            A whole point: exactly the active labels.

        Raises
        ------
        InvalidPoint
            For a label that the space does not have (with the nearest one) or a value outside its support.
        """
        return points.complete(self, partial, np.random.default_rng(rng))

    def default_point(self) -> dict[str, Any]:
        """Return the declared defaults, label to raw value; empty when none is declared."""
        given = {p.label: p.default for p in self.params if p.default is not NO_DEFAULT}
        return points.resolve(self, given, options_first=True)

    # ---------------------------------------------------------------- counting

    @cached_property
    def _counter(self) -> Counter:
        return Counter(self)

    def cardinality(self) -> int | float:
        """Return the exact number of distinct points, `math.inf` when there is no end to them.

        Points count by their active labels; two options that are equal objects are two points.
        """
        return self._counter.total

    def point_at(self, index: int) -> dict[str, int | float]:
        """Return the point with an index of ``range(cardinality())``, without enumerating the others.

        Raises
        ------
        ValueError
            If the space is infinite.
        IndexError
            If there is no such point.
        """
        return self._counter.point_at(index)

    def config_at(self, index: int) -> Any:
        """Return the configuration with an index of ``range(cardinality())``; see `point_at`."""
        return self.config(self.point_at(index))

    def index_of(self, point: Mapping[str, Any]) -> int:
        """Return the index of a whole point: the inverse of `point_at`.

        Raises
        ------
        ValueError
            If the space is infinite.
        InvalidPoint
            If it is no point of this space.
        """
        return self._counter.index_of(point)

    def enumerate(self) -> Iterator[Any]:
        """Yield every configuration of a finite space, one at a time, in order of `point_at`.

        Raises
        ------
        ValueError
            If the space is infinite.
        """
        return (self.config_at(i) for i in range(self._counter.finite_total()))

    # ---------------------------------------------------------------- descriptions

    def describe(self) -> str:
        """Return the space as a readable tree."""
        return describe.tree(self)

    def to_json(self) -> dict[str, Any]:
        """Return a description that `json.dumps` accepts: version, parameters, structure, cardinality."""
        return schema.to_json(self)

    def fingerprint(self) -> str:
        """Return a hash of the description, equal for equal spaces in every process: 16 hexadecimal digits."""
        return schema.fingerprint(self)

    def diff(self, other: Mapping[str, Any]) -> list[str]:
        """Say how this space differs from a stored description (`to_json`), one sentence a difference."""
        return schema.diff(other, self.to_json())

    def to_networkx(self) -> Any:
        """Return the parameters as a `networkx.DiGraph`: selector -> conditional parameter, with conditions."""
        return drawing.to_networkx(self)

    def to_dot(self) -> str:
        """Return the dependence of parameters as Graphviz source."""
        return drawing.to_dot(self)

    def to_mermaid(self) -> str:
        """Return the dependence of parameters as Mermaid source."""
        return drawing.to_mermaid(self)
