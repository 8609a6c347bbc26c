"""Every store keeps the contract of `hpspace.trials.shared.contract`."""

from __future__ import annotations

import pytest

from hpspace.testing.stores import StoreContract
from hpspace.trials.shared.memory import MemoryStore
from hpspace.trials.shared.sqlite import SqliteStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    def let_pass(self, store, seconds):
        store.advance(seconds)


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = SqliteStore(tmp_path / "trials.db")
        yield store
        store.close()

    def again(self, store):
        return SqliteStore(store._file.path)
