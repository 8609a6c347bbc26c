"""How an expression is pickled: node by node, inputs before users, so that depth costs no recursion.

A node could simply be pickled as its constructor call; pickle would then follow the inputs recursively and
fail on a long chain of operations. Listing the whole graph in one flat record would cure that but cut the identity of
nodes that something else in the same pickle refers to (a compiled space keeps its expression *and* the nodes of its
parameters). So the first node that pickle meets is preceded by a listing of its graph in topological order. Each node
of the listing is an ordinary constructor call whose inputs pickle has seen already.

While the listing is being written, a flag of this thread tells the listed nodes that they need no listing of
their own. If the flag were ever wrong, a node would be written without a listing or with one too many: larger or
recursive, never different.

The written form refers to the public classes and to the standard library only.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterator
from typing import Any

from hpspace.graph.node import Node
from hpspace.graph.walk import dfs


class _Listing(threading.local):
    """Whether this thread is writing the listing of a graph."""

    active = False


_listing = _Listing()


class _InputsFirst:
    """A stand-in for ``node.args`` that writes the whole graph below `node` ahead of it."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.getitem, ((_Order(self.node), self.node.args), 1)


class _Order:
    """Written as a list of every node below `node`, inputs first."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, _below(self.node)


def _below(root: Node) -> Iterator[Node]:
    """Yield every node below `root`, inputs first, with the flag up until the last one is written."""
    _listing.active = True
    try:
        yield from dfs(root)[:-1]
    finally:
        _listing.active = False


def reduce_node(node: Node) -> tuple[Any, ...]:
    """Return what ``node.__reduce__`` returns: the constructor call, below a listing if this is the first node."""
    deep = not _listing.active and any(inner.args or inner.named_args for inner in node.inputs())
    args = _InputsFirst(node) if deep else node.args
    return Node, (node.name, args, node.named_args, node.o_len, node.pure)
