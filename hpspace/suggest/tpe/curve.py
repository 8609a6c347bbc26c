"""The two densities of one parameter along its values, for figures.

Any Parzen estimator that explains itself can be asked: `tpe` and those of `published`. Called by
`hpspace.run.reasons`, never during a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpspace.dists import Choice, Distribution, Grid
from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.algorithm import Explanation

Array = NDArray[np.float64]

#: A curve over an unbounded parameter ends where this much of the declared distribution is left on either side.
_TAIL = 0.001


class Explains(Protocol):
    """An algorithm that can say what it thinks of points."""

    def is_starting(self, history: History) -> bool:
        """Whether it has no model of this history yet."""

    def explain(self, space: CompiledSpace, history: History, values: Array) -> Explanation:
        """Return what it thinks of points, given as raw values (c, D)."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The two densities of one parameter.

    Parameters
    ----------
    label : str
        The parameter.
    values : float64 array, shape (n,)
        Raw values, ascending; all of them where there are few.
    good, bad : float64 arrays, shape (n,)
        Densities there, not their logarithms: of a number relative to the declared distribution (tpe) or per unit of
        its line (the published models); of a grid's value or a code its probability.
    """

    label: str
    values: Array
    good: Array
    bad: Array


def curve(
    algorithm: Explains, space: CompiledSpace, history: History, row: Array, label: str, points: int
) -> Curve:
    """Return the densities of one parameter among the good and the bad trials.

    Parameters
    ----------
    algorithm : Explains
        Whose densities.
    space, history : CompiledSpace, History
        What is searched and known.
    row : float64 array, shape (D,)
        Raw values of a point; only those that the parameter's distribution depends on matter.
    label : str
        Which parameter.
    points : int
        At how many values; fewer where there are fewer.

    Returns
    -------
    Curve

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> from hpspace.history import OK
    >>> from hpspace.suggest.tpe.algorithm import TPE
    >>> space = compile_space({"n": hp.int("n", 1, 4)})
    >>> history = History(space)
    >>> history.append(np.repeat([[1.0], [2.0], [3.0]], 10, axis=0), np.repeat([1.0, 0.0, 1.0], 10), [OK] * 30)
    >>> drawn = curve(TPE(), space, history, space.row({}), "n", 200)
    >>> drawn.values.tolist(), float((drawn.good / drawn.bad).argmax())
    ([1.0, 2.0, 3.0, 4.0], 1.0)
    """
    column = space.index[label]
    dist = space[label].dist or space.columns.conditional(column, row)
    values = spread(dist, points)
    rows = np.tile(row, (len(values), 1))
    rows[:, column] = values
    why = algorithm.explain(space, history, rows)
    return Curve(
        label, values, np.exp(why.log_good_marginals[:, column]), np.exp(why.log_bad_marginals[:, column])
    )


def spread(dist: Distribution, points: int) -> Array:
    """Return values of a distribution, evenly spread on its line; all of them if they are no more than `points`.

    Examples
    --------
    >>> from hpspace.dists import LogUniform, QNormal
    >>> spread(LogUniform(0.0, 2.0), 3).round(3).tolist()
    [1.0, 2.718, 7.389]
    >>> spread(QNormal(0.0, 1.0, 1.0), 100).tolist()
    [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    """
    latent = dist.latent
    if isinstance(latent, Choice) or (isinstance(latent, Grid) and latent.size and latent.size <= points):
        return dist.values()
    line = latent.line if isinstance(latent, Grid) else latent
    bounded = np.isfinite([line.low, line.high]).all()
    low, high = dist.line_quantile([0.0, 1.0] if bounded else [_TAIL, 1.0 - _TAIL])
    return np.unique(dist.from_latent(np.linspace(low, high, points)))
