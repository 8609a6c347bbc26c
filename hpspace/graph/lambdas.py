"""Functions written as expressions: :class:`Lambda`, its placeholders ``p0`` ... ``p4``, and :func:`apply`.

A `Lambda` is an expression with placeholders; calling it copies the expression with arguments in their place.
Registered on ``scope`` it may call itself by name through :func:`apply`, because the copy is made only when it is
evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.graph.build import as_apply
from hpspace.graph.node import Literal, Node
from hpspace.graph.rewrite import substitute


class UndefinedValue:
    """The value of a placeholder that no argument replaced."""


#: Placeholders for the parameters of a `Lambda`.
p0 = Literal(UndefinedValue)
p1 = Literal(UndefinedValue)
p2 = Literal(UndefinedValue)
p3 = Literal(UndefinedValue)
p4 = Literal(UndefinedValue)


def apply(name: str, *args: Any, **kwargs: Any) -> Node:
    """Return a node of the operation `name`, which need not be registered before the node is evaluated.

    Examples
    --------
    >>> apply("add", 2, 3).eval()
    5
    """
    return Node(name, map(as_apply, args), [(keyword, as_apply(value)) for keyword, value in kwargs.items()])


class Lambda:
    """A function given by an expression with placeholders.

    Parameters
    ----------
    name : str
        Name under which ``scope.define`` registers it.
    params : sequence of (str, Node)
        Name and placeholder of each parameter, in order.
    expr : Node
        The expression.

    Examples
    --------
    >>> from hpspace.graph import scope
    >>> twice = Lambda("twice", [("x", p0)], expr=p0 * 2)
    >>> twice(as_apply(4) + 1).eval(), twice(x=3).eval()
    (10, 6)
    """

    def __init__(self, name: str, params: Sequence[tuple[str, Node]], expr: Node) -> None:
        self.__name__ = name
        self.params = list(params)
        self.expr = expr

    def __call__(self, /, *args: Any, **kwargs: Any) -> Node:
        """Return the expression with the arguments in place of the placeholders.

        Raises
        ------
        TypeError
            If an argument is missing, surplus, given twice or unknown.
        """
        names = [name for name, _ in self.params]
        if len(args) > len(names):
            raise TypeError(f"{self.__name__} takes {len(names)} arguments, got {len(args)}")
        given = {**dict(zip(names, args)), **kwargs}
        if len(given) != len(args) + len(kwargs):
            raise TypeError(f"{self.__name__}: an argument is given by position and by keyword")
        if set(given) != set(names):
            raise TypeError(f"{self.__name__} takes the arguments {names}, got {list(given)}")
        return substitute(self.expr, {place: as_apply(given[name]) for name, place in self.params})

    def __repr__(self) -> str:
        return f"<Lambda {self.__name__}({', '.join(name for name, _ in self.params)})>"
