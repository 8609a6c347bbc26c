"""Which past trials become kernels, how heavy and how narrow: from a split of the history to two densities.

Good trials are all kernels of the good density. Bad ones are thinned when there are many, for the cost of a
proposal should not grow with the history. Failed trials weigh more than merely worse ones and are narrower: a
failure says that this place is useless, and close to a border between what works and what fails only narrow
kernels can tell the sides apart. (With an objective that fails on one side of its optimum, 17 % of the last
40 of 100 proposals failed when failed trials were like any others, 15 % with these constants; 80 and 160 seeds.)

The good trials stay the same for many proposals, so what follows from them alone is kept with the history until they
change; it is a pure function of the history.

Called by `tpe.algorithm`.
"""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hpspace.history import FAILED, History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.background import Background
from hpspace.suggest.tpe.foreground import foreground
from hpspace.suggest.tpe.layout import Layout, Points, pick
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.settled import FAILED_BANDWIDTH, FAILED_WEIGHT, Settled, settled
from hpspace.suggest.tpe.split import Split
from hpspace.suggest.tpe.stack import Mixture
from hpspace.suggest.tpe.tables import SMALLEST_BANDWIDTH
from hpspace.suggest.tpe.tally import Tally, tally_of
from hpspace.suggest.tpe.vicinity import Vicinity

#: Kernels of the bad density: of more bad trials, the nearest to the good ones and a sample of the others are
#: kept.
MAX_BAD = 192

#: Of more bad trials than this not all are asked how near they are to the good ones.
MOST_LOOKED_AT = 2048

#: From this many bad trials on a `Background` is their density,
MANY = 64
#: and from this many if some failed: its marginals know failed trials by kernels of the usual width only, and beside a
#: border that shows while trials are few (16 % of the last 40 of 100 proposals failed for 15 %, 160 seeds).
MANY_IF_FAILED = 192


class Good:
    """The good trials of a history, and what follows from them.

    Parameters
    ----------
    space, layout, history
        The space, its layout and its trials.
    parts : Split
        Which trials are good.
    prior_weight, min_bandwidth : float
        See `Parzen.fit`.
    """

    def __init__(
        self,
        space: CompiledSpace,
        layout: Layout,
        history: History,
        parts: Split,
        prior_weight: float,
        min_bandwidth: float,
    ) -> None:
        self.key = parts.key
        self.layout = layout
        self.rows = parts.good
        self._prior_weight = prior_weight
        self._tally: Tally | None = None
        self._in_tables: Mixture | None = None
        self._settled: tuple[tuple[int, bytes], Settled] | None = None
        self._coords = history.coords[parts.good]
        points = _observed(layout, history, parts.good)
        self.density = Parzen.fit(layout, points, parts.weights, prior_weight, min_bandwidth)

    def background(self, space: CompiledSpace, history: History, min_bandwidth: float) -> Background:
        """Return the density of all other trials of a history, with kernels at least so wide."""
        n = settled(len(history))
        if self._tally is None:
            self._tally = tally_of(space, self.layout, history, min_bandwidth, n)
        tally = self._tally
        tally.follow(history, n)
        failed = history.kind == FAILED if history.count(FAILED) else None
        key = n, b"" if failed is None else failed[:n].tobytes()
        if self._settled is None or self._settled[0] != key:
            self._settled = key, self._settle(history, tally, failed)
        return Background(self._settled[1], history, failed, (self.density, self._front(tally)))

    def _front(self, tally: Tally) -> Mixture:
        if self._in_tables is None:
            self._in_tables = foreground(self.density, tally.tables)
        return self._in_tables

    def _settle(self, history: History, tally: Tally, failed: NDArray[np.bool_] | None) -> Settled:
        good = self.rows[self.rows < tally.n]
        rows, weights = self.vicinity.rows(history, tally.n)
        counted = tally.without(tally.of(good))
        if failed is not None:
            counted = counted.plus(tally.of(np.flatnonzero(failed[: tally.n])), FAILED_WEIGHT - 1.0)
        return Settled(tally, self.rows, counted, rows, weights, failed, self._prior_weight)

    @cached_property
    def vicinity(self) -> Vicinity:
        """Which bad trials are kernels of a `Background`."""
        return Vicinity(self.layout, self._coords, self.rows)


class _Kept:
    """The good trials of a history by the parameters of `densities`."""

    def __init__(self) -> None:
        self.good: dict[tuple[float, float], Good] = {}
        self.lock = Lock()  # a history may be searched by several threads at once


_KEPT: WeakKeyDictionary[History, _Kept] = WeakKeyDictionary()


