"""The continuous distributions of Hyperopt's vocabulary: uniform, normal, and both on a log scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpspace.dists import checks
from hpspace.dists.base import Distribution, Finding
from hpspace.dists.forms import ContinuousForm
from hpspace.dists.lines import NormalLine, UniformLine
from hpspace.dists.registry import register
from hpspace.dists.scales import EXPONENTIAL, IDENTITY


@register
@dataclass(frozen=True)
class Uniform(Distribution):
    """Equally likely everywhere between two bounds.

    Parameters
    ----------
    low, high : float
        Bounds of the value.

    Examples
    --------
    >>> Uniform(2.0, 4.0).cdf([2, 3, 4]).tolist()
    [0.0, 0.5, 1.0]
    """

    name = "uniform"
    low: float
    high: float

    @property
    def form(self) -> ContinuousForm:
        """A uniform line."""
        return ContinuousForm(UniformLine(self.low, self.high), IDENTITY, (self.low, self.high))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with the bounds."""
        return checks.ordered(args)


@register
@dataclass(frozen=True)
class LogUniform(Distribution):
    """A positive value whose natural logarithm is uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the *logarithm*: ``low=-7`` means values from ``exp(-7)``, about 9e-4.

    Examples
    --------
    >>> LogUniform(math.log(0.01), math.log(100.0)).quantile(0.5).round(9).item()
    1.0
    """

    name = "loguniform"
    low: float
    high: float

    @property
    def form(self) -> ContinuousForm:
        """The exponential of a uniform line."""
        low, high = EXPONENTIAL.forward(np.array([self.low, self.high])).tolist()
        return ContinuousForm(UniformLine(self.low, self.high), EXPONENTIAL, (low, high))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with the log-bounds."""
        return checks.exponents(args)


def normal_faults(args: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong with a mean and a standard deviation.

    Parameters
    ----------
    args : mapping of str to object
        Known arguments, of which ``mu`` and ``sigma`` are read.

    Returns
    -------
    list of Finding
        The findings.
    """
    fix = "give the standard deviation; for a fixed value write the constant"
    return [*checks.numbers(args, "mu")[1], *checks.positive(args, "sigma", "the standard deviation", fix)]


@register
@dataclass(frozen=True)
class Normal(Distribution):
    """The normal distribution, unbounded.

    Parameters
    ----------
    mu : float
        Mean of the value.
    sigma : float
        Standard deviation of the value, greater than 0.

    Examples
    --------
    >>> Normal(0.0, 1.0).quantile([0.5, 0.975]).round(2).tolist()
    [0.0, 1.96]
    """

    name = "normal"
    mu: float
    sigma: float

    @property
    def form(self) -> ContinuousForm:
        """A normal line."""
        return ContinuousForm(NormalLine(self.mu, self.sigma), IDENTITY, (-math.inf, math.inf))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with mean and standard deviation."""
        return normal_faults(args)


@register
@dataclass(frozen=True)
class LogNormal(Distribution):
    """A positive value whose natural logarithm is normal.

    Parameters
    ----------
    mu : float
        Mean of the *logarithm* of the value.
    sigma : float
        Standard deviation of the logarithm, greater than 0.

    Examples
    --------
    >>> LogNormal(0.0, 2.0).quantile(0.5).item()
    1.0
    """

    name = "lognormal"
    mu: float
    sigma: float

    @property
    def form(self) -> ContinuousForm:
        """The exponential of a normal line."""
        return ContinuousForm(NormalLine(self.mu, self.sigma), EXPONENTIAL, (0.0, math.inf))

    @classmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with mean and standard deviation."""
        return normal_faults(args)
