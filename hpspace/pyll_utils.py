"""Door with Hyperopt's name: builders live in `hpspace.hp`, conditions in `hpspace.space.cond`."""

from __future__ import annotations

from hpspace.graph.primitives import scope
from hpspace.hp import choice as hp_choice
from hpspace.hp import lognormal as hp_lognormal
from hpspace.hp import loguniform as hp_loguniform
from hpspace.hp import normal as hp_normal
from hpspace.hp import pchoice as hp_pchoice
from hpspace.hp import qlognormal as hp_qlognormal
from hpspace.hp import qloguniform as hp_qloguniform
from hpspace.hp import qnormal as hp_qnormal
from hpspace.hp import quniform as hp_quniform
from hpspace.hp import randint as hp_randint
from hpspace.hp import uniform as hp_uniform
from hpspace.hp import uniformint as hp_uniformint
from hpspace.space.checked_builders import validate_distribution_range, validate_label
from hpspace.space.cond import EQ, Cond, expr_to_config

#: The implementation behind labelled parameters; ``scope.hyperopt_param(label, obj)`` makes the node.
hyperopt_param = scope._impls["hyperopt_param"]

__all__ = [
    "Cond",
    "EQ",
    "expr_to_config",
    "hp_choice",
    "hp_lognormal",
    "hp_loguniform",
    "hp_normal",
    "hp_pchoice",
    "hp_qlognormal",
    "hp_qloguniform",
    "hp_qnormal",
    "hp_quniform",
    "hp_randint",
    "hp_uniform",
    "hp_uniformint",
    "hyperopt_param",
    "scope",
    "validate_distribution_range",
    "validate_label",
]
