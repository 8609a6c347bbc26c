"""What goes into MongoDB and comes out of it."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import bson
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpspace.exceptions import Unstorable
from hpspace.trials.mongo.values import MOST_BYTES, restored, storable

numbers = st.floats() | st.integers(-(2**63), 2**63 - 1) | st.booleans()
texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = texts.filter(lambda text: "\0" not in text)
values = st.recursive(
    numbers | texts | st.binary() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(keys, values, max_size=5))
def test_plain_values_come_back(value: dict[str, Any]) -> None:
    """Any nesting of what BSON knows; keys with dots and dollars too."""
    assert repr(bson.decode(bson.encode(storable(value, "result")))) == repr(value)


def test_numpy_values_tuples_and_keys_become_plain() -> None:
    value = {
        "a": np.float32(0.5),
        "b": (np.int64(3), np.arange(2)),
        7: {np.int64(8): np.bool_(True)},
        None: 1,
    }
    assert storable(value, "result") == {"a": 0.5, "b": [3, [0, 1]], "7": {"8": True}, "None": 1}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": {"b": [1, object()]}}, r"result\['a'\]\['b'\]\[1\]: an object of class builtins.object"),
        ({"n": 2**63}, r"result\['n'\]: an int of more than 64 bits"),
        ({"n": -(2**63) - 1}, r"result\['n'\]: an int of more than 64 bits"),
        ({"d": Decimal(1)}, r"result\['d'\].*Decimal"),
        ({"z": 1j}, r"result\['z'\].*complex"),
        ({"s": {1, 2}}, r"result\['s'\].*set"),
        ({"t": "\ud800"}, r"result\['t'\]"),
        ({"a": {1: 0, "1": 0}}, r"result\['a'\]: two keys of the dict are '1'"),
        ({"a": {object(): 0}}, r"result\['a'\]: the key .* is neither text nor number"),
        ({"a\0b": 0}, r"result: the key .* null character"),
        (
            {"big": "x" * (MOST_BYTES + 1), "small": 1},
            r"result: it takes 16 MB, of which the key 'big' 16 MB",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else "value",
)
def test_what_cannot_be_held_is_named(value: dict[Any, Any], words: str) -> None:
    with pytest.raises(Unstorable, match=words):
        storable(value, "result")


def test_what_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["again"] = value
    with pytest.raises(Unstorable, match="contains itself"):
        storable(value, "result")


def test_times_come_back_in_milliseconds_and_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    stored = storable({"t": datetime.datetime(2026, 1, 2, 3, 4, 5, 678_901, zone)}, "result")
    assert bson.decode(bson.encode(stored)) == {"t": datetime.datetime(2026, 1, 2, 1, 4, 5, 678_000)}


def test_infinite_losses_come_back() -> None:
    stored = bson.decode(bson.encode(storable({"a": math.nan, "b": [-math.inf, -0.0]}, "result")))
    assert repr(stored) == "{'a': nan, 'b': [-inf, -0.0]}"


def test_a_document_that_was_read_has_the_keys_of_every_store() -> None:
    """Also if Hyperopt wrote it: no token, no lease, its error beside the misc."""
    doc = restored({"tid": 1, "state": 3, "misc": {"cmd": ["a", "b"]}, "error": ["T", "m"], "version": 4})
    assert doc["misc"] == {"cmd": ("a", "b"), "error": ("T", "m")}
    assert (doc["token"], doc["lease_until"], doc["attempt"], doc["version"], doc["exp_key"]) == (
        None,
        None,
        0,
        4,
        None,
    )
