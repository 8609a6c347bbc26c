"""FMinIter: the queue, the turns, the states of trials, and the reasons to stop."""

from __future__ import annotations

import logging
import math
import time

import pytest

from hpspace import Domain, FMinIter, Trials, fmin, hp, rand
from hpspace.fmin import generate_trials_to_calculate
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
)

SPACE = {"x": hp.uniform("x", 0, 1)}


def x_of(config):
    return config["x"]


def iteration(fn=x_of, algo=rand.suggest, trials=None, space=SPACE, **kwargs):
    return FMinIter(algo, Domain(fn, space), Trials() if trials is None else trials, rstate=0, **kwargs)


def search(fn=x_of, max_evals=5, trials=None, space=SPACE, algo=rand.suggest, **kwargs):
    return fmin(fn, space, algo, max_evals, trials=trials, rstate=0, verbose=False, **kwargs)


def states(trials):
    return [doc["state"] for doc in trials._dynamic_trials]


def events(caplog):
    return [record.action for record in caplog.records if hasattr(record, "action")]


# ---------------------------------------------------------------- counting


def test_exhaust_runs_up_to_max_evals():
    """max_evals is the total, trials that exist count."""
    loop = iteration(max_evals=4).exhaust()
    assert len(loop.trials) == 4
    assert len(iteration(max_evals=6, trials=loop.trials).exhaust().trials) == 6


def test_iterating_yields_all_but_the_last():
    """max_evals=4 yields three times, as in Hyperopt."""
    yields = [len(trials) for trials in iteration(max_evals=4)]
    assert yields == [1, 2, 3]


def test_iterating_ends_with_the_space():
    """A finite space ends the iteration, not only max_evals."""
    assert len(list(iteration(lambda c: 0, space=hp.choice("c", [1, 2, 3])))) <= 4


def test_run_queues_so_many():
    """Whatever max_evals says."""
    loop = iteration()
    loop.run(3)
    loop.run(2)
    assert states(loop.trials) == [JOB_STATE_DONE] * 5


def test_queue_length_is_what_the_algorithm_is_asked_for():
    """The last call asks only for what is missing."""
    asked = []

    def algo(new_ids, domain, trials, seed):
        asked.append(list(new_ids))
        return rand.suggest(new_ids, domain, trials, seed)

    search(algo=algo, max_evals=7, max_queue_len=3)
    assert asked == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_queue_must_hold_a_trial():
    """Hyperopt loops for ever with max_queue_len=0."""
    with pytest.raises(ValueError, match="max_queue_len=0"):
        search(max_queue_len=0)


def test_an_answer_shorter_than_asked_is_fine():
    """One trial for each call, as Hyperopt's tpe: the other ids are spent."""

    def one_at_a_time(new_ids, domain, trials, seed):
        return rand.suggest(new_ids[:1], domain, trials, seed)

    best = search(algo=one_at_a_time, max_evals=4, max_queue_len=2)
    assert len(best.trials) == 4


def test_an_empty_answer_ends_the_run_silently(caplog):
    """A user's algorithm may know when it is done."""

    def three(new_ids, domain, trials, seed):
        return rand.suggest(new_ids, domain, trials, seed) if len(trials) < 3 else []

    with caplog.at_level(logging.INFO, logger="hpspace"):
        assert len(search(algo=three, max_evals=10).trials) == 3
    assert "space_exhausted" not in events(caplog)


def test_an_answer_longer_than_asked_is_refused():
    """Its ids were never given out."""

    def two(new_ids, domain, trials, seed):
        return rand.suggest([*new_ids, 99], domain, trials, seed)

    with pytest.raises(ValueError, match="given 1 ids and answered 2 trials"):
        search(algo=two)


def test_algorithms_get_a_plain_positional_int(monkeypatch):
    """Fourth argument, as in Hyperopt; a plain int, which `random` and json take too."""
    seen = []

    def algo(*args):
        seen.append(args[3])
        return rand.suggest(*args)

    search(algo=algo)
    assert {type(seed) for seed in seen} == {int}
    assert len(set(seen)) == 5


# ---------------------------------------------------------------- seeds and resuming


def test_a_resumed_run_goes_on_where_it_was():
    """5 + 5 with one seed is 10 with that seed, not 5 twice (pain 20)."""
    whole = search(max_evals=10).trials.vals["x"]
    trials = Trials()
    for total in (5, 10):
        search(max_evals=total, trials=trials)
    assert trials.vals["x"] == whole
    assert len(set(whole)) == 10


