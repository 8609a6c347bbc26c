"""Constants and containers that a space was not thought for: kept as they are, or refused with a word."""

from __future__ import annotations

import dataclasses
import functools
import os
import subprocess
import sys
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from types import MappingProxyType
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from hpspace import Trials, compile_space, fmin, hp, space_eval
from hpspace.exceptions import BadSearchSpace, InvalidKey, SuspiciousBounds

Net = namedtuple("Net", "depth width")


@dataclasses.dataclass
class Box:
    """A dataclass."""

    content: object


class Hostile:
    """Refuses every question."""

    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("eq")

    def __len__(self):
        raise RuntimeError("len")

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")


def x():
    return hp.uniform("x", 0, 1)


CONSTANTS = {
    "hostile": Hostile,
    "mock": Mock,
    "magic mock": MagicMock,
    "generator": lambda: (i for i in "ab"),
    "array": lambda: np.arange(3),
    "set": lambda: {1, 2},
    "dataclass": lambda: Box(1),
    "class": lambda: Hostile,
    "function": lambda: len,
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_a_constant_reaches_the_objective_untouched(kind, tmp_path):
    """By identity, inside and outside of a choice; and the space can be described, saved and compared."""
    constant = CONSTANTS[kind]()
    space = {"c": constant, "k": hp.choice("k", [constant, {"c": constant, "x": x()}])}
    seen = []
    best = fmin(
        lambda c: seen.append(c) or float(len(seen)), space, "tpe", 8, rstate=0, verbose=False,
        trials_save_file=str(tmp_path / "file"),
    )  # fmt: skip
    assert all(config["c"] is constant for config in seen)
    assert all(
        (config["k"]["c"] if type(config["k"]) is dict else config["k"]) is constant for config in seen
    )
    compiled = compile_space(space)
    assert "x" in compiled.describe()
    assert compiled.diff(compiled.to_json()) == []
    assert len(Trials.load(tmp_path / "file")) == len(best.trials)


def test_a_named_tuple_stays_one():
    """With its fields, in describe and in the paths too; nested ones as well."""
    space = Net(x(), hp.choice("c", [Net(1, hp.randint("w", 5)), None]))
    config = space_eval(space, {"x": 0.5, "c": 0, "w": 3})
    assert config == Net(0.5, Net(1, 3))
    assert (config.depth, config.width.width) == (0.5, 3)
    compiled = compile_space(space)
    assert compiled["w"].path == "space.width(c=0).width"
    assert compiled["w"].conditions == ((("c", 0),),)
    assert "depth" in compiled.describe()
    assert compile_space(Net(1, hp.choice("c", [1, 2, 3]))).cardinality() == 3


@pytest.mark.parametrize("make", [OrderedDict, lambda d: defaultdict(int, d)])
def test_kinds_of_dicts_are_dicts(make):
    """They arrive as plain dicts."""
    assert space_eval(make({"b": x(), "a": 1}), {"x": 0.5}) == {"b": 0.5, "a": 1}


@pytest.mark.parametrize(
    "hide",
    [
        lambda node: {node, 1},
        lambda node: frozenset([node]),
        Box,
        lambda node: Box([{"deep": node}]),
        lambda node: deque([node]),
        lambda node: UserDict(a=node),
        lambda node: MappingProxyType({"a": node}),
        lambda node: np.array([None, node], dtype=object),
        lambda node: functools.partial(print, node),
        lambda node: functools.partial(print, end=node),
    ],
)
def test_an_expression_where_nothing_evaluates_it_is_refused(hide):
    """It would reach the objective as a graph; the message says where and what to do."""
    with pytest.raises(BadSearchSpace, match=r'space\["a"\].*unevaluated.*use a dict, list or tuple'):
        compile_space({"a": hide(x()), "b": hp.uniform("b", 0, 1)})


@pytest.mark.parametrize("more", [{}, {"a": 1}])
def test_an_expression_as_key_is_refused(more):
    """Its value is not known; what stands under it is still looked at."""
    with pytest.raises(InvalidKey, match="a key of the dict is an expression"):
        compile_space({x(): hp.uniform("y", 0, 1), **more})


def test_large_log_bounds_are_shown_as_they_are():
    """exp(700) is finite, and -700 has no logarithm to advise."""
    with pytest.warns(SuspiciousBounds, match=r"1\.014e\+304") as caught:
        compile_space(hp.loguniform("x", -700, 700))
    assert "log(-" not in str(caught[0].message)


def test_the_description_of_a_set_is_the_same_in_every_process():
    """Sets of texts are ordered by hash, which differs from one process to the next."""
    code = (
        "from hpspace import compile_space, hp;"
        "print(compile_space({'s': set('abcdefgh'), 'x': hp.choice('x', [frozenset('xyz'), 1])}).fingerprint())"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in range(3)
    }  # fmt: skip
    assert len(prints) == 1
