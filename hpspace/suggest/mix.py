"""A mixture of algorithms: every proposal comes from one of several, drawn with given probabilities.

Useful to keep some plain random search in a model-based one, which bounds how badly the model can mislead it.
The parts are any algorithms; for Hyperopt-style suggest functions there is the door `hpspace.mix`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import Algorithm, unseen


def checked_probabilities(probabilities: Sequence[float]) -> tuple[float, ...]:
    """Return probabilities as a tuple of floats that can be drawn from.

    Parameters
    ----------
    probabilities : sequence of float
        At least one, none negative, with sum 1 up to rounding.

    Raises
    ------
    ValueError
        Otherwise; names the sum or the value.

    Examples
    --------
    >>> checked_probabilities([0.5, 0.6])
    Traceback (most recent call last):
    ...
    ValueError: the probabilities of a mix must sum to 1, but [0.5, 0.6] sum to 1.1
    """
    given = tuple(float(p) for p in probabilities)
    total = sum(given)
    if not np.isclose(total, 1.0):
        raise ValueError(f"the probabilities of a mix must sum to 1, but {list(given)} sum to {total:.6g}")
    negative = [p for p in given if p < 0]
    if negative:
        raise ValueError(
            f"the probabilities of a mix must not be negative, but {list(given)} contain {negative[0]}"
        )
    return given


@dataclass(frozen=True)
class Mix:
    """Let one of several algorithms, drawn anew for every point, make the proposal.

    Parameters
    ----------
    algorithms : sequence of Algorithm
        The parts.
    probabilities : sequence of float
        How often each is asked; they sum to 1.

    Raises
    ------
    ValueError
        If the probabilities do not sum to 1, one is negative, or their number is not that of the algorithms.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> from hpspace.suggest.random import Random
    >>> space = compile_space({"x": hp.uniform("x", 0, 1)})
    >>> mix = Mix([Random(), Random()], [0.25, 0.75])
    >>> len(mix.propose(space, History(space), 5, np.random.default_rng(0)))
    5
    """

    algorithms: Sequence[Algorithm]
    probabilities: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "algorithms", tuple(self.algorithms))
        object.__setattr__(self, "probabilities", checked_probabilities(self.probabilities))
        if len(self.algorithms) != len(self.probabilities):
            raise ValueError(
                f"a mix needs one probability for each algorithm, but got {len(self.algorithms)} algorithms and "
                f"{len(self.probabilities)} probabilities"
            )

    def draw(self, rng: Generator) -> int:
        """Return the position of the algorithm that answers."""
        ends = np.cumsum(self.probabilities)
        return int(np.searchsorted(ends / ends[-1], rng.random(), side="right"))

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        drawn = [self.draw(rng) for _ in range(n)]
        asked = dict.fromkeys(drawn)  # in order of first appearance
        answers = {
            k: iter(self.algorithms[k].propose(space, history, drawn.count(k), rng).values) for k in asked
        }
        rows = [row for row in (next(answers[k], None) for k in drawn) if row is not None]
        return unseen(space, history, Batch(space, np.array(rows).reshape(len(rows), len(space))), n, rng)