@pytest.mark.parametrize("algo", ["rand", "tpe", "anneal"])
def test_a_seed_fixes_the_run(algo):
    """Every shipped algorithm."""
    first, second = (search(algo=algo, max_evals=30).trials.vals for _ in range(2))
    assert first == second


# ---------------------------------------------------------------- exceptions


def flaky(config):
    if config["x"] > 0.5:
        raise ValueError("too big")
    return config["x"]


def test_an_exception_propagates_and_is_stored():
    """With class, message and traceback; the trial is hidden from `trials.trials`."""
    trials = Trials()
    with pytest.raises(ValueError, match="too big"):
        search(flaky, 50, trials)
    error = trials._dynamic_trials[-1]
    assert error["state"] == JOB_STATE_ERROR
    assert error["misc"]["error"] == ("<class 'ValueError'>", "too big")
    assert "in flaky" in error["misc"]["traceback"]
    assert JOB_STATE_ERROR not in [doc["state"] for doc in trials.trials]


def test_caught_exceptions_do_not_stop_the_run():
    """The run goes on; failures are in the store, not in the visible list."""
    best = search(flaky, 30, catch_eval_exceptions=True)
    counts = {state: states(best.trials).count(state) for state in (JOB_STATE_DONE, JOB_STATE_ERROR)}
    assert sum(counts.values()) == 30
    assert min(counts.values()) > 0
    assert len(best.trials) == counts[JOB_STATE_DONE]


def test_a_wrong_result_is_an_error_of_its_trial():
    """Like an exception of the objective."""
    best = search(lambda c: None if c["x"] > 0.5 else 1.0, 30, catch_eval_exceptions=True)
    messages = {doc["misc"]["error"][1] for doc in best.trials._dynamic_trials if "error" in doc["misc"]}
    assert all("objective returned None" in message for message in messages)
    assert messages


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_cancels_the_running_trial(interrupt):
    """Hyperopt leaves it RUNNING for ever, and counts it (pain 25)."""
    trials = Trials()

    def interrupted(config):
        if len(trials) == 4:
            raise interrupt
        return config["x"]

    with pytest.raises(interrupt):
        search(interrupted, 10, trials)
    assert states(trials) == [JOB_STATE_DONE] * 3 + [JOB_STATE_CANCEL]
    assert len(trials) == 3
    assert len(search(x_of, 10, trials).trials) == 10


def test_points_queued_at_an_interrupt_are_evaluated_later():
    """They wait in the queue, and the one that was interrupted waits with them."""
    trials = generate_trials_to_calculate([{"x": 0.25}, {"x": 0.5}, {"x": 0.75}])

    def interrupted(config):
        if config["x"] == 0.5:
            raise KeyboardInterrupt
        return config["x"]

    with pytest.raises(KeyboardInterrupt):
        search(interrupted, 0, trials)
    assert states(trials) == [JOB_STATE_DONE, JOB_STATE_CANCEL, JOB_STATE_NEW]
    search(x_of, 2, trials)
    assert trials.vals["x"] == [0.25, 0.5, 0.75]


# ---------------------------------------------------------------- reasons to stop


class Clock:
    """Stands in for the module `time`: moves only when somebody sleeps."""

    now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_timeout_between_evaluations(monkeypatch):
    """No evaluation is begun after it; what is queued then is cancelled, so every visible trial is complete."""
    clock = Clock()
    monkeypatch.setattr("hpspace.run.loop.time", clock)
    trials = generate_trials_to_calculate([{"x": k / 10} for k in range(10)])
    search(lambda c: clock.sleep(2) or 0.0, 100, trials, timeout=5)
    assert states(trials) == [JOB_STATE_DONE] * 3 + [JOB_STATE_CANCEL] * 7
    assert len(trials) == 3


def test_loss_threshold_stops_below():
    """Strictly below, as in Hyperopt."""
    losses = iter([3, 2, 1, 0, -1])
    assert len(search(lambda c: next(losses), loss_threshold=1).trials) == 4


def test_loss_threshold_ignores_failed_trials():
    """A failed trial of loss -99 stopped Hyperopt with nothing found (pain 7)."""
    best = search(lambda c: {"status": "fail", "loss": -99} if c["x"] > 0.5 else 1.0, 20, loss_threshold=-1)
    assert len(best.trials) == 20


def test_a_threshold_that_is_reached_already_runs_nothing():
    """Resuming a finished search."""
    trials = search().trials
    search(pytest.fail, 50, trials, loss_threshold=2)
    assert len(trials) == 5


