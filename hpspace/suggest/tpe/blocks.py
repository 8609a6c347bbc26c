"""Several mixtures evaluated at once, over cells and features instead of kernels and columns.

A proposal compares two mixtures at some points. Both look up the same cells, and their log kernels are linear in the
same features, so all points against all kernels of both are one matrix product. A density in this form is a `Mixture`:
`background` makes one of the bad trials, `foreground` one of the good ones. What follows from two of them alone is
their `Stack`; it is used for as long as both stay the same. Kernels that came later join the last of its mixtures.

Log joint densities are exact but for grids with narrow values (see `grids`); log marginals are looked up in bins, see
`background` and `foreground` for how near they are to the exact ones.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids, C choices, c points; a mixture has n
kernels, before which the stack puts the prior's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.linalg import product
from hpspace.suggest.tpe.grids import ABSENT, BINS
from hpspace.suggest.tpe.kernels import Kernels
from hpspace.suggest.tpe.latest import Kernel
from hpspace.suggest.tpe.layout import Points
from hpspace.suggest.tpe.parzen import Density, Parzen
from hpspace.suggest.tpe.sight import Sight
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables

#: Logarithms between this and its opposite are exponentiated as they are.
_LARGE = 300.0
#: Numbers of the largest intermediate array: more points are evaluated in turn (half a megabyte stays in the cache).
_CHUNK = 1 << 16
#: No more kernels than this join a stack.
MOST_LATEST = 32


@dataclass(frozen=True, eq=False)
class Block:
    """Kernels that share the tables of their grids.

    Parameters
    ----------
    kernels : Kernels
        The kernels, weighted.
    grids : list of float64 array, shape (L + 1, centres)
        For each tabled column the log masses of its values, at every centre; the last row is 0.
    """

    kernels: Kernels
    grids: list[Matrix]


@dataclass(frozen=True, eq=False)
class Mixture:
    """A density as `evaluate` needs it.

    Parameters
    ----------
    blocks : sequence of Block
        Its kernels but the prior's.
    cells : float64 array, shape (cells,)
        Marginal densities, see `tables`.
    total : float
        Weight behind the joint density, the prior's included.
    prior_weight : float
        The prior's.
    """

    blocks: Sequence[Block]
    cells: Matrix
    total: float
    prior_weight: float


@dataclass(frozen=True, eq=False)
class Others:
    """The grids that are in no table, as a mixture of their own.

    Parameters
    ----------
    mixture : Parzen
        The trials' kernels, as many as the mixture's and in their order, on these columns alone.
    scale : float64 array, shape (others,)
        How many trials each kernel of the mixture stands for in the marginals.
    totals : float64 array, shape (others,)
        Weight behind each marginal, the prior's included.
    """

    mixture: Parzen
    scale: Matrix
    totals: Matrix


class Stack:
    """Mixtures beside each other.

    Parameters
    ----------
    tables : Tables
        The space's tables.
    mixtures : sequence of Mixture
        The mixtures.
    lacks : bool
        Whether kernels that lack parameters may join it; those of the mixtures are known.

    Attributes
    ----------
    starts : list of int
        First row of each mixture: the prior's kernel.
    cells, slopes : float64 arrays, shape (mixtures, cells)
        Marginal densities, and how much larger they are in the next cell of a smooth column.
    log_totals : float64 array, shape (mixtures, 1)
        Logs of the weights behind the joint densities.
    moderate : bool
        As for `log_sums`.
    """

    def __init__(self, tables: Tables, mixtures: Sequence[Mixture], lacks: bool = False) -> None:
        self.tables = tables
        self.mixtures = mixtures
        blocks = [block for mixture in mixtures for block in mixture.blocks]
        self._mixture_of = [i for i, mixture in enumerate(mixtures) for _ in mixture.blocks]
        self.lacks = lacks or any(block.kernels.lacking is not None for block in blocks)
        self.width = tables.features + 1 + (len(mixtures) * len(tables.places) if self.lacks else 0)
        columns = np.array([[grid.shape[1] for grid in block.grids] for block in blocks], dtype=np.intp)
        self._before: Codes = np.cumsum(columns, axis=0) - columns  # (blocks, G)
        self.grids = [np.concatenate(same, axis=1) for same in zip(*(block.grids for block in blocks))]
        self._stack_kernels()
        self.cells: Matrix = np.array([mixture.cells for mixture in mixtures])
        smooth = BINS * len(tables.smooth)
        self.slopes: Matrix = np.zeros(self.cells.shape)
        np.subtract(self.cells[:, 1 : smooth + 1], self.cells[:, :smooth], out=self.slopes[:, :smooth])
        self.log_totals: Matrix = np.log([[mixture.total] for mixture in mixtures])
        lowest, highest = tables.log_range
        weights = [mixture.prior_weight for mixture in mixtures]
        largest = highest + float(self.log_totals.max())
        self.moderate = lowest + math.log(min(weights)) > -_LARGE and largest < _LARGE

    def _stack_kernels(self) -> None:
        """Write the kernels of all blocks, and the prior's before the first of each mixture."""
        tables, block = self.tables, 0
        rows: list[Matrix] = []
        centres: list[Codes] = []
        self.starts: list[int] = []
        for mixture in self.mixtures:
            prior = np.zeros((1, self.width))
            prior[0, tables.features - 1 : tables.features + 1] = math.log(mixture.prior_weight), 1.0
            self.starts.append(sum(len(some) for some in rows))
            rows.append(prior)
            centres.append(np.full((len(tables.tabled), 1), ABSENT, dtype=np.intp))
            for part in mixture.blocks:
                coefficients, where = self.placed(part.kernels, block)
                rows.append(coefficients)
                centres.append(where)
                block += 1
        self._own = sum(len(some) for some in rows)
        self._coefficients = np.concatenate([*rows, np.zeros((MOST_LATEST, self.width))])
        room = np.empty((len(tables.tabled), MOST_LATEST), dtype=np.intp)
        self._centres = np.concatenate([*centres, room], axis=1)
        self._written: tuple[Kernel, ...] = ()  # what is in the room
        self._writing = Lock()  # a history may be searched by several threads at once

    def joined(self, latest: tuple[Kernel, ...], total: float) -> Joined:
        """Return the mixtures with kernels of single trials in the last one, of which its marginals do not know.

        Parameters
        ----------
        latest : tuple of Kernel
            The kernels, at most `MOST_LATEST`; those that were here the last time are not written again.
        total : float
            The weight behind the last mixture's joint density, theirs included.
        """
        with self._writing:
            known = len(self._written)
            if self._written != latest[:known]:  # one of them failed since, or this is an earlier look
                known, self._written = 0, ()  # others may be reading what is there
                self._coefficients, self._centres = self._coefficients.copy(), self._centres.copy()
            for i in range(known, len(latest)):
                self._write(self._own + i, latest[i])
            self._written = latest
            n = self._own + len(latest)
            log_totals = self.log_totals.copy()
            log_totals[-1] = math.log(total)
            return Joined(self, self._coefficients[:n], self._centres[:, :n], log_totals)

    def _write(self, row: int, kernel: Kernel) -> None:
        """Write one kernel of the last mixture, whose last block has the failed trials, if any did."""
        coefficients, features = self._coefficients[row], self.tables.features
        coefficients[:features] = kernel.coefficients
        coefficients[features:] = 0.0
        if kernel.lacking is not None:
            coefficients[-len(kernel.lacking) :] = kernel.lacking
        if len(kernel.centres):
            block = len(self._mixture_of) - len(self.mixtures[-1].blocks) + kernel.failed
            np.add(kernel.centres, self._before[block], out=self._centres[:, row])

    def placed(self, kernels: Kernels, block: int) -> tuple[Matrix, Codes]:
        """Return coefficients and centres of kernels as a block's rows of the whole; the last block is -1."""
        tables = self.tables
        out = np.zeros((len(kernels), self.width))
        out[:, : tables.features] = kernels.coefficients
        if kernels.lacking is not None:
            stand_ins = out[:, tables.features + 1 :].reshape(
                len(out), len(self.mixtures), len(tables.places)
            )
            stand_ins[:, self._mixture_of[block]] = kernels.lacking
        return out, kernels.centres + self._before[block][:, None]


@dataclass(frozen=True, eq=False)
class Joined:
    """A stack with the kernels of the latest trials.

    Parameters
    ----------
    stack : Stack
        The mixtures.
    coefficients : float64 array, shape (N, width)
        Coefficients of all kernels: of the features of `tables`, of the log declared density, and for each mixture of
        the log marginals that stand in for what its trials lack, if any trial lacks anything.
    centres : int array, shape (G, N)
        Where the kernels stand on the tabled grids: columns of `grids`, of all blocks one after the other.
    log_totals : float64 array, shape (mixtures, 1)
        Logs of the weights behind the joint densities.
    """

    stack: Stack
    coefficients: Matrix
    centres: Codes
    log_totals: Matrix


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
    if not moderate and (terms.max() > _LARGE or terms.take(starts, axis=1).min() < -_LARGE):
        tops = np.maximum.reduceat(terms, starts, axis=1)
        terms -= np.repeat(tops, np.diff([*starts, terms.shape[1]]), axis=1)
    np.maximum(terms, -2.0 * _LARGE, out=terms)  # exp is slow where it underflows
    np.exp(terms, out=terms)
    sums = np.log(np.add.reduceat(terms, starts, axis=1))
    return np.asarray((sums if tops is None else sums + tops).T)
