"""What a distribution is.

A distribution is a frozen value: a class with its arguments as fields, compared by value, whose repr is the
call that makes it. It knows nothing of labels, graphs or trials. A subclass declares its fields and describes
its `form` (see `forms.py`), from which everything else follows; registered by name, it can be built from the
arguments of a graph node.

To add one: a frozen dataclass with `name`, its fields, `form`, and `faults`, under `@register`, in one file.
Random, annealing and TPE work with it at once, because they look at the latent kind only.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike

from hpspace.dists.forms import Choice, Form, Grid
from hpspace.dists.lines import Real
from hpspace.dists.special import BoolArray, FloatArray

#: One thing wrong with the arguments: (argument, its value, the problem, the fix), the last two as clauses.
Finding = tuple[str, Any, str, str]


class _Required:
    """The default of a parameter that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True)
class Parameter:
    """One argument of a distribution.

    Parameters
    ----------
    name : str
        Its keyword.
    default : object
        Its default value, `REQUIRED` when there is none.
    """

    name: str
    default: Any = REQUIRED


def _floats(x: ArrayLike) -> FloatArray:
    return np.asarray(x, dtype=np.float64)


class Distribution(ABC):
    """A probability distribution of one parameter.

    All array methods are vectorised: they take any array-like of values (or probabilities), also a single
    number, and return an array of the same shape. Values are float64, codes and integers included;
    `to_python` makes the exact plain Python value.

    Laws, each a test: masses sum to 1; ``quantile`` is increasing; ``cdf(quantile(u)) >= u`` up to rounding;
    on a grid ``quantile(unit(x)) == x``; ``contains(x)`` where ``log_prob(x)`` is not -inf; equal arguments
    make equal objects.
    """

    #: The registered name, which is also the name of the graph operation.
    name: ClassVar[str]
    #: Whether values are whole numbers seen as Python ints.
    is_integer: ClassVar[bool] = False

    @property
    @abstractmethod
    def form(self) -> Form:
        """Line, scale and lattice that this distribution is made of."""

    @cached_property
    def _form(self) -> Form:
        return self.form

    def __reduce__(self) -> tuple[type[Distribution], tuple[Any, ...]]:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        return type(self), tuple(getattr(self, field.name) for field in fields)

    @property
    def latent(self) -> Real | Grid | Choice:
        """The latent kind, all that an algorithm needs to know."""
        return self._form.latent

    @property
    def size(self) -> int | None:
        """Number of distinct values; None when there are infinitely many."""
        return self._form.size

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest value, possibly infinite."""
        return self._form.support

    @property
    def is_log(self) -> bool:
        """Whether values spread over orders of magnitude, so that an axis of them should be logarithmic."""
        return self._form.is_log

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Draw independent values.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness; one call of ``rng.random(size)`` is made.
        size : int
            Number of values.

        Returns
        -------
        ndarray of float64, shape (size,)
            The values.
        """
        return self._form.quantile(rng.random(size))

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return the value at which the cdf reaches u.

        Parameters
        ----------
        u : array_like of float
            Probabilities from 0 to 1. Normal distributions keep u 2**-53 away from both, so results are
            finite.

        Returns
        -------
        ndarray of float64
            Values of the support.
        """
        return self._form.quantile(_floats(u))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Return the probability of a value that is at most x.

        Parameters
        ----------
        x : array_like of float
            Any numbers, not only possible values.

        Returns
        -------
        ndarray of float64
            Probabilities.
        """
        return self._form.cdf(_floats(x))

    def log_prob(self, x: ArrayLike) -> FloatArray:
        """Return the log density (continuous) or the log mass (grid, choice).

        Parameters
        ----------
        x : array_like of float
            Values.

        Returns
        -------
        ndarray of float64
            Natural logarithms; -inf where x is not a possible value. Exact also 9 standard deviations away.
        """
        return self._form.log_prob(_floats(x))

    def contains(self, x: ArrayLike) -> BoolArray:
        """Return whether x is a possible value, up to rounding.

        Parameters
        ----------
        x : array_like of float
            Candidates; NaN is never contained.

        Returns
        -------
        ndarray of bool
            True for bounds too; on a grid a value may be 1e-9 steps off its point.
        """
        return self._form.contains(_floats(x))

    def values(self, limit: int | None = None) -> FloatArray:
        """Return every value, ascending.

        Parameters
        ----------
        limit : int, optional
            The most values to return; default all.

        Returns
        -------
        ndarray of float64, shape (min(size, limit),)
            The values.

        Raises
        ------
        ValueError
            If there are infinitely many.
        """
        return self._form.values(limit)

    def unit(self, x: ArrayLike) -> FloatArray:
        """Return where values lie in the unit interval of the prior.

        Parameters
        ----------
        x : array_like of float
            Possible values.

        Returns
        -------
        ndarray of float64
            Continuous: the cdf. Grid: the middle of the value's share of (0, 1). Choice: the code itself.
        """
        return self._form.unit(_floats(x))

    def unit_bins(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the share of the unit interval that each value owns.

        Parameters
        ----------
        x : array_like of float
            Possible values.

        Returns
        -------
        low, high : ndarray of float64
            Grid: ends of the share. Continuous: `unit` twice. Choice: NaN twice.
        """
        return self._form.unit_bins(_floats(x))

    def to_latent(self, x: ArrayLike) -> FloatArray:
        """Return the coordinate of values on the latent line (of a choice: the code).

        Parameters
        ----------
        x : array_like of float
            Possible values.

        Returns
        -------
        ndarray of float64
            Finite coordinates within the bounds of the line.
        """
        return self._form.to_latent(_floats(x))

    def from_latent(self, z: ArrayLike) -> FloatArray:
        """Return the values at coordinates of the latent line; rounds to the grid and to the bounds.

        Parameters
        ----------
        z : array_like of float
            Coordinates.

        Returns
        -------
        ndarray of float64
            Possible values.
        """
        return self._form.from_latent(_floats(z))

    def edges(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the ends of each value's bin on the latent line, cut to its bounds.

        Parameters
        ----------
        x : array_like of float
            Possible values.

        Returns
        -------
        low, high : ndarray of float64
            Grid: ends of the bin. Continuous: the coordinate twice. Choice: NaN twice.
        """
        return self._form.edges(_floats(x))

    def line_cdf(self, z: ArrayLike) -> FloatArray:
        """Return the probability of a latent coordinate that is at most z.

        Parameters
        ----------
        z : array_like of float
            Coordinates.

        Returns
        -------
        ndarray of float64
            Probabilities.

        Raises
        ------
        TypeError
            For a choice, which has no line.
        """
        return self._form.line_cdf(_floats(z))

    def line_quantile(self, u: ArrayLike) -> FloatArray:
        """Return the latent coordinate at which the line's cdf reaches u.

        Parameters
        ----------
        u : array_like of float
            Probabilities from 0 to 1.

        Returns
        -------
        ndarray of float64
            Finite coordinates.

        Raises
        ------
        TypeError
            For a choice, which has no line.
        """
        return self._form.line_quantile(_floats(u))

    def to_python(self, x: float) -> int | float:
        """Return a value as the plain Python number that an objective sees.

        Parameters
        ----------
        x : float
            A possible value.

        Returns
        -------
        int or float
            An int exactly when `is_integer`.
        """
        return round(float(x)) if self.is_integer else float(x)

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Return the arguments in positional order.

        Returns
        -------
        tuple of Parameter
            Names and defaults.
        """
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # every subclass is a dataclass
        missing = dataclasses.MISSING
        return tuple(Parameter(f.name, REQUIRED if f.default is missing else f.default) for f in fields)

    @classmethod
    @abstractmethod
    def faults(cls, args: Mapping[str, Any]) -> list[Finding]:
        """Return what is wrong with constant arguments.

        Parameters
        ----------
        args : mapping of str to object
            The arguments that are known, by name; rules about absent ones are not applied.

        Returns
        -------
        list of Finding
            (argument, value, problem, fix); empty if a distribution can be built.
        """

    @classmethod
    def from_arguments(cls, args: Mapping[str, Any]) -> Distribution:
        """Build the distribution from arguments of any numeric type.

        Parameters
        ----------
        args : mapping of str to object
            All arguments without a default, as `faults` found them right.

        Returns
        -------
        Distribution
            With plain Python floats as fields.
        """
        return cls(**{name: float(value) for name, value in args.items()})
