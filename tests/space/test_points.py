"""Points given by people: validated with the nearest label, completed from the prior, evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.exceptions import BadSearchSpace, InvalidDefault, InvalidDistribution, InvalidPoint

SPACE = hp.choice(
    "clf",
    [
        {"kind": "bayes"},
        {"kind": "svm", "C": hp.lognormal("svm_C", 0, 1), "kernel": hp.choice("kernel", ["linear", "rbf"])},
        {"kind": "tree", "depth": hp.quniform("depth", 1, 9, 2)},
    ],
)


@pytest.fixture(scope="module")
def compiled():
    return compile_space(SPACE)


def test_missing_labels_are_drawn_from_the_prior(compiled):
    draws = [compiled.complete({"clf": 1, "kernel": 0}, seed)["svm_C"] for seed in range(50)]
    assert len(set(draws)) == 50
    assert 0.5 < np.median(draws) < 2  # the median of lognormal(0, 1) is 1


def test_options_may_be_named_by_value(compiled):
    assert compiled.complete({"clf": 1, "kernel": "rbf", "svm_C": 2.0}, 0) == {
        "clf": 1,
        "kernel": 1,
        "svm_C": 2.0,
    }


def test_an_int_that_is_an_index_is_the_index_as_in_hyperopt():
    space = compile_space(hp.choice("units", [3, 0, 1]))
    assert space.complete({"units": 0}, 0) == {"units": 0}
    assert space.complete({"units": 3}, 0) == {"units": 0}


def test_a_label_alone_implies_the_branch_that_has_it(compiled):
    for seed in range(10):
        point = compiled.complete({"depth": 4.0}, seed)
        assert point == {"clf": 2, "depth": 4.0}


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"svm_c": 1.0}, "did you mean 'svm_C'"),
        ({"zzz": 1}, "no parameter 'zzz'"),
        ({"clf": 3}, "neither an index nor an option"),
        ({"clf": 2, "depth": 20.0}, r"\[2, 8\]"),
        ({"clf": 2, "depth": 3.0}, "on a grid"),
        ({"svm_C": -1.0}, "'svm_C'=-1.0"),
        ({"svm_C": float("nan")}, "finite number"),
        ({"svm_C": "1"}, "finite number"),
        ({"svm_C": None}, "finite number"),
    ],
)
def test_what_is_not_of_the_space_is_refused_by_name(compiled, point, words):
    with pytest.raises(InvalidPoint, match=words):
        compiled.complete(point, 0)


def test_values_outside_dependent_bounds_are_refused_with_the_reason():
    x = hp.uniform("x", 0, 1)
    compiled = compile_space([x, hp.uniform("y", 0, x)])
    assert compiled.complete({"x": 0.5, "y": 0.25}, 0) == {"x": 0.5, "y": 0.25}
    with pytest.raises(InvalidPoint, match=r"'y'=0.75 .* x=0.5"):
        compiled.complete({"x": 0.5, "y": 0.75}, 0)


def test_numpy_numbers_become_plain_ones(compiled):
    point = compiled.complete({"clf": np.int64(2), "depth": np.float32(4)}, 0)
    assert type(point["clf"]) is int
    assert type(point["depth"]) is float


def test_a_configuration_needs_every_active_label(compiled):
    with pytest.raises(InvalidPoint, match="no value for 'depth'"):
        compiled.config({"clf": 2})


def test_a_misspelt_label_in_a_configuration_is_pointed_out(compiled):
    with pytest.raises(InvalidPoint, match="it has 'dpth'; did you mean 'depth'"):
        compiled.config({"clf": 2, "dpth": 2.0})


def test_labels_of_other_spaces_are_ignored_in_a_configuration(compiled):
    assert compiled.config({"clf": 0, "unknown": 3}) == {"kind": "bayes"}


def test_defaults_are_options_before_they_are_indices():
    space = compile_space(
        [
            hp.categorical("k", [1, 3, 5], default=1),
            hp.float("x", 0, 1, default=0.5),
            hp.uniform("y", 0, 1, default=0),
        ]
    )
    assert space.default_point() == {"k": 0, "x": 0.5, "y": 0.0}


def test_a_default_outside_the_support_is_refused_by_name():
    with pytest.raises(InvalidPoint, match="'x'=2"):
        compile_space(hp.float("x", 0, 1, default=2))


def test_wrong_defaults_are_faults_of_the_space_among_the_others():
    """A default is judged with the space, not when a search first queues it; valid ones are no faults."""
    space = {
        "a": hp.choice("a", ["u", {"v": hp.int("v", 1, 3, default=2.5)}], default="w"),
        "b": hp.uniform("b", 1, 0),
        "c": hp.ordinal("c", [1, 5], default=5),
        "d": hp.int("d", 0, hp.int("top", 1, 9), default=20),  # its bounds are not known yet
    }
    with pytest.raises(BadSearchSpace) as caught:
        compile_space(space)
    assert [(f.kind, f.label, f.value) for f in caught.value.faults] == [
        (InvalidDefault, "a", "w"),
        (InvalidDefault, "v", 2.5),
        (InvalidDistribution, "b", 1),
    ]
    assert "the default 'a'='w' is neither an index nor an option; options are 0: 'u'" in str(caught.value)


def test_reversed_dependent_bounds_name_the_values_that_reverse_them():
    """uniform(y; x, 0.5) is reversed only where x > 0.5, so only a draw can find it."""
    compiled = compile_space([hp.uniform("x", 0, 1), hp.uniform("y", hp.uniform("low", 0.6, 0.7), 0.5)])
    with pytest.raises(InvalidDistribution, match=r"given low=0\.6"):
        compiled.sample(0, 1)
