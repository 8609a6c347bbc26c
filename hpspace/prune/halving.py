"""Successive halving without waiting (ASHA): at every rung only the best part of the trials goes on.

Rungs are amounts of a resource (epochs, trees, samples), each `eta` times the one before. A trial that reaches a rung
goes on if it is among the best ``1/eta`` of all that have come there so far, itself included, and no trial waits for
another. This is the stopping form of the asynchronous successive halving of Li et al. (2020, "A system for massively
parallel hyperparameter tuning", algorithm 2): trials are stopped instead of being paused and promoted, so objectives
need not be able to resume. `hpspace.asha` is the form with promotion.

Where finished trials have ended nothing is decided: stopping there would save nothing and lose the result.

How steps count: a curve whose steps begin at 0 has spent the resource ``step + 1`` at a step (epoch 0 is one epoch),
one whose steps begin later has spent ``step``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpspace.prune.base import Verdict, at_the_end, check_count, register
from hpspace.prune.curves import Curve, Curves

#: One of so many trials goes on at a rung, if nothing is said.
ETA = 4


@register("asha")
@dataclass(frozen=True)
class Halving:
    """Stop a trial that is not among the best ``1/eta`` when it reaches a rung.

    Parameters
    ----------
    min_resource : int or None
        The resource of the first rung; the next ones are `eta` times as much. None takes what the search declares, or
        1.
    eta : int or None
        Of so many trials one goes on. None takes what the search declares, or 4.
    max_resource : int or None
        The whole resource; nothing is decided there. None takes what the search declares; if it declares nothing
        there are rungs as far as trials go.
    min_trials : int
        Nothing is stopped at a rung before so many trials have come there. 1 is the published rule, by which the
        second trial at a rung must beat the first.
    same_branch : bool
        Compare a trial only with those of its own branch of the space: those that have the same parameters. See
        `Percentile`.

    Examples
    --------
    >>> from hpspace.prune.curves import curves_of
    >>> others = curves_of([[0.5, 0.4], [0.6], [0.9]])
    >>> print(Halving(eta=2).decide(Curve.of([0.7]), others).reason)
    step 0: 0.7 at rung 1 is not among the best 2 of 4 trials: the limit is 0.6
    """

    min_resource: int | None = None
    eta: int | None = None
    max_resource: int | None = None
    min_trials: int = 1
    same_branch: bool = True

    def __post_init__(self) -> None:
        check_resources("Halving", self.min_resource, self.max_resource, self.eta)
        check_count("Halving", "min_trials", self.min_trials, 1)

    def planned(self, resource: tuple[float, float, int] | None) -> Halving:
        """Return the same for a declared resource; see `pruner_from`."""
        least, most, eta = fitting(self.min_resource, self.max_resource, self.eta, resource)
        return replace(self, min_resource=least, max_resource=most, eta=eta or ETA)

    def decide(self, curve: Curve, others: Curves) -> Verdict:
        """Answer whether the trial should stop; see `hpspace.prune.base.Pruner`."""
        rivals = others.of_branch(curve.branch) if self.same_branch else others
        first, eta = self.min_resource or 1, self.eta or ETA
        return decide_at_rungs(curve, rivals, first, self.max_resource, eta, self.min_trials)


def decide_at_rungs(
    curve: Curve, rivals: Curves, first: int, whole: int | None, eta: int, min_trials: int = 1
) -> Verdict:
    """Decide at every rung that the curve has reached since the last question.

    Parameters
    ----------
    curve : Curve
        The trial.
    rivals : Curves
        Those it is compared with.
    first : int
        Resource of the first rung.
    whole : int or None
        Rungs lie below it.
    eta : int
        The factor from rung to rung.
    min_trials : int
        Trials without which a rung stops nobody.

    Returns
    -------
    Verdict
        Of the first rung that stops it, else of the last rung.
    """
    shift = 1 if len(curve) and curve.steps[0] == 0 else 0
    verdict, rung = None, first
    while (whole is None or rung < whole) and rung - shift <= curve.step:
        if rung - shift > curve.asked:
            verdict = _decide_at(curve, rivals, rung, rung - shift, eta, min_trials)
            if verdict.stop:
                return verdict
        rung *= eta
    if verdict is None:
        following = f"rung {rung}" if whole is None or rung < whole else "no further rung"
        verdict = Verdict(False, f"step {curve.step}: between rungs, {following} is next")
    return verdict


def _decide_at(curve: Curve, rivals: Curves, rung: int, step: int, eta: int, min_trials: int) -> Verdict:
    value = curve.first_from(step)
    head = f"step {curve.step}: {curve.shown(value)} at rung {rung}"
    if value != value:
        return Verdict(True, f"{head}: NaN never goes on")
    finished = rivals.finished()
    if len(finished) and curve.step >= finished.furthest():
        return Verdict(False, at_the_end(curve))
    there = rivals.values_from(step)
    there = np.append(there[there == there], value)  # a rival's NaN counts as infinity
    n = len(there)
    if n < min_trials:
        return Verdict(False, f"{head}: the first {n} of {min_trials} trials go on")
    kept = max(1, n // eta)
    limit = float(np.partition(there, kept - 1)[kept - 1])
    if value > limit:
        return Verdict(
            True, f"{head} is not among the best {kept} of {n} trials: the limit is {curve.shown(limit)}"
        )
    return Verdict(False, f"{head} is among the best {kept} of {n} trials")


def check_resources(owner: str, least: int | None, most: int | None, eta: int | None) -> None:
    """Raise ValueError unless resources are whole, positive and in order, as far as they are given, and eta fits."""
    if least is not None:
        check_count(owner, "min_resource", least, 1)
    if eta is not None:
        check_count(owner, "eta", eta, 2)
    if most is not None:
        check_count(owner, "max_resource", most, 1)
        if most < (least or 1):
            raise ValueError(f"{owner}: max_resource={most!r} must be at least min_resource={least or 1}")


def fitting(
    least: int | None, most: int | None, eta: int | None, resource: tuple[float, float, int] | None
) -> tuple[int, int | None, int | None]:
    """Return a pruner's resources and factor, what it was not told being taken from what the search declares."""
    declared: tuple[int, int | None, int | None] = (1, None, None)
    if resource is not None and resource[0] == int(resource[0]) and resource[1] == int(resource[1]):
        declared = int(resource[0]), int(resource[1]), resource[2]
    return (
        declared[0] if least is None else least,
        declared[1] if most is None else most,
        declared[2] if eta is None else eta,
    )
