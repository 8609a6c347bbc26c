"""Door with Hyperopt's name: mixing suggest functions lives in `hpspace.run.bridge`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.run import bridge

__all__ = ["suggest"]


def suggest(
    new_ids: Sequence[Any], domain: Any, trials: Any, seed: int, p_suggest: Sequence[tuple[float, Any]]
) -> list[dict[str, Any]]:
    """Let one of several algorithms, drawn by its probability, answer the call; see `hpspace.run.bridge`."""
    return bridge.suggest_one_of(p_suggest, new_ids, domain, trials, seed)
