"""Servers that die, freeze, go away and step down, while trials are evaluated: nothing is lost, nothing is doubled.

Each test has a server of its own and treats it badly. What was acknowledged must be there afterwards, whoever was in
the middle of something must go on by itself, and every trial must end exactly once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from hpspace import fmin, hp
from hpspace.mongoexp import MongoTrials
from hpspace.run import mongod
from hpspace.trials.document import JOB_STATE_DONE, new_document
from hpspace.trials.mongo.store import open_store
from hpspace.trials.mongo.url import parse
from hpspace.trials.shared.contract import Claim

KEY = "e"


class Victim:
    """A server that can be killed, frozen and started again."""

    def __init__(self, folder: Path, replica_set: bool) -> None:
        self.folder = folder
        self.server = mongod.up(folder, replica_set=replica_set, auth=False)

    @property
    def url(self) -> str:
        return self.server.url

    def kill(self) -> None:
        """Kill -9: what is not on disk is gone."""
        os.kill(self.server.pid, signal.SIGKILL)
        while mongod.status(self.folder) is not None:
            time.sleep(0.01)

    def start(self) -> None:
        """Start again, under the same address."""
        before = self.url
        self.server = mongod.up(self.folder)
        assert self.url == before, "somebody has taken the port"

    def away(self, seconds: float) -> None:
        """End in good order, and come back after some time."""
        mongod.down(self.folder)
        time.sleep(seconds)
        self.start()

    def frozen(self, seconds: float) -> None:
        """Answer nobody for some time, with every connection open."""
        os.kill(self.server.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.server.pid, signal.SIGCONT)

    def stepped_down(self) -> None:
        """Be secondary for a moment, and hang up on everybody."""
        client: MongoClient[dict[str, Any]]
        with MongoClient(parse(self.url).hosts[0], directConnection=True) as client:
            before = client.admin.command("hello")["electionId"]
            client.admin.command("replSetStepDown", 1, force=True)
            while client.admin.command("hello").get("electionId", before) == before:
                time.sleep(0.01)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.server.pid, signal.SIGCONT)
        mongod.down(self.folder)


@pytest.fixture(params=["standalone", "replset"])
def victim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Victim]:
    victim = Victim(tmp_path / "db", replica_set=request.param == "replset")
    yield victim
    victim.end()


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Victim]:
    victim = Victim(tmp_path / "db", replica_set=True)
    yield victim
    victim.end()


class Pool:
    """Workers in threads, who evaluate until everything is done and remember what was acknowledged."""

    def __init__(self, url: str, workers: int, trials: int) -> None:
        self.url = url
        self.trials = trials
        self.acknowledged: Counter[int] = Counter()
        self.claimed: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(i,)) for i in range(workers)]

    def _work(self, number: int) -> None:
        store = open_store(self.url)
        while store.counts(KEY) != {JOB_STATE_DONE: self.trials}:
            claim = store.reserve(f"worker:{number}", KEY, lease=60.0)
            if claim is None:
                store.wait(0.2)
                continue
            with self._lock:
                self.claimed[claim.tid] += 1
            time.sleep(0.01)
            if store.finish(claim, JOB_STATE_DONE, result(claim)):
                with self._lock:
                    self.acknowledged[claim.tid] += 1
        store.close()

    def __enter__(self) -> Pool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def reach(self, done: int) -> None:
        """Wait until so many results were acknowledged."""
        while self.acknowledged.total() < done:
            time.sleep(0.005)


def result(claim: Claim) -> dict[str, Any]:
    return {"status": "ok", "loss": claim.tid / 8}


def survives(victim: Victim, harm: Callable[[], None], trials: int = 60) -> None:
    """Do harm to a server in the middle of the work; look that every trial has ended once, with its own result."""
    driver = open_store(victim.url)
    tids = driver.new_tids(trials)
    driver.insert([new_document(tid, {"x": tid / 8}, exp_key=KEY) for tid in tids])
    with Pool(victim.url, workers=3, trials=trials) as pool:
        pool.reach(trials // 4)
        before = set(pool.acknowledged)
        harm()
        there = {doc["tid"] for doc in driver.changes(KEY).docs if doc["state"] == JOB_STATE_DONE}
        assert before <= there, "an acknowledged result is gone"
    docs = driver.changes(KEY).docs
    assert {doc["tid"]: doc["result"] for doc in docs} == {
        tid: {"status": "ok", "loss": tid / 8} for tid in tids
    }
    assert pool.acknowledged == Counter(tids), "a result was accepted twice, or never"
    assert pool.claimed == Counter(tids) and all(doc["attempt"] == 1 for doc in docs), "evaluated twice"
    driver.close()


def test_a_server_is_killed_and_started_again(victim: Victim) -> None:
    """Kill -9 in the middle of everybody's writes."""

    def harm() -> None:
        victim.kill()
        victim.start()

    survives(victim, harm)


