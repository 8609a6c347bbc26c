"""Functions written as expressions."""

from __future__ import annotations

import pytest

from hpspace.graph import Lambda, apply, as_apply, scope
from hpspace.graph.lambdas import UndefinedValue, p0, p1


def test_arguments_take_the_place_of_parameters():
    scaled = Lambda("scaled", [("x", p0), ("by", p1)], expr=p0 * p1 + p0)
    x = as_apply(3)
    node = scaled(x, by=scope.int(2))
    assert node.eval() == 9
    assert node.eval(memo={x: 5}) == 15
    assert scaled.expr.args[1] is p0


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"takes the arguments \['x'\], got \[\]"),
        ((1, 2), {}, "takes 1 arguments, got 2"),
        ((1,), {"x": 1}, "by position and by keyword"),
        ((1,), {"y": 1}, r"got \['x', 'y'\]"),
    ],
)
def test_calls_are_checked(args, kwargs, message):
    with pytest.raises(TypeError, match=message):
        Lambda("f", [("x", p0)], expr=p0)(*args, **kwargs)


@pytest.mark.parametrize("n", [0, 1, 10, 3000])
def test_a_recursive_function(n):
    """Each call makes its expression when it is evaluated; none is nested on Python's stack."""
    body = scope.switch(scope.lt(p0, 2), p0 * apply("fact_of", p0 - 1), 1)
    fact = Lambda("fact_of", [("x", p0)], expr=body)
    scope.define(fact)
    try:
        expected = 1
        for i in range(2, n + 1):
            expected *= i
        assert scope.fact_of(n).eval() == expected
    finally:
        scope.undefine(fact)


def test_a_placeholder_has_no_value():
    assert p0.eval() is UndefinedValue
