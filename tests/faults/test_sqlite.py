"""A SQLite file under faults: processes killed between any two statements, frozen, and killed by the dozen.

What must hold whatever dies: the file opens, no acknowledged step is lost, nothing is done twice, and every trial comes
to exactly one end once somebody is there to evaluate it. (A full disk: ``tests/stores/test_sqlite_file.py``.)
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpspace import SqliteTrials, fmin, hp
from hpspace.trials.document import JOB_STATE_CANCEL, JOB_STATE_DONE, new_document
from hpspace.trials.shared.sqlite import SqliteStore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by signals of POSIX")

OK = {"status": "ok", "loss": 0.5}
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.db"


def documents(tids):
    return [new_document(tid, {"x": tid / 8}, exp_key="e") for tid in tids]


def is_sound(path: Path) -> bool:
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        db.close()


# -- killed between any two statements -----------------------------------------------------------------------


def live(path: Path, acknowledged) -> None:
    """Do everything a store can do, and say so after each step."""
    store = SqliteStore(path)
    store.insert(documents(store.new_tids(4)))
    acknowledged("inserted")
    first = store.reserve("me", "e", lease=0.0)
    store.put_blob("e", f"ATTACH::{first.tid}::log", b"x" * 10_000)
    acknowledged("blob")
    store.checkpoint(first, {"status": "running"}, {"reports": [[0, 1.0]]})
    store.finish(first, JOB_STATE_DONE, OK)
    acknowledged("finished")
    second = store.reserve("me", "e", lease=0.0)
    store.release(second)
    acknowledged("released")
    third = store.reserve("me", "e", lease=0.0)
    store.requeue("e", [third.tid])
    store.cancel("e", [3])
    acknowledged("cancelled")
    store.update_meta("e", {"direction": "maximize"})
    store.publish_domain("e", "sha", b"code", ttl=0.0)
    acknowledged("published")
    store.close()


#: What the file must say after each acknowledged step.
FACTS = {
    "inserted": lambda store: sum(store.counts("e").values()) == 4,
    "blob": lambda store: store.get_blob("e", "ATTACH::0::log") == b"x" * 10_000,
    "finished": lambda store: store.counts("e")[JOB_STATE_DONE] == 1,
    "released": lambda store: sum(store.counts("e").values()) == 4,
    "cancelled": lambda store: store.counts("e")[JOB_STATE_CANCEL] == 1,
    "published": lambda store: store.domain("e") == ("sha", b"code", None),
}


def die_before_statement(path: Path, number: int, pipe) -> None:
    """Live, and be killed before the statement with a number, counted from the opening of the file."""
    connect, count = sqlite3.connect, 0

    def note(statement: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def connected(*args, **kwargs):
        db = connect(*args, **kwargs)
        db.set_trace_callback(note)
        return db

    sqlite3.connect = connected
    live(path, pipe.send)
    pipe.send("end")


def killed_at(path: Path, number: int) -> list[str]:
    """Return what a process acknowledged before it was killed."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=die_before_statement, args=(path, number, theirs))
    process.start()
    theirs.close()
    said = []
    try:
        while True:
            said.append(ours.recv())
    except EOFError:
        pass
    process.join()
    ours.close()
    assert process.exitcode == (0 if said and said[-1] == "end" else -signal.SIGKILL)
    return said


@pytest.mark.parametrize("offset", range(4))
def test_a_kill_between_any_two_statements_loses_nothing(tmp_path: Path, offset: int) -> None:
    """Every statement of a whole life in turn, the making of the tables among them; a quarter in each test."""
    number, said = 1 + offset, []
    while "end" not in said:
        path = tmp_path / f"{number}.db"
        said = killed_at(path, number)
        store = SqliteStore(path)
        assert all(FACTS[step](store) for step in said if step != "end"), (number, said)
        time.sleep(0.002)
        store.reap("e")
        while (claim := store.reserve("later", "e")) is not None:
            assert store.finish(claim, JOB_STATE_DONE, OK)
        assert set(store.counts("e")) <= {JOB_STATE_DONE, JOB_STATE_CANCEL}, (number, said)
        assert sum(store.counts("e").values()) in (0, 4), "half of an insert"
        store.close()
        assert is_sound(path)
        number += 4
    assert number > 100, "the life is as long as it looks: nothing was skipped"


# -- killed by the dozen -------------------------------------------------------------------------------------


def work(path: Path, log: Path) -> None:
    """Evaluate until everything is done; write down each result that the store has acknowledged."""
    store = SqliteStore(path)
    with log.open("a", buffering=1) as file:
        while store.counts("e").get(JOB_STATE_DONE, 0) < 300:
            store.reap("e", max_attempts=1000)
            claim = store.reserve(f"worker:{os.getpid()}", "e", lease=0.3)
            if claim is None:
                store.wait(0.02)
                continue
            time.sleep(0.003)
            if store.finish(claim, JOB_STATE_DONE, {**OK, "pid": os.getpid()}):
                file.write(f"{claim.tid} {claim.token}\n")
    store.close()


