"""The form of a choice: codes with probabilities and no order, hence without a line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np

from hpspace.dists.forms import Choice
from hpspace.dists.special import BoolArray, FloatArray


@dataclass(frozen=True)
class ChoiceForm:
    """Codes 0 to K - 1 with given probabilities and no order.

    Parameters
    ----------
    p : tuple of float
        Probability of each code; scaled to sum to exactly 1.
    """

    p: tuple[float, ...]

    @cached_property
    def _masses(self) -> FloatArray:
        p = np.asarray(self.p, dtype=np.float64)
        return np.asarray(p / p.sum())

    @cached_property
    def _upper(self) -> FloatArray:
        """Upper end of each code's share of the unit interval; the last possible code's is 1."""
        upper = np.cumsum(self._masses)
        upper[int(np.flatnonzero(self._masses)[-1]) :] = 1.0
        return upper

    @property
    def latent(self) -> Choice:
        """The probabilities."""
        return Choice(tuple(self._masses.tolist()))

    @property
    def size(self) -> int:
        """Number of codes whose probability is not 0."""
        return int(np.count_nonzero(self._masses))

    @property
    def is_log(self) -> bool:
        """False: codes have no magnitude."""
        return False

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest possible code."""
        possible = np.flatnonzero(self._masses)
        return float(possible[0]), float(possible[-1])

    def values(self, limit: int | None = None) -> FloatArray:
        """Return the possible codes, ascending."""
        return np.flatnonzero(self._masses)[:limit].astype(np.float64)

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return the code whose share of the unit interval holds u."""
        code = np.searchsorted(self._upper, u, side="right")
        return np.asarray(np.minimum(code, self.support[1]), dtype=np.float64)

    def at(self, u: float) -> float:
        """Return what `quantile` does for one probability."""
        return float(self.quantile(np.asarray(u)))

    def cdf(self, x: FloatArray) -> FloatArray:
        """Return the total probability of the codes up to x."""
        code = np.minimum(np.floor(x), len(self.p) - 1.0)
        upper = self._upper[np.maximum(code, 0.0).astype(np.intp)]
        return np.where(np.less(code, 0.0), 0.0, upper)

    def contains(self, x: FloatArray) -> BoolArray:
        """Return whether x is a code of positive probability."""
        return np.isfinite(self.log_prob(x))

    def log_prob(self, x: FloatArray) -> FloatArray:
        """Return the log probability of the code; -inf for anything else."""
        whole = np.isfinite(x) & (np.floor(x) == x) & (np.greater_equal(x, 0)) & (np.less(x, len(self.p)))
        masses = self._masses[np.where(whole, x, 0.0).astype(np.intp)]
        possible = whole & (masses > 0.0)
        return np.where(possible, np.log(np.where(possible, masses, 1.0)), -np.inf)

    def unit(self, x: FloatArray) -> FloatArray:
        """Return the code itself: a choice has no place in the unit interval."""
        return x

    def unit_bins(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return NaN twice."""
        nothing = np.full(np.shape(x), np.nan)
        return nothing, nothing

    def to_latent(self, x: FloatArray) -> FloatArray:
        """Return the code itself."""
        return x

    def from_latent(self, z: FloatArray) -> FloatArray:
        """Return the code itself."""
        return z

    def edges(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return NaN twice."""
        return self.unit_bins(x)

    def line_cdf(self, z: FloatArray) -> NoReturn:
        """Raise: there is no line."""
        raise TypeError("a choice has no order, hence no latent line")

    def line_quantile(self, u: FloatArray) -> NoReturn:
        """Raise: there is no line."""
        raise TypeError("a choice has no order, hence no latent line")
