"""Small functions that Hyperopt's `utils` offers and that programs written for it import.

Nothing in hpspace needs them; they are here so that such programs run. They are plain Python: folders to work in,
ids, a few array helpers.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@contextlib.contextmanager
def working_dir(dir: str | None) -> Iterator[None]:
    """Change into a folder for the time of a ``with`` block.

    Parameters
    ----------
    dir : str or None
        An existing folder; None stays.
    """
    before = Path.cwd()
    if dir is not None:
        os.chdir(dir)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def temp_dir(dir: str, erase_after: bool = False, with_sentinel: bool = True) -> Iterator[None]:
    """Make a folder for the time of a ``with`` block.

    Parameters
    ----------
    dir : str
        The folder; made with its parents if it does not exist.
    erase_after : bool
        Remove afterwards what was made here, parents included. A folder that existed before stays.
    with_sentinel : bool
        Guard a folder made here with a file next to it, and only erase while that file is there.
    """
    parent, made = get_closest_dir(dir)
    created = not Path(dir).exists()
    Path(dir).mkdir(parents=True, exist_ok=True)
    first = Path(parent) / made
    sentinel = first.with_name(first.name + ".inuse")
    if created and erase_after and with_sentinel:
        sentinel.touch()
    try:
        yield
    finally:
        if created and erase_after and (sentinel.exists() or not with_sentinel):
            shutil.rmtree(first)
            sentinel.unlink(missing_ok=True)


def path_split_all(path: str) -> list[str]:
    """Split a path at every separator.

    Examples
    --------
    >>> path_split_all("a/b/c.txt")
    ['a', 'b', 'c.txt']
    """
    return list(Path(path).parts)


def get_closest_dir(workdir: str) -> tuple[str, str]:
    """Find the deepest folder of a path that exists.

    Parameters
    ----------
    workdir : str
        The path.

    Returns
    -------
    closest : str
        The folder, "" for the present one.
    name : str
        The next part of the path, which does not exist; "" when all of it does.
    """
    closest = Path()
    for part in Path(workdir).parts:
        if not (closest / part).exists():
            return ("" if closest == Path() else str(closest)), part
        closest = closest / part
    return str(closest), ""


def fast_isin(X: ArrayLike, Y: ArrayLike) -> NDArray[np.bool_]:
    """Say for each element of one array whether it is in another.

    Parameters
    ----------
    X, Y : array_like
        What to look for, and where.

    Returns
    -------
    bool array, shape of X

    Examples
    --------
    >>> fast_isin([1, 2, 3], [3, 1]).tolist()
    [True, False, True]
    """
    return np.isin(X, Y)


def get_most_recent_inds(obj: Sequence[dict[str, Any]]) -> NDArray[np.intp]:
    """Return the positions of the newest version of each document.

    Parameters
    ----------
    obj : sequence of dict
        Documents with "_id" and "version".

    Returns
    -------
    int array
        One position an "_id": that of its highest "version", in order of "_id".

    Examples
    --------
    >>> docs = [{"_id": "a", "version": 0}, {"_id": "b", "version": 1}, {"_id": "a", "version": 3}]
    >>> get_most_recent_inds(docs).tolist()
    [2, 1]
    """
    newest: dict[Any, int] = {}
    for i, doc in enumerate(obj):
        if doc["_id"] not in newest or doc["version"] >= obj[newest[doc["_id"]]]["version"]:
            newest[doc["_id"]] = i
    return np.array([newest[key] for key in sorted(newest)], dtype=np.intp)


def load_tokens(tokens: Sequence[str]) -> Any:
    """Import the object that a dotted name, split at its dots, stands for.

    Parameters
    ----------
    tokens : sequence of str
        Packages, module, then attributes.

    Returns
    -------
    object

    Raises
    ------
    ImportError
        If the first names no module.
    AttributeError
        If an attribute does not exist.

    Examples
    --------
    >>> load_tokens(["os", "path", "basename"])("a/b")
    'b'
    """
    found: Any = importlib.import_module(tokens[0])
    for i, token in enumerate(tokens[1:], 1):
        if not hasattr(found, token):
            with contextlib.suppress(ImportError):
                importlib.import_module(".".join(tokens[: i + 1]))
        found = getattr(found, token)
    return found


def json_call(json: str, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
    """Call the function that a dotted name stands for.

    Parameters
    ----------
    json : str
        Such as ``"math.sqrt"``.
    args : sequence
        Positional arguments.
    kwargs : dict or None
        Keyword arguments.

    Returns
    -------
    object
        What it returns.

    Examples
    --------
    >>> json_call("math.sqrt", (4,))
    2.0
    """
    function: Callable[..., Any] = load_tokens(json.split("."))
    return function(*args, **(kwargs or {}))


def _get_random_id() -> str:
    """Return twelve random hexadecimal digits."""
    return uuid.uuid4().hex[-12:]


def _get_logger(name: str) -> logging.Logger:
    """Return the logger of a name; handlers are the application's business."""
    return logging.getLogger(name)
