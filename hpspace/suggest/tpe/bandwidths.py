"""How wide the kernel around each trial is: the neighbour rule, and its floor.

A kernel reaches to the farther of its neighbours, so that crowded places have narrow kernels and lonely ones wide
kernels (Bergstra et al. 2011, section 4.2). The floor keeps a search from digging ever deeper at one place, and a
grid's values from never being left.

Coordinates and bandwidths are prior quantiles. Axes: d columns, n trials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.tpe.layout import Layout, Points, pick

#: Smallest bandwidth, in units of the prior's quantiles (Watanabe 2023 recommends a floor of this size).
MIN_BANDWIDTH = 0.03


def bandwidth_floor(
    layout: Layout, points: Points, smallest: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the smallest bandwidth of each kernel, shape (numeric, n).

    ``max(smallest, (2 + n_d)**-2)``, and at least half the bin of a grid value, below which neighbouring
    values would hardly ever be tried.
    """
    m = layout.numeric
    counts = points.active[:m].sum(axis=1)
    floor = np.empty((m, points.n))
    np.maximum(smallest, ((2.0 + counts) ** -2.0)[:, None], out=floor)
    grid = floor[layout.reals :]
    np.maximum(grid, 0.5 * (points.high - points.low), out=grid)
    return floor


def bandwidths(
    x: NDArray[np.float64], active: NDArray[np.bool_], floor: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the bandwidth of each kernel by the neighbour rule.

    The larger of the gaps to the next smaller and the next larger distinct coordinate among the trials that
    have the parameter, divided by the number of trials at the same coordinate; the extremes have their inner
    gap, and a lone coordinate the distance to the farther end of [0, 1]. Clipped to ``[floor, 1]``.

    Parameters
    ----------
    x : float64 array, shape (d, n)
        Coordinates in [0, 1].
    active : bool array, shape (d, n)
        Which entries count.
    floor : float64 array, shape (d, n)
        Smallest bandwidths.

    Returns
    -------
    float64 array, shape (d, n)
        Bandwidths; those of entries that do not count are 1.

    Examples
    --------
    >>> x = np.array([[0.1, 0.4, 0.9, 0.4]])
    >>> bandwidths(x, np.ones((1, 4), bool), np.full((1, 4), 0.03)).round(3).tolist()
    [[0.3, 0.25, 0.5, 0.25]]
    """
    d, n = x.shape
    if n == 0 or d == 0:
        return np.ones((d, n))
    keyed = x if active.all() else np.where(active, x, 2.0)  # entries that do not count go last
    rank = np.argsort(keyed, axis=1)
    ordered = pick(keyed, rank)
    padded = np.empty((d, n + 2))
    padded[:, 1:-1] = ordered
    padded[:, 0] = np.nan  # no neighbour
    padded[:, -1] = np.nan
    padded[padded == 2.0] = np.nan
    rise = np.diff(padded, axis=1)  # (d, n + 1); gap before each entry and after the last
    tied = bool((rise == 0.0).any())
    sigma = _shared_gaps(rise) if tied else np.fmax(rise[:, :-1], rise[:, 1:])
    lone = np.isnan(sigma)
    if lone.any():
        alone, count = np.fmax(ordered, 1.0 - ordered), np.maximum(active.sum(axis=1), 1)[:, None]
        sigma = np.where(lone, alone / count, sigma)
    out = np.empty((d, n))
    np.put_along_axis(out, rank, sigma, axis=1)
    np.clip(out, floor, 1.0, out=out)
    out[~active] = 1.0
    return out


def _shared_gaps(rise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the larger gap around each run of equal entries, divided by the run's length; shape (d, n)."""
    d, n = rise.shape[0], rise.shape[1] - 1
    starts = rise[:, :-1] != 0.0  # the first entry of each run (NaN counts as a rise)
    ends = rise[:, 1:] != 0.0
    place = np.arange(n)
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, n - 1)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(d)[:, None]
    gap: NDArray[np.float64] = np.fmax(rise[rows, first], rise[rows, last + 1])
    gap /= last - first + 1
    return gap
