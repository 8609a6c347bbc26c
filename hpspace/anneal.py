"""Door with Hyperopt's name: annealing lives in `hpspace.suggest.anneal`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.run import bridge
from hpspace.suggest.anneal import Anneal

__all__ = ["suggest", "suggest_batch"]


def suggest(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    avg_best_idx: float = Anneal.avg_best_idx,
    shrink_coef: float = Anneal.shrink_coef,
) -> list[dict[str, Any]]:
    """Draw around good trials with shrinking steps; see `hpspace.suggest.anneal.Anneal`."""
    return bridge.suggest(Anneal(avg_best_idx, shrink_coef), new_ids, domain, trials, seed)


def suggest_batch(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    avg_best_idx: float = Anneal.avg_best_idx,
    shrink_coef: float = Anneal.shrink_coef,
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Answer as `suggest`, but as columns: (label to ids, label to values)."""
    return bridge.suggest_batch(Anneal(avg_best_idx, shrink_coef), new_ids, domain, trials, seed)
