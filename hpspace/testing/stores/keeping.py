"""Values of every kind, blobs, facts, the objective, presence."""

from __future__ import annotations

import datetime
import math
import threading
from typing import Any

import numpy as np
import pytest

from hpspace.exceptions import DomainSwapError, Unstorable
from hpspace.testing.stores.base import (
    KEY,
    LONGER,
    OK,
    SHORT,
    AnyStore,
    documents,
    everything,
    filled,
    one,
    reserved,
)
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
)
from hpspace.trials.shared.contract import Store


class Keeping(AnyStore):
    """What is kept comes back."""

    def test_values_survive(self, store: Store) -> None:
        """What a result may hold comes back equal; keys of dicts as texts, numpy values as plain ones."""
        when = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)
        result: dict[Any, Any] = {
            "status": "ok",
            "loss": np.float32(0.5),
            "none": None,
            "big": 2**62,
            "text": "é\n\U0001f600\x00end",
            "when": when,
            "bytes": bytes(range(256)),
            "nested": [{"a.b": [1, [2.5, True]], "$x": {"y": ""}}, {"$set": 1}],
            "array": np.arange(4).reshape(2, 2),
            7: {np.int64(8): "int keys"},
            "ключ": 1,
        }
        filled(store, 1)
        claim = reserved(store)
        assert store.finish(claim, JOB_STATE_DONE, result)
        read = one(store, claim.tid)["result"]
        expected = {**result, "array": [[0, 1], [2, 3]], "7": {"8": "int keys"}}
        del expected[7]
        assert read == expected
        assert type(read["loss"]) is float and type(read["array"][0][0]) is int

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324])
    def test_every_float_survives(self, store: Store, value: float) -> None:
        filled(store, 1)
        claim = reserved(store)
        assert store.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": value, "all": [value]})
        read = one(store, claim.tid)["result"]
        assert repr(read["loss"]) == repr(read["all"][0]) == repr(value)

    @pytest.mark.parametrize(
        ("result", "path"),
        [
            ({"model": object()}, r"result\['model'\]"),
            ({"a": [1, {"f": print}]}, r"result\['a'\]\[1\]\['f'\]"),
            ({"a": {1: 0, "1": 0}}, r"result\['a'\]"),
        ],
    )
    def test_what_cannot_be_kept_is_named_and_changes_nothing(
        self, store: Store, result: dict[str, Any], path: str
    ) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        with pytest.raises(Unstorable, match=path):
            store.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": 1.0, **result})
        assert one(store, tid) == claim.doc
        assert store.finish(claim, JOB_STATE_ERROR, misc={"error": ["Unstorable", "see above"]})

    def test_documents_with_what_cannot_be_kept_are_not_inserted(self, store: Store) -> None:
        good, bad = documents(store, 2)
        bad["misc"]["lock"] = threading.Lock()
        with pytest.raises(Unstorable, match=f"trial {bad['tid']}.*lock"):
            store.insert([good, bad])
        assert everything(store) == {}

    def test_a_large_result_is_kept(self, store: Store) -> None:
        filled(store, 1)
        claim = reserved(store)
        curve = [float(i) for i in range(100_000)]
        assert store.finish(claim, JOB_STATE_DONE, {**OK, "curve": curve})
        assert one(store, claim.tid)["result"]["curve"] == curve

    def test_what_is_handed_out_is_not_what_is_kept(self, store: Store) -> None:
        (tid,) = filled(store, 1)
        claim = reserved(store)
        claim.doc["misc"]["vals"]["x"].append("spoilt")
        one(store, tid)["misc"]["vals"]["x"].append("spoilt")
        assert one(store, tid)["misc"]["vals"]["x"] == [tid / 8]

    @pytest.mark.parametrize("exp_key", [None, KEY])
    def test_blobs_are_kept_by_experiment_and_name(self, store: Store, exp_key: str | None) -> None:
        for name, data in [("a", b""), ("b é/1", bytes(range(256))), ("a", b"replaced")]:
            store.put_blob(exp_key, name, data)
        assert store.blob_names(exp_key) == ["a", "b é/1"]
        assert store.blob_names(exp_key, "b") == ["b é/1"]
        assert store.get_blob(exp_key, "a") == b"replaced"
        assert store.blob_names("other") == []
        store.delete_blob(exp_key, "a")
        assert store.blob_names(exp_key) == ["b é/1"]

    def test_missing_blobs_are_key_errors(self, store: Store) -> None:
        store.put_blob("other", "a", b"x")
        with pytest.raises(KeyError, match="a"):
            store.get_blob(KEY, "a")
        with pytest.raises(KeyError, match="a"):
            store.delete_blob(KEY, "a")

    @pytest.mark.parametrize("prefix", ["", "%", "_", "a_", "ATTACH::1::"])
    def test_prefixes_are_no_patterns(self, store: Store, prefix: str) -> None:
        names = sorted(["a%", "a_b", "ab", "%", "ATTACH::1::x", "ATTACH::11::x"])
        for name in names:
            store.put_blob(KEY, name, b"")
        assert store.blob_names(KEY, prefix) == [name for name in names if name.startswith(prefix)]

    def test_a_blob_of_100_megabytes_is_kept(self, store: Store) -> None:
        block = np.random.default_rng(0).bytes(1 << 20)
        data = block * 100
        store.put_blob(KEY, "large", data)
        with self.opened_again(store) as other:
            assert other.get_blob(KEY, "large") == data
        store.put_blob(KEY, "large", b"small")
        assert store.get_blob(KEY, "large") == b"small"

    def test_facts_are_merged(self, store: Store) -> None:
        assert store.get_meta(KEY) == {}
        store.update_meta(KEY, {"direction": "maximize", "bound": math.inf})
        store.update_meta(KEY, {"space": {"params": [1, 2]}})
        with self.opened_again(store) as other:
            assert other.get_meta(KEY) == {
                "direction": "maximize",
                "bound": math.inf,
                "space": {"params": [1, 2]},
            }
        assert store.get_meta(None) == {}

    def test_the_objective_is_published_and_read(self, store: Store) -> None:
        with pytest.raises(KeyError):
            store.domain(KEY)
        store.publish_domain(KEY, "sha1", b"code", "signed")
        store.publish_domain(KEY, "sha1")
        with self.opened_again(store) as other:
            assert other.domain(KEY) == ("sha1", b"code", "signed")

    def test_an_objective_need_not_travel(self, store: Store) -> None:
        store.publish_domain(KEY, "sha1")
        assert store.domain(KEY) == ("sha1", None, None)

    def test_another_objective_is_refused_while_one_is_held(self, store: Store) -> None:
        store.publish_domain(KEY, "sha1", b"code")
        with pytest.raises(DomainSwapError, match=f"exp_key='{KEY}'"):
            store.publish_domain(KEY, "sha2", b"other")
        assert store.domain(KEY)[:2] == ("sha1", b"code")
        store.publish_domain("other", "sha2", b"other")

    @pytest.mark.parametrize("way", ["let go", "vanish"])
    def test_another_objective_follows_when_nobody_holds_the_first(self, store: Store, way: str) -> None:
        store.publish_domain(KEY, "sha1", b"code", ttl=60.0 if way == "let go" else SHORT)
        if way == "let go":
            store.publish_domain(KEY, "sha1", ttl=0.0)
        self.let_pass(store, LONGER)
        store.publish_domain(KEY, "sha2", b"other")
        assert store.domain(KEY) == ("sha2", b"other", None)

    def test_workers_are_seen_while_they_say_hello(self, store: Store) -> None:
        store.hello({"owner": "h:1", "exp_key": KEY, "python": "3.11"})
        store.hello({"owner": "h:2", "exp_key": None})
        store.hello({"owner": "h:3", "exp_key": "other"})
        store.hello({"owner": "h:1", "exp_key": KEY, "python": "3.12"})
        seen = {worker["owner"]: worker for worker in store.workers(KEY)}
        assert set(seen) == {"h:1", "h:2"} and seen["h:1"]["python"] == "3.12"
        assert all(0.0 <= worker["seen"] < 60.0 for worker in seen.values())
        assert len(store.workers(None)) == 3
        self.let_pass(store, LONGER)
        assert store.workers(None, within=SHORT) == []
