"""`SharedTrials`: the reading interface of `Trials` over a store, claims that are kept alive, and what survives."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpspace import SqliteTrials, Trials, compile_space, fmin, hp
from hpspace.exceptions import DirectionMismatch, DomainSwapError, InvalidTrial
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    new_document,
)
from hpspace.trials.shared import keeper
from hpspace.trials.shared.keeper import Keeper
from hpspace.trials.shared.memory import MemoryStore
from hpspace.trials.shared.process import is_gone, this_process
from hpspace.trials.shared.sqlite import SqliteStore
from hpspace.trials.shared.trials import SharedTrials

OK = {"status": "ok", "loss": 0.5}
SPACE = {"x": hp.uniform("x", -1, 1), "c": hp.choice("c", ["a", {"y": hp.normal("y", 0, 1)}])}


def objective(config):
    return config["x"] ** 2


def cube(config):
    return config["x"] ** 3


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path: Path):
    store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "study.db")
    yield store
    store.close()


def added(trials, n=1):
    """Insert n trials and show them."""
    tids = trials.new_trial_ids(n)
    trials.insert_trial_docs([new_document(tid, {"x": tid / 8}, exp_key=trials._exp_key) for tid in tids])
    trials.refresh()
    return [trials.by_tid(tid) for tid in tids]


# -- following the store -------------------------------------------------------------------------------------


def test_a_search_is_the_same_as_in_memory(store):
    """Ids, points, losses and the best: only where they are kept differs."""
    trials, plain = SharedTrials(store, "e"), Trials()
    for kept in (trials, plain):
        fmin(objective, SPACE, "tpe", 25, trials=kept, rstate=3, show_progressbar=False)
    assert (trials.tids, trials.vals, trials.losses()) == (plain.tids, plain.vals, plain.losses())
    assert trials.argmin == plain.argmin and trials.best_config == plain.best_config


def test_documents_keep_their_identity(store):
    """Whoever holds a document sees it change; its history is updated, not made anew."""
    mine, other = SharedTrials(store, "e"), SharedTrials(store, "e")
    (doc,) = added(mine)
    other.refresh()
    space = compile_space(SPACE)
    history = mine.history(space)
    assert other.claim(other.trials[0]) and other.conclude(other.trials[0], JOB_STATE_DONE, OK)
    assert doc["state"] == JOB_STATE_NEW, "nothing is read before a refresh"
    mine.refresh()
    assert doc is mine.trials[0] and doc["result"] == OK
    assert mine.history(space) is history and history.losses.tolist() == [0.5]


def test_what_changed_long_ago_is_noticed_by_the_cheap_look(store):
    """An operator queues a failed trial again, of which a search thought that it was settled."""
    trials, operator = SharedTrials(store, "e"), SharedTrials(store, "e")
    docs = added(trials, 3)
    for doc in docs:
        trials.claim(doc)
        trials.conclude(doc, JOB_STATE_ERROR, error=("T", "m"))
    trials.refresh()
    assert trials.tids == []
    operator.refresh()
    assert operator.requeue(operator.by_tid(docs[0]["tid"]))
    trials.refresh_recent()
    assert trials.tids == [docs[0]["tid"]] and trials.unsettled()[0] is docs[0]


def test_a_change_that_came_in_with_a_move_is_shown_by_the_next_look(store):
    """`conclude` reads back what became of it, and with that what others did."""
    trials, operator = SharedTrials(store, "e"), SharedTrials(store, "e")
    first, second = added(trials, 2)
    trials.claim(first)
    trials.conclude(first, JOB_STATE_ERROR, error=("T", "m"))
    trials.refresh()
    trials.claim(second)
    operator.refresh()
    operator.requeue(operator.by_tid(first["tid"]))
    trials.conclude(second, JOB_STATE_DONE, OK)
    trials.refresh_recent()
    assert trials.tids == [first["tid"], second["tid"]]


def test_only_what_changed_is_read(store, monkeypatch):
    trials = SharedTrials(store, "e")
    docs = added(trials, 20)
    read = []
    changes = store.changes

    def counting(*args):
        found = changes(*args)
        read.append(len(found.docs))
        return found

    monkeypatch.setattr(store, "changes", counting)
    trials.refresh()
    SharedTrials(store, "e").cancel(docs[3])
    del read[:]
    trials.refresh()
    trials.refresh_recent()
    assert read == [1, 0]


def test_the_visible_list_is_that_of_the_last_refresh(store):
    """Whenever it is looked at; one that somebody holds stays as it was."""
    trials, other = SharedTrials(store, "e"), SharedTrials(store, "e")
    added(other, 2)
    trials.refresh_recent()
    assert "_trials" not in vars(trials), "a turn of a search makes no list"
    added(other, 1)
    assert trials.count_by_state_unsynced(JOB_STATE_NEW) == 3
    held = trials.trials
    assert len(held) == 2 and trials.trials is held
    trials.refresh_recent()
    assert (len(held), len(trials.trials)) == (2, 3)


def test_deleted_trials_disappear(store):
    trials, operator = SharedTrials(store, "e"), SharedTrials(store, "e")
    docs = added(trials, 3)
    store.delete("e", [docs[1]["tid"]])
    trials.refresh()
    assert [doc is kept for doc, kept in zip(trials.trials, [docs[0], docs[2]])] == [True, True]
    assert trials.history(compile_space(SPACE)).n == 2
    operator.delete_all()
    trials.refresh()
    assert trials.tids == [] and trials.new_trial_ids(1) == [docs[-1]["tid"] + 1]


def test_views_show_experiments_apart(store):
    one, two = SharedTrials(store, "one"), SharedTrials(store, "two")
    added(one, 2), added(two, 1)
    assert len(one.view(None)) == 3 and len(one.view("two")) == 1 and len(one) == 2
    nameless = one.view(None)
    assert nameless.unsettled() == [], "others' queues are shown, and not evaluated with our objective"


def test_unused_ids_are_given_out_again(store):
    """The seed of a proposal follows from its id: an interrupted one must not use ids up."""
    trials = SharedTrials(store, "e")
    tids = trials.new_trial_ids(3)
    trials.release_trial_ids(tids[1:])
    assert trials.new_trial_ids(3) == [tids[1], tids[2], tids[2] + 1]


def test_a_taken_id_is_refused(store):
    trials, other = SharedTrials(store, "e"), SharedTrials(store, "e")
    added(trials)
    with pytest.raises(InvalidTrial, match="tid 0"):
        other.insert_trial_doc(new_document(0, {"x": 9.0}, exp_key="e"))
    assert len(other._dynamic_trials) == 0


# -- moves ---------------------------------------------------------------------------------------------------


def test_a_trial_is_claimed_once(store):
    trials, other = SharedTrials(store, "e"), SharedTrials(store, "e")
    (doc,) = added(trials)
    other.refresh()
    assert other.claim(other.trials[0]) and not trials.claim(doc)
    assert doc["state"] == JOB_STATE_RUNNING, "why not is known at once"
    assert doc["owner"] == other.owner


def test_an_outcome_that_comes_too_late_is_dropped(store, caplog):
    trials, operator = SharedTrials(store, "e"), SharedTrials(store, "e")
    (doc,) = added(trials)
    trials.claim(doc)
    operator.refresh()
    assert operator.requeue(operator.trials[0])
    assert not trials.conclude(doc, JOB_STATE_DONE, OK)
    assert doc["state"] == JOB_STATE_NEW and doc["result"] == {"status": "new"}
    assert "outcome of trial 0 (done) is dropped" in caplog.text


def test_a_result_that_cannot_be_kept_fails_its_trial(store, caplog):
    """The trial is recorded, with the key; the pool goes on."""
    trials = SharedTrials(store, "e")
    (doc,) = added(trials)
    trials.claim(doc)
    assert trials.conclude(doc, JOB_STATE_DONE, {**OK, "model": object()})
    assert doc["state"] == JOB_STATE_ERROR
    kind, message = doc["misc"]["error"]
    assert "Unstorable" in kind and "result['model']" in message and "attachments" in message


def test_an_interrupted_trial_goes_back_without_cost(store):
    trials = SharedTrials(store, "e")
    (doc,) = added(trials)
    trials.claim(doc)
    assert trials.requeue(doc) and (doc["state"], doc["attempt"]) == (JOB_STATE_NEW, 0)
    assert trials.cancel(doc) and doc["state"] == JOB_STATE_CANCEL
    assert trials.requeue(doc) and not trials.requeue(doc)


def test_what_an_objective_says_is_seen_by_others(store):
    trials, other = SharedTrials(store, "e"), SharedTrials(store, "e")
    (doc,) = added(trials)
    trials.claim(doc)
    doc["misc"]["reports"] = [[0, 2.0]]
    doc["result"] = {"status": "running", "step": 1}
    trials.checkpoint(doc)
    trials.refresh()
    assert doc["misc"]["reports"] == [[0, 2.0]], "our own document was overwritten"
    other.refresh()
    assert other.trials[0]["misc"]["reports"] == [[0, 2.0]] and other.trials[0]["result"]["step"] == 1


# -- claims are kept alive -----------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [{"lease": 0}, {"lease": float("inf")}, {"max_attempts": 0}])
def test_a_lease_has_a_length_and_a_trial_an_attempt(store, option):
    """Without a length the heart would never rest, and every trial be taken back at once."""
    with pytest.raises(ValueError, match=next(iter(option))):
        SharedTrials(store, "e", **option)


def test_a_long_evaluation_keeps_its_trial(store):
    """The heart beats while the objective computes for three leases; another driver takes nothing back."""
    trials, other = SharedTrials(store, "e", lease=0.2), SharedTrials(store, "e", lease=0.2)
    (doc,) = added(trials)
    with trials.keeping_alive():
        assert trials.claim(doc)
        for _ in range(6):
            threading.Event().wait(0.1)
            assert not other._keeper.reap()
        assert trials.conclude(doc, JOB_STATE_DONE, OK)


def test_a_claim_outside_of_a_run_is_kept_alive_too(store):
    """As by ask and tell, where minutes lie between the two."""
    trials, other = SharedTrials(store, "e", lease=0.2), SharedTrials(store, "e", lease=0.2)
    (doc,) = added(trials)
    assert trials.claim(doc)
    threading.Event().wait(0.5)
    assert not other._keeper.reap()
    assert trials.conclude(doc, JOB_STATE_DONE, OK)


def test_the_heart_stops_with_the_run(store):
    before = set(threading.enumerate())
    trials = SharedTrials(store, "e")
    with trials.keeping_alive():
        (heart,) = set(threading.enumerate()) - before
    assert not heart.is_alive()


@pytest.mark.parametrize("end", ["concluded", "forgotten"])
def test_the_heart_stops_with_the_last_claim(store, end):
    """At once, and not at the next beat: a program that has ended its search must be able to end."""
    before = set(threading.enumerate())
    trials = SharedTrials(store, "e")
    (doc,) = added(trials)
    trials.claim(doc)
    (heart,) = set(threading.enumerate()) - before
    if end == "concluded":
        trials.conclude(doc, JOB_STATE_DONE, OK)
    else:
        del trials
    heart.join(10.0)
    assert not heart.is_alive()


def test_who_begins_to_run_takes_back_what_was_abandoned(store):
    """A driver that is silent for longer than its lease, and still marked as the owner."""
    (doc,) = added(SharedTrials(store, "e"))
    store.reserve("elsewhere:1", "e", lease=0.0, tid=doc["tid"])
    threading.Event().wait(0.01)
    trials = SharedTrials(store, "e")
    assert trials.trials[0]["state"] == JOB_STATE_RUNNING, "reading alone takes nothing back"
    with trials.keeping_alive():
        assert trials.trials[0]["state"] == JOB_STATE_NEW


def gone_process():
    """Describe a process of this machine that has ended."""
    program = "import json; from hpspace.trials.shared.process import this_process; print(json.dumps(this_process()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return __import__("json").loads(done.stdout)


def test_a_process_that_ended_is_known_to_be_gone():
    assert is_gone(gone_process())


@pytest.mark.parametrize("change", [{"place": None}, {"place": "another boot"}, {"started": None}])
def test_what_cannot_be_told_counts_as_alive(change):
    assert not is_gone({**gone_process(), **change})


def test_a_number_that_was_given_to_another_process_is_told_apart():
    assert is_gone({**this_process(), "started": 1})


def test_trials_of_a_driver_that_died_here_are_evaluated_again_at_once(store, caplog):
    """Its lease of an hour need not run out."""
    (doc,) = added(SharedTrials(store, "e"))
    store.hello({**gone_process(), "owner": "here:1", "exp_key": "e"})
    store.reserve("here:1", "e", lease=3600.0)
    trials = SharedTrials(store, "e")
    with trials.keeping_alive():
        assert trials.by_tid(doc["tid"])["state"] == JOB_STATE_NEW
    assert "have vanished; they wait to be evaluated again" in caplog.text


def test_after_a_sleep_others_may_beat_first(store, monkeypatch):
    """A laptop wakes up, and every lease has run out: whoever is first must not take everything."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(keeper, "time", SimpleNamespace(time=lambda: clock.now))
    mine = Keeper(store, "e", lease=60.0)
    (doc,) = added(SharedTrials(store, "e"))
    mine._say_hello()
    store.reserve("other:1", "e", lease=0.0, tid=doc["tid"])
    threading.Event().wait(0.01)
    clock.now += 3600.0
    mine.beat()
    assert store.counts("e") == {JOB_STATE_RUNNING: 1}
    clock.now += 15.0
    mine.beat()
    assert store.counts("e") == {JOB_STATE_NEW: 1}


