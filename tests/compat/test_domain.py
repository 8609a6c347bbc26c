"""Sampling, space_eval and conditions as Hyperopt's programs use them, through the public names."""

from __future__ import annotations

import numpy as np
import pytest

import hpspace as hyperopt
from hpspace import hp, pyll, space_eval
from hpspace.graph_viz import dot_hyperparameters
from hpspace.pyll import as_apply, scope
from hpspace.pyll.stochastic import sample
from hpspace.pyll_utils import (
    EQ,
    Cond,
    expr_to_config,
    hp_uniform,
    hyperopt_param,
    validate_distribution_range,
    validate_label,
)


def nested():
    """::

    c ─ 0 ─ {a: u}
      └ 1 ─ {a: u, d: d ─ 0 ─ n
                         └ 1 ─ 3}
    """
    u = hp.uniform("u", 0, 1)
    return {"c": hp.choice("c", [{"a": u}, {"a": u, "d": hp.choice("d", [hp.normal("n", 0, 1), 3])}])}


# ---------------------------------------------------------------- section 0 and 4: values


def test_argmin_values_are_raw_and_configs_are_not():
    """Points 1 and 2: index, float of uniformint, conversions not applied; lists become tuples."""
    space = [hp.choice("c", ["a", "b"]), hp.uniformint("n", 3, 3.4), 1 + hp.quniform("q", 4, 5, 10)]
    best = hyperopt.fmin(lambda t: 0.0, space, "rand", 1, rstate=0, verbose=False)
    assert best in ({"c": 0, "n": 3.0, "q": 0.0}, {"c": 1, "n": 3.0, "q": 0.0})
    assert space_eval(space, best) == (["a", "b"][best["c"]], 3, 1.0)


@pytest.mark.parametrize("options", [["a", "b"], ("a", "b"), "ab", {"a": 1, "b": 2}, np.array(["a", "b"])])
def test_choice_takes_anything_with_a_length(options):
    """Point 3: also a dict, whose keys are the options."""
    assert space_eval(hp.choice("c", options), {"c": 1}) == "b"
    with pytest.raises(TypeError):
        hp.choice("c", iter(options))


def test_sample_draws_one_point():
    """A shared node is one draw; containers as in the objective; a Generator repeats."""
    space = nested()
    point = sample(space, rng=np.random.default_rng(0))
    assert point == sample(space, rng=np.random.default_rng(0))
    u = hp.uniform("u", 0, 1)
    first, second = sample([u, u])
    assert first == second


def test_space_eval_ignores_other_labels():
    """Extra labels are no error."""
    assert space_eval(hp.choice("c", [1, 2]), {"c": 0, "other": 3}) == 1


@pytest.mark.parametrize(
    ("index", "error"), [(2, IndexError), (-1, ValueError), (0.5, TypeError), ([1], TypeError)]
)
def test_space_eval_of_a_wrong_index(index, error):
    """Hyperopt's exceptions."""
    with pytest.raises(error):
        space_eval(hp.choice("c", [1, 2]), {"c": index})


# ---------------------------------------------------------------- section 4: conditions


def test_expr_to_config_gives_nodes_and_conditions():
    """A parameter of every branch is unconditional; nested choices join their conditions, outer first."""
    hps = {}
    expr_to_config(as_apply(nested()), (), hps)
    assert {label: entry["conditions"] for label, entry in hps.items()} == {
        "c": {()},
        "u": {()},
        "d": {(EQ("c", 1),)},
        "n": {(EQ("c", 1), EQ("d", 0))},
    }
    assert {label: entry["node"].name for label, entry in hps.items()} == {
        "c": "randint", "u": "uniform", "d": "randint", "n": "normal",
    }  # fmt: skip
    assert hps["n"]["label"] == "n"


def test_expr_to_config_heads_conditions_with_the_given_ones():
    """As programs pass (True,)."""
    hps = {}
    expr_to_config(nested(), (True,), hps)
    assert hps["d"]["conditions"] == {(True, EQ("c", 1))}


def test_a_parameter_of_two_branches_has_two_alternatives():
    """Any of them makes it active."""
    u = hp.uniform("u", 0, 1)
    hps = {}
    expr_to_config(hp.choice("c", [u, u, 0]), (), hps)
    assert hps["u"]["conditions"] == {(EQ("c", 0),), (EQ("c", 1),)}


def test_cond_is_a_value():
    """Hashable, with Hyperopt's text."""
    assert str(Cond("c", 0, "=")) == repr(EQ("c", 0)) == "Cond{c = 0}"
    assert len({EQ("c", 0), Cond("c", 0, "="), EQ("c", 1)}) == 2


def test_dot_hyperparameters():
    """Boxes for labels, ellipses for conditions, edges parent -> condition -> child."""
    lines = dot_hyperparameters(as_apply(nested())).splitlines()
    assert lines[0] == "digraph {"
    assert lines[-1] == "}"
    assert set(lines[1:-1]) == {
        '"c" [ shape=box];',
        '"u" [ shape=box];',
        '"d" [ shape=box];',
        '"n" [ shape=box];',
        '"c=1" [ shape=ellipse];',
        '"d=0" [ shape=ellipse];',
        '"c=1 & d=0" [ shape=ellipse];',
        '"c" -> "c=1";',
        '"c=1" -> "d";',
        '"d" -> "d=0";',
        '"c=1" -> "c=1 & d=0";',
        '"d=0" -> "c=1 & d=0";',
        '"c=1 & d=0" -> "n";',
    }


def test_labels_with_quotes_do_not_break_dot():
    """They are escaped."""
    assert r'"a\"b" [ shape=box];' in dot_hyperparameters(hp.uniform('a"b', 0, 1))


# ---------------------------------------------------------------- builders of one's own


def test_validate_label_decorates_a_builder():
    """As programs that define their own hp functions use it."""

    @validate_label
    def hp_percent(label, high=100):
        return scope.hyperopt_param(label, scope.uniform(0, high))

    assert 0 <= sample(hp_percent("p", high=50)) <= 50
    assert hp_percent.__name__ == "hp_percent"
    with pytest.raises(TypeError, match="require string label"):
        hp_percent(3)


def test_validate_distribution_range_decorates_a_builder():
    """Constants must be in order, a bound of 0 included; expressions are let through."""

    @validate_distribution_range
    def hp_range(label, low, high):
        return low, high

    assert hp_range("x", 0, 1) == (0, 1)
    hp_range("x", hp.uniform("a", 0, 1), 0)
    for args, kwargs in [((1, 0), {}), ((1,), {"high": 0}), ((), {"low": 1, "high": 1})]:
        with pytest.raises(ValueError, match="low should be less than high: 1 is not smaller than"):
            hp_range("x", *args, **kwargs)


def test_hyperopt_param_is_the_identity_on_its_value():
    """hp.uniform is float(hyperopt_param(label, uniform(...)))."""
    assert hyperopt_param("x", 3) == 3
    node = hp_uniform("x", 0, 1)
    assert (node.name, node.pos_args[0].name, node.pos_args[0].pos_args[1].name) == (
        "float", "hyperopt_param", "uniform",
    )  # fmt: skip
    assert isinstance(node, pyll.Apply)
