"""Parzen densities over a whole search space: one joint kernel a trial, and the marginal of every parameter.

Everything lives in the unit coordinates of a compiled space, where the declared distribution is uniform:

* continuous: a normal around the trial's coordinate, truncated to [0, 1];
* grid: the same normal's mass of the value's bin;
* choice: the trial's code with the rest of the probability spread as declared,
  ``(1[c = c_i] + K e p_c) / (1 + K e)`` with ``e = prior_weight / (n_d + 1)`` for K options;
* and one kernel for the prior: the declared distribution itself.

A trial's joint kernel is the product of its kernels along the parameters it has. A point may have parameters
that the trial lacks (another option of a choice); their factor is that parameter's marginal density, the
mixture over the trials that do have it. So the joint density integrates to one over the tree, and what the
trial knows about shared parameters is not lost.

Bandwidths follow the neighbour rule of Bergstra et al. (2011) as Optuna bounds it, with the floors that were
found to matter: see the module `bandwidths`.

Not here: which trials are good, which candidate wins. Axes: D columns in the order of `Layout`, c points at
which a density is evaluated, n kernels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.dists.normal import ndtr
from hpspace.suggest.tpe.bandwidths import MIN_BANDWIDTH, bandwidth_floor, bandwidths
from hpspace.suggest.tpe.layout import Layout, Points, pick
from hpspace.suggest.tpe.sampler import Sampler
from hpspace.suggest.tpe.tables import TINY

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)

#: Numbers of the largest intermediate array: more points are evaluated in turn. Half a megabyte stays in the
#: cache and is not returned to the system each time (with 16 MB a proposal after 1,000 trials took half as
#: long again).
_CHUNK = 1 << 16

#: With fewer kernels than this, looking for equal ones costs more than it saves.
_FEW = 48


@dataclass(frozen=True)
class Density:
    """A mixture's densities at c points.

    Parameters
    ----------
    log_joint : float64 array, shape (c,)
        Log density of each whole point along its active parameters.
    log_marginals : float64 array, shape (D, c)
        Log density of each parameter alone; 0 where inactive.
    """

    log_joint: NDArray[np.float64]
    log_marginals: NDArray[np.float64]


class Parzen:
    """A weighted mixture of kernels on trials and of the prior.

    Parameters
    ----------
    layout : Layout
        The columns.
    points : Points
        The n trials.
    weights : float64 array, shape (n,)
        Weight of each trial's kernel.
    sigma : float64 array, shape (numeric, n)
        Bandwidths, positive.
    spread : float64 array, shape (choices,)
        K e of each choice: a share K e / (1 + K e) of a kernel's probability is spread as declared.
    prior_weight : float
        Weight of the prior's kernel, positive.

    Attributes
    ----------
    held : float64 array, shape (D, n)
        Weights of the kernels that have each parameter, else 0.
    totals : float64 array, shape (D,)
        Weight behind each marginal, the prior's included.
    total : float
        Weight behind the joint density, the prior's included.
    """

    def __init__(
        self,
        layout: Layout,
        points: Points,
        weights: NDArray[np.float64],
        sigma: NDArray[np.float64],
        spread: NDArray[np.float64],
        prior_weight: float,
    ) -> None:
        self.layout = layout
        self.points = points
        self.weights = weights
        self.prior_weight = prior_weight
        self.held = points.active * weights
        self.totals = self.held.sum(axis=1) + prior_weight
        self.total = float(weights.sum()) + prior_weight
        self._mu = points.x[: layout.numeric]
        self._sigma = sigma
        self._spread = spread
        self._below = ndtr(-self._mu / sigma)  # normal mass below 0, (numeric, n)
        self._mass = ndtr((1.0 - self._mu) / sigma) - self._below  # and inside [0, 1]

    @property
    def sigma(self) -> NDArray[np.float64]:
        """Bandwidths, shape (numeric, n)."""
        return self._sigma

    @property
    def spread(self) -> NDArray[np.float64]:
        """As passed, shape (choices,)."""
        return self._spread

    @classmethod
    def fit(
        cls,
        layout: Layout,
        points: Points,
        weights: NDArray[np.float64],
        prior_weight: float = 1.0,
        min_bandwidth: float | NDArray[np.float64] = MIN_BANDWIDTH,
    ) -> Parzen:
        """Return the mixture whose bandwidths and smoothing follow from its own trials.

        Parameters
        ----------
        layout : Layout
            The columns.
        points : Points
            The n trials.
        weights : float64 array, shape (n,)
            Weight of each trial's kernel.
        prior_weight : float
            Weight of the prior's kernel, positive.
        min_bandwidth : float or float64 array, shape (n,)
            Smallest bandwidth, in units of the coordinate; an array gives each trial its own.
        """
        m = layout.numeric
        floor = bandwidth_floor(layout, points, min_bandwidth)
        sigma = bandwidths(points.x[:m], points.active[:m], floor)
        counts = points.active[m:].sum(axis=1)
        spread = layout.n_options * prior_weight / (counts + 1.0)
        return cls(layout, points, weights, sigma, spread, prior_weight)

    def narrow(self, point: Points) -> Parzen:
        """Return a mixture with the kernel of one further point, as narrow as this mixture's narrowest."""
        sigma = np.full((self.layout.numeric, 1), self._sigma.min(initial=1.0))
        grid = sigma[self.layout.reals :]
        np.maximum(grid, 0.5 * (point.high - point.low), out=grid)
        return Parzen(self.layout, point, np.ones(1), sigma, self._spread, self.prior_weight)

    # ---------------------------------------------------------------- densities

    def at(self, points: Points) -> Density:
        """Return the mixture's densities at points."""
        step = max(1, _CHUNK // max(1, len(self.layout.order) * self.points.n))
        if points.n <= step:
            return self._at(points)
        parts = [self._at(points.select(slice(i, i + step))) for i in range(0, points.n, step)]
        return Density(
            np.concatenate([part.log_joint for part in parts]),
            np.concatenate([part.log_marginals for part in parts], axis=1),
        )

    def _at(self, points: Points) -> Density:
        log_kernels = self.log_kernels(points)  # (D, c, n)
        prior = prior_density(self.layout, points)  # (D, c)
        sums = np.einsum("dcn,dn->dc", np.exp(log_kernels), self.held)
        marginals = np.log((sums + self.prior_weight * prior) / self.totals[:, None])
        if not self._complete:  # back off to the marginal where a trial lacks the parameter
            log_kernels = np.where(self.points.active[:, None, :], log_kernels, marginals[:, :, None])
        log_prior = np.log(prior)
        if not points.active.all():
            absent = ~points.active
            log_kernels[absent] = 0.0
            marginals[absent] = 0.0
            log_prior[absent] = 0.0
        terms = np.empty((points.n, len(self.weights) + 1))
        np.add(log_kernels.sum(axis=0), self._log_weights, out=terms[:, :-1])
        terms[:, -1] = log_prior.sum(axis=0) + math.log(self.prior_weight)
        return Density(_log_sum_exp(terms) - math.log(self.total), marginals)

    def log_kernels(self, points: Points) -> NDArray[np.float64]:
        """Return the log of every kernel at every point, shape (D, c, n).

        Entries whose parameter the trial or the point lacks are finite but mean nothing.
        """
        layout = self.layout
        r, m = layout.reals, layout.numeric
        out = np.empty((len(layout.order), points.n, self.points.n))
        z = out[:r]
        np.subtract(points.x[:r, :, None], self._mu[:r, None, :], out=z)
        z *= self._scale[:r, None, :]
        z *= z
        np.subtract(self._log_peak[:r, None, :], z, out=z)
        if layout.grids:
            out[r:m] = self._log_bin_masses(points)
        if m < len(out):
            self._log_choices(points, out[m:])
        return out

    def _log_bin_masses(self, points: Points) -> NDArray[np.float64]:
        """Return the log masses of the points' bins under the grid kernels, shape (grids, c, n)."""
        mu, scale, inside, which = self._distinct_grids
        a = (points.low[:, :, None] - mu[:, None, :]) * scale[:, None, :]
        b = (points.high[:, :, None] - mu[:, None, :]) * scale[:, None, :]
        above = a + b > 0  # take the smaller tail: far above the kernel both cdfs round to 1
        mass = ndtr(np.where(above, -a, b)) - ndtr(np.where(above, -b, a))
        with np.errstate(divide="ignore"):  # beyond 37 sigma the mass is 0 and the prior's kernel carries on
            log_mass: NDArray[np.float64] = np.log(mass / inside[:, None, :])
        return log_mass if which is None else np.take_along_axis(log_mass, which[:, None, :], axis=2)

    @cached_property
    def _distinct_grids(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.intp] | None]:
        """Return centres, 1 / bandwidths and masses of the distinct grid kernels, and which each trial has.

        Many trials share a grid value, hence a kernel, and the normal cdf is what a proposal's time goes into.
        """
        part = slice(self.layout.reals, self.layout.numeric)
        mu, sigma, inside = self._mu[part], self._sigma[part], self._mass[part]
        if self.points.n < _FEW:
            return mu, 1.0 / sigma, inside, None
        rank = np.lexsort((sigma, mu), axis=1)
        rows = np.arange(len(mu))[:, None]
        mu, sigma, inside = mu[rows, rank], sigma[rows, rank], inside[rows, rank]
        new = np.ones(mu.shape, dtype=bool)
        new[:, 1:] = (np.diff(mu, axis=1) != 0) | (np.diff(sigma, axis=1) != 0)
        place = np.cumsum(new, axis=1) - 1  # (grids, n): the distinct kernel of each trial, in sorted order
        shape = (len(mu), int(place[:, -1].max()) + 1)
        distinct = [np.full(shape, 1.0) for _ in range(3)]
        for table, column in zip(distinct, (mu, sigma, inside)):
            table[rows, place] = column
        which = np.empty_like(rank)
        which[rows, rank] = place
        return distinct[0], 1.0 / distinct[1], distinct[2], which

    def _log_choices(self, points: Points, out: NDArray[np.float64]) -> None:
        """Write the log kernels of the choices into `out`, shape (choices, c, n)."""
        m = self.layout.numeric
        codes = points.x[m:]  # (choices, c)
        spread = self._spread[:, None]
        miss = spread * code_probabilities(self.layout, codes) / (1.0 + spread)
        hit = miss + 1.0 / (1.0 + spread)
        same = codes[:, :, None] == self.points.x[m:, None, :]
        np.copyto(out, np.log(miss)[:, :, None])
        np.copyto(out, np.log(hit)[:, :, None], where=same)

    @cached_property
    def _scale(self) -> NDArray[np.float64]:
        return math.sqrt(0.5) / self._sigma

    @cached_property
    def _log_peak(self) -> NDArray[np.float64]:
        return -np.log(self._sigma * self._mass) - _LOG_SQRT_2PI

    @cached_property
    def _log_weights(self) -> NDArray[np.float64]:
        return np.log(np.maximum(self.weights, 1e-300))

    @cached_property
    def _complete(self) -> bool:
        return bool(self.points.active.all())

    # ---------------------------------------------------------------- sampling

    def sample(self, rng: Generator, size: int) -> NDArray[np.float64]:
        """Draw points from the joint density.

        Parameters
        ----------
        rng : Generator
            Source of randomness.
        size : int
            Number of points.

        Returns
        -------
        float64 array, shape (size, D)
            Coordinates of every column, in the space's order; the activity of the drawn codes is not applied,
            and a grid's coordinate may lie anywhere in its value's bin.
        """
        drawn = np.empty((size, len(self.layout.order)))
        drawn[:, self.layout.order] = self.sampler.draw(rng, size)[0].T
        return drawn

    @cached_property
    def sampler(self) -> Sampler:
        """What draws from this density."""
        return Sampler(
            self.layout,
            self.points.x,
            self.held,
            self.weights,
            self.prior_weight,
            self._sigma,
            self._below,
            self._mass,
            self._spread,
        )


def prior_density(layout: Layout, points: Points) -> NDArray[np.float64]:
    """Return the declared density of each coordinate: 1, the bin's width, or the option's probability; (D, c)."""
    out = np.ones(points.x.shape)
    widths = out[layout.reals : layout.numeric]
    np.maximum(np.subtract(points.high, points.low, out=widths), 1e-300, out=widths)  # far out they vanish
    out[layout.numeric :] = code_probabilities(layout, points.x[layout.numeric :])
    return out


def code_probabilities(layout: Layout, codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the declared probability of each code, shape (choices, c)."""
    p = pick(layout.p, codes.astype(np.intp))
    return np.maximum(p, TINY)


def _log_sum_exp(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log of the sum of exponentials along the last axis; its largest term is finite."""
    top = terms.max(axis=1)
    total: NDArray[np.float64] = top + np.log(np.exp(terms - top[:, None]).sum(axis=1))
    return total
