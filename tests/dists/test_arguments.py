"""What a user can get wrong in a call, and what is said about it: `bind` for names, `faults` for values."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from hpspace import dists
from hpspace.dists import Distribution, RandInt, Uniform, bind


def names_of(findings):
    return [finding[0] for finding in findings]


@pytest.mark.parametrize("args", [(0, 1, 2), (0, 1), (0,), ()])
def test_positions_and_keywords_bind_alike(args):
    """quniform(0, 1, q=2) and every other split of the same three arguments."""
    keywords = dict(list({"low": 0, "high": 1, "q": 2}.items())[len(args) :])
    assert bind("quniform", args, keywords) == ({"low": 0, "high": 1, "q": 2}, [])


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((5,), {}, {"high": 5}),
        ((2, 5), {}, {"low": 2, "high": 5}),
        ((), {"upper": 5}, {"high": 5}),
        ((), {"high": 5}, {"high": 5}),
        ((), {"low": 2, "high": 5}, {"low": 2, "high": 5}),
        ((2,), {"high": 5}, {"low": 2, "high": 5}),
        ((2,), {"upper": 5}, {"low": 2, "high": 5}),
        ((5,), {"low": 2}, {"low": 2, "high": 5}),
    ],
)
def test_forms_of_randint(args, kwargs, expected):
    """One bound is the upper one, wherever it stands; two are low and high."""
    bound, findings = bind("randint", args, kwargs)
    assert findings == []
    assert bound == expected
    assert dists.build("randint", bound) == RandInt(expected.get("low", 0), 5)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1, 5), {"upper": 5}), ((), {"high": 5, "upper": 5}), ((1, 5), {"high": 6}), ((1, 5), {"low": 0})],
)
def test_a_bound_of_randint_given_twice(args, kwargs):
    _, findings = bind("randint", args, kwargs)
    assert len(findings) == 1
    assert "twice" in findings[0][2]


def test_randint_without_an_upper_bound():
    assert names_of(bind("randint", (), {"low": 5})[1]) == ["high"]


def test_uniformint_is_quniform_with_step_one_whatever_q_is_given():
    assert bind("uniformint", (1, 6), {"q": 4}) == ({"low": 1, "high": 6, "q": 1.0}, [])
    assert names_of(bind("uniformint", (1, 6, 1), {})[1]) == [""]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("min", "low"), ("Low", "low"), ("lo", "low"), ("max", "high"), ("hihg", "high"), ("upper", "high")],
)
def test_a_misspelt_argument_is_recognised(wrong, meant):
    """The finding says what was meant, and the meant argument is not reported as missing besides."""
    kwargs = {"low": 0, "high": 1}
    kwargs[wrong] = kwargs.pop(meant)
    findings = bind("uniform", (), kwargs)[1]
    assert names_of(findings) == [wrong]
    assert f"did you mean {meant}?" in findings[0][3]


def test_an_argument_that_resembles_nothing_gets_the_signature():
    ((_, value, problem, fix),) = bind("normal", (0, 1), {"zzz": 7})[1]
    assert value == 7
    assert "zzz" in problem
    assert fix == "write normal(mu, sigma)"


def test_all_missing_arguments_are_reported():
    assert names_of(bind("quniform", (0,), {})[1]) == ["high", "q"]


def test_surplus_positional_arguments_are_reported_with_their_value():
    findings = bind("uniform", (0, 1, 42), {})[1]
    assert [finding[1] for finding in findings] == [42]


def test_an_argument_given_by_position_and_keyword():
    findings = bind("uniform", (0, 1), {"low": 0})[1]
    assert names_of(findings) == ["low"]
    assert "twice" in findings[0][2]


def test_arguments_with_defaults_may_be_absent():
    assert bind("bounded_float", (0, 1), {}) == ({"low": 0, "high": 1}, [])


def test_expressions_are_bound_without_being_looked_at():
    expression = object()
    assert bind("uniform", (expression,), {"high": 1})[0]["low"] is expression


BAD = [
    ("uniform", {"low": 1, "high": 0}, "low"),
    ("uniform", {"low": 0, "high": 0}, "low"),
    ("uniform", {"low": 0, "high": -1}, "low"),
    ("uniform", {"low": "0", "high": 1}, "low"),
    ("uniform", {"low": None, "high": 1}, "low"),
    ("uniform", {"low": True, "high": 2}, "low"),
    ("uniform", {"low": [0, 1], "high": 2}, "low"),
    ("uniform", {"low": 0, "high": math.inf}, "high"),
    ("uniform", {"low": math.nan, "high": 1}, "low"),
    ("uniform", {"low": -1.7e308, "high": 1.7e308}, "high"),
    ("loguniform", {"low": 0, "high": 1000}, "high"),
    ("loguniform", {"low": 1, "high": 0}, "low"),
    ("quniform", {"low": 0, "high": 1, "q": 0}, "q"),
    ("quniform", {"low": 0, "high": 1, "q": -1}, "q"),
    ("qloguniform", {"low": 0, "high": 1, "q": math.nan}, "q"),
    ("normal", {"mu": 0, "sigma": 0}, "sigma"),
    ("normal", {"mu": math.inf, "sigma": 1}, "mu"),
    ("lognormal", {"mu": 0, "sigma": -1}, "sigma"),
    ("qnormal", {"mu": 0, "sigma": 1, "q": 0}, "q"),
    ("qlognormal", {"mu": 0, "sigma": 1, "q": "a"}, "q"),
    ("randint", {"high": 0}, "high"),
    ("randint", {"low": 5, "high": 5}, "high"),
    ("randint", {"low": 0, "high": 2.5}, "high"),
    ("ordinal", {"n": 0}, "n"),
    ("ordinal", {"n": 1.5}, "n"),
    ("categorical", {"p": []}, "p"),
    ("categorical", {"p": [0.5, 0.4]}, "p"),
    ("categorical", {"p": [1.5, -0.5]}, "p"),
    ("categorical", {"p": [0.0, 0.0]}, "p"),
    ("categorical", {"p": ["a", "b"]}, "p"),
    ("categorical", {"p": 0.5}, "p"),
    ("categorical", {"p": [math.nan, 1.0]}, "p"),
    ("bounded_float", {"low": 1, "high": 1}, "low"),
    ("bounded_float", {"low": 0, "high": 1, "log": True}, "low"),
    ("bounded_float", {"low": 1, "high": 2, "step": 0}, "step"),
    ("bounded_float", {"low": 2, "high": 1, "step": 0.5}, "low"),
    ("bounded_float", {"low": 1, "high": 2, "log": True, "step": 0.1}, "step"),
    ("bounded_int", {"low": 2, "high": 1}, "low"),
    ("bounded_int", {"low": 0, "high": 10, "log": True}, "low"),
    ("bounded_int", {"low": 0.5, "high": 10}, "low"),
    ("bounded_int", {"low": 0, "high": 10, "step": 1.5}, "step"),
    ("bounded_int", {"low": 0, "high": 10, "step": -1}, "step"),
    ("bounded_int", {"low": 1, "high": 10, "log": True, "step": 2}, "step"),
]


@pytest.mark.parametrize(("name", "args", "argument"), BAD, ids=[f"{n}-{a}" for n, a, _ in BAD])
def test_one_fault_is_one_finding(name, args, argument):
    """It names the argument and its value, says the problem, and says what to write."""
    findings = dists.get(name).faults(args)
    assert names_of(findings) == [argument]
    _, value, problem, fix = findings[0]
    assert value is args[argument]
    assert problem
    assert fix
    assert not problem.endswith(".")
    assert not fix.endswith(".")


def test_all_faults_of_a_call_are_found():
    assert names_of(dists.get("quniform").faults({"low": 2, "high": 1, "q": 0})) == ["low", "q"]
    assert names_of(dists.get("normal").faults({"mu": "a", "sigma": "b"})) == ["mu", "sigma"]


def test_bounds_in_the_wrong_order_are_shown_both():
    ((_, _, problem, fix),) = dists.get("uniform").faults({"low": 1, "high": 0})
    assert problem == "low should be less than high: 1 is not smaller than 0"
    assert fix == "swap them: low=0, high=1"


@pytest.mark.parametrize("name", dists.names())
def test_arguments_that_are_not_known_yet_are_no_faults(name):
    """With an expression as argument the caller leaves it out; rules about it are silent."""
    assert dists.get(name).faults({}) == []


@pytest.mark.parametrize(
    "number", [np.float32(2), np.int64(2), Decimal(2), np.array(2.0), 2], ids=lambda n: type(n).__name__
)
def test_any_kind_of_number_will_do_and_becomes_a_plain_one(number):
    assert dists.get("uniform").faults({"low": 0, "high": number}) == []
    built = dists.build("uniform", {"low": 0, "high": number})
    assert built == Uniform(0.0, 2.0)
    assert type(built.high) is float
    assert type(dists.build("randint", {"high": number}).high) is int


@pytest.mark.parametrize(
    "p", [[0.25, 0.75], (0.25, 0.75), np.array([0.25, 0.75])], ids=lambda p: type(p).__name__
)
def test_probabilities_may_be_any_sequence(p):
    assert dists.get("categorical").faults({"p": p}) == []
    assert dists.build("categorical", {"p": p}).p == (0.25, 0.75)


def test_probabilities_may_miss_one_by_rounding():
    thirds = [0.333333333, 0.333333333, 0.333333334 - 1e-10]
    assert dists.get("categorical").faults({"p": thirds}) == []
    assert abs(math.fsum(dists.build("categorical", {"p": thirds}).latent.p) - 1.0) < 1e-15


def test_an_impossible_code_is_never_drawn_and_not_contained():
    dist = dists.build("categorical", {"p": [0.0, 1.0, 0.0]})
    assert set(dist.sample(np.random.default_rng(0), 1000)) == {1.0}
    assert dist.contains([0, 1, 2]).tolist() == [False, True, False]
    assert dist.quantile([0.0, 1.0]).tolist() == [1.0, 1.0]


def test_unknown_names_list_the_known_ones():
    with pytest.raises(KeyError, match="no distribution is named 'beta'; known: bounded_float, "):
        dists.get("beta")


def test_a_name_is_given_once():
    """Another class under a taken name is refused, and the register is unchanged."""

    class Impostor(Distribution):
        name = "uniform"

    with pytest.raises(ValueError, match="'uniform' is already registered: Uniform"):
        dists.register(Impostor)
    assert dists.get("uniform") is Uniform
