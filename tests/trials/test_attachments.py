"""Attachments of a trial: a window on the attachments of all."""

from __future__ import annotations

import pytest

from hpspace import Trials


def test_an_attachment_is_stored_under_the_trials_name(trials: Trials) -> None:
    mine = trials.trial_attachments(trials[3])
    mine["model"] = b"weights"
    assert trials.attachments == {"ATTACH::3::model": b"weights"}
    assert trials.aname(trials[3], "model") in trials.attachments
    assert mine["model"] == b"weights" and "model" in mine and "other" not in mine


def test_trials_do_not_see_each_others_attachments(trials: Trials) -> None:
    trials.attachments["FMinIter_Domain"] = b"pickle"
    trials.trial_attachments(trials[0])["a"] = 1
    trials.trial_attachments(trials[1])["b"] = 2
    first = trials.trial_attachments(trials[0])
    assert (list(first), len(first), dict(first)) == (["a"], 1, {"a": 1})


def test_a_deleted_attachment_is_gone_and_an_absent_one_is_a_key_error(trials: Trials) -> None:
    mine = trials.trial_attachments(trials[0])
    mine["log"] = "text"
    del mine["log"]
    assert trials.attachments == {}
    with pytest.raises(KeyError, match="ATTACH::0::log"):
        mine["log"]
    with pytest.raises(KeyError):
        del mine["log"]


def test_the_window_shows_its_names(trials: Trials) -> None:
    mine = trials.trial_attachments(trials[0])
    assert repr(mine) == "<attachments of trial 0: none>"
    mine["log"] = ""
    assert repr(mine) == "<attachments of trial 0: log>"