def test_a_claim_that_was_taken_is_given_up_by_the_beat(store, caplog):
    mine = Keeper(store, "e")
    (doc,) = added(SharedTrials(store, "e"))
    assert mine.claim(doc["tid"])
    store.requeue("e", [doc["tid"]])
    mine.beat()
    assert mine.held(doc["tid"]) is None and "trial 0 is not ours any more" in caplog.text


# -- the objective -------------------------------------------------------------------------------------------


def domain(fn):
    return SimpleNamespace(fn=fn, space=compile_space(SPACE))


def test_two_live_searches_share_an_objective_and_no_two(store):
    one, two = SharedTrials(store, "e"), SharedTrials(store, "e")
    with one.keeping_alive():
        one.adopt(domain(objective))
        two.adopt(domain(objective))
        with pytest.raises(DomainSwapError, match="exp_key='e'"):
            two.adopt(domain(cube))
        two._keeper._let_objective_go()
    two.adopt(domain(cube))


def test_the_objective_of_a_driver_that_died_here_holds_nobody_up(store):
    """A script that was killed, mended and started again."""
    dead = SharedTrials(store, "e", lease=3600.0)
    dead.adopt(domain(objective))
    sha, _, _ = store.domain("e")
    store.hello({**gone_process(), "owner": dead.owner, "exp_key": "e", "objective": sha})
    SharedTrials(store, "e").adopt(domain(cube))
    assert store.domain("e")[0] != sha


