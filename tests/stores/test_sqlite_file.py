"""The SQLite file: how it is opened, shared, closed and refused, and that nothing is found by looking through it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hpspace.exceptions import StoreFull, StoreTooNew, StoreUnavailable, UnknownStore
from hpspace.trials.document import JOB_STATE_DONE, new_document
from hpspace.trials.shared import sqlite_file
from hpspace.trials.shared.contract import SCHEMA_VERSION
from hpspace.trials.shared.sqlite import SqliteStore
from hpspace.trials.shared.sqlite_file import file_system_of

OK = {"status": "ok", "loss": 0.5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.db"


@pytest.fixture
def store(path: Path):
    store = SqliteStore(path)
    yield store
    store.close()


def documents(store: SqliteStore, n: int, exp_key: str | None = "e"):
    return [new_document(tid, {"x": tid / 8}, exp_key=exp_key) for tid in store.new_tids(n)]


def asked(path: Path, query: str):
    """Answer a query as another program would."""
    db = sqlite3.connect(path)
    try:
        return db.execute(query).fetchone()[0]
    finally:
        db.close()


# -- opening -------------------------------------------------------------------------------------------------


def test_the_file_is_what_its_settings_promise(store: SqliteStore, path: Path) -> None:
    assert asked(path, "PRAGMA journal_mode") == "wal"
    assert asked(path, "PRAGMA user_version") == SCHEMA_VERSION
    with store._file.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (1,)  # NORMAL


def test_full_durability_waits_for_the_disk(path: Path) -> None:
    store = SqliteStore(path, durability="full")
    with store._file.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    store.close()


def test_there_are_two_durabilities(path: Path) -> None:
    with pytest.raises(ValueError, match="durability='fast' is none of 'normal', 'full'"):
        SqliteStore(path, durability="fast")


def test_a_file_of_a_later_release_is_refused_and_left_alone(store: SqliteStore, path: Path) -> None:
    store.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(
        StoreTooNew, match=rf"study.db has schema version 99.*up to {SCHEMA_VERSION}.*later hpspace"
    ):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE studies (a)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(UnknownStore, match="SQLite file of another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("make", "message", "kind"),
    [
        (lambda path: path.write_text("not a database " * 99), "is no SQLite file", UnknownStore),
        (lambda path: path.mkdir(), "is a folder", UnknownStore),
    ],
)
def test_other_things_at_the_path_are_named(path: Path, make, message: str, kind: type[Exception]) -> None:
    make(path)
    with pytest.raises(kind, match=message):
        SqliteStore(path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="the folder does not exist; make it first"):
        SqliteStore(tmp_path / "no" / "study.db")


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_store_without_a_file_is_none(path: str) -> None:
    with pytest.raises(UnknownStore, match="memory:"):
        SqliteStore(path)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    """As made by `tempfile`."""
    path.touch()
    store = SqliteStore(path)
    store.insert(documents(store, 1))
    assert store.counts(None) == {0: 1}
    store.close()


def test_the_path_is_that_of_the_moment_of_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("study.db")
    store.close()
    monkeypatch.chdir("/")
    assert store.counts(None) == {} and store.url == f"sqlite:///{tmp_path}/study.db"
    store.close()


def test_a_store_travels_as_its_path(store: SqliteStore) -> None:
    store.insert(documents(store, 1))
    other = pickle.loads(pickle.dumps(store))
    assert other.counts(None) == {0: 1}
    other.close()


def _open_and_add(path: Path, barrier) -> None:
    barrier.wait()
    store = SqliteStore(path)
    store.insert(documents(store, 3))
    store.close()


def test_processes_may_make_the_file_at_the_same_moment(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(6)
    processes = [context.Process(target=_open_and_add, args=(path, barrier)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    store = SqliteStore(path)
    assert store.counts(None) == {0: 18}
    store.close()


# -- network file systems ------------------------------------------------------------------------------------

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 22 0:26 / /home rw,nosuid shared:7 - nfs4 server:/home rw
40 31 0:30 / /home/me/My\\040Disk rw shared:9 - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/study.db", "ext4"),
        ("/home/me/study.db", "nfs4"),
        ("/homes/study.db", "ext4"),
        ("/home/me/My Disk/a/study.db", "xfs"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(tmp_path: Path, path: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert file_system_of(Path(path), mounts) == kind
    assert file_system_of(Path(path), tmp_path / "none") == "unknown"


def test_no_shared_memory_is_used_over_a_network(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It works all the same, waits for the disk, and says what to expect."""
    monkeypatch.setattr(sqlite_file, "file_system_of", lambda path: "nfs4")
    store = SqliteStore(path)
    store.insert(documents(store, 2))
    assert asked(path, "PRAGMA journal_mode") == "delete"
    with store._file.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert "write-ahead log is not used" in caplog.text and "(nfs4)" in caplog.text
    store.close()


# -- sharing -------------------------------------------------------------------------------------------------


def test_a_file_that_somebody_keeps_locked_is_waited_for_and_then_named(path: Path) -> None:
    SqliteStore(path).close()
    store = SqliteStore(path, timeout=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"study.db has been locked for 0.05 s by another program"):
        store.new_tids(1)
    assert store.counts(None) == {}, "readers need not wait"
    other.execute("ROLLBACK")
    other.close()
    assert store.new_tids(1) == [0]
    store.close()


