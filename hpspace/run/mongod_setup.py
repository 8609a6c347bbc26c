"""What a freshly started ``mongod`` still lacks: a replica set of which it is the primary, and a user.

Every step may have been taken before, by a start that was cut short: each is tried, and told by the server's answer.
Called by `mongod`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hpspace.exceptions import StoreUnavailable
from hpspace.trials.mongo.url import MongoUrl

if TYPE_CHECKING:
    from pymongo import MongoClient

#: Name of the replica set of one node.
REPLICA_SET = "hpspace"

#: Codes of MongoDB's errors: the replica set is there; the user is there; the password is wrong.
_ALREADY_INITIALIZED, _USER_EXISTS, _WRONG_PASSWORD = 23, 51003, 18


def make_ready(url: MongoUrl, deadline: float) -> None:
    """Make the server a writable replica set with its user, as far as it is not that yet.

    Parameters
    ----------
    url : MongoUrl
        Its address, with the user and password it is to have, if any.
    deadline : float
        When to give up, by `time.monotonic`.

    Raises
    ------
    StoreUnavailable
        It does not get ready.
    """
    from pymongo.errors import ConnectionFailure

    while True:
        try:
            return _set_up(url, deadline)
        except (
            ConnectionFailure
        ) as error:  # a node that becomes primary, or is none any more, hangs up on everyone
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"{url.shown} does not get ready: {error}") from None
        time.sleep(0.05)


def _set_up(url: MongoUrl, deadline: float) -> None:
    """Go through the steps, each of which may have been taken before."""
    with _client(url, login=True) as client:
        known = url.user is None or _password_fits(client)
        if known:
            _become_primary(client, url, deadline)
    if not known:
        with _client(url, login=False) as client:  # until the first user is made, this machine may do so
            _become_primary(client, url, deadline)
            _make_user(client, url)


@contextlib.contextmanager
def _client(url: MongoUrl, login: bool) -> Iterator[MongoClient[dict[str, Any]]]:
    """Connect to this very node, whatever its replica set is up to."""
    import pymongo

    user: dict[str, Any] = {"username": url.user, "password": url.password, "authSource": "admin"}
    client: MongoClient[dict[str, Any]] = pymongo.MongoClient(
        url.hosts[0],
        directConnection=True,
        serverSelectionTimeoutMS=20_000,
        appname="hpspace mongo",
        **(user if login and url.user else {}),
    )
    with client:
        yield client


def _password_fits(client: MongoClient[dict[str, Any]]) -> bool:
    from pymongo.errors import OperationFailure

    try:
        client.admin.command("ping")
    except OperationFailure as error:
        if error.code != _WRONG_PASSWORD:
            raise
        return False
    return True


def _become_primary(client: MongoClient[dict[str, Any]], url: MongoUrl, deadline: float) -> None:
    """Make the server of a replica set its primary, under its present port."""
    if "replicaSet" not in url.options:
        return
    member = {"_id": 0, "host": url.hosts[0]}
    config = {"_id": REPLICA_SET, "members": [member]}
    if not _done_now(client, _ALREADY_INITIALIZED, "replSetInitiate", config):
        config = client.admin.command("replSetGetConfig")["config"]
        if config["members"][0]["host"] != url.hosts[0]:  # it listens on another port than before
            config["members"][0]["host"] = url.hosts[0]
            client.admin.command("replSetReconfig", {**config, "version": config["version"] + 1}, force=True)
    while not client.admin.command("hello")["isWritablePrimary"]:
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"{url.shown} has not become writable; see its log")
        time.sleep(0.02)


def _make_user(client: MongoClient[dict[str, Any]], url: MongoUrl) -> None:
    _done_now(client, _USER_EXISTS, "createUser", url.user, pwd=url.password, roles=["root"])


def _done_now(client: MongoClient[dict[str, Any]], done_before: int, *command: Any, **options: Any) -> bool:
    """Run a command of the admin database; False if the server says, by that code, that it was run before."""
    from pymongo.errors import OperationFailure

    try:
        client.admin.command(*command, **options)
    except OperationFailure as error:
        if error.code != done_before:
            raise
        return False
    return True
