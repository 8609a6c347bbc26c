"""points_to_evaluate and declared defaults: what is evaluated first."""

from __future__ import annotations

import pytest

from hpspace import Trials, fmin, hp, rand
from hpspace.exceptions import InvalidPoint
from hpspace.fmin import generate_trial, generate_trials_to_calculate
from hpspace.run.points import GIVEN
from hpspace.trials.document import JOB_STATE_NEW

SPACE = {
    "x": hp.uniform("x", 0, 1),
    "net": hp.choice("net", ["cnn", {"kind": "mlp", "width": hp.quniform("width", 8, 64, 8)}]),
}


def search(points, max_evals=0, fn=lambda c: c["x"], space=SPACE, **kwargs):
    """Run and return the configs in order of evaluation."""
    seen = []
    best = fmin(
        lambda c: seen.append(c) or fn(c),
        space,
        rand.suggest,
        max_evals,
        rstate=0,
        verbose=False,
        points_to_evaluate=points,
        **kwargs,
    )
    return seen, best


def test_points_are_evaluated_first_and_on_top_of_max_evals():
    """Two points and max_evals=3 are five trials, as in Hyperopt."""
    seen, best = search([{"x": 0.25, "net": 0}, {"x": 0.75, "net": 1, "width": 16.0}], 3)
    assert seen[:2] == [{"x": 0.25, "net": "cnn"}, {"x": 0.75, "net": {"kind": "mlp", "width": 16.0}}]
    assert len(seen) == len(best.trials) == 5


def test_points_are_honoured_with_trials_passed():
    """Hyperopt ignores them silently then (pain 17)."""
    _, first = search([{"x": 0.5, "net": 0}], 3)
    seen, _ = search([{"x": 0.125, "net": 0}], 6, trials=first.trials)
    assert seen[0]["x"] == 0.125
    assert len(first.trials) == 4 + 2 + 1


def test_points_are_evaluated_when_max_evals_is_reached():
    """On top means on top."""
    _, first = search(None, 3)
    seen, _ = search([{"x": 0.5, "net": 0}], 3, trials=first.trials)
    assert [config["x"] for config in seen] == [0.5]


def test_a_choice_takes_its_index_or_its_option():
    """Nobody remembers indices."""
    seen, _ = search([{"x": 0.5, "net": "cnn"}, {"x": 0.5, "net": 0}])
    assert [config["net"] for config in seen] == ["cnn", "cnn"]


def test_a_partial_point_is_completed_from_the_prior():
    """The given labels are kept, active missing ones drawn, inactive ones absent."""
    seen, best = search([{"net": 1}, {"x": 0.5}])
    assert 0 < seen[0]["x"] < 1
    assert 8 <= seen[0]["net"]["width"] <= 64
    assert seen[1]["x"] == 0.5
    assert best.trials.trials[0]["misc"][GIVEN] == {"net": 1}


def test_points_of_the_given_trials_are_not_run_again():
    """The same call, resumed: whole points are known by their values, partial ones by what was given."""
    points = [{"x": 0.5, "net": 0}, {"net": 1}]
    _, first = search(points)
    seen, _ = search([*points, {"x": 0.75, "net": 0}], trials=first.trials)
    assert seen == [{"x": 0.75, "net": "cnn"}]


def test_a_partial_point_is_not_taken_for_a_trial_that_happens_to_agree():
    """Earlier random trials with net=1 are no reason to skip {"net": 1}."""
    _, first = search(None, 20)
    assert 1 in first.trials.vals["net"]
    seen, _ = search([{"net": 1}], trials=first.trials)
    assert len(seen) == 1


