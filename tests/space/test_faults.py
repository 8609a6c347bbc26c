"""Everything wrong with a space is found before the first evaluation, all at once, with label, place and fix."""

from __future__ import annotations

import math
import pickle
import warnings

import pytest

from hpspace import compile_space, hp
from hpspace.exceptions import (
    BadSearchSpace,
    DuplicateLabel,
    EmptyChoice,
    InvalidDistribution,
    InvalidKey,
    SuspiciousBounds,
    UnlabelledDraw,
)
from hpspace.pyll import scope


def only_fault(space, kind):
    """Compile, expect one fault of a kind, and return it."""
    with pytest.raises(kind) as caught:
        compile_space(space)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("node", "value", "words"),
    [
        (hp.uniform("x", 1, 0), 1, "low"),
        (hp.uniform("x", 0, 0), 0, "low"),
        (hp.uniform("x", 0, -1), 0, "low"),
        (hp.loguniform("x", 2, 1), 2, "low"),
        (hp.quniform("x", 0, 10, 0), 0, "q"),
        (hp.quniform("x", 0, 10, -2), -2, "q"),
        (hp.qloguniform("x", 3, 3, 1), 3, "low"),
        (hp.normal("x", 0, -1), -1, "sigma"),
        (hp.normal("x", 0, 0), 0, "sigma"),
        (hp.lognormal("x", math.nan, 1), None, "mu"),
        (hp.uniform("x", -math.inf, 1), -math.inf, "low"),
        (hp.uniform("x", 0, math.inf), math.inf, "high"),
        (hp.randint("x", 0), 0, "high"),
        (hp.randint("x", 5, 5), 5, "low"),
        (hp.uniformint("x", 3, 1), 3, "low"),
        (hp.float("x", 0, 1, log=True), 0, "low"),
        (hp.float("x", 1, 0), 1, "low"),
        (hp.float("x", 1, 2, step=0), 0, "step"),
        (hp.int("x", 8, 1), 8, "low"),
        (hp.pchoice("x", [(0.5, "a"), (0.4, "b")]), None, "sum"),
        (hp.pchoice("x", [(1.5, "a"), (-0.5, "b")]), None, "p"),
        (hp.categorical("x", ["a", "b"], p=[1.0]), None, "2 options"),
    ],
)
def test_arguments_that_describe_no_distribution(node, value, words):
    """Each names the label, the place, the value and a fix. A bound of 0 is a bound like any other."""
    fault = only_fault({"model": [node]}, InvalidDistribution)
    assert fault.label == "x"
    assert fault.path == 'space["model"][0]'
    assert fault.fix
    assert words in str(fault)
    if value is not None:
        assert fault.value == value or repr(value) in str(fault)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: hp.uniform("x", min=0, max=1), "low"),
        (lambda: hp.uniform("x", lo=0, hihg=1), "did you mean"),
        (lambda: hp.quniform("x", 0, 1), "q"),
        (lambda: hp.uniform("x"), "high"),
        (lambda: hp.normal("x", 0, 1, 2), "positional"),
        (lambda: hp.uniform("x", "0", 1), "low"),
    ],
)
def test_misspelt_missing_and_surplus_arguments(build, words):
    """The builders record a call as it is written; the compiled space judges it."""
    with pytest.raises(InvalidDistribution, match=words) as caught:
        compile_space({"a": build()})
    assert all(fault.label == "x" for fault in caught.value.faults)


def test_an_empty_choice():
    assert only_fault(hp.choice("c", []), EmptyChoice).label == "c"


def test_two_parameters_with_one_label_name_both_places():
    """Also in branches that exclude each other: the record of a trial could not tell them apart."""
    space = hp.choice("c", [{"a": hp.uniform("lr", 0, 1)}, {"b": hp.uniform("lr", 0, 1)}])
    fault = only_fault(space, DuplicateLabel)
    assert 'space(c=0)["a"]' in str(fault)
    assert 'space(c=1)["b"]' in str(fault)


def test_one_object_used_twice_is_one_parameter():
    lr = hp.uniform("lr", 0, 1)
    assert compile_space(hp.choice("c", [{"a": lr}, {"b": lr}])).labels == ("c", "lr")


