"""Door with Hyperopt's name: random search lives in `hpspace.suggest.random`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.run import bridge
from hpspace.suggest.random import Random

__all__ = ["suggest", "suggest_batch"]


def suggest(new_ids: Sequence[Any], domain: Any, trials: Any, seed: int) -> list[dict[str, Any]]:
    """Draw every parameter from its declared distribution; see `hpspace.suggest.random.Random`."""
    return bridge.suggest(Random(), new_ids, domain, trials, seed)


def suggest_batch(
    new_ids: Sequence[Any], domain: Any, trials: Any, seed: int
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Answer as `suggest`, but as columns: (label to ids, label to values)."""
    return bridge.suggest_batch(Random(), new_ids, domain, trials, seed)
