"""Raw values <-> coordinates for whole columns at once.

A space's numeric parameters are grouped by the shape of their distribution (line, scale, lattice), and each group is
one stacked form whose fields are arrays, one row a column. So a matrix of 100 parameters costs a handful of
numpy calls instead of 100. Parameters whose distribution depends on others are handled row by row, after the columns
they depend on.

Used by `CompiledSpace` only. Axes: n rows, D columns of the space, m columns of a group, K codes of a choice.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hpspace import dists
from hpspace.dists.forms import Form
from hpspace.exceptions import Fault, InvalidDistribution
from hpspace.graph.evaluate import evaluate
from hpspace.graph.node import Node
from hpspace.space.params import Param

Matrix = NDArray[np.float64]

#: Up to so many numeric columns one point is decoded number by number: numpy takes longer to begin than to compute.
_FEW = 12

#: Relative slack at the ends of a support, for values that were rounded in a document.
_SLACK = 1e-9


@dataclasses.dataclass(frozen=True)
class _Group:
    """Columns that share one stacked form.

    Parameters
    ----------
    columns : int array, shape (m,), or slice
        Which columns of the space; a slice where they are evenly spaced, for it makes views instead of copies.
    form : Form
        A form whose numeric fields have shape (m, 1): it maps arrays (m, n), so that the long axis is the inner one.
    lattice : bool
        Whether the values lie on grids.
    """

    columns: NDArray[np.intp] | slice
    form: Any
    lattice: bool


class Columns:
    """The distributions of a space's parameters, as columns.

    Parameters
    ----------
    params : sequence of Param
        In dependency order.
    """

    def __init__(self, params: Sequence[Param]) -> None:
        self.params = params
        self._groups = _grouped(params)
        self._dependent = [i for i, p in enumerate(params) if p.dist is None]
        #: What single points are decoded by, where that is faster: the numeric columns and their forms.
        self._forms = _forms(params)
        self._choices = np.array([i for i, p in enumerate(params) if p.kind == "choice"], dtype=np.intp)
        self._p = [_probabilities(params[i]) for i in self._choices]
        self.n_options: NDArray[np.intp] = np.zeros(len(params), dtype=np.intp)
        self.n_options[self._choices] = [len(p) for p in self._p]
        even = np.array([bool((p == p[0]).all()) for p in self._p], dtype=bool)
        self._uneven = self._choices[~even]
        #: Choices whose options are equally likely, and how many options each has, shape (m, 1).
        self._even = _evenly(self._choices[even].tolist()) if even.any() else None
        self._sizes = self.n_options[self._choices[even], None].astype(np.float64)
        self._shares = _shares([p for p, is_even in zip(self._p, even) if not is_even])
        self._low, self._high = _bounds(params)

    def prior_p(self, column: int) -> Matrix:
        """Return the probabilities of a choice column's codes, shape (K,)."""
        return self._p[int(np.searchsorted(self._choices, column))]

    def prior_coords(self, uniform: Matrix) -> Matrix:
        """Turn uniform draws (n, D) into coordinates drawn from the prior, shape (n, D)."""
        coords = np.array(uniform)
        self._choose(coords)
        return coords

    def draw(self, uniform: Matrix) -> Matrix:
        """Turn uniform draws (n, D) into raw values drawn from the prior, in the same array."""
        # OPTIM: in place, for memory that is mapped anew for every step took longer than all computing (500 to 200 us
        # for 1,000 points of 20 parameters)
        self._choose(uniform)
        return self.decode_in_place(uniform)

    def _choose(self, rows: Matrix) -> None:
        """Replace uniform numbers by codes."""
        columns = rows.T
        if self._even is not None:
            columns[self._even] = np.floor(columns[self._even] * self._sizes)
        if len(self._uneven):
            rows[:, self._uneven] = (rows[:, self._uneven, None] >= self._shares).sum(axis=2)

    def encode(self, values: Matrix) -> Matrix:
        """Return coordinates (n, D) of raw values (n, D); NaN stays NaN."""
        return self.place(values)[0]

    def bins(self, values: Matrix) -> tuple[Matrix, Matrix]:
        """Return the cdf interval of each grid value, two arrays (n, D); NaN in other columns."""
        return self.place(values)[1:]

    def place(self, values: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return coordinates of raw values, and the cdf intervals of grid values, three arrays (n, D).

        NaN stays NaN; the intervals of other columns are NaN.
        """
        coords, low, high = np.array(values), np.full(values.shape, np.nan), np.full(values.shape, np.nan)
        absent = np.isnan(values)
        partial = bool(absent.any())
        with np.errstate(invalid="ignore"):
            for group in self._groups:
                at = values.T[group.columns]
                if group.lattice:
                    below, above = group.form.unit_bins(at)
                    low.T[group.columns], high.T[group.columns] = below, above
                    coords.T[group.columns] = np.multiply(below + above, 0.5)
                else:
                    coords.T[group.columns] = group.form.unit(at)
        for column in self._dependent:
            grid = self.params[column].kind == "grid"
            for row in np.flatnonzero(~absent[:, column]):
                ends = _interval(self.conditional(column, values[row]), values[row, column])
                coords[row, column] = 0.5 * (ends[0] + ends[1])
                if grid:
                    low[row, column], high[row, column] = ends
        if partial:
            for array in (coords, low, high):
                array[absent] = np.nan
        return coords, low, high

    def decode(
        self,
        coords: Matrix,
        fixed: Mapping[str, Any] | None = None,
    ) -> Matrix:
        """Return raw values (n, D) at coordinates (n, D).

        Parameters
        ----------
        coords : float64 array, shape (n, D)
            Coordinates of every column.
        fixed : mapping of str to object, optional
            Raw values that override some columns, and on which dependent ones are conditioned.
        """
        values = np.array(coords)
        if not fixed:
            return self.decode_in_place(values)
        self._decode_groups(values, None)
        for column, param in enumerate(self.params):
            if param.label in fixed:
                values[:, column] = fixed[param.label]
            elif param.dist is None:
                self._decode_dependent(values, column)
        return values

    def decode_in_place(self, coords: Matrix, needed: NDArray[np.bool_] | None = None) -> Matrix:
        """Replace coordinates (n, D) by raw values, and return the same array.

        Parameters
        ----------
        coords : float64 array, shape (n, D)
            Coordinates of every column.
        needed : bool array, shape (D,), optional
            Columns whose values are wanted, by default all; others, unless they come for nothing, are meaningless.
        """
        self._decode_groups(coords, needed)
        for column in self._dependent:
            if needed is None or needed[column]:
                self._decode_dependent(coords, column)
        return coords

    def decode_point(self, coords: Matrix, active: NDArray[np.bool_] | None = None) -> Matrix:
        """Return the raw values of one point.

        Parameters
        ----------
        coords : float64 array, shape (D,)
            Its coordinates; of inactive parameters any.
        active : bool array, shape (D,), optional
            Which parameters it has, by default all.

        Returns
        -------
        float64 array, shape (D,)
            What `decode` gives, bit for bit; NaN where inactive.
        """
        if self._forms is None:
            row: Matrix = self.decode_in_place(np.array(coords, ndmin=2), active)[0]
            if active is not None:
                row[~active] = np.nan
            return row
        # OPTIM: 12 to 3 us for a point of 5 parameters, by plain numbers instead of arrays of one
        present = None if active is None else active.tolist()
        values = coords.tolist()
        for column, form in self._forms:
            if present is None or present[column]:
                values[column] = form.at(values[column])
        if present is not None:
            values = [value if there else math.nan for value, there in zip(values, present)]
        return np.array(values)

    def _decode_groups(self, values: Matrix, needed: NDArray[np.bool_] | None) -> None:
        """Replace the coordinates of columns that depend on no other; see `decode_in_place`."""
        columns = values.T
        for group in self._groups:
            # as a list, for numpy's `any` takes longer than a look at a few columns
            if needed is None or any(needed[group.columns].tolist()):
                columns[group.columns] = group.form.quantile(columns[group.columns])

    def _decode_dependent(self, values: Matrix, column: int) -> None:
        """Replace the coordinates of a column whose distribution depends on the row's other values."""
        for row in range(len(values)):
            dist = self.conditional(column, values[row])
            values[row, column] = dist.quantile(values[row, column : column + 1])[0]

    def known(self, values: Matrix) -> Matrix:
        """Return values (n, D) with NaN wherever they lie outside their support."""
        known = np.array(values)
        with np.errstate(invalid="ignore"):
            outside = (values < self._low) | (values > self._high)
        if outside.any():
            known[outside] = np.nan
        for column in self._dependent:
            for row in np.flatnonzero(~np.isnan(known[:, column])):
                if not self._holds(column, known[row]):
                    known[row, column] = np.nan
        return known

    def _holds(self, column: int, row: Matrix) -> bool:
        """Whether a dependent value lies in its support, given the values of its row (D,)."""
        try:
            dist = self.conditional(column, row)
        except (InvalidDistribution, TypeError):  # a value that it depends on is absent
            return False
        return bool(dist.contains(row[column : column + 1])[0])

    def conditional(self, column: int, row: Matrix) -> dists.Distribution:
        """Return the distribution of a dependent parameter given a row's values (D,).

        Raises
        ------
        InvalidDistribution
            If these values give it no distribution; names the label, the argument and the values. Equal bounds
            leave one value and are allowed.
        """
        param = self.params[column]
        values = {p.label: v for p, v in zip(self.params, row.tolist())}
        memo: dict[Node, Any] = {
            p.node: p.to_python(values[p.label]) for p in self.params if values[p.label] == values[p.label]
        }
        arguments = {name: evaluate(arg, memo) for name, arg in param.arguments.items()}
        findings = list(dists.get(param.name).faults(arguments))
        low, high = arguments.get("low"), arguments.get("high")
        if findings and low is not None and low == high:
            return dists.build("quniform", {"low": low - 0.5, "high": low + 0.5, "q": 1.0})  # one value only
        if findings:
            argument, value, problem, fix = findings[0]
            text = f"{param.name}: {argument}={value!r}: {problem}, given {_given(param, values)}"
            raise InvalidDistribution(Fault(InvalidDistribution, text, param.label, param.path, value, fix))
        return dists.build(param.name, arguments)


def _forms(params: Sequence[Param]) -> list[tuple[int, Form]] | None:
    """Return the numeric columns with their forms; None if they are many, or one depends on others."""
    forms = [(i, p.dist.form) for i, p in enumerate(params) if p.dist is not None and p.kind != "choice"]
    return None if len(forms) > _FEW or any(p.dist is None for p in params) else forms


def _given(param: Param, values: Mapping[str, float]) -> str:
    return ", ".join(f"{label}={values[label]!r}" for label in param.depends_on)


def _interval(dist: dists.Distribution, value: float) -> tuple[float, float]:
    """Return the share of the unit interval that a value owns; a point for a continuous distribution."""
    x = np.array([value])
    if isinstance(dist.latent, dists.Choice):
        return float(dist.cdf(x - 1.0)[0]), float(dist.cdf(x)[0])
    low, high = dist.unit_bins(x)
    return float(low[0]), float(high[0])


def _probabilities(param: Param) -> Matrix:
    assert param.dist is not None  # a choice is never dependent
    latent = param.dist.latent
    if isinstance(latent, dists.Choice):
        return np.asarray(latent.p, dtype=np.float64)
    return np.full(param.dist.size or 1, 1.0 / (param.dist.size or 1))


def _shares(probabilities: Sequence[Matrix]) -> Matrix:
    """Return the upper ends of the codes' shares of the unit interval, padded with 1; shape (choices, K)."""
    shares = np.ones((len(probabilities), max((len(p) for p in probabilities), default=1)))
    for row, p in zip(shares, probabilities):
        row[: len(p)] = np.cumsum(p)
        row[int(np.flatnonzero(p)[-1]) :] = 1.0
    return shares


def _bounds(params: Sequence[Param]) -> tuple[Matrix, Matrix]:
    """Return the least and greatest value of each column, with slack; infinite where they depend on others."""
    supports = [(-np.inf, np.inf) if p.dist is None else p.dist.support for p in params]
    low, high = np.array(supports, dtype=np.float64).reshape(-1, 2).T
    scale = np.maximum(np.abs(low), np.abs(high))
    slack = _SLACK * np.where(np.isfinite(scale), scale, 0.0)
    return low - np.minimum(slack, _SLACK * np.abs(low)), high + slack


def _grouped(params: Sequence[Param]) -> list[_Group]:
    """Group numeric columns with fixed distributions by the shape of their form."""
    shapes: dict[tuple[type, ...], list[int]] = {}
    for column, param in enumerate(params):
        if param.dist is not None and param.kind != "choice":
            form = param.dist.form
            shape = (type(form), *(type(getattr(form, f.name)) for f in dataclasses.fields(cast(Any, form))))
            shapes.setdefault(shape, []).append(column)
    return [_group([params[c].dist for c in columns], columns) for columns in shapes.values()]


def _group(members: Sequence[Any], columns: Sequence[int]) -> _Group:
    lattice = isinstance(members[0].latent, dists.Grid)
    return _Group(_evenly(columns), _stacked([dist.form for dist in members]), lattice)


def _evenly(columns: Sequence[int]) -> NDArray[np.intp] | slice:
    """Return ascending column numbers as a slice if they are evenly spaced, else as an array."""
    steps = {after - before for before, after in itertools.pairwise(columns)} or {1}
    if len(steps) == 1:
        return slice(columns[0], columns[-1] + 1, steps.pop())
    return np.array(columns, dtype=np.intp)


def _stacked(values: Sequence[Any]) -> Any:
    """Stack equal-shaped records field by field: numbers become an array (m, 1), records a record of arrays."""
    first = values[0]
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        fields = {
            f.name: _stacked([getattr(value, f.name) for value in values]) for f in dataclasses.fields(first)
        }
        return type(first)(**fields)
    if isinstance(first, tuple):
        return tuple(_stacked(list(column)) for column in zip(*values))
    if isinstance(first, (int, float)):
        return np.array(values, dtype=np.float64)[:, None]
    return first
