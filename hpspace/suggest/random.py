"""Random search: independent draws from the declared distributions. The template for a new algorithm.

Bergstra & Bengio (2012), "Random search for hyper-parameter optimization", JMLR 13.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest.base import register, unseen


@register("rand")
@dataclass(frozen=True)
class Random:
    """Draw every parameter from its declared distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from hpspace import compile_space, hp
    >>> space = compile_space({"x": hp.int("x", 1, 2)})
    >>> batch = Random().propose(space, History(space), 3, np.random.default_rng(0))
    >>> sorted(point["x"] for point in batch.points())  # a finite space has no third point
    [1, 2]
    """

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n points; see `hpspace.suggest.base.Algorithm`."""
        return unseen(space, history, space.sample(rng, n), n, rng)
