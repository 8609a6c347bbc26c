"""The functions that every expression may use; importing this module registers them on ``scope``.

Arguments are in Python's or numpy's order. What is pure here never returns a container that a user could change in
place. Random draws are not here: they are registered by :mod:`hpspace.space.stochastic`.
"""

from __future__ import annotations

import copy
import functools
import operator
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hpspace.graph.build import as_apply
from hpspace.graph.node import Literal, Node
from hpspace.graph.primitives import Length, Primitive, scope

# -- Python's own: names, functions, lengths -----------------------------------------------------------------


def _register(name: str, fn: Callable[..., Any], o_len: Length = None, pure: bool = True) -> None:
    scope._register(Primitive(name, fn, o_len, pure))


def _length_of_first(args: tuple[Node, ...], kwargs: dict[str, Node]) -> int | None:
    """Return the length of the first input: what ``list(x)`` has."""
    return args[0].o_len if args else 0


def _length_of_second(args: tuple[Node, ...], kwargs: dict[str, Node]) -> int | None:
    """Return the length of the second input: what ``map(fn, x)`` has."""
    return args[1].o_len if len(args) > 1 else None


def _length_of_range(args: tuple[Node, ...], kwargs: dict[str, Node]) -> int | None:
    """Return the length of a range whose limits are constants."""
    if not all(isinstance(arg, Literal) and isinstance(arg.obj, (int, np.integer)) for arg in args):
        return None
    return len(range(*(arg.eval() for arg in args)))


def _length_of_dict(args: tuple[Node, ...], kwargs: dict[str, Node]) -> int | None:
    """Return the length of a dict given by keywords; pairs may repeat a key."""
    return None if args else len(kwargs)


def map(fn: Callable[[Any], Any], seq: Iterable[Any]) -> list[Any]:
    """Return the list of ``fn(x)`` for each x of `seq`."""
    return [fn(item) for item in seq]


_register("int", int)
_register("float", float)
_register("len", len)
_register("max", max)
_register("min", min)
_register("getattr", getattr)
_register("range", range, _length_of_range)
_register("list", list, _length_of_first, pure=False)
_register("dict", dict, _length_of_dict, pure=False)
_register("map", map, _length_of_second, pure=False)

for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "abs"):
    _register(_name, getattr(operator, _name))
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "getitem"):
    _register(_name, getattr(operator, _name))
_register("round", round)

for _name in ("exp", "log", "sqrt", "sin", "cos", "tan", "minimum", "maximum"):
    _register(_name, getattr(np, _name))


# -- numpy ---------------------------------------------------------------------------------------------------


@scope.define_pure
def sum(x: Any, axis: int | None = None) -> Any:
    """Return the sum of an array, or of its items along `axis`."""
    return np.sum(x, axis=axis)


@scope.define
def asarray(a: Any, dtype: Any = None) -> NDArray[Any]:
    """Return `a` as an array."""
    return np.asarray(a, dtype=dtype)


@scope.define
def array_union1(args: Iterable[Any]) -> NDArray[Any]:
    """Return the sorted distinct items of all the sequences in `args`."""
    arrays = [np.asarray(arg).ravel() for arg in args]
    return np.unique(np.concatenate(arrays)) if arrays else np.empty(0)


@scope.define
def array_union(*args: Any) -> NDArray[Any]:
    """Return the sorted distinct items of all the arguments."""
    return array_union1(args)


@scope.define
def bincount(
    x: Any, offset: int = 0, weights: Any = None, minlength: int = 0, p: Sequence[float] | None = None
) -> NDArray[Any]:
    """Return how often each of offset, offset + 1 ... occurs in `x`; at least one count for each item of `p`."""
    shifted = np.asarray(x, dtype=int).ravel() - offset
    return np.bincount(shifted, weights=weights, minlength=max(minlength, 0 if p is None else len(p)))


# -- containers ----------------------------------------------------------------------------------------------


@scope.define
def namedtuple(cls: Any, *items: Any) -> Any:
    """Return a named tuple of a class, as `as_apply` makes of named tuples."""
    return cls._make(items)


@scope.define
def pos_args(*args: Any) -> tuple[Any, ...]:
    """Return the arguments as a tuple: what a list or tuple of a space becomes."""
    return args