@pytest.mark.parametrize("seconds", [3.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_a_server_is_away(victim: Victim, seconds: float) -> None:
    """Workers keep what they have found out and deliver it when the server is back."""
    survives(victim, lambda: victim.away(seconds))


@pytest.mark.parametrize("seconds", [3.0, pytest.param(40.0, marks=pytest.mark.slow)])
def test_a_server_is_frozen(replica: Victim, seconds: float) -> None:
    """As in a virtual machine that is paused; 40 s is more than a socket waits."""
    survives(replica, lambda: replica.frozen(seconds))


def test_a_primary_steps_down(replica: Victim) -> None:
    """Every connection is cut and every write refused for a moment."""
    survives(replica, replica.stepped_down)


def test_a_search_goes_on_when_the_server_is_killed(victim: Victim) -> None:
    """The driver and its workers wait and go on; the search ends with the trials that it was asked for."""
    stopped = threading.Event()

    def work() -> None:
        store = open_store(victim.url)
        while not stopped.is_set():
            claim = store.reserve("worker:1", KEY)
            if claim is None:
                store.wait(0.1)
            else:
                store.finish(claim, JOB_STATE_DONE, result(claim))
        store.close()

    def harm() -> None:
        time.sleep(1.0)
        victim.kill()
        time.sleep(0.5)
        victim.start()

    threads = [threading.Thread(target=target) for target in (work, work, harm)]
    for thread in threads:
        thread.start()
    trials = MongoTrials(victim.url, exp_key=KEY)
    space = hp.uniform("x", 0, 1)
    fmin(lambda x: x, space, "rand", 40, trials=trials, rstate=0, show_progressbar=False, max_queue_len=2)
    stopped.set()
    for thread in threads:
        thread.join()
    assert sorted(trials.tids) == list(range(40))
    assert {doc["state"] for doc in trials.documents()} == {JOB_STATE_DONE}
    trials.close()


def test_nothing_is_taken_back_right_after_an_outage(replica: Victim) -> None:
    """While the server was frozen no lease could be extended; its holder gets the time to do so."""
    holder, other = open_store(replica.url), open_store(replica.url)
    holder.insert([new_document(tid, {"x": 0.5}, exp_key=KEY) for tid in holder.new_tids(1)])
    time.sleep(1.1)
    claim = holder.reserve("me", KEY, lease=1.0)
    assert claim is not None
    other.link.contact.heard()
    other.link.contact._last -= 11.0  # type: ignore[operator]  # nothing was heard of the server for that long
    replica.frozen(1.5)
    assert not other.reap(KEY), "the reaper was out of touch as well"
    assert holder.beat([claim], lease=60.0) == {claim.tid}
    time.sleep(1.1)
    assert not other.reap(KEY), "the holder has been heard"
    assert holder.finish(claim, JOB_STATE_DONE, result(claim))
    for store in (holder, other):
        store.close()


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_of_clients_decide_nothing(
    standalone_url: str, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """A worker whose clock is an hour off neither loses its own trials nor takes away those of others."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
    store = open_store(standalone_url)
    tids = store.new_tids(2)
    store.insert([new_document(tid, {"x": 0.5}, exp_key=KEY) for tid in tids])
    held, lapsed = store.reserve("a", KEY, lease=60.0), store.reserve("b", KEY, lease=0.01)
    assert held is not None and lapsed is not None
    time.sleep(0.05)
    assert store.reap(KEY).requeued == [lapsed.tid]
    (server_now,) = store.link.database["hpspace"].aggregate([{"$project": {"now": "$$NOW"}}])
    assert abs((held.doc["book_time"] - server_now["now"]).total_seconds()) < 600
    store.close()
