"""Trials of a store that others share: drivers beside each other, workers elsewhere, and trials that are taken away."""

from __future__ import annotations

import threading

import pytest

from hpspace import Callback, Trials, fmin, hp, rand, stop
from hpspace.exceptions import AllTrialsFailed, DomainSwapError
from hpspace.run.evaluators import Serial
from hpspace.run.executors.threads import ThreadExecutor
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    spec_from_misc,
)
from hpspace.trials.shared.memory import MemoryStore
from hpspace.trials.shared.trials import SharedTrials

SPACE = {"x": hp.uniform("x", 0, 1)}


def x_of(config):
    return config["x"]


CALLS = []


def noted(config):
    CALLS.append(config["x"])
    return config["x"]


def search(trials, fn=x_of, max_evals=12, algo="rand", **kwargs):
    return fmin(fn, SPACE, algo, max_evals, trials=trials, **{"rstate": 0, "verbose": False, **kwargs})


@pytest.fixture
def store():
    return MemoryStore()


# ---------------------------------------------------------------- drivers that evaluate


@pytest.mark.parametrize("how", [{}, {"executor": 1}, {"executor": 3}])
def test_the_same_search_as_in_memory(store, how):
    """Claims, leases and reading back change nothing of what is proposed."""
    if "executor" in how:
        how = {"executor": ThreadExecutor(how["executor"])}
    trials = SharedTrials(store, "e")
    search(trials, **how)
    assert trials.vals == search(Trials()).trials.vals
    assert store.counts("e") == {JOB_STATE_DONE: 12}
    assert {doc["closed_by"] is None for doc in trials} == {False}


class Watched(dict):
    """A document that counts how often its state is read."""

    reads = 0

    def __getitem__(self, key):
        Watched.reads += key == "state"
        return super().__getitem__(key)


def test_a_turn_does_not_look_at_settled_documents(store):
    """The cost of a search stays flat however many trials its store holds."""
    trials = SharedTrials(store, "e")
    search(trials, max_evals=300)
    trials._dynamic_trials[:] = map(Watched, trials._dynamic_trials)
    trials.refresh()
    Watched.reads = 0
    search(trials, max_evals=330)
    assert Watched.reads < 300 * 20  # a dozen full looks before and after; two a turn would be 18,000


def test_a_trial_that_another_driver_has_taken_is_passed_over(store):
    """Between a look at the queue and the claim: the run goes on with the next."""
    mine, other = SharedTrials(store, "e"), SharedTrials(store, "e")

    def algo(new_ids, domain, trials, seed):
        return rand.suggest(new_ids, domain, trials, seed)

    class Snatching(Callback):
        def on_suggested(self, trials, trial):
            if trial["tid"] == 2:
                other.refresh()
                assert other.claim(other.by_tid(2))

    search(mine, algo=algo, max_evals=5, callbacks=Snatching())
    assert [doc["state"] for doc in mine._dynamic_trials] == [2, 2, JOB_STATE_RUNNING, 2, 2]
    assert other.conclude(other.by_tid(2), JOB_STATE_DONE, {"status": "ok", "loss": 0.5})


def test_the_total_counts_what_others_add(store):
    """max_evals is how many there are to be in the store; another driver adds three while this one proposes."""
    other = SharedTrials(store, "e")
    asked = []

    def algo(new_ids, domain, trials, seed):
        asked.append(new_ids)
        if len(asked) == 4:
            search(other, max_evals=None, max_new_evals=3)
        return rand.suggest(new_ids, domain, trials, seed)

    search(SharedTrials(store, "e"), algo=algo, max_evals=8)
    assert store.counts("e") == {JOB_STATE_DONE: 8}
    assert len(asked) == 5


def test_one_too_many_is_taken_back(store):
    """The other driver fills the last place while this one is thinking about it."""
    other = SharedTrials(store, "e")

    def algo(new_ids, domain, trials, seed):
        if len(trials) == 4:
            search(other, max_evals=5)
        return rand.suggest(new_ids, domain, trials, seed)

    search(SharedTrials(store, "e"), algo=algo, max_evals=5)
    assert store.counts("e") == {JOB_STATE_DONE: 5, JOB_STATE_CANCEL: 1}


