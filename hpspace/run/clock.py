"""The clock of trial documents, under the name that runs know it by; it lives with the documents."""

from __future__ import annotations

from hpspace.trials.clock import coarse_utcnow

__all__ = ["coarse_utcnow"]
