"""How much better the trial that a search ends with becomes: expected improvement where losses are noisy.

What a user takes from a search is the trial of lowest *observed* loss, the incumbent. Another trial changes that only
if its own observation is lower still; what is gained then is the difference of the noise-free values. With a Gaussian
prediction ``f ~ N(m, s^2)`` of a candidate, observed as ``y = f + e`` with ``e ~ N(0, t^2)``, and an incumbent that was
observed at ``y*`` and is believed to be worth ``m*``:

    gain = E[(m* - f) 1{y < y*}] = (m* - m) Phi(z) + (s^2 / v) phi(z),     v^2 = s^2 + t^2,  z = (y* - m) / v,

as ``E[f | y] = m + (s / v)^2 (y - m)``. Without noise, ``m* = y*`` and ``v = s``, it is the usual expected improvement
(Jones, Schonlau & Welch 1998). With much noise it does three things which that one does not: a lucky incumbent, whose
mean is poor, is worth replacing by points that are merely believed to be good; a point believed to be worse than the
incumbent is a risk, for its own luck may put it first; and a lower observation must be within reach.

The factor of Phi(z) in it is negative where a point is expected to do harm. It is cut at a small multiple of s, so that
harmful points are still ordered, by how likely they come first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.dists.normal import erfcx, log_ndtr

Vector = NDArray[np.float64]

#: The gain of a point that comes first is taken to be at least this many of its standard deviations.
_LEAST_GAIN = 1e-3

_SQRT_2, _SQRT_2_OVER_PI = math.sqrt(2.0), math.sqrt(2.0 / math.pi)


@dataclass(frozen=True)
class Incumbent:
    """What is known of the trial of lowest observed loss, and of the noise.

    Parameters
    ----------
    seen : float
        Its observed loss.
    mean : float
        Its posterior mean.
    noise : float
        Variance of the noise.
    """

    seen: float
    mean: float
    noise: float

    def log_gain(self, mean: Vector, variance: Vector) -> Vector:
        """Return the log of what predicted points are expected to gain, shape (c,).

        Parameters
        ----------
        mean, variance : float64 arrays, shape (c,)
            Of the noise-free function at the points; variances are positive.

        Examples
        --------
        >>> lucky = Incumbent(seen=-3.0, mean=0.0, noise=1.0)
        >>> good, bad = lucky.log_gain(np.array([-1.0, 0.5]), np.array([0.01, 0.01]))
        >>> bool(good > bad + 3)
        True
        """
        total = np.sqrt(variance + self.noise)
        z = (self.seen - mean) / total
        log_first = log_ndtr(z)
        hazard = _SQRT_2_OVER_PI / erfcx(-z / _SQRT_2)  # phi / Phi
        gain = self.mean - mean + variance / total * hazard
        return np.asarray(log_first + np.log(np.maximum(gain, _LEAST_GAIN * np.sqrt(variance))))
