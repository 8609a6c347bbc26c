"""Trials in a file: the append-only journal behind ``fmin(trials_save_file=...)`` and `Trials.save`.

Each turn of a search appends what changed, so the cost of a turn does not grow with the search, and a process that
is killed loses at most the turn it was in. `load` replays the file. For those who read the file the way Hyperopt's
users do, ``pickle.load(open(path, "rb"))`` works as well. The layout of the bytes is `records`' business.

One process writes a file at a time; a second writer is noticed by the file's size, and refused.

Records, each a pickled tuple that begins with one of these words:

========  ==================================================================================
open      class of the trials and its state without documents and attachments; always first
doc       position, document: a new one at the end, or the new form of an old one
attach    name, value of an attachment
detach    name
clear     every document and attachment goes
space     the space that was searched, as `SpaceMemo.dump` gives it
========  ==================================================================================
"""

from __future__ import annotations

import logging
import os
import pickle
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpspace.trials import records
from hpspace.trials.changes import Changes
from hpspace.trials.document import JOB_STATE_RUNNING
from hpspace.trials.replay import all_documents, load_pickle, replay
from hpspace.trials.unpicklable import dumps

if TYPE_CHECKING:
    from hpspace.trials.trials import Trials

logger = logging.getLogger(__name__)


class Journal:
    """A trials file that follows a `Trials`.

    Make it with `Journal.open`; the file is not kept open between appends.

    Parameters
    ----------
    path : Path
        The file, absolute.
    header : records.Header, optional
        Its first pickle; None for a file that is no journal and has to be replaced.
    end, size : int
        Offset behind the last whole record, and length of the file, in bytes.
    """

    def __init__(self, path: Path, header: records.Header | None = None, end: int = 0, size: int = 0) -> None:
        self.path = path
        self._header = header
        self._end = end
        self._size = size
        self._broken = False  # whether a write failed, so that what the file holds is not known
        self._pid = os.getpid()
        self._forget()

    def _forget(self) -> None:
        self._changes = Changes()
        self._running: dict[int, int] = {}  # position of a running trial: crc of how it was last written
        self._attachments: dict[str, Any] = {}
        self._memo: Any = None

    @classmethod
    def open(cls, path: str | os.PathLike[str], trials: Trials) -> Journal:
        """Return the journal of a file, ready to follow trials.

        Parameters
        ----------
        path : str or path
            The file. If `trials` were read from it or last written to it, and it has not changed since, it goes
            on growing. Otherwise it is created with all that the trials hold; a file that was there is kept
            beside it as ``<path>.bak``, which is logged.
        trials : Trials
            What to keep.

        Returns
        -------
        Journal

        Raises
        ------
        ValueError
            They are kept in a store.
        """
        if trials.shared:
            raise ValueError(
                f"trials_save_file={os.fspath(path)!r}: these trials are kept in a store already, each as soon as it "
                "changes; leave the file out, or copy them in the end by trials.save(...)"
            )
        where = _absolute(path)
        journal = getattr(trials, "_journal_mark", None)
        if not (isinstance(journal, Journal) and journal.path == where and journal._is_current()):
            _set_aside(where)
            journal = cls(where)
        if journal._header is None or journal._header.path != str(where):
            journal._write_whole(trials)
        trials._journal_mark = journal
        return journal

    def append_changes(self, trials: Trials, recent: bool = False) -> None:
        """Write what changed since the last call; return when it is on the disk.

        Parameters
        ----------
        trials : Trials
            The trials that the journal was opened with.
        recent : bool
            Pass over the settled documents, see `Changes`; a later call without makes up for it.

        Raises
        ------
        RuntimeError
            Somebody else wrote to the file.
        OSError
            The file cannot be written. A later call makes up for it.
        """
        if os.getpid() != self._pid:
            return  # a fork of the process whose file it is, on its way out
        if self._broken or not self.path.exists():
            self._write_whole(trials)
            return
        self._refuse_other_writers()
        self._broken = True  # from here on an interrupt may lose what is taken as written
        payloads = self._difference(trials, recent)
        if payloads:
            try:
                self._end = records.append(self.path, self._end, payloads)
            finally:
                self._size = self.path.stat().st_size
        self._broken = False

    def _write_whole(self, trials: Trials) -> None:
        """Create the file with everything the trials hold."""
        self._header = records.Header(str(self.path), uuid.uuid4().hex)
        self._forget()
        self._broken = True
        payloads = [_open_record(trials), *self._difference(trials)]
        self._end = self._size = records.create(self.path, pickle.dumps(_Pointer(*self._header)), payloads)
        self._broken = False

    def _refuse_other_writers(self) -> None:
        if self.path.stat().st_size != self._size:
            raise RuntimeError(
                f"{self.path} was written to by somebody else meanwhile; one search at a time may use a file, "
                "so give this one a trials_save_file of its own"
            )

    def _is_current(self) -> bool:
        """Whether the file is still the one that was read or written here."""
        if not self.path.exists() or self.path.stat().st_size != self._size:
            return False
        with self.path.open("rb") as file:
            return records.read_header(file) == self._header

    # -- what changed --------------------------------------------------------------------------------------

    def _difference(self, trials: Trials, recent: bool = False) -> list[bytes]:
        """Return records of what the file lacks, and take them as written."""
        docs = all_documents(trials)
        payloads: list[bytes] = []
        if len(docs) < len(self._changes):
            self._forget()
            payloads.append(pickle.dumps(("clear",)))
        if trials._memo is not self._memo:
            self._memo = trials._memo
            payloads.append(pickle.dumps(("space", self._memo.dump())))
        return [
            *payloads,
            *self._changed_documents(docs, recent),
            *self._changed_attachments(trials.attachments),
        ]

    def _changed_documents(self, docs: Sequence[dict[str, Any]], recent: bool) -> Iterator[bytes]:
        """Yield records of documents that are new, are not as they were, or are being worked on."""
        known = len(self._changes)
        for position in sorted({*self._changes.of(docs, recent), *self._running, *range(known, len(docs))}):
            doc = docs[position]
            self._changes.remember(position, doc)
            data = dumps(doc, f"trial {doc['tid']}")
            crc = zlib.crc32(data)
            if self._running.pop(position, None) != crc:
                yield pickle.dumps(("doc", position, data))
            if (
                doc["state"] == JOB_STATE_RUNNING
            ):  # its result may be edited inside, which `Changes` cannot see
                self._running[position] = crc

    def _changed_attachments(self, attachments: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield records of attachments that were set or removed."""
        now = {name: attachments[name] for name in list(attachments)}
        for name in self._attachments.keys() - now.keys():
            yield pickle.dumps(("detach", name))
        for name, value in now.items():
            if name not in self._attachments or self._attachments[name] is not value:
                yield pickle.dumps(("attach", name, dumps(value, f"attachment {name!r}")))
        self._attachments = now

    def _take_as_written(self, trials: Trials) -> None:
        """Suppose that the file holds the trials as they are."""
        docs = all_documents(trials)
        for position, doc in enumerate(docs):
            self._changes.remember(position, doc)
        self._attachments = {name: trials.attachments[name] for name in list(trials.attachments)}
        self._memo = trials._memo


class _Pointer:
    """Pickles as a call of `load_journal`."""

    def __init__(self, path: str, journal_id: str) -> None:
        self._where = (path, journal_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return load_journal, self._where


def write(path: str | os.PathLike[str], trials: Trials) -> None:
    """Write trials to a file, all at once or not at all.

    Parameters
    ----------
    path : str or path
        The file; replaced if it exists.
    trials : Trials
        What to write. A later ``fmin(trials=trials, trials_save_file=path)`` goes on with the file.
    """
    journal = Journal(_absolute(path))
    journal._write_whole(trials)
    trials._journal_mark = journal


def load(path: str | os.PathLike[str]) -> Trials:
    """Read trials from a file.

    Parameters
    ----------
    path : str or path
        A file that `write` or a search made, or a pickle of `Trials`, also one made by Hyperopt.

    Returns
    -------
    Trials
        Of the class that was saved, refreshed. What a killed writer left unfinished at the end is passed over,
        which is logged.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It holds no trials.

    Notes
    -----
    The file contains pickles: read only files you trust.
    """
    where = _absolute(path)
    with where.open("rb") as file:
        header = records.read_header(file)
        payloads, end = records.read_records(file) if header else ([], 0)
    size = where.stat().st_size
    if header is None:
        trials = load_pickle(where)
        trials._journal_mark = Journal(where, None, 0, size)
        return trials
    if end < size:
        logger.warning(
            "%s ends in a broken record, as a killed writer leaves it: %d bytes", where, size - end
        )
    trials = replay(where, payloads)
    journal = Journal(where, header, end, size)
    journal._take_as_written(trials)
    trials._journal_mark = journal
    return trials


def load_journal(path: str, journal_id: str) -> Trials:
    """Read the trials that a pickle points to; what ``pickle.load`` of a trials file calls.

    Parameters
    ----------
    path : str
        Where the file was when it was created.
    journal_id : str
        The name of the journal it held.

    Returns
    -------
    Trials

    Raises
    ------
    FileNotFoundError
        The file is not there any more, or another is in its place.
    """
    where = Path(path)
    header = None
    if where.exists():
        with where.open("rb") as file:
            header = records.read_header(file)
    if header is None or header.journal_id != journal_id:
        what = "another file is there now" if where.exists() else "it is not there"
        raise FileNotFoundError(
            f"this pickle stands at the head of a trials file that was created as {path}, and {what}. "
            "Read a file that was moved or copied with hpspace.Trials.load(path)."
        )
    return load(where)


def _open_record(trials: Trials) -> bytes:
    """Return the first record: what is needed to make empty trials of the same kind."""
    state = {**trials.__getstate__(), "_dynamic_trials": [], "attachments": {}}
    left_out = ("_trials", "_space")
    kept = {key: value for key, value in state.items() if key not in left_out and key in trials.__dict__}
    return pickle.dumps(("open", dumps((type(trials), kept), "the Trials object")))


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  Path.resolve would follow a link to another name


def _set_aside(path: Path) -> None:
    """Give a file that is in the way another name."""
    if not path.exists() or path.stat().st_size == 0:
        return
    backup = path.with_name(f"{path.name}.bak")
    number = 1
    while backup.exists():
        number += 1
        backup = path.with_name(f"{path.name}.bak{number}")
    path.rename(backup)
    logger.warning("%s holds other trials than the ones to be saved; it is kept as %s", path, backup)
