"""Door with Hyperopt's name: drawing a space lives in `hpspace.space.cond`; see also `CompiledSpace.to_dot`."""

from __future__ import annotations

from hpspace.space.cond import dot_hyperparameters

__all__ = ["dot_hyperparameters"]
