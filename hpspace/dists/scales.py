"""How a latent coordinate becomes an unrounded value: as it is, or through the exponential function."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hpspace.dists.special import TINY, FloatArray

#: Exponents outside this range leave the doubles; values there are moved to its ends, so no value is 0 or
#: infinite.
MIN_EXPONENT, MAX_EXPONENT = -708.0, 709.0


class Scale(Protocol):
    """An increasing map from the latent line to the values."""

    #: Whether every value is positive.
    positive: bool

    def forward(self, z: FloatArray) -> FloatArray:
        """Return the value of a latent coordinate."""

    def at(self, z: float) -> float:
        """Return what `forward` does for one coordinate, bit for bit."""

    def inverse(self, x: FloatArray) -> FloatArray:
        """Return the latent coordinate of a value."""

    def log_slope(self, z: FloatArray) -> FloatArray | float:
        """Return the log of the derivative of `forward` at z."""


class Identity:
    """The value is the latent coordinate."""

    positive = False

    def forward(self, z: FloatArray) -> FloatArray:
        """Return z."""
        return z

    def at(self, z: float) -> float:
        """Return z."""
        return z

    def inverse(self, x: FloatArray) -> FloatArray:
        """Return x."""
        return x

    def log_slope(self, z: FloatArray) -> FloatArray | float:
        """Return 0: the slope is 1 everywhere."""
        return 0.0


class Exponential:
    """The value is e to the latent coordinate."""

    positive = True

    def forward(self, z: FloatArray) -> FloatArray:
        """Return exp(z), positive and finite."""
        return np.asarray(np.exp(np.minimum(np.maximum(z, MIN_EXPONENT), MAX_EXPONENT)))

    def at(self, z: float) -> float:
        """Return exp(z), by numpy: the last bit of `math.exp` may be another."""
        return float(np.exp(min(max(z, MIN_EXPONENT), MAX_EXPONENT)))

    def inverse(self, x: FloatArray) -> FloatArray:
        """Return log(x); about -744 for x <= 0."""
        return np.asarray(np.log(np.maximum(x, TINY)))

    def log_slope(self, z: FloatArray) -> FloatArray | float:
        """Return z: the slope of exp is exp."""
        return z


IDENTITY = Identity()
EXPONENTIAL = Exponential()
