"""The density of the good trials as a block of `blocks`: what does not depend on the candidates, computed once.

The good trials seldom change from one proposal to the next, and the history's caches keep their `Parzen`; with it, this
form of it is kept. Its kernels are those of the `Parzen`, each with its own bandwidth; only the marginals of smooth
columns are interpolated between the centres of bins: within 0.04 of the exact logarithms where the density falls
steeply, and 0.01 around its peaks.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids, C choices with K codes in all, n kernels
(the prior's is the last), B bins, L values.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hpspace.suggest.linalg import product
from hpspace.suggest.tpe.grids import BINS, densities, log_bin_masses
from hpspace.suggest.tpe.layout import Layout
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.sight import Sight
from hpspace.suggest.tpe.tables import Matrix, Tables
from hpspace.suggest.tpe.tally import normal_kernels


class Foreground:
    """A Parzen density of few kernels.

    Parameters
    ----------
    mixture : Parzen
        The density.
    tables : Tables
        The space's tables.
    """

    def __init__(self, mixture: Parzen, tables: Tables) -> None:
        self.mixture = mixture
        self.tables = tables
        self.layout = mixture.layout
        self.n = mixture.points.n + 1
        self.total = mixture.total
        self.totals = mixture.totals
        self.prior_weight = mixture.prior_weight
        self._lacks = not bool(mixture.points.active.all())

    def write_marginals(self, sight: Sight, out: Matrix) -> None:
        """Write the marginal densities in the cells of points into an array of their shape."""
        out[:] = self._cells.take(sight.cells)

    def write_kernels(self, sight: Sight, log_marginals: Matrix, out: Matrix) -> None:
        """Write the logs of the weighted kernels but the prior's into an array (c, n - 1); see `Block`."""
        features = sight.features
        if self._lacks:
            features = np.concatenate([features, log_marginals])
        product(features.T, self._coefficients.T, out)
        for logs, values in zip(self._grids, sight.values):
            out += logs.take(values, axis=0)

    @cached_property
    def others(self) -> tuple[Parzen, Matrix] | None:
        """The grids without tables, alone."""
        rows = self.tables.others
        if not rows:
            return None
        layout = Layout(self.layout.order[rows], 0, len(rows), np.empty(0), np.empty((0, 1)))
        mine = self.mixture.points.only(rows, self.layout.reals)
        alone = Parzen(
            layout,
            mine,
            self.mixture.weights,
            self.mixture.sigma[rows],
            np.empty(0),
            self.mixture.prior_weight,
        )
        return alone, np.ones(len(rows))

    # ---------------------------------------------------------------- computed once

    @cached_property
    def _grids(self) -> list[Matrix]:
        """Log masses of each tabled column's values under the trials' kernels, (L + 1, n - 1); the last row is 0."""
        found, points = [], self.mixture.points
        for row, grid in self.tables.grids.items():
            logs = np.zeros((len(grid) + 1, self.n - 1))
            mu, sigma = points.x[row], self.mixture.sigma[row]
            logs[:-1] = log_bin_masses(grid.low[:, None], grid.high[:, None], mu, sigma)
            logs *= points.active[row]
            found.append(logs)
        return found

    @cached_property
    def _code_masses(self) -> Matrix:
        """Masses of every code under the trials' kernels, shape (n - 1, K)."""
        tables, points = self.tables, self.mixture.points
        own = points.x[self.layout.numeric :].take(tables.choice, axis=0) == tables.option
        spread = self.mixture.spread.take(tables.choice)
        return np.asarray((own.T + spread * tables.p) / (1.0 + spread))

    @cached_property
    def _coefficients(self) -> Matrix:
        """Coefficients of the log kernels, shape (n - 1, features), or more of them where trials lack something."""
        points, tables = self.mixture.points, self.tables
        smooth, s = tables.smooth, len(tables.smooth)
        out = np.zeros((self.n - 1, tables.features))
        normal_kernels(points.x[smooth].T, self.mixture.sigma[smooth].T, out[:, : 3 * s])
        np.log(self._code_masses, out=out[:, 3 * s : -1])
        np.log(np.maximum(self.mixture.weights, 1e-300), out=out[:, -1])
        if not self._lacks:
            return out
        out[:, : 3 * s] *= np.tile(points.active[smooth].T, 3)
        out[:, 3 * s : -1] *= points.active[self.layout.numeric :].take(tables.choice, axis=0).T
        return np.concatenate([out, ~points.active[tables.places].T], axis=1)

    @cached_property
    def _cells(self) -> Matrix:
        tables, mixture, weights = self.tables, self.mixture, self.mixture.held
        cells = self.prior_weight * tables.prior
        for place, row in enumerate(tables.smooth.tolist()):
            at = densities(mixture.points.x[row], mixture.sigma[row])
            cells[BINS * place : BINS * (place + 1)] += weights[row] @ at
        for (row, first), logs in zip(tables.first_value.items(), self._grids):
            masses = np.exp(logs[:-1])
            cells[first : first + len(masses)] += masses @ weights[row]
        codes = weights[self.layout.numeric :].take(tables.choice, axis=0)
        cells[tables.first_code : tables.nothing] += np.einsum("nk,kn->k", self._code_masses, codes)
        cells[: tables.nothing] /= self.totals.take(tables.column[: tables.nothing])
        cells[tables.nothing :] = 1.0
        return cells