def test_early_stop_is_called_once_a_turn_with_its_own_args():
    """First without args; then with what it returned."""
    calls = []

    def stop(trials, *args):
        calls.append((len(trials), args))
        return len(trials) >= 6, [len(calls)]

    assert len(search(max_evals=50, early_stop_fn=stop, max_queue_len=2).trials) == 6
    assert calls == [(2, ()), (4, (1,)), (6, (2,))]


def test_cancelling_from_outside():
    """`_fmin_cancelled` on the trials ends the run."""
    trials = Trials()

    def fn(config):
        trials._fmin_cancelled = len(trials) == 3
        return config["x"]

    search(fn, 50, trials)
    assert len(trials) == 3


def test_an_exhausted_space_ends_the_run_with_a_message(caplog):
    """Every configuration once, then one line (pain 39)."""
    seen = []
    space = {"a": hp.choice("a", [1, 2]), "b": hp.int("b", 1, 3)}
    with caplog.at_level(logging.INFO, logger="hpspace"):
        search(lambda c: seen.append((c["a"], c["b"])) or 0.0, 100, space=space, algo="tpe", max_queue_len=4)
    assert sorted(seen) == [(a, b) for a in (1, 2) for b in (1, 2, 3)]
    lines = [r.getMessage() for r in caplog.records if getattr(r, "action", "") == "space_exhausted"]
    assert lines == ["all 6 configurations of the space were evaluated: the run ends"]


def test_revisit_allows_repetitions():
    """For noisy objectives."""
    assert len(search(lambda c: 0, 20, space=hp.choice("c", [1, 2]), revisit=True).trials) == 20


# ---------------------------------------------------------------- results


def test_nan_is_kept_and_warned_of_once(caplog):
    """The first one, with its trial; all are in the trials, none is best."""
    losses = iter([math.nan, 1.0, math.nan])
    with caplog.at_level(logging.WARNING, logger="hpspace"):
        best = search(lambda c: next(losses), 3)
    assert events(caplog) == ["nan_loss"]
    assert caplog.records[0].tid == 0
    assert best.loss == 1.0
    assert [math.isnan(loss) for loss in best.trials.losses()] == [True, False, True]


def test_failed_trials_are_done_trials():
    """They count for max_evals and are visible."""
    best = search(lambda c: {"status": "fail"} if c["x"] < 0.5 else c["x"], 20)
    assert len(best.trials) == 20
    assert set(states(best.trials)) == {JOB_STATE_DONE}
    assert best.loss >= 0.5


def test_times_are_stamped():
    """book_time at the start, refresh_time at the end."""
    (doc,) = search(lambda c: time.sleep(0.01) or 0.0, 1).trials
    assert (doc["refresh_time"] - doc["book_time"]).total_seconds() >= 0.009


def test_a_ctrl_in_the_objective_reaches_its_trial():
    """fn(config, ctrl): checkpoints and attachments of the trial itself."""

    def fn(config, ctrl):
        ctrl.checkpoint({"status": "running", "loss": 1.0})
        ctrl.attachments["note"] = str(ctrl.current_trial["tid"])
        return config["x"]

    trials = search(fn, 3).trials
    assert [trials.trial_attachments(doc)["note"] for doc in trials] == ["0", "1", "2"]


def test_injected_trials_count_for_the_threshold():
    """An objective may find better points on its way."""

    def fn(config, ctrl):
        ctrl.inject_results([None], [{"status": "ok", "loss": -5.0}], [{"idxs": {}, "vals": {}}])
        return config["x"]

    assert len(search(fn, 20, loss_threshold=-1).trials) == 2


def test_views_evaluate_only_their_own_experiment():
    """Two experiments in one store: each run works on its own queue."""
    store = Trials()
    mine, other = store.view("mine"), store.view("other")
    docs = rand.suggest(other.new_trial_ids(2), Domain(x_of, SPACE), other, 0)
    other.insert_trial_docs(docs)
    search(trials=mine)
    assert [doc["state"] for doc in other.documents()] == [JOB_STATE_NEW] * 2
    assert len(mine) == 5


def test_public_address():
    """FMinIter is pickled and documented under Hyperopt's module."""
    assert FMinIter.__module__ == "hpspace.fmin"


def test_a_space_without_parameters_is_called_so(caplog):
    """A forgotten `hp.` call (a tuple of bounds, say) leaves one configuration; the message says what is missing."""
    with caplog.at_level(logging.INFO, logger="hpspace"):
        search(lambda c: 0.0, 100, space={"x": (0, 1)}, algo="tpe")
    lines = [r.getMessage() for r in caplog.records if getattr(r, "action", "") == "space_exhausted"]
    assert lines == ["the space has no parameters, and its 1 configuration was evaluated: the run ends"]
