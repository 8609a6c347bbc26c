"""Mixtures beside each other: what follows from two densities alone, before any point is looked at.

A proposal compares two mixtures at some points. Both look up the same cells, and their log kernels are linear in the
same features. A density in this form is a `Mixture`: `background` makes one of the bad trials, `foreground` one of the
good ones. What follows from two of them alone is their `Stack`; it is used for as long as both stay the same. Kernels
that came later join the last of its mixtures. `evaluation` evaluates them.

Axes: D columns in the order of `Layout`, S smooth columns, G tabled grids, C choices; a mixture has n kernels, before
which the stack puts the prior's, N kernels in all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from hpspace.suggest.tpe.grids import ABSENT, BINS
from hpspace.suggest.tpe.kernels import Kernels
from hpspace.suggest.tpe.latest import Kernel
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.tables import Codes, Matrix, Tables

#: Logarithms between this and its opposite are exponentiated as they are.
LARGE = 300.0
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
        self.moderate = lowest + math.log(min(weights)) > -LARGE and largest < LARGE

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
