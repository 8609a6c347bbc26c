"""Stop what has ceased to improve; or let another pruner decide only about such trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpspace.prune.base import Custom, Verdict, check_count, is_number, named, pruner_from, register
from hpspace.prune.curves import Curve, Curves, lowest


@register("patient")
@dataclass(frozen=True)
class Patient:
    """Stop a trial when its last `patience` + 1 reports brought no improvement.

    An improvement is a value that is better than all before by more than `min_delta`. So a curve that has become flat
    is stopped, as by the early stopping of training libraries; Optuna's pruner of this name stops only curves that
    have become worse by `min_delta`.

    Parameters
    ----------
    pruner : Pruner, str or None
        Who decides about a trial without progress; None stops it. Such a rule should not wait for steps of its own
        (`interval_steps`).
    patience : int
        Reports without progress that are forgiven.
    min_delta : float
        What is no progress yet, in units of the reported values.

    Examples
    --------
    >>> rule = Patient(patience=2)
    >>> [rule.decide(Curve.of([0.9, 0.5, 0.6, 0.5, 0.7][:n]), others=None).stop for n in range(1, 6)]
    [False, False, False, False, True]
    """

    pruner: Any = None
    patience: int = 5
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        check_count("Patient", "patience", self.patience, 0)
        if not (is_number(self.min_delta) and self.min_delta >= 0):
            raise ValueError(f"Patient: min_delta={self.min_delta!r} must be a number of at least 0")
        if is_number(self.pruner):
            raise TypeError(f"Patient: pruner={self.pruner!r} is no pruner; write patience={self.pruner!r}")
        pruner = named(self.pruner)
        if isinstance(pruner, Custom):
            raise TypeError(f"Patient: pruner={self.pruner!r} must be a name or an object of hpspace.prune")
        object.__setattr__(self, "pruner", pruner)

    def planned(self, resource: tuple[float, float, int] | None) -> Patient:
        """Return the same with a pruner that knows the declared resource; see `pruner_from`."""
        return Patient(pruner_from(self.pruner, resource), self.patience, self.min_delta)

    def decide(self, curve: Curve, others: Curves | None) -> Verdict:
        """Answer whether the trial should stop; see `hpspace.prune.base.Pruner`."""
        recent = self.patience + 1
        if len(curve) <= recent:
            return Verdict(False, f"step {curve.step}: {len(curve)} reports, no decision before {recent + 1}")
        before, after = lowest(curve.values[:-recent]), lowest(curve.values[-recent:])
        progress = after == after and (before != before or after < before - self.min_delta)
        text = f"step {curve.step}: best {curve.shown(after)} of the last {recent} reports"
        if progress:
            return Verdict(False, f"{text} improves on {curve.shown(before)}")
        text = f"{text} is no progress on {curve.shown(before)}"
        if self.pruner is None:
            return Verdict(True, text)
        verdict = self.pruner.decide(curve, others)
        return Verdict(verdict.stop, f"{text}; {verdict.reason}")
