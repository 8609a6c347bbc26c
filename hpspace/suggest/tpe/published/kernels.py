"""Kernels around past trials, one parameter at a time, and mixtures of their products.

A kernel is a probability distribution of one parameter that one trial contributes; the last kernel of each set is the
prior's. A number has a normal kernel on the distribution's latent line, cut to the line's bounds; where values are on
a grid, its mass of the value's bin counts. A code has a kernel that is the trial's own code and, with some weight, a
draw as declared. A `Mixture` draws a kernel and takes a value of every parameter from it: with one parameter that is
the model of Hyperopt, with several that of Optuna.

Bandwidths and weights are not decided here, but in `hyperopt` and `optuna`.

Axes: c values, k kernels (trials in order of age, then the prior), d parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.dists import Choice, Distribution, Grid, Real
from hpspace.dists.truncnorm import log_mass, log_pdf, quantile

Array = NDArray[np.float64]


class Kernels(Protocol):
    """The kernels of one parameter."""

    def log_kernels(self, values: Array) -> Array:
        """Return the log density or mass of every kernel at raw values (c,), shape (c, k)."""

    def draw(self, which: NDArray[np.intp], rng: Generator) -> Array:
        """Draw a raw value from each of the kernels `which` (c,), shape (c,)."""


def line_of(dist: Distribution) -> Real:
    """Return the latent line of a distribution of numbers."""
    latent = dist.latent
    assert not isinstance(latent, Choice)  # codes have no line
    return latent.line if isinstance(latent, Grid) else latent


@dataclass(frozen=True)
class NumberKernels:
    """Normal kernels of a number, on its latent line.

    Parameters
    ----------
    dist : Distribution
        The parameter's, which is no choice.
    mu, sigma : float64 arrays, shape (k,)
        Places and bandwidths; the prior's are last.
    least : float
        Bins do not reach below this place of the line.
    """

    dist: Distribution
    mu: Array
    sigma: Array
    least: float = -math.inf

    def log_inside(self) -> Array:
        """Return the log mass of each kernel inside the line's bounds before it is cut, shape (k,)."""
        line = line_of(self.dist)
        return log_mass(line.low, line.high, self.mu, self.sigma)

    def log_kernels(self, values: Array) -> Array:
        """Return the log density on the line or, on a grid, the log mass of the bin; shape (c, k)."""
        line = line_of(self.dist)
        if isinstance(self.dist.latent, Grid):
            low, high = self.dist.edges(values)
            low = np.maximum(low, self.least)
            return log_mass(low[:, None], high[:, None], self.mu, self.sigma) - self.log_inside()
        z = self.dist.to_latent(values)
        return log_pdf(z[:, None], self.mu, self.sigma, line.low, line.high)

    def draw(self, which: NDArray[np.intp], rng: Generator) -> Array:
        """Draw from cut normals by inversion, rounded to the grid if there is one; shape (c,)."""
        line = line_of(self.dist)
        u = np.maximum(rng.random(len(which)), 2.0**-54)  # finite where the line is not
        return self.dist.from_latent(quantile(u, self.mu[which], self.sigma[which], line.low, line.high))


@dataclass(frozen=True)
class CodeKernels:
    """Kernels of a code: a trial's own with probability ``1 / (1 + spread)``, else one as declared.

    Parameters
    ----------
    dist : Distribution
        The declared distribution, whose values are taken for unordered codes.
    codes : float64 array, shape (k - 1,)
        The trials' codes.
    spread : float
        Weight of the declared distribution beside the trial's own code; 0 or more.
    """

    dist: Distribution
    codes: Array
    spread: float

    def log_kernels(self, values: Array) -> Array:
        """Return the log probabilities of codes, shape (c, k)."""
        declared = np.exp(self.dist.log_prob(values))[:, None]  # (c, 1)
        own = (values[:, None] == self.codes).astype(np.float64)
        with np.errstate(divide="ignore"):  # a kernel without spread has only its own code
            logs: Array = np.log(np.hstack([(own + self.spread * declared) / (1.0 + self.spread), declared]))
        return logs

    def draw(self, which: NDArray[np.intp], rng: Generator) -> Array:
        """Draw codes, shape (c,)."""
        declared = self.dist.sample(rng, len(which))
        keeps = rng.random(len(which)) * (1.0 + self.spread) < 1.0
        return np.where(keeps & (which < len(self.codes)), np.append(self.codes, 0.0)[which], declared)


@dataclass(frozen=True)
class Mixture:
    """A weighted mixture of products of kernels.

    Parameters
    ----------
    parameters : tuple of Kernels
        The kernels of each of d parameters; kernel i of all of them belongs to the same trial.
    log_weights : float64 array, shape (k,)
        Logs of the weights, which are scaled to sum to 1.
    """

    parameters: tuple[Kernels, ...]
    log_weights: Array

    def __post_init__(self) -> None:
        total = log_sum_exp(self.log_weights[None, :])
        object.__setattr__(self, "log_weights", self.log_weights - total)

    def log_density(self, values: Array) -> Array:
        """Return the log density at raw values.

        Parameters
        ----------
        values : float64 array, shape (c, d)
            NaN for a parameter that a point lacks: the density is then that of the others.

        Returns
        -------
        float64 array, shape (c,)
        """
        terms = np.tile(self.log_weights, (len(values), 1))  # (c, k)
        for column, kernels in zip(values.T, self.parameters):
            has = column == column
            terms[has] += kernels.log_kernels(column[has])
        return log_sum_exp(terms)

    def draw(self, rng: Generator, size: int) -> Array:
        """Draw raw values of all parameters.

        Parameters
        ----------
        rng : Generator
            Source of randomness.
        size : int
            How many.

        Returns
        -------
        float64 array, shape (size, d)
        """
        which = rng.choice(len(self.log_weights), size=size, p=np.exp(self.log_weights))
        return np.column_stack([kernels.draw(which, rng) for kernels in self.parameters])


def best_of_draws(good: Mixture, bad: Mixture, candidates: int, rng: Generator) -> Array:
    """Draw candidates from the good trials' density and return the one with the greatest ratio.

    Both libraries choose by ``log l - log g``, which has its greatest value where expected improvement has: Bergstra
    et al. 2011, section 4.1.

    Parameters
    ----------
    good, bad : Mixture
        Densities of the same d parameters.
    candidates : int
        How many are drawn.
    rng : Generator
        Source of randomness.

    Returns
    -------
    float64 array, shape (d,)
        Raw values; the first of equally good candidates.
    """
    drawn = good.draw(rng, candidates)
    best: Array = drawn[int(np.argmax(good.log_density(drawn) - bad.log_density(drawn)))]
    return best


def log_sum_exp(terms: Array) -> Array:
    """Return the log of the sum of exponentials of each row of `terms` (c, k), shape (c,); -inf where all are.

    Examples
    --------
    >>> float(log_sum_exp(np.log([[1.0, 2.0]]))[0].round(6))  # log(1 + 2)
    1.098612
    """
    top = terms.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(terms - top).sum(axis=1)) + top[:, 0])
