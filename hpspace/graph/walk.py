"""Walks over an expression: orders, users of a node, a networkx view. All iterative, none changes anything.

The listed order is a *post-order*: inputs before the nodes that use them, positional before keyword ones, each node
once. Everything else in :mod:`hpspace.graph` that must see every node goes through :func:`dfs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpspace.graph.node import Node

if TYPE_CHECKING:
    import networkx


def dfs(root: Node) -> list[Node]:
    """Return every node of an expression once, inputs before their users; `root` is the last.

    Examples
    --------
    >>> from hpspace.graph import as_apply
    >>> x = as_apply(2)
    >>> [node.name for node in dfs((x + 1) * x)]
    ['literal', 'literal', 'add', 'mul']
    """
    order: list[Node] = []
    entered = {root}
    stack = [(root, iter(root.inputs()))]
    while stack:
        node, rest = stack[-1]
        for child in rest:
            if child not in entered:
                entered.add(child)
                stack.append((child, iter(child.inputs())))
                break
        else:
            stack.pop()
            order.append(node)
    return order


def toposort(root: Node) -> list[Node]:
    """Return the nodes of an expression, inputs before their users, having checked that there is no cycle.

    Raises
    ------
    networkx.NetworkXUnfeasible
        If the expression uses itself, which appending to `named_args` makes possible; the cycle is named.
    """
    order = dfs(root)
    place = {node: i for i, node in enumerate(order)}
    for node in order:
        for child in node.inputs():
            if place[child] >= place[node]:
                import networkx

                raise networkx.NetworkXUnfeasible(f"the expression contains a cycle: {_cycle(child, node)}")
    return order


def _cycle(first: Node, last: Node) -> str:
    """Return the names on a shortest way of inputs from `first` down to `last`, and back."""
    came_from: dict[Node, Node] = {}
    queue = [first]
    for node in queue:
        if node is last:
            break
        for child in node.inputs():
            if child is not first and child not in came_from:
                came_from[child] = node
                queue.append(child)
    way = [last]
    while way[-1] is not first:
        way.append(came_from[way[-1]])
    return " -> ".join(node.name for node in [*reversed(way), first])


def clients(root: Node) -> dict[Node, list[tuple[Node, int | str]]]:
    """Return who uses each node of an expression, and in which role.

    Returns
    -------
    dict
        For each node, in the order of :func:`dfs`, the list of (user, role): the role is the position of a
        positional input or the keyword of a keyword one. The root is used by nobody.

    Examples
    --------
    >>> from hpspace.graph import as_apply
    >>> x = as_apply(2)
    >>> [(user.name, role) for user, role in clients(x * x)[x]]
    [('mul', 0), ('mul', 1)]
    """
    users: dict[Node, list[tuple[Node, int | str]]] = {node: [] for node in dfs(root)}
    for node in users:
        for position, child in enumerate(node.args):
            users[child].append((node, position))
        for keyword, child in node.named_args:
            users[child].append((node, keyword))
    return users


def ancestors(root: Node, node: Node) -> set[Node]:
    """Return every node of the expression `root` whose value needs `node`, directly or not.

    Raises
    ------
    KeyError
        If `node` is not part of the expression.
    """
    users = clients(root)
    above: set[Node] = set()
    queue = [node]
    for current in queue:
        for user, _ in users[current]:
            if user not in above:
                above.add(user)
                queue.append(user)
    return above


def to_networkx(root: Node) -> networkx.MultiDiGraph[Any]:
    """Return the expression as a networkx graph with an edge from each input to its user.

    Returns
    -------
    networkx.MultiDiGraph
        Its nodes are the nodes of the expression with the attribute `name`; its edges are keyed by the role
        (position or keyword).
    """
    import networkx

    graph: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph()
    users = clients(root)
    for node in users:
        graph.add_node(node, name=node.name)
    for node, edges in users.items():
        for user, role in edges:
            graph.add_edge(node, user, key=role)
    return graph
