"""The density of many bad trials, at a cost that hardly grows with their number.

A Parzen density of n kernels costs n evaluations a candidate and parameter. With hundreds of bad trials that is
where a proposal's time goes, although almost all kernels have the same, smallest bandwidth. `Background` uses that:

* marginals: trials are counted in bins (128 for a continuous parameter, one a value for a grid or a choice), and the
  counts are smoothed by one table of kernels;
* the joint density: the log of a product of normal kernels is linear in x and x^2, so that all candidates against
  all trials is one matrix product; grids and choices are looked up in tables of log masses.

Most of this stays the same from one proposal to the next: see `settled`.

A parameter's kernels share the bandwidth ``max(min_bandwidth, 3 / (2 n_d))``, which is what the neighbour rule of
`bandwidths.bandwidths` gives on average for n_d evenly spread trials, rounded up to a power of sqrt(2) times
`min_bandwidth`. Given the bandwidth, joint densities are exact but for marginals that stand in for what a trial lacks;
log marginals of continuous parameters are within 0.04 of the exact ones where the density is at least a third of the
declared one, and within 0.08 in gaps between few trials (bins of a quarter of the bandwidth, linear assignment and
interpolation; 0.037 and 0.0704 were the largest among thousands of random spaces, tests ask for 0.03 and 0.07).

Made by `evidence`. Axes: D columns in the order of `Layout`, S smooth columns (see `tables`), G
tabled grids, C choices, n kernels, c points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.suggest.tpe.evaluation import Evaluation, evaluate
from hpspace.suggest.tpe.layout import Layout, Points
from hpspace.suggest.tpe.parzen import Density, Parzen
from hpspace.suggest.tpe.settled import FAILED_WEIGHT, Settled
from hpspace.suggest.tpe.stack import Mixture, Others
from hpspace.suggest.tpe.tables import Codes, Matrix


class Background:
    """A density of many trials that answers what `Ranking` asks of a `Parzen`.

    Parameters
    ----------
    settled : Settled
        Most of the trials.
    history : History
        Where they come from.
    failed : bool array, shape (trials,), or None
        Which of all trials failed; None if none did.
    front : pair of Parzen and Mixture, optional
        The density that this one is compared with, and the same as `evaluate` takes it, if it is known.

    Attributes
    ----------
    latest : Latest
        The other trials.
    total, totals : float and float64 array, shape (D,)
        Weight behind the joint density, and behind each marginal, the prior's included.
    """

    def __init__(
        self,
        settled: Settled,
        history: History,
        failed: NDArray[np.bool_] | None,
        front: tuple[Parzen, Mixture] | None = None,
    ) -> None:
        self.settled = settled
        self.front = front
        self.tables = settled.tally.tables
        self.layout = settled.tally.layout
        self.latest = settled.latest = settled.latest.followed(history, failed)
        self.total = settled.kernels.total + settled.prior_weight + self.latest.total
        self.totals = settled.totals
        self._history = history

    def narrow(self, point: Points) -> Parzen:
        """Return a mixture with the kernel of one further point, as narrow as the smallest bandwidth."""
        m, reals = self.layout.numeric, self.layout.reals
        sigma = np.full((m, 1), self.tables.min_bandwidth)
        grid = sigma[reals:]
        np.maximum(grid, 0.5 * (point.high - point.low), out=grid)
        return Parzen(self.layout, point, np.ones(1), sigma, self.settled.spread, self.settled.prior_weight)

    def at(self, points: Points) -> Density:
        """Return the densities at points."""
        return self.evaluate([], points.x, points.active, points=points).densities()[0]

    def evaluate(
        self,
        fronts: Sequence[Mixture],
        x: Matrix,
        active: NDArray[np.bool_] | None,
        numbers: Codes | None = None,
        points: Points | None = None,
        others: Sequence[Others] = (),
    ) -> Evaluation:
        """Return the densities of other mixtures and this one, see `evaluation.evaluate`."""
        if self.tables.others and points is not None:
            others = [*others, self._others()]
        joined = self.settled.beside(fronts, self.latest).joined(self.latest.kernels, self.total)
        return evaluate(joined, x, active, numbers, points, others)

    def _others(self) -> Others:
        """Return the grids without tables, alone; their kernels stand for all trials."""
        rows, tables, settled = self.tables.others, self.tables, self.settled
        late = np.array(self.latest.rows, dtype=np.intp)
        failed = np.array([kernel.failed for kernel in self.latest.kernels], dtype=np.intp)
        order = settled.kernels.order
        chosen = np.append(settled.rows if order is None else settled.rows[order], late)
        points = Points.of(self.layout, self._history.coords[chosen], self._history.bins_of(chosen))
        mine = points.only(rows, self.layout.reals)
        layout = Layout(self.layout.order[rows], 0, len(rows), np.empty(0), np.empty((0, 1)))
        sigma = np.array([tables.sigma(widths.levels[rows]) for widths in settled.widths])
        each = np.repeat(sigma, [len(some) for some in settled.kernels.parts], axis=0)
        each = np.concatenate([each, sigma[failed]]).T
        weights = np.append(settled.kernels.each, np.where(failed, FAILED_WEIGHT, 1.0))
        widest = np.maximum(each, 0.5 * (mine.high - mine.low))
        mixture = Parzen(layout, mine, weights, widest, np.empty(0), settled.prior_weight)
        held = np.maximum(mixture.held.sum(axis=1), 1e-300)
        return Others(mixture, (self.totals[rows] - settled.prior_weight) / held, self.totals[rows])