# -- what belongs to the experiment --------------------------------------------------------------------------


def test_attachments_are_kept_as_they_were(store):
    trials = SharedTrials(store, "e")
    (doc,) = added(trials)
    values = {"bytes": b"\x00\xff", "marked": b"\x93hpspace\x00text\n", "text": "é", "object": {"a": (1, 2)}}
    trials.attachments.update(values)
    trials.trial_attachments(doc)["model"] = b"weights"
    fresh = SharedTrials(store, "e")
    assert {name: fresh.attachments[name] for name in values} == values
    assert dict(fresh.trial_attachments(doc)) == {"model": b"weights"}
    assert "text" in fresh.attachments and "tex" not in fresh.attachments
    del fresh.attachments["text"]
    with pytest.raises(KeyError):
        trials.attachments["text"]
    assert store.get_blob("e", "bytes") == b"\x00\xff", "bytes are there for other programs"


def test_space_and_direction_are_kept_with_the_trials(store):
    trials = SharedTrials(store, "e")
    trials.direction = "maximize"
    trials.remember_space(compile_space(SPACE))
    (doc,) = added(trials)
    trials.claim(doc)
    trials.conclude(doc, JOB_STATE_DONE, {"status": "ok", "loss": -2.0, "value": 2.0})
    fresh = SharedTrials(store, "e")
    assert fresh.direction == "maximize" and fresh.best_value == 2.0
    assert fresh.space_json == compile_space(SPACE).to_json() and fresh.space is not None
    assert list(fresh.attachments) == [], "what hpspace itself keeps is no attachment"
    with pytest.raises(DirectionMismatch):
        fresh.direction = "minimize"


