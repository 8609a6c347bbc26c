"""Door with Hyperopt's name: `SparkTrials` lives in `hpspace.run.sparktrials`. Needs the extra "spark"."""

from __future__ import annotations

from hpspace.run.sparktrials import SparkTrials

__all__ = ["SparkTrials"]
