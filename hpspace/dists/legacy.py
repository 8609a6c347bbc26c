"""Hyperopt's ``rdists``: its distributions as objects in the manner of scipy.stats, for tests and for plots.

Thin views of the distributions of this layer. The two continuous ones are scipy's own frozen distributions;
the quantised ones answer `pmf`, `logpmf` and `rvs`. Nothing in hpspace uses them. Different from Hyperopt:
`rvs` never draws from numpy's global generator, whose seed therefore has no effect here; pass
``random_state``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hpspace.dists.base import Distribution
from hpspace.dists.quantized import QLogNormal, QLogUniform, QNormal, QUniform
from hpspace.dists.special import BoolArray, FloatArray

if TYPE_CHECKING:
    from scipy.stats.distributions import rv_frozen


def loguniform_gen(low: float = 0, high: float = 1) -> rv_frozen:
    """Return scipy's distribution of a value whose logarithm is uniform.

    Parameters
    ----------
    low, high : float
        Bounds of the natural logarithm.

    Returns
    -------
    scipy.stats.rv_frozen
        With ``pdf``, ``logpdf``, ``cdf``, ``ppf``, ``rvs`` and the rest.
    """
    from scipy import stats

    return stats.loguniform(math.exp(low), math.exp(high))


def lognorm_gen(mu: float, sigma: float) -> rv_frozen:
    """Return scipy's distribution of a value whose logarithm is normal.

    Parameters
    ----------
    mu, sigma : float
        Mean and standard deviation of the natural logarithm.

    Returns
    -------
    scipy.stats.rv_frozen
        With ``pdf``, ``logpdf``, ``cdf``, ``ppf``, ``rvs`` and the rest.
    """
    from scipy import stats

    return stats.lognorm(sigma, scale=math.exp(mu))


class _Quantised:
    """A quantised distribution with scipy's method names.

    Parameters
    ----------
    dist : Distribution
        The distribution that answers.
    q : float or int
        The step as the user gave it: an int makes `rvs` return ints.
    """

    def __init__(self, dist: Distribution, q: float) -> None:
        self._dist = dist
        self.q = q

    def pmf(self, x: ArrayLike) -> FloatArray:
        """Return the probability of each x, 0 off the grid.

        Parameters
        ----------
        x : array_like of float
            Points.

        Returns
        -------
        ndarray of float64
            Probabilities.
        """
        return np.exp(self.logpmf(x))

    def logpmf(self, x: ArrayLike) -> FloatArray:
        """Return the log probability of each x, -inf off the grid.

        Parameters
        ----------
        x : array_like of float
            Points.

        Returns
        -------
        ndarray of float64
            Natural logarithms of the probabilities.
        """
        return self._dist.log_prob(x)

    def in_domain(self, x: ArrayLike) -> BoolArray:
        """Return whether each x is a possible value.

        Parameters
        ----------
        x : array_like of float
            Points.

        Returns
        -------
        ndarray of bool
            True on the grid.
        """
        return self._dist.contains(x)

    def rvs(self, size: int | tuple[int, ...] = (), random_state: Any = None) -> Any:
        """Draw independent values.

        Parameters
        ----------
        size : int or tuple of int
            Shape of the result; ``()`` for a single number.
        random_state : None, int, numpy.random.Generator or RandomState
            Source of randomness; default: a fresh generator.

        Returns
        -------
        number or ndarray
            Ints when q is an int, else floats.
        """
        if isinstance(random_state, np.random.RandomState):
            values = self._dist.quantile(random_state.random_sample(size))
        else:
            values = self._dist.quantile(np.random.default_rng(random_state).random(size))
        whole = isinstance(self.q, (int, np.integer))
        typed = np.rint(values).astype(np.int64) if whole else np.asarray(values)
        return typed.item() if size == () else typed


class quniform_gen(_Quantised):  # noqa: N801  # Hyperopt's name
    """Uniform between low and high, rounded to multiples of q.

    Parameters
    ----------
    low, high : float
        Bounds before rounding.
    q : float or int
        Step of the grid.

    Examples
    --------
    >>> quniform_gen(0, 4, 1).pmf([0, 1, 1.5]).round(3).tolist()
    [0.125, 0.25, 0.0]
    """

    def __init__(self, low: float, high: float, q: float) -> None:
        super().__init__(QUniform(low, high, q), q)
        self.low, self.high = low, high


class qloguniform_gen(_Quantised):  # noqa: N801  # Hyperopt's name
    """Exponential of uniform, rounded to multiples of q.

    Parameters
    ----------
    low, high : float
        Bounds of the natural logarithm before rounding.
    q : float or int
        Step of the grid.
    """

    def __init__(self, low: float, high: float, q: float) -> None:
        super().__init__(QLogUniform(low, high, q), q)
        self.low, self.high = low, high


class qnormal_gen(_Quantised):  # noqa: N801  # Hyperopt's name
    """Normal, rounded to multiples of q.

    Parameters
    ----------
    mu, sigma : float
        Mean and standard deviation before rounding.
    q : float or int
        Step of the grid.
    """

    def __init__(self, mu: float, sigma: float, q: float) -> None:
        super().__init__(QNormal(mu, sigma, q), q)
        self.mu, self.sigma = mu, sigma


class qlognormal_gen(_Quantised):  # noqa: N801  # Hyperopt's name
    """Exponential of normal, rounded to multiples of q.

    Parameters
    ----------
    mu, sigma : float
        Mean and standard deviation of the natural logarithm before rounding.
    q : float or int
        Step of the grid.
    """

    def __init__(self, mu: float, sigma: float, q: float) -> None:
        super().__init__(QLogNormal(mu, sigma, q), q)
        self.mu, self.sigma = mu, sigma
