"""Several mixtures evaluated at once, over cells and features instead of kernels and columns.

Both mixtures that a proposal compares look up the same cells, and their log kernels are linear in the same features, so
all points against all kernels of both are one matrix product; see `stack` for what is known of them before.

Log joint densities are exact but for grids with narrow values (see `grids`) and for marginals that stand in for what a
trial lacks; log marginals are looked up in bins, see `background` and `foreground` for how near they are to the exact
ones.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids, C choices, c points; a mixture has n
kernels, before which the stack puts the prior's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.linalg import product
from hpspace.suggest.tpe.layout import Points
from hpspace.suggest.tpe.parzen import Density
from hpspace.suggest.tpe.sight import Sight
from hpspace.suggest.tpe.stack import LARGE, Joined, Others
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables

#: Numbers of the largest intermediate array: more points are evaluated in turn (half a megabyte stays in the cache).
_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The densities of several mixtures at points.

    Parameters
    ----------
    tables : Tables
        The space's tables.
    log_joint : float64 array, shape (mixtures, c)
        Log joint densities.
    logs : float64 array, shape (mixtures, S + G + C, c)
        Log marginal densities; of a column that is both smooth and tabled, one of two rows is 0.
    others : list of float64 array, shape (others, c)
        Log marginals of the grids that are in no table, for each mixture.
    """

    tables: Tables
    log_joint: Matrix
    logs: Matrix
    others: list[Matrix]

    def log_ratio(self, joint_weight: float) -> Matrix:
        """Return the mean of the two log ratios of the first mixture to the second, shape (c,)."""
        score: Matrix = self.log_joint[0] - self.log_joint[1]
        score *= joint_weight
        marginal = np.add.reduce(self.logs[0] - self.logs[1], axis=0)
        if self.others:
            marginal += (self.others[0] - self.others[1]).sum(axis=0)
        marginal *= 1.0 - joint_weight
        score += marginal
        return score

    def densities(self) -> list[Density]:
        """Return them one by one, with the marginals of the columns (D, c)."""
        return [Density(joint, self._columns(i)) for i, joint in enumerate(self.log_joint)]

    def _columns(self, mixture: int) -> Matrix:
        log, tables, layout = self.logs[mixture], self.tables, self.tables.layout
        s, g = len(tables.smooth), len(tables.tabled)
        out = np.zeros((len(layout.order), log.shape[1]))
        out[tables.tabled] = log[s : s + g]
        out[tables.smooth] += log[:s]
        out[layout.numeric :] = log[s + g :]
        if self.others:
            out[tables.others] = self.others[mixture]
        return out


