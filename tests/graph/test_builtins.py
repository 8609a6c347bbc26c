"""What each function on scope computes."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from hpspace.graph import Literal, as_apply, rec_eval, scope

VALUES = [
    (lambda: scope.int(3.9), 3),
    (lambda: scope.float(3), 3.0),
    (lambda: scope.len([1, 2]), 2),
    (lambda: scope.list((1, 2)), [1, 2]),
    (lambda: scope.dict(a=1, b=[2]), {"a": 1, "b": (2,)}),
    (lambda: scope.dict([("a", 1)], b=2), {"a": 1, "b": 2}),
    (lambda: scope.range(1, 7, 2), range(1, 7, 2)),
    (lambda: scope.map(abs, [-1, 2]), [1, 2]),
    (lambda: scope.map(scope.partial("add", 1), [1, 2]), [2, 3]),
    (lambda: scope.max([1, 3, 2]), 3),
    (lambda: scope.min(1, 3, 2), 1),
    (lambda: scope.getattr(3 + 4j, "imag"), 4.0),
    (lambda: scope.getattr(3, "nope", 7), 7),
    (lambda: scope.add(2, 3), 5),
    (lambda: scope.sub(2, 3), -1),
    (lambda: scope.mul(2, 3), 6),
    (lambda: scope.truediv(3, 2), 1.5),
    (lambda: scope.floordiv(7, 2), 3),
    (lambda: scope.mod(7, 4), 3),
    (lambda: scope.pow(2, 5), 32),
    (lambda: scope.neg(2), -2),
    (lambda: scope.abs(-2), 2),
    (lambda: scope.round(2.345, 2), 2.35),
    (lambda: scope.eq(2, 2), True),
    (lambda: scope.ne(2, 2), False),
    (lambda: scope.lt(1, 2), True),
    (lambda: scope.le(2, 1), False),
    (lambda: scope.gt(1, 2), False),
    (lambda: scope.ge(2, 2), True),
    (lambda: scope.getitem({"a": 5}, "a"), 5),
    (lambda: scope.sum([[1, 2], [3, 4]]), 10),
    (lambda: scope.str_join(", ", ["a", "b"]), "a, b"),
    (lambda: scope.identity(None), None),
    (lambda: scope.pos_args(1, [2]), (1, (2,))),
    (lambda: scope.repeat(3, "a"), ["a", "a", "a"]),
    (lambda: scope.uniq([2, 1, 2]), [2, 1]),
    (lambda: scope.call(divmod, (7, 2)), (3, 1)),
    (lambda: scope.call(dict, (), {"a": 1}), {"a": 1}),
    (lambda: scope.call_method("a-b", "split", "-"), ["a", "b"]),
    (lambda: scope.call_method_pure("ab", "upper"), "AB"),
    (lambda: scope.callpipe1([scope.partial("add", 3), abs], -7), 4),
    (lambda: scope.hyperopt_param("x", 5, default=3), 5),
    (lambda: scope.kwswitch("b", b=1, a=2), 1),
    (lambda: scope.kwswitch(scope.str_join("", ["b"]), b=1, a=2), 1),
]


@pytest.mark.parametrize(("make", "value"), VALUES, ids=range(len(VALUES)))
def test_value(make, value):
    result = rec_eval(make())
    assert result == value
    assert type(result) is type(value) or isinstance(result, np.integer)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tan"])
def test_elementary_functions_take_numbers_and_arrays(name):
    x = np.array([0.25, 0.75])
    expected = [getattr(math, name)(v) for v in x]
    np.testing.assert_allclose(getattr(scope, name)(x).eval(), expected, rtol=1e-15)
    assert getattr(scope, name)(0.25).eval() == pytest.approx(expected[0], rel=1e-15)


ARRAYS = [
    (lambda: scope.sum([[1, 2], [3, 4]], axis=0), [4, 6]),
    (lambda: scope.minimum([1, 5], [4, 2]), [1, 2]),
    (lambda: scope.maximum([1, 5], [4, 2]), [4, 5]),
    (lambda: scope.asarray([1, 2]), [1, 2]),
    (lambda: scope.array_union([3, 1], [1, 2]), [1, 2, 3]),
    (lambda: scope.array_union(), []),
    (lambda: scope.array_union1([[3, 1], [1, 2]]), [1, 2, 3]),
    (lambda: scope.bincount([1, 2, 1]), [0, 2, 1]),
    (lambda: scope.bincount([5, 6, 5], offset=5), [2, 1]),
    (lambda: scope.bincount([1], minlength=3), [0, 1, 0]),
    (lambda: scope.bincount([1], p=[0.2, 0.3, 0.5]), [0, 1, 0]),
]


@pytest.mark.parametrize(("make", "value"), ARRAYS, ids=range(len(ARRAYS)))
def test_array_value(make, value):
    result = make().eval()
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, value)


def test_asarray_takes_a_dtype():
    assert scope.asarray([1, 2], dtype=np.float32).eval().dtype == np.float32


@pytest.mark.parametrize(
    ("node", "length"),
    [
        (scope.range(2, 8, 2), 3),
        (scope.range(as_apply(1) + 1), None),
        (scope.list((1, 2)), 2),
        (scope.list([1, 2]), None),
        (scope.map(abs, (1, 2)), 2),
        (scope.dict(a=1), 1),
        (scope.dict([("a", 1)], b=1), None),
        (scope.curtime(1), 2),
        (scope.int(1), None),
    ],
)
def test_known_lengths(node, length):
    assert node.o_len == length


def test_copy_call_method_leaves_the_object_alone():
    numbers = [3, 1, 2]
    assert scope.copy_call_method_pure(Literal(numbers), "sort").eval() is None
    assert numbers == [3, 1, 2]


def test_raise():
    with pytest.raises(LookupError) as caught:
        scope.Raise(LookupError, "x", 3).eval()
    assert caught.value.args == ("x", 3)


def test_curtime():
    before = time.time()
    now, obj = scope.curtime("x")
    assert before <= now.eval() <= time.time()
    assert obj.eval() == "x"


def test_rng_from_seed():
    draw = scope.call_method(scope.rng_from_seed(5), "random")
    assert draw.eval() == np.random.default_rng(5).random()


@pytest.mark.parametrize("pos", [1, True, np.int32(1), np.array(1), np.bool_(True)])
def test_switch_takes_whole_numbers_of_every_kind(pos):
    """A comparison gives a bool, so ``scope.switch(x > 0.5, low, high)`` is how a condition is written."""
    assert scope.switch(pos, "a", "b").eval() == "b"


@pytest.mark.parametrize("pos", [1.0, "1", None, np.float64(1), np.array([1, 0])])
def test_switch_refuses_what_is_no_whole_number(pos):
    with pytest.raises(TypeError, match="switch argument was") as caught:
        scope.switch(Literal(pos), "a", "b").eval()
    assert caught.value.args[1] is pos


def test_switch_refuses_positions_outside():
    with pytest.raises(ValueError) as caught:
        scope.switch(-1, "a").eval()
    assert caught.value.args == ("switch pos must be positive int", -1)
    with pytest.raises(IndexError, match="position 2 is past the end: there are 2 options"):
        scope.switch(2, "a", "b").eval()


def test_kwswitch_is_a_switch_on_sorted_names():
    node = scope.kwswitch("b", b=1, a=2)
    assert node.name == "switch"
    assert [option.obj for option in node.args[1:]] == [2, 1]
    assert scope.kwswitch("key", key=1, fn=2).eval() == 1


def test_kwswitch_takes_one_branch_only():
    assert scope.kwswitch("b", a=scope.Raise(ValueError), b=1).eval() == 1


def test_kwswitch_without_such_an_option():
    with pytest.raises(ValueError, match="not in tuple"):
        scope.kwswitch("z", a=1).eval()
