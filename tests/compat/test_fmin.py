"""fmin as Hyperopt's programs call it: one test for each promise of its documentation that they build on.

hpspace's own behaviour is tested in tests/run; here everything goes through Hyperopt's names and positions.
"""

from __future__ import annotations

import functools
import math
import pickle

import numpy as np
import pytest

import hpspace as hyperopt
from hpspace import STATUS_OK, Trials, anneal, fmin, hp, mix, rand, space_eval, tpe
from hpspace.base import JOB_STATE_DONE, JOB_STATE_ERROR
from hpspace.fmin import FMinIter, fmin_pass_expr_memo_ctrl, generate_trials_to_calculate, partial
from hpspace.pyll import as_apply, rec_eval, scope

quiet = functools.partial(fmin, verbose=False, rstate=np.random.default_rng(0))


def branin(p):
    """Branin's function: minimum 0.397887 (Dixon & Szego 1978)."""
    x, y = p["x"], p["y"]
    a = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return a**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


BRANIN = {"x": hp.uniform("x", -5, 10), "y": hp.uniform("y", 0, 15)}


# ---------------------------------------------------------------- the classic program


def test_the_program_of_hyperopts_front_page():
    """Nested choices, two models, tpe: index in, configuration out."""

    def objective(args):
        case, val = args
        return val if case == "case 1" else val**2

    space = hp.choice("a", [("case 1", 1 + hp.lognormal("c1", 0, 1)), ("case 2", hp.uniform("c2", -10, 10))])
    best = fmin(
        objective, space, algo=tpe.suggest, max_evals=100, verbose=False, rstate=np.random.default_rng(1)
    )
    assert best["a"] == 1
    assert abs(best["c2"]) < 1
    assert space_eval(space, best) == ("case 2", best["c2"])


@pytest.mark.parametrize(
    ("algo", "limit"),
    [
        (rand.suggest, 5.0),
        (tpe.suggest, 1.0),
        (
            functools.partial(
                tpe.suggest, n_startup_jobs=10, gamma=0.25, n_EI_candidates=24, prior_weight=1.0
            ),
            1.0,
        ),
        (anneal.suggest, 1.5),
        (
            functools.partial(
                mix.suggest, p_suggest=[(0.1, rand.suggest), (0.2, anneal.suggest), (0.7, tpe.suggest)]
            ),
            1.5,
        ),
    ],
    ids=["rand", "tpe", "tpe with arguments", "anneal", "mix"],
)
def test_every_algorithm_finds_branins_basins(algo, limit):
    """150 evaluations; the median of three seeds is below a limit that twice the usual result stays under."""
    losses = [
        fmin(branin, BRANIN, algo, 150, verbose=False, rstate=np.random.default_rng(s)).loss for s in range(3)
    ]
    assert np.median(losses) < limit


def test_a_suggest_function_written_for_hyperopt_runs_unchanged():
    """The contract of section 8: ids in, documents of trials.new_trial_docs out."""

    def suggest(new_ids, domain, trials, seed):
        rng = np.random.default_rng(seed)
        rval = []
        for new_id in new_ids:
            vals = {label: [rng.uniform(0, 1)] for label in domain.params}
            idxs = {label: [new_id] for label in domain.params}
            misc = {"tid": new_id, "cmd": domain.cmd, "workdir": domain.workdir, "idxs": idxs, "vals": vals}
            rval.extend(trials.new_trial_docs([new_id], [None], [domain.new_result()], [misc]))
        return rval

    trials = Trials()
    quiet(lambda p: p["x"] + p["y"], BRANIN, suggest, 10, trials=trials)
    assert trials.tids == list(range(10))
    assert all(0 <= x <= 1 for x in trials.vals["x"])


# ---------------------------------------------------------------- section 0 and 5


