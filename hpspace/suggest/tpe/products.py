"""Matrix products that stay in one thread.

BLAS shares larger products out to threads and waits for all of them. Where another program, a worker or the objective
itself has the other cores, that wait is long: of a product of 65 microseconds on two busy cores one in ten took 24
milliseconds, in pieces none more than 0.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: OpenBLAS uses one thread for products of up to so many multiplications.
_ONE_THREAD = 1 << 18


def product(a: Matrix, b: Matrix, out: Matrix | None = None) -> Matrix:
    """Return the product of two matrices, a few columns at a time.

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
    n = b.shape[1]
    found = np.empty((len(a), n)) if out is None else out
    step = max(1, _ONE_THREAD // max(1, a.size))
    if n <= step:
        return np.matmul(a, b, out=found)
    for i in range(0, n, step):
        np.matmul(a, b[:, i : i + step], out=found[:, i : i + step])
    return found
