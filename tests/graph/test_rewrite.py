"""Rewrites keep the value and leave their argument alone."""

from __future__ import annotations

import pytest

from hpspace.graph import Literal, as_apply, clone, clone_merge, dfs, scope, substitute


@pytest.fixture
def expression():
    x = as_apply(2)
    param = scope.hyperopt_param("x", x)
    return as_apply(
        {"a": (x + 1) * (x + 1), "b": [param, scope.switch(param, 0, 1, x)], "c": scope.sum([x], axis=0)}
    )


@pytest.mark.parametrize("rewrite", [clone, clone_merge, lambda e: clone_merge(e, merge_literals=True)])
def test_the_value_is_kept(expression, rewrite):
    before = str(expression)
    assert rewrite(expression).eval() == expression.eval()
    assert str(expression) == before


def test_a_clone_shares_nodes_with_nothing_and_objects_with_everything(expression):
    obj = object()
    root = as_apply([expression, obj])
    copy = clone(root)
    assert not set(dfs(root)) & set(dfs(copy))
    assert copy.args[1].obj is obj
    assert str(copy) == str(root)


def test_clone_uses_and_fills_the_memo():
    x, y = as_apply(2), as_apply(5)
    root = x * 3
    memo = {x: y}
    assert clone(root, memo).eval() == 15
    assert memo[root].args[0] is y
    assert memo.keys() == set(dfs(root))


def test_a_deep_clone():
    x = as_apply(0)
    for _ in range(10_000):
        x = x + 1
    assert clone(x).eval() == clone_merge(x, merge_literals=True).eval() == 10_000


def test_equal_pure_nodes_become_one(expression):
    """x + 1 occurs twice; the two 1 are two literals unless literals are merged too."""
    product = clone_merge(expression).kwargs["a"]
    assert product.args[0] is not product.args[1]
    product = clone_merge(expression, merge_literals=True).kwargs["a"]
    assert product.args[0] is product.args[1]


@pytest.mark.parametrize(
    "make", [lambda x: scope.hyperopt_param("x", x), lambda x: as_apply([x]), lambda x: {"a": x}]
)
def test_what_is_not_pure_stays_apart(make):
    """Parameters are what they are, and a dict that two places share could be changed by one of them."""
    x = as_apply(1)
    root = clone_merge(as_apply([make(x), make(x)]), merge_literals=True)
    assert root.args[0] is not root.args[1]


def test_different_operations_and_keywords_are_not_merged():
    x = as_apply([1, 2])
    nodes = [scope.sum(x), scope.sum(x, axis=0), scope.sum(x, axis=1), scope.len(x), scope.sum(x)]
    root = clone_merge(as_apply(nodes), merge_literals=True)
    assert len(set(root.args)) == 4
    assert root.args[0] is root.args[4]


def test_only_constants_that_cannot_be_told_apart_are_merged():
    values = [1, 1, True, 1.0, 0.0, -0.0, "1", b"1", None, None, float("nan"), float("nan"), (1,), (True,)]
    root = clone_merge(as_apply([Literal(value) for value in values]), merge_literals=True)
    assert len(set(root.args)) == len(values) - 3  # 1, None and nan
    assert [repr(node.obj) for node in root.args] == [repr(value) for value in values]


def test_substitute_keeps_what_does_not_depend():
    x, y, z = as_apply(2), as_apply(10), as_apply(7)
    kept = z * 2
    root = as_apply([x + 1, kept, {"k": x}])
    other = substitute(root, {x: y})
    assert other.eval() == (11, 14, {"k": 10})
    assert root.eval() == (3, 14, {"k": 2})
    assert other.args[1] is kept


def test_substitute_nothing_returns_the_expression():
    root = as_apply(1) + 2
    assert substitute(root, {}) is root
    assert substitute(root, {as_apply(1): as_apply(2)}) is root


def test_substitute_does_not_search_replacements():
    x = as_apply(2)
    assert substitute(x + 1, {x: x * 10}).eval() == 21


def test_substitute_the_root():
    x, y = as_apply(2), as_apply(3)
    assert substitute(x, {x: y}) is y
