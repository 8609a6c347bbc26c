"""Why a trial was proposed: the state of the search is put back, and positions become ids and labels."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from hpspace import Domain, Trials, compile_space, hp, tpe
from hpspace.base import JOB_STATE_CANCEL, JOB_STATE_DONE, JOB_STATE_NEW, JOB_STATE_RUNNING
from hpspace.history import OK, History
from hpspace.suggest.tpe.algorithm import TPE

START = datetime.datetime(2030, 1, 1)
SPACE = {
    "x": hp.uniform("x", -5, 5),
    "m": hp.choice("m", [{"lr": hp.loguniform("lr", -7, 0)}, "plain"]),
    "n": hp.qnormal("n", 0, 5, 1),
}


def at(second):
    return START + datetime.timedelta(seconds=second)


def loss_of(doc):
    return (doc["misc"]["vals"]["x"][0] - 2) ** 2 + doc["misc"]["vals"]["m"][0]


def insert(trials, seed, started, finished=None, suggest=tpe.suggest):
    """Propose one trial, started and finished at given seconds."""
    (doc,) = suggest(trials.new_trial_ids(1), Domain(lambda c: 0, SPACE), trials, seed)
    doc["book_time"] = doc["refresh_time"] = at(started)
    doc["state"] = JOB_STATE_RUNNING
    if finished is not None:
        finish(doc, finished)
    trials.insert_trial_docs([doc])
    trials.refresh()
    return trials.trials[-1]


def finish(doc, second):
    doc["state"], doc["refresh_time"] = JOB_STATE_DONE, at(second)
    doc["result"] = {"status": "ok", "loss": loss_of(doc)}


def search(n):
    trials = Trials()
    for i in range(n):
        insert(trials, seed=i, started=2 * i, finished=2 * i + 1)
    return trials


TRIALS = search(40)


def test_it_is_what_the_algorithm_says_of_the_trials_before():
    """The explanation of trial 30 knows trials 0 to 29 and no other."""
    space = compile_space(SPACE)
    rows = np.array(
        [space.row({k: v[0] for k, v in doc["misc"]["vals"].items() if v}) for doc in TRIALS.trials]
    )
    history = History(space)
    history.append(rows[:30], [loss_of(doc) for doc in TRIALS.trials[:30]], [OK] * 30)
    expected = TPE().explain(space, history, rows[30:31])
    why = tpe.explain(SPACE, TRIALS, tid=30)
    assert (why.good, why.bad) == (expected.good.tolist(), expected.bad.tolist())
    assert why.score == expected.score[0]
    assert why.log_improvement == expected.log_improvement[0]
    assert (why.log_good, why.log_bad) == (expected.log_good[0], expected.log_bad[0])
    assert why.weights == expected.weights.tolist()
    assert list(why.labels) == [label for label in space.labels if label in why.point]
    for label, reason in why.labels.items():
        column = space.index[label]
        assert reason.value == TRIALS.trials[30]["misc"]["vals"][label][0]
        assert reason.log_ratio == (expected.log_good_marginals - expected.log_bad_marginals)[0, column]


def test_the_latest_trial_is_explained_unless_told_otherwise():
    assert tpe.explain(compile_space(SPACE), TRIALS).tid == 39


def test_the_first_trials_were_drawn_from_the_prior():
    """10 trials make a model, and with n_startup_jobs=5 five do; the very first has nothing to be compared with."""
    first = tpe.explain(SPACE, TRIALS, tid=0)
    assert first.from_prior and first.score == 0 and first.good == first.bad == []
    assert tpe.explain(SPACE, TRIALS, tid=9).from_prior
    assert not tpe.explain(SPACE, TRIALS, tid=10).from_prior
    assert not tpe.explain(SPACE, TRIALS, tid=9, n_startup_jobs=5).from_prior


def test_parameters_are_those_of_the_search():
    """gamma = 2: ceil(2 sqrt 39) = 13 good trials instead of a tenth."""
    assert len(tpe.explain(SPACE, TRIALS).good) == 4
    assert len(tpe.explain(SPACE, TRIALS, gamma=2.0).good) == 13
    assert len(tpe.explain(SPACE, TRIALS, algo=TPE(gamma=2.0)).good) == 13


@pytest.mark.parametrize(("name", "good"), [("tpe-hyperopt03", 2), ("tpe-optuna5", 4)])
def test_the_published_models_explain_themselves(name, good):
    """ceil(.25 sqrt 39) and ceil(.1 * 39) good trials; the score is the log ratio."""
    why = tpe.explain(SPACE, TRIALS, algo=name)
    assert len(why.good) == good and len(why.bad) == 39 - good
    assert why.score == pytest.approx(why.log_good - why.log_bad)


def test_what_ran_at_that_time_counts_as_running():
    """Trial 20 started at 40; trials 18 and 19 finished later, and were among the best."""
    trials = search(18)
    late = [insert(trials, seed=i, started=37) for i in (18, 19)]
    insert(trials, seed=20, started=40, finished=41)
    then = tpe.explain(SPACE, trials, tid=20)
    for doc in late:
        finish(doc, 50)
        doc["result"]["loss"] = -1.0
    trials.refresh()
    now = tpe.explain(SPACE, trials, tid=20)
    assert (now.good, now.bad, now.score) == (then.good, then.bad, then.score)
    assert {18, 19} <= set(now.bad)
    insert(trials, seed=21, started=60)
    assert {18, 19} <= set(tpe.explain(SPACE, trials, tid=21).good)
    assert trials.trials[18]["state"] == JOB_STATE_DONE  # nothing was changed


def test_a_new_trial_was_proposed_just_now():
    """Without a time of start, what is finished now counts as finished; cancelled trials are left out."""
    trials = search(20)
    doc = insert(trials, seed=20, started=0)
    doc["state"], doc["book_time"], doc["refresh_time"] = JOB_STATE_NEW, None, None
    why = tpe.explain(SPACE, trials)
    assert why.tid == 20 and len(why.good) + len(why.bad) == 20
    trials._dynamic_trials[3]["state"] = JOB_STATE_CANCEL
    assert 3 not in tpe.explain(SPACE, trials).good + tpe.explain(SPACE, trials).bad


def test_documents_are_enough():
    """Trials of another library: an object with a list of documents."""

    class Foreign:
        trials = TRIALS.trials

    assert tpe.explain(SPACE, Foreign(), tid=35).score == tpe.explain(SPACE, TRIALS, tid=35).score


def test_a_curve_goes_through_the_trial_and_has_the_peak_where_the_good_trials_are():
    """The density at the trial's own value is the one that is shown for it."""
    why = tpe.explain(SPACE, TRIALS, tid=30)
    x = why.curve("x", points=2001)
    assert (x.label, len(x.values), x.values[0], x.values[-1]) == ("x", 2001, -5, 5)
    shown = np.log(np.interp(why.point["x"], x.values, x.good))
    assert shown == pytest.approx(why.labels["x"].log_good, abs=0.01)
    assert abs(x.values[(x.good / x.bad).argmax()] - 2) < 1
    assert x.good.mean() == pytest.approx(1, abs=0.01)  # relative to the declared density: the integral


