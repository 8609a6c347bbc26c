"""Every store keeps the contract of `hpspace.trials.shared.contract`."""

from __future__ import annotations

import pytest

from hpspace.testing.stores import StoreContract
from hpspace.trials.shared.memory import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    def let_pass(self, store, seconds):
        store.advance(seconds)
