"""hpspace: declare the search space once, tune anywhere.

A search space is Python containers with ``hp.*`` leaves; `fmin` minimises a function over it. The names are those of
Hyperopt, so that ``import hpspace as hyperopt`` runs programs written for it.

>>> from hpspace import fmin, hp
>>> space = {"lr": hp.float("lr", 1e-4, 1e-1, log=True), "net": hp.choice("net", ["cnn", "mlp"])}
>>> best = fmin(lambda config: abs(config["lr"] - 0.01), space, max_evals=20, rstate=0, verbose=False)
>>> sorted(best), sorted(best.config)
(['lr', 'net'], ['lr', 'net'])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpspace import (
    anneal,
    asha,
    atpe,
    base,
    bohb,
    early_stop,
    exceptions,
    hp,
    hyperband,
    mix,
    progress,
    prune,
    pyll,
    pyll_utils,
    rand,
    stop,
    tpe,
    utils,
)
from hpspace.base import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    JOB_STATES,
    STATUS_FAIL,
    STATUS_NEW,
    STATUS_OK,
    STATUS_PRUNED,
    STATUS_RUNNING,
    STATUS_STRINGS,
    STATUS_SUSPENDED,
    Ctrl,
    Domain,
    Trials,
    trials_from_docs,
)
from hpspace.exceptions import TrialPruned
from hpspace.run.asktell import Search
from hpspace.run.callbacks import Callback
from hpspace.run.late import late
from hpspace.run.reporting import current_ctrl, report, report_or_prune, should_prune
from hpspace.space.compile import compile_space
from hpspace.space.compiled import CompiledSpace

# Last, so that `hpspace.fmin` is the function and not the module of the same name.
from hpspace.fmin import (  # isort: skip
    Best,
    FMinIter,
    fmin,
    fmin_pass_expr_memo_ctrl,
    partial,
    space_eval,
)

if TYPE_CHECKING:
    from hpspace.mongoexp import MongoTrials
    from hpspace.spark import SparkTrials
    from hpspace.trials.shared.url import SqliteTrials

__version__ = "0.1.0"

#: Names whose modules are imported when they are first asked for: most programs do without.
_LATE = {
    "MongoTrials": "hpspace.mongoexp",
    "SparkTrials": "hpspace.spark",
    "SqliteTrials": "hpspace.trials.shared.url",
}


def __getattr__(name: str) -> Any:
    """Import what is imported late."""
    return late(name, _LATE)


__all__ = [
    # searching
    "fmin",
    "space_eval",
    "FMinIter",
    "Best",
    "Search",
    "Callback",
    "stop",
    "fmin_pass_expr_memo_ctrl",
    "partial",
    # spaces
    "hp",
    "compile_space",
    "CompiledSpace",
    # trials
    "Trials",
    "SqliteTrials",
    "MongoTrials",
    "SparkTrials",
    "trials_from_docs",
    "Ctrl",
    "Domain",
    # while a trial runs
    "report",
    "should_prune",
    "report_or_prune",
    "current_ctrl",
    "TrialPruned",
    # algorithms
    "rand",
    "tpe",
    "atpe",
    "anneal",
    "mix",
    "asha",
    "hyperband",
    "bohb",
    # modules
    "base",
    "early_stop",
    "exceptions",
    "progress",
    "prune",
    "pyll",
    "pyll_utils",
    "utils",
    # constants
    "STATUS_NEW",
    "STATUS_RUNNING",
    "STATUS_SUSPENDED",
    "STATUS_OK",
    "STATUS_FAIL",
    "STATUS_PRUNED",
    "STATUS_STRINGS",
    "JOB_STATE_NEW",
    "JOB_STATE_RUNNING",
    "JOB_STATE_DONE",
    "JOB_STATE_ERROR",
    "JOB_STATES",
    "__version__",
]
