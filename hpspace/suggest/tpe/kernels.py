"""The kernels of some trials as numbers that are multiplied with those of points.

The logarithm of a normal kernel is linear in x^2, x and 1, that of a choice's kernel in whether a point has each code.
So a kernel is a row of coefficients, one for every feature of `sight`, and what all kernels give to all points is one
matrix product. Grids are looked up in tables instead, at the kernel's *centre*, see `grids`.

Called by `background`. Axes: n kernels, S smooth columns, G tabled grids, C choices with K codes in all (see `tables`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpspace.suggest.tpe.tables import Codes, Matrix, Tables
from hpspace.suggest.tpe.tally import Tally, normal_kernels


@dataclass(frozen=True, eq=False)
class Kernels:
    """Some kernels.

    Parameters
    ----------
    coefficients : float64 array, shape (n, features)
        Of the features of `tables`, 0 where the trial lacks the parameter; the last are the weights' logarithms.
    lacking : float64 array, shape (n, S + G + C), or None
        1 where a kernel's trial lacks the parameter; None if none lacks any.
    centres : int array, shape (G, n)
        Where the kernels stand on the tabled grids.
    """

    coefficients: Matrix
    lacking: Matrix | None
    centres: Codes

    def __len__(self) -> int:
        return len(self.coefficients)


@dataclass(frozen=True, eq=False)
class Widths:
    """How wide kernels of a density are.

    Parameters
    ----------
    levels : int array, shape (numeric columns,)
        Bandwidths, as of `Tables.level`.
    miss, gain : float64 arrays, shape (K,)
        Log mass that a kernel gives to a code that its trial does not have, and how much more to the one that it has.
    """

    levels: Codes
    miss: Matrix
    gain: Matrix

    @classmethod
    def of(cls, tables: Tables, levels: Codes, spread: Matrix) -> Widths:
        """Return them, given the bandwidths and how much of a choice's kernel is spread, see `Parzen`, shape (C,)."""
        share = spread.take(tables.choice) if len(spread) else spread
        odds = share * tables.p
        return cls(levels, np.log(odds / (1.0 + share)), np.log1p(1.0 / odds))


def kernels_of(tally: Tally, rows: Codes, widths: Widths, weights: Matrix) -> Kernels:
    """Return the kernels of some trials.

    Parameters
    ----------
    tally : Tally
        The trials.
    rows : int array, shape (n,)
        Which.
    widths : Widths
        How wide the kernels are.
    weights : float64 array, shape (n,)
        How much they count.
    """
    tables, out = tally.tables, tally.kernels_of(rows)
    lacking = None if tally.complete else tally.lacking.take(rows, axis=0).take(tables.places, axis=1)
    if widths.levels is not tables.narrowest:
        _widen(tally, rows, widths.levels, lacking, out)
    if len(tables.p):
        codes = out[:, 3 * len(tables.smooth) : -1]
        codes *= widths.gain
        if lacking is None:
            codes += widths.miss
        else:
            choices = lacking[:, -len(tables.first_option) :]
            codes += widths.miss * (1.0 - choices).take(tables.choice, axis=1)
    np.log(weights, out=out[:, -1])
    return Kernels(out, lacking, tally.codes.take(rows, axis=0).take(tables.tabled, axis=1).T)


def _widen(tally: Tally, rows: Codes, levels: Codes, lacking: Matrix | None, out: Matrix) -> None:
    """Replace the coefficients of the smooth columns whose bandwidth is not the smallest."""
    tables, s = tally.tables, len(tally.tables.smooth)
    wide = np.flatnonzero(levels[tables.smooth])
    sigma = tally.bandwidths(rows, tables.sigma(levels[tables.smooth]))
    sigma = np.broadcast_to(sigma, (len(out), s))[:, wide]
    parts = np.empty((len(out), 3 * len(wide)))
    normal_kernels(tally.mu[rows][:, wide], sigma, parts)
    if lacking is not None:
        parts *= np.tile(1.0 - lacking[:, wide], 3)
    for i in range(3):
        out[:, i * s + wide] = parts[:, i * len(wide) : (i + 1) * len(wide)]
