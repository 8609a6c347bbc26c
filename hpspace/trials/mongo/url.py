"""Addresses of experiments in MongoDB: read, completed, and shown without their passwords.

Three forms are understood::

    mongo://[user[:password]@]host[:port]/database[/jobs][?option=value&...]       Hyperopt's
    mongodb://[user[:password]@]host[:port][,host...]/database[/jobs][?...]        the standard
    mongodb+srv://[user[:password]@]name/database[/jobs][?...]                     the standard, hosts found by DNS

each with ``#exp_key`` at the end if one experiment is meant. Options go to pymongo as they are: TLS, ``replicaSet``,
``authSource``, timeouts. User and password are percent-encoded, as the standard wants it; of the characters that
matter only ``/``, ``?``, ``#`` and ``%`` really must be.

A parsed address keeps the password out of its `repr`, and every message below quotes `redacted` text only.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

from hpspace.exceptions import UnknownStore

#: What is shown in place of a password.
HIDDEN = "***"
#: The collection of trials, unless the address names another one.
JOBS = "jobs"
#: Port of a MongoDB server, unless the address names another one.
DEFAULT_PORT = 27017

WANTED = "mongo://[user[:password]@]host[:port]/database[/jobs][?options][#exp_key], mongodb://... or mongodb+srv://..."

ESCAPES = "or user and password hold characters that must be escaped: / ? # : @ % are %2F %3F %23 %3A %40 %25"

_SCHEMES = ("mongo", "mongodb", "mongodb+srv")
_TUNNELS = ("mongo+ssh", "ssh+mongo")

_ADDRESS = re.compile(
    r"(?P<scheme>[a-z+]+)://(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^/?#]*))?@)?(?P<hosts>[^/?#@]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<options>[^#]*))?(?:#(?P<exp_key>.*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.%]+\]|[^:\[\]\s]+)(?::(?P<port>\d+))?")
_SECRET_OPTION = re.compile(r"([?&][^=&#]*(?:password|token|secret|properties)[^=&#]*=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True)
class MongoUrl:
    """An address, taken apart."""

    #: "mongo", "mongodb" or "mongodb+srv".
    scheme: str
    #: ``host[:port]`` of each server, as written; one name without a port for "mongodb+srv".
    hosts: tuple[str, ...]
    database: str
    collection: str = JOBS
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    #: What stood after the question mark, as written.
    options: str = field(default="", repr=False)
    exp_key: str | None = None

    @property
    def uri(self) -> str:
        """The address for pymongo, password and all."""
        login = f"{self._login(self.password)}@" if self.user is not None else ""
        scheme = "mongodb" if self.scheme == "mongo" else self.scheme
        options = f"?{self._all_options}" if self._all_options else ""
        return f"{scheme}://{login}{','.join(self.hosts)}/{quote(self.database)}{options}"

    @property
    def shown(self) -> str:
        """The address for people: without the password."""
        login = f"{self._login(None if self.password is None else HIDDEN)}@" if self.user is not None else ""
        options = f"?{self.options}" if self.options else ""
        tail = "" if self.exp_key is None else f"#{self.exp_key}"
        plain = self.scheme != "mongo" and self.collection == JOBS
        path = self.database if plain else f"{self.database}/{self.collection}"
        return _SECRET_OPTION.sub(
            r"\1***", f"{self.scheme}://{login}{','.join(self.hosts)}/{path}{options}{tail}"
        )

    @property
    def option_names(self) -> set[str]:
        """The names of the options, in lower case."""
        return {name.lower() for name in parse_qs(self._all_options, keep_blank_values=True)}

    @property
    def authentication_database(self) -> str | None:
        """The database that knows the user, if the address names it."""
        named = {key.lower(): values[-1] for key, values in parse_qs(self.options).items()}
        return named.get("authsource")

    @property
    def _all_options(self) -> str:
        # Hyperopt looks for a user of its own name in "admin", for any other in the database that is used.
        if self.scheme == "mongo" and self.user == "hyperopt" and self.authentication_database is None:
            return "&".join(filter(None, [self.options, "authSource=admin"]))
        return self.options

    def _login(self, password: str | None) -> str:
        user = quote(self.user or "", safe="")
        return user if password is None else f"{user}:{quote(password, safe='*')}"


def parse(text: str) -> MongoUrl:
    """Read an address.

    Parameters
    ----------
    text : str
        In one of the forms above.

    Returns
    -------
    MongoUrl

    Raises
    ------
    UnknownStore
        (A ValueError.) The text is no such address; the message shows it without its password.

    Examples
    --------
    >>> url = parse("mongo://ann:p%40ss@db.example:27018/hpspace/jobs#digits")
    >>> url.shown, url.password, url.exp_key
    ('mongo://ann:***@db.example:27018/hpspace/jobs#digits', 'p@ss', 'digits')
    >>> parse("mongodb://a,b:27018/hpspace?replicaSet=rs0").uri
    'mongodb://a,b:27018/hpspace?replicaSet=rs0'
    """
    if not isinstance(text, str):
        raise UnknownStore(f"an address is a text such as {WANTED}, not {text!r}")
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise _wrong(text, f"it has no such form, {ESCAPES}")
    if match["scheme"] in _TUNNELS:
        raise _wrong(
            text,
            "tunnels are not dug here: run ssh -N -L 27018:127.0.0.1:27017 host, use mongo://127.0.0.1:27018",
        )
    if match["scheme"] not in _SCHEMES:
        raise _wrong(text, f"{match['scheme']}:// is none of its schemes")
    database, collection = _database(text, match["path"] or "")
    return MongoUrl(
        scheme=match["scheme"],
        hosts=_hosts(text, match["scheme"], match["hosts"]),
        database=database,
        collection=collection,
        user=_decoded(match["user"]),
        password=_decoded(match["password"]),
        options=match["options"] or "",
        exp_key=_decoded(match["exp_key"]),
    )


def _hosts(text: str, scheme: str, hosts: str) -> tuple[str, ...]:
    """Return the hosts; an SRV name is one, and has no port. No message quotes them: they may be half a password."""
    names = tuple(hosts.split(","))
    matches = [_HOST.fullmatch(name) for name in names]
    if not all(match and 0 < int(match["port"] or DEFAULT_PORT) < 65536 for match in matches):
        raise _wrong(text, f"host[:port] is missing or wrong, {ESCAPES}")
    if scheme == "mongodb+srv" and (len(names) > 1 or ":" in names[0]):
        raise _wrong(text, "an SRV address has one host, without a port")
    return names


def _database(text: str, path: str) -> tuple[str, str]:
    """Return database and collection of a path."""
    words = [unquote(word) for word in path.strip("/").split("/")]
    if not words[0]:
        raise _wrong(text, "the database is missing")
    if len(words) > 2 or re.search(r'[\s."$\\@\0]', words[0]):
        raise _wrong(text, f"the path is no database/collection, {ESCAPES}")
    return words[0], words[1] if len(words) == 2 else JOBS


def _decoded(word: str | None) -> str | None:
    return None if word is None else unquote(word)


def _wrong(text: str, problem: str) -> UnknownStore:
    return UnknownStore(f"wrong address {redacted(text)!r}: {problem}; wanted: {WANTED}")


def redacted(text: str) -> str:
    """Return a text that may be an address without the password in it, however wrong it is.

    Examples
    --------
    >>> redacted("mongo://ann:se/cret@host:x/")
    'mongo://ann:***@host:x/'
    """
    head, at, tail = text.rpartition("@")
    scheme, slashes, login = head.rpartition("://") if "://" in head else ("", "", head)
    user, colon, _ = login.partition(":")
    shown = f"{scheme}{slashes}{user}{colon}{HIDDEN}@{tail}" if at and colon else text
    return _SECRET_OPTION.sub(rf"\1{HIDDEN}", shown)


# -- Hyperopt's functions ----------------------------------------------------------------------------------


class ParsedUrl(NamedTuple):
    """What Hyperopt's `parse_url` returns."""

    protocol: str
    username: str | None
    password: str | None
    hostname: str
    port: int
    database: str
    collection: str
    authentication_database: str | None

    def __repr__(self) -> str:
        """Show everything but the password."""
        shown = self._replace(password=None if self.password is None else HIDDEN)
        return f"ParsedUrl{tuple(shown)!r}"


