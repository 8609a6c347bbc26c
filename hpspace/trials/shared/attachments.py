"""Attachments in a store: a mapping over the blobs of an experiment.

Bytes are kept as they are, so that other programs can read them. Other values are pickled behind a mark, and only
opened when somebody asks for that very attachment: as with any pickle, by someone who trusts those who can write.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from hpspace.trials.attachments import TrialAttachments, attachment_name
from hpspace.trials.shared.contract import Store

#: What blobs begin with that are not the bytes somebody attached.
_MARK = b"\x93hpspace\x00"
_TEXT, _PICKLE, _BYTES = _MARK + b"text\n", _MARK + b"pickle\n", _MARK + b"bytes\n"

#: Names that begin so belong to hpspace itself and are not shown.
INTERNAL = "hpspace:"


class StoreAttachments(MutableMapping[str, Any]):
    """The attachments of an experiment, read from the store and written to it with each access.

    Parameters
    ----------
    store : Store
        Where they are.
    exp_key : str or None
        Whose.
    """

    def __init__(self, store: Store, exp_key: str | None) -> None:
        self._store = store
        self._exp_key = exp_key

    def __getitem__(self, name: str) -> Any:
        return load_value(self._store.get_blob(self._exp_key, name))

    def __setitem__(self, name: str, value: Any) -> None:
        self._store.put_blob(self._exp_key, name, dump_value(value))

    def __delitem__(self, name: str) -> None:
        self._store.delete_blob(self._exp_key, name)

    def __contains__(self, name: object) -> bool:
        return name in self.names(str(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __repr__(self) -> str:
        return f"<{len(self)} attachments in {self._store.url}>"

    def names(self, prefix: str = "") -> list[str]:
        """Return the names that begin with a prefix."""
        found = self._store.blob_names(self._exp_key, prefix)
        return [name for name in found if not name.startswith(INTERNAL)]

    def of_trial(self, tid: Any, ancestors: Sequence[Any] = ()) -> TrialAttachments:
        """Return those of one trial, and of the trials that it continues."""
        return _OfTrial(self, tid, ancestors)


class _OfTrial(TrialAttachments):
    """The attachments of one trial, which the store finds without going through all."""

    _store: StoreAttachments

    def _written_by(self, tid: Any) -> list[str]:
        prefix = attachment_name(tid, "")
        return [name[len(prefix) :] for name in self._store.names(prefix)]


def dump_value(value: Any) -> bytes:
    """Return the bytes under which an attachment is kept.

    Examples
    --------
    >>> dump_value(b"as it is")
    b'as it is'
    >>> load_value(dump_value("text")), load_value(dump_value({"a": 1}))
    ('text', {'a': 1})
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        return _BYTES + data if data.startswith(_MARK) else data
    if type(value) is str:
        return _TEXT + value.encode("utf-8", "surrogatepass")
    import cloudpickle

    return _PICKLE + bytes(cloudpickle.dumps(value))


def load_value(data: bytes) -> Any:
    """Return the attachment that is kept as these bytes."""
    if data.startswith(_TEXT):
        return data[len(_TEXT) :].decode("utf-8", "surrogatepass")
    if data.startswith(_PICKLE):
        return pickle.loads(data[len(_PICKLE) :])  # noqa: S301 - see above
    return data[len(_BYTES) :] if data.startswith(_BYTES) else data
