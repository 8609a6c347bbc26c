"""hpspace.stop: rules that end a run, as callbacks and as early_stop_fn, alone and joined."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from hpspace import Trials, compile_space, fmin, hp, stop
from hpspace.history import OK, History
from hpspace.run.regret import remaining_gain
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR, new_document
from hpspace.trials.trials import trials_from_docs

SPACE = {"x": hp.uniform("x", 0, 1)}


def ended(*outcomes, direction="minimize"):
    """Trials that ended with losses, with a status, or with an error (None)."""
    docs = [new_document(tid, {"x": 0.5}) for tid in range(len(outcomes))]
    for doc, outcome in zip(docs, outcomes):
        if outcome is None:
            doc["state"] = JOB_STATE_ERROR
        elif isinstance(outcome, str):
            doc.update(state=JOB_STATE_DONE, result={"status": outcome})
        else:
            doc.update(state=JOB_STATE_DONE, result={"status": "ok", "loss": float(outcome)})
    trials = Trials()
    trials.direction = direction
    trials.insert_trial_docs(docs)
    trials.refresh()
    return trials


def search(fn, max_evals=60, algo="rand", **kwargs):
    return fmin(fn, SPACE, algo, max_evals, **{"rstate": 0, "verbose": False, **kwargs})


def counted(values):
    """An objective that returns given values, one after the other, and the last for ever."""
    rest = list(values)
    return lambda config: rest.pop(0) if len(rest) > 1 else rest[0]


# ---------------------------------------------------------------- max_trials


def test_max_trials_counts_ways_to_end():
    """Good ones by default; NaN is a failure."""
    trials = ended(1.0, "fail", None, "pruned", 2.0, math.nan)
    counts = {"ok": 2, "fail": 2, "error": 1, "pruned": 1}
    for state, count in counts.items():
        assert stop.max_trials(count, states=state)(trials)
        assert not stop.max_trials(count + 1, states=[state])(trials)
    assert stop.max_trials(6, states=tuple(counts))(trials)


def test_max_trials_ends_a_run():
    """Those of earlier runs count: a second run does nothing."""
    trials = Trials()
    for _ in range(2):
        search(lambda c: c["x"], trials=trials, callbacks=stop.max_trials(7))
        assert len(trials) == 7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stop.max_trials(0), r"max_trials\(0\): pass a number of trials, 1 or more"),
        (lambda: stop.max_trials(2, states=("oki",)), "'oki' is none of .*did you mean 'ok'"),
        (lambda: stop.no_improvement(0), r"no_improvement\(0\)"),
        (lambda: stop.no_improvement(3, min_delta=-1), "min_delta=-1"),
        (lambda: stop.no_improvement(3, percent=math.nan), "percent=nan"),
        (lambda: stop.target(math.nan), r"target\(nan\): pass a number"),
        (lambda: stop.regret_bound(-1), "threshold=-1"),
        (lambda: stop.max_trials("5"), r"max_trials\('5'\)"),
        (lambda: stop.no_improvement(3, min_delta="0"), "min_delta='0'"),
        (lambda: stop.target(None), r"target\(None\): pass a number"),
        (lambda: stop.regret_bound("1"), "threshold='1'"),
        (lambda: stop.regret_bound(1, min_trials=2), "min_trials=2"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    """When the rule is made, naming the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- no_improvement


@pytest.mark.parametrize(
    ("outcomes", "n", "stops"),
    [
        ((5, 4, 3), 1, False),
        ((5, 4, 4), 1, True),  # equal is not better
        ((5, 6, 7), 2, True),
        ((5, 6, 7), 3, False),
        ((5, "fail", None, math.nan), 3, True),  # failures are trials without improvement
        (("fail", "fail"), 2, True),
        ((), 1, False),
        ((math.inf, 5), 1, False),
    ],
)
def test_no_improvement_counts_trials_since_the_best(outcomes, n, stops):
    """Trials after the last one that made the best better."""
    assert stop.no_improvement(n)(ended(*outcomes)) is stops


