"""What fmin returns."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from hpspace import Trials, fmin, hp, space_eval
from hpspace.exceptions import AllTrialsFailed
from hpspace.fmin import Best

SPACE = {"x": hp.uniform("x", -1, 1), "net": hp.choice("net", ["cnn", "mlp"]), "n": hp.uniformint("n", 1, 9)}


def loss(config):
    return config["x"] ** 2 + (config["net"] == "cnn")


@pytest.fixture(scope="module")
def best():
    return fmin(loss, SPACE, "rand", 30, rstate=0, verbose=False)


def test_it_is_the_argmin_dict(best):
    """Equal to what Hyperopt returns: raw values, indices of choices."""
    assert isinstance(best, dict)
    assert best == best.trials.argmin
    assert best["net"] == 1
    assert type(best["n"]) is float


def test_what_was_maximised_is_no_loss_to_people():
    """Its text has the word that the progress display uses."""
    best = fmin(lambda c: 1.0, SPACE, "rand", 1, rstate=0, verbose=False, direction="maximize")
    assert repr(best).endswith(", value=1.0)")
    assert repr(Best({"x": 1}, loss=0.5)).endswith(", loss=0.5)")


def test_it_knows_the_config_the_loss_and_the_trials(best):
    """The most frequent complaint: indices instead of values, and trials made by hand (pain 1)."""
    assert best.config == space_eval(SPACE, best)
    assert best.config["net"] == "mlp"
    assert type(best.config["n"]) is int
    assert best.loss == loss(best.config) == min(best.trials.losses())
    assert isinstance(best.trials, Trials)


def test_its_repr_shows_both(best):
    """Nobody trains a final model with index 1 after seeing this."""
    assert repr(best) == f"Best({dict(best)!r}, config={best.config!r}, loss={best.loss!r})"


def test_it_can_be_dumped(best):
    """json as a dict; pickle with config and loss, without the trials."""
    assert json.loads(json.dumps(best)) == best
    again = pickle.loads(pickle.dumps(best))
    assert (type(again), again, again.config, again.loss, again.trials) == (
        Best, best, best.config, best.loss, None,
    )  # fmt: skip
    assert copy.copy(best).trials is best.trials


def test_a_config_that_cannot_be_pickled_is_left_out():
    """Programs that pickle Hyperopt's dict go on working with functions among the options."""
    best = fmin(
        lambda f: f(2), hp.choice("f", [lambda x: x, lambda x: -x]), "rand", 2, rstate=0, verbose=False
    )
    assert best.config(2) == -2
    again = pickle.loads(pickle.dumps(best))
    assert (again, again.config) == ({"f": 1}, None)


def test_the_config_alone_on_request():
    """return_argmin=False."""
    config = fmin(loss, SPACE, "rand", 30, rstate=0, verbose=False, return_argmin=False)
    assert config["net"] == "mlp"
    assert not isinstance(config, Best)


def test_inactive_labels_are_absent():
    """As in Hyperopt."""
    space = hp.choice("c", [0, hp.uniform("x", 1, 2)])
    assert fmin(lambda v: v, space, "rand", 20, rstate=0, verbose=False) == {"c": 0}


def test_a_constant_space():
    """A legal space with one configuration."""
    best = fmin(lambda c: c["a"], {"a": 3}, "tpe", 5, rstate=0, verbose=False)
    assert (best, best.config, best.loss) == ({}, {"a": 3}, 3.0)


# ---------------------------------------------------------------- nothing succeeded


def fails(config):
    return {"status": "fail"}


@pytest.mark.parametrize("return_argmin", [True, False])
def test_all_failed_says_how_many_and_why(return_argmin):
    """With Hyperopt's sentence, which programs look for."""
    with pytest.raises(
        AllTrialsFailed, match="There are no evaluation tasks, cannot return argmin of task losses"
    ):
        fmin(fails, SPACE, "rand", 3, verbose=False, return_argmin=return_argmin)


def test_the_last_error_is_quoted():
    """With caught exceptions the reason would be buried in the documents."""

    def raises(config):
        raise OSError("disk full")

    with pytest.raises(AllTrialsFailed, match=r"(?s)no evaluation tasks.*3 error.*OSError.*disk full"):
        fmin(raises, SPACE, "rand", 3, verbose=False, catch_eval_exceptions=True)


def test_nan_is_never_best():
    """Only NaN is like only failures."""
    with pytest.raises(AllTrialsFailed):
        fmin(lambda c: float("nan"), SPACE, "rand", 3, verbose=False)


def test_no_trials_at_all():
    """max_evals=0: an error for the argmin, None for the config, as in Hyperopt."""
    with pytest.raises(AllTrialsFailed, match="There are no evaluation tasks"):
        fmin(loss, SPACE, "rand", 0, verbose=False)
    assert fmin(loss, SPACE, "rand", 0, verbose=False, return_argmin=False) is None


def test_a_best_trial_of_a_smaller_space_has_no_config():
    """Its point lacks a value for the new parameter; the argmin is there all the same."""
    old = fmin(lambda c: -10, {"x": hp.uniform("x", 0, 1)}, "rand", 3, rstate=0, verbose=False)
    with pytest.warns(match="another search space"):
        best = fmin(
            lambda c: 0,
            {"x": hp.uniform("x", 0, 1), "y": hp.uniform("y", 0, 1)},
            "tpe",
            30,
            trials=old.trials,
            rstate=0,
            verbose=False,
        )
    assert set(best) == {"x"}
    assert best.loss == -10
    assert best.config is None


def test_a_best_trial_of_a_space_with_more_options_has_no_config():
    """Its index is past the end of the options there are now; the argmin is there all the same."""
    old = fmin(lambda c: -c, hp.choice("c", [1, 2, 3]), "rand", 3, rstate=0, verbose=False)
    with pytest.warns(match="another search space"):
        best = fmin(float, hp.choice("c", [1, 2]), "rand", 5, trials=old.trials, rstate=0, verbose=False)
    assert best == {"c": 2}
    assert best.config is None
