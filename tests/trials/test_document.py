"""Trial documents: their shape, and what is refused as one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from hpspace.exceptions import InvalidTrial
from hpspace.trials.document import (
    JOB_STATE_NAMES,
    JOB_STATES,
    TRIAL_KEYS,
    TRIAL_MISC_KEYS,
    new_document,
    validate,
)


def test_a_new_document_has_every_required_key() -> None:
    doc = new_document(0, {"x": 1.0})
    assert set(TRIAL_KEYS) <= doc.keys() and set(TRIAL_MISC_KEYS) <= doc["misc"].keys()
    assert validate(doc) is doc


def test_a_new_document_lists_inactive_labels_as_empty_in_the_order_of_the_space() -> None:
    doc = new_document(5, {"b": 2}, labels=["a", "b"])
    assert list(doc["misc"]["vals"].items()) == [("a", []), ("b", [2])]
    assert list(doc["misc"]["idxs"].items()) == [("a", []), ("b", [5])]


def test_documents_do_not_share_mutable_parts() -> None:
    """A result written into one trial must not appear in the next."""
    first, second = new_document(0, {"x": 1}), new_document(1, {"x": 1})
    first["result"]["loss"] = 3
    first["misc"]["vals"]["x"].append(9)
    assert second["result"] == {"status": "new"} and second["misc"]["vals"] == {"x": [1]}


def test_every_state_has_a_name() -> None:
    assert sorted(JOB_STATE_NAMES) == sorted(JOB_STATES)


def _without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda doc: {name: value for name, value in doc.items() if name != key}


def _changed(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda doc: {**doc, **changes}


def _misc_without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda doc: {**doc, "misc": _without(key)(doc["misc"])}


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        *[(_without(key), f"missing the key {key}") for key in TRIAL_KEYS],
        *[(_misc_without(key), rf'\["misc"\] is missing the key {key}') for key in TRIAL_MISC_KEYS],
        (_changed(tid=8), "tid mismatch: the trial has 8, its misc 7"),
        (_changed(exp_key="other"), "wrong exp_key: 'other' where None is expected"),
        (_changed(state=9), "state 9 is none of"),
        (_changed(misc=None), "must be a dict, not None"),
        (_changed(result=3.5), "result must be a dict, not 3.5"),
        (lambda doc: 3, "must be a dict, not int"),
    ],
)
def test_what_is_no_document_is_refused_with_the_reason(
    spoil: Callable[[dict[str, Any]], Any], complaint: str
) -> None:
    """The exception keeps the object, for whoever has to find it."""
    bad = spoil(copy.deepcopy(new_document(7, {"x": 1.0})))
    with pytest.raises(InvalidTrial, match=complaint) as caught:
        validate(bad)
    assert caught.value.obj is bad