@scope.define
def repeat(n_times: int, obj: Any) -> list[Any]:
    """Return a list of `n_times` references to `obj`."""
    return [obj] * n_times


@scope.define
def uniq(lst: Iterable[Any]) -> list[Any]:
    """Return the distinct items of a sequence, in the order of their first appearance."""
    return list(dict.fromkeys(lst))


@scope.define_pure
def str_join(s: str, seq: Iterable[str]) -> str:
    """Return the strings of `seq` joined by `s`."""
    return s.join(seq)


# -- calls ---------------------------------------------------------------------------------------------------


@scope.define_pure
def identity(obj: Any) -> Any:
    """Return the argument."""
    return obj


@scope.define
def call(fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
    """Return ``fn(*args, **kwargs)``: what calling an expression makes."""
    return fn(*args, **(kwargs or {}))


@scope.define
def call_method(obj: Any, methodname: str, *args: Any, **kwargs: Any) -> Any:
    """Return ``obj.methodname(*args, **kwargs)``."""
    return getattr(obj, methodname)(*args, **kwargs)


@scope.define_pure
def call_method_pure(obj: Any, methodname: str, *args: Any, **kwargs: Any) -> Any:
    """Return ``obj.methodname(*args, **kwargs)`` of a method that changes nothing."""
    return getattr(obj, methodname)(*args, **kwargs)


@scope.define_pure
def copy_call_method_pure(obj: Any, methodname: str, *args: Any, **kwargs: Any) -> Any:
    """Return what a method returns, called on a shallow copy of `obj`, so that `obj` stays as it is."""
    return getattr(copy.copy(obj), methodname)(*args, **kwargs)


@scope.define_pure
def partial(name: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Return the function registered as `name` with some arguments given."""
    return functools.partial(scope._impls[name], *args, **kwargs)


@scope.define
def callpipe1(fn_list: Iterable[Callable[[Any], Any]], arg: Any) -> Any:
    """Return `arg` passed through each function in turn."""
    for fn in fn_list:
        arg = fn(arg)
    return arg


@scope.define
def Raise(etype: type[BaseException], *args: Any, **kwargs: Any) -> NoReturn:
    """Raise ``etype(*args, **kwargs)``."""
    raise etype(*args, **kwargs)


@scope.define_info(o_len=2)
def curtime(obj: Any) -> tuple[float, Any]:
    """Return (seconds since the epoch, `obj`)."""
    return time.time(), obj


@scope.define
def pdb_settrace(obj: Any) -> Any:
    """Stop in the debugger, then return the argument."""
    breakpoint()
    return obj


@scope.define
def rng_from_seed(seed: Any) -> np.random.Generator:
    """Return a fresh generator seeded with `seed`."""
    return np.random.default_rng(seed)


# -- parameters and branches ---------------------------------------------------------------------------------


@scope.define
def hyperopt_param(label: str, obj: Any, default: Any = None) -> Any:
    """Return `obj`, the value drawn for the parameter called `label`; `default` is for whoever reads the node."""
    return obj


def switch(pos: Any, *options: Any) -> Any:
    """Return the option at `pos`. In an expression only that option is evaluated.

    Parameters
    ----------
    pos : int, numpy integer or bool
        Index of the option; True is 1.

    Raises
    ------
    TypeError
        If `pos` is not an integer.
    ValueError
        If `pos` is negative.
    IndexError
        If there are no more than `pos` options.
    """
    try:
        index = operator.index(int(pos) if isinstance(pos, np.bool_) else pos)
    except TypeError:
        raise TypeError("switch argument was", pos) from None
    if index < 0:
        raise ValueError("switch pos must be positive int", pos)
    if index >= len(options):
        raise IndexError(f"switch position {index} is past the end: there are {len(options)} options")
    return options[index]


scope._register(Primitive("switch", switch, lazy=True))


def kwswitch(key: Any, /, **options: Any) -> Node:
    """Return the expression of the option called `key`; in a trial only that option is evaluated.

    It is ``switch`` on the position of `key` among the sorted names, so ``kwswitch`` is no operation of its own.
    """
    names = tuple(sorted(options))
    position = scope.call_method_pure(as_apply(names), "index", key)
    return scope.switch(position, *(options[name] for name in names))


scope._register(Primitive("kwswitch", kwswitch, build=kwswitch))
