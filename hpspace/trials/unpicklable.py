"""What a save file holds in place of a value that cannot be pickled.

A result may contain anything: a lock, a generator, an open connection. Keeping a search must not fail for that, so
such a value, and nothing else of its trial, is replaced by an `Unpicklable` that remembers how it looked.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unpicklable:
    """Stands for a value that could not be saved.

    Parameters
    ----------
    text : str
        The value's `repr`.
    """

    text: str


def dumps(value: Any, what: str) -> bytes:
    """Pickle a value, with whatever refuses replaced.

    Parameters
    ----------
    value : object
        Dicts, lists and tuples are entered as far as is needed to find the parts that refuse.
    what : str
        What it is, for the log.

    Returns
    -------
    bytes
        Made by cloudpickle, so that functions and classes of a script are kept by value.
    """
    data = _try_dumps(value)
    if data is None:
        data = _try_dumps(_replaced(value, what))
    if data is None:
        raise TypeError(f"{what} cannot be pickled, not even with placeholders")
    return data


def _try_dumps(value: Any) -> bytes | None:
    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001  objects refuse to be pickled in whatever way they like
        return None
    return data


def _replaced(value: Any, where: str) -> Any:
    """Return a copy of a value with placeholders for what cannot be pickled."""
    if _try_dumps(value) is not None:
        return value
    if type(value) is dict:
        return {_replaced(k, where): _replaced(v, f"{where}[{k!r}]") for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_replaced(item, f"{where}[{i}]") for i, item in enumerate(value))
    text = _text(value)
    logger.warning("%s cannot be pickled; the save file keeps only its text %s", where, text)
    return Unpicklable(text)


def _text(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  a broken __repr__ is no reason to lose a search
        return object.__repr__(value)
