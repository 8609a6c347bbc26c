"""Door: asynchronous successive halving lives in `hpspace.suggest.fidelity.asha`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.run import bridge
from hpspace.suggest.base import Algorithm
from hpspace.suggest.fidelity.asha import ASHA

__all__ = ["suggest"]


def suggest(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    *,
    algo: str | Algorithm = ASHA.algo,
    min_results: int | None = ASHA.min_results,
) -> list[dict[str, Any]]:
    """Give more of the declared resource to whoever has earned it; see `hpspace.suggest.fidelity.asha.ASHA`."""
    return bridge.suggest(ASHA(algo=algo, min_results=min_results), new_ids, domain, trials, seed)
