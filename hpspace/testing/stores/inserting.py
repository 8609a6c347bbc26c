"""Adding trials, and giving out their ids."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hpspace.exceptions import InvalidTrial
from hpspace.testing.stores.base import (
    KEY,
    AnyStore,
    documents,
    everything,
    filled,
    in_threads,
    one,
    reserved,
)
from hpspace.trials.document import (
    JOB_STATES,
    new_document,
)
from hpspace.trials.shared.contract import STORE_KEYS, Store


class Inserting(AnyStore):
    """What happens when trials are added."""

    def test_it_has_every_method_of_the_contract(self, store: Store) -> None:
        assert isinstance(store, Store)
        assert isinstance(store.url, str)

    def test_it_may_be_closed_twice(self, store: Store) -> None:
        store.close()
        store.close()

    def test_ids_count_up_and_are_given_out_once(self, store: Store) -> None:
        with self.opened_again(store) as other:
            ids = [*store.new_tids(3), *other.new_tids(2), *store.new_tids(1)]
        assert ids == sorted(set(ids))

    def test_ids_of_racing_threads_differ(self, store: Store) -> None:
        ids: list[int] = []

        def work() -> None:
            for _ in range(20):
                ids.extend(store.new_tids(2))

        in_threads([work] * 4)
        assert len(set(ids)) == len(ids) == 160

    def test_inserted_documents_are_read_back_with_the_keys_of_stores(self, store: Store) -> None:
        docs = documents(store, 2)
        before = copy.deepcopy(docs)
        store.insert(docs)
        assert docs == before, "insert changed the caller's documents"
        for doc in docs:
            read = one(store, doc["tid"])
            assert {**doc, **STORE_KEYS} == {key: _listed(doc, read, key) for key in {*doc, *STORE_KEYS}}

    def test_an_insert_may_be_repeated(self, store: Store) -> None:
        """Its answer may have been lost; meanwhile a trial may have been claimed."""
        docs = documents(store, 3)
        store.insert(docs)
        reserved(store)
        before = everything(store)
        store.insert(docs)
        assert everything(store) == before

    def test_an_id_is_of_one_trial(self, store: Store) -> None:
        """All or none: the good document of the batch is not there afterwards."""
        good, taken = documents(store, 2)
        store.insert([taken])
        with pytest.raises(InvalidTrial, match=f"tid {taken['tid']}"):
            store.insert([good, new_document(taken["tid"], {"x": 99.0}, exp_key=KEY)])
        assert list(everything(store)) == [taken["tid"]]

    @pytest.mark.parametrize("tid", ["a", -1, True, 1.0, 2**63, None])
    def test_ids_are_ints_from_0(self, store: Store, tid: Any) -> None:
        with pytest.raises(InvalidTrial, match="tid"):
            store.insert([new_document(tid, {"x": 0.5})])

    def test_what_is_no_trial_is_not_inserted(self, store: Store) -> None:
        with pytest.raises(InvalidTrial):
            store.insert([{"tid": 0}])

    def test_ids_of_inserted_documents_are_not_given_out(self, store: Store) -> None:
        """Documents may come from elsewhere, with ids of their own."""
        store.insert([new_document(41, {"x": 0.5})])
        assert store.new_tids(1) > [41]

    def test_documents_in_any_state_can_be_inserted(self, store: Store) -> None:
        docs = documents(store, len(JOB_STATES))
        for doc, state in zip(docs, JOB_STATES):
            doc["state"] = state
        store.insert(docs)
        assert [doc["state"] for doc in everything(store).values()] == JOB_STATES

    def test_many_documents_are_one_insert(self, store: Store) -> None:
        tids = filled(store, 1500)
        assert sorted(everything(store)) == tids


def _listed(written: dict[str, Any], read: dict[str, Any], key: str) -> Any:
    """Return a value of a document that was read, a tuple again where it was one: not every store knows tuples."""
    if key == "misc" and isinstance(written["misc"]["cmd"], tuple):
        return {**read["misc"], "cmd": tuple(read["misc"]["cmd"])}
    return read[key]