def test_a_pool_whose_workers_are_killed_finishes_everything_once(path: Path, tmp_path: Path) -> None:
    """Three processes, 300 trials, a SIGKILL every few hundredths of a second; each victim is replaced."""
    store = SqliteStore(path)
    store.insert(documents(store.new_tids(300)))
    log, dice, kills = tmp_path / "log", random.Random(1), 0
    pool = [FORK.Process(target=work, args=(path, log)) for _ in range(3)]
    for process in pool:
        process.start()
    while store.counts("e").get(JOB_STATE_DONE, 0) < 300:
        time.sleep(0.03)
        victim = dice.randrange(3)
        if kills < 20:
            os.kill(pool[victim].pid, signal.SIGKILL)
            pool[victim].join()
            pool[victim] = FORK.Process(target=work, args=(path, log))
            pool[victim].start()
            kills += 1
    for process in pool:
        process.join()
    docs = {doc["tid"]: doc for doc in store.changes("e").docs}
    store.close()
    assert len(docs) == 300 and {doc["state"] for doc in docs.values()} == {JOB_STATE_DONE}
    acknowledged = [line.split() for line in log.read_text().splitlines()]
    assert all(docs[int(tid)]["closed_by"] == token for tid, token in acknowledged)
    assert len({tid for tid, _ in acknowledged}) == len(acknowledged), "a result was accepted twice"
    assert kills >= 5 and is_sound(path)


# -- frozen --------------------------------------------------------------------------------------------------


def test_a_process_frozen_beyond_its_lease_changes_nothing_when_it_wakes(path: Path) -> None:
    """SIGSTOP, as a suspended machine or a swapping one; the process itself lives on and goes on working."""
    store = SqliteStore(path)
    store.insert(documents(store.new_tids(2)))
    ours, theirs = FORK.Pipe()

    def freeze() -> None:
        mine = SqliteStore(path)
        claim = mine.reserve("zombie", "e", lease=0.05)
        theirs.send(claim.tid)
        os.kill(os.getpid(), signal.SIGSTOP)
        late = mine.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": -99.0})
        again = mine.reserve("zombie", "e")
        theirs.send((late, mine.beat([claim]), mine.finish(again, JOB_STATE_DONE, OK)))
        mine.close()

    process = FORK.Process(target=freeze)
    process.start()
    tid = ours.recv()
    time.sleep(0.2)
    assert store.reap("e").requeued == [tid]
    claim = store.reserve("other", "e", tid=tid)
    assert claim is not None and store.finish(claim, JOB_STATE_DONE, OK)
    os.kill(process.pid, signal.SIGCONT)
    assert ours.recv() == (False, set(), True)
    process.join()
    assert [doc["result"]["loss"] for doc in store.changes("e").docs] == [0.5, 0.5]
    store.close()


# -- a killed search -----------------------------------------------------------------------------------------

SCRIPT = """
import os, signal, sys
from hpspace import SqliteTrials, fmin, hp

calls = 0

def objective(config):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return config["x"] ** 2

trials = SqliteTrials(sys.argv[1], "e")
fmin(objective, {"x": hp.uniform("x", -1, 1)}, "tpe", 12, trials=trials, rstate=0, show_progressbar=False)
trials.close()
"""


def test_a_search_killed_in_an_evaluation_goes_on_at_once(path: Path, tmp_path: Path) -> None:
    """The lease of a minute need not run out: its process is known to be gone. Twice killed, then finished here."""
    script = tmp_path / "search.py"
    script.write_text(SCRIPT)
    for calls in (3, 4):
        done = subprocess.run([sys.executable, str(script), str(path), str(calls)], capture_output=True)
        assert done.returncode == -signal.SIGKILL
    done = subprocess.run([sys.executable, str(script), str(path), "0"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    killed = SqliteTrials(path, "e")
    assert [doc["state"] for doc in killed.documents()] == [JOB_STATE_DONE] * 12
    assert sorted(killed.tids) == list(range(12))
    assert sorted(doc["attempt"] for doc in killed) == [1] * 10 + [2] * 2
    whole = SqliteTrials(tmp_path / "whole.db", "e")
    space = {"x": hp.uniform("x", -1, 1)}
    fmin(lambda config: config["x"] ** 2, space, "tpe", 12, trials=whole, rstate=0, show_progressbar=False)
    assert killed.vals == whole.vals, "what was killed and resumed is the search that was never killed"
    killed.close()
    whole.close()
    assert is_sound(path)
