"""Door with Hyperopt's name: adaptive TPE lives in `hpspace.suggest.atpe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.run import bridge
from hpspace.suggest.atpe.algorithm import ATPE

__all__ = ["suggest"]


def suggest(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    *,
    n_startup_jobs: int = ATPE.n_startup_jobs,
    least: float = ATPE.least,
    most: float = ATPE.most,
) -> list[dict[str, Any]]:
    """Let tpe and a Gaussian process take turns; see `hpspace.suggest.atpe.algorithm.ATPE`."""
    algorithm = ATPE(n_startup_jobs=n_startup_jobs, least=least, most=most)
    return bridge.suggest(algorithm, new_ids, domain, trials, seed)
