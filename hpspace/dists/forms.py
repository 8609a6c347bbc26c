"""The forms a distribution can have: continuous, on a grid, or (in `choices.py`) a choice without order.

A form is a line, a scale and perhaps a lattice put together; it holds every formula. The classes that users
and registries know (`Uniform`, `QLogNormal`, ...) are a name, their arguments and the form these describe,
nothing else: so a new distribution needs no new formula, and an algorithm asks for the latent kind, never for
the class.

The fields of a form, of its line and of its lattice are numbers, but the maps between values and coordinates
(`quantile`, `unit`, `cdf`, `edges`, ...) also work when they are arrays: `hpspace.space` stacks the forms of
many parameters into one whose fields are rows, and so converts all columns of a matrix in one call. For a single point
that is slower than plain numbers, so `at` is `quantile` for one of them.

Latent kinds: `Real` (a stretch of a line), `Grid` (points with bins on a line), `Choice` (codes with
probabilities).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, Protocol

import numpy as np

from hpspace.dists.lattice import Lattice
from hpspace.dists.lines import Line, Real
from hpspace.dists.scales import Scale
from hpspace.dists.special import BoolArray, FloatArray


@dataclass(frozen=True)
class Grid:
    """An ordered discrete latent: every value owns a bin of a line.

    Parameters
    ----------
    line : Real
        The line that is cut into bins.
    size : int or None
        Number of values, None when infinite.
    """

    line: Real
    size: int | None


@dataclass(frozen=True)
class Choice:
    """An unordered latent: the codes 0 to K - 1.

    Parameters
    ----------
    p : tuple of float
        Probability of each code.
    """

    p: tuple[float, ...]


class Form(Protocol):
    """What every form answers; see the methods of the same names of `Distribution`."""

    @property
    def latent(self) -> Real | Grid | Choice:
        """The latent kind."""

    @property
    def size(self) -> int | None:
        """Number of distinct values."""

    @property
    def is_log(self) -> bool:
        """Whether values are exponentials of the line."""

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest value."""

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return the value at probability u."""

    def at(self, u: float) -> float:
        """Return what `quantile` does for one probability, bit for bit; of plain numbers only."""

    def cdf(self, x: FloatArray) -> FloatArray:
        """Return the probability of a value up to x."""

    def log_prob(self, x: FloatArray) -> FloatArray:
        """Return the log density, or log mass."""

    def contains(self, x: FloatArray) -> BoolArray:
        """Return whether x is a possible value."""

    def values(self, limit: int | None = None) -> FloatArray:
        """Return the values, ascending, at most `limit`."""

    def unit(self, x: FloatArray) -> FloatArray:
        """Return the place of x in the unit interval."""

    def unit_bins(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the unit interval that x owns."""

    def to_latent(self, x: FloatArray) -> FloatArray:
        """Return the coordinate of x on the line."""

    def from_latent(self, z: FloatArray) -> FloatArray:
        """Return the value at coordinate z."""

    def edges(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ends of the bin of x on the line."""

    def line_cdf(self, z: FloatArray) -> FloatArray:
        """Return the probability of a coordinate up to z."""

    def line_quantile(self, u: FloatArray) -> FloatArray:
        """Return the coordinate at probability u."""


@dataclass(frozen=True)
class ContinuousForm:
    """A line seen through a scale.

    Parameters
    ----------
    line : Line
        Distribution of the latent coordinate.
    scale : Scale
        Map from the coordinate to the value.
    support : tuple of float
        Smallest and largest value; values are kept inside against rounding.
    """

    line: Line
    scale: Scale
    support: tuple[float, float]

    @property
    def latent(self) -> Real:
        """The line."""
        return self.line.latent

    @property
    def size(self) -> None:
        """None: a continuum."""
        return None

    @property
    def is_log(self) -> bool:
        """Whether the scale is exponential."""
        return self.scale.positive

    def values(self, limit: int | None = None) -> NoReturn:
        """Raise: a continuum has no list of values."""
        raise ValueError("a continuous distribution has no list of values")

    def from_latent(self, z: FloatArray) -> FloatArray:
        """Return the value, inside the support."""
        return np.minimum(np.maximum(self.scale.forward(z), self.support[0]), self.support[1])

    def to_latent(self, x: FloatArray) -> FloatArray:
        """Return the coordinate of x."""
        return self.scale.inverse(x)

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return the value of the line's quantile."""
        return self.from_latent(self.line.quantile(u))

    def at(self, u: float) -> float:
        """Return what `quantile` does for one probability."""
        return min(max(self.scale.at(self.line.at(u)), self.support[0]), self.support[1])

    def cdf(self, x: FloatArray) -> FloatArray:
        """Return the line's cdf of the coordinate."""
        return self.line.cdf(self.scale.inverse(x))

    def unit(self, x: FloatArray) -> FloatArray:
        """Return the cdf, kept where the quantile is finite."""
        return self.line.unit(self.scale.inverse(x))

    def log_prob(self, x: FloatArray) -> FloatArray:
        """Return log density of the line minus log slope of the scale; -inf outside the support."""
        z = self.scale.inverse(x)
        density = self.line.log_density(z) - self.scale.log_slope(z)
        return np.where(self.contains(x), density, -np.inf)

    def contains(self, x: FloatArray) -> BoolArray:
        """Return whether x lies in the support, up to rounding of its ends."""
        low, high = (
            end * (1.0 + side * math.copysign(1e-12, end)) for end, side in zip(self.support, (-1, 1))
        )
        return np.asarray(np.greater_equal(x, low) & np.less_equal(x, high) & np.isfinite(x))

    def unit_bins(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the unit coordinate twice: a point owns no interval."""
        unit = self.unit(x)
        return unit, unit

    def edges(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the coordinate twice: a point owns no interval."""
        z = self.to_latent(x)
        return z, z

    def line_cdf(self, z: FloatArray) -> FloatArray:
        """Return the line's cdf."""
        return self.line.cdf(z)

    def line_quantile(self, u: FloatArray) -> FloatArray:
        """Return the line's quantile."""
        return self.line.quantile(u)


@dataclass(frozen=True)
class GridForm:
    """A line seen through a scale and rounded to a lattice.

    Parameters
    ----------
    line : Line
        Distribution of the latent coordinate.
    scale : Scale
        Map from the coordinate to the unrounded value.
    lattice : Lattice
        The values. The bins of its ends reach to the ends of the line.
    """

    line: Line
    scale: Scale
    lattice: Lattice

    @property
    def latent(self) -> Grid:
        """The line and the number of values."""
        return Grid(self.line.latent, self.size)

    @property
    def size(self) -> int | None:
        """Number of lattice points."""
        return self.lattice.size

    @property
    def is_log(self) -> bool:
        """Whether the scale is exponential."""
        return self.scale.positive

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest lattice point."""
        return self.lattice.bounds

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return self.line.latent.low, self.line.latent.high

    def values(self, limit: int | None = None) -> FloatArray:
        """Return the lattice points, ascending."""
        if self.size is None:
            raise ValueError("an infinite lattice has no list of values")
        count = self.size if limit is None else min(limit, self.size)
        return self.lattice.value(self.lattice.first + np.arange(count, dtype=np.float64))

    def from_latent(self, z: FloatArray) -> FloatArray:
        """Return the value nearest to the scaled coordinate."""
        return self.lattice.value(self.lattice.code(self.scale.forward(z)))

    def to_latent(self, x: FloatArray) -> FloatArray:
        """Return the coordinate of x inside the line; on a log scale 0 stands at a quarter of a step."""
        z = self.scale.inverse(np.maximum(x, 0.25 * self.lattice.step) if self.scale.positive else x)
        return np.minimum(np.maximum(z, self._ends[0]), self._ends[1])

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return the value whose bin holds probability u."""
        return self.from_latent(self.line.quantile(u))

    def at(self, u: float) -> float:
        """Return what `quantile` does for one probability."""
        return self.lattice.nearest(self.scale.at(self.line.at(u)))

    def _upper(self, k: FloatArray) -> FloatArray:
        """Return the upper end of the bin of k >= first on the line."""
        boundary = self.scale.inverse(self.lattice.boundary(k))
        return np.where(np.greater_equal(k, self.lattice.last), self._ends[1], boundary)

    def _lower(self, k: FloatArray) -> FloatArray:
        """Return the lower end of the bin of k <= last on the line."""
        boundary = self.scale.inverse(self.lattice.boundary(k - 1.0))
        return np.where(np.less_equal(k, self.lattice.first), self._ends[0], boundary)

    def edges(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ends of the bin of x on the line."""
        k = self.lattice.code(x)
        return self._lower(k), self._upper(k)

    def cdf(self, x: FloatArray) -> FloatArray:
        """Return the line's cdf at the upper end of the bin of the greatest value up to x."""
        k = self.lattice.floor(x)
        return np.where(np.less(k, self.lattice.first), 0.0, self.line.cdf(self._upper(k)))

    def unit_bins(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the line's cdf at both ends of the bin."""
        low, high = self.edges(x)
        return self.line.cdf(low), self.line.cdf(high)

    def unit(self, x: FloatArray) -> FloatArray:
        """Return the middle of the bin in unit coordinates."""
        low, high = self.unit_bins(x)
        return np.multiply(low + high, 0.5)

    def log_prob(self, x: FloatArray) -> FloatArray:
        """Return the log mass of the bin; -inf off the lattice."""
        low, high = self.edges(x)
        return np.where(self.contains(x), self.line.log_mass(low, high), -np.inf)

    def contains(self, x: FloatArray) -> BoolArray:
        """Return whether x is a lattice point."""
        return self.lattice.holds(x)

    def line_cdf(self, z: FloatArray) -> FloatArray:
        """Return the line's cdf."""
        return self.line.cdf(z)

    def line_quantile(self, u: FloatArray) -> FloatArray:
        """Return the line's quantile."""
        return self.line.quantile(u)
