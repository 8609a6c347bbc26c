"""A declared resource: an input of the space that is filled in for each trial, and no parameter of it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hpspace import compile_space, hp, space_eval
from hpspace.exceptions import BadSearchSpace, DuplicateLabel, InvalidFidelity, InvalidPoint
from hpspace.pyll import scope
from hpspace.pyll.stochastic import sample


def space_of(epochs):
    """A space with its resource in two places: at the top, doubled, and inside an option."""
    return {
        "lr": hp.uniform("lr", 0, 1),
        "doubled": 2 * epochs,
        "net": hp.choice("net", ["linear", {"epochs": epochs, "units": hp.int("units", 1, 4)}]),
    }


@pytest.fixture
def space():
    return compile_space(space_of(hp.fidelity("epochs", 1, 81)))


def test_it_is_no_parameter(space):
    """Neither columns nor points nor counts know it."""
    assert space.labels == ("lr", "net", "units")
    assert "epochs" not in space
    assert compile_space({"k": hp.randint("k", 5), "e": hp.fidelity("e", 1, 9)}).cardinality() == 5
    assert all("epochs" not in point for point in space.sample(0, 5).points())


def test_its_declaration_can_be_read(space):
    """What schedulers plan with."""
    fidelity = space.fidelity
    assert (fidelity.label, fidelity.low, fidelity.high, fidelity.eta) == ("epochs", 1, 81, 3)
    assert fidelity.path == 'space["doubled"].mul[1]'
    assert compile_space(hp.uniform("x", 0, 1)).fidelity is None


def test_nothing_said_means_all_of_it(space):
    """Under algorithms that plan no resources, and when people look at a point."""
    assert space.config({"lr": 0.5, "net": 1, "units": 2}) == {
        "lr": 0.5,
        "doubled": 162,
        "net": {"epochs": 81, "units": 2},
    }


def test_a_point_may_name_it(space):
    """As evaluation does; every place sees the same value."""
    assert space.config({"lr": 0.5, "net": 1, "units": 2, "epochs": 9}) == {
        "lr": 0.5,
        "doubled": 18,
        "net": {"epochs": 9, "units": 2},
    }
    assert space_eval(space_of(hp.fidelity("epochs", 1, 3)), {"lr": 0.5, "net": 0})["doubled"] == 6


@pytest.mark.parametrize(
    ("bounds", "kind", "high"),
    [
        ((1, 81), int, 81),
        ((np.int64(1), np.int64(81)), int, 81),
        ((1, 81.0), float, 81.0),
        ((0.01, 1), float, 1.0),
        ((np.float32(0.25), np.float32(2)), float, 2.0),
    ],
)
def test_it_is_an_int_if_both_bounds_are(bounds, kind, high):
    """Plain Python numbers, whatever the bounds were."""
    space = compile_space(hp.fidelity("r", *bounds))
    value = space.config({})
    assert (type(value), value) == (kind, high)
    assert type(space.fidelity.value(1.0)) is kind
    assert {type(space.fidelity.low), type(space.fidelity.high)} == {kind}


def test_a_drawn_point_has_all_of_it():
    """`sample` evaluates the expression and knows no trials."""
    assert sample({"e": hp.fidelity("e", 1, 5)}, rng=0) == {"e": 5}


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 81), "low=0 must be a positive number"),
        ((1, float("inf")), "high=inf must be a positive number"),
        ((True, 81), "low=True must be"),
        (("1", 81), "low='1' must be"),
        ((9, 3), "low=9 must be less than high=3"),
        ((3, 3), "low=3 must be less than high=3"),
        ((hp.uniform("q", 1, 2), 81), "must be a positive number"),
    ],
)
def test_bounds_that_are_no_range(arguments, words):
    """Named with label, place, value and what to write."""
    with pytest.raises(InvalidFidelity, match=r"epochs.*space..a..") as caught:
        compile_space({"a": hp.fidelity("epochs", *arguments)})
    assert words in str(caught.value)


@pytest.mark.parametrize("eta", [1, 0, 2.5, True, "3", None])
def test_eta_is_a_whole_number_of_at_least_two(eta):
    """One of eta trials goes on: of one, or of none, there is nothing to choose."""
    with pytest.raises(InvalidFidelity, match=r"eta=.* must be a whole number of at least 2"):
        compile_space(hp.fidelity("epochs", 1, 81, eta=eta))


def test_a_space_has_one_resource():
    """The second is named with both places; one object in two places is one resource."""
    with pytest.raises(InvalidFidelity, match=r"'rows' at space\[\"b\"\].*'epochs' at space\[\"a\"\]"):
        compile_space({"a": hp.fidelity("epochs", 1, 81), "b": hp.fidelity("rows", 0.1, 1.0)})
    shared = hp.fidelity("epochs", 1, 81)
    assert compile_space([shared, shared]).fidelity.label == "epochs"


def test_it_shares_its_label_with_no_parameter():
    """Else a point could not say which of the two it names."""
    with pytest.raises(DuplicateLabel, match="'x'"):
        compile_space([hp.uniform("x", 0, 1), hp.fidelity("x", 1, 81)])


def test_no_parameter_depends_on_it():
    """A point is evaluated at several resources and has to mean the same at each."""
    epochs = hp.fidelity("epochs", 1, 81)
    with pytest.raises(InvalidFidelity, match="its distribution depends on the resource 'epochs'"):
        compile_space(hp.uniform("x", 0, epochs))
    with pytest.raises(InvalidFidelity, match="decides which parameters exist"):
        compile_space(scope.switch(epochs > 9, 1, hp.uniform("x", 0, 1)))


def test_constants_may_depend_on_it():
    """A switch between constants hides no parameter."""
    epochs = hp.fidelity("epochs", 1, 81)
    space = compile_space({"size": scope.switch(scope.int(epochs > 9), "small", "large")})
    assert [space.config({"epochs": e})["size"] for e in (1, 81)] == ["small", "large"]


def test_its_faults_come_with_all_others():
    """One exception for the whole space."""
    with pytest.raises(BadSearchSpace) as caught:
        compile_space([hp.uniform("x", 1, 0), hp.fidelity("epochs", 5, 1)])
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("label", [3, None])
def test_its_label_is_text(label):
    """As for any builder."""
    with pytest.raises(TypeError, match="string label"):
        hp.fidelity(label, 1, 81)


def test_a_queued_point_leaves_it_out(space):
    """`complete` reads `points_to_evaluate`: the resource of a trial is the algorithm's business."""
    with pytest.raises(InvalidPoint, match="'epochs' is the resource"):
        space.complete({"lr": 0.5, "epochs": 3}, 0)


