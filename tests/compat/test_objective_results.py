"""What an objective may return, row by row, through fmin (the checks themselves: tests/run/test_objective.py)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpspace import STATUS_FAIL, STATUS_OK, Trials, fmin, hp, rand
from hpspace.base import JOB_STATE_DONE, JOB_STATE_ERROR
from hpspace.exceptions import AllTrialsFailed, InvalidLoss, InvalidResultStatus

SPACE = hp.uniform("x", 0, 1)


def run(returned, trials=None):
    """Run one trial whose objective returns this; return the trials."""
    trials = Trials() if trials is None else trials
    fmin(lambda x: returned, SPACE, rand.suggest, 1, trials=trials, verbose=False)
    return trials


@pytest.mark.parametrize("loss", [1.5, 1, True, np.float32(2), np.int64(3), -math.inf, math.inf])
def test_a_number_is_the_loss(loss):
    """float, int, bool, numpy numbers, infinities."""
    trials = run(loss)
    assert trials.results == [{"loss": float(loss), "status": "ok"}]
    assert trials.best_trial is trials.trials[0]


@pytest.mark.parametrize("value", [np.array(1.0), np.bool_(True), None, 1j, "abc", [1, 2], (0.5,)])
def test_what_is_no_result_is_an_error_that_propagates(value):
    """TypeError or ValueError, as in Hyperopt; the trial is ERROR and says why."""
    trials = Trials()
    with pytest.raises((TypeError, ValueError), match="trial 0: objective returned"):
        run(value, trials)
    (doc,) = trials._dynamic_trials
    assert doc["state"] == JOB_STATE_ERROR
    assert "objective returned" in doc["misc"]["error"][1]
    assert len(trials) == 0


@pytest.mark.parametrize("make", [dict, lambda pairs: pairs, iter, tuple])
def test_a_mapping_or_pairs_become_the_result(make):
    """With a status."""
    assert run(make([("status", STATUS_OK), ("loss", 2), ("note", "n")])).results == [
        {"status": "ok", "loss": 2.0, "note": "n"}
    ]


def test_a_mapping_without_a_status_is_refused():
    """Hyperopt: KeyError."""
    with pytest.raises(InvalidResultStatus, match="status"):
        run({"loss": 1.0})


def test_an_unknown_status_is_refused():
    """With `.result`."""
    with pytest.raises(InvalidResultStatus) as caught:
        run({"status": "done", "loss": 1.0})
    assert caught.value.result == {"status": "done", "loss": 1.0}


@pytest.mark.parametrize("result", [{}, {"loss": None}, {"loss": np.array([1.0, 2.0])}, {"loss": "abc"}])
def test_status_ok_without_a_loss_is_refused(result):
    """With `.result`; a ValueError."""
    with pytest.raises(InvalidLoss) as caught:
        run({"status": STATUS_OK, **result})
    assert isinstance(caught.value, ValueError)
    assert caught.value.result["status"] == STATUS_OK


def test_a_loss_that_is_text_of_a_number():
    """float('1.5') is accepted."""
    assert run({"status": STATUS_OK, "loss": "1.5"}).losses() == [1.5]


def test_nan_is_kept_and_never_best():
    """All NaN is AllTrialsFailed; the trial is there."""
    trials = Trials()
    with pytest.raises(AllTrialsFailed):
        run(math.nan, trials)
    assert math.isnan(trials.losses()[0])
    assert trials.trials[0]["state"] == JOB_STATE_DONE


@pytest.mark.parametrize("result", [{"status": STATUS_FAIL}, {"status": STATUS_FAIL, "loss": -99.0}])
def test_a_failed_trial_is_done_and_never_best(result):
    """Whatever its loss."""
    trials = Trials()
    with pytest.raises(AllTrialsFailed):
        run(result, trials)
    assert trials.results == [result]
    assert trials.trials[0]["state"] == JOB_STATE_DONE


@pytest.mark.parametrize("status", ["new", "running", "suspended"])
def test_the_other_statuses_are_stored_as_done(status):
    """Accepted, and never best."""
    trials = Trials()
    with pytest.raises(AllTrialsFailed):
        run({"status": status}, trials)
    assert (trials.statuses(), trials.trials[0]["state"]) == ([status], JOB_STATE_DONE)


def test_extra_keys_hold_any_object():
    """In memory nothing is converted."""
    model = object()
    assert run({"status": STATUS_OK, "loss": 0, "model": model}).results[0]["model"] is model


def test_attachments_go_to_the_store():
    """And leave the result."""
    trials = run({"status": STATUS_OK, "loss": 0, "attachments": {"weights": b"123"}})
    assert "attachments" not in trials.results[0]
    assert trials.trial_attachments(trials.trials[0])["weights"] == b"123"
    assert trials.attachments["ATTACH::0::weights"] == b"123"


def test_variances_and_true_losses_are_kept():
    """Read by average_best_error."""
    trials = run({"status": STATUS_OK, "loss": 1.0, "loss_variance": 0.0, "true_loss": 3.0})
    assert trials.average_best_error() == 3.0
