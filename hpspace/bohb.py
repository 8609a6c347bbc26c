"""Door: Hyperband with a model lives in `hpspace.suggest.fidelity.bohb`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.run import bridge
from hpspace.suggest.base import Algorithm
from hpspace.suggest.fidelity.bohb import BOHB

__all__ = ["suggest"]


def suggest(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    *,
    algo: str | Algorithm = BOHB.algo,
    min_results: int | None = BOHB.min_results,
    random_fraction: float = BOHB.random_fraction,
) -> list[dict[str, Any]]:
    """Race configurations that a model proposes; see `hpspace.suggest.fidelity.bohb.BOHB`."""
    algorithm = BOHB(algo=algo, min_results=min_results, random_fraction=random_fraction)
    return bridge.suggest(algorithm, new_ids, domain, trials, seed)
