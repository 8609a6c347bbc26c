"""Door: Hyperband lives in `hpspace.suggest.fidelity.hyperband`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.run import bridge
from hpspace.suggest.base import Algorithm
from hpspace.suggest.fidelity.hyperband import Hyperband

__all__ = ["suggest"]


def suggest(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    *,
    algo: str | Algorithm = Hyperband.algo,
    min_results: int | None = Hyperband.min_results,
) -> list[dict[str, Any]]:
    """Race configurations in brackets, daring to cautious; see `hpspace.suggest.fidelity.hyperband.Hyperband`."""
    return bridge.suggest(Hyperband(algo=algo, min_results=min_results), new_ids, domain, trials, seed)
