"""Opening trials by a URL: one line decides where they are kept.

=====================================================  ================================================================
``memory:``                                            this process, for trying things out
``sqlite:///study.db``, ``sqlite:////data/study.db``   one file; relative to the working directory, or absolute
``mongo://``, ``mongodb://``, ``mongodb+srv://``       a MongoDB, see `hpspace.trials.mongo.url`
=====================================================  ================================================================

``#name`` at the end is the experiment. ``?name=value`` are options of the trials: for SQLite ``workers=1`` (others
evaluate, this process proposes), ``lease=60``, ``max_attempts=3`` and ``durability=full``; for MongoDB, MongoDB's own.

To add a kind of store: a function ``open(url, exp_key, refresh, **options)`` that returns `SharedTrials`, and a line
in `SCHEMES`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from hpspace.exceptions import UnknownStore
from hpspace.trials.shared.contract import LEASE, MAX_ATTEMPTS
from hpspace.trials.shared.trials import SharedTrials


class Opener(Protocol):
    """Opens trials of one kind of store."""

    def __call__(self, url: str, exp_key: str | None, refresh: bool, **options: Any) -> SharedTrials:
        """Return the trials at a URL; an `exp_key` of None is the one in the URL."""
        ...


class SqliteTrials(SharedTrials):
    """Trials in one SQLite file, which several processes of one machine may share.

    Parameters
    ----------
    path : str or path
        The file; made if it is not there. Also a URL, ``sqlite:///study.db#experiment``.
    exp_key : str, optional
        The experiment; None shows all, and adds trials to the one without a name.
    refresh : bool
        Whether to read at once.
    asynchronous : bool
        Whether workers evaluate (``hpspace worker URL``); by default a search in this process does it itself.
    durability : {"normal", "full"}
        "normal" survives any crash of a process; "full" also a power cut, at the price of a sync for each write.
    lease : float
        Seconds after which a trial whose evaluator is silent is evaluated again.
    max_attempts : int
        Evaluators that a trial may cost before it is given up.

    Raises
    ------
    UnknownStore
        The text is no path and no URL of SQLite.
    StoreTooNew
        A later release has written the file.

    Examples
    --------
    >>> import tempfile
    >>> from hpspace import fmin, hp
    >>> folder = tempfile.TemporaryDirectory()
    >>> trials = SqliteTrials(f"{folder.name}/study.db", "first")
    >>> best = fmin(lambda x: x * x, hp.uniform("x", -1, 1), "rand", 5, trials=trials, rstate=0, verbose=False)
    >>> trials.close()
    >>> again = SqliteTrials(f"sqlite:///{folder.name}/study.db#first")
    >>> len(again), again.best_trial["result"]["loss"] == best.loss
    (5, True)
    >>> again.close()
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        exp_key: str | None = None,
        refresh: bool = True,
        *,
        asynchronous: bool = False,
        durability: str = "normal",
        lease: float = LEASE,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        from hpspace.trials.shared.sqlite import SqliteStore

        file, key = (path, None) if not str(path).startswith("sqlite:") else file_of(str(path))
        store = SqliteStore(file, durability)
        own: dict[str, Any] = {"asynchronous": asynchronous, "lease": lease, "max_attempts": max_attempts}
        super().__init__(store, exp_key if exp_key is not None else key, refresh, **own)


def open_trials(url: str, exp_key: str | None = None, refresh: bool = True, **options: Any) -> SharedTrials:
    """Open the trials at a URL.

    Parameters
    ----------
    url : str
        See the module's text.
    exp_key : str, optional
        The experiment; by default the one at the end of the URL.
    refresh : bool
        Whether to read at once.
    **options
        Those of the trials' class, on top of the URL's.

    Returns
    -------
    SharedTrials

    Raises
    ------
    UnknownStore
        (A ValueError.) The URL is of no kind that is known, or has an option that is not.

    Examples
    --------
    >>> trials = open_trials("memory:#trial-run")
    >>> len(trials), trials.asynchronous
    (0, False)
    >>> open_trials("sqlit:///study.db")
    Traceback (most recent call last):
    ...
    hpspace.exceptions.UnknownStore: 'sqlit:' is no kind of store; did you mean 'sqlite:'?
    """
    scheme, colon, _ = str(url).partition(":")
    if not colon or scheme not in SCHEMES:
        raise UnknownStore(_what_instead(scheme + colon))  # what follows may hold a password
    return SCHEMES[scheme](str(url), exp_key, refresh, **options)


