"""trials_save_file: a search that survives its process."""

from __future__ import annotations

import pytest

from hpspace import Trials, fmin, hp
from hpspace.trials.document import JOB_STATE_CANCEL, JOB_STATE_ERROR

SPACE = {"x": hp.uniform("x", 0, 1), "c": hp.choice("c", [0, {"y": hp.normal("y", 0, 1)}])}


def x_of(config):
    return config["x"]


def search(path, fn=x_of, max_evals=5, **kwargs):
    return fmin(fn, SPACE, "rand", max_evals, rstate=0, verbose=False, trials_save_file=str(path), **kwargs)


def test_a_search_is_continued_from_its_file(tmp_path):
    """The same call again evaluates nothing; a larger one goes on with the same stream as an unbroken run."""
    whole = search(tmp_path / "whole", max_evals=10).trials.vals
    search(tmp_path / "file")
    search(tmp_path / "file", pytest.fail)
    assert search(tmp_path / "file", max_evals=10).trials.vals == whole


def test_the_file_is_up_to_date_after_every_turn(tmp_path):
    """The objective of trial n finds the n before it in the file."""
    path = tmp_path / "file"
    found = []
    search(path, lambda c: found.append(len(Trials.load(path)) if path.exists() else 0) or c["x"])
    assert found == [0, 1, 2, 3, 4]


def test_a_long_queue_is_saved_trial_by_trial(tmp_path):
    """Points are one queue: a kill in the middle must not cost those that were evaluated."""
    path = tmp_path / "file"
    found = []

    def fn(config):
        found.append(sum(loss is not None for loss in Trials.load(path).losses()))
        return config["x"]

    search(path, fn, 0, points_to_evaluate=[{"x": k / 4, "c": 0} for k in range(4)])
    assert found == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("error", "state", "documents"),
    [
        (KeyboardInterrupt, JOB_STATE_CANCEL, 5),
        (SystemExit, JOB_STATE_CANCEL, 6),
        (ValueError, JOB_STATE_ERROR, 6),
    ],
)
def test_an_exception_leaves_the_file_consistent(tmp_path, error, state, documents):
    """The trial that ended badly is in the file with its state; the next call goes on, with an interrupted one."""
    path = tmp_path / "file"
    calls = []

    def fn(config):
        calls.append(1)
        if len(calls) == 3:
            raise error
        return config["x"]

    with pytest.raises(error):
        search(path, fn)
    assert [doc["state"] for doc in Trials.load(path)._dynamic_trials] == [2, 2, state]
    best = search(path)
    assert len(best.trials) == 5
    assert len(best.trials._dynamic_trials) == documents


def test_points_are_not_run_again_on_resuming(tmp_path):
    """The whole call is simply repeated."""
    points = [{"x": 0.5, "c": 0}, {"c": 1}]
    search(tmp_path / "file", max_evals=2, points_to_evaluate=points)
    best = search(tmp_path / "file", max_evals=6, points_to_evaluate=points)
    assert best.trials.vals["x"].count(0.5) == 1
    assert len(best.trials) == 6


def test_a_result_that_cannot_be_pickled_does_not_end_the_search(tmp_path):
    """Hyperopt's run died on it (pain 26)."""
    best = search(tmp_path / "file", lambda c: {"status": "ok", "loss": c["x"], "model": lambda: 0})
    assert len(best.trials) == 5
    assert Trials.load(tmp_path / "file").losses() == best.trials.losses()


def test_given_trials_are_kept_in_the_file(tmp_path):
    """With trials passed, the file follows those."""
    trials = Trials()
    search(tmp_path / "file", trials=trials)
    assert Trials.load(tmp_path / "file").vals == trials.vals
