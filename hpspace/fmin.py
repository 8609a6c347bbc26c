"""Door with Hyperopt's name: `fmin` lives in `hpspace.run.minimize`, the loop in `hpspace.run.loop`.

``hpspace.fmin`` is the function, not this module; reach the module's other names by ``from hpspace.fmin import``.
"""

from __future__ import annotations

from hpspace.run.best import Best
from hpspace.run.domain import space_eval
from hpspace.run.loop import FMinIter
from hpspace.run.minimize import fmin
from hpspace.run.objective import fmin_pass_expr_memo_ctrl, partial
from hpspace.run.points import generate_trial, generate_trials_to_calculate

__all__ = [
    "Best",
    "FMinIter",
    "fmin",
    "fmin_pass_expr_memo_ctrl",
    "generate_trial",
    "generate_trials_to_calculate",
    "partial",
    "space_eval",
]
