"""The attachments of one trial, as a mapping.

Attachments are named values too big or too foreign for a result. A store keeps them all in one mapping,
`Trials.attachments`, under ``ATTACH::<tid>::<name>``; a `TrialAttachments` is a window on those of one trial.

A trial that continues another, with more of the resource, reads what that one left behind under the same name, such
as a checkpoint. What it writes is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

#: What the keys of trials' attachments begin with.
ATTACHED = "ATTACH::"


def attachment_name(tid: Any, name: str) -> str:
    """Return the key in the whole store of a trial's attachment.

    Examples
    --------
    >>> attachment_name(7, "model")
    'ATTACH::7::model'
    """
    return f"{ATTACHED}{tid}::{name}"


class TrialAttachments(MutableMapping[str, Any]):
    """The attachments of one trial: a live view that reads and writes the store.

    Parameters
    ----------
    store : mutable mapping
        All attachments of the trials.
    tid : hashable
        Whose attachments these are.
    ancestors : sequence of hashable
        Ids of the trials that it continues, the latest first: names that it has not written itself are read there.

    Examples
    --------
    >>> store = {}
    >>> mine = TrialAttachments(store, 7)
    >>> mine["log"] = b"done"
    >>> store, "log" in mine, list(mine)
    ({'ATTACH::7::log': b'done'}, True, ['log'])
    >>> TrialAttachments(store, 9, ancestors=[7])["log"]
    b'done'
    """

    def __init__(self, store: MutableMapping[str, Any], tid: Any, ancestors: Sequence[Any] = ()) -> None:
        self._store = store
        self._tid = tid
        self._tids = (tid, *ancestors)

    def __getitem__(self, name: str) -> Any:
        keys = [attachment_name(tid, name) for tid in self._tids]
        written = (key for key in keys if key in self._store) if len(keys) > 1 else iter(keys)
        return self._store[next(written, keys[0])]

    def __setitem__(self, name: str, value: Any) -> None:
        self._store[attachment_name(self._tid, name)] = value

    def __delitem__(self, name: str) -> None:
        del self._store[attachment_name(self._tid, name)]

    def __contains__(self, name: object) -> bool:
        return any(attachment_name(tid, str(name)) in self._store for tid in self._tids)

    def __iter__(self) -> Iterator[str]:
        return iter(list(dict.fromkeys(name for tid in self._tids for name in self._written_by(tid))))

    def _written_by(self, tid: Any) -> list[str]:
        """Return the names of what one trial has written."""
        prefix = attachment_name(tid, "")
        return [key[len(prefix) :] for key in list(self._store) if str(key).startswith(prefix)]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<attachments of trial {self._tid}: {', '.join(self) or 'none'}>"
