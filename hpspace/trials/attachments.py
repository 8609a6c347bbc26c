"""The attachments of one trial, as a mapping.

Attachments are named values too big or too foreign for a result. A store keeps them all in one mapping,
`Trials.attachments`, under ``ATTACH::<tid>::<name>``; a `TrialAttachments` is a window on those of one trial.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any


def attachment_name(tid: Any, name: str) -> str:
    """Return the key in the whole store of a trial's attachment.

    Examples
    --------
    >>> attachment_name(7, "model")
    'ATTACH::7::model'
    """
    return f"ATTACH::{tid}::{name}"


class TrialAttachments(MutableMapping[str, Any]):
    """The attachments of one trial: a live view that reads and writes the store.

    Parameters
    ----------
    store : mutable mapping
        All attachments of the trials.
    tid : hashable
        Whose attachments these are.

    Examples
    --------
    >>> store = {}
    >>> mine = TrialAttachments(store, 7)
    >>> mine["log"] = b"done"
    >>> store, "log" in mine, list(mine)
    ({'ATTACH::7::log': b'done'}, True, ['log'])
    """

    def __init__(self, store: MutableMapping[str, Any], tid: Any) -> None:
        self._store = store
        self._tid = tid

    def __getitem__(self, name: str) -> Any:
        return self._store[attachment_name(self._tid, name)]

    def __setitem__(self, name: str, value: Any) -> None:
        self._store[attachment_name(self._tid, name)] = value

    def __delitem__(self, name: str) -> None:
        del self._store[attachment_name(self._tid, name)]

    def __contains__(self, name: object) -> bool:
        return attachment_name(self._tid, str(name)) in self._store

    def __iter__(self) -> Iterator[str]:
        prefix = attachment_name(self._tid, "")
        return iter([key[len(prefix) :] for key in list(self._store) if str(key).startswith(prefix)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<attachments of trial {self._tid}: {', '.join(self) or 'none'}>"
