"""Whole numbers: ranges, ordered codes, and codes without order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpspace.dists import checks
from hpspace.dists.base import REQUIRED, Distribution, Finding, Parameter
from hpspace.dists.choices import ChoiceForm
from hpspace.dists.forms import GridForm
from hpspace.dists.lattice import Lattice
from hpspace.dists.lines import UniformLine
from hpspace.dists.registry import register
from hpspace.dists.scales import IDENTITY

#: How far probabilities may be from summing to 1.
SUM_TOLERANCE = 1e-8


def equal_integers(low: int, high: int) -> GridForm:
    """Return the form of equally likely integers.

    Parameters
    ----------
    low, high : int
        Smallest and largest value, both included.

    Returns
    -------
    GridForm
        Bins of width 1 around the values.
    """
    return GridForm(UniformLine(low - 0.5, high + 0.5), IDENTITY, Lattice.anchored(low, high, 1.0))


@register
@dataclass(frozen=True)
class RandInt(Distribution):
    """Equally likely integers of a half-open range, in order.

    Parameters
    ----------
    low : int
        Smallest value.
    high : int
        The value after the largest, as in ``range(low, high)``.

    Examples
    --------
    >>> RandInt(2, 5).values().tolist()
    [2.0, 3.0, 4.0]
    """

    name = "randint"
    is_integer = True
    low: int
    high: int

    @property
    def form(self) -> GridForm:
        """Bins of width 1."""
        return equal_integers(self.low, self.high - 1)

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Return low, which is 0 when a single bound is given, and high."""
        return Parameter("low", 0), Parameter("high", REQUIRED)

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with the bounds."""
        read, findings = checks.numbers(args, "low", "high")
        low = read.get("low", 0.0)
        if "high" in read and read["high"] <= low:
            problem = f"the range from {args.get('low', 0)!r} up to, not including, {args['high']!r} is empty"
            findings.append(
                ("high", args["high"], problem, "high must be greater than low, which is 0 by default")
            )
        return [*findings, *checks.whole(args, "low", "high")]

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> RandInt:
        """Build it with Python ints."""
        return cls(int(args.get("low", 0)), int(args["high"]))


@register
@dataclass(frozen=True)
class Ordinal(Distribution):
    """Codes of n options that have an order; all equally likely.

    Parameters
    ----------
    n : int
        Number of options, at least 1.

    Examples
    --------
    >>> Ordinal(4).unit([0, 3]).tolist()
    [0.125, 0.875]
    """

    name = "ordinal"
    is_integer = True
    n: int

    @property
    def form(self) -> GridForm:
        """Bins of width 1."""
        return equal_integers(0, self.n - 1)

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with the number of options."""
        findings = checks.positive(args, "n", "the number of options", "give at least one option")
        return [*findings, *checks.whole(args, "n")]

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> Ordinal:
        """Build it with a Python int."""
        return cls(int(args["n"]))


def _probabilities(p: Any) -> list[float] | None:
    """Return p as floats, None if it is no list of numbers."""
    try:
        items = [checks.number(item) for item in p]
    except TypeError:
        return None
    read = [item for item in items if item is not None]
    return read if len(read) == len(items) else None


@register
@dataclass(frozen=True)
class Categorical(Distribution):
    """Codes without order, with given probabilities.

    Parameters
    ----------
    p : tuple of float
        Probability of each code. A code of probability 0 is not a possible value.

    Examples
    --------
    >>> Categorical((0.2, 0.8)).quantile([0.1, 0.3]).tolist()
    [0.0, 1.0]
    """

    name = "categorical"
    is_integer = True
    p: tuple[float, ...]

    @property
    def form(self) -> ChoiceForm:
        """The probabilities, scaled to sum to exactly 1."""
        return ChoiceForm(self.p)

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with the probabilities."""
        if "p" not in args:
            return []
        given, p = args["p"], _probabilities(args["p"])
        if p is None:
            fix = "write one probability for each option; in hp.pchoice the probability is the first of each pair"
            return [("p", given, f"p={given!r} is not a list of numbers", fix)]
        if not p:
            return [("p", given, "there are no probabilities", "give at least one option")]
        wrong = [x for x in p if not (math.isfinite(x) and x >= 0)]
        if wrong:
            return [("p", given, f"{wrong[0]!r} is not a probability", "write numbers from 0 to 1")]
        total = math.fsum(p)
        if abs(total - 1.0) > SUM_TOLERANCE:
            fix = (
                f"divide each by {total:.10g}"
                if total > 0
                else "give at least one option a positive probability"
            )
            return [("p", given, f"the probabilities sum to {total:.10g}, not to 1", fix)]
        return []

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> Categorical:
        """Build it with a tuple of Python floats."""
        return cls(tuple(np.asarray(args["p"], dtype=np.float64).tolist()))
