"""Sending an objective to another process: by value, or with an error that names what stands in the way.

cloudpickle takes functions of a script, lambdas, closures and what a notebook defines by value; functions of modules
that can be imported go by name. When something refuses, pickling again piece by piece finds out what, before
anything runs: ``fn.__closure__['lock']`` says more than "cannot pickle '_thread.lock' object".
"""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any

from hpspace.exceptions import UnpicklableObjective
from hpspace.graph import Literal, Node
from hpspace.run.objective import KeywordObjective

#: How far into an object the search for the culprit goes.
_DEPTH = 12

#: A variable of a closure that has no value yet.
_EMPTY_CELL = types.CellType()


def pickled_domain(domain: Any) -> bytes:
    """Pickle a domain by value, without its pruner: the driver answers what objectives ask.

    Parameters
    ----------
    domain : Domain
        The objective and its space.

    Returns
    -------
    bytes
        For `pickle.loads`, in any process that has hpspace and the modules that the objective imports.

    Raises
    ------
    UnpicklableObjective
        Names the part that refuses.

    Examples
    --------
    >>> import threading
    >>> from hpspace import Domain, hp
    >>> lock = threading.Lock()
    >>> pickled_domain(Domain(lambda x: x if lock else 0, hp.uniform("x", 0, 1)))
    Traceback (most recent call last):
    ...
    hpspace.exceptions.UnpicklableObjective: the objective cannot be sent to another process:
    fn.__globals__['lock'] cannot be pickled (TypeError: cannot pickle '_thread.lock' object);
    make it inside of the function, or evaluate in threads: backend="thread"
    """
    import cloudpickle

    domain = copy.copy(domain)
    domain.pruner = None
    try:
        data: bytes = cloudpickle.dumps(domain)
    except Exception as error:
        path, reason = _culprit(domain, error)
        raise UnpicklableObjective(path, f"{type(reason).__name__}: {reason}") from error
    return data


def _culprit(domain: Any, error: Exception) -> tuple[str, Exception]:
    """Return where the refusing part is, and what it says."""
    fn = domain.fn
    if isinstance(fn, KeywordObjective):
        fn = fn.fn
    for name, part in (("fn", fn), ("space", domain.expr), ("domain", domain)):
        refusal = _refusal(part)
        if refusal is not None:
            return _deepest(part, name, refusal, _DEPTH, set())
    return "the domain", error


def _deepest(part: Any, path: str, refusal: Exception, depth: int, seen: set[int]) -> tuple[str, Exception]:
    """Follow the parts that refuse as far down as they go."""
    seen.add(id(part))
    for name, inner in _parts(part):
        if depth == 0 or id(inner) in seen:
            continue
        why = _refusal(inner)
        if why is not None:
            return _deepest(inner, path + name, why, depth - 1, seen)
    return path, refusal


def _refusal(part: Any) -> Exception | None:
    """Return what pickling a part raises, None if nothing."""
    import cloudpickle

    try:
        cloudpickle.dumps(part)
    except Exception as error:  # noqa: BLE001 - as above
        return error
    return None


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object is pickled with: the end of its path, and the part."""
    if isinstance(obj, types.FunctionType):
        yield from _parts_of_function(obj)
    elif isinstance(obj, types.MethodType):
        yield ".__self__", obj.__self__
        yield ".__func__", obj.__func__
    elif isinstance(obj, functools.partial):
        yield ".func", obj.func
        yield from ((f".args[{i}]", value) for i, value in enumerate(obj.args))
        yield from ((f".keywords[{key!r}]", value) for key, value in obj.keywords.items())
    elif isinstance(obj, Literal):
        yield "", obj.obj
    elif isinstance(obj, Node):
        yield from ((f"[{i}]", node) for i, node in enumerate(obj.pos_args))
        yield from ((f"[{key!r}]", node) for key, node in obj.named_args)
    elif isinstance(obj, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in obj.items())
    elif isinstance(obj, (list, tuple, set, frozenset)):
        yield from ((f"[{i}]", value) for i, value in enumerate(obj))
    else:
        yield from ((f".{name}", value) for name, value in _attributes(obj).items())


def _parts_of_function(fn: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or ()):
        if cell != _EMPTY_CELL:
            yield f".__closure__[{name!r}]", cell.cell_contents
    for name in _global_names(fn.__code__):
        if name in fn.__globals__:
            yield f".__globals__[{name!r}]", fn.__globals__[name]
    yield from ((f".__defaults__[{i}]", value) for i, value in enumerate(fn.__defaults__ or ()))
    yield from ((f".__kwdefaults__[{name!r}]", value) for name, value in (fn.__kwdefaults__ or {}).items())
    yield from ((f".{name}", value) for name, value in vars(fn).items())


def _global_names(code: types.CodeType) -> Iterator[str]:
    """Yield the global names that a function, and functions inside of it, may read."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _attributes(obj: Any) -> dict[str, Any]:
    """Return the state of an object, as far as it lies open."""
    try:
        named = dict(vars(obj))
    except TypeError:
        named = {}
    for cls in type(obj).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if hasattr(obj, slot):
                named[slot] = getattr(obj, slot)
    return named
