"""Hyperband: brackets of successive halving, from daring to cautious, over and over.

How much a little of the resource says about the whole is not known beforehand. So Hyperband does not choose: its
brackets range from many configurations that begin with little to a few that begin with everything (Li et al. 2017,
Algorithm 1; the table is in `rungs`). Inside a bracket halving is synchronous: a rung is judged when all of it has
results, which makes no promotion too many. An evaluator that would have to wait begins the next bracket instead.

Bracket number j of a run (`Stage.bracket`, counted from 0) is the paper's bracket ``s_max - j % (s_max + 1)``.
Failed and pruned trials count as results that are worse than any loss, and never go on.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hpspace.history import PENDING, History
from hpspace.space.fidelity import Fidelity
from hpspace.suggest.base import register
from hpspace.suggest.fidelity.rungs import Rung, brackets
from hpspace.suggest.fidelity.scheduler import (
    Job,
    NewConfiguration,
    Scheduler,
    first_without,
    promotion,
    ranked,
)


@register("hyperband")
@dataclass(frozen=True)
class Hyperband(Scheduler):
    """Hyperband with real brackets.

    Parameters
    ----------
    algo, min_results
        The searcher; see `Scheduler`. "rand" is the algorithm of the paper.

    Examples
    --------
    >>> from hpspace import compile_space, hp
    >>> space = compile_space({"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 9)})
    >>> batch = Hyperband().propose(space, History(space), 11, np.random.default_rng(0))
    >>> [(stage.bracket, stage.resource) for stage in batch.stages][8:]  # the first bracket has 9
    [(0, 1), (1, 3), (1, 3)]
    """

    name: ClassVar[str] = "hyperband"

    def next_job(self, history: History, fidelity: Fidelity, new: NewConfiguration) -> Job | None:
        """Decide one job; see `Scheduler.next_job`."""
        table = brackets(fidelity.low, fidelity.high, fidelity.eta)
        members = _members(history)
        busy = np.zeros(len(history), dtype=bool)
        # When none of a whole cycle of new brackets can begin, none ever will.
        for number in range(max(members, default=-1) + 1 + len(table)):
            rows = members.get(number, np.empty(0, dtype=np.intp))
            plan = table[number % len(table)]
            if int((history.rungs[rows] == 0).sum()) < plan[0].n:
                job = new(plan[0].resource, number, busy)
                if job is not None:
                    return job
            job = _promotion_in(history, plan, rows, number, fidelity.eta)
            if job is not None:
                return job
            busy[rows] = history.pending[rows].any()
        return None


def _members(history: History) -> dict[int, NDArray[np.intp]]:
    """Return the rows of each bracket, by its number."""
    rows = np.flatnonzero(history.brackets >= 0)
    rows = rows[np.argsort(history.brackets[rows], kind="stable")]
    found, starts = np.unique(history.brackets[rows], return_index=True)
    return {int(number): part for number, part in zip(found, np.split(rows, starts[1:]))}


def _promotion_in(
    history: History, plan: tuple[Rung, ...], rows: NDArray[np.intp], number: int, eta: int
) -> Job | None:
    """Return who is given more in a bracket in which all have begun, None if it must wait or is over."""
    rungs = [rows[history.rungs[rows] == i] for i in range(len(plan))]
    n = min(len(rungs[0]), plan[0].n)  # fewer than planned when a finite space had no more to begin with
    for i, (here, above) in enumerate(itertools.pairwise(rungs)):
        if (history.kind[here] == PENDING).any():
            return None
        best = ranked(history, here)[: n // eta ** (i + 1)]
        row = first_without(best, history.configs, history.configs[above])
        if row is not None:
            return promotion(history, row, plan[i + 1].resource, i + 1, number)
    return None
