"""From Python objects to nodes."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

from hpspace.graph import Literal, as_apply, dfs, scope


def test_a_node_is_returned_as_it_is():
    node = scope.int(3)
    assert as_apply(node) is node


def test_tuples_promise_their_length_and_lists_do_not():
    assert (as_apply((1, 2)).name, as_apply((1, 2)).o_len) == ("pos_args", 2)
    assert (as_apply([1, 2]).name, as_apply([1, 2]).o_len) == ("pos_args", None)


def test_string_keys_become_keywords_in_the_order_written():
    node = as_apply(OrderedDict(b=1, a=[2]))
    assert node.name == "dict"
    assert [key for key, _ in node.named_args] == ["b", "a"]
    assert all(type(pair) is list for pair in node.named_args)
    assert node.args == ()
    assert node.o_len == 2
    assert list(node.eval().items()) == [("b", 1), ("a", (2,))]


@pytest.mark.parametrize("obj", [{2: "x", 1: "y"}, {"a": 1, 2: 3}, {(1, 2): 3}, {None: [1], 0.5: {}}])
def test_other_keys_become_pairs_in_the_order_written(obj):
    node = as_apply(obj)
    assert node.name == "dict"
    assert node.named_args == []
    (pairs,) = node.args
    assert [pair.name for pair in pairs.args] == ["pos_args"] * len(obj)
    assert list(node.eval()) == list(obj)


def test_any_keyword_may_be_a_key():
    """Also the names of parameters of the functions on the way, and what is no identifier."""
    obj = {"self": 1, "name": 2, "obj": 3, "not an identifier": 4, "": 5}
    assert as_apply(obj).eval() == obj


@pytest.mark.parametrize(
    "obj", [None, 1, "text", b"bytes", int, len, {1, 2}, frozenset({1}), np.ones(2), range(3), slice(1), ...]
)
def test_everything_else_is_a_constant_by_identity(obj):
    node = as_apply(obj)
    assert type(node) is Literal
    assert node.obj is obj
    assert node.eval() is obj


def test_nodes_are_found_at_any_depth():
    x = as_apply(1)
    node = as_apply([{"a": (x, [x])}])
    assert node.eval(memo={x: 5}) == ({"a": (5, (5,))},)


def test_a_container_used_twice_gives_two_values():
    """One dict in two places must not become one dict that the objective changes in both."""
    inner = {"a": 1}
    first, second = as_apply([inner, inner]).eval()
    assert first == second
    assert first is not second


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"k": x}, lambda x: {1: x}])
def test_deep_nesting(wrap):
    obj: object = "innermost"
    for _ in range(10_000):
        obj = wrap(obj)
    assert dfs(as_apply(obj))[-1].name == as_apply(wrap(0)).name
    assert "innermost" in [node.obj for node in dfs(as_apply(obj)) if isinstance(node, Literal)]


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_container_in_itself_is_refused(kind):
    obj: list | dict = [] if kind == "list" else {}
    inner = (1, obj)
    if isinstance(obj, list):
        obj.append(inner)
    else:
        obj["k"] = inner
    with pytest.raises(ValueError, match=f"a {kind} in the space contains itself"):
        as_apply(obj)
