"""One SQLite file, opened so that several processes can share it and none can leave it locked.

The settings, and what they are for:

========================  ====================================================================================
write-ahead log (WAL)     readers never wait for the writer, nor it for them; a killed process leaves no lock and
                          no half transaction, the next one to open the file goes on from the last commit
synchronous NORMAL        a commit survives the death of any process; a power cut may take back the last few
                          commits, never break the file. ``durability="full"`` waits for the disk each time
``BEGIN IMMEDIATE``       a transaction that will write says so at once, and waits for its turn up to `timeout`;
                          one that begins by reading and then writes would fail instead of waiting
one connection a process  used by one thread at a time; a process forked off opens its own, and does not touch
                          its parent's
========================  ====================================================================================

WAL needs memory that all processes share, so it does not work over a network: on a network file system the file is
opened with a rollback journal instead, which is slower and trusts that file system's locks; that is logged.

Called by `sqlite` alone. It knows the schema's version, not what is in the tables.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpspace.exceptions import StoreError, StoreFull, StoreTooNew, StoreUnavailable, UnknownStore
from hpspace.trials.shared.contract import SCHEMA_VERSION

logger = logging.getLogger(__name__)

#: Seconds to wait for another process that is writing.
BUSY_TIMEOUT = 30.0
#: What ``durability`` may be, and SQLite's word for it.
DURABILITIES = {"normal": "NORMAL", "full": "FULL"}
#: Marks the file as ours in its header: "hpsp".
APPLICATION_ID = 0x68707370
#: File systems on which processes of several machines may meet.
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs3", "nfs4", "smb2", "smb3", "smbfs"}
)
#: Bytes that the write-ahead log keeps on the disk at most, once a large transaction is over.
LOG_SIZE_LIMIT = 64 * 2**20

#: Connections of parent processes. Closing one would take away the parent's locks, so they are kept, untouched.
_OF_PARENTS: list[sqlite3.Connection] = []


class SqliteFile:
    """A file of a known schema, and this process's connection to it.

    Parameters
    ----------
    path : str or path
        The file; made if it is not there.
    schema : sequence of str
        Statements that make the tables.
    durability : str
        "normal" or "full".
    timeout : float
        Seconds to wait for another process that is writing.

    Raises
    ------
    StoreUnavailable
        It cannot be opened or made, or is locked for longer than `timeout`.
    UnknownStore
        It is something else.
    StoreTooNew
        A later release made it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        schema: Sequence[str],
        durability: str = "normal",
        timeout: float = BUSY_TIMEOUT,
    ) -> None:
        if durability not in DURABILITIES:
            raise ValueError(f"durability={durability!r} is none of {', '.join(map(repr, DURABILITIES))}")
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  Path.resolve would follow a link to another name
        self.durability = durability
        self.timeout = timeout
        self._schema = schema
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closing: weakref.finalize[..., SqliteFile] | None = None
        with self._connected():
            pass  # whatever is wrong with the file is said now

    @property
    def url(self) -> str:
        """The file as a URL."""
        path = self.path.as_posix()
        return f"sqlite:///{path}"

    def close(self) -> None:
        """Close this process's connection; it is opened again when it is needed."""
        if os.getpid() == self._pid:
            with self._lock:
                if self._closing is not None:
                    self._closing()
                self._connection = self._closing = None

    # -- transactions --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection within which the file stays as it is, whatever others write."""
        with self._connected() as db, _transaction(db, "BEGIN"):
            yield db

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which all that is written comes to be together, or not at all."""
        with self._connected() as db, _transaction(db, "BEGIN IMMEDIATE"):
            yield db

    def shrink(self) -> None:
        """Give room that was freed back to the disk."""
        with self._connected() as db:
            db.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page of it

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Give this process's connection to one thread at a time, with errors in words."""
        if os.getpid() != self._pid:
            self._begin_in_this_process()
        with self._lock, self._explained():
            yield self._connection or self._open()

    # -- opening -------------------------------------------------------------------------------------------

    def _begin_in_this_process(self) -> None:
        """Leave the parent's connection and lock alone, and start anew."""
        if self._connection is not None:
            _OF_PARENTS.append(self._connection)
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._connection = self._closing = None

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=self.timeout, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        self._connection = db
        self._closing = weakref.finalize(self, _close, db, self._pid)
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        self._check_version(db)
        synchronous = DURABILITIES[self.durability]
        if not self._use_log(db):
            synchronous = "FULL"  # a rollback journal that is not waited for may break the file
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute(f"PRAGMA journal_size_limit = {LOG_SIZE_LIMIT}")
        if _number(db, "PRAGMA user_version") == 0:
            self._make_tables(db)

    def _check_version(self, db: sqlite3.Connection) -> None:
        """Refuse files that are not ours to write to."""
        version = _number(db, "PRAGMA user_version")
        tables = _number(db, "SELECT count(*) FROM sqlite_master")
        if tables and _number(db, "PRAGMA application_id") != APPLICATION_ID:
            raise UnknownStore(
                f"{self.path} is a SQLite file of another program; give hpspace a file of its own"
            )
        if version > SCHEMA_VERSION:
            raise StoreTooNew(self.url, version, SCHEMA_VERSION)
        if not tables:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # later is too late

    def _use_log(self, db: sqlite3.Connection) -> bool:
        """Switch the file to write-ahead logging; False if it cannot have that."""
        kind = file_system_of(self.path)
        if kind not in NETWORK_FILE_SYSTEMS and _switched_to_log(db, self.timeout):
            return True
        logger.warning(
            "%s is on a file system (%s) that cannot share memory between processes: SQLite's write-ahead log is not "
            "used there, each write is slower, and processes on several machines depend on that file system's locks; "
            "a local disk is better, and a server (mongo://...) for several machines",
            self.path,
            kind,
            extra={"action": "no_write_ahead_log", "file_system": kind},
        )
        db.execute("PRAGMA journal_mode = DELETE")
        return False

    def _make_tables(self, db: sqlite3.Connection) -> None:
        """Make the tables, unless another process is faster."""
        with _transaction(db, "BEGIN IMMEDIATE"):
            if _number(db, "PRAGMA user_version") == 0:
                for statement in self._schema:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    # -- errors --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of SQLite into ours, which say what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError)):
                raise  # a mistake of ours
            raise self._explanation(error) from error

    def _explanation(self, error: sqlite3.DatabaseError) -> StoreError:
        text = str(error)
        if "full" in text:
            return StoreFull(
                f"{self.path}: {text}; nothing was changed by the move that failed, make room and repeat it"
            )
        if "not a database" in text:
            return UnknownStore(f"{self.path} is no SQLite file; give hpspace a file of its own")
        if "locked" in text:
            return StoreUnavailable(
                f"{self.path} has been locked for {self.timeout:g} s by another program that is writing to it"
            )
        if self.path.is_dir():
            return UnknownStore(f"{self.path} is a folder; name a file in it")
        if "unable to open" in text and not self.path.parent.is_dir():
            return StoreUnavailable(f"{self.path}: the folder does not exist; make it first")
        return StoreUnavailable(f"{self.path}: {text}")


