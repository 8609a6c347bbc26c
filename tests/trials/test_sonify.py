"""numpy values become plain ones; nothing else is touched."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from hpspace.trials.sonify import SONify, sonify_in_place


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(1.5), 1.5),
        (np.longdouble(2.5), 2.5),
        (np.int8(-3), -3),
        (np.bool_(True), True),
        (np.array(2.0), 2.0),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array([True, False]), [True, False]),
        (np.array(["a"]), ["a"]),
        (np.str_("q"), "q"),
        (np.complex64(1j), 1j),
        (np.datetime64("2026-01-02T03:04:05"), datetime(2026, 1, 2, 3, 4, 5)),
        ((np.int8(1), 2), (1, 2)),
        ([{"a": np.float64(1)}], [{"a": 1.0}]),
        ({np.int64(1): 2}, {1: 2}),
    ],
)
def test_numpy_values_become_plain(value: Any, expected: Any) -> None:
    """Equal and of exactly the plain type, at every depth."""
    converted = SONify(value)
    assert converted == expected
    assert repr(converted) == repr(expected)


@pytest.mark.parametrize("value", [None, "x", b"x", True, 1, 1.5, {1, 2}, object(), object, 2 + 1j])
def test_other_objects_pass_through(value: Any) -> None:
    """Hyperopt refuses sets, classes and estimators here; a result may hold any object."""
    assert SONify(value) is value


def test_sonify_copies_containers_and_leaves_the_original_alone() -> None:
    original = {"a": [np.int64(1)]}
    assert SONify(original) == {"a": [1]} and type(original["a"][0]) is np.int64


def test_a_structure_that_contains_itself_is_converted_once() -> None:
    loop: dict[str, Any] = {"v": np.int64(1)}
    loop["self"] = loop
    copied = SONify(loop)
    assert copied["self"] is copied and type(copied["v"]) is int
    assert sonify_in_place(loop) is loop and type(loop["v"]) is int


def test_in_place_conversion_keeps_every_container() -> None:
    """Whoever holds a part of the document keeps holding it."""
    inner: list[Any] = [np.float64(0.5), (np.int64(1), "s")]
    doc = {"misc": {"vals": inner}}
    assert sonify_in_place(doc) is doc and doc["misc"]["vals"] is inner
    assert repr(inner) == "[0.5, (1, 's')]"


def test_in_place_conversion_keeps_a_tuple_without_numpy_values() -> None:
    cmd = ("domain_attachment", "FMinIter_Domain")
    assert sonify_in_place({"cmd": cmd})["cmd"] is cmd
