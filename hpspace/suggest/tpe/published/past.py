"""Past trials as the published models see them, and proposals one after another.

Both libraries answer one trial at a time and see what they proposed before as a running trial. So a batch is made one
point after another, each proposal joining the past as a pending row: `in_turn`.

Two things have no counterpart in these libraries. A parameter whose bounds depend on others has another line in every
trial: its past values are carried over at the same prior quantile. And no point of a finite space is proposed twice,
as `hpspace.suggest.base` demands: a repeat is drawn again, in the end from the prior.

Axes: N rows (past trials, then the proposals of this batch), D columns (parameters, in the space's order).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.dists import Distribution
from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import is_finite, unseen
from hpspace.suggest.tpe.published.kernels import Mixture

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

#: How often a point that repeats another is drawn again before it is left to the prior.
_TRIES = 8

#: Rows, column and distribution of a parameter -> its mixture.
Fit = Callable[["Past", Rows, int, Distribution], Mixture]


@dataclass(frozen=True)
class Past:
    """What is known when a point is proposed.

    Parameters
    ----------
    space : CompiledSpace
        What is searched.
    history : History
        The trials.
    extra : float64 array, shape (m, D)
        Raw values of what was proposed after them.
    """

    space: CompiledSpace
    history: History
    extra: Array

    @classmethod
    def of(cls, space: CompiledSpace, history: History, rows: list[Array] | None = None) -> Past:
        """Return a history, followed by proposals (each (D,))."""
        return cls(space, history, np.array(rows or []).reshape(len(rows or []), len(space)))

    @property
    def n(self) -> int:
        """Number of rows, the proposals included."""
        return len(self.history) + len(self.extra)

    @property
    def proposed(self) -> Rows:
        """Rows of the proposals."""
        return np.arange(len(self.history), self.n)

    def column(self, rows: Rows, column: int, dist: Distribution) -> Array:
        """Return a parameter's past values.

        Parameters
        ----------
        rows : int array
            Which rows.
        column : int
            Which parameter.
        dist : Distribution
            Its distribution now.

        Returns
        -------
        float64 array
            Raw values, NaN where a row lacks the parameter; possible ones under `dist`.
        """
        fixed = self.space.params[column].dist is not None
        old, new = (self.history.values, self.extra) if fixed else (self.history.coords, self._extra_coords())
        found = np.concatenate([old[:, column], new[:, column]])[rows]
        has = found == found
        if not fixed:
            found[has] = dist.quantile(found[has])
        return found

    def _extra_coords(self) -> Array:
        return self.space.encode(self.extra)


def distribution_of(space: CompiledSpace, column: int, row: Array) -> Distribution:
    """Return the distribution of a parameter, given the values (D,) of those that it depends on."""
    return space.params[column].dist or space.columns.conditional(column, row)


def log_marginals(past: Past, rows: Rows, fit: Fit, values: Array) -> Array:
    """Return the log density of every parameter alone at points.

    Parameters
    ----------
    past : Past
        What is known.
    rows : int array
        Which trials are modelled.
    fit : callable
        The model.
    values : float64 array, shape (c, D)
        Raw values, NaN where inactive.

    Returns
    -------
    float64 array, shape (c, D)
        0 where inactive. Densities are per unit of the latent line; on a grid and of codes they are probabilities.
    """
    out = np.zeros(values.shape)
    for column, param in enumerate(past.space.params):
        active = np.flatnonzero(values[:, column] == values[:, column])
        for points in [active] if param.dist is not None else np.split(active, len(active)):
            if len(points):
                dist = distribution_of(past.space, column, values[points[0]])
                mixture = fit(past, rows, column, dist)
                out[points, column] = mixture.log_density(values[points, column : column + 1])
    return out


def in_turn(
    space: CompiledSpace,
    history: History,
    n: int,
    rng: Generator,
    model: Callable[[Past], Callable[[], Array]],
) -> Batch:
    """Propose n points, one after another.

    Parameters
    ----------
    space, history, n, rng
        As in `hpspace.suggest.base.Algorithm.propose`.
    model : callable
        Given what is known, returns a function that draws the raw values (D,) of a proposal, inactive ones included.

    Returns
    -------
    Batch
        n points that obey the laws of algorithms.
    """
    known = history.keys if is_finite(space) and not history.allow_repeats else ()
    rows: list[Array] = []
    for _ in range(n):
        draw = model(Past.of(space, history, rows))
        rows.append(_new(space, [*space.keys(np.array(rows))] if rows else [], known, draw))
    return unseen(space, history, Batch(space, np.array(rows).reshape(n, len(space))), n, rng)


def _new(
    space: CompiledSpace, own: Container[bytes], known: Container[bytes], draw: Callable[[], Array]
) -> Array:
    """Return the first drawn row (D,), masked, that is neither known nor of this batch; the last if all are."""
    for _ in range(_TRIES):
        row: Array = space.mask(draw()[None, :])[0]
        key = space.keys(row[None, :])[0]
        if key not in known and key not in own:
            break
    return row


def forgetting_weights(n: int, recent: int) -> Array:
    """Return weights by age: the latest `recent` trials weigh 1, older ones less, down to ``1 / n``.

    Bergstra, Yamins & Cox 2013 call it linear forgetting; Optuna's default weights are the same numbers.

    Parameters
    ----------
    n : int
        Number of trials.
    recent : int
        How many are not forgotten.

    Returns
    -------
    float64 array, shape (n,)
        Oldest first.

    Examples
    --------
    >>> forgetting_weights(5, 3).tolist(), forgetting_weights(2, 3).tolist()
    ([0.2, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0])
    """
    if n <= recent:
        return np.ones(n)
    return np.concatenate([np.linspace(1.0 / n, 1.0, n - recent), np.ones(recent)])


def inner_gaps(ordered: Array) -> Array:
    """Return the larger gap to a neighbour of each of at least two ascending places; the ends have one neighbour.

    The neighbour rule of Bergstra et al. 2011, section 4.2.

    Examples
    --------
    >>> inner_gaps(np.array([0.0, 1.0, 4.0])).tolist()
    [1.0, 3.0, 3.0]
    """
    gaps = np.diff(ordered)
    larger: Array = np.maximum(np.append(gaps, 0.0), np.append(0.0, gaps))
    return larger
