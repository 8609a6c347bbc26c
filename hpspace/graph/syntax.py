"""Python's operators on nodes: each makes the node of an operation, none computes anything.

:class:`Syntax` is the part of :class:`hpspace.graph.node.Node` that is one line an operator. ``==`` and ``!=`` are not
here: nodes are compared by identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpspace.graph.node import Node


def operation(name: str, *operands: Any, pure: bool = True) -> Node:
    """Return the node of an operation; operands that are no nodes are wrapped."""
    from hpspace.graph.build import as_apply
    from hpspace.graph.node import Node

    return Node(name, [as_apply(operand) for operand in operands], pure=pure)


class Syntax:
    """Operators that make nodes; an ordinary operand on either side becomes a literal."""

    __slots__ = ()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Node:
        """Return the expression of calling this expression's value."""
        return operation("call", self, args, kwargs, pure=False)

    def __add__(self, other: Any) -> Node:
        return operation("add", self, other)

    def __radd__(self, other: Any) -> Node:
        return operation("add", other, self)

    def __sub__(self, other: Any) -> Node:
        return operation("sub", self, other)

    def __rsub__(self, other: Any) -> Node:
        return operation("sub", other, self)

    def __mul__(self, other: Any) -> Node:
        return operation("mul", self, other)

    def __rmul__(self, other: Any) -> Node:
        return operation("mul", other, self)

    def __truediv__(self, other: Any) -> Node:
        return operation("truediv", self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return operation("truediv", other, self)

    def __floordiv__(self, other: Any) -> Node:
        return operation("floordiv", self, other)

    def __rfloordiv__(self, other: Any) -> Node:
        return operation("floordiv", other, self)

    def __mod__(self, other: Any) -> Node:
        return operation("mod", self, other)

    def __rmod__(self, other: Any) -> Node:
        return operation("mod", other, self)

    def __pow__(self, other: Any) -> Node:
        return operation("pow", self, other)

    def __rpow__(self, other: Any) -> Node:
        return operation("pow", other, self)

    def __neg__(self) -> Node:
        return operation("neg", self)

    def __abs__(self) -> Node:
        return operation("abs", self)

    def __round__(self, ndigits: Any = None) -> Node:
        return operation("round", self) if ndigits is None else operation("round", self, ndigits)

    def __gt__(self, other: Any) -> Node:
        return operation("gt", self, other)

    def __ge__(self, other: Any) -> Node:
        return operation("ge", self, other)

    def __lt__(self, other: Any) -> Node:
        return operation("lt", self, other)

    def __le__(self, other: Any) -> Node:
        return operation("le", self, other)
