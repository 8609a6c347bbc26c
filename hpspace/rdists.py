"""Hyperopt's ``hyperopt.rdists``: distributions with scipy's method names, from `dists.legacy`."""

from __future__ import annotations

from hpspace.dists.legacy import (
    lognorm_gen,
    loguniform_gen,
    qlognormal_gen,
    qloguniform_gen,
    qnormal_gen,
    quniform_gen,
)

__all__ = [
    "loguniform_gen",
    "lognorm_gen",
    "quniform_gen",
    "qloguniform_gen",
    "qnormal_gen",
    "qlognormal_gen",
]
