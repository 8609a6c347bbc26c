"""Hyperopt's ``hyperopt.pyll``: expressions usable in spaces. They live in `hpspace.graph`."""

from __future__ import annotations

from hpspace.pyll import base, stochastic
from hpspace.pyll.base import (
    Apply,
    Literal,
    as_apply,
    clone,
    clone_merge,
    dfs,
    rec_eval,
    scope,
    toposort,
)

__all__ = [
    "Apply",
    "Literal",
    "as_apply",
    "base",
    "clone",
    "clone_merge",
    "dfs",
    "rec_eval",
    "scope",
    "stochastic",
    "toposort",
]
