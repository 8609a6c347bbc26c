"""How an objective travels to workers, and why a worker believes it.

A driver publishes its objective as a *parcel*: the pickled domain, and beside it the pickled pruner, which the worker
itself needs. Reading a pickle runs code, so who can write to a store can run code on its workers. Where that is too
much, a shared key helps: with the environment variable `KEY_VARIABLE` a driver signs its parcels (HMAC-SHA256), and
a worker with a key reads no parcel that is not signed with it, not even in part.

A site that allows no pickles at all gives its workers the objective and the space by name instead: see `by_name`.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import os
import pickle
import struct
from dataclasses import dataclass
from typing import Any

from hpspace.exceptions import UntrustedObjective
from hpspace.run.domain import Domain
from hpspace.run.executors.pickling import pickled_domain

#: Environment variable with the shared key, any text.
KEY_VARIABLE = "HPSPACE_HMAC_KEY"

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True)
class Parcel:
    """An objective as it travels."""

    #: The pickled domain, without its pruner.
    domain: bytes
    #: The pickled pruner; empty if there is none.
    pruner: bytes = b""

    def packed(self) -> bytes:
        """Return the parcel as bytes."""
        return _LENGTH.pack(len(self.domain)) + self.domain + self.pruner

    @classmethod
    def unpacked(cls, blob: bytes) -> Parcel:
        """Return what `packed` packed; nothing is unpickled."""
        (length,) = _LENGTH.unpack_from(blob)
        return cls(blob[_LENGTH.size : _LENGTH.size + length], blob[_LENGTH.size + length :])


def shared_key() -> bytes | None:
    """Return the key of this process's environment, None if there is none."""
    text = os.environ.get(KEY_VARIABLE, "")
    return text.encode() or None


def sealed(domain: Domain) -> tuple[bytes, str | None]:
    """Pack an objective for the store.

    Parameters
    ----------
    domain : Domain
        The objective, its space, and its pruner if it has one.

    Returns
    -------
    blob : bytes
        The parcel.
    signature : str or None
        Its HMAC with the key of the environment; None without a key.

    Raises
    ------
    UnpicklableObjective
        Names what could not be pickled.
    """
    pruner = b""
    if domain.pruner is not None:
        import cloudpickle

        pruner = bytes(cloudpickle.dumps(domain.pruner))
    blob = Parcel(pickled_domain(domain), pruner).packed()
    key = shared_key()
    return blob, None if key is None else _signature(key, blob)


def opened(blob: bytes, signature: str | None, key: bytes | None) -> Parcel:
    """Unpack an objective from the store, if it may be trusted.

    Parameters
    ----------
    blob, signature
        As `sealed` made them.
    key : bytes or None
        The worker's key; None trusts whoever can write to the store.

    Returns
    -------
    Parcel

    Raises
    ------
    UntrustedObjective
        There is a key, and the signature is missing or not made with it.

    Examples
    --------
    >>> opened(Parcel(b"domain").packed(), None, None)
    Parcel(domain=b'domain', pruner=b'')
    >>> opened(Parcel(b"domain").packed(), None, b"key")
    Traceback (most recent call last):
    ...
    hpspace.exceptions.UntrustedObjective: the objective is not signed, and this worker has a key (HPSPACE_HMAC_KEY):
    it reads signed ones only; give the driver the same key
    """
    if key is not None:
        if signature is None:
            raise UntrustedObjective(
                f"the objective is not signed, and this worker has a key ({KEY_VARIABLE}): it reads signed ones only; "
                "give the driver the same key"
            )
        if not hmac.compare_digest(signature, _signature(key, blob)):
            raise UntrustedObjective(
                f"the signature of the objective does not fit: it was changed, or signed with another {KEY_VARIABLE}"
            )
    return Parcel.unpacked(blob)


def _signature(key: bytes, blob: bytes) -> str:
    return hmac.new(key, blob, hashlib.sha256).hexdigest()


def by_name(objective: str, space: str) -> Parcel:
    """Return the parcel of an objective that is found by name on this machine; nothing of a store is unpickled.

    Parameters
    ----------
    objective, space : str
        ``module:name`` of the function and of the search space.

    Returns
    -------
    Parcel

    Raises
    ------
    ValueError
        A text is not of that form.
    ImportError, AttributeError
        There is no such module, or nothing of that name in it.
    """
    return Parcel(pickled_domain(Domain(named(objective), named(space))))


def named(reference: str) -> Any:
    """Return what ``module:name`` stands for.

    Examples
    --------
    >>> named("math:pi") > 3
    True
    """
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise ValueError(f"{reference!r}: write module:name, such as my_package.tuning:objective")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def pruner_of(parcel: Parcel) -> Any:
    """Return the pruner of a trusted parcel, None if it has none."""
    return pickle.loads(parcel.pruner) if parcel.pruner else None  # noqa: S301 - see the module's text
