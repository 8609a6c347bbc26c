"""Several mixtures evaluated at once, over cells and features instead of kernels and columns.

A proposal compares two mixtures at some points. Both look up the same cells and their log kernels are linear in the
same features, so all points against all kernels of both are one matrix product. What a mixture has to provide for that
is a `Block`: `background` makes one of the bad trials, `foreground` one of the good ones.

Log joint densities are exact but for grids with narrow values (see `grids`); log marginals are looked up in bins and
within 0.02 of the exact ones.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids, C choices, c points; a block has n kernels,
the last of which is the prior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.tpe.layout import Points
from hpspace.suggest.tpe.parzen import Density, Parzen
from hpspace.suggest.tpe.sight import Sight
from hpspace.suggest.tpe.tables import Matrix, Tables

#: Logarithms between this and its opposite are exponentiated as they are.
_LARGE = 300.0
#: Numbers of the largest intermediate array: more points are evaluated in turn (half a megabyte stays in the cache).
_CHUNK = 1 << 16


class Block(Protocol):
    """A mixture as `evaluate` needs it."""

    #: Number of kernels, the prior's included.
    n: int
    #: Weight behind the joint density, and behind each marginal (D,), the prior's included, and the prior's alone.
    total: float
    totals: Matrix
    prior_weight: float

    @property
    def others(self) -> tuple[Parzen, Matrix] | None:
        """The grids that are in no table, as a mixture of their own; None if there are none.

        And how much of the marginals' weight its kernels stand for, relative to their own, by column.
        """

    def write_marginals(self, sight: Sight, out: Matrix) -> None:
        """Write the marginal densities in the cells of points into an array of their shape."""

    def write_kernels(self, sight: Sight, log_marginals: Matrix, out: Matrix) -> None:
        """Write the logs of the weighted kernels but the prior's into an array (c, n - 1).

        Where a kernel's trial lacks a parameter of a point, that parameter's marginal stands in: `log_marginals`, shape
        (S + G + C, c).
        """


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The densities of several mixtures at points.

    Parameters
    ----------
    tables : Tables
        The space's tables.
    log_joint : float64 array, shape (blocks, c)
        Log joint densities.
    logs : float64 array, shape (blocks, S + G + C, c)
        Log marginal densities; of a column that is both smooth and tabled, one of two rows is 0.
    others : list of float64 array, shape (others, c)
        Log marginals of the grids that are in no table, for each block.
    """

    tables: Tables
    log_joint: Matrix
    logs: Matrix
    others: list[Matrix]

    def log_ratio(self, joint_weight: float) -> Matrix:
        """Return the mean of the two log ratios of the first mixture to the second, shape (c,)."""
        score: Matrix = self.log_joint[0] - self.log_joint[1]
        score *= joint_weight
        marginal = (self.logs[0] - self.logs[1]).sum(axis=0)
        if self.others:
            marginal += (self.others[0] - self.others[1]).sum(axis=0)
        marginal *= 1.0 - joint_weight
        score += marginal
        return score

    def densities(self) -> list[Density]:
        """Return them one by one, with the marginals of the columns (D, c)."""
        return [Density(joint, self._columns(i)) for i, joint in enumerate(self.log_joint)]

    def _columns(self, block: int) -> Matrix:
        log, tables, layout = self.logs[block], self.tables, self.tables.layout
        s, g = len(tables.smooth), len(tables.tabled)
        out = np.zeros((len(layout.order), log.shape[1]))
        out[tables.tabled] = log[s : s + g]
        out[tables.smooth] += log[:s]
        out[layout.numeric :] = log[s + g :]
        if self.others:
            out[tables.others] = self.others[block]
        return out


