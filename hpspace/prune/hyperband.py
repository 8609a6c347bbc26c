"""Hyperband: successive halving with several first rungs at once, because nobody knows the right one.

If early values tell little about final ones, an early first rung throws good trials away; if they tell much, a late
one wastes time. Hyperband (Li et al. 2018, "Hyperband: a novel bandit-based approach", JMLR 18) runs one bracket for
each first rung, with trials in such numbers that each bracket costs about the same. Here the brackets are planned
before the first trial from the whole resource R, and trials are dealt to them in the planned proportions, by their
number alone; inside a bracket the rule is that of `hpspace.prune.halving`, among the trials of this bracket.

For R = 81 and eta = 3 the plan is, as in table 1 of that paper:

=======  ===========  ======
bracket  first rung   trials
=======  ===========  ======
4        1            81
3        3            34
2        9            15
1        27           8
0        81           5
=======  ===========  ======
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hpspace.prune.base import Verdict, register
from hpspace.prune.curves import Curve, Curves
from hpspace.prune.halving import check_resources, decide_at_rungs, fitting

#: The factor between rungs, if nothing is said; the paper's.
ETA = 3


@dataclass(frozen=True)
class Bracket:
    """One bracket of the plan."""

    #: Number of its halvings; the bracket of 0 halvings stops nobody.
    s: int
    #: Trials in one round of the plan.
    trials: int
    #: Resource of the first rung.
    resource: int


@register("hyperband")
@dataclass(frozen=True)
class Hyperband:
    """Stop trials by successive halving in several brackets, planned from the whole resource.

    Parameters
    ----------
    max_resource : int or None
        The resource of a trial that is never stopped, such as its number of epochs. None takes what the search
        declares, by ``hp.fidelity`` for instance.
    min_resource : int or None
        The least resource that tells something; None takes what the search declares, or 1.
    eta : int or None
        Of so many trials one goes on at a rung. None takes what the search declares, or 3.
    same_branch : bool
        Compare a trial only with those of its own branch of the space: those that have the same parameters. See
        `Percentile`.

    Examples
    --------
    >>> [(bracket.trials, bracket.resource) for bracket in Hyperband(max_resource=81).brackets]
    [(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    """

    max_resource: int | None = None
    min_resource: int | None = None
    eta: int | None = None
    same_branch: bool = True

    def __post_init__(self) -> None:
        check_resources("Hyperband", self.min_resource, self.max_resource, self.eta)

    def planned(self, resource: tuple[float, float, int] | None) -> Hyperband:
        """Return the same for a declared resource; see `pruner_from`.

        Raises
        ------
        ValueError
            If neither the pruner nor the search says how much the whole resource is.
        """
        least, most, eta = fitting(self.min_resource, self.max_resource, self.eta, resource)
        if most is None:
            raise ValueError(
                "Hyperband plans its brackets from the whole resource of a trial, which is not known: pass "
                "pruner=prune.Hyperband(max_resource=81), or declare it in the space with hp.fidelity"
            )
        return replace(self, min_resource=least, max_resource=most, eta=eta or ETA)

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """The plan, the bracket with the most halvings first."""
        if self.max_resource is None:
            raise ValueError("Hyperband: max_resource is not known yet")
        return plan(self.min_resource or 1, self.max_resource, self.eta or ETA)

    def bracket_of(self, number: int) -> Bracket:
        """Return the bracket of a trial.

        Parameters
        ----------
        number : int
            Its place among the trials, from 0.
        """
        dealt = self._dealt
        return self.brackets[int(dealt[number % len(dealt)])]

    @property
    def _dealt(self) -> NDArray[np.intp]:
        return deal(tuple(bracket.trials for bracket in self.brackets))

    def decide(self, curve: Curve, others: Curves) -> Verdict:
        """Answer whether the trial should stop; see `hpspace.prune.base.Pruner`."""
        bracket, dealt = self.bracket_of(curve.number), self._dealt
        here = dealt[curve.number % len(dealt)]
        same = np.zeros(others.total, dtype=bool)
        same[others.rows] = dealt[others.numbers % len(dealt)] == here
        rivals, eta = others.among(same), self.eta or ETA
        if self.same_branch:
            rivals = rivals.of_branch(curve.branch)
        verdict = decide_at_rungs(curve, rivals, bracket.resource, self.max_resource, eta)
        return Verdict(verdict.stop, f"{verdict.reason} (bracket {bracket.s})")


@lru_cache(maxsize=64)
def plan(least: int, most: int, eta: int) -> tuple[Bracket, ...]:
    """Return Hyperband's brackets: rule and numbers of Li et al. 2018, algorithm 1.

    Parameters
    ----------
    least, most : int
        Least and whole resource.
    eta : int
        The factor between rungs.

    Examples
    --------
    >>> [(bracket.s, bracket.trials, bracket.resource) for bracket in plan(1, 16, 2)]
    [(4, 16, 1), (3, 10, 2), (2, 7, 4), (1, 5, 8), (0, 5, 16)]
    """
    s_max = 0
    while least * eta ** (s_max + 1) <= most:  # the logarithm in whole numbers
        s_max += 1
    return tuple(
        Bracket(s, -(-(s_max + 1) * eta**s // (s + 1)), max(least, most // eta**s))
        for s in range(s_max, -1, -1)
    )


@lru_cache(maxsize=64)
def deal(shares: tuple[int, ...]) -> NDArray[np.intp]:
    """Return which share each of ``sum(shares)`` trials belongs to, mixed as evenly as can be.

    Every trial goes to the share that lags most behind its proportion, the first of equals; so every beginning of the
    sequence has about the right proportions, and the whole has them exactly.

    Examples
    --------
    >>> deal((3, 1, 1)).tolist()
    [0, 1, 0, 2, 0]
    """
    total, wanted = sum(shares), np.array(shares, dtype=np.int64)
    credit, dealt = np.zeros(len(shares), dtype=np.int64), np.empty(total, dtype=np.intp)
    for i in range(total):
        credit += wanted
        dealt[i] = int(np.argmax(credit))
        credit[dealt[i]] -= total
    dealt.flags.writeable = False
    return dealt
