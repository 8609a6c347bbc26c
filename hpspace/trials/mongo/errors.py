"""What went wrong, read off the errors of pymongo: whether waiting helps, and what a user has to be told.

No message has a password in it, nor the page of text in which pymongo says all that it knows of the servers.
"""

from __future__ import annotations

import re

from hpspace.exceptions import StoreError, StoreFull, StoreRefused, StoreUnavailable
from hpspace.trials.mongo.url import MongoUrl

# Codes of MongoDB, https://github.com/mongodb/mongo/blob/v6.0/src/mongo/base/error_codes.yml

#: HostUnreachable, HostNotFound, NetworkTimeout, FailedToSatisfyReadPreference, NetworkInterfaceExceededTimeLimit,
#: SocketException, and a name of old for "not connected".
_NETWORK = {6, 7, 89, 133, 202, 9001, 10058}
#: ShutdownInProgress, PrimarySteppedDown, NotWritablePrimary, InterruptedAtShutdown, InterruptedDueToReplStateChange,
#: NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary.
_NOT_PRIMARY = {91, 189, 10107, 11600, 11602, 13435, 13436}
#: CursorNotFound and CursorKilled, after a restart; WriteConcernFailed, WriteConflict,
#: ReadConcernMajorityNotAvailableYet, ExceededTimeLimit, ConnectionPoolExpired.
_FOR_NOW = {43, 237, 64, 112, 134, 262, 317}
_AWAY = _NETWORK | _NOT_PRIMARY | _FOR_NOW

#: AuthenticationFailed, and the same as Atlas says it; Unauthorized, and no user where one is needed.
_WRONG_USER, _NO_RIGHT = {18, 8000}, {13, 33}
#: OutOfDiskSpace.
_DISK_FULL = {14031}


def is_away(error: Exception) -> bool:
    """Whether an error tells of a server that is away, restarting or not the primary any more."""
    from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError

    if isinstance(error, ConnectionFailure):
        return True
    if isinstance(error, BulkWriteError):
        parts = [*error.details.get("writeErrors", ()), *error.details.get("writeConcernErrors", ())]
        return all(part.get("code") in _AWAY for part in parts)
    if isinstance(error, PyMongoError) and error.has_error_label("RetryableWriteError"):
        return True
    return getattr(error, "code", None) in _AWAY


def reason(error: Exception) -> str:
    """Return the gist of an error of pymongo."""
    text = re.split(r", (?:Timeout|full error|Topology Description): ", str(error))[0]
    return re.sub(r" ?\(configured timeouts:[^)]*\)", "", text)[:300]


def unavailable(url: MongoUrl, error: Exception) -> StoreUnavailable:
    """Return the error to raise when nobody answers."""
    return StoreUnavailable(
        f"no MongoDB that can be written to answers at {', '.join(url.hosts)} ({reason(error)}); check that it runs, "
        f"that host and port are right, and that no firewall is between (address: {url.shown})"
    )


def explained(url: MongoUrl, error: Exception, closed: bool) -> StoreError:
    """Return the error to raise when waiting does not help.

    Parameters
    ----------
    url : MongoUrl
        The address.
    error : PyMongoError
        What pymongo says.
    closed : bool
        Whether it does so because the connection was closed.

    Returns
    -------
    StoreError
    """
    from pymongo.errors import ConfigurationError

    code = getattr(error, "code", None)
    if closed:
        return StoreUnavailable(f"{url.shown} was closed")
    if isinstance(error, ConfigurationError):  # such as a name that DNS does not know
        return unavailable(url, error)
    if code in _WRONG_USER:
        return StoreRefused(
            f"{url.shown}: the server refuses user {url.user!r}; check name, password and, if the user is kept in "
            "another database, ?authSource=..."
        )
    if code in _NO_RIGHT:
        who = "without a user in the address" if url.user is None else f"to user {url.user!r}"
        return StoreRefused(f"{url.shown}: the server does not allow this {who}: {reason(error)}")
    if code in _DISK_FULL:
        return StoreFull(f"{url.shown}: the disk of the server is full: {reason(error)}")
    return StoreError(f"{url.shown}: {reason(error)}")
