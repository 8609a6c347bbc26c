"""Pickles and deep copies: any depth, identity kept, public addresses only."""

from __future__ import annotations

import copy
import pickle
import pickletools

import cloudpickle
import pytest

from hpspace.graph import Literal, as_apply, clients, dfs, scope
from hpspace.graph.pickling import _listing

PICKLES = {
    "pickle-2": lambda obj: pickle.loads(pickle.dumps(obj, 2)),
    "pickle-5": lambda obj: pickle.loads(pickle.dumps(obj, 5)),
    "python-pickle": lambda obj: pickle.loads(pickle._dumps(obj)),
    "cloudpickle": lambda obj: pickle.loads(cloudpickle.dumps(obj)),
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=PICKLES)
def through(request):
    return PICKLES[request.param]


def chain(length):
    x = as_apply(0)
    for _ in range(length):
        x = x + 1
    return x


def test_the_expression_is_the_same(through):
    x = scope.hyperopt_param("x", 3)
    root = as_apply({"a": x + x, "b": [scope.sum([x], axis=0), (1, 2)], 'c"': scope.switch(x, *range(4))})
    other = through(root)
    assert str(other) == str(root)
    assert [(n.name, n.o_len, n.pure) for n in dfs(other)] == [(n.name, n.o_len, n.pure) for n in dfs(root)]
    assert other.eval() == root.eval()
    assert not set(dfs(other)) & set(dfs(root))


def test_identity_is_kept_across_everything_in_one_pickle(through):
    """A compiled space keeps its expression and, beside it, the nodes of its parameters."""
    x = scope.hyperopt_param("x", scope.identity(as_apply(1) + 1))
    root = as_apply({"a": scope.float(x), "b": [x]})
    before, expr, after = through([x, root, {"x": x}])
    assert after["x"] is before
    assert len(clients(expr)[before]) == 2


def test_named_args_stay_live_and_separate(through):
    root = as_apply({"a": scope.int(scope.float(1))})
    other = through(root)
    other.named_args.append(["b", as_apply(2)])
    assert other.eval() == {"a": 1, "b": 2}
    assert root.eval() == {"a": 1}


@pytest.mark.parametrize("name", ["pickle-5", "pickle-2", "cloudpickle", "deepcopy"])
def test_a_chain_of_ten_thousand_operations(name):
    assert PICKLES[name](chain(10_000)).eval() == 10_000


def test_size_is_linear():
    small, large = (len(pickle.dumps(chain(n))) for n in (1_000, 10_000))
    assert large < 11 * small


def test_pickles_name_public_addresses_only():
    data = pickle.dumps(as_apply({"a": scope.int(scope.float(1))}), 2)
    names = {arg for op, arg, _ in pickletools.genops(data) if op.name == "GLOBAL"}
    ours = {name for name in names if name.startswith("hpspace")}
    assert ours == {"hpspace.pyll.base Apply", "hpspace.pyll.base Literal"}


def test_a_failed_pickle_leaves_nothing_behind():
    """The listing is open while pickle writes it; an unpicklable constant in the middle must close it."""
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps(as_apply([chain(5), Literal(lambda: 0), chain(5)]))
    assert not _listing.active
    assert pickle.loads(pickle.dumps(chain(10_000))).eval() == 10_000


def test_deepcopy_copies_the_objects_of_literals():
    numbers = [1]
    root = as_apply([Literal(numbers), Literal(numbers)])
    other = copy.deepcopy(root)
    assert other.args[0].obj is other.args[1].obj
    assert other.args[0].obj is not numbers
