"""Pruners: rules that stop running trials that do not look promising. ``fmin(..., pruner=prune.Median())``.

>>> from hpspace import prune
>>> sorted(prune.PRUNERS)
['asha', 'hyperband', 'median', 'patient', 'percentile', 'threshold', 'wilcoxon']
"""

from __future__ import annotations

from hpspace.prune.base import PRUNERS, Custom, Pruner, Verdict, pruner_from, register
from hpspace.prune.curves import Curve, Curves, curves_of
from hpspace.prune.halving import Halving
from hpspace.prune.hyperband import Hyperband
from hpspace.prune.median import Median
from hpspace.prune.patient import Patient
from hpspace.prune.percentile import Percentile
from hpspace.prune.threshold import Threshold
from hpspace.prune.wilcoxon import Wilcoxon

__all__ = [
    "PRUNERS",
    "Curve",
    "Curves",
    "Custom",
    "Halving",
    "Hyperband",
    "Median",
    "Patient",
    "Percentile",
    "Pruner",
    "Threshold",
    "Verdict",
    "Wilcoxon",
    "curves_of",
    "pruner_from",
    "register",
]
