"""A small Gaussian process: Matern-5/2 with one length scale a parameter, fitted by maximum a posteriori.

k(x, x') = s^2 (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r),   r^2 = sum_d w_d delta_d(x, x')

with delta as in `features.distances` and w_d = 1 / l_d^2 (Rasmussen & Williams 2006, eq. 4.17 and section 5.1 for the
automatic relevance determination). Length scales have the dimension-scaled log-normal prior of Hvarfner et al. (2024,
"Vanilla Bayesian optimization performs great in high dimensions"), which keeps the model smooth while there are few
trials for many parameters. The noise has a wide prior around a hundredth of the variance.

Pure numpy, and scipy's L-BFGS when fitting. Axes: n trials, m points, D parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.suggest.linalg import cholesky, product, times_vector
from hpspace.suggest.linalg import inverse as inverted
from hpspace.suggest.surrogate.features import Matrix, embedded, squared_distances
from hpspace.suggest.surrogate.incumbent import Incumbent

_SQRT5 = math.sqrt(5.0)

#: Prior of log l: normal with mean sqrt(2) + log(D) / 2 and variance 3.
_LENGTH_VARIANCE = 3.0
#: Prior of the log noise variance: normal around log 1e-2, and wide, for there are losses without and with much noise.
_NOISE_MEAN, _NOISE_SD = math.log(1e-2), 2.5
#: Prior of the log signal variance: standard normal, as the targets are standardised.
_SIGNAL_SD = 1.0
#: Added to the diagonal, so that equal points stay numerically apart.
_JITTER = 1e-8

#: Bounds of the search for (log w, log s^2, log noise).
_LOG_W, _LOG_S, _LOG_NOISE = (-14.0, 9.0), (-4.0, 4.0), (math.log(1e-7), 1.0)


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of the kernel.

    Parameters
    ----------
    log_w : float64 array, shape (D,)
        Minus twice the log length scales.
    log_s : float
        Log signal variance.
    log_noise : float
        Log noise variance.
    """

    log_w: NDArray[np.float64]
    log_s: float
    log_noise: float

    @classmethod
    def typical(cls, d: int) -> Hyper:
        """Return the prior's centre for D parameters."""
        return cls(np.full(d, -2.0 * _length_mean(d)), 0.0, _NOISE_MEAN)

    def packed(self) -> NDArray[np.float64]:
        """Return one vector, shape (D + 2,)."""
        return np.concatenate([self.log_w, [self.log_s, self.log_noise]])

    @classmethod
    def unpacked(cls, theta: NDArray[np.float64]) -> Hyper:
        """Return the inverse of `packed`."""
        return cls(theta[:-2], float(theta[-2]), float(theta[-1]))


def _length_mean(d: int) -> float:
    return math.sqrt(2.0) + 0.5 * math.log(max(d, 1))


def matern(r2: Matrix) -> tuple[Matrix, Matrix]:
    """Return the Matern-5/2 correlation and its derivative by r^2, for an array of squared distances.

    Examples
    --------
    >>> matern(np.zeros(1))[0].tolist()
    [1.0]
    """
    r = _SQRT5 * np.sqrt(r2)
    decay = np.exp(-r)
    return (1.0 + r + r * r / 3.0) * decay, (-5.0 / 6.0) * (1.0 + r) * decay


def correlation(r2: Matrix) -> Matrix:
    """Return the Matern-5/2 correlation for an array of squared distances, as `matern` does.

    Examples
    --------
    >>> correlation(np.array([0.0, 1.0])).round(3).tolist()
    [1.0, 0.524]
    """
    r = np.sqrt(r2)
    r *= _SQRT5
    grown = r * r
    grown /= 3.0
    grown += r
    grown += 1.0
    np.negative(r, out=r)
    np.exp(r, out=r)
    r *= grown
    return r


