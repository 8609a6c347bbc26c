"""Settings and servers shared by the whole suite: random examples are the same in every run.

The servers are real ones, started once for each process of the suite in a folder of their own. A test gets a database
that nobody else uses, on either kind of server (`mongo_url`) or on a certain one.
"""

from __future__ import annotations

import dataclasses
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from hpspace.run import mongod
from hpspace.trials.mongo.url import parse

settings.register_profile("hpspace", derandomize=True, database=None, deadline=None)
settings.load_profile("hpspace")

# A shell that starts the suite in the background lets it ignore Ctrl-C, and every process that a test starts would too.
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mongod_standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongod.Server]:
    """A MongoDB that is a single server, without a password."""
    yield from _served(tmp_path_factory.mktemp("standalone"), replica_set=False, auth=False)


@pytest.fixture(scope="session")
def mongod_replset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongod.Server]:
    """A MongoDB that is a replica set of one node, with a password: as ``hpspace mongo up`` starts it."""
    yield from _served(tmp_path_factory.mktemp("replset"), replica_set=True, auth=True)


def _served(folder: Path, **options: bool) -> Iterator[mongod.Server]:
    server = mongod.up(folder, **options)
    yield server
    mongod.down(folder)


@pytest.fixture(params=["standalone", "replset"])
def mongo_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new database, on each kind of server."""
    yield from _database(request.getfixturevalue(f"mongod_{request.param}"))


@pytest.fixture
def standalone_url(mongod_standalone: mongod.Server) -> Iterator[str]:
    """The address of a new database on a single server."""
    yield from _database(mongod_standalone)


@pytest.fixture
def replset_url(mongod_replset: mongod.Server) -> Iterator[str]:
    """The address of a new database on a replica set."""
    yield from _database(mongod_replset)


def _database(server: mongod.Server) -> Iterator[str]:
    import pymongo

    name = f"test_{uuid.uuid4().hex}"
    yield dataclasses.replace(parse(server.url), database=name).uri
    with pymongo.MongoClient(server.url) as client:
        client.drop_database(name)
