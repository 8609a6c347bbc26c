"""What the algorithms that plan resources have in common: one job at a time, from nothing but the history.

A scheduler here has no state. Each job, a new configuration or more resource for a known one, is a function of the rows
of the history in their order, so a run that was killed goes on as if nothing had happened, in whatever store its trials
are, and any number of evaluators may be busy. What a new configuration looks like is decided by another algorithm, the
searcher, which is shown the configurations at one resource (`view`).

Of several jobs asked for at once each is decided as if those before it were running already.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.exceptions import Fault, InvalidFidelity
from hpspace.history import PENDING, History
from hpspace.space.batch import Batch, Stage
from hpspace.space.compiled import CompiledSpace
from hpspace.space.fidelity import Fidelity
from hpspace.suggest import base
from hpspace.suggest import random as _random  # noqa: F401  (registers "rand")
from hpspace.suggest.base import Algorithm
from hpspace.suggest.fidelity import view

#: A point, shape (D,), and what it is given.
Job = tuple[NDArray[np.float64], Stage]


@dataclass(frozen=True)
class Scheduler(ABC):
    """An algorithm that decides how much of the declared resource each trial is given.

    Parameters
    ----------
    algo : str or Algorithm
        The searcher, which proposes new configurations: a registered name or an object.
    min_results : int or None
        How many results it takes at a resource for the searcher to be shown that one; the greatest such counts. None:
        more than one result for each parameter and one more, as in Falkner et al. (2018), and at least 10.

    Raises
    ------
    ValueError
        For an unknown name, a searcher that plans resources itself, or a number below 1.
    """

    algo: str | Algorithm = "rand"
    min_results: int | None = None
    _searcher: Algorithm = field(init=False, repr=False, compare=False)

    #: Such an algorithm can only be used in a space with a declared resource.
    needs_fidelity: ClassVar[bool] = True
    #: What it is called in messages.
    name: ClassVar[str]

    def __post_init__(self) -> None:
        searcher = base.get(self.algo) if isinstance(self.algo, str) else self.algo
        if getattr(searcher, "needs_fidelity", False):
            raise ValueError(
                f"{self.name}: algo={self.algo!r} plans resources itself; use 'rand', 'tpe' or 'atpe'"
            )
        if self.min_results is not None and self.min_results < 1:
            raise ValueError(f"{self.name}: min_results={self.min_results!r} must be at least 1, or None")
        object.__setattr__(self, "_searcher", searcher)

    @abstractmethod
    def next_job(self, history: History, fidelity: Fidelity, new: NewConfiguration) -> Job | None:
        """Decide one job.

        Parameters
        ----------
        history : History
            Every trial, pending ones too.
        fidelity : Fidelity
            The declared resource.
        new : NewConfiguration
            Makes a new configuration.

        Returns
        -------
        Job or None
            None when there is nothing to do: for now, if trials are pending, else for good.
        """

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose n trials with their resources; see `hpspace.suggest.base.Algorithm`."""
        fidelity = declared(space, self.name)
        jobs: list[Job] = []
        known = history
        while len(jobs) < n:
            begun = frozenset(space.keys(np.array([point for point, s in jobs if s.parent is None])))
            new = NewConfiguration(self._searcher, self.min_results, known, fidelity, rng, begun)
            job = self.next_job(known, fidelity, new)
            if job is None:
                break
            jobs.append(job)
            if len(jobs) < n:
                known = _with_pending(known, job)
        values = np.array([point for point, _ in jobs]).reshape(len(jobs), len(space))
        return Batch(space, values, tuple(stage for _, stage in jobs))


@dataclass(frozen=True)
class NewConfiguration:
    """Asks the searcher for a configuration that is to be given a resource.

    Parameters
    ----------
    searcher : Algorithm
        Who proposes it.
    min_results : int or None
        As in `Scheduler`.
    history : History
        Every trial.
    fidelity : Fidelity
        The declared resource.
    rng : numpy.random.Generator
        For the searcher.
    begun : frozenset of bytes
        Keys of the new configurations of the same answer, from which it is to differ where the space allows.
    """

    searcher: Algorithm
    min_results: int | None
    history: History
    fidelity: Fidelity
    rng: Generator
    begun: frozenset[bytes] = frozenset()

    def __call__(
        self, resource: float, bracket: int = 0, busy: NDArray[np.bool_] | None = None
    ) -> Job | None:
        """Return a new configuration with a first resource, None if a finite space has no more.

        Parameters
        ----------
        resource : float
            What it is given.
        bracket : int
            Where it takes part.
        busy : bool array, shape (n,), optional
            Rows whose points are not to come, as in `view.at`.
        """
        space = self.history.space
        least = max(10, len(space) + 2) if self.min_results is None else self.min_results
        level = view.richest(self.history, self.fidelity.high, least)
        shown = view.at(self.history, self.fidelity, level, resource, busy)
        points = self.searcher.propose(space, shown, 1, self.rng).values
        if len(points) and not self.begun.isdisjoint(space.keys(points)):
            # One more than there are: the rows of one answer differ from each other.
            points = self.searcher.propose(space, shown, len(self.begun) + 1, self.rng).values
            points = points[np.argsort([key in self.begun for key in space.keys(points)], kind="stable")]
        return (points[0], Stage(resource, bracket=bracket)) if len(points) else None


def declared(space: CompiledSpace, name: str) -> Fidelity:
    """Return the resource of a space.

    Raises
    ------
    InvalidFidelity
        If it declares none; says how to.
    """
    if space.fidelity is not None:
        return space.fidelity
    problem = f"algo={name!r} decides how much of a resource each trial is given, and the space declares none"
    fix = 'put one into it, such as {"epochs": hp.fidelity("epochs", 1, 81)}, or use "tpe"'
    raise InvalidFidelity(Fault(InvalidFidelity, problem, fix=fix))


def promotion(history: History, row: int, resource: float, rung: int, bracket: int) -> Job:
    """Return the job of giving the configuration of a row more."""
    return history.values[row], Stage(resource, rung, bracket, int(row))


def ranked(history: History, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows that may go on, best first: those with a loss, equal ones in order of insertion."""
    good = rows[history.ok[rows]]
    return good[np.argsort(history.losses[good], kind="stable")]


def first_without(rows: Iterable[int], configs: NDArray[np.intp], taken: NDArray[np.intp]) -> int | None:
    """Return the first row whose configuration is none of `taken`, None if there is none."""
    others = set(taken.tolist())
    return next((int(row) for row in rows if int(configs[row]) not in others), None)


def _with_pending(history: History, job: Job) -> History:
    """Return the history as it is when a job is running."""
    point, stage = job
    row = len(history)
    config = row if stage.parent is None else int(history.configs[stage.parent])
    known = history.select(np.arange(row), known=history.keys.elements())
    known.append(
        point[None, :],
        [np.nan],
        [PENDING],
        resources=[stage.resource],
        stages=[(stage.rung, stage.bracket, config)],
    )
    return known