def _negative_log_posterior(
    theta: NDArray[np.float64], apart: Matrix, y: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the objective of the fit and its gradient.

    Rasmussen & Williams 2006, eq. 5.8 and 5.9, and the log densities of the priors.

    Parameters
    ----------
    theta : float64 array, shape (D + 2,)
        Packed hyperparameters.
    apart : float64 array, shape (D, n * n)
        Distances of the trials.
    y : float64 array, shape (n,)
        Standardised targets.
    """
    n, d = len(y), len(theta) - 2
    w, s, noise = np.exp(theta[:-2]), math.exp(theta[-2]), math.exp(theta[-1])
    correlation, slope = matern(product(w[None, :], apart).reshape(n, n))
    k = s * correlation
    k.flat[:: n + 1] += noise + _JITTER
    try:
        lower = cholesky(k)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(theta)
    inverse = inverted(lower)
    alpha = np.einsum("mn,n->m", inverse, y)
    value = 0.5 * float(y @ alpha) + float(np.log(np.diag(lower)).sum())
    a = np.outer(alpha, alpha) - inverse  # gradient of the log likelihood by K is a / 2
    gradient = np.empty_like(theta)
    gradient[:-2] = -0.5 * s * w * times_vector(apart, (a * slope).ravel())
    gradient[-2] = -0.5 * s * float((a * correlation).sum())
    gradient[-1] = -0.5 * noise * float(np.trace(a))
    log_l = -0.5 * theta[:-2] - _length_mean(d)
    value += 0.5 * float(log_l @ log_l) / _LENGTH_VARIANCE
    gradient[:-2] -= 0.5 * log_l / _LENGTH_VARIANCE
    value += 0.5 * (theta[-2] / _SIGNAL_SD) ** 2 + 0.5 * ((theta[-1] - _NOISE_MEAN) / _NOISE_SD) ** 2
    gradient[-2] += theta[-2] / _SIGNAL_SD**2
    gradient[-1] += (theta[-1] - _NOISE_MEAN) / _NOISE_SD**2
    return value, gradient


def fit(apart: Matrix, y: NDArray[np.float64], start: Hyper, iterations: int) -> Hyper:
    """Return the hyperparameters of highest posterior density near a start.

    Parameters
    ----------
    apart : float64 array, shape (D, n, n)
        Distances of the trials, by parameter.
    y : float64 array, shape (n,)
        Standardised targets.
    start : Hyper
        Where the search begins.
    iterations : int
        The most iterations of L-BFGS.

    Returns
    -------
    Hyper
    """
    from scipy.optimize import minimize

    d = len(apart)
    found = minimize(
        _negative_log_posterior,
        start.packed(),
        args=(apart.reshape(d, -1), y),
        jac=True,
        method="L-BFGS-B",
        bounds=[_LOG_W] * d + [_LOG_S, _LOG_NOISE],
        options={"maxiter": iterations, "maxfun": 2 * iterations},
    )
    return Hyper.unpacked(np.asarray(found.x))


class Posterior:
    """A Gaussian process given its trials.

    Parameters
    ----------
    x : float64 array, shape (n, D)
        Features of the trials.
    y : float64 array, shape (n,)
        Standardised targets.
    choice : bool array, shape (D,)
        Which columns are choices.
    hyper : Hyper
        Hyperparameters.
    believed : int
        How many of the trials, the last ones, were not observed but are believed; see `with_believed`.
    """

    def __init__(
        self, x: Matrix, y: NDArray[np.float64], choice: NDArray[np.bool_], hyper: Hyper, believed: int = 0
    ) -> None:
        self.x = x
        self.y = y
        self.choice = choice
        self.hyper = hyper
        self.believed = believed
        self._w = np.exp(hyper.log_w)
        self._s = math.exp(hyper.log_s)
        self._codes = [(int(d), np.unique(x[:, d])) for d in np.flatnonzero(choice)]
        self._embedded = self._embed(x)
        k = self._s * matern(squared_distances(self._embedded, self._embedded))[0]
        k.flat[:: len(y) + 1] = self._s + math.exp(hyper.log_noise) + _JITTER
        self._inverse = inverted(cholesky(k))
        self._alpha = np.einsum("mn,n->m", self._inverse, y)

    def _embed(self, points: Matrix) -> Matrix:
        """Return embedded points; a code that no trial has is as far from every trial as another code."""
        vectors = embedded(points, self._w, self._codes)
        new = [
            np.sqrt(0.5 * self._w[d]) * ~np.isin(points[:, d], values)[:, None] for d, values in self._codes
        ]
        return np.concatenate([vectors, *new], axis=1)

    def covariance(self, points: Matrix) -> Matrix:
        """Return the covariance of points (m, D) and the trials, shape (m, n)."""
        return self._s * matern(squared_distances(self._embed(points), self._embedded))[0]

    def at(self, points: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the noise-free function at points.

        Parameters
        ----------
        points : float64 array, shape (m, D)
            Features.

        Returns
        -------
        mean, sd : float64 arrays, shape (m,)
        """
        k = self.covariance(points)
        mean = np.einsum("mn,n->m", k, self._alpha)
        variance = self._s - np.einsum("mn,mn->m", product(k, self._inverse), k)
        return mean, np.sqrt(np.maximum(variance, 1e-12))

    def left_out(self) -> NDArray[np.float64]:
        """Return the prediction of each trial from the others, shape (n,).

        Rasmussen & Williams 2006, eq. 5.12.
        """
        return np.asarray(self.y - self._alpha / np.diag(self._inverse))

    def incumbent(self) -> Incumbent:
        """Return what is known of the trial of lowest observed target."""
        noise = math.exp(self.hyper.log_noise)
        first = int(self.y[: len(self.y) - self.believed].argmin())
        mean = self.y[first] - (noise + _JITTER) * self._alpha[first]  # as K alpha = y
        return Incumbent(float(self.y[first]), float(mean), noise)

    def with_believed(self, points: Matrix) -> Posterior:
        """Return the process after its own means at points (m, D) were observed there (kriging believer)."""
        mean, _ = self.at(points)
        x, y = np.vstack([self.x, points]), np.append(self.y, mean)
        return Posterior(x, y, self.choice, self.hyper, self.believed + len(points))
