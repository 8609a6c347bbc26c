"""The contract of a store, as a class of tests that any store can inherit.

A store's tests are a subclass with a fixture `store`, and, where a store can be opened twice, `again`::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            store = MyStore(tmp_path / "trials")
            yield store
            store.close()

        def again(self, store):
            return MyStore(store.path)

To see values when a check fails, write ``pytest.register_assert_rewrite("hpspace.testing.stores")`` into your
``conftest.py``.

Each test is a sentence of `hpspace.trials.shared.contract`. They need an empty store and leave what they like in it.
Leases are short and waited for with `time.sleep`; a store whose clock can be put forward overrides `let_pass`.
"""

from __future__ import annotations

from hpspace.testing.stores.evaluating import Evaluating
from hpspace.testing.stores.following import Following
from hpspace.testing.stores.inserting import Inserting
from hpspace.testing.stores.keeping import Keeping
from hpspace.testing.stores.leases import Leases
from hpspace.testing.stores.operating import Operating

__all__ = ["StoreContract"]


class StoreContract(Inserting, Evaluating, Leases, Operating, Following, Keeping):
    """What every store does."""
