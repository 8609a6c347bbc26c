"""Documents as text: what is read back equals what was written, and what cannot be written is named by its place."""

from __future__ import annotations

import datetime
import enum
import json
import math
import pickle
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpspace.exceptions import Unstorable
from hpspace.trials.document import new_document
from hpspace.trials.shared.encoding import decode, encode, storable

# Keys that look like the tags are as good as any other.
texts = st.text() | st.sampled_from(["$float", "$tuple", "$$float", "$", "$$", "$bytes", "$time"])
atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(datetime.timezone.utc), allow_imaginary=False).map(
        lambda when: when.replace(fold=0)
    )
)
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_every_plain_value_comes_back(value):
    """`repr` compares types, the order of keys, -0.0, and NaN with NaN."""
    text = encode(value)
    assert repr(decode(text)) == repr(value)
    assert "\n" not in text


@given(values)
def test_the_text_is_standard_json(value):
    """NaN is none, so that SQLite's own functions and other programs can read what is stored."""

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(encode(value), parse_constant=refuse)


def test_a_document_can_be_read_by_people():
    text = encode(new_document(3, {"größe": 0.5}, exp_key="e"))
    assert '"vals": {"größe": [0.5]}' in text and '"exp_key": "e"' in text


class Color(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        (np.array(2.5), 2.5),
        (np.str_("a"), "a"),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        (Point(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (bytearray(b"x"), b"x"),
        ({1: "a", 2.5: "b", None: "c", (1, 2): "d"}, {"1": "a", "2.5": "b", "None": "c", "(1, 2)": "d"}),
        ({np.int64(1): 0}, {"1": 0}),
        ("half \ud83d of a pair", "half \ud83d of a pair"),
    ],
)
def test_kin_of_plain_values_become_plain(value, read):
    got = storable(value)
    assert got == read and type(got) is type(read)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"a": [0, {"b": {1, 2}}]},
            r"result\['a'\]\[1\]\['b'\]: an object of class builtins.set cannot be stored",
        ),
        ({"model": object()}, r"result\['model'\]: an object of class builtins.object .* attachments"),
        ({"d": {"1": 0, 1: 1}}, r"result\['d'\]\[1\]: two keys of the dict are '1'"),
        ({"d": {b"k": 0}}, r"result\['d'\]\[b'k'\]: the key b'k' of a dict is neither text nor number"),
        (np.array([object()]), r"result\[0\]: an object"),
        (1j, "result: an object of class builtins.complex"),
    ],
)
def test_what_cannot_be_written_is_named(value, message):
    with pytest.raises(Unstorable, match=message):
        encode(value, "result")


def test_what_contains_itself_cannot_be_written():
    loop = []
    loop.append(loop)
    with pytest.raises(Unstorable, match="result: it is nested too deeply, or contains itself"):
        encode(loop, "result")


def test_the_error_survives_pickling_without_the_value():
    """It crosses from a worker's child to the worker; the value, which nobody could store, stays behind."""
    with pytest.raises(Unstorable) as caught:
        encode({"f": lambda: 0}, "result")
    assert caught.value.__context__ is None  # some packages have contexts pickled too
    copied = pickle.loads(pickle.dumps(caught.value))
    assert str(copied) == str(caught.value) and copied.path == "result['f']"


def test_floats_are_exact():
    numbers = [0.1, 1e308, 5e-324, -0.0, math.pi, math.inf, -math.inf]
    assert list(map(repr, decode(encode(numbers)))) == list(map(repr, numbers))