def densities(
    space: CompiledSpace,
    layout: Layout,
    history: History,
    parts: Split,
    prior_weight: float,
    min_bandwidth: float,
) -> tuple[Parzen, Parzen | Background]:
    """Return the density of the good trials and that of the bad ones, each the prior if there are none.

    Parameters
    ----------
    space, layout, history
        The space, its layout and its trials.
    parts : Split
        Which trials are good and bad.
    prior_weight, min_bandwidth : float
        See `Parzen.fit`.
    """
    if not isinstance(parts.others, int):
        good = Good(space, layout, history, parts, prior_weight, min_bandwidth)
        return good.density, _bad_density(layout, history, parts, prior_weight, min_bandwidth)
    kept = _KEPT.get(history) or _KEPT.setdefault(history, _Kept())
    with kept.lock:
        known = kept.good.get((prior_weight, min_bandwidth))
        if known is None or known.key != parts.key:
            known = Good(space, layout, history, parts, prior_weight, min_bandwidth)
            kept.good[prior_weight, min_bandwidth] = known
        many = MANY_IF_FAILED if history.count(FAILED) else MANY
        if parts.n_bad >= many and min_bandwidth >= SMALLEST_BANDWIDTH:  # which the bins resolve
            return known.density, known.background(space, history, min_bandwidth)
    return known.density, _bad_density(layout, history, parts, prior_weight, min_bandwidth)


def _bad_density(
    layout: Layout, history: History, parts: Split, prior_weight: float, min_bandwidth: float
) -> Parzen:
    rows, weights = thinned(layout, history.coords, parts)
    failed = history.kind[rows] == FAILED
    if failed.any():
        weights = np.where(failed, FAILED_WEIGHT * weights, weights)
        floor = np.where(failed, min(FAILED_BANDWIDTH, min_bandwidth), min_bandwidth)
        return Parzen.fit(layout, _observed(layout, history, rows), weights, prior_weight, floor)
    return Parzen.fit(layout, _observed(layout, history, rows), weights, prior_weight, min_bandwidth)


def _observed(layout: Layout, history: History, rows: NDArray[np.intp]) -> Points:
    """Return rows of a history in the layout's order."""
    return Points.of(layout, history.coords[rows], history.bins_of(rows))


def thinned(
    layout: Layout, coords: NDArray[np.float64], parts: Split, most: int = MAX_BAD
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows of the bad density's kernels, at most `MAX_BAD`, and their weights.

    Half of them are the trials nearest to the good ones: where candidates lie, they decide. The other half is
    an even sample of the rest over time, each with the weight of the trials that it stands for.

    Parameters
    ----------
    layout : Layout
        The columns.
    coords : float64 array, shape (n, D)
        Coordinates of all trials, in the space's order.
    parts : Split
        Which are good and bad.
    most : int
        How many rows are wanted.

    Returns
    -------
    rows : int array
        Positions, in order of insertion within each half.
    weights : float64 array
        Their weights, which sum to the number of bad trials.
    """
    if len(parts.bad) <= most:
        return parts.bad, np.ones(len(parts.bad))
    half = most // 2
    rows = _looked_at(parts.bad)
    by_distance = np.argpartition(_distance(layout, coords, rows, parts.good), half)
    near, rest = np.sort(by_distance[:half]), np.sort(by_distance[half:])
    sample = rest[_evenly(half, len(rest))]
    weights = np.repeat([1.0, (len(parts.bad) - half) / half], half)
    return rows[np.concatenate([near, sample])], weights


def _evenly(n: int, among: int) -> NDArray[np.intp]:
    """Return n of the positions below `among`, evenly spread; n is not larger."""
    return (2 * np.arange(n) + 1) * among // (2 * n)


def _looked_at(bad: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the bad trials among which near ones are sought.

    Of very many these are the latest, pending ones for instance, and an even sample of the others.
    """
    half = MOST_LOOKED_AT // 2
    if len(bad) <= MOST_LOOKED_AT:
        return bad
    return np.concatenate([bad[_evenly(half, len(bad) - half)], bad[-half:]])


def _distance(
    layout: Layout, coords: NDArray[np.float64], rows: NDArray[np.intp], good_rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how far trials are from the good ones' mean, shape (rows,); a code counts by how rare it is there."""
    order, m = layout.order, layout.numeric
    bad, good = coords[rows].T[order], coords[good_rows].T[order]
    known = good == good
    centre = np.where(known, good, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    apart = (bad[:m] - centre[:m, None]) ** 2
    shares = (good[m:, None, :] == np.arange(layout.p.shape[1])[:, None]).sum(axis=2) / max(1, good.shape[1])
    codes = np.where(bad[m:] == bad[m:], bad[m:], 0.0).astype(np.intp)
    apart = np.concatenate([apart, 1.0 - pick(shares, codes)])
    distance: NDArray[np.float64] = np.where(bad == bad, apart, 0.25).sum(axis=0)
    return distance