def file_system_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the type of the file system that a file is, or would be, on.

    Parameters
    ----------
    path : Path
        The file, absolute.
    mounts : Path
        Where Linux lists what is mounted.

    Returns
    -------
    str
        Such as "ext4" or "nfs4"; "unknown" where it cannot be told.
    """
    if not mounts.exists():
        return "unknown"
    folder = path.parent.resolve()
    best, kind = -1, "unknown"
    for line in mounts.read_text(errors="replace").splitlines():
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4].replace("\\040", " "))
        if point in (folder, *folder.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def _switched_to_log(db: sqlite3.Connection, timeout: float) -> bool:
    """Switch a file to write-ahead logging; False if it stays as it is."""
    give_up = time.monotonic() + timeout
    while (mode := _asked_for_log(db, give_up)) is None:
        time.sleep(0.01)
    return mode == "wal"


def _asked_for_log(db: sqlite3.Connection, give_up: float) -> str | None:
    """Return the journal mode after asking for a log; None when somebody was in the way, for SQLite does not wait."""
    try:
        return str(db.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) or time.monotonic() > give_up:
            raise
        return None


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Commit what is done within, or roll it back when anything is raised, also from the keyboard."""
    if db.in_transaction:  # an interrupt fell into the very rolling back
        db.execute("ROLLBACK")
    try:
        db.execute(begin)
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _number(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0])


def _close(db: sqlite3.Connection, pid: int) -> None:
    """Close a connection in the process that opened it."""
    if os.getpid() == pid:
        db.close()
    else:
        _OF_PARENTS.append(db)