def test_an_unlabelled_draw_offers_the_labelled_form():
    fault = only_fault({"a": {"noise": scope.normal(0, 1)}}, UnlabelledDraw)
    assert fault.path == 'space["a"]["noise"]'
    assert "hp.normal" in fault.fix


def test_a_draw_with_its_own_generator_is_noise_and_allowed():
    import numpy as np

    space = compile_space({"noise": scope.normal(0, 1, rng=np.random.default_rng(0))})
    assert isinstance(space.config({})["noise"], float)


def test_keys_that_cannot_be_sorted():
    fault = only_fault({"outer": {1: 2, "a": 3}}, InvalidKey)
    assert fault.path == 'space["outer"]'
    assert "int and str" in str(fault)


def test_everything_is_reported_at_once():
    """Five different mistakes in one space come in one exception, in one text."""
    space = {
        "a": hp.uniform("a", 1, 0),
        "b": hp.quniform("b", 0, 1, q=0),
        "c": hp.choice("c", []),
        "d": [hp.normal("a", 0, 1), scope.uniform(0, 1)],
    }
    with pytest.raises(BadSearchSpace) as caught:
        compile_space(space)
    kinds = sorted(fault.kind.__name__ for fault in caught.value.faults)
    assert kinds == [
        "DuplicateLabel",
        "EmptyChoice",
        "InvalidDistribution",
        "InvalidDistribution",
        "UnlabelledDraw",
    ]
    text = str(caught.value)
    assert "5 faults" in text
    assert 'space["d"][1]' in text


def test_a_bad_space_is_a_value_error_as_in_hyperopt():
    with pytest.raises(ValueError, match="low"):
        compile_space(hp.loguniform("C", 2, 1))


def test_faults_survive_pickling():
    with pytest.raises(BadSearchSpace) as caught:
        compile_space([hp.uniform("a", 1, 0), hp.choice("c", [])])
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


@pytest.mark.parametrize("bounds", [(1e-4, 1e-1), (0.001, 1), (1, 100)])
def test_log_bounds_that_look_like_values_are_warned_of(bounds):
    with pytest.warns(SuspiciousBounds, match="natural logarithms"):
        compile_space(hp.loguniform("lr", *bounds))


@pytest.mark.parametrize(
    "bounds", [(-7, 0), (math.log(1e-4), math.log(1e-1)), (0, 5), (math.log(2), math.log(1000))]
)
def test_log_bounds_that_are_logarithms_are_not(bounds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_space(hp.loguniform("lr", *bounds))


@pytest.mark.parametrize("label", [None, 3, ["x"]])
def test_a_label_must_be_text(label):
    """This one is noticed when the expression is built, as in Hyperopt."""
    with pytest.raises(TypeError, match="require string label"):
        hp.uniform(label, 0, 1)


def test_a_fault_in_dependent_bounds_is_found_in_the_constant_part():
    x = hp.uniform("x", 0, 1)
    fault = only_fault([x, hp.quniform("y", 0, x, q=-1)], InvalidDistribution)
    assert fault.label == "y"
    assert "q" in str(fault)


def test_a_warning_about_bounds_names_the_line_that_compiles_the_space():
    with pytest.warns(SuspiciousBounds) as caught:
        compile_space(hp.loguniform("lr", 1e-4, 1e-1))
    assert caught[0].filename == __file__


def test_messages_call_a_builder_by_the_name_that_users_write():
    """`hp.float` and `hp.int` are registered as bounded_float and bounded_int; nobody writes that."""
    with pytest.raises(InvalidDistribution) as caught:
        compile_space({"a": hp.float("a", 1, 2, logg=True), "b": hp.int("b", 1)})
    text = str(caught.value)
    assert "float('a', 1, 2, logg=True)" in text
    assert "write int(label, low, high, log=False, step=1)" in text
    assert "bounded" not in text


def test_a_default_given_as_the_flag_log_is_noticed():
    """The fourth positional argument is `log`: a number there is a misplaced default."""
    with pytest.raises(InvalidDistribution, match=r"log=0\.5 is neither True nor False.*default="):
        compile_space(hp.float("x", 1, 2, 0.5))


def test_an_entry_of_pchoice_that_is_no_pair_is_named():
    with pytest.raises(TypeError, match=r"hp.pchoice\('k'\): entry 1 is 'b'; write a pair"):
        hp.pchoice("k", [(1.0, "a"), "b"])
