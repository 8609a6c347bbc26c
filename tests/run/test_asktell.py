"""Search: ask and tell, on trials of any kind."""

from __future__ import annotations

import logging
import math
import threading

import pytest

from hpspace import Search, Trials, fmin, hp
from hpspace.exceptions import (
    AllTrialsFailed,
    DirectionMismatch,
    InvalidLoss,
    InvalidPoint,
    SpaceExhausted,
    TrialPruned,
)
from hpspace.run.seeds import base_from
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
)
from hpspace.trials.shared.memory import MemoryStore
from hpspace.trials.shared.trials import SharedTrials

SPACE = {
    "x": hp.uniform("x", -2, 2),
    "net": hp.choice("net", ["flat", {"deep": hp.int("deep", 1, 4), "act": hp.choice("act", ["a", "b"])}]),
}


def loss_of(config):
    return config["x"] ** 2 + (config["net"] == "flat")


def driven(search, n, fn=loss_of):
    for _ in range(n):
        ask = search.ask()
        search.tell(ask, fn(ask.config))
    return search


# ---------------------------------------------------------------- asking


@pytest.mark.parametrize("algo", ["rand", "tpe", "anneal"])
def test_it_is_fmin_without_the_function(algo):
    """The same trials as fmin with the same seed, bit by bit."""
    search = driven(Search(SPACE, algo, seed=5), 30)
    best = fmin(loss_of, SPACE, algo, 30, rstate=5, verbose=False)
    assert search.trials.vals == best.trials.vals
    assert search.trials.losses() == best.trials.losses()
    assert (search.best, search.best.config, search.best.loss) == (best, best.config, best.loss)


def test_an_ask_is_a_whole_configuration():
    """Nested, with options instead of indices; its point and its document are there too."""
    ask = Search(
        SPACE, "rand", seed=1, points_to_evaluate=[{"net": 1, "deep": 3, "act": "b", "x": 0.5}]
    ).ask()
    assert ask.config == {"x": 0.5, "net": {"deep": 3, "act": "b"}}
    assert ask.point == {"net": 1, "deep": 3.0, "act": 1, "x": 0.5}
    assert (ask.tid, ask.trial["tid"], ask.trial["state"]) == (0, 0, JOB_STATE_RUNNING)
    assert repr(ask) == f"Ask(tid=0, config={ask.config!r})"


def test_a_batch_is_a_list_of_different_asks():
    """Pending trials are known to the algorithm; later asks go on."""
    search = Search({"c": hp.choice("c", list(range(8)))}, "tpe", seed=0)
    first, second = search.ask(3), search.ask(4)
    assert [len(first), len(second)] == [3, 4]
    assert len({ask.config["c"] for ask in (*first, *second)}) == 7
    assert len(search.ask(5)) == 1  # there is one more
    assert search.ask(2) == []


def test_an_exhausted_space_is_said_so():
    """Asking for one when there is none; repetitions are possible on request."""
    space = hp.choice("c", [1, 2])
    search = driven(Search(space, "rand"), 2, float)
    with pytest.raises(SpaceExhausted, match="the space has 2 configurations, there are 2 trials"):
        search.ask()
    assert len(driven(Search(space, "rand", revisit=True), 9, float).trials) == 9


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "3"])
def test_asking_for_no_number(wrong):
    """The value is named."""
    with pytest.raises(ValueError, match=r"ask\("):
        Search(SPACE).ask(wrong)


def test_points_are_asked_first():
    """Those given at the start, then those enqueued meanwhile, then the algorithm's."""
    search = Search(SPACE, "rand", seed=0, points_to_evaluate=[{"x": 0.5, "net": 0}])
    search.enqueue({"x": -0.5, "net": "flat"})
    search.enqueue({"x": 0.5, "net": 0})  # is there already
    assert [ask.config["x"] for ask in search.ask(2)] == [0.5, -0.5]
    assert len(search.ask(3)) == 3
    with pytest.raises(InvalidPoint, match="x"):
        search.enqueue({"x": 99})


