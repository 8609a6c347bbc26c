"""Points as a Gaussian process sees them: every parameter in every point, and distances by parameter.

A kernel needs a value for each parameter. Numbers are coordinates of the compiled space (prior quantiles); where a
number is inactive it stands at 0.5, the middle of its prior. Choices are codes, and an inactive choice has a code of
its own. So two points that took different branches differ by their choice and by what only one of them has, and two
points in one branch differ by their values alone.

Axes: n points, D parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.linalg import product

#: Where an inactive number stands: the middle of its prior.
_MIDDLE = 0.5
#: The code of an inactive choice.
_ABSENT = -1.0

Matrix = NDArray[np.float64]


def features(coords: Matrix, choice: NDArray[np.bool_]) -> Matrix:
    """Return coordinates with the gaps filled.

    Parameters
    ----------
    coords : float64 array, shape (n, D)
        Coordinates as `CompiledSpace.encode` gives them; NaN where inactive.
    choice : bool array, shape (D,)
        Which columns are choices.

    Returns
    -------
    float64 array, shape (n, D)
    """
    return np.asarray(np.where(np.isnan(coords), np.where(choice, _ABSENT, _MIDDLE), coords))


def distances(a: Matrix, b: Matrix, choice: NDArray[np.bool_]) -> Matrix:
    """Return distances by parameter: squared differences of numbers, 0 or 1 for codes.

    Parameters
    ----------
    a, b : float64 arrays, shapes (n, D) and (m, D)
        Features.
    choice : bool array, shape (D,)
        Which columns are choices.

    Returns
    -------
    float64 array, shape (D, n, m)
    """
    apart: Matrix = a.T[:, :, None] - b.T[:, None, :]
    apart *= apart
    np.not_equal(apart, 0.0, out=apart, where=choice[:, None, None], casting="unsafe")
    return apart


def embedded(x: Matrix, w: NDArray[np.float64], codes: list[tuple[int, NDArray[np.float64]]]) -> Matrix:
    """Return vectors whose squared Euclidean distance is the weighted sum of `distances`.

    Parameters
    ----------
    x : float64 array, shape (n, D)
        Features.
    w : float64 array, shape (D,)
        Weight of each parameter.
    codes : list of (int, float64 array)
        Each choice's column with every code it may have.

    Returns
    -------
    float64 array, shape (n, E)
        Numbers scaled by sqrt(w), and for each code of a choice sqrt(w / 2) where the point has it.
    """
    choice = [column for column, _ in codes]
    numbers = np.delete(x, choice, axis=1) * np.sqrt(np.delete(w, choice))
    one_hot = [np.sqrt(0.5 * w[column]) * (x[:, column, None] == values) for column, values in codes]
    return np.concatenate([numbers, *one_hot], axis=1)


def squared_distances(a: Matrix, b: Matrix) -> Matrix:
    """Return the squared Euclidean distances of embedded points (n, E) and (m, E), shape (n, m)."""
    r2 = product(a, b.T)
    r2 *= -2.0
    r2 += np.einsum("ne,ne->n", a, a)[:, None]
    r2 += np.einsum("me,me->m", b, b)
    return np.asarray(np.maximum(r2, 0.0, out=r2))
