"""Linear algebra of small matrices that stays in one thread.

BLAS and LAPACK share larger problems out to threads and wait for all of them. Where another program, a worker or the
objective itself has the other cores, that wait is long: of a product of 65 microseconds on two busy cores one in ten
took 24 milliseconds, in pieces none more than 0.1; inverses of 100 x 100 matrices, 0.13 milliseconds alone, took up to
180. So everything here is done in pieces that are too small to be shared out.

Called by `tpe` and `surrogate`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: OpenBLAS uses one thread for products of up to so many multiplications,
_PRODUCT = 1 << 18
#: (in square blocks where that would be fewer columns than so many,)
_NARROW = 16
#: for Cholesky factors of up to so many rows,
_ROWS = 96
#: and for triangular systems with up to so many right-hand sides.
_SIDES = 7


def product(a: Matrix, b: Matrix, out: Matrix | None = None) -> Matrix:
    """Return the product of two matrices, a few columns or a small block at a time.

    Parameters
    ----------
    a, b : float64 arrays, shape (m, k) and (k, n)
        The matrices.
    out : float64 array, shape (m, n), optional
        Where to write it.

    Examples
    --------
    >>> bool((product(np.ones((200, 200)), np.ones((200, 200))) == 200.0).all())
    True
    """
    (m, k), n = a.shape, b.shape[1]
    found = np.empty((m, n)) if out is None else out
    rows, columns = m, max(1, _PRODUCT // max(1, a.size))
    if columns < min(n, _NARROW):
        rows = columns = max(1, math.isqrt(_PRODUCT // k))
    for j in range(0, n, columns):
        for i in range(0, m, rows):
            at = slice(i, i + rows), slice(j, j + columns)
            np.matmul(a[at[0]], b[:, at[1]], out=found[at])
    return found


def times_vector(a: Matrix, v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the product of a matrix and a vector.

    Parameters
    ----------
    a : float64 array, shape (m, k)
        Much wider than high.
    v : float64 array, shape (k,)
        The vector.

    Returns
    -------
    float64 array, shape (m,)

    Examples
    --------
    >>> times_vector(np.ones((1, 300_000)), np.ones(300_000)).tolist()
    [300000.0]
    """
    step = max(1, _PRODUCT // max(1, len(a)))
    found = np.zeros(len(a))
    for i in range(0, len(v), step):
        found += a[:, i : i + step] @ v[i : i + step]
    return found


def cholesky(k: Matrix) -> Matrix:
    """Return the lower triangular L with ``L L' = k``, by halves (Golub & Van Loan 2013, section 4.2.9).

    Parameters
    ----------
    k : float64 array, shape (n, n)
        Symmetric and positive definite.

    Returns
    -------
    float64 array, shape (n, n)

    Raises
    ------
    numpy.linalg.LinAlgError
        If `k` is not positive definite.

    Examples
    --------
    >>> k = np.eye(200) + 1.0
    >>> bool(np.allclose(cholesky(k), np.linalg.cholesky(k)))
    True
    """
    n = len(k)
    if n <= _ROWS:
        return np.asarray(np.linalg.cholesky(k))
    half = n // 2
    lower = np.zeros((n, n))
    lower[:half, :half] = first = cholesky(k[:half, :half])
    lower[half:, :half] = side = solve(first, k[:half, half:]).T
    lower[half:, half:] = cholesky(k[half:, half:] - product(side, side.T))
    return lower


def solve(lower: Matrix, right: Matrix, transposed: bool = False) -> Matrix:
    """Return ``L^-1 right`` or, if transposed, ``L'^-1 right``.

    Parameters
    ----------
    lower : float64 array, shape (n, n)
        Lower triangular.
    right : float64 array, shape (n,) or (n, m)
        Right-hand sides.
    transposed : bool
        Whether to solve with the transpose.

    Returns
    -------
    float64 array, shaped as `right`

    Examples
    --------
    >>> solve(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([2.0, 3.0])).tolist()
    [1.0, 2.0]
    """
    from scipy.linalg.blas import dtrsm

    sides = right[:, None] if right.ndim == 1 else right
    found = np.empty(sides.shape, order="F")
    for i in range(0, sides.shape[1], _SIDES):
        some = slice(i, i + _SIDES)
        # The transpose of a C-ordered factor is Fortran-ordered: nothing is copied.
        found[:, some] = dtrsm(1.0, lower.T, sides[:, some], lower=0, trans_a=0 if transposed else 1)
    return found.reshape(right.shape)


def inverse(lower: Matrix) -> Matrix:
    """Return ``(L L')^-1``.

    Parameters
    ----------
    lower : float64 array, shape (n, n)
        Lower triangular.

    Returns
    -------
    float64 array, shape (n, n)

    Examples
    --------
    >>> inverse(np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    whitener = solve(lower, np.eye(len(lower)))
    return product(whitener.T, whitener)
