"""The density of the good trials as a mixture of `stack`: what does not depend on the candidates, computed once.

The good trials seldom change from one proposal to the next, and the history's caches keep their `Parzen`; with it, this
form of it is kept. Its kernels are those of the `Parzen`, each with its own bandwidth; only the marginals of smooth
columns are interpolated between the centres of bins: within 0.05 of the exact logarithms where the density falls
steeply, and 0.01 around its peaks.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids, C choices with K codes in all, n kernels,
B bins, L values.
"""

from __future__ import annotations

import numpy as np

from hpspace.suggest.tpe.grids import ABSENT, BINS, densities, log_bin_masses
from hpspace.suggest.tpe.kernels import Kernels, normal_kernels
from hpspace.suggest.tpe.layout import Layout
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.stack import Block, Mixture, Others
from hpspace.suggest.tpe.tables import Matrix, Tables


def foreground(mixture: Parzen, tables: Tables) -> Mixture:
    """Return a Parzen density of few kernels in this form.

    Parameters
    ----------
    mixture : Parzen
        The density.
    tables : Tables
        The space's tables.
    """
    grids = _grids(mixture, tables)
    masses = _code_masses(mixture, tables)
    active, n = mixture.points.active, mixture.points.n
    lacking = None if active.all() else ~active[tables.places].T
    # a grid's first column is no kernel's, the others are one kernel's each
    centres = np.broadcast_to(ABSENT + 1 + np.arange(n), (len(grids), n))
    kernels = Kernels(_coefficients(mixture, tables, masses), lacking, centres)
    cells = _cells(mixture, tables, grids, masses)
    return Mixture([Block(kernels, grids)], cells, mixture.total, mixture.prior_weight)


def foreground_others(mixture: Parzen, tables: Tables) -> Others:
    """Return a Parzen density of the grids without tables, alone."""
    rows, layout = tables.others, mixture.layout
    alone = Parzen(
        Layout(layout.order[rows], 0, len(rows), np.empty(0), np.empty((0, 1))),
        mixture.points.only(rows, layout.reals),
        mixture.weights,
        mixture.sigma[rows],
        np.empty(0),
        mixture.prior_weight,
    )
    return Others(alone, np.ones(len(rows)), mixture.totals[rows])


def _grids(mixture: Parzen, tables: Tables) -> list[Matrix]:
    """Return log masses of each tabled column's values under nothing and the trials' kernels, (L + 1, 1 + n)."""
    found, points = [], mixture.points
    for row, grid in tables.grids.items():
        logs = np.zeros((len(grid) + 1, 1 + points.n))
        mu, sigma = points.x[row], mixture.sigma[row]
        logs[:-1, 1:] = log_bin_masses(grid.low[:, None], grid.high[:, None], mu, sigma)
        logs[:, 1:] *= points.active[row]
        found.append(logs)
    return found


def _code_masses(mixture: Parzen, tables: Tables) -> Matrix:
    """Return masses of every code under the trials' kernels, shape (n, K)."""
    own = mixture.points.x[mixture.layout.numeric :].take(tables.choice, axis=0) == tables.option
    spread = mixture.spread.take(tables.choice) if len(tables.p) else mixture.spread
    return np.asarray((own.T + spread * tables.p) / (1.0 + spread))


def _coefficients(mixture: Parzen, tables: Tables, code_masses: Matrix) -> Matrix:
    """Return coefficients of the log kernels, shape (n, features)."""
    points, smooth, s = mixture.points, tables.smooth, len(tables.smooth)
    out = np.zeros((points.n, tables.features))
    normal_kernels(points.x[smooth].T, mixture.sigma[smooth].T, out[:, : 3 * s])
    np.log(code_masses, out=out[:, 3 * s : -1])
    np.log(np.maximum(mixture.weights, 1e-300), out=out[:, -1])
    out[:, : 3 * s] *= np.tile(points.active[smooth].T, 3)
    out[:, 3 * s : -1] *= points.active[mixture.layout.numeric :].take(tables.choice, axis=0).T
    return out


def _cells(mixture: Parzen, tables: Tables, grids: list[Matrix], code_masses: Matrix) -> Matrix:
    """Return the marginal densities in all cells."""
    weights, points = mixture.held, mixture.points
    cells = mixture.prior_weight * tables.prior
    for place, row in enumerate(tables.smooth.tolist()):
        at = densities(points.x[row], mixture.sigma[row])
        cells[BINS * place : BINS * (place + 1)] += weights[row] @ at
    for (row, first), logs in zip(tables.first_value.items(), grids):
        masses = np.exp(logs[:-1, 1:])
        cells[first : first + len(masses)] += masses @ weights[row]
    codes = weights[mixture.layout.numeric :].take(tables.choice, axis=0)
    cells[tables.first_code : tables.nothing] += np.einsum("nk,kn->k", code_masses, codes)
    cells[: tables.nothing] /= mixture.totals.take(tables.column[: tables.nothing])
    cells[tables.nothing :] = 1.0
    return cells
