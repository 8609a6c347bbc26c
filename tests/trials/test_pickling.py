"""Trials survive pickle, copy.deepcopy and joblib, whatever their space holds."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest

from hpspace import Trials, compile_space, hp
from hpspace.space.compiled import CompiledSpace


def by_joblib(trials: Trials, folder: Path) -> Trials:
    joblib.dump(trials, folder / "trials.joblib")
    loaded: Trials = joblib.load(folder / "trials.joblib")
    return loaded


ROUND_TRIPS: list[Callable[[Trials, Path], Any]] = [
    *[
        lambda t, _, p=p: pickle.loads(pickle.dumps(t, protocol=p))
        for p in range(pickle.HIGHEST_PROTOCOL + 1)
    ],
    lambda t, _: pickle.loads(cloudpickle.dumps(t)),
    lambda t, _: copy.deepcopy(t),
    by_joblib,
]


@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
def test_everything_that_can_be_read_comes_back(
    trials: Trials, space: CompiledSpace, tmp_path: Path, round_trip: Callable[[Trials, Path], Any]
) -> None:
    trials.remember_space(space)
    trials.trial_attachments(trials[0])["log"] = b"text"
    expected = trials.history(space)
    again = round_trip(trials, tmp_path)
    assert repr(again._dynamic_trials) == repr(trials._dynamic_trials)
    assert again.attachments == trials.attachments and again.tids == trials.tids
    assert again.best_config == trials.best_config and again.space_json == trials.space_json
    assert again.new_trial_ids(1) == [5]
    np.testing.assert_array_equal(again.history(again.space).losses, expected.losses)


def test_a_copy_is_independent(trials: Trials) -> None:
    again = copy.deepcopy(trials)
    again[0]["result"]["loss"] = 77
    again.trial_attachments(again[0])["log"] = ""
    assert trials.losses()[0] == 0.5 and trials.attachments == {}


def test_a_deep_copy_shares_the_space(trials: Trials, space: CompiledSpace) -> None:
    """Spaces are frozen, so nothing has to be compiled again."""
    trials.remember_space(space)
    assert copy.deepcopy(trials).space is space


def test_visible_documents_stay_the_same_objects_as_stored_ones(trials: Trials) -> None:
    again = pickle.loads(pickle.dumps(trials))
    assert again.trials[0] is again._dynamic_trials[0]


def test_the_pickle_names_a_public_address(trials: Trials) -> None:
    """Files inside the package may move; pickles in the world may not break."""
    assert b"hpspace.base" in pickle.dumps(trials) and b"hpspace.trials.trials" not in pickle.dumps(trials)


def test_a_space_that_cannot_be_pickled_leaves_its_description(
    trials: Trials, caplog: pytest.LogCaptureFixture
) -> None:
    """The search is kept; the warning comes once, not at each save."""
    space = compile_space({"x": hp.uniform("x", 0, 1), "lock": threading.Lock()})
    trials.remember_space(space)
    with caplog.at_level(logging.WARNING):
        pickle.dumps(trials)
        again = pickle.loads(pickle.dumps(trials))
    assert again.space is None and again.space_json == space.to_json()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the space cannot be pickled" in caplog.text
    assert copy.deepcopy(trials).space is space


def test_a_space_that_cannot_be_read_here_is_done_without(
    trials: Trials, space: CompiledSpace, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a constant's module is not installed. Its bytes are kept for whoever can read them."""
    trials.remember_space(space)
    state = trials.__getstate__()
    _, description, _ = state["_space"]
    again = Trials()
    again.__setstate__({**state, "_space": (b"cno_such_module\nThing\n.", description)})
    assert again.space is None and again.space is None
    assert caplog.text.count("cannot be read here") == 1
    assert again.space_json == space.to_json()
    assert again.__getstate__()["_space"][0] == b"cno_such_module\nThing\n."
    assert again.best_trial["tid"] == 3


def test_a_state_of_an_older_release_is_completed(trials: Trials, space: CompiledSpace) -> None:
    """Only what Hyperopt itself stores is there."""
    bare = {
        key: trials.__dict__[key] for key in ("_dynamic_trials", "_trials", "_ids", "_exp_key", "attachments")
    }
    old = object.__new__(Trials)
    old.__setstate__(bare)
    old.refresh()
    assert old.best_trial["tid"] == 3 and old.space is None and old.space_json is None
    assert old.history(space).n == 5 and old.new_trial_ids(1) == [5]


def test_remembering_the_same_space_again_keeps_its_bytes(trials: Trials, space: CompiledSpace) -> None:
    trials.remember_space(space)
    memo = trials._memo
    trials.remember_space(space)
    assert trials._memo is memo
    other = compile_space({"x": hp.uniform("x", 0, 1)})
    trials.remember_space(other)
    assert trials.space is other and trials.space_json == other.to_json()
