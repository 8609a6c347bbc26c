"""The register: from the name of a graph operation to its distribution, from arguments to an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hpspace.dists.base import Distribution

_REGISTRY: dict[str, type[Distribution]] = {}

_D = TypeVar("_D", bound=type[Distribution])


def register(cls: _D) -> _D:
    """Enter a distribution class under its `name`; a class decorator.

    Parameters
    ----------
    cls : type of Distribution
        The class.

    Returns
    -------
    type of Distribution
        The same class.

    Raises
    ------
    ValueError
        If another class has that name. (The same class, executed again by a reload, replaces itself.)
    """
    other = _REGISTRY.setdefault(cls.name, cls)
    if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"a distribution named {cls.name!r} is already registered: {other.__qualname__}")
    _REGISTRY[cls.name] = cls
    return cls


def get(name: str) -> type[Distribution]:
    """Return the class registered under a name.

    Parameters
    ----------
    name : str
        Such as ``"quniform"``.

    Returns
    -------
    type of Distribution
        The class.

    Raises
    ------
    KeyError
        Naming the registered distributions.
    """
    try:
        return _REGISTRY[name]
    except KeyError:
        raise KeyError(f"no distribution is named {name!r}; known: {', '.join(names())}") from None


def names() -> tuple[str, ...]:
    """Return the registered names in alphabetical order.

    Returns
    -------
    tuple of str
        The names.
    """
    return tuple(sorted(_REGISTRY))


def build(name: str, args: Mapping[str, Any]) -> Distribution:
    """Build a distribution from its name and its arguments.

    Parameters
    ----------
    name : str
        Registered name.
    args : mapping of str to object
        Arguments by name; ``get(name).faults(args)`` must be empty.

    Returns
    -------
    Distribution
        The distribution.

    Examples
    --------
    >>> build("quniform", {"low": 1, "high": 10, "q": 4}).values().tolist()
    [0.0, 4.0, 8.0]
    """
    return get(name).from_arguments(args)