def test_max_new_evals_is_ones_own(store):
    """What others add meanwhile does not count."""

    class Another(Callback):
        def on_new_best(self, trials, trial):
            if trial["tid"] == 0:
                search(SharedTrials(store, "e"), max_evals=None, max_new_evals=3)

    search(SharedTrials(store, "e"), max_evals=None, max_new_evals=4, callbacks=Another())
    assert store.counts("e") == {JOB_STATE_DONE: 7}


def test_drivers_at_the_same_time(store):
    """Three threads, one store: each trial is evaluated once, and the total is kept to."""
    calls = CALLS
    calls.clear()

    def drive(seed):
        search(SharedTrials(store, "e"), noted, max_evals=30, rstate=seed)

    threads = [threading.Thread(target=drive, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = store.counts("e")[JOB_STATE_DONE]
    assert len(calls) == len(set(calls)) == done
    assert 30 <= done <= 32


def test_an_interrupted_trial_goes_back_at_once(store):
    """Others may evaluate it; nobody has to resume this run."""

    def fn(config):
        if fn.calls == 2:
            raise KeyboardInterrupt
        fn.calls += 1
        return config["x"]

    fn.calls = 0
    with pytest.raises(KeyboardInterrupt):
        search(SharedTrials(store, "e"), fn)
    assert store.counts("e") == {JOB_STATE_DONE: 2, JOB_STATE_NEW: 1}
    search(SharedTrials(store, "e"))
    assert store.counts("e") == {JOB_STATE_DONE: 12}


def test_other_drivers_running_trials_are_left_alone(store):
    """Only in memory a trial that is running can be nobody's."""
    other = SharedTrials(store, "e")
    docs = rand.suggest(other.new_trial_ids(1), _domain(), other, 0)
    other.insert_trial_docs(docs)
    assert other.claim(other.by_tid(docs[0]["tid"]))
    search(SharedTrials(store, "e"), max_evals=4)
    assert store.counts("e")[JOB_STATE_RUNNING] == 1


def _domain():
    from hpspace import Domain

    return Domain(x_of, SPACE)


def test_an_outcome_that_comes_too_late_is_not_counted(store, caplog):
    """The trial was given to somebody else: the run goes on, callbacks do not hear of it."""
    heard = []

    def fn(config, ctrl):
        if ctrl.current_trial["tid"] == 1:
            store.requeue("e", [1])
            other = SharedTrials(store, "e")
            assert other.claim(other.by_tid(1))
        return config["x"]

    trials = SharedTrials(store, "e")
    search(trials, fn, max_evals=4, callbacks=lambda trials, trial: heard.append(trial["tid"]))
    assert heard == [0, 2, 3]
    assert trials.by_tid(1)["state"] == JOB_STATE_RUNNING
    assert "outcome of trial 1 (done) is dropped" in caplog.text


def test_a_stop_cancels_only_ones_own(store):
    """Points of another driver stay in the queue."""
    other = SharedTrials(store, "e")
    docs = rand.suggest(other.new_trial_ids(1), _domain(), other, 0)

    class Late(Callback):
        def on_finished(self, trials, trial):
            if trial["tid"] == 3:
                other.insert_trial_docs(docs)
                return True

    search(SharedTrials(store, "e"), callbacks=Late(), max_queue_len=5)
    assert other.by_tid(docs[0]["tid"])["state"] == JOB_STATE_NEW
    assert JOB_STATE_NEW not in [
        doc["state"] for doc in SharedTrials(store, "e") if doc["tid"] != docs[0]["tid"]
    ]


def test_another_objective_in_the_same_experiment_is_refused(store):
    """While the first is being evaluated; naming the experiment."""

    def fn(config):
        with pytest.raises(DomainSwapError, match="'e'"):
            search(SharedTrials(store, "e"), lambda c: -c["x"], max_evals=20)
        return config["x"]

    search(SharedTrials(store, "e"), fn, max_evals=1)
    search(SharedTrials(store, "e"), max_evals=2)  # one after the other is fine


def test_reports_reach_the_store(store):
    """With the end of the trial at the latest."""

    def fn(config, ctrl):
        ctrl.report(config["x"], 3)
        return config["x"]

    search(SharedTrials(store, "e"), fn, max_evals=2)
    for doc in SharedTrials(store, "e"):
        assert doc["misc"]["reports"] == [[3, doc["result"]["loss"]]]


def test_the_direction_is_kept_in_the_store(store):
    """For every driver."""
    best = search(SharedTrials(store, "e"), direction="maximize")
    again = SharedTrials(store, "e")
    assert again.direction == "maximize"
    assert again.best_value == best.loss == max(again.vals["x"])


# ---------------------------------------------------------------- workers


class Worker(threading.Thread):
    """Evaluates what is in a store until told to end: one reserve, one finish."""

    def __init__(self, store, fn=x_of):
        super().__init__(daemon=True)
        self.store, self.fn, self.done = store, fn, threading.Event()

    def run(self):
        while not self.done.is_set():
            claim = self.store.reserve("worker", "e", 60.0)
            if claim is None:
                self.done.wait(0.002)
                continue
            config = spec_from_misc(claim.doc["misc"])
            self.store.checkpoint(claim, misc={"reports": [[1, config["x"]]]})
            self.store.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": self.fn(config)})

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def test_workers_evaluate_and_the_run_waits_for_changes(store):
    """It does not sleep and look: it is woken by the store."""
    trials = SharedTrials(store, "e", asynchronous=True)
    waits = []
    original = trials.wait
    trials.wait = lambda seconds: waits.append(seconds) or original(seconds)
    with Worker(store):
        best = search(trials, max_queue_len=3)
    assert len(trials) == 12
    assert best.loss == min(trials.vals["x"])
    assert set(waits) == {1.0}


def test_callbacks_hear_of_what_workers_do(store):
    """Ends, reports and new bests, each once; those of earlier runs not at all."""
    heard = []

    class Ears(Callback):
        def on_reported(self, trials, trial, step, value):
            heard.append(("report", trial["tid"], step, value))

        def on_finished(self, trials, trial):
            heard.append(("end", trial["tid"]))

        def on_new_best(self, trials, trial):
            heard.append(("best", trial["tid"]))

    trials = SharedTrials(store, "e", asynchronous=True)
    with Worker(store):
        search(trials, max_evals=2)
        search(trials, max_evals=6, callbacks=Ears())
    xs = trials.vals["x"]
    assert sorted(entry for entry in heard if entry[0] == "end") == [("end", tid) for tid in range(2, 6)]
    assert sorted(entry for entry in heard if entry[0] == "report") == [
        ("report", tid, 1, xs[tid]) for tid in range(2, 6)
    ]
    bests = [tid for kind, tid, *_ in heard if kind == "best"]
    assert all(xs[tid] < min(xs[:2]) for tid in bests)


def test_what_ends_while_the_loop_counts_is_heard_of(store):
    """Counting reads the store: the last trial may have ended between the last look and the count."""
    trials, heard = SharedTrials(store, "e", asynchronous=True), []
    count = trials.count_by_state_unsynced

    def evaluate_and_count(states):
        while (claim := store.reserve("worker", "e", 60.0)) is not None:
            store.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": 0.0})
        return count(states)

    trials.count_by_state_unsynced = evaluate_and_count
    trials.wait = lambda seconds: None
    search(trials, max_evals=5, callbacks=lambda trials, trial: heard.append(trial["tid"]))
    assert sorted(heard) == [0, 1, 2, 3, 4]


def test_the_queue_has_a_trial_for_each_live_worker(store):
    """As far as the trials can tell how many there are; max_queue_len is the least."""
    trials = SharedTrials(store, "e", asynchronous=True)
    lengths = []

    def algo(new_ids, domain, trials, seed):
        lengths.append(len(new_ids))
        return rand.suggest(new_ids, domain, trials, seed)

    trials.live_workers = lambda: 5
    with Worker(store):
        search(trials, algo=algo, max_queue_len=2)
    assert lengths[0] == 5


def test_the_runs_timeout_bounds_the_wait_for_workers(store):
    """Nobody evaluates: what this run has queued is cancelled when its time is over, and that is all."""
    trials = SharedTrials(store, "e", asynchronous=True)
    assert search(trials, timeout=0.2, return_argmin=False, max_queue_len=3, max_evals=50) is None
    assert store.counts("e") == {JOB_STATE_CANCEL: 3}


def test_trials_that_a_worker_still_has_are_left_to_it(store, caplog):
    """They end up in the store; the run says how many."""
    trials = SharedTrials(store, "e", asynchronous=True)

    class Taking(Callback):
        def on_suggested(self, trials, trial):
            if trial["tid"] == 0:
                self.claim = store.reserve("worker", "e", 60.0)

    taking = Taking()
    with pytest.raises(AllTrialsFailed, match="1 running"):
        search(trials, timeout=0.2, callbacks=taking, max_evals=1)
    assert "1 trials are still with their workers" in caplog.text
    assert store.finish(taking.claim, JOB_STATE_DONE, {"status": "ok", "loss": 0.5})


def test_a_rule_ends_a_run_with_workers(store):
    """What was queued is cancelled, what runs is waited for."""
    trials = SharedTrials(store, "e", asynchronous=True)
    with Worker(store):
        search(trials, callbacks=stop.max_trials(5), max_evals=500, max_queue_len=4)
    assert 5 <= store.counts("e")[JOB_STATE_DONE] < 20
    assert set(store.counts("e")) <= {JOB_STATE_DONE, JOB_STATE_CANCEL}


def test_an_objective_with_a_worker_can_end_the_search(store):
    """Its worker leaves word in the store; what was said before this run does not count."""
    store.update_meta("e", {"stop_asked": 1.0})

    def third(x):
        third.calls += 1
        if third.calls == 3:
            store.update_meta("e", {"stop_asked": 2.0})
        return x

    third.calls = 0
    with Worker(store, lambda config: third(config["x"])):
        search(SharedTrials(store, "e", asynchronous=True), max_evals=500)
    assert 3 <= store.counts("e")[JOB_STATE_DONE] < 50


# ---------------------------------------------------------------- foreign classes


class OldTrials:
    """A class that has what Hyperopt's Trials have and none of the moves."""

    asynchronous = False

    def __init__(self):
        self._dynamic_trials = []
        self.attachments = {}
        self.refresh()

    def refresh(self):
        self._trials = [doc for doc in self._dynamic_trials if doc["state"] in (0, 1, 2)]

    @property
    def trials(self):
        return self._trials

    def __len__(self):
        return len(self._trials)

    def new_trial_ids(self, n):
        return list(range(len(self._dynamic_trials), len(self._dynamic_trials) + n))

    def new_trial_docs(self, tids, specs, results, miscs):
        return [
            {"state": 0, "tid": tid, "spec": spec, "result": result, "misc": misc, "exp_key": None,
             "owner": None, "version": 0, "book_time": None, "refresh_time": None}
            for tid, spec, result, misc in zip(tids, specs, results, miscs)
        ]  # fmt: skip

    def insert_trial_docs(self, docs):
        self._dynamic_trials.extend(docs)
        return [doc["tid"] for doc in docs]

    def count_by_state_unsynced(self, states):
        states = {states} if isinstance(states, int) else set(states)
        return sum(doc["state"] in states for doc in self._dynamic_trials)

    def trial_attachments(self, trial):
        return self.attachments

    @property
    def best_trial(self):
        return min(
            (doc for doc in self._trials if "loss" in doc["result"]), key=lambda doc: doc["result"]["loss"]
        )

    @property
    def argmin(self):
        return spec_from_misc(self.best_trial["misc"])


@pytest.mark.parametrize("how", [{}, {"n_jobs": 2, "backend": "thread"}])
def test_trials_without_moves_get_those_of_memory(how):
    """Every outcome: a result, an exception, an interrupt; a direction is remembered as an attribute."""

    def fn(config):
        if config["x"] > 0.7:
            raise ValueError("too big")
        return config["x"]

    trials = OldTrials()
    best = search(trials, fn, catch=ValueError, max_evals=20, direction="maximize", **how)
    assert best.loss == max(value for value in (doc["result"].get("value", 0) for doc in trials.trials))
    assert {doc["state"] for doc in trials._dynamic_trials} == {2, 3}
    assert trials.direction == "maximize"


def test_serial_is_what_evaluates_by_default():
    """An evaluator is chosen by what was asked for, nothing else."""
    from hpspace import FMinIter

    assert isinstance(FMinIter("rand", _domain(), Trials(), rstate=0)._evaluator, Serial)
