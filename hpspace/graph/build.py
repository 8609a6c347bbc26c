"""From Python objects to nodes: :func:`as_apply`.

Containers become nodes, so that expressions may stand anywhere inside them; every other object becomes a
:class:`Literal` and reaches the objective untouched, by identity. Lists and tuples become the same node and are tuples
when evaluated; only a tuple promises its length. A named tuple stays one. Dicts keep the order in which they were
written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hpspace.graph.node import Literal, Node


def as_apply(obj: Any) -> Node:
    """Return `obj` as a node.

    Parameters
    ----------
    obj : object
        A node is returned as it is. A tuple or list becomes a ``pos_args`` node; a dict whose keys are all strings
        becomes a ``dict`` node with one keyword input a key, in order; any other dict becomes ``dict`` of a
        ``pos_args`` of pairs. Anything else becomes a `Literal`.

    Raises
    ------
    ValueError
        If a container contains itself.

    Examples
    --------
    >>> node = as_apply({"units": [16, 32], "act": "relu"})
    >>> node.name, [key for key, _ in node.named_args], node.o_len
    ('dict', ['units', 'act'], 2)
    >>> node.eval()
    {'units': (16, 32), 'act': 'relu'}
    """
    if isinstance(obj, Node):
        return obj
    if not isinstance(obj, (tuple, list, dict)):
        return Literal(obj)
    return _build(obj)


class _Frame:
    """A container being built: what is still to be wrapped, and the nodes made so far."""

    __slots__ = ("nodes", "obj", "rest")

    def __init__(self, obj: Any) -> None:
        self.obj = obj
        self.rest = iter(_children(obj))
        self.nodes: list[Node] = []

    def node(self) -> Node:
        """Return the node of the container, all of whose children are nodes now."""
        if isinstance(self.obj, dict):
            if _has_string_keys(self.obj):
                return Node("dict", (), list(zip(self.obj, self.nodes)), len(self.obj))
            return Node("dict", (Node("pos_args", self.nodes),), (), len(self.obj))
        if is_namedtuple(self.obj):
            return Node("namedtuple", (Literal(type(self.obj)), *self.nodes), (), len(self.nodes))
        return Node("pos_args", self.nodes, (), len(self.nodes) if isinstance(self.obj, tuple) else None)


def is_namedtuple(obj: Any) -> bool:
    """Whether an object is of a class that `collections.namedtuple` or `typing.NamedTuple` made."""
    return isinstance(obj, tuple) and hasattr(type(obj), "_fields") and hasattr(type(obj), "_make")


def _has_string_keys(obj: dict[Any, Any]) -> bool:
    return all(isinstance(key, str) for key in obj)


def _children(obj: Any) -> Iterable[Any]:
    """Return the objects that become inputs: items, values, or (key, value) pairs when keys are no strings."""
    if isinstance(obj, dict):
        return obj.values() if _has_string_keys(obj) else obj.items()
    return obj  # type: ignore[no-any-return]


def _build(root: Any) -> Node:
    """Build the node of a container, without recursion."""
    stack = [_Frame(root)]
    open_ids = {id(root)}
    while True:
        frame = stack[-1]
        for child in frame.rest:
            if isinstance(child, (tuple, list, dict)):
                if id(child) in open_ids:
                    kind = type(child).__name__
                    raise ValueError(f"a {kind} in the space contains itself; remove the self-reference")
                open_ids.add(id(child))
                stack.append(_Frame(child))
                break
            frame.nodes.append(child if isinstance(child, Node) else Literal(child))
        else:
            node = frame.node()
            open_ids.discard(id(stack.pop().obj))
            if not stack:
                return node
            stack[-1].nodes.append(node)