def test_declared_defaults_come_first():
    """As in fmin."""
    search = Search({"x": hp.float("x", 0, 1, default=0.25)}, "rand")
    assert search.ask().config == {"x": 0.25}


def test_expressions_and_ctrl_in_the_space_are_evaluated():
    """The configuration is what an objective would have been called with."""
    from hpspace import Domain

    search = Search({"double": hp.uniform("x", 0, 1) * 2, "ctrl": Domain.pyll_ctrl}, "rand", seed=0)
    ask = search.ask()
    assert ask.config["double"] == 2 * ask.point["x"]
    assert ask.config["ctrl"] is ask.ctrl


# ---------------------------------------------------------------- telling


def test_losses_results_and_failures():
    """Whatever an objective may return, or raise."""
    search = Search(SPACE, "rand", seed=0)
    asks = search.ask(5)
    search.tell(asks[0], 1)
    search.tell(asks[1].tid, {"status": "ok", "loss": 0.5, "attachments": {"model": b"bytes"}})
    search.tell(asks[2], {"status": "fail"})
    search.tell(asks[3], ValueError("no memory"))
    search.tell(asks[4], TrialPruned("hopeless"))
    states = [doc["state"] for doc in search.trials._dynamic_trials]
    assert states == [JOB_STATE_DONE] * 3 + [JOB_STATE_ERROR, JOB_STATE_DONE]
    assert search.trials.losses() == [1.0, 0.5, None, None]
    assert asks[1].attachments["model"] == b"bytes"
    assert asks[3].trial["misc"]["error"] == ("<class 'ValueError'>", "no memory")
    assert asks[4].trial["result"]["status"] == "pruned"
    assert search.best.loss == 0.5


def test_a_raised_exception_keeps_its_traceback():
    """As the user's loop has caught it."""
    search = Search(SPACE, "rand")
    ask = search.ask()
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError as error:
        search.tell(ask, error)
    assert "test_a_raised_exception_keeps_its_traceback" in ask.trial["misc"]["traceback"]


def test_a_class_of_exceptions_is_one_of_them():
    """As with ``raise``."""
    search = Search(SPACE, "rand")
    pruned, failed = search.ask(2)
    search.tell(pruned, TrialPruned)
    search.tell(failed, MemoryError)
    assert pruned.trial["result"]["status"] == "pruned"
    assert failed.trial["misc"]["error"] == ("<class 'MemoryError'>", "")


def test_what_is_told_reports_no_more():
    """Its document is finished."""
    search = Search(SPACE, "rand", pruner="median")
    ask = search.ask()
    ask.report(1.0, 0)
    search.tell(ask, 1.0)
    for late in (lambda: ask.report(2.0, 1), ask.should_prune):
        with pytest.raises(ValueError, match="of trial 0: it is done, not open"):
            late()
    assert ask.trial["misc"]["reports"] == [[0, 1.0]]


def test_telling_twice_is_refused():
    """The first outcome stands."""
    search = Search(SPACE, "rand")
    ask = search.ask()
    search.tell(ask, 1.0)
    with pytest.raises(ValueError, match="trial 0 was told already: it is done"):
        search.tell(ask, 2.0)
    assert search.trials.losses() == [1.0]


def test_telling_of_what_was_not_asked():
    """No such trial; or one that waits in the queue."""
    search = Search(SPACE, "rand", points_to_evaluate=[{"x": 0.5}])
    with pytest.raises(KeyError, match="99"):
        search.tell(99, 1.0)
    with pytest.raises(ValueError, match=r"trial 0 is in the queue.*call ask\(\) first"):
        search.tell(0, 1.0)
    with pytest.raises(TypeError, match=r"tell\(\{'x': 0.5\}, ...\): pass what ask\(\) gave, or its tid"):
        search.tell({"x": 0.5}, 1.0)


