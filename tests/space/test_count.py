"""Counting, unranking and ranking of finite spaces, against spaces small enough to count by hand."""

from __future__ import annotations

import math

import pytest

from hpspace import compile_space, hp
from hpspace.exceptions import InvalidPoint
from hpspace.pyll import scope


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({}, 1),
        ([1, "two"], 1),
        (hp.choice("c", ["a", "b", "c"]), 3),
        (hp.randint("r", 5), 5),
        (hp.quniform("q", 1, 10, 4), 3),  # 0, 4, 8
        (hp.uniformint("u", 0, 3), 4),
        (hp.int("i", 1, 10, step=3), 4),  # 1, 4, 7, 10
        (hp.pchoice("p", [(0.0, "never"), (1.0, "always")]), 1),
        ([hp.randint("a", 3), hp.randint("b", 4)], 12),
        (hp.choice("c", [0, hp.randint("a", 3), [hp.randint("b", 2), hp.randint("d", 2)]]), 1 + 3 + 4),
        (hp.uniform("x", 0, 1), math.inf),
        (hp.qnormal("x", 0, 1, 1), math.inf),
        (hp.choice("c", [0, hp.uniform("x", 0, 1)]), math.inf),
    ],
)
def test_cardinality(space, expected):
    assert compile_space(space).cardinality() == expected


def test_a_parameter_shared_by_branches_counts_once_a_branch():
    """c -> [s | s, t | 0], s has 3 values and t has 2: 3 + 6 + 1."""
    s, t = hp.randint("s", 3), hp.randint("t", 2)
    assert compile_space(hp.choice("c", [s, [s, t], 0])).cardinality() == 10


def test_a_parameter_shared_with_the_root_counts_once():
    """s stands beside the choice and in one of its branches: 3 * (1 + 2)."""
    s = hp.randint("s", 3)
    assert compile_space([s, hp.choice("c", [s, hp.randint("t", 2)])]).cardinality() == 9


def test_a_selector_of_two_switches_is_decided_once():
    which = hp.randint("w", 2)
    space = [scope.switch(which, hp.randint("a", 3), 0), scope.switch(which, 0, hp.randint("b", 5))]
    assert compile_space(space).cardinality() == 3 + 5


def test_bounds_that_depend_on_another_parameter():
    """n in 1..3, k in 0..n-1: 1 + 2 + 3."""
    n = hp.int("n", 1, 3)
    compiled = compile_space([n, hp.randint("k", n)])
    assert compiled.cardinality() == 6
    points = [(p["n"], p["k"]) for p in map(compiled.point_at, range(6))]
    assert sorted(points) == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]


def test_a_selector_that_is_an_expression():
    a, b = hp.randint("a", 2), hp.randint("b", 2)
    space = scope.switch(a + b, hp.randint("x", 2), hp.randint("y", 3), hp.randint("z", 5))
    assert compile_space(space).cardinality() == 2 + 3 + 3 + 5


def test_independent_choices_multiply_without_being_listed():
    """50 choices of 4 branches with 1 + 2 + 3 + 4 points each: 10^50, counted and addressed at once."""
    space = [hp.choice(f"c{i}", [hp.randint(f"x{i}{k}", k + 1) for k in range(4)]) for i in range(50)]
    compiled = compile_space(space)
    assert compiled.cardinality() == 10**50
    index = 12345678901234567890123456789012345678901234567890 % 10**50
    assert compiled.index_of(compiled.point_at(index)) == index


def test_configurations_by_index_are_the_objects_an_objective_sees():
    space = {"kind": hp.choice("kind", ["a", {"n": hp.int("n", 5, 6)}])}
    compiled = compile_space(space)
    assert list(compiled.enumerate()) == [{"kind": "a"}, {"kind": {"n": 5}}, {"kind": {"n": 6}}]
    assert compiled.config_at(2) == {"kind": {"n": 6}}


def test_an_index_beyond_the_space_is_an_index_error():
    with pytest.raises(IndexError, match="3 points"):
        compile_space(hp.randint("r", 3)).point_at(3)


def test_an_infinite_space_says_which_parameter_is_endless():
    with pytest.raises(ValueError, match="'x' has infinitely many"):
        compile_space([hp.randint("r", 3), hp.uniform("x", 0, 1)]).enumerate()


def test_the_index_of_a_point_outside_the_space_is_refused():
    compiled = compile_space(hp.randint("r", 3))
    with pytest.raises(InvalidPoint, match="'r'=7"):
        compiled.index_of({"r": 7})
    with pytest.raises(InvalidPoint, match="no value for 'r'"):
        compiled.index_of({})
