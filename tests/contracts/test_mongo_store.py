"""The contract of a store, kept by MongoDB as a single server and as a replica set of one node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pymongo import MongoClient

from hpspace.run.mongod import Server
from hpspace.testing.stores import StoreContract
from hpspace.trials.mongo.schema import WAKEUPS
from hpspace.trials.mongo.store import MongoStore, open_store
from hpspace.trials.mongo.url import parse
from hpspace.trials.shared.contract import Store


class TestMongoStore(StoreContract):
    """Every sentence of the contract, against real servers."""

    @pytest.fixture(params=["standalone", "replset"])
    def store(self, request: pytest.FixtureRequest) -> Iterator[Store]:
        server: Server = request.getfixturevalue(f"mongod_{request.param}")
        store = open_store(replace(parse(server.url), database="contract"))
        yield store
        _empty(server)
        store.close()

    def again(self, store: Store) -> Store:
        assert isinstance(store, MongoStore)
        return open_store(store.link.url)


def _empty(server: Server) -> None:
    """Remove all documents: much quicker than to drop the database and to make every index again."""
    with MongoClient(server.url) as client:
        database = client["contract"]
        for name in {*database.list_collection_names()} - {WAKEUPS}:
            database[name].delete_many({})
