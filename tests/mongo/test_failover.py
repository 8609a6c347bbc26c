"""A replica set of three real servers whose primary is killed: another takes over, and nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from hpspace.run.mongod import find_mongod
from hpspace.trials.document import JOB_STATE_DONE, new_document
from hpspace.trials.mongo.store import open_store

KEY = "e"
TRIALS = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class ReplicaSet:
    """Three servers on this machine."""

    def __init__(self, folder: Path) -> None:
        self._ports = [free_port() for _ in range(3)]
        self._servers = [self._started(folder / str(port), port) for port in self._ports]

    def initiate(self) -> None:
        """Make them a replica set, once each of them answers."""
        for number in range(len(self._servers)):
            with self._client(number) as client:
                client.admin.command("ping")
        members = [{"_id": i, "host": f"127.0.0.1:{port}"} for i, port in enumerate(self._ports)]
        config = {"_id": "rs", "members": members, "settings": {"electionTimeoutMillis": 2000}}
        with self._client(0) as client:
            client.admin.command("replSetInitiate", config)
        self.primary()

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"mongodb://{hosts}/db?replicaSet=rs"

    def primary(self) -> int:
        """Wait for a primary; return its number."""
        while True:
            for i, server in enumerate(self._servers):
                with contextlib.suppress(PyMongoError):
                    if server.poll() is None and self._is_primary(i):
                        return i
            time.sleep(0.05)

    def kill(self, number: int) -> None:
        """Kill -9."""
        self._servers[number].send_signal(signal.SIGKILL)
        self._servers[number].wait()

    def end(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()

    def _is_primary(self, number: int) -> bool:
        with self._client(number) as client:
            return bool(client.admin.command("hello")["isWritablePrimary"])

    def _client(self, number: int) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            f"127.0.0.1:{self._ports[number]}", directConnection=True, serverSelectionTimeoutMS=20_000
        )

    @staticmethod
    def _started(folder: Path, port: int) -> subprocess.Popen[bytes]:
        folder.mkdir(parents=True)
        small = ["--wiredTigerCacheSizeGB=0.25", "--oplogSize=64", "--nounixsocket", "--bind_ip=127.0.0.1"]
        command = [str(find_mongod()), f"--port={port}", f"--dbpath={folder}", "--replSet=rs", *small]
        return subprocess.Popen(
            command,
            env={**os.environ, "HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def replica_set(tmp_path: Path) -> Iterator[ReplicaSet]:
    servers = ReplicaSet(tmp_path)
    try:
        servers.initiate()
        yield servers
    finally:
        servers.end()


def test_the_death_of_a_primary_costs_nothing(replica_set: ReplicaSet) -> None:
    """Two workers go on with the next primary: what was acknowledged is there, each trial ended once."""
    store = open_store(replica_set.url)
    store.insert([new_document(tid, {"x": 0.5}, exp_key=KEY) for tid in store.new_tids(TRIALS)])
    acknowledged: Counter[int] = Counter()

    def work(number: int) -> None:
        own = open_store(replica_set.url)
        while own.counts(KEY) != {JOB_STATE_DONE: TRIALS}:
            claim = own.reserve(f"worker:{number}", KEY, lease=60.0)
            if claim is None:
                own.wait(0.2)
                continue
            time.sleep(0.02)
            if own.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": float(claim.tid)}):
                acknowledged[claim.tid] += 1
        own.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    while acknowledged.total() < TRIALS // 4:
        time.sleep(0.01)
    before = replica_set.primary()
    replica_set.kill(before)
    for worker in workers:
        worker.join()
    assert replica_set.primary() != before
    docs = store.changes(KEY, None).docs
    store.close()
    assert {doc["tid"]: doc["result"]["loss"] for doc in docs} == {tid: float(tid) for tid in acknowledged}
    assert len(docs) == TRIALS and set(acknowledged.values()) == {1}
    assert {(doc["state"], doc["attempt"]) for doc in docs} == {(JOB_STATE_DONE, 1)}
