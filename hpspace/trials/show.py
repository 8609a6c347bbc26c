"""Trials as text and as HTML, for the prompt and the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpspace.trials.reading import ReadTrials


def text(trials: ReadTrials) -> str:
    """Stub."""
    return f"Trials: {len(trials.documents())}"


def html_table(trials: ReadTrials) -> str:
    """Stub."""
    return text(trials)