def test_max_evals_is_the_total():
    """Point 8: errors do not count in len(trials), and so not for the next call."""
    trials = Trials()
    quiet(branin, BRANIN, rand.suggest, 5, trials=trials)
    quiet(branin, BRANIN, rand.suggest, 8, trials=trials)
    assert len(trials) == 8

    def fails(p):
        raise RuntimeError

    quiet(fails, BRANIN, rand.suggest, 10, trials=trials, catch_eval_exceptions=True)
    assert len(trials) == 8
    quiet(branin, BRANIN, rand.suggest, 10, trials=trials)
    assert len(trials) == 10


def test_points_come_in_addition():
    """Point 8, in fresh trials."""
    trials = quiet(
        branin, BRANIN, rand.suggest, 3, points_to_evaluate=[{"x": 0, "y": 1}, {"x": 1, "y": 2.5}]
    ).trials
    assert len(trials) == 5
    assert trials.vals["x"][:2] == [0, 1]


def test_only_running_states_are_shown():
    """Point 10: errors live in _dynamic_trials."""
    trials = Trials()
    calls = []

    def third_fails(p):
        calls.append(p)
        if len(calls) == 3:
            raise ValueError("third")
        return 0.0

    with pytest.raises(ValueError, match="third"):
        quiet(third_fails, BRANIN, rand.suggest, 10, trials=trials)
    assert [doc["state"] for doc in trials._dynamic_trials] == [
        JOB_STATE_DONE,
        JOB_STATE_DONE,
        JOB_STATE_ERROR,
    ]
    assert len(trials) == len(trials.trials) == 2
    assert trials._dynamic_trials[2]["misc"]["error"] == ("<class 'ValueError'>", "third")


def test_documents_of_a_conditional_space():
    """Point 14: [value] and [tid] where active, [] where not."""
    trials = Trials()
    quiet(lambda v: v, hp.choice("c", [1, hp.uniform("x", 0, 1)]), rand.suggest, 20, trials=trials)
    for doc in trials.trials:
        active = doc["misc"]["vals"]["c"] == [1]
        assert len(doc["misc"]["vals"]["x"]) == active
        assert doc["misc"]["idxs"]["x"] == ([doc["tid"]] if active else [])
    assert len(trials.vals["x"]) == sum(trials.vals["c"]) < 20


@pytest.mark.parametrize("rstate", [np.random.default_rng(5), np.random.RandomState(5), 5])
def test_seeds(rstate):
    """Point 15, with RandomState revived (0.2.6 broke it) and int."""
    assert len(fmin(branin, BRANIN, rand.suggest, 3, rstate=rstate, verbose=False).trials) == 3


def test_loss_threshold_stops_below_it():
    """Point 17."""
    best = quiet(branin, BRANIN, tpe.suggest, 500, loss_threshold=3.0)
    assert best.loss < 3.0
    assert sum(loss < 3.0 for loss in best.trials.losses()) == 1


def test_timeout_ends_the_run():
    """Seconds, between evaluations."""
    assert len(quiet(branin, BRANIN, rand.suggest, None, timeout=0.5).trials) >= 1


def test_early_stop_fn_protocol():
    """Point 18: (stop, args), no args in the first call."""
    seen = []

    def stop(trials, count=0):
        seen.append(count)
        return count + 1 >= 4, [count + 1]

    assert len(quiet(branin, BRANIN, rand.suggest, 100, early_stop_fn=stop).trials) == 4
    assert seen == [0, 1, 2, 3]


def test_return_argmin_false_returns_the_configuration():
    """space_eval(space, argmin)."""
    space = hp.choice("c", ["only"])
    assert quiet(lambda c: 0.0, space, rand.suggest, 1, return_argmin=False) == "only"


def test_max_evals_zero():
    """Hyperopt's exception and its words; None with return_argmin=False."""
    with pytest.raises(
        Exception, match=r"There are no evaluation tasks, cannot return argmin of task losses\."
    ):
        quiet(branin, BRANIN, rand.suggest, 0)
    assert quiet(branin, BRANIN, rand.suggest, 0, return_argmin=False) is None