def test_who_was_there_before_the_space_learns_of_it(store):
    early, trials = SharedTrials(store, "e"), SharedTrials(store, "e")
    trials.remember_space(compile_space(SPACE))
    added(trials)
    early.refresh()
    assert early.space_json is not None


# -- copies --------------------------------------------------------------------------------------------------


def test_copies_of_the_object_are_ways_to_the_same_trials(tmp_path):
    trials = SqliteTrials(tmp_path / "study.db", "e", lease=7.0)
    added(trials, 2)
    for other in (pickle.loads(pickle.dumps(trials)), copy.deepcopy(trials)):
        assert (type(other), other.tids, other._exp_key) == (SqliteTrials, [0, 1], "e")
        added(other)
        assert other._options["lease"] == 7.0
        other.close()
    trials.refresh()
    assert trials.tids == [0, 1, 2, 3]
    trials.close()


def test_trials_in_memory_do_not_travel():
    with pytest.raises(TypeError, match=r"cannot be pickled; copy_to\(Trials\(\)\) can be"):
        pickle.dumps(SharedTrials(MemoryStore()))


def test_a_saved_copy_is_one_in_memory(store, tmp_path):
    trials = SharedTrials(store, "e")
    fmin(objective, SPACE, "rand", 5, trials=trials, rstate=0, show_progressbar=False)
    trials.save(tmp_path / "copy")
    loaded = Trials.load(tmp_path / "copy")
    assert type(loaded) is Trials and loaded.losses() == trials.losses() and loaded.best_config


def test_a_save_file_beside_a_store_is_refused(store, tmp_path):
    with pytest.raises(ValueError, match="kept in a store already"):
        fmin(
            objective, SPACE, "rand", 2, trials=SharedTrials(store), trials_save_file=str(tmp_path / "f"),
            show_progressbar=False,
        )  # fmt: skip


# -- resuming ------------------------------------------------------------------------------------------------


def test_a_search_goes_on_where_it_ended(tmp_path, caplog):
    """By opening the same file; seeded, it is the search that was never interrupted."""
    caplog.set_level(logging.INFO)
    whole = Trials()
    fmin(objective, SPACE, "tpe", 24, trials=whole, rstate=5, show_progressbar=False)
    for max_evals in (9, 24):
        trials = SqliteTrials(tmp_path / "study.db", "e")
        fmin(objective, SPACE, "tpe", max_evals, trials=trials, rstate=5, show_progressbar=False)
        trials.close()
    trials.refresh()
    assert trials.vals == whole.vals and len(trials) == 24
    trials.close()
