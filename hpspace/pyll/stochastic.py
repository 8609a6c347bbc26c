"""Hyperopt's ``hyperopt.pyll.stochastic``: random draws. They live in `hpspace.space.stochastic`."""

from __future__ import annotations

from hpspace.graph.builtins import rng_from_seed
from hpspace.graph.primitives import scope
from hpspace.space.stochastic import (
    implicit_stochastic,
    implicit_stochastic_symbols,
    recursive_set_rng_kwarg,
    sample,
)

__all__ = [
    "implicit_stochastic",
    "implicit_stochastic_symbols",
    "recursive_set_rng_kwarg",
    "rng_from_seed",
    "sample",
    "scope",
]