def _what_instead(given: str) -> str:
    near = difflib.get_close_matches(given.rstrip(":"), SCHEMES, n=1)
    if near and given.endswith(":"):
        return f"{given!r} is no kind of store; did you mean {near[0] + ':'!r}?"
    file = "study.db" if given.endswith(":") or not given else given
    return (
        f"{given!r} is no URL of a store; write sqlite:///{file} for a file, mongodb://host:port/database for a "
        "server, or memory: to try things out"
    )


def _open_memory(url: str, exp_key: str | None, refresh: bool, **options: Any) -> SharedTrials:
    from hpspace.trials.shared.memory import MemoryStore

    rest, said, key = _parts(url)
    if rest.strip("/"):
        raise UnknownStore(f"{url!r}: a store in memory has no name; write memory: alone")
    given = _read({**said, **options}, url)
    return SharedTrials(MemoryStore(), exp_key if exp_key is not None else key, refresh, **given)


def _open_sqlite(url: str, exp_key: str | None, refresh: bool, **options: Any) -> SharedTrials:
    file, key = file_of(url)
    given = _read({**_parts(url)[1], **options}, url)
    return SqliteTrials(file, exp_key if exp_key is not None else key, refresh, **given)


def _open_mongo(url: str, exp_key: str | None, refresh: bool, **options: Any) -> SharedTrials:
    from hpspace.trials.mongo.trials import MongoTrials

    options.pop("asynchronous", None)  # it always is
    return MongoTrials(url, exp_key, refresh=refresh, **options)


#: The kinds of stores.
SCHEMES: Mapping[str, Opener] = {
    "memory": _open_memory,
    "sqlite": _open_sqlite,
    "mongo": _open_mongo,
    "mongodb": _open_mongo,
    "mongodb+srv": _open_mongo,
}


def _parts(url: str) -> tuple[str, dict[str, str], str | None]:
    """Return what stands behind the scheme, the options, and the experiment."""
    rest, mark, key = url.partition(":")[2].partition("#")
    place, _, said = rest.partition("?")
    return place, dict(parse_qsl(said, keep_blank_values=True)), unquote(key) if mark else None


def file_of(url: str) -> tuple[Path, str | None]:
    """Return the file that a URL of SQLite means, and the experiment."""
    place, _, key = _parts(url)
    if not place.startswith("///") or len(place) == 3:
        raise UnknownStore(
            f"{url!r}: write sqlite:///study.db for a file here, or sqlite:////folder/study.db with the whole path"
        )
    return Path(unquote(place[3:])), key


def _yes(value: Any) -> bool:
    return str(value).lower() not in ("", "0", "no", "false")


_OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    "asynchronous": _yes,
    "durability": str,
    "lease": float,
    "max_attempts": int,
    "workers": _yes,
}


def _read(options: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return options with values of their kinds; ``workers`` is another word for ``asynchronous``."""
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], _OPTIONS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_OPTIONS)}"
        raise UnknownStore(f"{url!r}: there is no option {unknown[0]!r}; {hint}")
    try:
        read = {name: _OPTIONS[name](value) for name, value in options.items()}
    except ValueError as error:
        raise UnknownStore(f"{url!r}: {error}") from None
    if "workers" in read:
        read["asynchronous"] = read.pop("workers") or read.get("asynchronous", False)
    return read
