"""`MongoTrials` and its handle: Hyperopt's arguments and methods, on a real server."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpspace import Trials, fmin, hp
from hpspace.exceptions import DomainSwapError, StoreError
from hpspace.mongoexp import MongoJobs, MongoTrials, OperationFailure
from hpspace.run.mongod import Server
from hpspace.run.orders import Settings, Stop
from hpspace.run.worker import Worker
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_RUNNING, new_document
from hpspace.trials.exchange import export_jsonl, import_jsonl
from hpspace.trials.mongo.store import MongoStore, open_store
from hpspace.trials.mongo.url import parse

OK = {"status": "ok", "loss": 0.25}


@pytest.fixture
def trials(standalone_url: str) -> Iterator[MongoTrials]:
    trials = MongoTrials(standalone_url, exp_key="e")
    yield trials
    trials.close()


def added(trials: MongoTrials, n: int = 1) -> list[int]:
    """Insert n trials and return their ids."""
    docs = [new_document(tid, {"x": tid / 8}, exp_key=trials._exp_key) for tid in trials.new_trial_ids(n)]
    trials.insert_trial_docs(docs)
    trials.refresh()
    return [doc["tid"] for doc in docs]


@contextlib.contextmanager
def working(url: str) -> Iterator[None]:
    """Let a worker evaluate in a thread."""
    store, stop = open_store(url), Stop()
    worker = Worker(store, Settings(exp_key="e", subprocess=False, owner="worker:1"), stop=stop)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        stop.ask()
        thread.join()
        store.close()


def test_a_search_is_evaluated_elsewhere(mongo_url: str) -> None:
    """The objective, a function of this very test, arrives by value; the search sees what became of it."""
    shift = 0.5
    with working(mongo_url):
        trials = MongoTrials(mongo_url, exp_key="e")
        best = fmin(
            lambda x: (x - shift) ** 2,
            hp.uniform("x", -1, 1),
            algo="tpe",
            max_evals=12,
            max_queue_len=3,
            trials=trials,
            rstate=0,
            show_progressbar=False,
        )
    assert len(trials) == 12 and trials.count_by_state_unsynced(JOB_STATE_DONE) == 12
    assert {doc["owner"] for doc in trials.trials} == {"worker:1"}
    assert abs(best["x"] - shift) < 0.5
    trials.close()


def test_another_objective_in_the_same_experiment_is_refused(
    trials: MongoTrials, standalone_url: str
) -> None:
    trials.store.publish_domain("e", "another", b"objective")
    with pytest.raises(DomainSwapError, match="exp_key='e'"):
        fmin(lambda x: x, hp.uniform("x", 0, 1), max_evals=1, trials=trials, show_progressbar=False)


def test_the_objective_is_fetched_once_by_a_worker(
    trials: MongoTrials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have 40 MB, and is asked for before every trial."""
    store = trials.store
    assert isinstance(store, MongoStore)
    store.publish_domain("e", "sha", b"objective")
    assert store.domain("e") == ("sha", b"objective", None)
    monkeypatch.setattr(store._blobs, "read", None)
    assert store.domain("e") == ("sha", b"objective", None)
    monkeypatch.undo()
    store.publish_domain("e", "sha", ttl=0.0)
    store.publish_domain("e", "other", b"another")
    assert store.domain("e") == ("other", b"another", None)


def test_trials_with_attachments_go_into_text_files_and_other_stores(
    trials: MongoTrials, tmp_path: Path
) -> None:
    """What the database has added to documents, such as the ids of its files, stays there."""
    added(trials, 1)
    trials.trial_attachments(trials.trials[0])["log"] = b"bytes"
    trials.refresh()
    assert export_jsonl(trials, tmp_path / "lines") == 1
    (line,) = import_jsonl(tmp_path / "lines").documents()
    copy = Trials()
    trials.copy_to(copy)
    plain = set(new_document(0, {"x": 0.0})) | {"version"}
    assert set(line) == set(copy.documents()[0]) == plain
    assert copy.trial_attachments(copy.trials[0])["log"] == b"bytes"


def test_the_experiment_may_stand_in_the_address(standalone_url: str) -> None:
    trials = MongoTrials(f"{standalone_url}#from-address")
    assert trials._exp_key == "from-address" and trials.asynchronous
    trials.close()


def test_it_can_be_made_from_a_handle_and_from_a_store(trials: MongoTrials) -> None:
    (tid,) = added(trials)
    for source in (trials.handle, trials.store):
        assert MongoTrials(source, exp_key="e").tids == [tid]  # type: ignore[arg-type]
    assert MongoTrials(trials.handle, exp_key="other", cmd="c", workdir="w").workdir == "w"


def test_a_view_stays_with_its_experiment_unless_told_otherwise(trials: MongoTrials) -> None:
    """As in Hyperopt: no exp_key means the present one, other than with trials in memory."""
    tids = added(trials, 2)
    assert trials.view().tids == tids
    assert trials.view("other").tids == []
    assert trials.view(cmd="c", workdir="w").cmd == "c"


def test_some_trials_are_deleted_by_a_filter(trials: MongoTrials) -> None:
    tids = added(trials, 3)
    other = MongoTrials(trials.handle, exp_key="other")
    added(other)
    trials.attachments["kept"] = b"x"
    trials.trial_attachments(trials.trials[0])["gone"] = b"x"
    trials.delete_all({"tid": {"$lte": tids[0]}})
    assert trials.tids == tids[1:] and list(trials.attachments) == ["kept"]
    trials.delete_all()
    assert len(trials) == 0 and list(trials.attachments) == [] and len(other) == 1
    assert trials.handle.gfs.list() == []


