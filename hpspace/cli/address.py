"""Which store a command means: the URL on its line, else the one in the environment, else this user's own server.

A URL may hold a password, and a command line is read by everybody on the machine. So no command needs the URL there.
"""

from __future__ import annotations

import os
from typing import Any

from hpspace.exceptions import StoreUnavailable, UnknownStore

#: Environment variable with the URL; also how a supervisor tells its workers.
URL_VARIABLE = "HPSPACE_URL"

#: What the help of a command says of its argument.
HELP = (
    f"sqlite:///study.db#experiment or mongodb://host:port/db#experiment; by default the variable {URL_VARIABLE}, "
    "then HPSPACE_MONGO_URL, then the server of hpspace mongo up"
)


def opened(url: str | None, exp_key: str | None = None, create: bool = True) -> Any:
    """Open the trials that a command means, without reading them.

    Parameters
    ----------
    url : str or None
        What stands on the command line.
    exp_key : str, optional
        The experiment; by default that of the URL.
    create : bool
        Whether a file that is not there shall be made.

    Returns
    -------
    SharedTrials

    Raises
    ------
    UnknownStore
        No store is named, or the URL is wrong.
    StoreUnavailable
        There is no such file, or no server answers.
    """
    from hpspace.trials.trials import Trials

    url = url or os.environ.get(URL_VARIABLE)
    if not url:
        return _own_server(exp_key)
    if not create:
        _check_file(url)
    return Trials.open(url, exp_key, refresh=False)


def shows_password(url: str | None) -> bool:
    """Whether a URL on a command line holds a password, which everybody on the machine can read there."""
    from hpspace.trials.mongo.url import HIDDEN, parse

    if url is None or not url.startswith("mongo"):
        return False
    try:
        return parse(url).password not in (None, HIDDEN)
    except UnknownStore:  # which is said when it is opened
        return False


def _own_server(exp_key: str | None) -> Any:
    """Open the MongoDB that the environment names, or that was started for this user."""
    from hpspace.trials.mongo.trials import MongoTrials

    try:
        return MongoTrials(None, exp_key, refresh=False)
    except UnknownStore as error:
        raise UnknownStore(
            f"which store? write its URL, such as sqlite:///study.db, or set the variable {URL_VARIABLE}; {error}"
        ) from None


def _check_file(url: str) -> None:
    """Refuse to make an empty file of a misspelt name."""
    if url.startswith("sqlite:"):
        from hpspace.trials.shared.url import file_of

        path, _ = file_of(url)
        if not path.exists():
            raise StoreUnavailable(f"{url}: there is no file {path}")
