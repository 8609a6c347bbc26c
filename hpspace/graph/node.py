"""Nodes: the frozen expressions that a search space is made of.

A node names an operation and holds the nodes that are its inputs. It knows no probability, no label and no trial:
what an operation computes is in :mod:`hpspace.graph.primitives`, how a whole expression is computed in
:mod:`hpspace.graph.evaluate`. Nodes are compared and hashed by identity, because sharing one object is how a
space says "the same value twice".

Nodes are frozen: no attribute can be set, and whatever changes an expression makes a new one. One exception is kept
on purpose: :attr:`Node.named_args` is a live list, since integrations append to it, and every walk honours what
it holds at that moment.

The classes are pickled under their public addresses ``hpspace.pyll.base.Apply`` and ``hpspace.pyll.base.Literal``.
Nothing here recurses, so the depth of an expression is limited by memory only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, TextIO, final
from typing import Literal as OneOf

import numpy as np

from hpspace.graph.syntax import Syntax, operation

_UNKNOWN_LENGTH = "len of pyll.Apply either undefined or unknown"


class Node(Syntax):
    """One operation applied to the nodes that are its inputs.

    Parameters
    ----------
    name : str
        The operation, a name registered on ``scope`` (checked when the node is evaluated, not here).
    pos_args : iterable of Node
        Positional inputs.
    named_args : iterable of (str, Node)
        Keyword inputs; their order is kept.
    o_len : int or None
        Number of items of the value, when it is a sequence of known length; it makes ``a, b = node`` work.
    pure : bool
        The value depends on the inputs alone, so that equal nodes may be merged.

    Raises
    ------
    TypeError
        If an input is not a node.

    Examples
    --------
    >>> from hpspace.graph import as_apply, scope
    >>> y = scope.int(as_apply(3) * 2 + 1)
    >>> y.name, y.inputs()[0].name, y.eval()
    ('int', 'add', 7)

    ``==`` is identity and makes no node; ``scope.eq(x, 3)`` does.
    """

    __module__ = "hpspace.pyll.base"
    __qualname__ = "Apply"
    __slots__ = ("__weakref__", "args", "name", "named_args", "o_len", "pure")

    #: Lets ``numpy_scalar * node`` and ``array + node`` make one node instead of an array of nodes.
    __array_ufunc__: ClassVar[None] = None

    #: Name of the operation.
    name: str
    #: Positional inputs.
    args: tuple[Node, ...]
    #: Keyword inputs as a live list of ``[keyword, node]``; appending to it extends the expression.
    named_args: list[list[Any]]
    #: Number of items of the value, None when unknown.
    o_len: int | None
    #: The value depends on the inputs alone.
    pure: bool

    def __init__(
        self,
        name: str,
        pos_args: Iterable[Node] = (),
        named_args: Iterable[Sequence[Any]] = (),
        o_len: int | None = None,
        pure: bool = False,
    ) -> None:
        args = tuple(pos_args)
        named = [[keyword, node] for keyword, node in named_args]
        for node in args:
            if not isinstance(node, Node):
                raise TypeError(f"{name}: input {node!r} is not a node; wrap it with as_apply(...)")
        for keyword, node in named:
            if not isinstance(node, Node):
                raise TypeError(f"{name}: input {keyword}={node!r} is not a node; wrap it with as_apply(...)")
        fix = object.__setattr__
        fix(self, "name", name)
        fix(self, "args", args)
        fix(self, "named_args", named)
        fix(self, "o_len", o_len)
        fix(self, "pure", pure)

    # -- frozen ----------------------------------------------------------------------------------------------

    def __setattr__(self, attribute: str, value: Any) -> NoReturn:
        raise AttributeError(
            f"a node is frozen: cannot set .{attribute} of {self!r}; make a new node instead"
        )

    def __delattr__(self, attribute: str) -> NoReturn:
        raise AttributeError(f"a node is frozen: cannot delete .{attribute} of {self!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        from hpspace.graph.pickling import reduce_node

        return reduce_node(self)

    def __copy__(self) -> Node:
        return self.clone_from_inputs(self.inputs())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from hpspace.graph.walk import dfs

        for node in dfs(self):
            if id(node) not in memo:
                memo[id(node)] = node._deep_copy(memo)
        return memo[id(self)]

    def _deep_copy(self, memo: dict[int, Any]) -> Node:
        """Copy this node, given the copies of its inputs by identity."""
        return self.clone_from_inputs([memo[id(node)] for node in self.inputs()])

    # -- views -----------------------------------------------------------------------------------------------

    @property
    def pos_args(self) -> list[Node]:
        """Positional inputs, as a fresh list."""
        return list(self.args)

    @property
    def kwargs(self) -> dict[str, Node]:
        """Keyword inputs by keyword, as a fresh dict."""
        return dict(self.named_args)

    @property
    def arg(self) -> dict[str, Any]:
        """Inputs by the parameter names of the operation's function.

        `MissingArgument` stands for a parameter that is not given; surplus positional inputs are a list under the
        name of the ``*`` parameter; a literal has no parameters.

        Raises
        ------
        TypeError
            If there are too many positional inputs, or a keyword that the function does not have.
        """
        from hpspace.graph.primitives import arguments

        return arguments(self)

    def inputs(self) -> list[Node]:
        """Return all inputs: the positional ones, then the keyword ones in order."""
        if not self.named_args:
            return list(self.args)
        return [*self.args, *(node for _, node in self.named_args)]

    # -- derived expressions ---------------------------------------------------------------------------------

    def clone_from_inputs(self, inputs: Sequence[Node], o_len: int | OneOf["same"] | None = "same") -> Node:
        """Return a node of the same operation on other inputs, given in the order of :meth:`inputs`.

        Raises
        ------
        ValueError
            If the number of inputs differs.
        """
        split = len(self.args)
        keywords = [keyword for keyword, _ in self.named_args]
        if len(inputs) != split + len(keywords):
            raise ValueError(f"{self!r} has {split + len(keywords)} inputs, got {len(inputs)}")
        named = zip(keywords, inputs[split:])
        length = self.o_len if o_len == "same" else o_len
        return Node(self.name, inputs[:split], [[k, node] for k, node in named], length, self.pure)

    def replace_input(self, old_node: Node, new_node: Node) -> Node:
        """Return a new node with each direct input that is `old_node` replaced by `new_node`.

        Hyperopt's method of this name changes the node in place and returns positions. This one leaves the node as
        it is; to replace a node deep inside an expression use :func:`hpspace.graph.rewrite.substitute`.
        """
        return self.clone_from_inputs([new_node if node is old_node else node for node in self.inputs()])

    def set_kwarg(self, name: str, value: Any) -> Node:
        """Return a new node in which the parameter `name` is `value`.

        A parameter that is given by position is replaced there, any other is given by keyword. Hyperopt's method of
        this name changes the node in place; this one does not.
        """
        from hpspace.graph.build import as_apply
        from hpspace.graph.primitives import positional_names

        node = as_apply(value)
        args, named = list(self.args), {**self.kwargs}
        names = positional_names(self.name)[: len(args)]
        if name in names:
            args[names.index(name)] = node
        else:
            named[name] = node
        return Node(self.name, args, list(named.items()), self.o_len, self.pure)

    def eval(self, memo: Mapping[Node, Any] | None = None) -> Any:
        """Return the value of this expression; `memo` holds values of nodes that are known already."""
        from hpspace.graph.evaluate import evaluate

        return evaluate(self, memo)

    # -- text ------------------------------------------------------------------------------------------------

    def pprint(self, ofile: TextIO, indent: int = 0) -> None:
        """Write the numbered, indented listing of this expression to `ofile`."""
        from hpspace.graph.show import dump

        ofile.write(dump(self, indent) + "\n")

    def __str__(self) -> str:
        from hpspace.graph.show import dump

        return dump(self)

    def __repr__(self) -> str:
        count = len(self.args) + len(self.named_args)
        return f"<Apply {self.name}: {count} input{'' if count == 1 else 's'}>"

    # -- things that need a value ----------------------------------------------------------------------------

    def _no_value(self, want: str, instead: str) -> NoReturn:
        raise TypeError(
            f"{want} needs a value, but {self!r} is an expression that has one only in a trial; write {instead}"
        )

    def __len__(self) -> int:
        if self.o_len is None:
            raise TypeError(f"{_UNKNOWN_LENGTH}: {self!r}; scope.len(x) makes an expression of the length")
        return self.o_len

    def __bool__(self) -> bool:
        if self.o_len is None:
            raise TypeError(
                f"{_UNKNOWN_LENGTH}: {self!r} is an expression, it is neither true nor false before a trial; "
                "instead of `if x: a else: b` write scope.switch(scope.int(x), b, a)"
            )
        return self.o_len > 0

    def __int__(self) -> int:
        self._no_value("int(x)", "scope.int(x)")

    def __float__(self) -> float:
        self._no_value("float(x)", "scope.float(x)")

    def __complex__(self) -> complex:
        self._no_value("complex(x)", "the conversion into the objective")

    def __contains__(self, item: object) -> bool:
        self._no_value("`in`", "the test into the objective")

    def __iter__(self) -> Iterator[Node]:
        if self.o_len is None or self._keyed:
            self._no_value(
                "iterating", "x[0], x[1] ... or define the function with scope.define_info(o_len=n)"
            )
        return (self[i] for i in range(self.o_len))

    # -- syntax that makes nodes -----------------------------------------------------------------------------

    @property
    def _keyed(self) -> bool:
        """The value is a mapping, so that an integer index is a key and no position."""
        return self.name == "dict"

    def __getitem__(self, index: Any) -> Node:
        positional = isinstance(index, (int, np.integer)) and not self._keyed
        if positional and self.o_len is not None and not -self.o_len <= index < self.o_len:
            raise IndexError(f"index {index} is out of range: {self!r} has {self.o_len} items")
        return operation("getitem", self, index)


@final
class Literal(Node):
    """A constant: a node without inputs whose value is the object it holds, by identity.

    Parameters
    ----------
    obj : object
        The value.

    Examples
    --------
    >>> Literal("relu").obj, Literal("relu").o_len, Literal(3).o_len
    ('relu', 4, None)
    """

    __module__ = "hpspace.pyll.base"
    __slots__ = ("_obj",)

    _obj: Any

    def __init__(self, obj: Any = None) -> None:
        super().__init__("literal", o_len=_length(obj), pure=True)
        object.__setattr__(self, "_obj", obj)

    @property
    def obj(self) -> Any:
        """The value."""
        return self._obj

    @property
    def _keyed(self) -> bool:
        return isinstance(self._obj, Mapping)

    def __reduce__(self) -> tuple[Any, ...]:
        return Literal, (self._obj,)

    def __repr__(self) -> str:
        from hpspace.graph.show import brief

        return f"<Literal {brief(self)}>"

    def clone_from_inputs(
        self, inputs: Sequence[Node], o_len: int | OneOf["same"] | None = "same"
    ) -> Literal:
        """Return a new literal of the same object; `inputs` must be empty and `o_len` is the object's."""
        if inputs:
            raise ValueError(f"{self!r} has 0 inputs, got {len(inputs)}")
        return Literal(self._obj)

    def _deep_copy(self, memo: dict[int, Any]) -> Node:
        return Literal(copy.deepcopy(self._obj, memo))


def _length(obj: Any) -> int | None:
    """Return ``len(obj)``, or None for an object that has none or fails to tell (an unfitted estimator, say)."""
    if not hasattr(type(obj), "__len__"):
        return None
    try:
        return len(obj)
    except Exception:  # noqa: BLE001  a constant of the user may fail in whatever way it likes
        return None
