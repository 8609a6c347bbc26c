"""Nodes: frozen, compared by identity, and turned into bigger expressions by Python's syntax."""

from __future__ import annotations

import copy
import operator

import numpy as np
import pytest

from hpspace.graph import Literal, MissingArgument, Node, as_apply, scope

BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
}
ORDER = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}


class Unfitted:
    """Like an ensemble that has no members yet."""

    def __len__(self):
        return len(self.estimators_)


@pytest.mark.parametrize("attribute", ["name", "args", "named_args", "o_len", "pure", "label"])
def test_no_attribute_can_be_set_or_deleted(attribute):
    node = as_apply(1) + 2
    with pytest.raises(AttributeError, match="frozen"):
        setattr(node, attribute, None)
    with pytest.raises(AttributeError, match="frozen"):
        delattr(node, attribute)


def test_equality_and_hash_are_identity():
    """Two literals of one value are two keys; ``==`` gives a plain bool."""
    a, b = as_apply(1), as_apply(1)
    assert (a == a) is True
    assert (a == b) is False
    assert (a == 1) is False
    assert len({a, b, a}) == 2


def test_inputs_must_be_nodes():
    with pytest.raises(TypeError, match=r"add: input 1 is not a node"):
        Node("add", [1])
    with pytest.raises(TypeError, match=r"f: input q=1 is not a node"):
        Node("f", [], [["q", 1]])


def test_named_args_is_live():
    """Integrations append to it, and everything that reads the node honours that."""
    node = as_apply({"a": 1})
    node.named_args.append(["b", as_apply(2)])
    assert node.kwargs.keys() == {"a", "b"}
    assert len(node.inputs()) == 2
    assert node.eval() == {"a": 1, "b": 2}


def test_pos_args_is_a_copy():
    node = as_apply((1, 2))
    node.pos_args.clear()
    assert node.eval() == (1, 2)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("reflected", [False, True])
def test_arithmetic_makes_a_node_of_that_name(name, reflected):
    x = as_apply(7)
    node = BINARY[name](2, x) if reflected else BINARY[name](x, 2)
    assert node.name == name
    assert node.pure
    assert node.eval() == (BINARY[name](2, 7) if reflected else BINARY[name](7, 2))


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize("other", [6, 7, 8])
def test_comparison_makes_a_node(name, other):
    """Python turns ``6 < x`` into ``x > 6``: the name may be the mirrored one, the value is right."""
    x = as_apply(7)
    assert ORDER[name](x, other).name == name
    assert ORDER[name](x, other).eval() is ORDER[name](7, other)
    assert ORDER[name](other, x).eval() is ORDER[name](other, 7)


def test_unary_operators():
    x = as_apply(-2.567)
    assert (-x).eval() == 2.567
    assert abs(x).eval() == 2.567
    assert round(x).eval() == -3
    assert round(x, 2).eval() == -2.57


@pytest.mark.parametrize("left", [np.float64(3), np.arange(3.0)], ids=["scalar", "array"])
def test_numpy_on_the_left_makes_one_node(left):
    """Without ``__array_ufunc__ = None`` an array would become an array of nodes."""
    node = left * as_apply(2)
    assert node.name == "mul"
    np.testing.assert_array_equal(node.eval(), left * 2)
    assert (left < as_apply(2)).name == "gt"


def test_calling_a_node():
    node = as_apply(dict)([("a", 1)], b=as_apply(1) + 1)
    assert node.name == "call"
    assert node.eval() == {"a": 1, "b": 2}


def test_a_node_indexed_by_a_node():
    assert as_apply([-1, 0])[as_apply(1)].eval() == 0


@pytest.mark.parametrize("index", [-2, -1, 0, 1, np.int64(1), slice(0, 1)])
def test_indices_in_range(index):
    assert as_apply((3, 4))[index].eval() == (3, 4)[index]


@pytest.mark.parametrize("index", [2, -3, np.int64(2)])
def test_an_index_beyond_a_known_length_is_refused_at_once(index):
    with pytest.raises(IndexError, match="out of range"):
        as_apply((3, 4))[index]


def test_an_index_into_an_unknown_length_is_not_checked():
    assert as_apply([3, 4])[5].name == "getitem"


def test_integer_keys_are_no_positions():
    assert as_apply({5: "a"})[5].eval() == "a"
    assert Literal({5: "a"})[5].eval() == "a"


