"""Ctrl-C at any moment: nothing is lost, and the run that goes on is the one that was never interrupted."""

from __future__ import annotations

import os
import sys

import pytest

from hpspace import Trials, fmin, hp
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
)

SPACE = {"x": hp.float("x", 0, 1, default=0.5), "c": hp.choice("c", [0, {"y": hp.normal("y", 0, 1)}])}


def x_of(config):
    return config["x"]


def search(trials=None, path="", fn=x_of, n=9, **kwargs):
    return fmin(fn, SPACE, "rand", n, trials=trials, rstate=0, verbose=False, trials_save_file=path, **kwargs)


def told(trials):
    return [(doc["tid"], doc["state"], doc["misc"]["vals"], doc["result"]) for doc in trials._dynamic_trials]


class Interrupt:
    """Raises KeyboardInterrupt at the n-th line that runs in hpspace, as a signal handler does."""

    def __init__(self, after):
        self.left = after

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.trace)

    def __exit__(self, *_):
        sys.settrace(self.before)

    def trace(self, frame, event, arg):
        if not any(part in frame.f_code.co_filename for part in ("hpspace/run/", "hpspace/trials/")):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self.trace


def interrupted(after, *args, **kwargs):
    """Whether the run was still going on."""
    try:
        with Interrupt(after):
            search(*args, **kwargs)
    except KeyboardInterrupt:
        return True
    return False


#: An interrupt right behind the last line of a ``with`` block leaves closing the file to the garbage collector.
left_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MOMENTS = [*range(200, 4000, 97), *range(4001, 20000, 499)]


@left_open
@pytest.mark.parametrize("queue", [1, 4])
def test_any_moment_with_a_save_file(tmp_path, queue):
    """The file can be read, and going on from it gives the trials of the unbroken run."""
    whole = told(search(path=str(tmp_path / "whole"), max_queue_len=queue).trials)
    hits = 0
    for moment in MOMENTS:
        path = tmp_path / f"file{moment}"
        hits += interrupted(moment, path=str(path), max_queue_len=queue)
        assert told(search(path=str(path), max_queue_len=queue).trials) == whole, moment
    assert hits > 20


@pytest.mark.parametrize("queue", [1, 4])
def test_any_moment_in_memory(queue):
    """The same with the Trials object, but for the few lines between reserving ids and noting that they are."""
    whole = told(search(max_queue_len=queue).trials)
    hits = gaps = 0
    for moment in MOMENTS:
        trials = Trials()
        hits += interrupted(moment, trials, max_queue_len=queue)
        best = search(trials, max_queue_len=queue)
        gaps += told(best.trials) != whole
        assert [doc["state"] for doc in best.trials._dynamic_trials] == [JOB_STATE_DONE] * 9, moment
    assert hits > 20
    assert gaps <= hits / 5


@left_open
def test_no_finished_trial_is_missing_from_the_file(tmp_path):
    """An interrupt just after an evaluation does not cost its result."""
    for moment in range(1000, 4000, 61):
        path, trials = tmp_path / f"file{moment}", Trials()
        if interrupted(moment, trials, path=str(path)) and path.exists():
            assert told(Trials.load(path)) == told(trials)


def test_a_trial_left_running_is_evaluated_again(tmp_path):
    """As in trials that the objective itself has pickled, and whose process was killed then."""
    copies = []
    trials = Trials()

    def copying(config):
        trials.save(tmp_path / "copy")
        copies.append(told(Trials.load(tmp_path / "copy")))
        return config["x"]

    whole = told(search(trials, fn=copying).trials)
    assert copies[-1][-1][1] == JOB_STATE_RUNNING
    assert told(search(Trials.load(tmp_path / "copy")).trials) == whole


def test_an_objective_that_searches_with_its_own_trials():
    """The trial that is running in this process is not taken for one left over by another."""
    trials = Trials()

    def nested(config):
        if len(trials.trials) == 1:
            search(trials, n=4)
            assert trials.trials[0]["state"] == JOB_STATE_RUNNING
        return config["x"]

    search(trials, fn=nested, n=6)
    assert [doc["state"] for doc in trials.trials] == [JOB_STATE_DONE] * len(trials.trials)


def test_a_trial_that_ends_its_process_is_not_tried_again():
    """Else every resumed run would end at the same place."""
    trials = Trials()

    def leaving(config):
        raise SystemExit

    for _ in range(2):
        with pytest.raises(SystemExit):
            search(trials, fn=leaving)
    assert [doc["state"] for doc in trials._dynamic_trials] == [JOB_STATE_CANCEL] * 2


def test_interrupted_points_are_not_queued_twice():
    """The point waits as a trial; the same points_to_evaluate do not add it once more."""
    trials, calls = Trials(), []

    def fn(config):
        calls.append(config["x"])
        if len(calls) == 1:
            raise KeyboardInterrupt
        return config["x"]

    points = [{"x": 0.125, "c": 0}, {"x": 0.25}]
    with pytest.raises(KeyboardInterrupt):
        search(trials, fn=fn, n=0, points_to_evaluate=points)
    assert [doc["state"] for doc in trials._dynamic_trials] == [JOB_STATE_CANCEL, JOB_STATE_NEW]
    search(trials, fn=fn, n=0, points_to_evaluate=points)
    assert calls == [0.125, 0.125, 0.25]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_file_alone(tmp_path):
    """An objective forks, and the child leaves by SystemExit through the search; the parent's file is the parent's."""
    path, parent = tmp_path / "file", os.getpid()

    def forking(config):
        child = os.fork()
        if child == 0:
            raise SystemExit
        os.waitpid(child, 0)
        return config["x"]

    try:
        search(path=str(path), fn=forking)
    finally:
        if os.getpid() != parent:
            os._exit(0)
    assert len(Trials.load(path)) == 9


def test_an_error_that_cannot_be_shown_is_an_outcome(tmp_path):
    """Its text is asked for in several places."""

    class Unshowable(Exception):
        def __str__(self):
            raise RuntimeError("no text")

        __repr__ = __str__

    def failing(config):
        if config["x"] > 0.6:
            raise Unshowable
        return config["x"]

    best = search(fn=failing, path=str(tmp_path / "file"), catch_eval_exceptions=True)
    assert [doc["state"] for doc in best.trials._dynamic_trials].count(JOB_STATE_ERROR) > 0


def test_an_empty_file_is_a_new_one(tmp_path):
    """As `tempfile` and `touch` make them."""
    path = tmp_path / "file"
    path.touch()
    search(path=str(path))
    assert len(Trials.load(path)) == 9