@pytest.mark.parametrize("wrong", [None, "1.0", {"loss": 1.0}, {"status": "ok"}, KeyboardInterrupt()])
def test_what_is_no_outcome_leaves_the_trial_open(wrong):
    """The right one can still be told."""
    search = Search(SPACE, "rand")
    ask = search.ask()
    with pytest.raises(ValueError, match="trial 0"):
        search.tell(ask, wrong)
    search.tell(ask, 1.0)
    assert search.best.loss == 1.0


def test_in_any_order():
    """Trials need not end in the order in which they were asked for."""
    search = Search(SPACE, "tpe", seed=0)
    for _ in range(6):
        for ask in reversed(search.ask(4)):
            search.tell(ask, loss_of(ask.config))
    assert len(search.trials) == 24
    assert search.best.loss == min(search.trials.losses())


def test_nothing_told_nothing_best():
    """As in fmin."""
    search = Search(SPACE)
    search.ask()
    with pytest.raises(AllTrialsFailed):
        _ = search.best


# ---------------------------------------------------------------- reports, direction


def test_reports_and_pruning():
    """A pruner compares the curve with earlier ones; the reason is stored when it is told."""
    search = Search(SPACE, "rand", seed=0, pruner="median")
    pruned = []
    for _ in range(30):
        ask = search.ask()
        for step in range(6):
            ask.report(abs(ask.config["x"]) + 1 / (1 + step), step)
            if ask.should_prune():
                pruned.append(ask.tid)
                search.tell(ask, TrialPruned())
                break
        else:
            search.tell(ask, abs(ask.config["x"]))
    results = [search.trials.by_tid(tid)["result"] for tid in pruned]
    assert pruned
    assert {result["status"] for result in results} == {"pruned"}
    assert all("median" in result["reason"] for result in results)
    assert abs(search.best.config["x"]) == search.best.loss


def test_maximising():
    """Losses are told as they are."""
    search = driven(Search(SPACE, "rand", direction="maximize", seed=0), 10, lambda c: c["x"])
    assert search.best.value == max(search.trials.vals["x"])
    with pytest.raises(InvalidLoss, match="another name"):
        search.tell(search.ask(), {"status": "ok", "loss": 1.0, "value": 2.0})
    with pytest.raises(DirectionMismatch):
        Search(SPACE, trials=search.trials)


# ---------------------------------------------------------------- trials of other runs


def test_going_on_with_fmins_trials_and_back():
    """5 by fmin, 5 by hand, 5 by fmin are 15 by fmin."""
    whole = fmin(loss_of, SPACE, "rand", 15, rstate=0, verbose=False).trials
    trials = fmin(loss_of, SPACE, "rand", 5, rstate=0, verbose=False).trials
    driven(Search(SPACE, "rand", trials, seed=0), 5)
    fmin(loss_of, SPACE, "rand", 15, rstate=0, verbose=False, trials=trials)
    assert trials.vals == whole.vals


def test_what_is_left_open_is_asked_again(caplog):
    """By the next search on the trials, after close; a ``with`` block closes. That is no reason for a warning."""
    trials = Trials()
    with Search(SPACE, "rand", trials, seed=0) as search:
        search.tell(search.ask(), 1.0)
        left = search.ask(2)
    assert not caplog.records
    assert [doc["state"] for doc in trials._dynamic_trials] == [JOB_STATE_DONE] + [JOB_STATE_CANCEL] * 2
    with pytest.raises(ValueError, match="told already: it is cancelled"):
        search.tell(left[0], 1.0)
    again = Search(SPACE, "rand", trials, seed=0).ask(2)
    assert [ask.config for ask in again] == [ask.config for ask in left]


def test_two_searches_on_the_same_trials_do_not_disturb_each_other():
    """What one has open is not handed out by the other, also if that is made later."""
    trials = Trials()
    first = Search(SPACE, "rand", trials, seed=0)
    ask = first.ask()
    second = Search(SPACE, "rand", trials, seed=0)
    assert second.ask().tid != ask.tid
    first.tell(ask, 1.0)
    assert trials.by_tid(ask.tid)["state"] == JOB_STATE_DONE


# ---------------------------------------------------------------- shared stores


@pytest.fixture
def store():
    return MemoryStore()