def test_unpacking_a_known_length():
    a, b = as_apply((3, as_apply(4) + 1))
    assert (a.eval(), b.eval()) == (3, 5)


@pytest.mark.parametrize("obj", [[1, 2], 1, {"a": 1}], ids=["list", "number", "dict"])
def test_what_cannot_be_unpacked_says_so(obj):
    """A list has no known length; the items of a dict are not numbered."""
    with pytest.raises(TypeError, match="define_info"):
        list(as_apply(obj))


@pytest.mark.parametrize(
    ("use", "instead"),
    [
        (int, r"scope\.int"),
        (float, r"scope\.float"),
        (complex, "objective"),
        (bool, r"scope\.switch"),
        (len, r"scope\.len"),
        (lambda x: 1 in x, "objective"),
    ],
)
def test_what_needs_a_value_names_the_way_out(use, instead):
    with pytest.raises(TypeError, match=instead):
        use(as_apply(1) + 1)


def test_length_and_truth_where_they_are_known():
    assert len(as_apply((1, 2))) == 2
    assert as_apply((1, 2))
    assert not as_apply(())


@pytest.mark.parametrize(
    ("obj", "length"),
    [
        ("abc", 3),
        (np.zeros(4), 4),
        (np.array(1.0), None),
        (5, None),
        (None, None),
        (Unfitted(), None),
        (str, None),
    ],
)
def test_length_of_a_literal(obj, length):
    """A failing ``len`` is no length, whatever it raises."""
    assert Literal(obj).o_len == length


def test_length_of_a_literal_larger_than_python_counts():
    assert Literal(range(10**30)).o_len is None


def test_clone_from_inputs_keeps_everything_else():
    node = Node("f", [as_apply(1)], [["q", as_apply(2)]], o_len=2, pure=True)
    a, b = as_apply(3), as_apply(4)
    other = node.clone_from_inputs([a, b])
    assert (other.name, other.args, other.named_args, other.o_len, other.pure) == (
        "f",
        (a,),
        [["q", b]],
        2,
        True,
    )
    assert node.clone_from_inputs([a, b], o_len=None).o_len is None
    with pytest.raises(ValueError, match="2 inputs, got 1"):
        node.clone_from_inputs([a])


def test_replace_input_leaves_the_node_alone():
    x, y = as_apply(2), as_apply(3)
    node = x * x
    assert node.replace_input(x, y).eval() == 9
    assert node.eval() == 4


def test_set_kwarg_replaces_by_position_or_keyword():
    node = scope.sum([1, 2])
    assert node.set_kwarg("x", [5]).eval() == 5
    with_axis = node.set_kwarg("axis", 0)
    assert with_axis.kwargs["axis"].eval() == 0
    assert with_axis.set_kwarg("axis", None).kwargs["axis"].obj is None
    assert node.named_args == []


def test_arg_maps_parameters_to_inputs():
    node = scope.bincount([1], minlength=5)
    assert node.arg["x"] is node.args[0]
    assert node.arg["minlength"] is node.kwargs["minlength"]
    assert node.arg["weights"] is MissingArgument


def test_arg_of_open_signatures():
    node = scope.switch(0, "a", "b")
    assert [option.obj for option in node.arg["options"]] == ["a", "b"]
    call = scope.call_method("x", "format", 1, key=2)
    assert call.arg["args"] == [call.args[2]]
    assert call.arg["key"] is call.kwargs["key"]
    assert as_apply({"self": 1}).arg["self"].obj == 1
    assert as_apply(3).arg == {}


def test_arg_refuses_what_the_function_would():
    with pytest.raises(TypeError, match="Argument count exceeds"):
        _ = scope.identity(1, 2).arg
    with pytest.raises(TypeError, match="Unrecognized keyword argument"):
        _ = scope.identity(1, size=2).arg


def test_shallow_copy_is_a_new_node_on_the_same_inputs():
    node = as_apply({"a": 1})
    other = copy.copy(node)
    other.named_args.append(["b", as_apply(2)])
    assert other.kwargs["a"] is node.kwargs["a"]
    assert len(node.named_args) == 1


def test_repr_is_short():
    assert repr(as_apply(1) + 2) == "<Apply add: 2 inputs>"
    assert repr(scope.int(1)) == "<Apply int: 1 input>"
    assert repr(as_apply("x" * 100)) == "<Literal 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...>"
