"""catch=: which exceptions end a trial and which the run; max_new_evals, seed and the other plain arguments."""

from __future__ import annotations

import pytest

from hpspace import Trials, fmin, hp
from hpspace.exceptions import AllTrialsFailed, ObjectiveError
from hpspace.run.arguments import is_one_of
from hpspace.trials.document import JOB_STATE_ERROR

SPACE = {"x": hp.uniform("x", 0, 1)}


class TooBig(ValueError):
    pass


def flaky(config):
    if config["x"] > 0.5:
        raise TooBig("too big")
    return config["x"]


def search(fn=flaky, max_evals=20, **kwargs):
    return fmin(fn, SPACE, "rand", max_evals, **{"rstate": 0, "verbose": False, **kwargs})


@pytest.mark.parametrize("catch", [ValueError, (KeyError, ValueError), [TooBig], Exception])
def test_what_is_caught_ends_only_its_trial(catch):
    """Type, message and traceback are stored with the trial."""
    trials = search(catch=catch).trials
    errors = [doc for doc in trials._dynamic_trials if doc["state"] == JOB_STATE_ERROR]
    assert len(trials) + len(errors) == 20
    assert {doc["misc"]["error"][1] for doc in errors} == {"too big"}
    assert all("TooBig" in doc["misc"]["error"][0] for doc in errors)
    assert all("in flaky" in doc["misc"]["traceback"] for doc in errors)


@pytest.mark.parametrize("catch", [(), KeyError, None])
def test_what_is_not_caught_ends_the_run(catch):
    """After it was stored."""
    trials = Trials()
    arguments = {} if catch is None else {"catch": catch}
    with pytest.raises(TooBig, match="too big"):
        search(trials=trials, **arguments)
    assert trials._dynamic_trials[-1]["state"] == JOB_STATE_ERROR


def test_catching_some_is_not_catching_all():
    """The first exception of another class ends the run."""
    calls = []

    def fn(config):
        calls.append(1)
        raise ValueError if len(calls) < 4 else KeyError("four")

    with pytest.raises(KeyError, match="four"):
        search(fn, catch=ValueError)
    assert len(calls) == 4


def test_hyperopts_switch_catches_all():
    """catch_eval_exceptions=True is catch=Exception."""
    assert search(catch_eval_exceptions=True).trials.vals == search(catch=Exception).trials.vals


def test_a_run_of_errors_says_why():
    """When everything was caught and nothing is left."""
    with pytest.raises(AllTrialsFailed, match=r"TooBig.*always"):

        def fails(config):
            raise TooBig("always")

        search(fails, 3, catch=TooBig)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("ValueError", "pass classes of exceptions"),
        (ValueError("no class"), "pass classes of exceptions"),
        ((ValueError, int), "pass classes of exceptions"),
        (KeyboardInterrupt, "KeyboardInterrupt ends a program"),
        (BaseException, "BaseException ends a program"),
    ],
)
def test_what_cannot_be_caught_is_refused_first(wrong, message):
    """Before anything is evaluated."""
    with pytest.raises(TypeError, match=message):
        search(pytest.fail, catch=wrong)


def test_an_exception_that_only_its_text_came_from_is_recognised():
    """Another process could not send the object: the type's text decides, and Exception means any."""
    described = ObjectiveError(str(TooBig), "too big")
    assert is_one_of(described, (TooBig,))
    assert is_one_of(described, (Exception,))
    assert not is_one_of(described, (RuntimeError, KeyError))


# ---------------------------------------------------------------- max_new_evals


def test_max_new_evals_adds():
    """To whatever is there; max_evals is a total."""
    trials = search(lambda c: c["x"], 5).trials
    search(lambda c: c["x"], None, trials=trials, max_new_evals=3)
    assert len(trials) == 8
    search(lambda c: c["x"], None, trials=trials, max_new_evals=0)
    assert len(trials) == 8


@pytest.mark.parametrize(("total", "new", "expected"), [(7, 10, 7), (100, 2, 7), (3, 9, 5)])
def test_with_both_limits_the_first_counts(total, new, expected):
    """5 trials are there."""
    trials = search(lambda c: c["x"], 5).trials
    search(lambda c: c["x"], total, trials=trials, max_new_evals=new)
    assert len(trials) == expected


def test_an_added_run_goes_on_where_the_other_was():
    """5 and 5 more with one seed are 10 with that seed."""
    trials = search(lambda c: c["x"], 5).trials
    search(lambda c: c["x"], None, trials=trials, max_new_evals=5)
    assert trials.vals == search(lambda c: c["x"], 10).trials.vals


def test_the_display_expects_what_is_added():
    """The bar goes from what is there to that and the new ones."""
    bars = []

    class Bar:
        postfix = None

        def update(self, n):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def callback(initial, total):
        bars.append((initial, total))
        return Bar()

    trials = search(lambda c: c["x"], 5).trials
    search(lambda c: c["x"], None, trials=trials, max_new_evals=3, show_progressbar=callback)
    search(lambda c: c["x"], 20, trials=trials, max_new_evals=3, show_progressbar=callback)
    assert bars == [(5, 8), (8, 11)]


@pytest.mark.parametrize("wrong", [-1, 2.5, "3", True])
def test_max_new_evals_is_a_whole_number(wrong):
    """The error names the argument and the value."""
    with pytest.raises(ValueError, match="max_new_evals="):
        search(pytest.fail, max_new_evals=wrong)


# ---------------------------------------------------------------- seed


def test_seed_is_another_name_of_rstate():
    """The same run."""
    assert (
        search(lambda c: c["x"], rstate=None, seed=3).trials.vals
        == search(lambda c: c["x"], rstate=3).trials.vals
    )


def test_both_names_at_once_are_refused():
    """Which one would count?"""
    with pytest.raises(TypeError, match="two names of one argument"):
        search(pytest.fail, rstate=0, seed=0)


def test_a_class_written_for_hyperopt_is_not_given_what_it_does_not_know():
    """Arguments of our own are handed over only if they say something, however the default was spelt."""

    class Old(Trials):
        def fmin(self, fn, space, algo=None, max_evals=None, timeout=None, loss_threshold=None, max_queue_len=1,
                 rstate=None, verbose=False, pass_expr_memo_ctrl=None, catch_eval_exceptions=False,
                 return_argmin=True, show_progressbar=True, early_stop_fn=None, trials_save_file=""):  # fmt: skip
            return fmin(fn, space, algo, max_evals, trials=self, allow_trials_fmin=False, verbose=False)

    spelt = "".join(["mini", "mize"])
    assert (
        len(search(lambda c: c["x"], 3, trials=Old(), direction=spelt, catch=(), n_jobs=True + 0).trials) == 3
    )
    with pytest.raises(TypeError, match="catch"):
        search(lambda c: c["x"], 3, trials=Old(), catch=ValueError)
