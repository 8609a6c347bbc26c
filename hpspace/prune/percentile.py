"""Stop what lies behind the better part of the finished trials at the same step.

The rule compares a trial's best value so far with a percentile of what finished trials reported at the very same
step. It is lenient on purpose: a single bad report is forgiven, for the best value counts; and only finished trials
are compared with, which were good enough to finish. It is the rule of Optuna's percentile pruner, but for the last
step: a trial that has come as far as any finished one is not stopped there, for that would save nothing and lose its
result. The median stopping rule of Golovin et al. (2017, "Google Vizier", section 3.1) averages the others' values so
far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hpspace.prune.base import Verdict, at_the_end, check_count, is_number, register, waits
from hpspace.prune.curves import Curve, Curves


@register("percentile")
@dataclass(frozen=True)
class Percentile:
    """Stop a trial unless its best value so far is among the best `keep` per cent of the finished ones at this step.

    Parameters
    ----------
    keep : float
        Per cent, in (0, 100): 25 stops what is outside of the best quarter.
    startup_trials : int
        Nothing is stopped before so many trials have finished.
    warmup_steps : int
        Nothing is stopped before this step.
    interval_steps : int
        A decision every so many steps.
    min_trials : int
        Finished trials that must have reported at the step in question.
    same_branch : bool
        Compare a trial only with those of its own branch of the space: those that have the same parameters. The
        number of start-up trials is then counted in that branch. On simulated trainings of a fast model and of a slow
        one that is better in the end, this kept the best of 100 trials in all runs, comparing with all in half of
        them. False suits spaces of which the branches are pieces of one model.

    Examples
    --------
    >>> from hpspace.prune.curves import curves_of
    >>> others = curves_of([[0.5, 0.4, 0.4], [0.6, 0.3, 0.3], [0.9, 0.8, 0.8]])
    >>> print(Percentile(50, startup_trials=3).decide(Curve.of([0.7, 0.6]), others).reason)
    step 1: best value 0.6 so far is worse than 0.4, the median of 3 finished trials
    """

    keep: float = 25.0
    startup_trials: int = 5
    warmup_steps: int = 0
    interval_steps: int = 1
    min_trials: int = 1
    same_branch: bool = True

    def __post_init__(self) -> None:
        who = type(self).__name__
        if not (is_number(self.keep) and 0 < self.keep < 100):
            raise ValueError(
                f"{who}: keep={self.keep!r} must be a percentage between 0 and 100, both excluded"
            )
        check_count(who, "startup_trials", self.startup_trials, 0)
        check_count(who, "warmup_steps", self.warmup_steps, 0)
        check_count(who, "interval_steps", self.interval_steps, 1)
        check_count(who, "min_trials", self.min_trials, 1)

    def decide(self, curve: Curve, others: Curves) -> Verdict:
        """Answer whether the trial should stop; see `hpspace.prune.base.Pruner`."""
        wait = waits(curve, self.warmup_steps, self.interval_steps)
        if wait:
            return Verdict(False, wait)
        finished = others.finished()
        rivals = finished.of_branch(curve.branch) if self.same_branch else finished
        n, needed = len(rivals), max(1, self.startup_trials)
        where = " in this branch" if n < len(finished) else ""
        if n < needed:
            return Verdict(False, f"step {curve.step}: {n} of {needed} start-up trials finished{where}")
        if curve.step == rivals.furthest():
            return Verdict(False, at_the_end(curve))
        return self._compared(curve, rivals.values_at(curve.step), where)

    def _compared(self, curve: Curve, values: np.ndarray, where: str) -> Verdict:
        if len(values) < self.min_trials:
            return Verdict(
                False, f"step {curve.step}: {len(values)} of {self.min_trials} finished trials reported here"
            )
        bar, best = percentile(values, self.keep), curve.best
        name = "the median" if self.keep == 50 else f"the limit of the best {self.keep:g} %"
        of = f"{curve.shown(bar)}, {name} of {len(values)} finished trials{where}"
        if best != best:
            return Verdict(True, f"step {curve.step}: only NaN so far, beside {of}")
        if best > bar:
            return Verdict(
                True, f"step {curve.step}: best value {curve.shown(best)} so far is worse than {of}"
            )
        return Verdict(
            False, f"step {curve.step}: best value {curve.shown(best)} so far is no worse than {of}"
        )


def percentile(values: np.ndarray, q: float) -> float:
    """Return a percentile of values, interpolated linearly between neighbours as `numpy.percentile` does.

    Examples
    --------
    >>> percentile(np.array([4.0, 1.0, 2.0]), 25.0)
    1.5
    """
    place = q / 100.0 * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    low, high = np.partition(values, [below, above])[
        [below, above]
    ].tolist()  # OPTIM: a tenth of numpy's time
    share = place - below
    if share == 0 or low == high or math.isinf(low):
        return float(low)
    return float(low + (high - low) * share)
