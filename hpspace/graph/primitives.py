"""The table of operations: ``scope``, on which every function usable in an expression is registered.

A :class:`Primitive` binds a name to the Python function that computes it and to what must be known without computing
it: whether it is pure, how long its value is, whether it is lazy, whether it draws random numbers. Calling a
primitive makes a node; the function itself is called by :mod:`hpspace.graph.evaluate` only.

``scope`` is the one table of the process, as in Hyperopt: names must mean the same in every module that builds or
evaluates expressions, and on every worker. A name is bound once; binding it again is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from hpspace.graph.build import as_apply
from hpspace.graph.node import Node

F = TypeVar("F", bound=Callable[..., Any])

#: The length of a node's value: a number, None (unknown), or a rule that computes it from the node's inputs.
Length = int | None | Callable[[tuple[Node, ...], dict[str, Node]], int | None]


class MissingArgument:
    """Stands in ``node.arg`` for a parameter that was not given."""


class PyllImportError(ImportError):
    """``scope.import_`` or ``scope.inject`` was asked for a name that is not registered."""


@dataclass(frozen=True)
class Primitive:
    """One operation.

    Parameters
    ----------
    name : str
        Its name on ``scope`` and in ``node.name``.
    fn : callable
        Computes the value from the values of the inputs; a node that it returns is evaluated in turn.
    o_len : int, None or callable
        Number of items of the value; a callable computes it from (positional inputs, keyword inputs).
    pure : bool
        Equal inputs give equal values, so that equal nodes may be merged.
    lazy : bool
        `fn` receives the value of its first input only and the other inputs as nodes; it returns the one to evaluate.
    stochastic : bool
        `fn` draws from the generator that it receives as keyword ``rng``; it takes ``size`` too.
    build : callable or None
        Makes the node in place of the general rule (positional and keyword inputs as they are given).
    """

    name: str
    fn: Callable[..., Any]
    o_len: Length = None
    pure: bool = False
    lazy: bool = False
    stochastic: bool = False
    build: Callable[..., Node] | None = None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Node:
        """Return the node that applies this operation to `args` and `kwargs`, wrapped where they are no nodes."""
        if self.build is not None:
            return self.build(*args, **kwargs)
        inputs = tuple(map(as_apply, args))
        named = {keyword: as_apply(value) for keyword, value in kwargs.items()}
        length = self.o_len(inputs, named) if callable(self.o_len) else self.o_len
        return Node(self.name, inputs, list(named.items()), length, self.pure)


class SymbolTable:
    """The functions usable in expressions; `scope` is the one instance that evaluation reads.

    ``scope.<name>(...)`` makes a node. The methods register functions.

    Examples
    --------
    >>> from hpspace.graph import scope
    >>> @scope.define
    ... def doubled(x):
    ...     return 2 * x
    >>> doubled(4), scope.doubled(4).eval()
    (8, 8)
    >>> scope.undefine(doubled)
    """

    def __init__(self) -> None:
        self._primitives: dict[str, Primitive] = {}
        #: Function of each name.
        self._impls: dict[str, Callable[..., Any]] = {}
        #: Names of the lazy operations.
        self._lazy: set[str] = set()
        #: Names of the operations that draw random numbers when they are given a keyword ``rng``.
        self.drawing: set[str] = set()

    # -- reading ---------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Primitive:
        primitives: dict[str, Primitive] = self.__dict__.get("_primitives", {})
        if name in primitives:
            return primitives[name]
        raise AttributeError(f"scope has no function {name!r}{_did_you_mean(name, primitives)}", name=name)

    def __contains__(self, name: object) -> bool:
        return name in self._primitives

    def __iter__(self) -> Iterator[str]:
        return iter(self._primitives)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._primitives})

    def __repr__(self) -> str:
        return f"<SymbolTable of {len(self._primitives)} functions>"

    # -- registering -----------------------------------------------------------------------------------------

    def _register(self, primitive: Primitive) -> None:
        """Bind a name once."""
        name = primitive.name
        if name in self._primitives or hasattr(type(self), name):
            raise ValueError("Cannot override existing symbol", name)
        self._primitives[name] = primitive
        self._impls[name] = primitive.fn
        if primitive.lazy:
            self._lazy.add(name)
        if primitive.stochastic:
            self.drawing.add(name)

    def define(self, f: F, o_len: int | None = None, pure: bool = False) -> F:
        """Register the function `f` under its ``__name__`` and return it unchanged.

        Parameters
        ----------
        f : callable
            Computes values from values. On a worker in another process it must be registered there too.
        o_len : int or None
            Number of items of its value, when it is a sequence of a fixed length.
        pure : bool
            Equal arguments give equal values, and the value is never changed in place.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        self._register(Primitive(_name(f), f, o_len, pure))
        return f

    def define_pure(self, f: F) -> F:
        """Register a function whose value depends on its arguments alone; see :meth:`define`."""
        return self.define(f, pure=True)

    def define_if_new(self, f: F, o_len: int | None = None, pure: bool = False) -> F:
        """Register `f` unless this very function is registered already; see :meth:`define`."""
        if self._impls.get(_name(f)) is not f:
            self.define(f, o_len, pure)
        return f

    def define_info(self, o_len: int | None = None, pure: bool = False) -> Callable[[F], F]:
        """Return a decorator that registers a function with what is known of it; see :meth:`define`.

        Examples
        --------
        >>> from hpspace.graph import scope
        >>> @scope.define_info(o_len=2)
        ... def halves(x):
        ...     return x // 2, x - x // 2
        >>> low, high = scope.halves(7)
        >>> low.eval(), high.eval()
        (3, 4)
        >>> scope.undefine("halves")
        """

        def decorate(f: F) -> F:
            return self.define(f, o_len, pure)

        return decorate

    def define_stochastic(self, f: F) -> F:
        """Register a function that draws random numbers from its keyword ``rng``, `size` of them."""
        self._register(Primitive(_name(f), f, stochastic=True))
        return f

    def undefine(self, f: Callable[..., Any] | str) -> None:
        """Remove a function, given itself or its name.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        name = f if isinstance(f, str) else _name(f)
        del self._primitives[name]
        del self._impls[name]
        self._lazy.discard(name)
        self.drawing.discard(name)

    # -- importing -------------------------------------------------------------------------------------------

    def inject(self, *args: str, **kwargs: str) -> dict[str, Callable[..., Node]]:
        """Return node makers by name: those named in `args`, and for ``new="old"`` the one of `old` as `new`.

        Raises
        ------
        PyllImportError
            If a name is not registered.
        """
        wanted = {**{name: name for name in args}, **kwargs}
        for name in wanted.values():
            if name not in self._primitives:
                raise PyllImportError(
                    f"scope has no function {name!r}{_did_you_mean(name, self._primitives)}", name=name
                )
        return {new: self._primitives[name] for new, name in wanted.items()}

    def import_(self, _globals: dict[str, Any], *args: str, **kwargs: str) -> None:
        """Bind the node makers that :meth:`inject` returns in a namespace, such as ``globals()``."""
        _globals.update(self.inject(*args, **kwargs))


def _name(f: Callable[..., Any]) -> str:
    """Return the name under which `f` is registered."""
    name = getattr(f, "__name__", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"{f!r} has no name to register it by; define it with `def`")
    return name


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    """Return a clause that offers the nearest known names."""
    import difflib

    near = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else "; register it with scope.define"


#: The table that expressions are evaluated with.
scope = SymbolTable()


def _parameters(name: str) -> list[inspect.Parameter]:
    """Return the parameters of the function of an operation, `self`-less builtins included where Python tells."""
    try:
        return list(inspect.signature(scope._impls[name]).parameters.values())
    except ValueError:  # a builtin without a signature, such as dict
        any_position = inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)
        return [any_position, inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)]


_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def positional_names(name: str) -> list[str]:
    """Return the names of the parameters that the function of an operation takes by position."""
    return [parameter.name for parameter in _parameters(name) if parameter.kind in _BY_POSITION]


def arguments(node: Node) -> dict[str, Any]:
    """Return the inputs of a node by parameter name; see :attr:`Node.arg`."""
    if node.name == "literal":
        return {}
    bound: dict[str, Any] = {}
    surplus, named = node.pos_args, node.kwargs
    open_keywords = False
    for parameter in _parameters(node.name):
        if parameter.kind is parameter.VAR_POSITIONAL:
            bound[parameter.name], surplus = surplus, []
        elif parameter.kind is parameter.VAR_KEYWORD:
            open_keywords = True
        elif surplus and parameter.kind in _BY_POSITION:
            bound[parameter.name] = surplus.pop(0)
        else:
            bound[parameter.name] = named.pop(parameter.name, MissingArgument)
    if surplus:
        raise TypeError("Argument count exceeds number of positional params", node.name, len(surplus))
    if named and not open_keywords:
        raise TypeError("Unrecognized keyword argument", next(iter(named)), node.name)
    return {**bound, **named}
