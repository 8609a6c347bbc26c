"""Documents on their way into MongoDB and out of it.

BSON holds numbers up to 64 bits, texts, bytes, times in milliseconds, lists and dicts with texts as keys. So numpy
values become plain ones, tuples lists, and keys of dicts texts; anything else is refused by name of its place, before
anything is written. A document takes at most 16 MB, of which this module leaves one to what the store itself adds.

Out of it come documents of three origins: hpspace's own; Hyperopt's, which lack the keys of stores and have errors
beside the misc; and hpspace's as Hyperopt's tools have edited them. `restored` makes them alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpspace.exceptions import Unstorable
from hpspace.trials.document import JOB_STATE_ERROR
from hpspace.trials.shared.contract import STORE_KEYS
from hpspace.trials.sonify import plain

#: Bytes that one value may take: MongoDB's limit of 16 MB a document, less what else is in the document.
MOST_BYTES = 15 * 1024**2

#: Keys of a misc whose values are pairs, and come back as such.
_PAIRS = ("cmd", "error")


def storable(value: Mapping[Any, Any], name: str) -> dict[str, Any]:
    """Return a copy of a dict as MongoDB can hold it.

    Parameters
    ----------
    value : mapping
        What to store.
    name : str
        What it is, for the error.

    Returns
    -------
    dict
        With plain values in new containers.

    Raises
    ------
    Unstorable
        Something in it cannot be held, or all of it is too large.

    Examples
    --------
    >>> import numpy as np
    >>> storable({"loss": np.float32(0.5), 3: (1, 2)}, "result")
    {'loss': 0.5, '3': [1, 2]}
    >>> storable({"a": [2**70]}, "result")
    Traceback (most recent call last):
        ...
    hpspace.exceptions.Unstorable: result['a'][0]: an int of more than 64 bits cannot be stored; ...
    """
    try:
        copy = _dict(value, name)
        size = _size(copy)
    except RecursionError:
        raise Unstorable(name, value, "it is nested too deeply, or contains itself") from None
    if size > MOST_BYTES:
        raise Unstorable(name, value, _too_large(copy, size))
    return copy


def _copy(value: Any, path: str) -> Any:
    value = plain(value)
    if isinstance(value, Mapping):
        return _dict(value, path)
    if isinstance(value, (list, tuple)):
        return [_copy(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Unstorable(path, value, "an int of more than 64 bits cannot be stored")
    if type(value) in _FITTING:
        return value
    return _checked(value, path)


def _dict(value: Mapping[Any, Any], path: str) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for key, item in value.items():
        name = _key(key, path)
        if name in copy:
            raise Unstorable(path, value, f"two keys of the dict are {name!r} when written as texts")
        copy[name] = _copy(item, f"{path}[{key!r}]")
    return copy


def _key(key: Any, path: str) -> str:
    key = plain(key)
    if not isinstance(key, (str, int, float, bool, type(None), tuple)):
        raise Unstorable(path, key, f"the key {key!r} of a dict is neither text nor number")
    if "\0" in str(key):
        raise Unstorable(path, key, f"the key {key!r} of a dict has a null character")
    return str(key)


#: Types that need no further look: an int was measured before.
_FITTING = frozenset({bool, int, float, bytes, type(None)})


def _checked(value: Any, path: str) -> Any:
    """Return a value of a rarer type if BSON can hold it: texts that are no Unicode, times, foreign objects."""
    try:
        _size({"": value})
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001  the encoder and the methods of foreign objects raise whatever they like
        raise Unstorable(path, value) from None
    return value


def _size(document: dict[str, Any]) -> int:
    import bson

    return len(bson.encode(document))


def _too_large(copy: dict[str, Any], size: int) -> str:
    sizes = {key: _size({key: item}) for key, item in copy.items()}
    largest = max(sizes, key=lambda key: sizes[key])
    return (
        f"it takes {size / 1e6:.0f} MB, of which the key {largest!r} {sizes[largest] / 1e6:.0f} MB; a document of "
        f"MongoDB holds {MOST_BYTES / 1e6:.0f} MB"
    )


def restored(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document that was read, in the form that every store gives it.

    Parameters
    ----------
    doc : mapping
        As MongoDB gave it; kept by what is returned.

    Returns
    -------
    dict
        With the keys of stores, pairs as tuples, and the error of Hyperopt's place in its misc.

    Examples
    --------
    >>> restored({"tid": 3, "state": 3, "misc": {"tid": 3}, "error": ["ValueError", "no"]})["misc"]["error"]
    ('ValueError', 'no')
    """
    misc = dict(doc["misc"])
    if doc["state"] == JOB_STATE_ERROR and doc.get("error") is not None:
        misc.setdefault("error", doc["error"])
    for key in _PAIRS:
        if isinstance(misc.get(key), list):
            misc[key] = tuple(misc[key])
    return {**STORE_KEYS, "exp_key": None, **doc, "misc": misc}
