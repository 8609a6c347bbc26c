"""Hyperopt's ``hyperopt.criteria``: acquisition criteria. They live in `hpspace.suggest.criteria`."""

from __future__ import annotations

from hpspace.suggest.criteria import UCB, EI_empirical, EI_gaussian, EI_gaussian_empirical, logEI_gaussian

__all__ = ["EI_empirical", "EI_gaussian_empirical", "EI_gaussian", "logEI_gaussian", "UCB"]
