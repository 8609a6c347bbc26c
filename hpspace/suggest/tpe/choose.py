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
from hpspace.suggest.tpe.candidates import Candidates
from hpspace.suggest.tpe.focus import Focus
from hpspace.suggest.tpe.layout import Layout
from hpspace.suggest.tpe.parzen import Parzen
from hpspace.suggest.tpe.score import Ranking
from hpspace.suggest.tpe.trend import Trend

#: Up to this many points of a finite space are all ranked, instead of a sample of candidates.
RANKED_WHOLE = 2000

#: Perturbations of the best candidate that are tried when all candidates are old.
_PERTURBATIONS = 24

#: So many of the best candidates are looked at one by one, then all together.
_TRIED = 4

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
        self._row: NDArray[np.float64] = np.empty(0)  # the last that was found to be new
        self._seen: NDArray[np.float64] = np.empty((0, 0))  # the candidates as the trend sees them

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
        ranking = self._rank(Candidates.at(self.space, self.good.layout, values))
        chosen: list[int] = []
        while len(chosen) < n:
            best = self._best_new(ranking, slice(0, len(values)))
            if best is None:
                break
            chosen.append(best)
            if len(chosen) < n:
                self._repel(ranking, best)
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
        layout = self.good.layout
        x, numbers = self.good.sampler.draw(rng, n * candidates)
        if self.focus is not None:
            x[layout.places[self.focus.column]] = self.focus.code
            numbers = None
        ranking = self._rank(Candidates(self.space, layout, x, numbers=numbers))
        rows = np.empty((n, len(x)))
        for i in range(n):
            own = slice(i * candidates, (i + 1) * candidates)
            best = self._best_new(ranking, own)
            if best is not None:
                rows[i] = self._row
            else:
                best = int(self._ordered(ranking, own)[0])
                rows[i] = self._moved(ranking.candidates, best, rng)
            if i + 1 < n:
                self._repel(ranking, best)
        return rows

    def _rank(self, candidates: Candidates) -> Ranking:
        expected = None
        if self.trend is not None:
            self._seen = self.trend.features(candidates.values)
            expected = self.trend.scores(self._seen)
        return Ranking(candidates, self.good, self.bad, self.joint_weight, expected)

    def _repel(self, ranking: Ranking, proposal: int) -> None:
        """Let a candidate that is now proposed keep the next ones away."""
        less = None
        if self.trend is not None:
            less = self.trend.less_around(self._seen, self._seen[proposal])
        ranking.repel(proposal, less)

    def _ordered(self, ranking: Ranking, part: slice) -> NDArray[np.intp]:
        """Return the positions of some candidates, best first; those that do not take the option come last."""
        return np.asarray(part.start + (-self._scores(ranking, part)).argsort(kind="stable"))

    def _scores(self, ranking: Ranking, part: slice) -> NDArray[np.float64]:
        scores = ranking.scores[part]
        if self.focus is None:
            return scores
        return np.where(ranking.candidates.takes(*self.focus)[part], scores, -np.inf)

    def _best_new(self, ranking: Ranking, part: slice) -> int | None:
        """Return the best of some candidates that is neither old nor taken, and note that it is taken."""
        # as a rule one of the best is new: nothing has to be sorted then, and only few values are needed
        candidates, scores = ranking.candidates, self._scores(ranking, part)
        for tried in range(_TRIED):
            best: int = part.start + int(scores.argmax())
            row = candidates.row(best)
            if self._is_new(row, self.space.key(row)):
                return best
            # equal points have equal scores (but for rounding, which costs another turn)
            left_out = scores == scores.max()
            spent = None if tried else self._spent(candidates)
            scores = np.where(left_out if spent is None else left_out | spent[part], -np.inf, scores)
        order = self._ordered(ranking, part)
        found = self._first_new(candidates.rows(order))
        return None if found is None else int(order[found])

    def _spent(self, candidates: Candidates) -> NDArray[np.bool_] | None:
        """Return which candidates are points without numbers that are old or taken, None if none can be.

        In a space with branches that have nothing to tune these are drawn again and again.
        """
        bare, numbers = candidates.layout.bare, candidates.numbers
        if bare is None or numbers is None:
            return None
        keys, which = bare
        spent = [key in self.old or key in self.taken for key in keys]
        return np.array([*spent, False]).take(which.take(numbers)) if any(spent) else None

    def _first_new(self, rows: NDArray[np.float64]) -> int | None:
        """Return the position of the first row that is neither old nor taken, and note that it is taken."""
        for i, key in enumerate(self.space.keys(rows)):
            if self._is_new(rows[i], key):
                return i
        return None

    def _is_new(self, row: NDArray[np.float64], key: bytes) -> bool:
        """Return whether a point is neither old nor taken; if so note that it is taken."""
        if key in self.old or key in self.taken:
            return False
        self.taken.add(key)
        self._row = row
        return True

    def _moved(self, candidates: Candidates, chosen: int, rng: Generator) -> NDArray[np.float64]:
        """Return a new point near a candidate, as raw values (D,); itself if none is found."""
        row = candidates.row(chosen)
        near = _perturbed(candidates.coords[chosen], row == row, self.good.layout, rng)
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
