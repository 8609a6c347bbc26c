"""From densities to proposals: draw candidates, rank them, and take the best that is new.

A point that was proposed before is passed over, pending ones included: evaluating it again would say little.
If every candidate is old, as in a small space near the end of a search, the best one is perturbed until it is
new. Small finite spaces need no sample of candidates: every point that is left is ranked.

Called by `tpe.algorithm`. Nothing here knows how densities are made.
"""

from __future__ import annotations

from collections.abc import Container
from weakref import WeakKeyDictionary

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.tpe.background import Background
from hpspace.suggest.tpe.focus import Focus
from hpspace.suggest.tpe.layout import Layout, Points
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.score import Ranking
from hpspace.suggest.tpe.trend import Trend

#: Up to this many points of a finite space are all ranked, instead of a sample of candidates.
RANKED_WHOLE = 2000

#: Perturbations of the best candidate that are tried when all candidates are old.
_PERTURBATIONS = 24

#: Standard deviation of the first perturbation, in prior quantiles; each further one is a fifth wider.
_FIRST_STEP = 0.05


class Chooser:
    """Chooses proposals by the ratio of two densities.

    Parameters
    ----------
    space : CompiledSpace
        What to search.
    good, bad : Parzen
        The densities.
    joint_weight : float
        See `Ranking`.
    old : container of bytes
        Keys of the points to pass over.
    taken : set of bytes
        Keys of the points of this batch, which are passed over as well; those chosen are added.
    focus : Focus, optional
        The option that every proposal is to take.
    trend : Trend, optional
        What the losses lead to expect.
    """

    def __init__(
        self,
        space: CompiledSpace,
        good: Parzen,
        bad: Parzen | Background,
        joint_weight: float,
        old: Container[bytes],
        taken: set[bytes],
        focus: Focus | None = None,
        trend: Trend | None = None,
    ) -> None:
        self.space = space
        self.good = good
        self.bad = bad
        self.joint_weight = joint_weight
        self.old = old
        self.taken = taken
        self.focus = focus
        self.trend = trend

    def best_of(self, values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """Return the n best of the given points, each chosen as if those before it had turned out bad.

        Parameters
        ----------
        values : float64 array, shape (c, D)
            Distinct raw values; NaN where inactive.
        n : int
            How many are wanted.

        Returns
        -------
        float64 array, shape (m, D)
            n rows, or as many as are new.
        """
        ranking = self._rank(self.space.encode(values), values)
        chosen: list[int] = []
        while len(chosen) < n:
            order = self._ordered(ranking.scores, values)
            new = self._first_new(values[order])
            if new is None:
                break
            chosen.append(int(order[new]))
            if len(chosen) < n:
                self._repel(ranking, chosen[-1], values)
        return values[chosen]

    def best_of_draws(self, n: int, candidates: int, rng: Generator) -> NDArray[np.float64]:
        """Return n points, each the best new one of its own draws from the good density.

        Parameters
        ----------
        n : int
            How many points are wanted.
        candidates : int
            Number of draws for each.
        rng : Generator
            Source of randomness.

        Returns
        -------
        float64 array, shape (n, D)
            Raw values; NaN where inactive. Rows repeat old points or each other only if no new point was
            found.
        """
        drawn = self.good.sample(rng, n * candidates)
        if self.focus is not None:
            drawn[:, self.focus.column] = self.focus.code
        values = self.space.mask(self.space.decode(drawn))
        ranking = self._rank(np.where(values == values, drawn, np.nan), values)
        rows = np.empty((n, values.shape[1]))
        for i in range(n):
            own = slice(i * candidates, (i + 1) * candidates)
            order = i * candidates + self._ordered(ranking.scores[own], values[own])
            new = self._first_new(values[order])
            best = int(order[new or 0])
            rows[i] = values[best] if new is not None else self._moved(drawn[best], values[best], rng)
            if i + 1 < n:
                self._repel(ranking, best, values)
        return rows

    def _ordered(self, scores: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the positions of candidates (c,), best first; those that do not take the option come last."""
        if self.focus is not None:
            scores = np.where(self.focus.holds(values), scores, -np.inf)
        return np.argsort(-scores, kind="stable")

    def _rank(self, coords: NDArray[np.float64], values: NDArray[np.float64]) -> Ranking:
        points = Points.of(self.good.layout, coords, self.space.bins(values))
        expected = None if self.trend is None else self.trend.scores(values)
        return Ranking(points, self.good, self.bad, self.joint_weight, expected)

    def _repel(self, ranking: Ranking, proposal: int, values: NDArray[np.float64]) -> None:
        """Let a candidate that is now proposed keep the next ones away."""
        chosen = values[proposal : proposal + 1]
        ranking.repel(proposal, None if self.trend is None else self.trend.less_around(values, chosen))

    def _first_new(self, rows: NDArray[np.float64]) -> int | None:
        """Return the position of the first row that is neither old nor taken, and note that it is taken."""
        for i in range(len(rows)):
            key = self.space.keys(rows[i : i + 1])[0]
            if key not in self.old and key not in self.taken:
                self.taken.add(key)
                return i
        return None

    def _moved(
        self, drawn: NDArray[np.float64], row: NDArray[np.float64], rng: Generator
    ) -> NDArray[np.float64]:
        """Return a new point near a candidate, given its coordinates (D,) and values (D,); itself if none is found."""
        near = _perturbed(drawn, row == row, self.good.layout, rng)
        rows: NDArray[np.float64] = self.space.mask(self.space.decode(near))
        new = self._first_new(rows)
        return row if new is None else rows[new]


def _perturbed(
    coords: NDArray[np.float64], active: NDArray[np.bool_], layout: Layout, rng: Generator
) -> NDArray[np.float64]:
    """Return copies of a point with one or two of its parameters moved, ever farther; codes are drawn anew."""
    m = _PERTURBATIONS
    steps = rng.normal(size=(m, len(coords))) * (_FIRST_STEP * 1.2 ** np.arange(m))[:, None]
    moved = np.abs(coords + steps)
    moved = 1.0 - np.abs(1.0 - moved % 2.0)  # reflected into [0, 1]
    choice = layout.order[layout.numeric :]
    moved[:, choice] = layout.codes_at(rng.random((len(choice), m))).T
    order = np.argsort(np.where(active, rng.random((m, len(coords))), 2.0), axis=1)
    how_many = rng.integers(1, 3, size=m)
    change = np.zeros(moved.shape, dtype=bool)
    np.put_along_axis(change, order, np.arange(len(coords)) < how_many[:, None], axis=1)
    return np.where(change, moved, coords)


_TABLES: WeakKeyDictionary[CompiledSpace, tuple[NDArray[np.float64], list[bytes]]] = WeakKeyDictionary()


def unseen_rows(space: CompiledSpace, old: Container[bytes]) -> NDArray[np.float64] | None:
    """Return the points of a small finite space that are not old.

    Parameters
    ----------
    space : CompiledSpace
        The space.
    old : container of bytes
        Keys of the points to leave out.

    Returns
    -------
    float64 array of shape (c, D), or None
        Raw values, NaN where inactive; None when the space has more than `RANKED_WHOLE` points, or none that
        is new.
    """
    total = space.cardinality()
    if not total <= RANKED_WHOLE:
        return None
    table = _TABLES.get(space)
    if table is None:
        rows = np.array([space.row(space.point_at(i)) for i in range(int(total))])
        table = _TABLES[space] = (rows, space.keys(rows))
    rows, keys = table
    new = [i for i, key in enumerate(keys) if key not in old]
    return rows[new] if new else None
