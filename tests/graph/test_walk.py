"""Orders and users of nodes, without recursion."""

from __future__ import annotations

import networkx
import pytest

from hpspace.graph import ancestors, as_apply, clients, dfs, scope, to_networkx, toposort


def test_dfs_is_a_post_order_with_each_node_once():
    """      mul
           /   \\
         add    x      x is shared, the keyword input of sum comes after the positional one
        /   \\
       x     sum([1], axis=x)
    """
    x = as_apply(0)
    total = scope.sum([1], axis=x)
    inner = x + total
    root = inner * x
    items = total.args[0]
    assert dfs(root) == [x, items.args[0], items, total, inner, root]


def test_dfs_sees_what_was_appended():
    root, late = as_apply({"a": 1}), as_apply(2)
    root.named_args.append(["b", late])
    assert late in dfs(root)


def test_toposort_is_dfs_where_there_is_no_cycle():
    root = scope.int(as_apply(1) + 2)
    assert toposort(root) == dfs(root)


def test_toposort_names_the_cycle():
    """named_args is live, so an expression can be made to use itself."""
    root = as_apply({"a": scope.int(1)})
    root.kwargs["a"].named_args.append(["loop", scope.float(root)])
    with pytest.raises(networkx.NetworkXUnfeasible, match="cycle: ") as caught:
        toposort(root)
    names = str(caught.value).split(": ")[1].split(" -> ")
    assert names[0] == names[-1]
    assert sorted(names[:-1]) == ["dict", "float", "int"]


def test_toposort_of_a_node_that_is_its_own_input():
    root = as_apply({"a": 1})
    root.named_args.append(["self", root])
    with pytest.raises(networkx.NetworkXUnfeasible, match="dict -> dict"):
        toposort(root)


def test_clients_tell_users_and_roles():
    x = as_apply(2)
    root = as_apply({"a": x + x, "b": x})
    assert clients(root)[x] == [(root.kwargs["a"], 0), (root.kwargs["a"], 1), (root, "b")]
    assert clients(root)[root] == []


def test_ancestors_are_all_that_need_a_node():
    x, y = as_apply(1), as_apply(2)
    total = x + 1
    root = as_apply([total, y])
    assert ancestors(root, x) == {total, root}
    assert ancestors(root, root) == set()
    with pytest.raises(KeyError):
        ancestors(y, x)


def test_networkx_view():
    x = as_apply(2)
    root = x * x
    graph = to_networkx(root)
    assert graph.nodes[x]["name"] == "literal"
    assert set(graph.edges(keys=True)) == {(x, root, 0), (x, root, 1)}
