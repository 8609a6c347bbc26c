"""Hyperopt's experiments are read and taken over, and Hyperopt's tools can read ours.

``data/hyperopt_experiment.jsonl`` is what Hyperopt itself has left in a database; ``data/make_hyperopt_experiment.py``
says how it was made. Six trials: 1, 2 and 4 have raised, 3 is done, 5 was claimed by a worker that is no more, 6 waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bson import json_util
from gridfs import GridFS
from pymongo import MongoClient

from hpspace.mongoexp import MongoTrials
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    new_document,
)
from hpspace.trials.mongo.store import MongoStore, open_store

EXPERIMENT = Path(__file__).parent / "data" / "hyperopt_experiment.jsonl"
KEY = "golden"
OK = {"status": "ok", "loss": 0.25}


@pytest.fixture
def url(standalone_url: str) -> str:
    """The address of a database in which Hyperopt has worked."""
    with MongoClient(standalone_url) as client:
        database = client.get_default_database()
        for line in EXPERIMENT.read_text().splitlines():
            collection, doc = json_util.loads(line)
            database[collection].insert_one(doc)
    return standalone_url


@pytest.fixture
def store(url: str) -> Iterator[MongoStore]:
    store = open_store(url)
    yield store
    store.close()


class TestReading:
    """An experiment of Hyperopt, as it is."""

    def test_every_trial_is_there(self, store: MongoStore) -> None:
        docs = {doc["tid"]: doc for doc in store.changes(KEY).docs}
        assert {tid: doc["state"] for tid, doc in docs.items()} == {1: 3, 2: 3, 3: 2, 4: 3, 5: 1, 6: 0}
        assert docs[1]["misc"]["error"] == ("<class 'ValueError'>", "too far: 0.7653106064194755")
        assert docs[3]["result"]["path"] == [1, 2.5, "t"]
        assert docs[5]["owner"] == ["host:1"] and docs[5]["token"] is None
        assert store.counts(KEY) == {
            JOB_STATE_NEW: 1,
            JOB_STATE_RUNNING: 1,
            JOB_STATE_DONE: 1,
            JOB_STATE_ERROR: 3,
        }

    def test_trials_show_it(self, url: str) -> None:
        trials = MongoTrials(url, exp_key=KEY)
        assert trials.best_trial["tid"] == 3
        assert trials.argmin == {"net": 0, "x": -0.4728605386809541}
        assert trials.tids == [3, 5, 6]
        assert trials.vals["d"] == [4.0, 2.0]
        trials.close()

    def test_its_attachments_are_there(self, url: str) -> None:
        trials = MongoTrials(url, exp_key=KEY)
        assert trials.attachments["note"] == b"of all trials"
        mine = trials.trial_attachments(trials.best_trial)
        assert dict(mine) == {"log": b"said so"}
        mine["log"] = b"replaced"
        assert trials.handle.get_attachment(trials.handle.jobs.find_one({"tid": 3}), "log") == b"replaced"
        trials.close()

    def test_it_is_listed_among_the_experiments(self, store: MongoStore) -> None:
        (experiment,) = store.experiments()
        assert (experiment.exp_key, experiment.best_loss) == (KEY, 0.2235970890416421)


class TestTakingOver:
    """Workers of hpspace go on where those of Hyperopt have stopped."""

    def test_what_waits_is_evaluated(self, store: MongoStore) -> None:
        claim = store.reserve("me", KEY)
        assert claim is not None and (claim.tid, claim.attempt) == (6, 1)
        assert store.finish(claim, JOB_STATE_DONE, OK)
        assert store.reserve("me", KEY) is None

    def test_ids_go_on(self, store: MongoStore) -> None:
        assert store.new_tids(1) == [7]

    def test_a_claim_without_a_lease_is_left_alone(self, store: MongoStore) -> None:
        """A worker of Hyperopt may be at it: such claims say nothing of when they end."""
        assert not store.reap(KEY)

    @pytest.mark.parametrize(("silent", "requeued"), [(3500, []), (3700, [5])])
    def test_a_claim_without_a_lease_is_taken_back_when_asked_for(
        self, url: str, silent: int, requeued: list[int]
    ) -> None:
        """If it was silent for long enough, by the server's clock."""
        store = open_store(url, adopt_stale=3600.0)
        then = {"$subtract": ["$$NOW", 1000 * silent]}
        store.jobs.update_one({"tid": 5}, [{"$set": {"refresh_time": then}}])
        assert store.reap(KEY).requeued == requeued
        store.close()

    def test_what_has_failed_is_queued_again(self, store: MongoStore) -> None:
        assert store.requeue(KEY, [1, 5]) == 2
        docs = {doc["tid"]: doc for doc in store.changes(KEY).docs}
        assert "error" not in docs[1]["misc"] and docs[1]["version"] == 3
        assert docs[5]["owner"] is None

    def test_an_edit_without_a_time_is_found_by_comparing(self, url: str) -> None:
        """Hyperopt's tools set the state and count the version up, but write no time of change."""
        trials = MongoTrials(url, exp_key=KEY)
        trials.handle.jobs.update_one({"tid": 6}, {"$set": {"state": 2, "result": OK, "version": 1}})
        trials.refresh_tids([6])
        assert trials.by_tid(6)["result"] == OK and trials.losses()[-1] == 0.25
        trials.handle.jobs.delete_one({"tid": 6})
        trials.refresh_tids()
        assert trials.tids == [3, 5]
        trials.close()

    def test_edits_of_others_are_found_by_themselves_now_and_then(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hpspace.trials.mongo.trials.COMPARE_SECONDS", 0.0)
        monkeypatch.setattr("hpspace.trials.mongo.trials.COMPARE_PATIENCE", 0.0)
        trials = MongoTrials(url, exp_key=KEY)
        trials.handle.jobs.update_one({"tid": 6}, {"$set": {"state": 2, "result": OK, "version": 1}})
        trials.refresh()
        assert trials.by_tid(6)["result"] == OK
        trials.close()

    def test_ids_that_occur_twice_are_lived_with(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        """Hyperopt does not keep anybody from inserting them, and so a database may hold some."""
        with MongoClient(url) as client:
            jobs = client.get_default_database()["jobs"]
            jobs.insert_one({**jobs.find_one({"tid": 6}, {"_id": 0}), "exp_key": "other"})  # type: ignore[dict-item]
        store = open_store(url)
        assert "several documents with one id" in caplog.text
        assert {store.reserve("me", None).tid for _ in range(2)} == {6}  # type: ignore[union-attr]
        assert store.reserve("me", None) is None
        store.close()


class TestBeingRead:
    """What Hyperopt's tools look for in a database is there, and where they look for it."""

    def test_documents_have_its_keys(self, standalone_url: str) -> None:
        store = open_store(standalone_url)
        docs = [new_document(tid, {"x": 0.5}, exp_key=KEY) for tid in store.new_tids(3)]
        store.insert(docs)
        store.finish(store.reserve("host:1", KEY), JOB_STATE_DONE, OK)  # type: ignore[arg-type]
        failed = {"error": ("<class 'ValueError'>", "no"), "traceback": "lines"}
        store.finish(store.reserve("host:1", KEY), JOB_STATE_ERROR, misc=failed)  # type: ignore[arg-type]
        done, error, waiting = store.jobs.find().sort("_id")
        for doc in (done, error, waiting):
            assert {*docs[0], "_id", "version"} <= doc.keys()
        assert (done["result"], done["state"], done["version"]) == (OK, 2, 2)
        assert error["error"] == ["<class 'ValueError'>", "no"]
        assert waiting == store.jobs.find_one({"owner": None, "state": 0, "exp_key": KEY})
        assert store.jobs.find_one(sort=[("result.loss", -1)])["tid"] == done["tid"]  # type: ignore[index]
        assert store.link.database["job_ids"].find_one({"a": 0})["last_id"] == 3  # type: ignore[index]
        store.close()

    def test_files_are_where_it_looks_for_them(self, standalone_url: str) -> None:
        """Attachments of a trial by the list in its document, others by name and experiment; bytes as they are."""
        store = open_store(standalone_url)
        (tid,) = store.new_tids(1)
        store.insert([new_document(tid, {"x": 0.5}, exp_key=KEY)])
        store.put_blob(KEY, f"ATTACH::{tid}::log", b"mine")
        store.put_blob(KEY, "note", b"ours")
        store.publish_domain(KEY, "sha", b"objective")
        doc = store.jobs.find_one({"tid": tid})
        assert doc is not None
        ((name, file_id),) = doc["_attachments"]
        files = GridFS(store.link.database)
        assert (name, files.get(file_id).read(), files.get(file_id).filename) == (
            "log",
            b"mine",
            f"{doc['_id']}_log",
        )
        assert files.get_version(filename="note", exp_key=KEY).read() == b"ours"
        assert files.get_version(filename="FMinIter_Domain", exp_key=KEY).read() == b"objective"
        store.close()
