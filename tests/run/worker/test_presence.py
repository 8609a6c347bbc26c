"""What a driver says of its workers: that there are none, or what they lack."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from hpspace import Trials, fmin, hp
from hpspace.run import presence
from hpspace.run.orders import Limits, Settings
from hpspace.run.presence import Presence
from hpspace.run.worker import Worker
from hpspace.trials.document import new_document
from hpspace.trials.shared.fingerprint import fingerprint

SPACE = {"x": hp.uniform("x", -1, 1)}


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Look all the time, and lose patience after a tenth of a second."""
    monkeypatch.setattr(presence, "PATIENCE", 0.1)
    monkeypatch.setattr(presence, "LOOK", 0.0)


def queued(url="memory:#e"):
    trials = Trials.open(url, asynchronous=True)
    trials.insert_trial_docs([new_document(tid, {"x": 0.5}, exp_key="e") for tid in trials.new_trial_ids(1)])
    trials.refresh()
    return trials


def said(caplog, action):
    return [record.getMessage() for record in caplog.records if getattr(record, "action", "") == action]


def test_a_search_without_workers_says_once_how_to_start_one(tmp_path, caplog):
    """By the run itself: it waits for a second, and says so in one line, with the command."""
    trials = Trials.open(f"sqlite:///{tmp_path / 'study.db'}#my first", asynchronous=True)
    fmin(
        lambda c: c["x"],
        SPACE,
        "rand",
        2,
        timeout=1.0,
        trials=trials,
        rstate=0,
        verbose=False,
        return_argmin=False,
    )
    (text,) = said(caplog, "no_worker")
    assert f"hpspace worker sqlite:///{tmp_path}/study.db --exp-key 'my first'" in text
    trials.close()


def test_an_address_with_a_password_is_to_be_given_in_the_environment():
    trials = queued()
    trials.store.url = "mongodb://ann:***@db:27017/tuning"
    assert Presence(trials).command() == (
        "HPSPACE_URL='mongodb://ann:***@db:27017/tuning' hpspace worker --exp-key e"
    )


def test_nothing_is_said_while_a_worker_is_there(caplog):
    trials = queued()
    here = Presence(trials)
    trials.store.hello({"owner": "far:1", "exp_key": None, "role": "worker"})
    time.sleep(0.15)
    here.look()
    assert said(caplog, "no_worker") == []


def test_it_is_said_again_when_workers_came_and_went(caplog, monkeypatch):
    trials = queued()
    here = Presence(trials)
    present = [[], [], [{"owner": "far:1", "role": "worker"}], [], []]
    monkeypatch.setattr(trials.store, "workers", lambda *args: present.pop(0))
    for _ in range(5):
        time.sleep(0.11)
        here.look()
    assert len(said(caplog, "no_worker")) == 2


def test_nothing_is_said_when_no_trial_waits(caplog):
    trials = Trials.open("memory:#e", asynchronous=True)
    here = Presence(trials)
    time.sleep(0.15)
    here.look()
    assert said(caplog, "no_worker") == []


def test_what_a_worker_cannot_load_is_told_once(caplog):
    trials = queued()
    here = Presence(trials)
    facts = {
        "owner": "far:1",
        "exp_key": "e",
        "role": "worker",
        "cannot_load": {"e": "No module named 'data'"},
    }
    trials.store.hello(facts)
    here.look()
    here.look()
    (text,) = said(caplog, "cannot_load")
    assert "far:1" in text and "No module named 'data'" in text


def test_the_driver_hears_what_its_worker_lacks(caplog):
    """From the worker's look at the parcel to the driver's log."""
    trials = queued()
    trials.store.publish_domain("e", "0" * 64, b"\0" * 8 + b"no pickle", None)
    Worker(trials.store, Settings(owner="far:7", subprocess=False), Limits(idle=0.2)).run()
    caplog.clear()
    caplog.set_level(logging.INFO)
    Presence(trials).look()
    (text,) = said(caplog, "cannot_load")
    assert "far:7" in text
    trials.refresh()
    assert [(doc["state"], doc["attempt"]) for doc in trials.documents()] == [(0, 0)]


# -- which objective is the same ---------------------------------------------------------------------------


def test_an_objective_stays_the_same_while_it_notes_results():
    """Lists, dicts and sets in its closure, its defaults and its attributes fill up."""

    def make():
        seen, table = [], {}

        def objective(config, known=set()):  # noqa: B006 - that it changes is the point
            seen.append(config)
            table[len(seen)] = config
            known.add(config)
            return 0.0

        return objective

    objective = make()
    before = fingerprint(objective)
    objective(1)
    assert fingerprint(objective) == before


def test_other_values_make_another_objective():
    def make(power, names=("a",)):
        return lambda config: (config**power, names)

    assert fingerprint(make(2)) == fingerprint(make(2))
    assert len({fingerprint(make(2)), fingerprint(make(3)), fingerprint(make(2, ("b",)))}) == 3


def test_two_searches_with_one_noting_objective_share_an_experiment():
    """The second one starts while the first is alive and has notes already."""
    trials, notes = Trials.open("memory:#e"), []

    def objective(config):
        notes.append(config)
        time.sleep(0.02)
        return config["x"]

    def search():
        other = trials.view("e")
        fmin(objective, SPACE, "rand", 12, trials=other, rstate=len(notes), verbose=False)

    first = threading.Thread(target=search)
    first.start()
    while len(notes) < 2:
        time.sleep(0.01)
    search()
    first.join()
    trials.refresh()
    assert [doc["state"] for doc in trials.documents()] == [2] * 12
