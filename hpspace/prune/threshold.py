"""Stop what leaves the range of values that can be hoped for, and what becomes NaN. Compares with no other trial."""

from __future__ import annotations

from dataclasses import dataclass

from hpspace.prune.base import Verdict, check_count, is_number, register, waits
from hpspace.prune.curves import Curve, Curves


@register("threshold")
@dataclass(frozen=True)
class Threshold:
    """Stop a trial whose last value is NaN, below `lower` or above `upper`.

    Parameters
    ----------
    lower, upper : float or None
        Bounds for reported values as the objective reports them, whatever the direction; None is no bound. Without
        any, only NaN stops a trial.
    warmup_steps : int
        Nothing is stopped before this step.
    interval_steps : int
        A decision every so many steps.

    Examples
    --------
    >>> Threshold(upper=10.0).decide(Curve.of([2.0, 1e6]), others=None)
    Verdict(stop=True, reason='step 1: 1e+06 is above the upper bound 10')
    """

    lower: float | None = None
    upper: float | None = None
    warmup_steps: int = 0
    interval_steps: int = 1

    def __post_init__(self) -> None:
        for name, bound in (("lower", self.lower), ("upper", self.upper)):
            if bound is not None and not (is_number(bound) and bound == bound):
                raise ValueError(f"Threshold: {name}={bound!r} must be a number, or None for no bound")
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise ValueError(f"Threshold: lower={self.lower!r} must be less than upper={self.upper!r}")
        check_count("Threshold", "warmup_steps", self.warmup_steps, 0)
        check_count("Threshold", "interval_steps", self.interval_steps, 1)

    def decide(self, curve: Curve, others: Curves | None) -> Verdict:
        """Answer whether the trial should stop; see `hpspace.prune.base.Pruner`."""
        wait = waits(curve, self.warmup_steps, self.interval_steps)
        if wait:
            return Verdict(False, wait)
        value = 0.0 - curve.last if curve.direction == "maximize" else curve.last
        text = f"step {curve.step}: {value:.6g}"
        if value != value:
            return Verdict(True, f"step {curve.step}: NaN was reported")
        if self.lower is not None and value < self.lower:
            return Verdict(True, f"{text} is below the lower bound {self.lower:g}")
        if self.upper is not None and value > self.upper:
            return Verdict(True, f"{text} is above the upper bound {self.upper:g}")
        return Verdict(False, f"{text} is within bounds")
