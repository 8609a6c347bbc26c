"""Documents as text: JSON that any reader understands, with tags for the few values that JSON lacks.

============================  =================================
NaN, infinities               ``{"$float": "nan"}``
tuples                        ``{"$tuple": [...]}``
bytes                         ``{"$bytes": "<base64>"}``
dates with a time             ``{"$time": "2026-01-02T03:04:05"}``
``{"$...": x}``, a user's     ``{"$$...": x}``
============================  =================================

What is read back equals what was written, but for three things: numpy values come back as plain ones, keys of dicts
as texts, and subclasses of plain types as the types. Everything else is refused, by name of its place: a store that
unpickled what it finds could not be looked at without trusting everyone who writes to it.

Called by the stores in memory and in SQLite, and by `hpspace.trials.exchange`.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from hpspace.exceptions import Unstorable
from hpspace.trials.sonify import plain

#: Types that JSON has itself; a float still has to be finite.
_SIMPLE = frozenset({str, int, bool, type(None)})

#: How an instance of a subclass of a plain type becomes one of the type, whatever the subclass overrides.
_BASES: dict[type, Callable[[Any], Any]] = {int: int.__int__, float: float.__float__, str: str.__str__}

_UNTAG: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$tuple": tuple,
    "$bytes": base64.b64decode,
    "$time": datetime.datetime.fromisoformat,
}


def encode(value: Any, name: str = "") -> str:
    """Write a value as text.

    Parameters
    ----------
    value : object
        Numbers, texts, bytes, times, None, numpy values, and lists, tuples and dicts of them.
    name : str
        What it is, for the error.

    Returns
    -------
    str
        JSON on one line.

    Raises
    ------
    Unstorable
        Something in it is of no such type, or two keys of a dict are equal as texts.

    Examples
    --------
    >>> encode({"loss": float("inf"), 3: (1, "é")})
    '{"loss": {"$float": "inf"}, "3": {"$tuple": [1, "é"]}}'
    >>> encode({"model": print}, "result")
    Traceback (most recent call last):
        ...
    hpspace.exceptions.Unstorable: result['model']: an object of class builtins.builtin_function_or_method ...
    """
    tagged = _tagged_or_refused(value, name)
    text = _WRITER.encode(tagged)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as file names may have
        return json.dumps(tagged, allow_nan=False)
    return text


def decode(text: str) -> Any:
    """Read what `encode` wrote.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    object
        The value, in new containers.

    Examples
    --------
    >>> decode('{"loss": {"$float": "inf"}, "3": {"$tuple": [1, "é"]}}')
    {'loss': inf, '3': (1, 'é')}
    """
    return _READER.decode(text)


def storable(value: Any, name: str = "") -> Any:
    """Return a copy of a value as it would be read back."""
    return decode(encode(value, name))


class _RefusedError(Exception):
    """A value that cannot be written; grows its path from the inside out."""

    def __init__(self, value: Any, reason: str = "") -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason
        self.path = ""

    def inside(self, key: Any) -> _RefusedError:
        self.path = f"[{key!r}]{self.path}"
        return self


def _tagged_or_refused(value: Any, name: str) -> Any:
    try:
        return _tagged(value)
    except _RefusedError as refused:
        error = Unstorable(f"{name}{refused.path}", refused.value, refused.reason)
    except RecursionError:
        error = Unstorable(name, value, "it is nested too deeply, or contains itself")
    # Outside of the handlers, so that no context holds the value: tblib, which distributed installs, pickles contexts.
    raise error


def _tagged(value: Any) -> Any:
    """Return what `json` can write in place of a value."""
    kind = type(value)
    if kind in _SIMPLE:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is list:
        return _tagged_list(value)
    if kind is dict:
        return _tagged_dict(value)
    return _tagged_other(value)


def _tagged_list(values: Any) -> list[Any]:
    tagged: list[Any] = []
    try:
        for value in values:
            tagged.append(_tagged(value))  # noqa: PERF401 - its length is the position of what is refused
    except _RefusedError as refused:
        raise refused.inside(len(tagged)) from None
    return tagged


def _tagged_dict(values: Mapping[Any, Any]) -> dict[str, Any]:
    tagged: dict[str, Any] = {}
    key: Any = None
    try:
        for key, value in values.items():
            name = key if type(key) is str else _key_text(key)
            if name in tagged:
                raise _RefusedError(value, f"two keys of the dict are {name!r} when written as texts")
            tagged[name] = _tagged(value)
    except _RefusedError as refused:
        raise refused.inside(key) from None
    if len(tagged) == 1 and (name := next(iter(tagged))).startswith("$"):
        return {f"${name}": tagged[name]}  # so that it is not read as a tag
    return tagged


def _key_text(key: Any) -> str:
    key = plain(key)
    if isinstance(key, (str, int, float, bool, type(None), tuple)):
        return str(key)
    raise _RefusedError(key, f"the key {key!r} of a dict is neither text nor number")


def _tagged_other(value: Any) -> Any:
    """Return what `json` can write in place of a value of a type that it does not know."""
    if isinstance(value, tuple):
        return {"$tuple": _tagged_list(value)}
    if isinstance(value, list):
        return _tagged_list(value)
    if isinstance(value, Mapping):
        return _tagged_dict(value)
    simple = plain(value)
    if simple is not value:
        return _tagged(simple)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime.datetime):
        return {"$time": value.isoformat()}
    for base, plainly in _BASES.items():
        if isinstance(value, base):
            return _tagged(plainly(value))
    raise _RefusedError(value)


def _untagged(values: dict[str, Any]) -> Any:
    """Return what a dict of the text stands for."""
    if len(values) != 1:
        return values
    ((key, value),) = values.items()
    if not key.startswith("$"):
        return values
    untag = _UNTAG.get(key)
    return untag(value) if untag else {key[1:]: value}


_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_READER = json.JSONDecoder(object_hook=_untagged)
