"""Floats and integers whose bounds are their smallest and largest value.

These are hpspace's own, behind ``hp.float`` and ``hp.int``. Both bounds are included and written in the
value's own units, every value of a grid is equally likely, and integers are Python ints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpspace.dists import checks
from hpspace.dists.base import Distribution, Finding
from hpspace.dists.forms import ContinuousForm, GridForm
from hpspace.dists.lattice import Lattice
from hpspace.dists.lines import UniformLine
from hpspace.dists.registry import register
from hpspace.dists.scales import EXPONENTIAL, IDENTITY


def _anchored(low: float, high: float, step: float) -> GridForm:
    """Return equally likely values low, low + step, ... up to high."""
    lattice = Lattice.anchored(low, high, step)
    end = low + (lattice.last + 0.5) * step
    return GridForm(UniformLine(low - 0.5 * step, end), IDENTITY, lattice)


def _log_faults(args: Mapping[str, Any], least: float, what: str) -> list[Finding]:
    """Return what is wrong with the flag `log`, or with bounds on a log scale."""
    log = args.get("log", False)
    if not isinstance(log, (bool, int, np.bool_)) or log not in (0, 1):
        fix = "write log=True or log=False; a value to try first is default="
        return [("log", log, f"log={log!r} is neither True nor False", fix)]
    low = checks.numbers(args, "low")[0].get("low")
    if not args.get("log", False) or low is None or low >= least > 0 or (least == 0 and low > 0):
        return []
    return [("low", args["low"], f"low={args['low']!r} has no place on a log scale", what)]


def _log_step_fault(step: Any) -> Finding:
    fix = "leave out step, or leave out log"
    return ("step", step, f"step={step!r} cannot be combined with log=True", fix)


@register
@dataclass(frozen=True)
class BoundedFloat(Distribution):
    """A float from low to high, both possible.

    Parameters
    ----------
    low, high : float
        Smallest and largest value.
    log : bool
        Whether the logarithm is uniform instead of the value; needs ``low > 0``.
    step : float, optional
        Distance between values ``low, low + step, ...``; default: a continuum. Not together with `log`.

    Examples
    --------
    >>> BoundedFloat(0.0, 1.0, step=0.25).values().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """

    name = "bounded_float"
    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def form(self) -> ContinuousForm | GridForm:
        """A uniform line, its exponential, or equally likely steps."""
        if self.step is not None:
            return _anchored(self.low, self.high, self.step)
        if self.log:
            line = UniformLine(math.log(self.low), math.log(self.high))
            return ContinuousForm(line, EXPONENTIAL, (self.low, self.high))
        return ContinuousForm(UniformLine(self.low, self.high), IDENTITY, (self.low, self.high))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with bounds, scale and step."""
        step = args.get("step")
        findings = checks.ordered(args, strict=step is None)
        findings += _log_faults(args, 0.0, "give a low above 0, or leave out log")
        if step is not None:
            findings += checks.positive(
                args, "step", "the distance between values", "leave out step for a continuum"
            )
            findings += [_log_step_fault(step)] if args.get("log", False) else []
        return findings

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> BoundedFloat:
        """Build it with Python floats and a bool."""
        step = args.get("step")
        step = None if step is None else float(step)
        return cls(float(args["low"]), float(args["high"]), bool(args.get("log", False)), step)


@register
@dataclass(frozen=True)
class BoundedInt(Distribution):
    """An integer from low to high, both possible.

    Parameters
    ----------
    low, high : int
        Smallest and largest value (with a step: high is not exceeded).
    log : bool
        Whether small values are likelier, as on a log scale: the mass of v is the share of
        ``[log(v - 1/2), log(v + 1/2)]``. Needs ``low >= 1`` and step 1.
    step : int
        Distance between values ``low, low + step, ...``.

    Examples
    --------
    >>> BoundedInt(1, 10, step=4).values().tolist()
    [1.0, 5.0, 9.0]
    """

    name = "bounded_int"
    is_integer = True
    low: int
    high: int
    log: bool = False
    step: int = 1

    @property
    def form(self) -> GridForm:
        """Bins of equal width, on the line or on the log line."""
        if not self.log:
            return _anchored(self.low, self.high, self.step)
        line = UniformLine(math.log(self.low - 0.5), math.log(self.high + 0.5))
        return GridForm(line, EXPONENTIAL, Lattice.anchored(self.low, self.high, 1.0))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with bounds, scale and step."""
        findings = checks.ordered(args, strict=False)
        findings += _log_faults(args, 1.0, "give a low of at least 1, or leave out log")
        findings += checks.positive(
            args, "step", "the distance between values", "write step=1 for every integer"
        )
        findings += checks.whole(args, "low", "high", "step")
        if args.get("log", False) and checks.number(args.get("step", 1)) != 1:
            findings.append(_log_step_fault(args["step"]))
        return findings

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> BoundedInt:
        """Build it with Python ints and a bool."""
        log, step = bool(args.get("log", False)), int(args.get("step", 1))
        return cls(int(args["low"]), int(args["high"]), log, step)