# ---------------------------------------------------------------- descriptions


def test_every_description_shows_it(space):
    """Tree, JSON, Graphviz, Mermaid, networkx."""
    assert "epochs = resource from 1 to 81 (eta=3)" in space.describe()
    described = space.to_json()
    assert described["fidelity"] == {
        "label": "epochs",
        "low": 1,
        "high": 81,
        "eta": 3,
        "path": space.fidelity.path,
    }
    assert described["structure"]["dict"]["doubled"]["args"][1] == {"fidelity": "epochs"}
    assert '"epochs" [label="epochs\\nresource from 1 to 81 (eta=3)", style=dashed];' in space.to_dot()
    assert "epochs<br/>resource from 1 to 81" in space.to_mermaid()
    assert space.to_networkx().nodes["epochs"]["kind"] == "resource"


def test_an_option_that_holds_it_is_shown_by_its_label(space):
    """Its value is another in each trial."""
    assert space["net"].options == ("linear", "dict(epochs, units)")
    assert compile_space(hp.choice("c", [1, [hp.fidelity("e", 1, 9)]]))["c"].options[1] == "pos_args(e)"


def test_the_fingerprint_covers_it():
    """Equal for equal declarations, another for others; a space without one is described as before."""
    prints = [
        compile_space({"x": hp.uniform("x", 0, 1), "e": e}).fingerprint()
        for e in (hp.fidelity("e", 1, 81), hp.fidelity("e", 1, 81), hp.fidelity("e", 1, 27), 81)
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert "fidelity" not in compile_space(hp.uniform("x", 0, 1)).to_json()


def test_a_changed_resource_is_a_difference():
    """It changes what recorded resources mean; eta does not."""
    old = compile_space(hp.fidelity("e", 1, 81)).to_json()
    assert compile_space(hp.fidelity("e", 1, 81, eta=4)).diff(old) == []
    assert compile_space(hp.fidelity("e", 1, 27)).diff(old) == [
        "the resource was 'e' from 1 to 81 and is 'e' from 1 to 27"
    ]
    assert (
        compile_space(hp.uniform("x", 0, 1)).diff(old)[-1] == "the resource was 'e' from 1 to 81 and is none"
    )


def test_it_travels(space):
    """Workers get the space as a pickle."""
    again = pickle.loads(pickle.dumps(space))
    assert again.fingerprint() == space.fingerprint()
    assert again.config({"lr": 0.5, "net": 0, "epochs": 3})["doubled"] == 6