def test_small_improvements_can_be_ignored():
    """By an amount, or by a percentage of the best; the larger counts."""
    trials = ended(100, 96, 95)
    assert not stop.no_improvement(2)(trials)
    assert stop.no_improvement(2, min_delta=5)(trials)
    assert not stop.no_improvement(2, min_delta=4.5)(trials)  # 95 is
    assert stop.no_improvement(2, percent=5)(trials)
    assert stop.no_improvement(2, min_delta=1, percent=5)(trials)


def test_the_measure_of_improvement_is_the_last_one_that_counted():
    """Creeping forward in steps too small to count is an improvement in the end."""
    assert not stop.no_improvement(2, min_delta=1.5)(ended(10, 9, 8))


def test_no_improvement_ends_a_run_that_maximises():
    """Larger is better there."""
    best = search(counted([1, 2, 3, 3, 3, 3, 3, 3]), callbacks=stop.no_improvement(4), direction="maximize")
    assert len(best.trials) == 7


# ---------------------------------------------------------------- target


@pytest.mark.parametrize(
    ("direction", "stored", "value", "stops"),
    [
        ("minimize", 0.25, 0.25, True),  # reached is enough
        ("minimize", 0.3, 0.25, False),
        ("maximize", -0.75, 0.75, True),
        ("maximize", -0.7, 0.75, False),
    ],
)
def test_target_is_in_the_direction_asked_for(direction, stored, value, stops):
    """Documents hold what is minimised."""
    assert stop.target(value)(ended(stored, direction=direction)) is stops


def test_target_ignores_failed_trials():
    """And says nothing without good ones."""
    assert not stop.target(100)(ended("fail", math.nan))


def test_a_target_that_is_reached_already_runs_nothing():
    """Asked before the first trial, as a callback and as early_stop_fn."""
    trials = search(lambda c: 0.0, 1).trials
    search(pytest.fail, trials=trials, callbacks=[stop.target(0)])
    search(pytest.fail, trials=trials, early_stop_fn=stop.target(0))
    assert len(trials) == 1


# ---------------------------------------------------------------- where rules fit


@pytest.mark.parametrize("argument", ["callbacks", "early_stop_fn"])
def test_a_rule_fits_both_arguments(argument):
    """And stops after the same trial."""
    assert len(search(counted([3, 2, 1, 0]), **{argument: stop.target(1)}).trials) == 3


def test_an_early_stop_fn_may_answer_by_a_bool():
    """No args to carry; numpy's bool too."""
    assert len(search(lambda c: 0.0, early_stop_fn=lambda trials: len(trials) == 4).trials) == 4
    assert len(search(lambda c: 0.0, early_stop_fn=lambda trials: np.bool_(len(trials) == 4)).trials) == 4


def test_rules_are_joined():
    """| is either, & is both; the text shows it."""
    early, late = stop.max_trials(2), stop.target(0)
    trials = ended(1.0, 2.0)
    assert (early | late)(trials) and (late | early)(trials)
    assert not (early & late)(trials)
    assert (early & late)(ended(1.0, 0.0))
    assert (early & late).reason(ended(1.0, 0.0)) == "2 trials are ok and 0.0 reaches the target 0.0"
    assert repr(early | late & early) == (
        "(max_trials(2, states=('ok',)) | (target(0.0) & max_trials(2, states=('ok',))))"
    )
    with pytest.raises(TypeError):
        early | 3


def test_rules_are_values():
    """Equal when made alike, and they travel."""
    rule = stop.no_improvement(3, percent=1) | stop.target(2)
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_the_reason_is_logged(caplog):
    """Which rule, as it was written."""
    with caplog.at_level("INFO", logger="hpspace"):
        search(lambda c: 0.0, callbacks=stop.target(0))
    assert "the run stops: target(0.0) says so" in caplog.text


