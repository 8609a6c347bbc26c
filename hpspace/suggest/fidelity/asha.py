"""ASHA: successive halving that never waits.

Whenever an evaluator is free the best configuration that has earned it is given more, from the highest rung down: it
must be among the best 1/eta of all results of its rung so far. Only if no rung has such a one a new configuration
begins at the bottom (Li et al. 2020, "A system for massively parallel hyperparameter tuning", Algorithm 2). So pending
trials never hold anything up, at the price of a few promotions that a full rung would not have made.

Rungs are told apart by resource alone: trials of another run of the same space count where they have the resource of a
rung. Failed and pruned trials count as results that are worse than any loss, and never go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hpspace.history import PENDING, History
from hpspace.space.fidelity import Fidelity
from hpspace.suggest.base import register
from hpspace.suggest.fidelity import view
from hpspace.suggest.fidelity.rungs import levels
from hpspace.suggest.fidelity.scheduler import (
    Job,
    NewConfiguration,
    Scheduler,
    first_without,
    promotion,
    ranked,
)


@register("asha")
@dataclass(frozen=True)
class ASHA(Scheduler):
    """Asynchronous successive halving by promotion.

    Parameters
    ----------
    algo, min_results
        The searcher; see `Scheduler`. "rand" is the algorithm of the paper.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> space = compile_space({"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 9)})
    >>> batch = ASHA().propose(space, History(space), 2, np.random.default_rng(0))
    >>> [stage.resource for stage in batch.stages]
    [1, 1]
    """

    name: ClassVar[str] = "asha"

    def next_job(self, history: History, fidelity: Fidelity, new: NewConfiguration) -> Job | None:
        """Decide one job; see `Scheduler.next_job`."""
        resources = levels(fidelity.low, fidelity.high, fidelity.eta)
        rungs = rung_of(history, resources)
        for rung in range(len(resources) - 2, -1, -1):
            row = promotable(history, rungs, rung, fidelity.eta)
            if row is not None:
                return promotion(history, row, resources[rung + 1], rung + 1, 0)
        job = new(resources[0])
        if job is not None or history.pending.any():
            return job
        return _best_left(history, rungs, resources)


def rung_of(history: History, resources: tuple[int | float, ...]) -> NDArray[np.intp]:
    """Return the rung of each row, shape (n,); -1 for rows of other resources and for those without one."""
    rungs = np.full(len(history), -1, dtype=np.intp)
    for rung, resource in enumerate(resources):
        rungs[view.same(history.resources, resource)] = rung
    return rungs


def promotable(history: History, rungs: NDArray[np.intp], rung: int, eta: int) -> int | None:
    """Return the row of a rung whose configuration has earned more and was not given it, the best of such.

    Parameters
    ----------
    history : History
        Every trial.
    rungs : int array, shape (n,)
        Rung of each row.
    rung : int
        Which one to look at.
    eta : int
        One in so many finished trials earns more.

    Returns
    -------
    int or None
        A row of the history.
    """
    finished = np.flatnonzero((rungs == rung) & (history.kind != PENDING))
    top = ranked(history, finished)[: len(finished) // eta]
    return first_without(top, history.configs, history.configs[rungs > rung])


def _best_left(history: History, rungs: NDArray[np.intp], resources: tuple[int | float, ...]) -> Job | None:
    """Return the best job in a finite space that is used up: nothing else is left to spend a budget on."""
    for rung in range(len(resources) - 2, -1, -1):
        rows = ranked(history, np.flatnonzero(rungs == rung))
        row = first_without(rows, history.configs, history.configs[rungs > rung])
        if row is not None:
            return promotion(history, row, resources[rung + 1], rung + 1, 0)
    return None
