"""Stub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpspace.trials.trials import Trials


def write(path: str | Path, trials: Trials) -> None:
    """Stub."""
    raise NotImplementedError


def load(path: str | Path) -> Trials:
    """Stub."""
    raise NotImplementedError
