"""The bytes of a trials file: a pickle that points to the file itself, then records that are appended.

Layout::

    pickle of load_journal(path, id)      `pickle.load` of the open file reads only this, and calls it
    length (8 bytes) crc32 (4) payload    a record; numbers big-endian, the payload a pickle
    length crc32 payload
    ...

The file is created whole and only ever grows. A writer that dies leaves at most one broken record at the end; it is
not read, and the next writer cuts it off.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import pickle
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

logger = logging.getLogger(__name__)

_PREFIX = struct.Struct(">QI")

#: Where the function stands that the first pickle of a file calls. Files in the world depend on it.
_LOADER = ("hpspace.trials.save", "load_journal")


class Header(NamedTuple):
    """What the first pickle of a file says."""

    #: Absolute path under which the file was created.
    path: str
    #: Random name of the journal, by which another file at the same path is told apart.
    journal_id: str


class _HeaderUnpickler(pickle.Unpickler):
    """Reads the first pickle without calling anything."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) != _LOADER:
            raise pickle.UnpicklingError(f"a trials file does not begin with {module}.{name}")
        return Header


def read_header(file: BinaryIO) -> Header | None:
    """Read the header of an open file and leave it at the first record.

    Parameters
    ----------
    file : binary file
        Open at its beginning.

    Returns
    -------
    Header or None
        None when the file is no journal.
    """
    try:
        header = _HeaderUnpickler(file).load()
    except Exception:  # noqa: BLE001  on bytes that are no pickle it raises almost anything
        return None
    return header if isinstance(header, Header) else None


def read_records(file: BinaryIO) -> tuple[list[bytes], int]:
    """Read the whole records from where the file stands.

    A record whose bytes are all there but do not match their checksum is damaged: it is passed over, with a warning
    if whole records follow, for these are trials that nothing is wrong with.

    Parameters
    ----------
    file : binary file
        Open behind the header.

    Returns
    -------
    payloads : list of bytes
    end : int
        Offset behind the last whole record.
    """
    payloads: list[bytes] = []
    damaged: list[int] = []
    end = start = file.tell()
    while len(prefix := file.read(_PREFIX.size)) == _PREFIX.size:
        length, crc = _PREFIX.unpack(prefix)
        if length > _bytes_left(file):
            break
        payload = file.read(length)
        if zlib.crc32(payload) == crc:
            payloads.append(payload)
            _warn_damaged(damaged)
            end = file.tell()
        else:
            damaged.append(start)
        start = file.tell()
    return payloads, end


def _warn_damaged(offsets: list[int]) -> None:
    """Say once which records were passed over."""
    for offset in offsets:
        logger.warning(
            "the record at byte %d of a trials file is damaged and passed over; the trial that it held is as it was "
            "before, or missing",
            offset,
            extra={"action": "record_damaged", "offset": offset},
        )
    offsets.clear()


def _bytes_left(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size - file.tell()


def framed(payloads: Iterable[bytes]) -> bytes:
    """Return payloads as records, ready to be written."""
    out = io.BytesIO()
    for payload in payloads:
        out.write(_PREFIX.pack(len(payload), zlib.crc32(payload)))
        out.write(payload)
    return out.getvalue()


def create(path: Path, header: bytes, payloads: Iterable[bytes]) -> int:
    """Write a whole file so that it appears complete or not at all.

    Parameters
    ----------
    path : Path
        Where; a file that is there is replaced.
    header : bytes
        The first pickle.
    payloads : iterable of bytes
        The first records.

    Returns
    -------
    int
        Its length in bytes.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "a trials file needs a folder that exists; make it first", str(path.parent)
        )
    content = header + framed(payloads)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            _flush(file)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _flush_folder(path.parent)
    return len(content)


def append(path: Path, end: int, payloads: Iterable[bytes]) -> int:
    """Write records behind the last whole one.

    Parameters
    ----------
    path : Path
        The file.
    end : int
        Offset behind the last whole record; what follows is cut off.
    payloads : iterable of bytes
        The records.

    Returns
    -------
    int
        The new end.
    """
    content = framed(payloads)
    with path.open("r+b") as file:
        file.seek(end)
        file.truncate()
        file.write(content)
        _flush(file)
    return end + len(content)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make a rename outlast a power cut, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
