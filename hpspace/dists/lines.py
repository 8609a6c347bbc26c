"""The two lines on which every numeric distribution is defined: a uniform one and a normal one.

A line is a probability distribution of a latent coordinate z. What a user sees is z itself, or exp(z), or
either of them rounded to a lattice; those steps are in `forms.py`. Keeping the line apart is what makes
uniform, loguniform, quniform and qloguniform one formula instead of four.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from hpspace.dists.normal import ndtr, ndtri
from hpspace.dists.special import LOG_SQRT_2PI, TINY, FloatArray, log_gauss_mass

#: Half the spacing of doubles below 1: probabilities are kept this far from 0 and 1 before a normal quantile,
#: which is then at most 8.2 standard deviations away instead of infinite.
EDGE = 2.0**-53


@dataclass(frozen=True)
class Real:
    """A continuous latent: a stretch of the z line with a typical place and width.

    Parameters
    ----------
    low, high : float
        Bounds of z; infinite for the normal line.
    loc, scale : float
        Mean and standard deviation of a normal line; midpoint and full width of a uniform one.
    """

    low: float
    high: float
    loc: float
    scale: float


class Line(Protocol):
    """What a latent line can be asked; arguments and results are arrays of any one shape."""

    @property
    def latent(self) -> Real:
        """Bounds, place and width."""

    def cdf(self, z: FloatArray) -> FloatArray:
        """Return the probability of a coordinate up to z."""

    def unit(self, z: FloatArray) -> FloatArray:
        """Return the cdf, kept where `quantile` is finite."""

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return the coordinate below which the probability is u; always finite."""

    def at(self, u: float) -> float:
        """Return what `quantile` does for one probability, bit for bit."""

    def log_density(self, z: FloatArray) -> FloatArray:
        """Return the log density for z inside the bounds."""

    def log_mass(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Return the log probability of the interval from low to high."""


@dataclass(frozen=True)
class UniformLine:
    """The uniform distribution between two bounds.

    Parameters
    ----------
    low, high : float
        Bounds of z, ``low < high``.
    """

    low: float
    high: float

    @cached_property
    def _width(self) -> float:
        return self.high - self.low

    @property
    def latent(self) -> Real:
        """Bounds, midpoint and width."""
        return Real(self.low, self.high, 0.5 * (self.low + self.high), self.high - self.low)

    def cdf(self, z: FloatArray) -> FloatArray:
        """Return where z lies between the bounds, as a share of the width."""
        share: FloatArray = np.subtract(z, self.low) / self._width
        return np.minimum(np.maximum(share, 0.0), 1.0)

    unit = cdf

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return ``low + u * (high - low)``."""
        return np.multiply(u, self._width) + self.low

    def at(self, u: float) -> float:
        """Return what `quantile` does for one probability."""
        return u * self._width + self.low

    def log_density(self, z: FloatArray) -> FloatArray:
        """Return ``-log(high - low)`` everywhere."""
        return np.full(np.shape(z), -math.log(self.high - self.low))

    def log_mass(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Return the log of the interval's share of the width."""
        return np.log(np.maximum(np.subtract(high, low), TINY)) - math.log(self.high - self.low)


@dataclass(frozen=True)
class NormalLine:
    """The normal distribution.

    Parameters
    ----------
    mu : float
        Mean of z.
    sigma : float
        Standard deviation of z, greater than 0.
    """

    mu: float
    sigma: float

    @property
    def latent(self) -> Real:
        """Infinite bounds, mean and standard deviation."""
        return Real(-math.inf, math.inf, self.mu, self.sigma)

    def _standard(self, z: FloatArray) -> FloatArray:
        standard: FloatArray = np.subtract(z, self.mu) / self.sigma
        return standard

    def cdf(self, z: FloatArray) -> FloatArray:
        """Return Phi of the standardised z: exact to 38 standard deviations on the left, 8 on the right."""
        return np.asarray(ndtr(self._standard(z)))

    def unit(self, z: FloatArray) -> FloatArray:
        """Return the cdf kept inside ``[EDGE, 1 - EDGE]``."""
        return np.minimum(np.maximum(self.cdf(z), EDGE), 1.0 - EDGE)

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return the normal quantile of u, at most 8.2 standard deviations from the mean."""
        inside = np.minimum(np.maximum(u, EDGE), 1.0 - EDGE)
        return np.asarray(ndtri(inside) * self.sigma + self.mu)

    def at(self, u: float) -> float:
        """Return what `quantile` does for one probability."""
        return float(ndtri(min(max(u, EDGE), 1.0 - EDGE))) * self.sigma + self.mu

    def log_density(self, z: FloatArray) -> FloatArray:
        """Return the log of the normal density."""
        standard = self._standard(z)
        return np.asarray(-0.5 * standard * standard - (LOG_SQRT_2PI + math.log(self.sigma)))

    def log_mass(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Return the log probability of the interval, from the smaller tail."""
        return log_gauss_mass(self._standard(low), self._standard(high))
