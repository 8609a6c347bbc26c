"""The median rule: stop what is behind half of the finished trials. The first pruner to try."""

from __future__ import annotations

from dataclasses import dataclass

from hpspace.prune.base import Verdict, register
from hpspace.prune.curves import Curve, Curves
from hpspace.prune.percentile import Percentile


@register("median")
@dataclass(frozen=True)
class Median:
    """Stop a trial whose best value so far is worse than the median of the finished ones at this step.

    Parameters
    ----------
    startup_trials, warmup_steps, interval_steps, min_trials, same_branch
        As for `Percentile`.

    Examples
    --------
    >>> from hpspace.prune.curves import curves_of
    >>> others = curves_of([[0.5, 0.4, 0.4], [0.6, 0.3, 0.3], [0.9, 0.8, 0.8]])
    >>> Median().decide(Curve.of([0.7, 0.6]), others)
    Verdict(stop=False, reason='step 1: 3 of 5 start-up trials finished')
    >>> Median(startup_trials=3).decide(Curve.of([0.7, 0.6]), others).stop
    True
    """

    startup_trials: int = 5
    warmup_steps: int = 0
    interval_steps: int = 1
    min_trials: int = 1
    same_branch: bool = True

    def __post_init__(self) -> None:
        self._rule()

    def decide(self, curve: Curve, others: Curves) -> Verdict:
        """Answer whether the trial should stop; see `hpspace.prune.base.Pruner`."""
        return self._rule().decide(curve, others)

    def _rule(self) -> Percentile:
        return Percentile(
            50.0,
            self.startup_trials,
            self.warmup_steps,
            self.interval_steps,
            self.min_trials,
            self.same_branch,
        )
