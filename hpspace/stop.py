"""Door: rules that end a run, for `callbacks=` or `early_stop_fn=` of `fmin`; they live in `hpspace.run.rules`.

>>> from hpspace import stop
>>> stop.target(0.01) | stop.max_trials(200) & stop.no_improvement(50)
(target(0.01) | (max_trials(200, states=('ok',)) & no_improvement(50, min_delta=0.0, percent=0.0)))
"""

from __future__ import annotations

from hpspace.run.regret import RegretBound, regret_bound
from hpspace.run.rules import Rule, max_trials, no_improvement, target
from hpspace.run.spent import total_resource
from hpspace.run.stopping import no_progress_loss

__all__ = [
    "RegretBound",
    "Rule",
    "max_trials",
    "no_improvement",
    "no_progress_loss",
    "regret_bound",
    "target",
    "total_resource",
]
