"""Telling one objective from another, without running or pickling either.

Two drivers may share an experiment if they evaluate the same function on the same space. The bytes of a pickle do not
tell: they differ from process to process. So a fingerprint is made of what a person would compare: the source text,
simple values bound to it, and the space. It is the same in every process that runs the same program, on every release
of Python. It sees no change in functions that the objective calls, and of what may change while it runs (lists, dicts,
sets) it sees the type only: an objective that notes its results in a list is the same objective afterwards.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Mapping
from typing import Any

#: How far values bound to an objective are looked into.
_DEPTH = 4


def fingerprint(fn: Any, space: Mapping[str, Any] | None = None) -> str:
    """Return a text that is the same for the same objective and space.

    Parameters
    ----------
    fn : callable
        The objective.
    space : mapping, optional
        Description of the space, see `CompiledSpace.to_json`.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> def square(x): return x * x
    >>> def cube(x): return x * x * x
    >>> fingerprint(square) == fingerprint(square), fingerprint(square) == fingerprint(cube)
    (True, False)
    """
    traits = json.dumps([_traits(fn, _DEPTH), space], sort_keys=True, default=_kind)
    return hashlib.sha256(traits.encode()).hexdigest()


def _traits(value: Any, depth: int) -> Any:
    """Return what can be compared of a value, as JSON can hold it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if depth == 0:
        return _kind(value)
    if isinstance(value, functools.partial):
        given = (_traits(part, depth - 1) for part in (value.func, value.args))
        return ["partial", *given, _named_traits(value.keywords, depth)]
    if inspect.ismethod(value):
        return ["method", _traits(value.__func__, depth - 1), _traits(value.__self__, depth - 1)]
    if inspect.isfunction(value):
        return _function_traits(value, depth)
    if isinstance(value, tuple):
        return [_traits(item, depth - 1) for item in value]
    if isinstance(value, (list, dict, set, bytearray)):
        return _kind(value)
    return [_kind(value), _named_traits(getattr(value, "__dict__", None), depth)]


def _named_traits(values: Mapping[str, Any] | None, depth: int) -> dict[str, Any]:
    """Return the traits of attributes or keyword arguments."""
    return {str(name): _traits(value, depth - 1) for name, value in (values or {}).items()}


def _function_traits(fn: Any, depth: int) -> list[Any]:
    bound = tuple(cell.cell_contents for cell in fn.__closure__ or () if _is_filled(cell))
    given = [_traits(part, depth - 1) for part in (fn.__defaults__, bound)]
    return [fn.__module__, fn.__qualname__, _source(fn), *given, _named_traits(fn.__kwdefaults__, depth)]


def _source(fn: Any) -> str:
    """Return the text of a function, or its code where there is no text."""
    try:
        return inspect.getsource(fn)
    except (OSError, TypeError):
        code = fn.__code__
        return f"{code.co_code.hex()} {code.co_names} {[_kind(const) for const in code.co_consts]}"


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _kind(value: Any) -> str:
    cls = type(value)
    return f"{cls.__module__}.{cls.__qualname__}"