def test_a_rule_of_ones_own():
    """Three lines."""

    class Even(stop.Rule):
        def reason(self, trials):
            return "even" if len(trials) and len(trials) % 2 == 0 else None

    assert len(search(lambda c: 0.0, callbacks=Even()).trials) == 2
    with pytest.raises(NotImplementedError, match="Rule does not say when to stop"):
        stop.Rule()(ended())


# ---------------------------------------------------------------- regret_bound


def quadratic(n, seed=0, noise=0.0):
    """A history of n draws of x in [-1, 1] with loss x^2."""
    space = compile_space({"x": hp.uniform("x", -1, 1)})
    history = History(space)
    x = space.sample(seed, n).values
    rng = np.random.default_rng(seed)
    history.append(x, x[:, 0] ** 2 + noise * rng.standard_normal(n), [OK] * n)
    return history


def test_the_bound_covers_what_is_left_and_shrinks():
    """x^2: the best of n draws minus 0 is the true gain; the bound is above it, and small in the end."""
    bounds = {n: remaining_gain(quadratic(n)) for n in (5, 40)}
    gains = {n: float(quadratic(n).losses.min()) for n in bounds}
    assert all(bounds[n] >= gains[n] for n in bounds)
    assert bounds[40] < 0.01 < bounds[5]


def test_the_bound_is_in_units_of_the_loss():
    """A thousandth (in binary) of the loss has a thousandth of the bound."""
    history = quadratic(20)
    small = History(history.space)
    small.append(history.values, history.losses / 1024, [OK] * 20)
    assert remaining_gain(small) == pytest.approx(remaining_gain(history) / 1024)


def test_unseen_regions_keep_the_bound_large():
    """All trials in the left half, falling to the right: there may be a lot to gain."""
    space = compile_space({"x": hp.uniform("x", 0, 1)})
    x = np.linspace(0, 0.5, 25)[:, None]
    half = History(space)
    half.append(x, -x[:, 0], [OK] * 25)
    assert remaining_gain(half) > 0.2


@pytest.mark.parametrize("losses", [[1.0] * 12, [-math.inf, *range(11)]])
def test_losses_that_say_nothing_bound_nothing(losses):
    """All the same, or one that is infinitely good."""
    space = compile_space({"x": hp.uniform("x", 0, 1)})
    history = History(space)
    history.append(space.sample(0, 12).values, losses, [OK] * 12)
    assert remaining_gain(history) == math.inf


def test_regret_bound_ends_a_run_on_a_nested_space():
    """Choices and inactive parameters; not before min_trials, only every few trials, the same at every look."""
    space = hp.choice("c", [{"x": hp.uniform("x", -1, 1)}, {"y": hp.uniform("y", 1, 2)}])
    rule = stop.regret_bound(0.05, min_trials=12, every=4)
    trials = fmin(
        lambda c: c["x"] ** 2 if "x" in c else c["y"],
        space,
        "tpe",
        120,
        rstate=1,
        verbose=False,
        callbacks=rule,
    ).trials
    assert 12 <= len(trials) < 120
    assert (len(trials) - 12) % 4 == 0
    assert rule.bound(trials) == rule.bound(trials) <= 0.05


def test_regret_bound_waits_for_enough_trials():
    """Infinite before; and it needs the space."""
    rule = stop.regret_bound(10, min_trials=6)
    trials = search(lambda c: c["x"], 5).trials
    assert rule.bound(trials) == math.inf
    assert not rule(trials)
    with pytest.raises(ValueError, match="remember_space"):
        rule(trials_from_docs([]))


def test_nothing_is_left_in_a_space_without_parameters():
    """One configuration."""
    trials = fmin(lambda c: 1.0, {"x": 3}, "rand", 5, verbose=False, revisit=True).trials
    assert stop.regret_bound(0.0, min_trials=5).bound(trials) == 0.0
