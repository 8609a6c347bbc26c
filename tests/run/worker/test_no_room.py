"""A disk that is full for a while: workers wait, and no result that they have is lost."""

from __future__ import annotations

import logging
import threading

import pytest

from hpspace import Trials, hp
from hpspace.exceptions import StoreFull, StoreUnavailable
from hpspace.run import claimed
from hpspace.run.domain import Domain
from hpspace.run.orders import Limits, Settings, Stop
from hpspace.run.trust import sealed
from hpspace.run.worker import Worker
from hpspace.run.worker_objectives import Objectives
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_NEW, JOB_STATE_RUNNING, new_document

SPACE = {"x": hp.uniform("x", -1, 1)}


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(claimed, "PAUSE", 0.02)
    monkeypatch.setattr(claimed, "LOOK", 0.01)


@pytest.fixture
def trials(tmp_path):
    """Two queued trials in a file, whose objective is published; ``calls`` counts evaluations."""
    made = Trials.open(f"sqlite:///{tmp_path / 'study.db'}#e", asynchronous=True)
    docs = [new_document(tid, {"x": tid / 2}, exp_key="e") for tid in made.new_trial_ids(2)]
    made.insert_trial_docs(docs)
    calls = tmp_path / "calls"

    def objective(config):
        with open(calls, "a") as file:
            file.write("x")
        return config["x"]

    made.store.publish_domain("e", "sha", *sealed(Domain(objective, SPACE)))
    made.calls = calls
    yield made
    made.close()


def failing(monkeypatch, store, move, errors):
    """Let a move of a store fail with each of some errors, then work."""
    works, left = getattr(store, move), list(errors)

    def moved(*args, **options):
        if left:
            raise left.pop(0)
        return works(*args, **options)

    monkeypatch.setattr(store, move, moved)


def said(caplog, action):
    return [record for record in caplog.records if getattr(record, "action", "") == action]


@pytest.mark.parametrize("move", ["reserve", "finish", "release"])
def test_a_worker_waits_for_room(trials, monkeypatch, caplog, move):
    """Two tries in vain, one line of log when it begins and one when it ends; every trial is evaluated once."""
    caplog.set_level(logging.INFO)
    failing(monkeypatch, trials.store, move, [StoreFull("disk is full"), StoreUnavailable("is locked")])
    if move == "release":
        trials.store.delete("e", [1])
        monkeypatch.setattr(Objectives, "get", lambda self, exp_key, trials: None)
    Worker(trials.store, Settings(exp_key="e", subprocess=False), Limits(idle=0.3)).run()
    trials.refresh()
    states = {doc["state"] for doc in trials.documents()}
    assert states == {JOB_STATE_NEW if move == "release" else JOB_STATE_DONE}
    assert move == "release" or trials.calls.read_text() == "xx"
    assert len(said(caplog, "no_room")) == len(said(caplog, "room_again")) == 1


def test_told_to_stop_it_waits_no_longer_for_room_to_claim(trials, monkeypatch):
    stop, refused = Stop(), threading.Event()

    def reserve(*args, **options):
        refused.set()
        raise StoreFull("disk is full")

    monkeypatch.setattr(trials.store, "reserve", reserve)
    worker = Worker(trials.store, Settings(exp_key="e", subprocess=False), stop=stop)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert refused.wait(20)
    stop.ask()
    thread.join(20)
    assert worker.done.reason == "it was told to"
    assert set(trials.store.counts("e")) == {JOB_STATE_NEW}


def test_told_to_stop_it_leaves_a_result_that_has_no_room_in_the_end(trials, monkeypatch):
    """When its time has run out; the trial is another's when the lease ends."""
    stop = Stop()
    monkeypatch.setattr("hpspace.run.orders.LAST_WORDS", 0.1)

    def finish(*args, **options):
        if not stop:
            stop.ask()
        raise StoreFull("disk is full")

    monkeypatch.setattr(trials.store, "finish", finish)
    worker = Worker(trials.store, Settings(exp_key="e", subprocess=False, drain_timeout=0.1), stop=stop)
    with pytest.raises(StoreFull):
        worker.run()
    assert trials.store.counts("e") == {JOB_STATE_NEW: 1, JOB_STATE_RUNNING: 1}