def evaluate(
    tables: Tables,
    blocks: Sequence[Block],
    x: Matrix,
    active: NDArray[np.bool_] | None,
    points: Points | None = None,
) -> Evaluation:
    """Evaluate several mixtures at points.

    Parameters
    ----------
    tables : Tables
        The space's tables.
    blocks : sequence of Block
        The mixtures.
    x, active
        As for `Sight`.
    points : Points, optional
        The same points, needed where some grids are in no table. Without, a narrow value's density stands for its mass:
        the width of its bin, by which they differ, is the same for all blocks.
    """
    count, step = x.shape[1], max(1, _CHUNK // sum(block.n for block in blocks))
    if count <= step:
        return _evaluate(blocks, Sight(tables, x, active), points)
    pieces = []
    for i in range(0, count, step):
        near = slice(i, i + step)
        sight = Sight(tables, x[:, near], None if active is None else active[:, near])
        some = None if points is None else points.select(near)
        pieces.append(_evaluate(blocks, sight, some))
    return Evaluation(
        tables,
        np.concatenate([piece.log_joint for piece in pieces], axis=1),
        np.concatenate([piece.logs for piece in pieces], axis=2),
        [np.concatenate(same, axis=1) for same in zip(*(piece.others for piece in pieces))],
    )


def _evaluate(blocks: Sequence[Block], sight: Sight, points: Points | None) -> Evaluation:
    """Evaluate blocks at points that were looked at."""
    tables, marginals = sight.tables, np.empty((len(blocks), *sight.cells.shape))
    for block, own in zip(blocks, marginals):
        block.write_marginals(sight, own)
    logs = sight.log_marginals(marginals)
    terms = np.empty((sight.n, sum(block.n for block in blocks)))
    parts: list[slice] = []
    others = []
    for block, log in zip(blocks, logs):
        start = parts[-1].stop if parts else 0
        parts.append(slice(start, start + block.n))
        mine = terms[:, parts[-1]]
        block.write_kernels(sight, log, mine[:, :-1])
        np.add(sight.log_prior, math.log(block.prior_weight), out=mine[:, -1])
        if tables.others and points is not None:
            others.append(_add_others(tables, block, points, mine))
    joint = log_sums(terms, parts)
    for row, block in zip(joint, blocks):
        row -= math.log(block.total)
    if points is not None and tables.fine:
        _add_widths(sight, points, joint, logs)
    return Evaluation(tables, joint, logs, others)


def _add_widths(sight: Sight, points: Points, joint: Matrix, logs: Matrix) -> None:
    """Turn the densities of narrow values into masses, in log joint (b, c) and marginal densities (b, S + G + C, c)."""
    tables, s = sight.tables, len(sight.tables.smooth)
    for place, row in enumerate(tables.fine, tables.layout.reals):
        grid = row - tables.layout.reals
        narrow = sight.features[2 * s + place] == 1.0
        widths = np.log(points.high[grid, narrow] - points.low[grid, narrow])
        joint[:, narrow] += widths
        logs[:, place, narrow] += widths


def _add_others(tables: Tables, block: Block, points: Points, terms: Matrix) -> Matrix:
    """Add the grids without tables to log joint terms (c, n); return their log marginals (others, c)."""
    assert block.others is not None  # what the tables lack the block has
    (mixture, scale), rows = block.others, tables.others
    mine = points.only(rows, tables.layout.reals)
    logs = mixture.log_kernels(mine)  # (others, c, n - 1)
    prior, on = mine.high - mine.low, mine.active
    held = np.einsum("gcn,gn->gc", np.exp(logs), mixture.held) * scale[:, None] + mixture.prior_weight * prior
    marginals = np.where(on, np.log(held / block.totals[rows, None]), 0.0)
    logs = np.where(mixture.points.active[:, None, :], logs, marginals[:, :, None])
    terms[:, :-1] += np.einsum("gcn,gc->cn", logs, on.astype(np.float64))
    terms[:, -1] += np.where(on, np.log(prior), 0.0).sum(axis=0)
    return marginals


def log_sums(terms: Matrix, parts: Sequence[slice]) -> Matrix:
    """Return the logs of sums of exponentials along the last axis, by blocks, destroying the terms.

    Parameters
    ----------
    terms : float64 array, shape (c, n)
        Logarithms. The last of each block is finite.
    parts : sequence of slice
        The blocks: adjacent, from the first to the last.

    Returns
    -------
    float64 array, shape (blocks, c)
    """
    tops = None
    if terms.max() > _LARGE or min(terms[:, part.stop - 1].min() for part in parts) < -_LARGE:
        tops = np.array([terms[:, part].max(axis=1) for part in parts])
        for part, top in zip(parts, tops):
            terms[:, part] -= top[:, None]
    np.maximum(terms, -2.0 * _LARGE, out=terms)  # exp is slow where it underflows
    np.exp(terms, out=terms)
    sums = np.log(np.add.reduceat(terms, [part.start for part in parts], axis=1).T)
    return np.asarray(sums if tops is None else sums + tops)
