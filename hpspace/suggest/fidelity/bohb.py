"""BOHB: Hyperband whose configurations come from a model (Falkner, Klein & Hutter 2018, "BOHB", ICML).

The brackets are Hyperband's. Of the new configurations a third is drawn at random, as in the paper, so that whatever
the model believes Hyperband's guarantees hold; the others are proposed by a tree-structured Parzen estimator that sees
the greatest resource with enough results (`view`).

Differences from the paper, all in the model: it is this library's `tpe` (joint and marginal densities in prior
quantiles, a tenth of the trials good, no widened bandwidths, 24 candidates) in place of a product kernel with 64
candidates; configurations that never had the modelled resource count among the bad ones instead of being left out; and
it takes at least 10 results at a resource to model it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpspace.suggest.base import Algorithm, register
from hpspace.suggest.fidelity.hyperband import Hyperband
from hpspace.suggest.mix import Mix
from hpspace.suggest.random import Random
from hpspace.suggest.tpe import algorithm as _tpe  # noqa: F401  (registers "tpe")


@register("bohb")
@dataclass(frozen=True)
class BOHB(Hyperband):
    """Hyperband with a model of the greatest resource that has enough results.

    Parameters
    ----------
    algo, min_results
        The model and when it is used; see `Scheduler`.
    random_fraction : float
        Share of the new configurations that are drawn from the declared distributions, in [0, 1].

    Raises
    ------
    ValueError
        For a parameter out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from hpspace import compile_space, hp
    >>> from hpspace.history import History
    >>> space = compile_space({"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 9)})
    >>> batch = BOHB().propose(space, History(space), 2, np.random.default_rng(0))
    >>> [stage.resource for stage in batch.stages]
    [1, 1]
    """

    algo: str | Algorithm = "tpe"
    random_fraction: float = 1 / 3

    name: ClassVar[str] = "bohb"

    def __post_init__(self) -> None:
        if not 0 <= self.random_fraction <= 1:
            raise ValueError(f"bohb: random_fraction={self.random_fraction!r} must be between 0 and 1")
        super().__post_init__()
        searcher = Mix([Random(), self._searcher], [self.random_fraction, 1 - self.random_fraction])
        object.__setattr__(self, "_searcher", searcher)