def test_a_shared_store_gives_the_same_search(store):
    """Documents live elsewhere, the proposals are the same."""
    search = driven(Search(SPACE, "tpe", SharedTrials(store, "e"), seed=5), 25)
    assert search.trials.vals == driven(Search(SPACE, "tpe", seed=5), 25).trials.vals
    assert SharedTrials(store, "e").losses() == search.trials.losses()


def test_two_processes_share_the_work(store):
    """Each asks and tells; no trial is asked twice, and each sees the other's results."""
    searches = [Search(SPACE, "rand", SharedTrials(store, "e"), seed=seed) for seed in range(2)]
    asks = [search.ask(3) for search in searches]
    assert len({ask.tid for batch in asks for ask in batch}) == 6
    for search, batch in zip(searches, asks):
        for ask in batch:
            search.tell(ask, abs(ask.config["x"]))
    searches[0].trials.refresh()
    assert searches[0].best.loss == min(abs(ask.config["x"]) for batch in asks for ask in batch)


def test_only_who_asked_can_tell(store):
    """The token of the claim decides; nothing is changed."""
    mine, other = (Search(SPACE, "rand", SharedTrials(store, "e")) for _ in range(2))
    ask = mine.ask()
    other.trials.refresh()
    with pytest.raises(ValueError, match="somebody else"):
        other.tell(ask.tid, 1.0)
    mine.tell(ask, 2.0)
    other.trials.refresh()
    assert other.trials.losses() == [2.0]


def test_a_trial_that_was_taken_away_cannot_be_told(store):
    """The operator has put it back into the queue meanwhile."""
    search = Search(SPACE, "rand", SharedTrials(store, "e"))
    ask = search.ask()
    store.requeue("e", [ask.tid])
    with pytest.raises(ValueError, match="trial 0"):
        search.tell(ask, 1.0)
    assert store.counts("e") == {JOB_STATE_NEW: 1}


def test_leases_are_kept_while_trials_are_open(store):
    """A thread lives from the first ask to the last tell; closing puts trials back at once."""
    before = threading.active_count()
    search = Search(SPACE, "rand", SharedTrials(store, "e"))
    asks = search.ask(2)
    assert threading.active_count() > before
    for ask in asks:
        search.tell(ask, 1.0)
    assert threading.active_count() == before
    search.ask()
    search.close()
    assert threading.active_count() == before
    assert store.counts("e") == {JOB_STATE_NEW: 1, JOB_STATE_DONE: 2}


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"space": "annotated"}, ValueError, "no function that could be annotated"),
        ({"space": None}, TypeError, "space=None"),
        ({"trials": []}, TypeError, r"trials=\[\]"),
        ({"algo": "tpee"}, ValueError, "did you mean 'tpe'"),
        ({"direction": "up"}, ValueError, "direction='up'"),
        ({"pruner": "medium"}, ValueError, "pruner='medium'"),
        ({"seed": "a"}, TypeError, "'a'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, kind, message):
    """When the search is made."""
    with pytest.raises(kind, match=message):
        Search(**{"space": SPACE, **arguments})


def test_it_shows_how_far_it_is():
    """Trials and open asks."""
    search = driven(Search(SPACE, "rand", seed=0), 2)
    search.ask()
    assert "2 done" in repr(search) and "1 open" in repr(search)


def test_its_own_logs_name_trials(caplog):
    """Failures are logged as in a run."""
    search = Search(SPACE, "rand")
    with caplog.at_level(logging.ERROR, logger="hpspace"):
        search.tell(search.ask(), ValueError("no memory"))
    assert "trial 0: ValueError: no memory" in caplog.text


def test_seeds_are_those_of_fmin():
    """Any kind; a NaN loss is kept and never the best."""
    search = Search(SPACE, "rand", seed=base_from(3))
    search.tell(search.ask(), math.nan)
    search.tell(search.ask(), 1.0)
    assert search.best.loss == 1.0
    assert search.trials.vals == driven(Search(SPACE, "rand", seed=3), 2).trials.vals
