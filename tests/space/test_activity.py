"""Which parameters a point has, for every way in which expressions can be nested and shared."""

from __future__ import annotations

import numpy as np

from hpspace import compile_space, hp
from hpspace.pyll import scope
from hpspace.space.params import ALWAYS


def active(space, **choices):
    """Labels that are active at the given choices (missing ones are drawn)."""
    return set(compile_space(space).complete(choices, 0))


def test_only_the_taken_branch_is_active():
    """space: c -> [x | y]"""
    space = hp.choice("c", [hp.uniform("x", 0, 1), hp.uniform("y", 0, 1)])
    assert active(space, c=0) == {"c", "x"}
    assert active(space, c=1) == {"c", "y"}


def test_a_shared_node_is_active_when_any_branch_that_uses_it_is_taken():
    """space: c -> [lr | lr, m | nothing]; lr is one object."""
    lr = hp.uniform("lr", 0, 1)
    space = hp.choice("c", [{"lr": lr}, {"lr": lr, "m": hp.uniform("m", 0, 1)}, {}])
    assert active(space, c=0) == {"c", "lr"}
    assert active(space, c=1) == {"c", "lr", "m"}
    assert active(space, c=2) == {"c"}


def test_a_parameter_that_every_branch_uses_is_unconditional():
    lr = hp.uniform("lr", 0, 1)
    compiled = compile_space(hp.choice("c", [[lr, 1], [lr, 2]]))
    assert compiled["lr"].conditions == ALWAYS


def test_conditions_name_the_whole_way():
    """space: a -> [0 | b -> [0 | x]]"""
    inner = hp.choice("b", [0, hp.uniform("x", 0, 1)])
    compiled = compile_space(hp.choice("a", [0, inner]))
    assert compiled["x"].conditions == ((("a", 1), ("b", 1)),)
    assert compiled["b"].conditions == ((("a", 1),),)


def test_one_selector_may_steer_two_switches():
    """The same choice object used twice takes the same option in both places."""
    which = hp.randint("which", 2)
    space = [scope.switch(which, hp.uniform("x", 0, 1), 0), scope.switch(which, 0, hp.uniform("y", 0, 1))]
    assert active(space, which=0) == {"which", "x"}
    assert active(space, which=1) == {"which", "y"}


def test_a_selector_may_be_an_expression():
    """space: (a + b) -> [x | y | z]"""
    a, b = hp.randint("a", 2), hp.randint("b", 2)
    space = scope.switch(a + b, hp.uniform("x", 0, 1), hp.uniform("y", 0, 1), hp.uniform("z", 0, 1))
    assert active(space, a=0, b=0) == {"a", "b", "x"}
    assert active(space, a=1, b=0) == {"a", "b", "y"}
    assert active(space, a=1, b=1) == {"a", "b", "z"}


def test_parameters_of_a_distribution_are_active_with_it():
    """space: c -> [0 | y ~ uniform(0, x)]: x is read only when y is."""
    space = hp.choice("c", [0, hp.uniform("y", 0, hp.uniform("x", 1, 2))])
    assert active(space, c=0) == {"c"}
    assert active(space, c=1) == {"c", "x", "y"}


def test_branches_are_taken_as_often_as_their_probability_says():
    """20,000 points of a two-level tree: P(x active) = 0.7 * 1/2, within five standard errors."""
    inner = hp.choice("b", [0, hp.uniform("x", 0, 1)])
    compiled = compile_space(hp.pchoice("a", [(0.3, 0), (0.7, inner)]))
    values = compiled.sample(np.random.default_rng(1), 20_000).values
    share = 1 - np.isnan(values[:, compiled.index["x"]]).mean()
    assert abs(share - 0.35) < 5 * np.sqrt(0.35 * 0.65 / 20_000)


def test_a_choice_of_a_thousand_nested_levels_compiles():
    """Nothing recurses: deep spaces are only slow, never impossible."""
    space = 0
    for level in range(1000):
        space = hp.choice(f"c{level}", [0, space])
    compiled = compile_space(space)
    assert len(compiled) == 1000
    assert compiled.activity(np.ones((1, 1000))).all()