def evaluate(
    joined: Joined,
    x: Matrix,
    active: NDArray[np.bool_] | None,
    numbers: Codes | None,
    points: Points | None,
    others: Sequence[Others],
) -> Evaluation:
    """Evaluate several mixtures at points.

    Parameters
    ----------
    joined : Joined
        The mixtures.
    x, active, numbers
        As for `Sight`.
    points : Points or None
        The same points, needed where some grids are in no table. Without, a narrow value's density stands for its mass:
        the width of its bin, by which they differ, is the same for all mixtures.
    others : sequence of Others
        For each mixture, in the same case, the grids that are in no table.
    """
    stack = joined.stack
    count, step = x.shape[1], max(1, _CHUNK // len(joined.coefficients))
    if count <= step:
        return _evaluate(joined, Sight(stack.tables, x, active, stack.width, numbers), points, others)
    pieces = []
    for i in range(0, count, step):
        near = slice(i, i + step)
        present = None if active is None else active[:, near]
        coded = None if numbers is None else numbers[near]
        some = None if points is None else points.select(near)
        sight = Sight(stack.tables, x[:, near], present, stack.width, coded)
        pieces.append(_evaluate(joined, sight, some, others))
    return Evaluation(
        stack.tables,
        np.concatenate([piece.log_joint for piece in pieces], axis=1),
        np.concatenate([piece.logs for piece in pieces], axis=2),
        [np.concatenate(same, axis=1) for same in zip(*(piece.others for piece in pieces))],
    )


def _evaluate(joined: Joined, sight: Sight, points: Points | None, others: Sequence[Others]) -> Evaluation:
    """Evaluate mixtures at points that were looked at."""
    stack, tables, features = joined.stack, joined.stack.tables, sight.features
    logs = sight.log_marginals(stack.cells, stack.slopes)
    if stack.lacks:  # the marginals stand in for what trials lack
        features[tables.features + 1 :] = logs.reshape(-1, sight.n)
    terms = product(features.T, joined.coefficients.T)
    for grid, values, at in zip(stack.grids, sight.values, joined.centres):
        terms += of_grid(grid, values, at)
    of_others = []
    if others and points is not None:
        parts = [slice(*ends) for ends in zip(stack.starts, [*stack.starts[1:], terms.shape[1]])]
        of_others = [_add_others(tables, other, points, terms[:, part]) for other, part in zip(others, parts)]
    joint = log_sums(terms, stack.starts, stack.moderate and not others)
    joint -= joined.log_totals
    if points is not None and tables.fine:
        _add_widths(sight, points, joint, logs)
    return Evaluation(tables, joint, logs, of_others)


def of_grid(logs: Matrix, values: Codes, centres: Codes) -> Matrix:
    """Return what a table says of values (c,) and centres (n,), shape (c, n)."""
    return logs.take(values, axis=0).take(centres, axis=1)


def _add_widths(sight: Sight, points: Points, joint: Matrix, logs: Matrix) -> None:
    """Turn the densities of narrow values into masses, in log joint (b, c) and marginal densities (b, S + G + C, c)."""
    tables, s = sight.tables, len(sight.tables.smooth)
    for place, row in enumerate(tables.fine, tables.layout.reals):
        grid = row - tables.layout.reals
        narrow = sight.features[2 * s + place] == 1.0
        widths = np.log(points.high[grid, narrow] - points.low[grid, narrow])
        joint[:, narrow] += widths
        logs[:, place, narrow] += widths


def _add_others(tables: Tables, others: Others, points: Points, terms: Matrix) -> Matrix:
    """Add the grids without tables to a mixture's log joint terms (c, 1 + n); return their marginals' logs."""
    mixture, rows = others.mixture, tables.others
    mine = points.only(rows, tables.layout.reals)
    logs = mixture.log_kernels(mine)  # (others, c, n)
    prior, on = np.maximum(mine.high - mine.low, 1e-300), mine.active
    held = np.einsum("gcn,gn->gc", np.exp(logs), mixture.held) * others.scale[:, None]
    held += mixture.prior_weight * prior
    marginals = np.where(on, np.log(held / others.totals[:, None]), 0.0)
    logs = np.where(mixture.points.active[:, None, :], logs, marginals[:, :, None])
    terms[:, 1:] += np.einsum("gcn,gc->cn", logs, on.astype(np.float64))
    terms[:, 0] += np.where(on, np.log(prior), 0.0).sum(axis=0)
    return marginals


def log_sums(terms: Matrix, starts: Sequence[int], moderate: bool = False) -> Matrix:
    """Return the logs of sums of exponentials along the last axis, by parts, destroying the terms.

    Parameters
    ----------
    terms : float64 array, shape (c, n)
        Logarithms. The first of each part is finite.
    starts : sequence of int
        First column of each part, ascending from 0.
    moderate : bool
        Whether it is known that no term, and no part's first one, is so large or small that its exponential is not a
        number in the middle of the range.

    Returns
    -------
    float64 array, shape (parts, c)
    """
    tops = None
    if not moderate and (terms.max() > LARGE or terms.take(starts, axis=1).min() < -LARGE):
        tops = np.maximum.reduceat(terms, starts, axis=1)
        terms -= np.repeat(tops, np.diff([*starts, terms.shape[1]]), axis=1)
    np.maximum(terms, -2.0 * LARGE, out=terms)  # exp is slow where it underflows
    np.exp(terms, out=terms)
    sums = np.log(np.add.reduceat(terms, starts, axis=1))
    return np.asarray((sums if tops is None else sums + tops).T)
