"""Evenly spaced values: ``origin + k * step`` for whole numbers k from `first` to `last`.

Two kinds of rounding are the same lattice with another origin. Hyperopt's ``round(x / q) * q`` has its origin
at 0, so its points may lie up to q/2 outside the bounds of x, and the bins at the two ends are cut; a lattice
anchored at the lower bound has only whole bins. The bin of a point reaches half a step to either side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hpspace.dists.special import BoolArray, FloatArray

#: Relative distance, in steps, up to which a value counts as lying on a lattice point.
TOLERANCE = 1e-9

#: From here on all doubles are whole numbers.
_WHOLE = 2.0**52


@dataclass(frozen=True)
class Lattice:
    """A run of evenly spaced values.

    Parameters
    ----------
    origin : float
        The value of k = 0.
    step : float
        Distance between neighbours, greater than 0.
    first, last : float
        Smallest and largest k, whole numbers or infinite.
    top : float
        No value exceeds this bound; takes up the rounding of ``origin + last * step``.
    """

    origin: float
    step: float
    first: float
    last: float
    top: float = math.inf

    @classmethod
    def rounded(cls, low: float, high: float, q: float) -> Lattice:
        """Build the lattice of ``round(x / q) * q`` for x between low and high.

        Parameters
        ----------
        low, high : float
            Bounds of the unrounded value; infinite where there is none.
        q : float
            Distance between values, greater than 0.

        Returns
        -------
        Lattice
            The multiples of q whose bins overlap ``[low, high]`` by more than rounding error.
        """
        first = low if math.isinf(low) else float(math.floor(low / q + 0.5 + TOLERANCE))
        last = high if math.isinf(high) else float(math.ceil(high / q - 0.5 - TOLERANCE))
        return cls(0.0, q, first, max(first, last))

    @classmethod
    def anchored(cls, low: float, high: float, step: float) -> Lattice:
        """Build the lattice ``low, low + step, ...`` up to high.

        Parameters
        ----------
        low, high : float
            First value, and the bound that no value exceeds.
        step : float
            Distance between values, greater than 0.

        Returns
        -------
        Lattice
            With ``floor((high - low) / step) + 1`` points; a last point that misses `high` by rounding is
            `high`.
        """
        last = float(math.floor((high - low) / step + TOLERANCE))
        return cls(low, step, 0.0, last, high)

    @property
    def size(self) -> int | None:
        """Number of points, None when infinite."""
        return None if math.isinf(self.first) or math.isinf(self.last) else int(self.last - self.first) + 1

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value."""
        low, high = (float(self.value(np.asarray(k))) for k in (self.first, self.last))
        return low, high

    def code(self, x: FloatArray) -> FloatArray:
        """Return k of the point nearest to x, ties to even k."""
        nearest = np.rint(np.subtract(x, self.origin) / self.step)
        return np.minimum(np.maximum(nearest, self.first), self.last)

    def floor(self, x: FloatArray) -> FloatArray:
        """Return k of the greatest point up to x; may be below `first` or above `last`."""
        return np.asarray(np.floor(np.subtract(x, self.origin) / self.step + TOLERANCE))

    def value(self, k: FloatArray) -> FloatArray:
        """Return the value of point k (a plain 0.0, never -0.0)."""
        return np.minimum(np.multiply(k, self.step) + self.origin, self.top)

    def nearest(self, x: float) -> float:
        """Return the point nearest to one number: ``value(code(x))``, bit for bit."""
        place = (x - self.origin) / self.step
        k = float(round(place)) if abs(place) < _WHOLE else place
        return min(min(max(k, self.first), self.last) * self.step + self.origin, self.top)

    def boundary(self, k: FloatArray) -> FloatArray:
        """Return the boundary between the bins of k and k + 1, half a step above k."""
        return np.multiply(np.add(k, 0.5), self.step) + self.origin

    def holds(self, x: FloatArray) -> BoolArray:
        """Return whether x is a point, up to `TOLERANCE` of its k."""
        place = np.subtract(x, self.origin) / self.step
        nearest = np.rint(place)
        with np.errstate(invalid="ignore"):
            on_point = np.abs(place - nearest) <= TOLERANCE * np.maximum(np.abs(nearest), 1.0)
        return np.asarray(on_point & (nearest >= self.first) & (nearest <= self.last))