def test_pass_expr_memo_ctrl():
    """The marked objective evaluates the space itself."""

    @fmin_pass_expr_memo_ctrl
    def f(expr, memo, ctrl):
        assert isinstance(ctrl, hyperopt.Ctrl)
        return {"loss": rec_eval(expr, memo=memo) ** 2, "status": STATUS_OK}

    best = quiet(partial(f), hp.uniform("x", -10, 10), rand.suggest, 30)
    assert abs(best["x"]) < 3


def test_annotated_space():
    """Point 19: annotations are the space; labels are the annotations'."""

    def f(x: hp.uniform("lx", -5, 5), y: hp.choice("ly", [0, 1]) = 3, z=2):
        return x**2 + y + z

    f.__annotations__ = {"x": hp.uniform("lx", -5, 5), "y": hp.choice("ly", [0, 1])}
    best = quiet(f, "annotated", rand.suggest, 40)
    assert set(best) == {"lx", "ly"}
    assert best["ly"] == 0


def test_loop_object():
    """FMinIter as programs drive it: exhaust, iteration, run."""
    domain = hyperopt.Domain(branin, BRANIN)
    loop = FMinIter(rand.suggest, domain, Trials(), rstate=np.random.default_rng(0), max_evals=5)
    assert loop.exhaust() is loop
    assert len(loop.trials) == 5
    loop = FMinIter(rand.suggest, domain, Trials(), rstate=np.random.default_rng(0), max_evals=4)
    assert [len(trials) for trials in loop] == [1, 2, 3]
    loop = FMinIter(rand.suggest, domain, Trials(), rstate=np.random.default_rng(0))
    loop.serial_evaluate()
    loop.run(3, block_until_done=True)
    assert len(loop.trials) == 3
    assert FMinIter.catch_eval_exceptions is False
    assert loop.is_cancelled is False


def test_generated_trials_are_points():
    """generate_trials_to_calculate as an argument of trials=."""
    trials = generate_trials_to_calculate([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}])
    quiet(branin, BRANIN, tpe.suggest, 10, trials=trials)
    assert trials.vals["x"][:2] == [0.0, 1.0]
    assert len(trials) == 12


def test_trials_save_file_is_loaded_and_continued(tmp_path):
    """And `pickle.load` of the file gives trials, as programs do."""
    path = tmp_path / "trials.hyperopt"
    quiet(branin, BRANIN, rand.suggest, 5, trials_save_file=str(path))
    quiet(branin, BRANIN, rand.suggest, 8, trials_save_file=str(path))
    with path.open("rb") as file:
        assert len(pickle.load(file)) == 8


def test_trials_can_be_pickled_between_calls(tmp_path):
    """The loop that users write by hand: load, a few more, save."""
    path = tmp_path / "trials.pkl"
    for total in (3, 6, 9):
        trials = pickle.loads(path.read_bytes()) if path.exists() else Trials()
        fmin(branin, BRANIN, tpe.suggest, total, trials=trials, rstate=0, verbose=False)
        path.write_bytes(pickle.dumps(trials))
    assert len(trials) == 9
    assert len(set(trials.vals["x"])) == 9


def test_expressions_in_the_space():
    """Arithmetic and scope functions are applied before the objective sees the point."""

    @scope.define
    def _compat_join(a, b):
        return f"{a}-{b}"

    try:
        space = {
            "n": scope.int(hp.quniform("n", 1, 9, 1)),
            "s": scope._compat_join("v", hp.choice("c", [1, 2])),
        }
        config = quiet(lambda p: p["n"], as_apply(space), rand.suggest, 30, return_argmin=False)
    finally:
        scope.undefine("_compat_join")
    assert type(config["n"]) is int
    assert config["s"] in ("v-1", "v-2")
