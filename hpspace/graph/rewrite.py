"""Rewrites: from one expression to another. Each is a function, none changes its argument.

Laws (each is a test): ``clone`` and ``clone_merge`` keep the value; ``clone`` shares no node with its argument;
``substitute`` shares every part that does not depend on what is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from hpspace.graph.node import Literal, Node
from hpspace.graph.walk import dfs


def clone(expr: Node, memo: dict[Node, Node] | None = None) -> Node:
    """Return a copy of an expression made of new nodes; literals keep their objects.

    Parameters
    ----------
    expr : Node
        The expression.
    memo : dict of Node to Node, optional
        Nodes to use in place of others. It is filled with the copy of each node.
    """
    return _rebuild(expr, {} if memo is None else memo, lambda node, inputs: node.clone_from_inputs(inputs))


def substitute(expr: Node, mapping: Mapping[Node, Node]) -> Node:
    """Return an expression in which nodes are replaced.

    Parameters
    ----------
    expr : Node
        The expression.
    mapping : mapping of Node to Node
        What to put in place of which node. The replacements are not searched again.

    Returns
    -------
    Node
        `expr` itself if it uses none of them.

    Examples
    --------
    >>> from hpspace.graph import as_apply
    >>> x, y = as_apply(2), as_apply(10)
    >>> substitute(x * 3 + 1, {x: y}).eval()
    31
    """

    def keep_or_rebuild(node: Node, inputs: list[Node]) -> Node:
        unchanged = all(new is old for new, old in zip(inputs, node.inputs()))
        return node if unchanged else node.clone_from_inputs(inputs)

    return _rebuild(expr, dict(mapping), keep_or_rebuild)


def clone_merge(expr: Node, memo: dict[Node, Node] | None = None, merge_literals: bool = False) -> Node:
    """Return a copy in which equal pure nodes are one node.

    Two nodes are equal if they have the same operation, the same inputs after merging, and are pure. A parameter
    or a random draw is not pure and stays what it is.

    Parameters
    ----------
    expr : Node
        The expression.
    memo : dict of Node to Node, optional
        Nodes to use in place of others. It is filled with the copy of each node.
    merge_literals : bool
        Literals of the same type and value are one node too (numbers, strings, None; other objects by identity).

    Examples
    --------
    >>> from hpspace.graph import as_apply
    >>> x = as_apply(2)
    >>> y = clone_merge((x + 1) * (x + 1), merge_literals=True)
    >>> y.args[0] is y.args[1]
    True
    """
    seen: dict[Hashable, Node] = {}

    def merge(node: Node, inputs: list[Node]) -> Node:
        if isinstance(node, Literal):
            return (
                seen.setdefault(_literal_key(node.obj), Literal(node.obj))
                if merge_literals
                else Literal(node.obj)
            )
        copy = node.clone_from_inputs(inputs)
        if not node.pure:
            return copy
        named = tuple((keyword, child) for keyword, child in copy.named_args)
        return seen.setdefault((copy.name, copy.args, named, copy.o_len), copy)

    return _rebuild(expr, {} if memo is None else memo, merge)


def _rebuild(expr: Node, memo: dict[Node, Node], make: Callable[[Node, list[Node]], Node]) -> Node:
    """Return what `make` turns each node into, inputs first; what stands in `memo` is taken from there."""
    for node in dfs(expr):
        if node not in memo:
            memo[node] = make(node, [memo[child] for child in node.inputs()])
    return memo[expr]


def _literal_key(obj: Any) -> Hashable:
    """Return a key that is equal only for constants that cannot be told apart (1, 1.0 and True can; so can ±0.0)."""
    if type(obj) in (int, bool, str, bytes, type(None)):
        return type(obj), obj
    if type(obj) is float:
        return float, obj.hex()
    return "identity", id(obj)
