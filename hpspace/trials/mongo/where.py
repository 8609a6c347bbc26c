"""Which address is meant when none is given, or one without its password.

Nobody should have to write a password on a command line, where every user of the machine can read it. So the address
may come from the environment, from a file, or from the file that `hpspace.run.mongod` writes for the server that it has
started on this machine. And an address that names a user without a password gets it from there, too.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from hpspace.exceptions import UnknownStore
from hpspace.trials.mongo.url import HIDDEN, WANTED, MongoUrl, parse

#: Variable with the address, and variable with the name of a file that holds it.
URL_VARIABLE = "HPSPACE_MONGO_URL"
FILE_VARIABLE = "HPSPACE_MONGO_URL_FILE"

#: Name of the file with the address, in the data folder of this machine's server.
ADDRESS = "hpspace.url"

#: Hyperopt's file with the password of a user who gives none in a ``mongo://`` address.
PASSWORD_FILE = Path("~/.hyperopt")


def given(address: str | MongoUrl | None) -> MongoUrl:
    """Return the address that is meant.

    Parameters
    ----------
    address : str, MongoUrl or None
        None looks into ``$HPSPACE_MONGO_URL``, then into the file named by ``$HPSPACE_MONGO_URL_FILE``, then for the
        server that ``hpspace mongo up`` has started. If it has a user without a password, or with the ``***`` of
        addresses as they are shown, that is taken from the same place, provided that it is the same user of the same
        hosts, or else from Hyperopt's file ``~/.hyperopt``.

    Returns
    -------
    MongoUrl

    Raises
    ------
    UnknownStore
        There is none, or it is wrong.
    """
    if address is not None:
        return _with_password(address if isinstance(address, MongoUrl) else parse(address))
    found = _found()
    if found is None:
        raise UnknownStore(
            f"no address of a MongoDB is given: pass {WANTED}, set {URL_VARIABLE} or {FILE_VARIABLE}, or start a "
            f"server with: hpspace mongo up ({default_folder() / ADDRESS} is not there)"
        )
    return _with_password(parse(found))


def _found() -> str | None:
    """Return the address in the environment, else that of the local server."""
    if os.environ.get(URL_VARIABLE):
        return os.environ[URL_VARIABLE]
    named = os.environ.get(FILE_VARIABLE)
    if named and not Path(named).expanduser().is_file():
        raise UnknownStore(f"{FILE_VARIABLE}={named} is no file: it must hold the address of a MongoDB")
    return first_line(Path(named).expanduser() if named else default_folder() / ADDRESS)


def _with_password(url: MongoUrl) -> MongoUrl:
    """Add the password of a user who has none."""
    if url.user is None or url.password not in (None, HIDDEN):
        return url
    known = _found()
    other = None if known is None else parse(known)
    if other is not None and (other.user, other.hosts) == (url.user, url.hosts):
        return replace(url, password=other.password)
    return replace(url, password=first_line(PASSWORD_FILE.expanduser())) if url.scheme == "mongo" else url


def default_folder() -> Path:
    """Return the data folder of this user's server: below ``$XDG_DATA_HOME``, by default ``~/.local/share``."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "hpspace" / "mongodb"


def first_line(file: Path) -> str | None:
    """Return the first line of a file; None if there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return lines[0].strip() if lines else None
