"""The kernels of some trials as numbers that are multiplied with those of points.

The logarithm of a normal kernel is linear in x^2, x and 1, that of a choice's kernel in whether a point has each code.
So a kernel is a row of coefficients, one for every feature of `sight`, and what all kernels give to all points is one
matrix product. Grids are looked up in tables instead, at the kernel's *centre*, see `grids`.

Called by `settled`. Axes: n kernels, S smooth columns, G tabled grids, C choices with K codes in all (see `tables`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.dists.normal import ndtr
from hpspace.dists.special import LOG_SQRT_2PI
from hpspace.suggest.tpe.notes import Notes
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables


@dataclass(frozen=True, eq=False)
class Kernels:
    """Some kernels.

    Parameters
    ----------
    coefficients : float64 array, shape (n, features)
        Of the features of `tables`, 0 where the trial lacks the parameter; the last are the weights' logarithms.
    lacking : bool array, shape (n, S + G + C), or None
        Which parameters each kernel's trial lacks; None if none lacks any.
    centres : int array, shape (G, n)
        Where the kernels stand on the tabled grids.
    """

    coefficients: Matrix
    lacking: NDArray[np.bool_] | None
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
    sigma : float or float64 array, shape (S,)
        The smooth columns' bandwidths.
    miss, gain : float64 arrays, shape (K,)
        Log mass that a kernel gives to a code that its trial does not have, and how much more to the one that it has.
    """

    levels: Codes
    sigma: float | Matrix
    miss: Matrix
    gain: Matrix

    @classmethod
    def of(cls, tables: Tables, levels: Codes, spread: Matrix) -> Widths:
        """Return them, given the bandwidths and how much of a choice's kernel is spread, see `Parzen`, shape (C,)."""
        share = spread.take(tables.choice) if len(spread) else spread
        odds = share * tables.p
        narrowest = levels is tables.narrowest
        sigma = tables.min_bandwidth if narrowest else tables.sigma(levels[tables.smooth])
        return cls(levels, sigma, np.log(odds / (1.0 + share)), np.log1p(1.0 / odds))


def kernels_of(tables: Tables, notes: Notes, widths: Widths, weights: Matrix) -> Kernels:
    """Return the kernels of some trials.

    Parameters
    ----------
    tables : Tables
        The space's tables.
    notes : Notes
        The n trials.
    widths : Widths
        How wide the kernels are.
    weights : float64 array, shape (n,)
        How much they count.
    """
    s, out = len(tables.smooth), np.empty((len(notes), tables.features))
    lacking = None if notes.lacking is None else notes.lacking.take(tables.places, axis=1)
    if s:
        normal_kernels(notes.mu, _bandwidths(tables, notes, widths.sigma), out[:, : 3 * s])
    if len(tables.p):
        codes = out[:, 3 * s : -1]
        np.equal(
            notes.codes[:, tables.layout.numeric :].take(tables.choice, axis=1), tables.option.T, out=codes
        )
        codes *= widths.gain
        codes += widths.miss
    if lacking is not None:
        np.copyto(out[:, :-1], 0.0, where=lacking.take(tables.column_of, axis=1))
    np.log(weights, out=out[:, -1])
    return Kernels(out, lacking, notes.codes.take(tables.tabled, axis=1).T)


def _bandwidths(tables: Tables, notes: Notes, sigma: float | Matrix) -> float | Matrix:
    """Return the bandwidths of the smooth columns' kernels, given the columns' own (S,).

    A kernel at a value of a large grid is at least as wide as half the value's bin.
    """
    if not tables.fine:
        return sigma
    out = np.empty(notes.mu.shape)
    out[:] = sigma
    fine = out[:, tables.layout.reals :]
    np.maximum(fine, notes.half, out=fine)
    return out


def normal_kernels(mu: Matrix, sigma: float | Matrix, out: Matrix) -> None:
    """Write the coefficients of log normal kernels (n, S) into `out` (n, 3 S): of x^2, of x, and of 1."""
    s, steep = mu.shape[1], 1.0 / sigma
    z = mu * steep
    ends = np.empty((2, *z.shape))
    np.subtract(steep, z, out=ends[0])
    np.negative(z, out=ends[1])
    above, below = ndtr(ends)
    mass = above - below
    out[:, :s] = -0.5 * steep * steep
    np.multiply(z, steep, out=out[:, s : 2 * s])
    z *= z
    z *= -0.5
    z -= np.log(mass, out=mass)
    np.subtract(z, np.log(sigma) + LOG_SQRT_2PI, out=out[:, 2 * s :])
