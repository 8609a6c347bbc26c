"""Decorators for builders of one's own, in the form that Hyperopt's `pyll_utils` offers.

The builders of `hpspace.hp` do not use them: what they record is judged when the space is compiled, all at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from hpspace import hp
from hpspace.graph.node import Literal, Node

F = TypeVar("F", bound=Callable[..., Any])


def validate_label(f: F) -> F:
    """Let a builder refuse a label that is no string.

    Parameters
    ----------
    f : callable
        A builder ``f(label, ...)``.

    Returns
    -------
    callable
        Raises TypeError("require string label") before `f` is called.
    """

    @functools.wraps(f)
    def checked(label: Any, *args: Any, **kwargs: Any) -> Any:
        hp.validate_label(label)
        return f(label, *args, **kwargs)

    return checked  # type: ignore[return-value]


def validate_distribution_range(f: F) -> F:
    """Let a builder refuse constant bounds that are not in order.

    Parameters
    ----------
    f : callable
        A builder ``f(label, low, high, ...)``.

    Returns
    -------
    callable
        Raises ValueError unless ``low < high``; bounds that are expressions are let through.
    """

    @functools.wraps(f)
    def checked(label: Any, *args: Any, **kwargs: Any) -> Any:
        bounds = dict(zip(("low", "high"), args)) | kwargs
        low, high = (_constant(bounds.get(name)) for name in ("low", "high"))
        if low is not None and high is not None and not low < high:
            raise ValueError(f"low should be less than high: {low} is not smaller than {high}")
        return f(label, *args, **kwargs)

    return checked  # type: ignore[return-value]


def _constant(bound: Any) -> Any:
    if isinstance(bound, Literal):
        return bound.obj
    return None if isinstance(bound, Node) else bound
