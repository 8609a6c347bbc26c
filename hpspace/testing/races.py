"""A race that a test drives event by event, for algorithms that plan resources.

Evaluators come free and trials end in whatever order a test says; every decision is asked for through `propose`, with a
history such as the trials layer keeps. So a rule of an algorithm can be pinned by hand, and its laws by random events.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from hpspace.history import FAILED, OK, PENDING, History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import Algorithm
from hpspace.testing.algorithms import record


class Race:
    """A history that an algorithm fills.

    Parameters
    ----------
    algorithm : Algorithm
        Who plans.
    space : CompiledSpace
        Where; it declares a resource.
    seed : int
        Each question has a seed of its own, made of this and the number of trials, as in a run.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> from hpspace.suggest.fidelity.asha import ASHA
    >>> race = Race(ASHA(), compile_space({"x": hp.uniform("x", 0, 1), "r": hp.fidelity("r", 1, 9)}))
    >>> first, second, third = race.begin(3)
    >>> for row, loss in ((third, 0.1), (first, 0.3), (second, None)):
    ...     race.end(row, loss)
    >>> (row,) = race.begin()
    >>> race.jobs()[row]  # the third configuration is on rung 1 now, with resource 3
    (2, 1, 3.0)
    """

    def __init__(self, algorithm: Algorithm, space: CompiledSpace, seed: int = 0) -> None:
        self.algorithm = algorithm
        self.space = space
        self.seed = seed
        self.past = History(space)

    def begin(self, n: int = 1) -> list[int]:
        """Ask for n jobs at once and begin them; return their rows, fewer where there is nothing to do."""
        rng = np.random.default_rng([self.seed, len(self.past)])
        batch = self.algorithm.propose(self.space, self.past, n, rng)
        start = len(self.past)
        record(self.past, batch, np.full(len(batch), np.nan), [PENDING] * len(batch))
        return list(range(start, len(self.past)))

    def end(self, row: int, loss: float | None) -> None:
        """End a trial with a loss; None: it failed."""
        self.past.update([row], [np.nan if loss is None else loss], [FAILED if loss is None else OK])

    def run(self, n: int, loss: Callable[[int], float | None]) -> None:
        """Run up to n trials one after the other; ``loss(row)`` is what each ends with."""
        for _ in range(n):
            for row in self.begin():
                self.end(row, loss(row))

    def pending(self) -> list[int]:
        """Return the rows of the trials under way."""
        return [int(row) for row in np.flatnonzero(self.past.pending)]

    def jobs(self) -> list[tuple[int, int, float]]:
        """Return configuration (its first row), rung and resource of every trial."""
        return list(zip(self.past.configs.tolist(), self.past.rungs.tolist(), self.past.resources.tolist()))

    def resumed(self, rows: int) -> Race:
        """Return the race of another process that knows nothing but the first trials, as they stand now."""
        other = copy.copy(self)
        other.past = self.past.select(np.arange(rows))
        return other
