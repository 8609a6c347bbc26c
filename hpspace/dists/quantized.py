"""Hyperopt's quantised distributions: a continuous one, rounded to multiples of q.

The value is ``round(x / q) * q`` with halves going to the even multiple, x drawn from the distribution of the
same name without its q. Three quirks of Hyperopt are kept under these names, because existing code and stored
trials rely on them: the grid goes through 0 and not through low; so values may lie up to q/2 outside the
bounds of x; and the values at the two ends have a smaller mass, usually half. `BoundedFloat` and `BoundedInt`
have none of them.

A multiple counts as a value when its bin overlaps the bounds by more than rounding error: ``quniform(0.5, 3,
1)`` has the values 1, 2, 3, since 0 would be drawn with probability 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpspace.dists import checks
from hpspace.dists.base import Distribution, Finding
from hpspace.dists.continuous import normal_faults
from hpspace.dists.forms import GridForm
from hpspace.dists.lattice import Lattice
from hpspace.dists.lines import NormalLine, UniformLine
from hpspace.dists.registry import register
from hpspace.dists.scales import EXPONENTIAL, IDENTITY


def _step_faults(args: Mapping[str, Any], continuous: str) -> list[Finding]:
    return checks.positive(args, "q", "the grid step", f"for a value without a grid use {continuous}")


@register
@dataclass(frozen=True)
class QUniform(Distribution):
    """A uniform value, rounded to multiples of q.

    Parameters
    ----------
    low, high : float
        Bounds of the value before rounding.
    q : float
        Distance between values, greater than 0.

    Examples
    --------
    >>> QUniform(0.0, 3.0, 1.0).unit_bins([0, 1, 2, 3])[1].round(3).tolist()  # the ends have half the mass
    [0.167, 0.5, 0.833, 1.0]
    """

    name = "quniform"
    low: float
    high: float
    q: float

    @property
    def form(self) -> GridForm:
        """A uniform line, rounded."""
        lattice = Lattice.rounded(self.low, self.high, self.q)
        return GridForm(UniformLine(self.low, self.high), IDENTITY, lattice)

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with bounds and step."""
        return [*checks.ordered(args), *_step_faults(args, "uniform")]


@register
@dataclass(frozen=True)
class QLogUniform(Distribution):
    """A log-uniform value, rounded to multiples of q.

    Parameters
    ----------
    low, high : float
        Bounds of the natural *logarithm* of the value before rounding.
    q : float
        Distance between values, in the value's own units, greater than 0.

    Examples
    --------
    >>> QLogUniform(-1.0, math.log(4.0), 2.0).values().tolist()
    [0.0, 2.0, 4.0]
    """

    name = "qloguniform"
    low: float
    high: float
    q: float

    @property
    def form(self) -> GridForm:
        """The exponential of a uniform line, rounded."""
        low, high = EXPONENTIAL.forward(np.array([self.low, self.high])).tolist()
        return GridForm(UniformLine(self.low, self.high), EXPONENTIAL, Lattice.rounded(low, high, self.q))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with log-bounds and step."""
        return [*checks.exponents(args), *_step_faults(args, "loguniform")]


@register
@dataclass(frozen=True)
class QNormal(Distribution):
    """A normal value, rounded to multiples of q.

    Parameters
    ----------
    mu : float
        Mean before rounding.
    sigma : float
        Standard deviation before rounding, greater than 0.
    q : float
        Distance between values, greater than 0.

    Examples
    --------
    >>> QNormal(0.0, 1.0, 2.0).quantile([0.1, 0.5, 0.9]).tolist()
    [-2.0, 0.0, 2.0]
    """

    name = "qnormal"
    mu: float
    sigma: float
    q: float

    @property
    def form(self) -> GridForm:
        """A normal line, rounded."""
        lattice = Lattice.rounded(-math.inf, math.inf, self.q)
        return GridForm(NormalLine(self.mu, self.sigma), IDENTITY, lattice)

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with mean, standard deviation and step."""
        return [*normal_faults(args), *_step_faults(args, "normal")]


@register
@dataclass(frozen=True)
class QLogNormal(Distribution):
    """A log-normal value, rounded to multiples of q; may be 0.

    Parameters
    ----------
    mu : float
        Mean of the *logarithm* before rounding.
    sigma : float
        Standard deviation of the logarithm, greater than 0.
    q : float
        Distance between values, in the value's own units, greater than 0.

    Examples
    --------
    >>> QLogNormal(0.0, 1.0, 1.0).quantile([0.1, 0.5, 0.9]).tolist()
    [0.0, 1.0, 4.0]
    """

    name = "qlognormal"
    mu: float
    sigma: float
    q: float

    @property
    def form(self) -> GridForm:
        """The exponential of a normal line, rounded."""
        return GridForm(NormalLine(self.mu, self.sigma), EXPONENTIAL, Lattice.rounded(0.0, math.inf, self.q))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with mean, standard deviation and step."""
        return [*normal_faults(args), *_step_faults(args, "lognormal")]
