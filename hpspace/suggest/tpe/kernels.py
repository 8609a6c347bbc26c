"""The kernels of some trials, ready for a matrix product: what does not change while the same trials are chosen.

Taken from a `Tally`, which has a row of coefficients for every trial. What changes with every new trial, such as how
much of a choice's kernel is spread, is multiplied to the points' features instead.

Called by `evidence` and used by `background`. Axes: n kernels, S smooth columns, G tabled grids, C choices with K
codes in all (see `tables`).
"""

from __future__ import annotations

import numpy as np

from hpspace.suggest.tpe.sight import Sight
from hpspace.suggest.tpe.tables import Codes, Matrix
from hpspace.suggest.tpe.tally import Tally, normal_kernels


class Kernels:
    """The kernels of some trials.

    Parameters
    ----------
    tally : Tally
        The trials.
    rows : int array, shape (n,)
        Which.

    Attributes
    ----------
    centres : int array, shape (G, n)
        Where the kernels stand on the tabled grids.
    coefficients : float64 array
        Shape (n, features + 1), or as many more as `lacking` has columns: of the features of `tables`, of which the
        last has the weights' logarithms; of what every kernel has; and of what stands in for a lacking parameter.
    lacking : float64 array, shape (n, S + G + C), or None
        1 where a kernel's trial lacks the parameter; None if none lacks any.
    """

    def __init__(self, tally: Tally, rows: Codes) -> None:
        tables = tally.tables
        self.tally = tally
        self.rows = rows
        self.centres = tally.codes.take(rows, axis=0).take(tables.tabled, axis=1).T
        self.lacking: Matrix | None = None
        more = 1 if tally.complete else 1 + len(tables.places)
        self.coefficients = np.ones((len(rows), tables.features + more))
        self.coefficients[:, : tables.features] = tally.kernels_of(rows)
        if not tally.complete:
            self.lacking = self.coefficients[:, tables.features + 1 :]
            self.lacking[:] = tally.lacking.take(rows, axis=0).take(tables.places, axis=1)

    def features(self, sight: Sight, log_marginals: Matrix, spread: Matrix) -> Matrix:
        """Return what the coefficients are multiplied with at points, shape (f, c).

        Parameters
        ----------
        sight : Sight
            The points.
        log_marginals : float64 array, shape (S + G + C, c)
            What stands in for parameters that a trial lacks.
        spread : float64 array, shape (C,)
            As in `Parzen`.
        """
        tables, count = self.tally.tables, self.tally.tables.features
        out = np.empty((self.coefficients.shape[1], sight.n))
        out[:count] = sight.features
        if self.lacking is not None:
            out[count + 1 :] = log_marginals
        if not len(spread):
            out[count] = 0.0
            return out
        # a kernel gives every code of a choice at least `miss`, and its own `gain` more
        spread = spread.take(tables.choice)
        odds = spread * tables.p
        out[3 * len(tables.smooth) : count - 1] *= np.log1p(1.0 / odds)[:, None]
        misses = np.zeros(len(odds) + 2)
        np.log(odds / (1.0 + spread), out=misses[:-2])
        miss = sight.of_codes(misses)
        miss.sum(axis=0, out=out[count])
        if self.lacking is not None:
            out[-len(miss) :] -= miss
        return out

    def widened(self, levels: Codes) -> Matrix:
        """Return the coefficients with those of the columns whose bandwidth is not the smallest replaced."""
        tally, tables, out = self.tally, self.tally.tables, self.coefficients.copy()
        s = len(tables.smooth)
        wide = np.flatnonzero(levels[tables.smooth])
        sigma = np.broadcast_to(
            tally.bandwidths(self.rows, tables.sigma(levels[tables.smooth])), (len(self.rows), s)
        )[:, wide]
        parts = np.empty((len(self.rows), 3 * len(wide)))
        normal_kernels(tally.mu[self.rows][:, wide], sigma, parts)
        if self.lacking is not None:
            parts *= np.tile(1.0 - self.lacking[:, wide], 3)
        for i in range(3):
            out[:, i * s + wide] = parts[:, i * len(wide) : (i + 1) * len(wide)]
        return out
