"""One labelled parameter of a compiled space: a row of its table.

A `Param` says what a parameter is (label, distribution), where it stands (path), when it exists (conditions) and
how an algorithm may treat its values (kind). It holds no values and draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hpspace import dists
from hpspace.graph.node import Node

Kind = Literal["real", "grid", "choice"]

#: (label of the selector, index of the branch): one clause of a condition.
Clause = tuple[str, int]

#: Disjunction of conjunctions of clauses; ``((),)`` means always active.
Conditions = tuple[tuple[Clause, ...], ...]

ALWAYS: Conditions = ((),)


class _NoDefault:
    """The type of `NO_DEFAULT`."""

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT = _NoDefault()


@dataclass(frozen=True)
class Param:
    """A labelled parameter of a space.

    Parameters
    ----------
    label : str
        Its name in documents, unique in the space.
    node : Node
        The ``hyperopt_param`` node; a value is bound to it when a configuration is assembled.
    dist_node : Node
        The node of its distribution, such as ``uniform(0, 1)``.
    dist : Distribution or None
        The distribution; None when an argument of it depends on another parameter.
    arguments : mapping of str to Node
        Argument name to node, for distributions that depend on other parameters.
    kind : {"real", "grid", "choice"}
        Continuous, ordered values, or unordered codes.
    depends_on : tuple of str
        Labels that the distribution's arguments read.
    path : str
        Where it stands in the space, as an index expression.
    conditions : Conditions
        When it is active.
    options : tuple of object or None
        For the selector of a choice, what its options are (constants as they are, else a short text).
    default : object
        The declared default, `NO_DEFAULT` when there is none.
    integer : bool
        Whether raw values are Python ints (else floats).
    """

    label: str
    node: Node
    dist_node: Node
    dist: dists.Distribution | None
    arguments: Mapping[str, Node]
    kind: Kind
    depends_on: tuple[str, ...]
    path: str
    conditions: Conditions = ALWAYS
    options: tuple[Any, ...] | None = None
    default: Any = NO_DEFAULT
    integer: bool = False

    @property
    def name(self) -> str:
        """Registered name of the distribution, such as ``"uniform"``."""
        return self.dist_node.name

    @property
    def always_active(self) -> bool:
        """Whether every configuration has this parameter."""
        return self.conditions == ALWAYS

    def to_python(self, value: float) -> int | float:
        """Return a column's value as the plain Python number that documents hold.

        Parameters
        ----------
        value : float
            A raw value of this parameter.

        Returns
        -------
        int or float
            An int for codes and integer distributions, else a float.
        """
        return round(value) if self.integer else float(value)

    def distribution(self, values: Mapping[str, Any]) -> dists.Distribution:
        """Return the distribution given the values of the parameters that it depends on.

        Parameters
        ----------
        values : mapping of str to object
            Evaluated arguments by name; ignored when the distribution is fixed.

        Returns
        -------
        Distribution

        Raises
        ------
        InvalidDistribution
            If the arguments describe no distribution; names the label and the argument.
        """
        if self.dist is not None:
            return self.dist
        return dists.build(self.name, values)


def describe_conditions(conditions: Conditions) -> str:
    """Return conditions as text, such as ``clf=1 & kernel=1 | clf=2``.

    Examples
    --------
    >>> describe_conditions((((("clf"), 1), ("kernel", 1)), (("clf", 2),)))
    'clf=1 & kernel=1 | clf=2'
    >>> describe_conditions(((),))
    'always'
    """
    if conditions == ALWAYS:
        return "always"
    return " | ".join(" & ".join(f"{name}={index}" for name, index in clauses) for clauses in conditions)


def labels_of(params: Sequence[Param]) -> tuple[str, ...]:
    """Return the labels of `params`, in order."""
    return tuple(param.label for param in params)