def parse_url(url: str, pwfile: str | os.PathLike[str] | None = None) -> ParsedUrl:
    """Take an address apart, as Hyperopt's function of that name does.

    Parameters
    ----------
    url : str
        An address of one host.
    pwfile : path, optional
        File with the password of a user who has none in the address; its first line is read.

    Returns
    -------
    tuple
        Protocol, user, password, host, port, database, collection, database of the user. User and password are
        percent-decoded.

    Raises
    ------
    UnknownStore
        (A ValueError.) It is no such address.

    Examples
    --------
    >>> tuple(parse_url("mongo://localhost:1234/foo/jobs"))
    ('mongo', None, None, 'localhost', 1234, 'foo', 'jobs', None)
    """
    parsed = parse(url)
    password = parsed.password
    if password is None and parsed.user is not None and pwfile is not None:
        password = Path(pwfile).expanduser().read_text(encoding="utf-8").split("\n")[0]
    host = _HOST.fullmatch(parsed.hosts[0])
    assert host is not None  # `parse` has checked it
    return ParsedUrl(
        parsed.scheme,
        parsed.user,
        password,
        host["host"],
        int(host["port"] or DEFAULT_PORT),
        parsed.database,
        parsed.collection,
        parsed.authentication_database,
    )


def as_mongo_str(s: str) -> str:
    """Return an address with its scheme: ``mongo://`` is put in front if there is none.

    Examples
    --------
    >>> as_mongo_str("localhost:1234/foo"), as_mongo_str("mongodb://localhost/foo")
    ('mongo://localhost:1234/foo', 'mongodb://localhost/foo')
    """
    return s if s.startswith(tuple(f"{scheme}://" for scheme in _SCHEMES)) else f"mongo://{s}"
