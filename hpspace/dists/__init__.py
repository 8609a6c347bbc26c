"""Probability distributions of single parameters: frozen values that draw, measure and invert.

The front desk of the layer. Algorithms read `latent` and never the class; `get` and `build` find a
distribution by its registered name; `bind` turns the arguments of a call into arguments by name.
"""

from __future__ import annotations

from hpspace.dists.base import REQUIRED, Distribution, Finding, Parameter
from hpspace.dists.binding import bind
from hpspace.dists.bounded import BoundedFloat, BoundedInt
from hpspace.dists.continuous import LogNormal, LogUniform, Normal, Uniform
from hpspace.dists.discrete import Categorical, Ordinal, RandInt
from hpspace.dists.forms import Choice, Grid
from hpspace.dists.lines import Real
from hpspace.dists.quantized import QLogNormal, QLogUniform, QNormal, QUniform
from hpspace.dists.registry import build, get, names, register

__all__ = [
    # the concept
    "Distribution", "Parameter", "REQUIRED", "Finding", "Real", "Grid", "Choice",
    # the registry
    "register", "get", "names", "build", "bind",
    # Hyperopt's vocabulary
    "Uniform", "LogUniform", "Normal", "LogNormal", "QUniform", "QLogUniform", "QNormal", "QLogNormal",
    "RandInt", "Categorical",
    # hpspace's own
    "BoundedFloat", "BoundedInt", "Ordinal",
]  # fmt: skip
