"""Trials that somebody else evaluates: the loop only queues and polls."""

from __future__ import annotations

import contextlib
import logging
import pickle
import threading
import time

import pytest

from hpspace import Ctrl, Domain, FMinIter, Trials, fmin, hp, rand
from hpspace.base import JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_NEW, JOB_STATE_RUNNING, spec_from_misc

SPACE = {"x": hp.uniform("x", 0, 1)}


class ThreadTrials(Trials):
    """Trials whose queued documents are evaluated by threads, with the pickled Domain of the attachments.

    ::

        fmin ── inserts NEW ──► documents ──► worker thread: RUNNING ──► DONE | ERROR
          ▲                                                                  │
          └──────────────────────────── refresh() ◄──────────────────────────┘
    """

    asynchronous = True

    def __init__(self, workers=2):
        super().__init__()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def _reserve(self):
        with self._lock:
            for doc in self._dynamic_trials:
                if doc["state"] == JOB_STATE_NEW:
                    doc["state"] = JOB_STATE_RUNNING
                    doc["owner"] = threading.current_thread().name
                    return doc
        return None

    def _work(self):
        while not self._stop.wait(0.002):
            doc = self._reserve()
            if doc is not None:
                self._evaluate(doc)

    def _evaluate(self, doc):
        domain = pickle.loads(self.attachments["FMinIter_Domain"])
        try:
            doc["result"] = domain.evaluate(spec_from_misc(doc["misc"]), Ctrl(self, doc))
        except Exception as error:
            doc["misc"]["error"] = (str(type(error)), str(error))
            doc["state"] = JOB_STATE_ERROR
        else:
            doc["state"] = JOB_STATE_DONE

    def close(self):
        self._stop.set()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def trials():
    store = ThreadTrials()
    yield store
    store.close()


@pytest.fixture(autouse=True)
def _poll_fast(monkeypatch):
    """Polling every second is for databases."""
    original = FMinIter.__init__

    def fast(self, *args, **kwargs):
        original(self, *args, **{"poll_interval_secs": 0.01, **kwargs})

    monkeypatch.setattr(FMinIter, "__init__", fast)


def slow_square(config):
    time.sleep(0.005)
    return (config["x"] - 0.5) ** 2


def search(fn=slow_square, algo="rand", max_evals=12, **kwargs):
    return fmin(fn, SPACE, algo, max_evals, **{"rstate": 0, "verbose": False, "max_queue_len": 4, **kwargs})


def test_workers_evaluate_what_the_loop_queues(trials):
    """All of it, and the best is found."""
    best = search(trials=trials)
    assert len(trials) == 12
    assert {doc["state"] for doc in trials.trials} == {JOB_STATE_DONE}
    assert {doc["owner"] for doc in trials.trials} <= {thread.name for thread in trials.threads}
    assert best.loss == min(trials.losses())


def test_tpe_learns_beside_pending_trials(trials):
    """Proposals are made while others run; none is lost and none is made twice."""
    search(algo="tpe", max_evals=40, trials=trials)
    assert len(set(trials.vals["x"])) == 40


def test_the_domain_travels_pickled(trials, caplog):
    """By value, so that lambdas work; a second run replaces it and says so."""
    offset = 2
    search(lambda config: config["x"] + offset, trials=trials)
    assert min(trials.losses()) >= 2
    with caplog.at_level(logging.WARNING, logger="hpspace"):
        search(lambda config: config["x"] - offset, max_evals=16, trials=trials)
    assert [record.action for record in caplog.records] == ["domain_replaced"]
    assert min(trials.losses()) < 0


def test_errors_of_workers_do_not_reach_the_loop(trials):
    """They are documents in state ERROR; the run goes on."""

    def fails(config):
        if config["x"] > 0.5:
            raise ValueError("too big")
        return config["x"]

    best = search(fails, max_evals=30, trials=trials)
    assert best.loss <= 0.5
    assert len(trials) < len(trials._dynamic_trials) == 30


def test_a_threshold_ends_the_queueing(trials):
    """What was queued is waited for; nothing is left running."""
    search(max_evals=10_000, trials=trials, loss_threshold=0.01)
    assert min(trials.losses()) < 0.01
    assert len(trials) < 10_000
    assert trials.count_by_state_unsynced([JOB_STATE_NEW, JOB_STATE_RUNNING]) == 0


def test_early_stop_and_timeout_end_the_queueing(trials):
    """As in a serial run."""
    search(max_evals=10_000, trials=trials, early_stop_fn=lambda trials, *args: (len(trials) >= 6, args))
    assert 6 <= len(trials) < 100
    begun = time.monotonic()
    search(max_evals=10_000, trials=trials, timeout=0.1)
    assert time.monotonic() - begun < 5


def test_a_finite_space_is_not_asked_twice(trials):
    """Pending points count as asked."""
    space = hp.choice("c", list(range(7)))
    best = fmin(
        lambda c: float(c), space, "rand", 100, trials=trials, rstate=0, verbose=False, max_queue_len=3
    )
    assert sorted(trials.vals["c"]) == list(range(7))
    assert best == {"c": 0}


def test_points_come_first(trials):
    """Also where somebody else evaluates."""
    search(trials=trials, max_evals=2, points_to_evaluate=[{"x": 0.5}])
    assert trials.vals["x"][0] == 0.5
    assert len(trials) == 3


def test_the_display_is_told_of_what_workers_finish(trials):
    """In the end, of all of it."""
    counts = []

    class Display:
        postfix = None

        def update(self, n):
            counts.append(n)

    @contextlib.contextmanager
    def callback(initial, total):
        yield Display()

    search(trials=trials, show_progressbar=callback)
    assert sum(counts) == 12


def test_run_without_waiting_only_queues(trials):
    """block_until_done=False returns when the last trial is queued."""
    trials.close()
    loop = FMinIter(rand.suggest, Domain(slow_square, SPACE), trials, rstate=0, max_queue_len=5)
    loop.run(5, block_until_done=False)
    assert trials.count_by_state_unsynced(JOB_STATE_NEW) == 5