def test_a_point_whose_trial_raised_is_run_again():
    """It has no result yet."""

    def fails(config):
        raise RuntimeError("out of memory")

    trials = Trials()
    with pytest.raises(RuntimeError):
        search([{"x": 0.5, "net": 0}], fn=fails, trials=trials)
    seen, _ = search([{"x": 0.5, "net": 0}], trials=trials)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("point", "complaint"),
    [
        ({"widht": 8}, "no parameter 'widht'; did you mean 'width'"),
        ({"x": 5}, r"'x'=5 .*\[0, 1\]"),
        ({"width": 9.0}, "'width'=9.0 .*on a grid"),
        ({"net": "resnet"}, "neither an index nor an option"),
        ({"net": 2}, "neither an index nor an option"),
        ({"x": "a"}, "takes a finite number"),
        (3, "a point must be a dict"),
    ],
)
def test_wrong_points_are_refused_before_the_first_evaluation(point, complaint):
    """With the place in the list, the label, and the range (pain 12, 17)."""
    called = []
    with pytest.raises(InvalidPoint, match=rf"(?s)points_to_evaluate\[1\]: .*{complaint}"):
        search([{"x": 0.5, "net": 0}, point], 5, fn=called.append)
    assert called == []


def test_all_wrong_points_are_named_at_once():
    """So that the list is corrected once."""
    with pytest.raises(InvalidPoint) as caught:
        search([{"x": 5}, {"x": 0.5}, {"y": 1}])
    assert [line[:21] for line in str(caught.value).splitlines()] == [
        "points_to_evaluate[0]",
        "points_to_evaluate[2]",
    ]


@pytest.mark.parametrize("points", [{"x": 0.5}, "x", 3])
def test_a_list_is_required(points):
    """One dict instead of a list of dicts is the usual slip."""
    with pytest.raises(InvalidPoint, match="must be a list of dicts"):
        search(points)


def test_the_same_seed_completes_alike():
    """Completing draws from the run's seed."""
    assert search([{"net": 1}])[0] == search([{"net": 1}])[0]


# ---------------------------------------------------------------- trials made of points


def test_generated_trials_wait_unrefreshed():
    """Their length is 0 until refreshed, which is why they come on top of max_evals."""
    trials = generate_trials_to_calculate([{"x": 0.25, "net": 0}, {"x": 0.5, "net": 0}])
    assert len(trials) == 0
    seen, best = search(None, 1, trials=trials)
    assert [config["x"] for config in seen[:2]] == [0.25, 0.5]
    assert len(best.trials) == 3


def test_a_generated_document_has_only_the_given_labels():
    """As in Hyperopt: a raw document of state NEW."""
    doc = generate_trial(4, {"x": 0.5})
    assert (doc["tid"], doc["state"], doc["result"]) == (4, JOB_STATE_NEW, {"status": "new"})
    assert doc["misc"]["idxs"] == {"x": [4]}
    assert doc["misc"]["vals"] == {"x": [0.5]}


# ---------------------------------------------------------------- declared defaults

DEFAULTS = {
    "x": hp.uniform("x", 0, 1, default=0.5),
    "net": hp.choice("net", ["cnn", {"width": hp.int("width", 1, 64)}], default=1),
}


def test_declared_defaults_are_the_first_trial():
    """Completed from the prior, and counted in max_evals."""
    seen, best = search(None, 3, space=DEFAULTS)
    assert seen[0]["x"] == 0.5
    assert 1 <= seen[0]["net"]["width"] <= 64
    assert len(seen) == len(best.trials) == 3


def test_defaults_are_left_out_where_points_or_trials_are_given():
    """Only a fresh experiment begins with them."""
    seen, best = search([{"x": 0.25, "net": 0}], 1, space=DEFAULTS)
    assert 0.5 not in [config["x"] for config in seen]
    seen, _ = search(None, 4, space=DEFAULTS, trials=best.trials)
    assert 0.5 not in [config["x"] for config in seen]


def test_a_run_of_one_evaluation_is_the_default():
    """max_evals=1 asks the algorithm for nothing."""
    seen, best = search(None, 1, space=DEFAULTS)
    assert len(seen) == 1
    assert best["x"] == 0.5