def test_pickles_hold_no_password(mongod_replset: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lead back to the store of whoever knows it."""
    monkeypatch.setenv("HPSPACE_MONGO_URL", mongod_replset.url)
    trials = MongoTrials(None, exp_key="pickled")
    added(trials)
    data = pickle.dumps(trials)
    secret = parse(mongod_replset.url).password
    assert secret is not None and secret.encode() not in data
    again = pickle.loads(data)
    assert again.tids == trials.tids
    again.close()
    trials.delete_all()
    trials.close()


@pytest.mark.parametrize(
    "show", [repr, lambda t: repr(t.store), lambda t: repr(t.handle), lambda t: t.store.url]
)
def test_nothing_that_is_shown_has_the_password(
    mongod_replset: Server, show: Callable[[MongoTrials], str]
) -> None:
    trials = MongoTrials(mongod_replset.url, exp_key="shown")
    secret = parse(mongod_replset.url).password
    assert secret is not None and secret not in show(trials)
    trials.close()


class TestHandle:
    """The documents, for programs that work on them directly."""

    @pytest.fixture
    def handle(self, trials: MongoTrials) -> MongoJobs:
        added(trials, 4)
        return trials.handle

    def test_jobs_are_listed_by_state(self, handle: MongoJobs) -> None:
        first, second = handle.reserve("host:1"), handle.reserve("host:1")
        assert first is not None and second is not None
        handle.update(first, {"state": 2, "result": OK})
        handle.update(second, {"state": 3, "error": ["T", "m"]})
        assert (len(handle), len(list(handle))) == (4, 4)
        assert [doc["tid"] for doc in handle.jobs_complete()] == [first["tid"]]
        assert [doc["tid"] for doc in handle.jobs_error(cursor=True)] == [second["tid"]]
        assert len(handle.jobs_queued()) == 2
        handle.delete_all_error_jobs()
        assert len(handle) == 3
        handle.delete({"_id": first["_id"]})
        assert len(handle) == 2

    def test_dead_jobs_are_those_whose_lease_has_run_out(self, handle: MongoJobs) -> None:
        alive = handle.reserve("host:1", exp_key="e")
        lapsed = handle.store.reserve("host:2", "e", lease=-1.0)
        assert alive is not None and lapsed is not None
        assert [doc["tid"] for doc in handle.jobs_dead()] == [lapsed.tid]
        assert [doc["tid"] for doc in handle.jobs_running()] == [alive["tid"]]

    def test_a_reserved_job_is_its_owners_for_good(self, handle: MongoJobs) -> None:
        """No heartbeats are asked of programs that know of none."""
        doc = handle.reserve(["host:1"], cond={"misc.vals.x": [0.25]})
        assert doc is not None
        assert (doc["tid"], doc["state"], doc["owner"]) == (2, JOB_STATE_RUNNING, ["host:1"])
        assert "lease_until" not in doc and not handle.store.reap(None)
        assert handle.reserve("host:1", exp_key="nobody") is None
        with pytest.raises(ValueError, match="owner"):
            handle.reserve("host:1", cond={"owner": "me"})

    def test_an_update_is_seen_by_trials(self, handle: MongoJobs, trials: MongoTrials) -> None:
        doc = handle.reserve("host:1")
        assert doc is not None
        before = doc["version"]
        assert (
            handle.update(doc, {"state": 2, "result": {"status": "ok", "loss": 1.0, "a.b": {"$x": 1}}}) is doc
        )
        assert doc["version"] == before + 1
        trials.refresh()
        assert trials.by_tid(doc["tid"])["result"] == {"status": "ok", "loss": 1.0, "a.b": {"$x": 1}}

    def test_an_update_of_what_others_have_changed_is_refused(self, handle: MongoJobs) -> None:
        doc = handle.reserve("host:1")
        assert doc is not None
        stale = dict(doc)
        handle.refresh(doc)
        with pytest.raises(OperationFailure, match="not in version 1"):
            handle.update(stale, {"state": 2})
        with pytest.raises(ValueError, match="_id"):
            handle.update({"tid": 1}, {})
        with pytest.raises(ValueError, match="_id"):
            handle.update(doc, {"_id": 7})

    def test_an_inserted_job_gets_an_id(self, handle: MongoJobs) -> None:
        job = new_document(99, {"x": 0.5}, exp_key="e")
        inserted = handle.insert(job)
        assert "_id" not in job and handle.jobs.find_one({"_id": inserted["_id"]})["tid"] == 99  # type: ignore[index]

    def test_attachments_of_a_job(self, handle: MongoJobs) -> None:
        doc = handle.jobs.find_one({"tid": 0})
        assert doc is not None
        handle.set_attachment(doc, b"bytes", "a")
        handle.set_attachment(doc, "text", "b")
        handle.set_attachment(doc, b"new", "a")
        assert sorted(handle.attachment_names(doc)) == ["a", "b"]
        assert (handle.get_attachment(doc, "a"), handle.get_attachment(doc, "b")) == (b"new", b"text")
        handle.delete_attachment(doc, "a")
        assert handle.attachment_names(doc) == ["b"] and len(handle.gfs.list()) == 1
        for use in (handle.get_attachment, handle.delete_attachment):
            with pytest.raises(StoreError, match="Attachment not found: a"):
                use(doc, "a")

    def test_it_can_be_opened_by_an_address(self, handle: MongoJobs, standalone_url: str) -> None:
        other = MongoJobs.new_from_connection_str(standalone_url.replace("mongodb://", ""))
        other.create_indexes()
        assert len(other) == 4 and isinstance(other.store, MongoStore)
        other.store.close()