@pytest.mark.parametrize("name", ["tpe", "tpe-hyperopt03", "tpe-optuna5"])
def test_curves_of_every_kind(name):
    """Options and grids are probabilities, also of a label that the trial does not have, or without bounds."""
    # until the 30th trial one of the good ones has n = 19, and most of its mass beyond what is shown
    plain = next(doc["tid"] for doc in TRIALS.trials[30:] if doc["misc"]["vals"]["m"] == [1])
    why = tpe.explain(SPACE, TRIALS, tid=plain, algo=name)
    m, lr, n = (why.curve(label) for label in ("m", "lr", "n"))
    assert m.values.tolist() == [0, 1]
    assert m.good.sum() == pytest.approx(1) and m.bad.sum() == pytest.approx(1)
    assert "lr" not in why.point and len(lr.values) == 200 and (lr.good > 0).all()
    assert n.values.tolist() == list(range(-15, 16)) and 0.9 < n.good.sum() <= 1


def test_its_text_is_a_table():
    """A line a label, and the whole point."""
    why = tpe.explain(SPACE, TRIALS, tid=30)
    lines = str(why).splitlines()
    assert lines[0] == (
        f"trial 30: score {why.score:.3g}, log expected improvement {why.log_improvement:.3g}; "
        "3 good and 27 bad trials"
    )
    assert [line.split()[0] for line in lines[1:]] == ["label", *why.labels, "(joint)"]
    assert len({len(line) for line in lines[1:]}) == 1
    ratios = tpe.explain(SPACE, TRIALS, tid=30, trend_trials=0)
    assert str(ratios).startswith(f"trial 30: score {ratios.score:.3g}; 3 good")
    assert "drawn from the prior" in str(tpe.explain(SPACE, TRIALS, tid=2))


def test_what_cannot_be_explained_is_said():
    """Unknown trial, label, algorithm, parameter; trials there are none."""
    with pytest.raises(ValueError, match="no trial has the id 99; there are 40, from 0 to 39"):
        tpe.explain(SPACE, TRIALS, tid=99)
    with pytest.raises(ValueError, match="there are none"):
        tpe.explain(SPACE, Trials())
    with pytest.raises(TypeError, match="'rand' does not explain itself; these do: tpe, "):
        tpe.explain(SPACE, TRIALS, algo="rand")
    with pytest.raises(TypeError, match="gama"):
        tpe.explain(SPACE, TRIALS, gama=0.2)
    with pytest.raises(ValueError, match="no label 'y'"):
        tpe.explain(SPACE, TRIALS).curve("y")


def test_a_curve_needs_what_its_parameter_depends_on():
    """b in [0, a] where a is a branch: drawn for a trial of that branch only."""
    a = hp.uniform("a", 1, 2)
    space = compile_space(hp.choice("m", [{"a": a, "b": hp.uniform("b", 0, a)}, "plain"]))
    trials = Trials()
    for tid, point in enumerate([{"m": 0, "a": 1.5, "b": 1.0}, {"m": 1}]):
        docs = trials.new_trial_docs(
            [tid],
            [None],
            [{"status": "ok", "loss": 1.0}],
            [
                {
                    "tid": tid,
                    "cmd": None,
                    "vals": {k: [v] for k, v in point.items()},
                    "idxs": {k: [tid] for k in point},
                }
            ],
        )
        docs[0]["state"] = JOB_STATE_DONE
        trials.insert_trial_docs(docs)
    trials.refresh()
    assert tpe.explain(space, trials, tid=0).curve("b").values.max() == 1.5
    with pytest.raises(ValueError, match="'b' depends on 'a', which trial 1 lacks"):
        tpe.explain(space, trials, tid=1).curve("b")