def test_an_interrupt_leaves_no_lock_and_no_half(store: SqliteStore, path: Path) -> None:
    """From the keyboard, at the worst moment."""
    with pytest.raises(KeyboardInterrupt), store._file.writing() as db:
        db.execute("UPDATE counters SET value = 77")
        raise KeyboardInterrupt
    other = SqliteStore(path, timeout=0.05)
    assert other.new_tids(1) == [0]
    other.close()


def test_a_forked_child_uses_the_store_without_harm_to_its_parent(store: SqliteStore, path: Path) -> None:
    """SQLite's connections must not cross a fork. Parent and child write in turn, then the child ends."""
    store.insert(documents(store, 1))
    context = multiprocessing.get_context("fork")
    ready, go = context.Event(), context.Event()

    def child() -> None:
        claim = store.reserve("child", "e")
        assert claim is not None
        ready.set()
        go.wait()
        assert store.finish(claim, JOB_STATE_DONE, OK)
        store.close()

    process = context.Process(target=child)
    with store._file._lock:  # as if another thread were using it: the child must not wait for that
        process.start()
    ready.wait()
    store.insert(documents(store, 1))
    go.set()
    process.join()
    assert process.exitcode == 0
    store.insert(documents(store, 1))
    assert store.counts("e") == {0: 2, 2: 1}
    assert asked(path, "PRAGMA integrity_check") == "ok"


def test_closing_leaves_one_file(store: SqliteStore, path: Path) -> None:
    """The log is folded in by whoever closes last; what was read can be read again afterwards."""
    store.insert(documents(store, 1))
    other = SqliteStore(path)
    other.counts(None)
    other.close()
    store.close()
    assert os.listdir(path.parent) == ["study.db"]
    assert store.counts(None) == {0: 1}


def test_a_store_that_nobody_closes_is_closed_at_the_end(path: Path) -> None:
    """Without a warning, and without a log left over."""
    program = (
        "from hpspace.trials.shared.sqlite import SqliteStore\n"
        f"SqliteStore({str(path)!r}).new_tids(1)\nstore = SqliteStore({str(path)!r})\nstore.new_tids(1)"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "" and os.listdir(path.parent) == ["study.db"]


def test_threads_take_turns(store: SqliteStore) -> None:
    """One connection, eight threads, writing and reading at once."""
    errors = []

    def work() -> None:
        try:
            for _ in range(10):
                store.insert(documents(store, 1))
                store.changes(None)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and store.counts(None) == {0: 80}


# -- a full disk ---------------------------------------------------------------------------------------------


def test_a_full_disk_is_named_and_changes_nothing(store: SqliteStore, path: Path) -> None:
    """Simulated by a limit on the file's pages. Afterwards small writes go on, and all is as it was."""
    store.insert(documents(store, 5))
    claim = store.reserve("me", "e")
    assert claim is not None
    with store._file.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + 8}")
    before = store.changes(None).docs
    with pytest.raises(StoreFull, match=r"study.db: database or disk is full; nothing was changed"):
        store.finish(claim, JOB_STATE_DONE, {**OK, "curve": [0.5] * 100_000})
    with pytest.raises(StoreFull):
        store.put_blob("e", "model", bytes(10**6))
    with pytest.raises(StoreFull):
        store.insert(documents(store, 1000))
    assert store.changes(None).docs == before and store.blob_names("e") == []
    assert store.finish(claim, JOB_STATE_DONE, OK)
    assert asked(path, "PRAGMA integrity_check") == "ok"


def test_deleted_trials_give_their_room_back(store: SqliteStore, path: Path) -> None:
    store.put_blob("e", "large", bytes(3 * 2**20))
    store.put_blob("other", "small", b"x")
    store.delete("e")
    store.close()
    assert path.stat().st_size < 2**20


# -- cost ----------------------------------------------------------------------------------------------------


def steps(store: SqliteStore, action) -> int:
    """Return how many instructions SQLite's machine needs for an action, in tens."""
    count = 0

    def note() -> int:
        nonlocal count
        count += 1
        return 0

    with store._file.reading() as db:
        db.set_progress_handler(note, 10)
    action()
    with store._file.reading() as db:
        db.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize("exp_key", ["e", None])
def test_a_trial_costs_the_same_however_many_there_are(store: SqliteStore, exp_key: str | None) -> None:
    """The whole life of a trial, and a look at what changed: with 50 finished trials and with 3,000.

    Counted in steps of SQLite's machine, which no busy computer changes. A scan would show as a factor of 60.
    """

    def add_finished(n: int) -> None:
        docs = documents(store, n)
        for doc in docs:
            doc.update(state=JOB_STATE_DONE, result=OK)
        store.insert(docs)

    def life(cursor) -> None:
        store.insert(documents(store, 1))
        claim = store.reserve("me", exp_key)
        assert claim is not None
        store.beat([claim])
        store.checkpoint(claim, OK)
        assert not store.reap(exp_key)
        store.finish(claim, JOB_STATE_DONE, OK)
        assert len(store.changes(exp_key, cursor).docs) == 1
        assert store.reserve("me", exp_key) is None

    costs = []
    for n in (50, 2950):
        add_finished(n)
        cursor = store.changes(exp_key).cursor
        costs.append(steps(store, lambda cursor=cursor: life(cursor)))
    assert costs[1] <= 1.2 * costs[0]


def test_logs_name_no_value(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    """What objectives return stays in the store: nothing is logged at any level on the way."""
    caplog.set_level(logging.DEBUG)
    store.insert(documents(store, 1))
    claim = store.reserve("me", "e")
    assert claim is not None
    store.finish(claim, JOB_STATE_DONE, {**OK, "secret": "hunter2"})
    assert "hunter2" not in caplog.text
