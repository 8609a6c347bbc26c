"""Rows of Hyperopt 0.3's public surface that no other file of this folder looks at, one test a row.

Grouped as the surface is: spaces, expressions, evaluation, fmin, trials, algorithms, the tools, exceptions. Each
docstring names the row. What Hyperopt does there was observed by running it; where hpspace differs on purpose the
test says so, and docs/migrating-from-hyperopt.md too.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import pickle
import sys

import numpy as np
import pytest

import hpspace as hyperopt
from hpspace import (
    STATUS_FAIL,
    STATUS_OK,
    Ctrl,
    Domain,
    Trials,
    anneal,
    base,
    fmin,
    hp,
    mix,
    rand,
    space_eval,
    tpe,
)
from hpspace import utils as utilities
from hpspace.early_stop import no_progress_loss
from hpspace.exceptions import (
    AllTrialsFailed,
    BadSearchSpace,
    DuplicateLabel,
    InvalidAnnotatedParameter,
    InvalidDistribution,
    InvalidLoss,
    InvalidPoint,
    InvalidResultStatus,
    InvalidTrial,
)
from hpspace.fmin import FMinIter, generate_trial
from hpspace.progress import default_callback, no_progress_callback, tqdm_progress_callback
from hpspace.pyll import as_apply, rec_eval, scope
from hpspace.pyll.base import MissingArgument
from hpspace.pyll.stochastic import sample
from hpspace.pyll_utils import EQ, Cond

X = hp.uniform("x", 0, 1)


def seen_by_objective(space, n=1, algo=rand.suggest, **kwargs):
    """What the objective of a short run was called with."""
    seen = []
    fmin(lambda config: seen.append(config) or 0.0, space, algo, n, rstate=0, verbose=False, **kwargs)
    return seen


def searched(space=X, n=3, fn=None, algo=rand.suggest, **kwargs):
    """Trials of a short run."""
    trials = Trials()
    fn = fn or (lambda config: 1.0)
    fmin(fn, space, algo, n, trials=trials, rstate=np.random.default_rng(0), verbose=False, **kwargs)
    return trials


# ---------------------------------------------------------------- sections 0 and 2: spaces


@pytest.mark.parametrize(
    ("node", "in_config", "in_vals"),
    [
        (hp.choice("h", ["a", "b"]), str, int),
        (hp.pchoice("h", [(0.5, "a"), (0.5, "b")]), str, int),
        (hp.randint("h", 5), int, int),
        (hp.randint("h", -3, 5), int, int),
        (hp.randint("h", low=2, high=5), int, int),
        (hp.uniform("h", 0, 1), float, float),
        (hp.quniform("h", 0, 10, 1), float, float),
        (hp.uniformint("h", 1, 4), int, float),
        (hp.loguniform("h", -3, 0), float, float),
        (hp.qloguniform("h", 0, 3, 1), float, float),
        (hp.normal("h", 0, 1), float, float),
        (hp.qnormal("h", 0, 5, 1), float, float),
        (hp.lognormal("h", 0, 1), float, float),
        (hp.qlognormal("h", 0, 1, 1), float, float),
        (hp.uniform("h", np.float32(0), np.int64(1)), float, float),
        (hp.randint("h", np.int64(4)), int, int),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "algo", [rand.suggest, functools.partial(tpe.suggest, n_startup_jobs=2), anneal.suggest]
)
def test_types_seen_and_stored(node, in_config, in_vals, algo):
    """Table of section 2: the type the objective sees and the type in vals and argmin, with every algorithm."""
    seen = []
    trials = searched({"h": node}, 8, lambda config: seen.append(config["h"]) or float(len(seen)), algo)
    assert {type(value) for value in seen} == {in_config}
    assert {type(value) for value in trials.vals["h"]} == {in_vals} == {type(trials.argmin["h"])}


@pytest.mark.parametrize(
    "node",
    [
        hp.choice(label="k", options=[1, 2]),
        hp.pchoice(label="k", p_options=[(1, "a")]),
        hp.randint(label="k", upper=3),
        hp.randint(label="k", low=1, high=3),
        hp.uniform(label="k", low=0, high=1),
        hp.quniform(label="k", low=0, high=1, q=0.5),
        hp.uniformint(label="k", low=0, high=3),
        hp.uniformint("k", 0, 3, q=7),  # a q is overwritten
        hp.loguniform(label="k", low=-1, high=1),
        hp.qloguniform(label="k", low=0, high=1, q=1),
        hp.normal(label="k", mu=0, sigma=1),
        hp.qnormal(label="k", mu=0, sigma=1, q=1),
        hp.lognormal(label="k", mu=0, sigma=1),
        hp.qlognormal(label="k", mu=0, sigma=1, q=1),
    ],
    ids=str,
)
def test_arguments_by_keyword(node):
    """Section 2: every argument under Hyperopt's keyword, the label too; both algorithms read them."""
    for algo in (rand.suggest, functools.partial(tpe.suggest, n_startup_jobs=1)):
        assert set(searched(node, 3, algo=algo, fn=lambda value: 0.0).argmin) == {"k"}


@pytest.mark.parametrize("label", ["", "a.b c", "größe", b"raw", as_apply("in a literal")])
def test_labels(label):
    """Section 2: any str, bytes, or a literal of one; other things are a TypeError in the call (see the next)."""
    assert len(searched(hp.uniform(label, 0, 1), 1).argmin) == 1


@pytest.mark.parametrize("label", [None, 3, ("x",)])
def test_what_is_no_label(label):
    """Section 2: 'require string label', at once."""
    with pytest.raises(TypeError, match="require string label"):
        hp.uniform(label, 0, 1)


@pytest.mark.parametrize(
    ("node", "argument", "value"),
    [
        (hp.uniform("x", 0, 9), "high", 9),
        (hp.uniform("x", low=3, high=9), "low", 3),
        (hp.quniform("x", 0, 9, q=2), "q", 2),
        (hp.lognormal("x", 0, 2), "sigma", 2),
        (hp.randint("x", 4), "low", 4),  # one bound stands under the first name, in Hyperopt too
        (hp.randint("x", 2, 4), "high", 4),
        (hp.choice("x", ["a", "b", "c"]), "low", 3),
    ],
    ids=str,
)
def test_arguments_of_a_draw_are_found_by_name(node, argument, value):
    """Section 2, node structure: node.arg[...] of the distribution node, positional or not."""
    (param,) = (n for n in hyperopt.pyll.dfs(node) if n.name == "hyperopt_param")
    assert param.arg["label"].obj == "x"
    assert param.arg["obj"].arg[argument].obj == value
    assert param.arg["obj"].arg["rng"] is MissingArgument


def test_the_probability_of_a_pchoice_comes_first():
    """Section 2, pchoice: pairs of (probability, option); the other way round is a fault that says so."""
    with pytest.raises(InvalidDistribution, match="the probability is the first of each pair"):
        Domain(float, hp.pchoice("x", [("a", 0.5), ("b", 0.5)]))


def test_the_argument_of_randint_that_is_absent():
    """Section 3: MissingArgument where absent."""
    assert Domain(float, hp.randint("x", 4)).params["x"].arg["high"] is MissingArgument


def test_a_draw_with_one_argument_replaced():
    """Section 3: set_kwarg finds positional arguments by name (a new node here; Hyperopt edits in place)."""
    node = scope.quniform(0, 5, 1).set_kwarg("q", 2)
    assert [argument.obj for argument in node.pos_args] == [0, 5, 2]


def test_constants_pass_by_identity():
    """Section 2, spaces themselves: functions, classes, None, sets, arrays, any object."""
    constants = {"o": object(), "f": len, "c": dict, "n": None, "s": {3, 4}, "a": np.arange(3)}
    (config,) = seen_by_objective(constants)
    assert all(config[key] is value for key, value in constants.items())


@pytest.mark.parametrize(
    ("space", "config"),
    [
        (5, 5),
        ([1, (2, [3])], (1, (2, (3,)))),
        ({1: "a", 0: ["b"]}, {0: ("b",), 1: "a"}),
        ({(0, 1): 3, (1, 2): "a"}, {(0, 1): 3, (1, 2): "a"}),
        ({"a": {"b": hp.choice("c", [[1, 2]])}}, {"a": {"b": (1, 2)}}),
        (hp.choice("c", [None]), None),
    ],
)
def test_containers_the_objective_sees(space, config):
    """Points 2 and the last rows of section 2: lists are tuples at any depth, dicts of any keys stay."""
    assert seen_by_objective(space) == [config]


def test_a_constant_space():
    """Section 2: legal; the best point is empty."""
    assert fmin(lambda config: 1.0, {"a": 1}, rand.suggest, 1, verbose=False) == {}


def test_the_objective_may_change_its_configuration():
    """Each trial has containers of its own; what the space holds is not touched."""
    option = {"a": 1}

    def objective(config):
        config["a"] += 1
        return float(config["a"])

    space = hp.choice("c", [option, {**option, "x": X}])
    assert searched(space, 6, objective).losses() == [2.0] * 6
    assert option == {"a": 1}


def test_one_object_in_two_branches():
    """Section 2, nesting rules: one label, one value, active if a taken branch uses it."""
    space = [hp.choice("c", [X, {"x": X, "y": hp.normal("y", 0, 1)}]), X]
    for first, second in seen_by_objective(space, 8):
        assert (first["x"] if isinstance(first, dict) else first) == second


def test_bounds_that_depend_on_a_parameter_work_with_every_algorithm():
    """Section 2, nesting rules: Hyperopt samples them, and tpe fails after its start."""
    a = hp.uniform("a", 1, 2)
    for algo in (rand.suggest, functools.partial(tpe.suggest, n_startup_jobs=2), anneal.suggest):
        for config in seen_by_objective({"a": a, "b": hp.uniform("b", 0, a)}, 6, algo):
            assert 0 <= config["b"] <= config["a"]


def test_noise_is_no_parameter():
    """Section 2: a draw with an rng of its own is drawn at each evaluation and has no label."""
    space = scope.normal(as_apply([-1, 0])[hp.choice("i", [0, 1])], 1, rng=np.random.default_rng(0))
    assert set(searched(space, 2, float).argmin) == {"i"}


def test_a_part_of_the_chosen_option_as_the_space():
    """Section 3, x[i]: a choice can be indexed by a key of its options."""
    assert set(seen_by_objective(hp.choice("c", [{"k": 1}, {"k": 2}])["k"], 2)) == {1, 2}


def test_a_switch_of_ones_own():
    """Sections 2 and 3: an integer parameter may choose; only the branch taken is active."""
    space = scope.switch(hp.randint("i", 2), hp.uniform("low", 0, 1), hp.uniform("high", 2, 3))
    for doc in searched(space, 12).trials:
        vals = doc["misc"]["vals"]
        assert (len(vals["low"]), len(vals["high"])) == ((1, 0) if vals["i"] == [0] else (0, 1))


# ---------------------------------------------------------------- section 3: expressions


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (scope.int(3.7), 3),
        (scope.float(3), 3.0),
        (scope.len([1, 2]), 2),
        (scope.list((1, 2)), [1, 2]),
        (scope.dict(a=1), {"a": 1}),
        (scope.dict([(1, 2)]), {1: 2}),
        (scope.range(3), range(3)),
        (scope.map(abs, [1, -2]), [1, 2]),
        (scope.max(1, 2), 2),
        (scope.min([2, 1]), 1),
        (scope.getattr(3 + 4j, "imag"), 4.0),
        (scope.gt(2, 1), True),
        (scope.pow(2, 3), 8),
        (scope.sqrt(4), 2.0),
        (scope.sum([1, 2]), 3),
        (scope.asarray([1, 2], "float32").__getitem__(0), 1.0),
        (scope.repeat(3, "a"), ["a", "a", "a"]),
        (scope.uniq([1, 1, 2]), [1, 2]),
        (scope.str_join(",", ["a", "b"]), "a,b"),
        (scope.call(max, [1, 2], {}), 2),
        (scope.call_method("abc", "upper"), "ABC"),
        (scope.call_method_pure("abc", "upper"), "ABC"),
        (scope.copy_call_method_pure([1], "__len__"), 1),
        (scope.callpipe1([abs, float], -3), 3.0),
        (scope.partial("add", 3)(4), 7),
        (as_apply((4, 5))[-1], 5),
        (as_apply((4, 5, 6))[1:], (5, 6)),
        (as_apply({5: "a", 6: "b"})[5], "a"),
        (as_apply({"k": 9})["k"], 9),
        (as_apply([1, 2])[as_apply(1)], 2),
        (as_apply(max)(1, 5), 5),
    ],
    ids=lambda part: part.name if hasattr(part, "name") else "",
)
def test_functions_of_scope(expression, value):
    """Section 3, the list of functions and the table of syntax."""
    assert rec_eval(expression) == value


def test_failing_evaluation_prints_nothing(capsys):
    """Section 3, rec_eval: Hyperopt prints the node on stdout."""
    with pytest.raises(ZeroDivisionError):
        rec_eval(as_apply(1) / 0)
    assert capsys.readouterr().out == ""


def test_an_endless_program_ends():
    """Section 3, rec_eval: RuntimeError beyond max_program_len."""

    @scope.define
    def _rows_endless(x):
        return scope._rows_endless(as_apply([x]))

    try:
        with pytest.raises(RuntimeError):
            rec_eval(scope._rows_endless(1), max_program_len=1000)
    finally:
        scope.undefine("_rows_endless")


def test_classes_can_be_defined_on_scope():
    """Section 3, registering: any callable with a name."""

    @scope.define
    class _RowsBox:
        def __init__(self, content):
            self.content = content

    try:
        assert sample(scope._RowsBox(hp.choice("c", [7]))).content == 7
    finally:
        scope.undefine("_RowsBox")


# ---------------------------------------------------------------- section 4: evaluation


@pytest.mark.parametrize("assignment", [{}, {"c": 1}])
def test_space_eval_of_an_incomplete_point(assignment):
    """Section 4: an active label is missing (Hyperopt: AttributeError of None)."""
    with pytest.raises(InvalidPoint, match="has no value for"):
        space_eval({"c": hp.choice("c", [1, X])}, assignment)


def test_space_eval_checks_no_bounds():
    """Section 4: raw values are converted, not judged."""
    space = [scope.int(hp.quniform("q", 0, 1, 1)), hp.uniformint("u", 0, 3), hp.randint("r", 5)]
    assert space_eval(space, {"q": 55.0, "u": 2.0, "r": np.int64(9)}) == (55, 2, 9)


def test_domain_attributes():
    """Section 4, Domain; s_new_ids, s_rng, s_idxs_vals and vh are gone."""
    domain = Domain(len, {"x": X}, workdir="w", name="n", loss_target=0.1)
    assert domain.fn is len
    assert domain.expr.name == "dict"
    assert domain.params["x"].name == "uniform"
    assert (domain.workdir, domain.name, domain.loss_target) == ("w", "n", 0.1)
    assert domain.cmd == ("domain_attachment", "FMinIter_Domain")
    assert domain.pass_expr_memo_ctrl is False
    assert domain.new_result() == {"status": "new"}
    with pytest.raises(NotImplementedError):
        domain.true_loss_variance()


def test_domain_evaluates_in_two_halves():
    """Section 4: evaluate_async gives the function and its argument, evaluate_async2 normalises."""
    domain, ctrl = Domain(lambda config: config["x"], {"x": X}), Ctrl(Trials())
    fn, point = domain.evaluate_async({"x": 0.25}, ctrl)
    assert point == {"x": 0.25}
    assert domain.evaluate_async2(fn(point), ctrl) == {"loss": 0.25, "status": "ok"}


def test_a_live_ctrl_in_a_space():
    """Section 4: Domain.pyll_ctrl, a literal of the class, is replaced by the Ctrl of the trial."""
    ctrl = Ctrl(Trials())
    for placeholder in (Ctrl, Domain(float, X).pyll_ctrl):
        domain = Domain(
            lambda config: {"loss": 1.0, "status": "ok", "seen": config["ctrl"]},
            {"x": X, "ctrl": placeholder},
        )
        assert domain.evaluate({"x": 0.5}, ctrl)["seen"] is ctrl


def test_partial_keeps_the_mark():
    """Section 4: hyperopt.partial of a marked objective is marked, of another is not."""
    marked = hyperopt.partial(hyperopt.fmin_pass_expr_memo_ctrl(lambda a, expr, memo, ctrl: 0), a=1)
    assert marked.fmin_pass_expr_memo_ctrl is True
    assert not hasattr(hyperopt.partial(lambda x, a: a, a=1), "fmin_pass_expr_memo_ctrl")


def test_ctrl_of_a_running_trial():
    """Section 4, Ctrl: logging, checkpoint, attachments, injected results."""
    seen = {}

    @hyperopt.fmin_pass_expr_memo_ctrl
    def objective(expr, memo, ctrl):
        for write in (ctrl.debug, ctrl.info, ctrl.warn, ctrl.error):
            write("text")
        ctrl.checkpoint({"status": "running", "loss": 5.0})
        seen["checkpoint"] = ctrl.current_trial["result"]
        ctrl.attachments["key"] = b"value"
        seen["attachment"] = ctrl.attachments["key"]
        misc = {"tid": 0, "cmd": None, "idxs": {"x": [0]}, "vals": {"x": [0.5]}}
        ctrl.inject_results([None], [{"status": "ok", "loss": -1.0}], [misc])
        return {"loss": 1.0, "status": "ok"}

    trials = searched(X, 1, objective)
    trials.refresh()
    assert seen == {"checkpoint": {"status": "running", "loss": 5.0}, "attachment": b"value"}
    assert trials.losses() == [1.0, -1.0]
    assert [doc["misc"].get("from_tid") for doc in trials.trials] == [None, 0]


# ---------------------------------------------------------------- section 5: fmin


@pytest.mark.parametrize("value", [0, -1, True, "a"])
def test_timeouts_that_are_refused(value):
    """Section 5: a bare Exception with Hyperopt's words."""
    with pytest.raises(
        Exception, match=f"timeout argument should be None or a positive value. Given value: {value}"
    ):
        fmin(float, X, rand.suggest, 1, timeout=value, verbose=False)


@pytest.mark.parametrize("value", [True, "x"])
def test_loss_thresholds_that_are_refused(value):
    """Section 5: likewise."""
    with pytest.raises(
        Exception, match=f"loss_threshold argument should be None or a numeric value. Given value: {value}"
    ):
        fmin(float, X, rand.suggest, 1, loss_threshold=value, verbose=False)


def test_no_algorithm_is_tpe():
    """Section 5, algo=None."""
    assert set(fmin(float, X, max_evals=2, verbose=False, rstate=0)) == {"x"}


def test_no_limit_runs_until_something_else_stops_it():
    """Section 5, max_evals=None: here the objective does."""
    trials = Trials()

    def objective(x):
        if len(trials.trials) > 4:
            raise KeyError("stop")
        return x

    with pytest.raises(KeyError, match="stop"):
        fmin(objective, X, rand.suggest, trials=trials, verbose=False)


def test_trials_with_a_fmin_of_their_own_are_handed_the_call():
    """Section 5, trials: every argument but points_to_evaluate and allow_trials_fmin."""

    class Elsewhere(Trials):
        def fmin(self, fn, space, **kwargs):
            return sorted(kwargs)

    expected = (
        "algo catch_eval_exceptions early_stop_fn loss_threshold max_evals max_queue_len pass_expr_memo_ctrl "
        "return_argmin rstate show_progressbar timeout trials_save_file verbose"
    )
    assert fmin(float, X, rand.suggest, 2, trials=Elsewhere()) == expected.split()
    assert set(
        fmin(float, X, rand.suggest, 2, trials=Elsewhere(), allow_trials_fmin=False, verbose=False)
    ) == {"x"}


def test_the_seed_of_the_environment(monkeypatch):
    """Section 5, rstate=None: HYPEROPT_FMIN_SEED, if it is not empty."""
    run = functools.partial(fmin, float, X, rand.suggest, 1, verbose=False)
    monkeypatch.setenv("HYPEROPT_FMIN_SEED", "5")
    assert run() == run()
    monkeypatch.setenv("HYPEROPT_FMIN_SEED", "")
    assert run() != run()


def test_a_generator_goes_on():
    """Section 5, rstate: one Generator for two runs gives two runs; a fresh one of the same seed repeats."""
    run = functools.partial(fmin, float, X, rand.suggest, 2, verbose=False)
    rng = np.random.default_rng(3)
    assert run(rstate=np.random.default_rng(3)) == run(rstate=rng) != run(rstate=rng)


@pytest.mark.parametrize("return_argmin", [True, False])
def test_all_failed(return_argmin):
    """Section 5, return_argmin: AllTrialsFailed either way."""
    with pytest.raises(AllTrialsFailed):
        fmin(
            lambda x: {"status": STATUS_FAIL}, X, rand.suggest, 2, return_argmin=return_argmin, verbose=False
        )


def test_all_raised():
    """Section 5, catch_eval_exceptions: Hyperopt's words with return_argmin, None without."""

    def objective(x):
        raise ValueError

    run = functools.partial(fmin, objective, X, rand.suggest, 2, catch_eval_exceptions=True, verbose=False)
    with pytest.raises(Exception, match="There are no evaluation tasks, cannot return argmin of task losses"):
        run()
    assert run(return_argmin=False) is None


def test_an_interrupt_is_not_caught():
    """Section 5: only Exception is; the trial is cancelled (Hyperopt: RUNNING for ever), and the run can go on."""
    trials = Trials()

    def objective(x):
        if len(trials._dynamic_trials) == 3:
            raise KeyboardInterrupt
        return x

    run = functools.partial(fmin, space=X, algo=rand.suggest, max_evals=6, trials=trials, verbose=False)
    with pytest.raises(KeyboardInterrupt):
        run(objective, catch_eval_exceptions=True)
    assert [doc["state"] for doc in trials._dynamic_trials] == [2, 2, base.JOB_STATE_CANCEL]
    run(float)
    assert len(trials) == 6


def test_an_algorithm_may_return_nothing():
    """Point 16: an empty list ends the run."""

    def three(new_ids, domain, trials, seed):
        return rand.suggest(new_ids, domain, trials, seed) if len(trials.trials) < 3 else []

    assert len(searched(X, 30, algo=three)) == 3


def test_a_queue():
    """Section 5, max_queue_len: every id is used (Hyperopt's tpe burns all but one, its anneal raises)."""
    for algo in (rand.suggest, functools.partial(tpe.suggest, n_startup_jobs=4), anneal.suggest):
        trials = searched(X, 10, algo=algo, max_queue_len=4)
        assert trials.tids == list(range(10))
        assert len(set(trials.vals["x"])) == 10


def test_a_progress_bar_of_ones_own():
    """Section 5, show_progressbar: f(initial, total) gives an object with update(n) and a settable postfix."""
    log = []

    class Bar:
        postfix = None

        def update(self, n):
            log.append((n, self.postfix))

    @contextlib.contextmanager
    def callback(initial, total):
        log.append((initial, total))
        yield Bar()

    fmin(float, X, rand.suggest, 2, show_progressbar=callback, rstate=0)
    assert log[0] == (0, 2)
    assert [n for n, _ in log[1:]] == [1, 1]
    assert "best loss: " in str(log[-1][1])


def test_the_bar_leaves_stdout_alone(capsys):
    """Point 20: Hyperopt's is on stdout."""
    fmin(lambda x: sys.stdout.write("objective\n"), X, rand.suggest, 2, rstate=0)
    captured = capsys.readouterr()
    assert captured.out == "objective\n" * 2
    assert "best loss" in captured.err


def test_unknown_keywords_are_a_type_error():
    """Section 15: hyperas tries rseed= and expects it."""
    with pytest.raises(TypeError, match="rseed"):
        fmin(float, X, rand.suggest, 1, rseed=3)


def test_parameters_of_fmin():
    """Section 5: names, order and defaults, before our own keywords."""
    expected = (
        "fn space algo max_evals timeout loss_threshold trials rstate allow_trials_fmin pass_expr_memo_ctrl "
        "catch_eval_exceptions verbose return_argmin points_to_evaluate max_queue_len show_progressbar "
        "early_stop_fn trials_save_file"
    )
    parameters = inspect.signature(fmin).parameters
    assert list(parameters)[:18] == expected.split()
    defaults = [parameters[name].default for name in expected.split()[2:]]
    assert defaults == [None] * 6 + [True, None, False, True, True, None, 1, True, None, ""]


def test_parameters_of_the_loop_object():
    """Section 5, FMinIter."""
    expected = (
        "algo domain trials rstate asynchronous max_queue_len poll_interval_secs max_evals timeout "
        "loss_threshold verbose show_progressbar early_stop_fn trials_save_file"
    )
    assert list(inspect.signature(FMinIter).parameters)[:14] == expected.split()


def test_a_generated_document():
    """Section 5, generate_trial."""
    doc = generate_trial(3, {"a": 1})
    assert (doc["tid"], doc["state"], doc["result"]) == (3, base.JOB_STATE_NEW, {"status": "new"})
    assert (doc["misc"]["vals"], doc["misc"]["idxs"]) == ({"a": [1]}, {"a": [3]})
    assert doc["misc"]["cmd"] == ("domain_attachment", "FMinIter_Domain")


@pytest.mark.parametrize("annotation", [int, {"z": X}])
def test_annotations_that_are_no_expression(annotation):
    """Point 19: InvalidAnnotatedParameter."""

    def objective(x):
        return 0.0

    objective.__annotations__["x"] = annotation
    with pytest.raises(InvalidAnnotatedParameter):
        fmin(objective, "annotated", rand.suggest, 1, verbose=False)


# ---------------------------------------------------------------- section 7: trials


def test_unrefreshed_trials():
    """Trials(refresh=False): AttributeError until the first refresh."""
    trials = Trials(refresh=False)
    for read in (len, list):
        with pytest.raises(AttributeError, match="refresh"):
            read(trials)
    trials.refresh()
    assert len(trials) == 0


def test_counting_states():
    """count_by_state_synced: a state or states, of the trials given; others are a TypeError."""
    trials = searched()
    assert [trials.count_by_state_synced(arg) for arg in (2, [2], {0, 2}, [0, 1])] == [3, 3, 3, 0]
    assert trials.count_by_state_synced(2, trials=trials.trials[:1]) == 1
    for arg in (None, 1.5):
        with pytest.raises(TypeError):
            trials.count_by_state_synced(arg)


def test_documents_from_documents():
    """source_trial_docs copies state and times of other trials and says from which."""
    trials = searched(n=1)
    (doc,) = trials.source_trial_docs([7], [None], [trials.results[0]], [{"tid": 7}], trials.trials)
    source = trials.trials[0]
    assert (doc["state"], doc["book_time"], doc["misc"]["from_tid"]) == (2, source["book_time"], 0)


def test_documents_of_nothing():
    """new_trial_docs checks nothing: a popular recipe makes empty ones and fills them."""
    (doc,) = Trials().new_trial_docs(tids=[None], specs=[None], results=[None], miscs=[None])
    assert (doc["tid"], doc["misc"], doc["state"]) == (None, None, base.JOB_STATE_NEW)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda doc: doc.pop("owner"),
        lambda doc: doc["misc"].pop("cmd"),
        lambda doc: doc.update(tid=9),
        lambda doc: doc.update(exp_key="other"),
    ],
)
def test_documents_that_are_refused(spoil):
    """insert_trial_doc: InvalidTrial for a missing key, a tid mismatch, a wrong exp_key."""
    misc = {"tid": 0, "cmd": None, "idxs": {}, "vals": {}}
    (doc,) = Trials(exp_key="e").new_trial_docs([0], [None], [{"status": "new"}], [misc])
    assert Trials(exp_key="e").assert_valid_trial(doc) == doc
    spoil(doc)
    with pytest.raises(InvalidTrial):
        Trials(exp_key="e").insert_trial_doc(doc)


def test_extra_keys_of_documents_are_kept():
    """Section 7, document."""
    doc = {**searched(n=1).trials[0], "extra": 1}
    assert hyperopt.trials_from_docs([doc]).trials[0]["extra"] == 1


def test_a_taken_tid_is_refused():
    """Hyperopt does not notice; see the migration guide."""
    trials = searched(n=2)
    with pytest.raises(InvalidTrial, match="tid 0 is there already"):
        trials.insert_trial_docs(trials.trials[:1])


def test_documents_of_two_runs_can_be_joined():
    """A common recipe. Hyperopt keeps equal tids; here the second run's trials have new ones, originals untouched."""
    one, other = searched(n=2), searched(n=3)
    joined = hyperopt.trials_from_docs([*one.trials, *other.trials])
    assert joined.tids == [0, 1, 3, 4, 2]
    assert [doc["misc"]["tid"] for doc in joined.trials] == joined.tids
    assert joined.idxs["x"] == joined.tids
    assert other.tids == [0, 1, 2]
    assert joined.losses() == one.losses() + other.losses()


def test_attachments_can_be_deleted():
    """trial_attachments: in, [], []=, del."""
    trials = searched(n=1)
    attachments = trials.trial_attachments(trials.trials[0])
    attachments["k"] = 3
    assert "k" in attachments
    assert trials.attachments == {trials.aname(trials.trials[0], "k"): 3}
    del attachments["k"]
    assert "k" not in attachments
    assert trials.attachments == {}


def test_average_best_error_with_variances():
    """The true losses of those within 3 sigma of the best, by the probability that each is best."""
    results = iter([(1.0, 5.0), (1.05, 6.0), (9.0, 7.0)])

    def objective(x):
        loss, true = next(results)
        return {"status": STATUS_OK, "loss": loss, "loss_variance": 0.1, "true_loss": true}

    assert 5.2 < searched(X, 3, objective).average_best_error() < 5.8


def test_average_best_error_of_nothing():
    """ValueError with Hyperopt's words."""
    with pytest.raises(ValueError, match="Empty loss vector"):
        Trials().average_best_error()


def test_first_of_equals_is_best():
    """best_trial."""
    assert searched(n=4).best_trial["tid"] == 0


def test_results_edited_in_place_are_seen_at_once():
    """best_trial reads the documents."""
    trials = searched(n=3)
    trials.trials[1]["result"]["loss"] = -1.0
    assert trials.best_trial["tid"] == 1


def test_ids_are_reserved_at_once():
    """new_trial_ids; delete_all does not reset the counter."""
    trials = Trials()
    assert (trials.new_trial_ids(3), trials.new_trial_ids(2)) == ([0, 1, 2], [3, 4])
    trials.delete_all()
    assert trials.new_trial_ids(1) == [5]


def test_values_are_written_into_bare_miscs():
    """miscs_update_idxs_vals makes idxs and vals where they are absent, as users' algorithms rely on."""
    miscs = base.miscs_update_idxs_vals([{"tid": 5}, {"tid": 6}], {"x": [5], "y": [6]}, {"x": [1], "y": [2]})
    assert miscs == [
        {"tid": 5, "idxs": {"x": [5], "y": []}, "vals": {"x": [1], "y": []}},
        {"tid": 6, "idxs": {"x": [], "y": [6]}, "vals": {"x": [], "y": [2]}},
    ]


# ---------------------------------------------------------------- section 8: algorithms


ALGORITHMS = {
    "rand": rand.suggest,
    "tpe": tpe.suggest,
    "tpe with arguments": functools.partial(
        tpe.suggest, prior_weight=0.5, n_startup_jobs=5, n_EI_candidates=10, gamma=0.3, verbose=False
    ),
    "anneal": functools.partial(anneal.suggest, avg_best_idx=3.0, shrink_coef=0.2),
    "mix": functools.partial(mix.suggest, p_suggest=[(0.5, rand.suggest), (0.5, tpe.suggest)]),
}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("seed", [123, np.int64(123)])
def test_the_contract_of_algorithms(name, seed):
    """Documents in state NEW with the given ids, not inserted; the same arguments, the same answer."""
    trials = searched({"x": X, "c": hp.choice("c", [1, hp.normal("n", 0, 1)])}, 12)
    domain = Domain(float, {"x": X, "c": hp.choice("c", [1, hp.normal("n", 0, 1)])})
    tids = trials.new_trial_ids(2)
    docs, again = (ALGORITHMS[name](tids, domain, trials, seed) for _ in range(2))
    assert [doc["tid"] for doc in docs] == tids
    assert {doc["state"] for doc in docs} == {base.JOB_STATE_NEW}
    assert [doc["misc"] for doc in docs] == [doc["misc"] for doc in again]
    assert len(trials._dynamic_trials) == 12


def test_ids_may_be_anything_hashable():
    """rand.suggest."""
    docs = rand.suggest(["a", "b"], Domain(float, X), Trials(), 1)
    assert [doc["misc"]["idxs"]["x"] for doc in docs] == [["a"], ["b"]]


@pytest.mark.parametrize("algorithm", [rand, anneal])
def test_batches_are_columns(algorithm):
    """suggest_batch returns idxs and vals by label."""
    domain = Domain(float, {"x": X, "c": hp.choice("c", [1, hp.normal("n", 0, 1)])})
    idxs, vals = algorithm.suggest_batch([4], domain, Trials(), 1)
    assert set(idxs) == set(vals) == {"x", "c", "n"}
    assert list(idxs["x"]) == [4]
    assert len(idxs["n"]) == len(vals["n"]) == vals["c"][0]


def test_a_mix_of_wrong_probabilities():
    """mix.suggest: ValueError; without p_suggest a TypeError."""
    domain = Domain(float, X)
    with pytest.raises(ValueError, match="sum to 1"):
        mix.suggest([0], domain, Trials(), 1, p_suggest=[(0.5, rand.suggest), (0.4, tpe.suggest)])
    with pytest.raises(TypeError):
        mix.suggest([0], domain, Trials(), 1)


def test_a_suggest_function_in_the_style_of_hyperopts_own():
    """Section 8 and spec of base: bare miscs filled from a batch, then documents."""

    def suggest(new_ids, domain, trials, seed):
        docs = []
        for tid in new_ids:
            idxs, vals = rand.suggest_batch([tid], domain, trials, seed)
            misc = {"tid": tid, "cmd": domain.cmd, "workdir": domain.workdir}
            base.miscs_update_idxs_vals([misc], idxs, vals)
            docs.extend(trials.new_trial_docs([tid], [None], [domain.new_result()], [misc]))
        return docs

    trials = searched({"x": X, "c": hp.choice("c", [1, hp.normal("n", 0, 1)])}, 12, algo=suggest)
    assert trials.tids == list(range(12))
    assert len(trials.vals["n"]) == sum(trials.vals["c"])


def test_a_suggest_function_that_reads_bounds_off_the_graph():
    """Sections 2 and 8: domain.params[label].arg[...]."""

    def middle(new_ids, domain, trials, seed):
        vals = {k: (node.arg["low"].obj + node.arg["high"].obj) / 2 for k, node in domain.params.items()}
        docs = rand.suggest(new_ids, domain, trials, seed)
        for doc in docs:
            doc["misc"]["vals"] = {label: [value] for label, value in vals.items()}
        return docs

    assert searched(
        {"a": hp.uniform("a", 2, 4), "b": hp.uniform("b", low=0, high=1)}, 1, algo=middle
    ).vals == {
        "a": [3.0],
        "b": [0.5],
    }


def test_trials_of_a_smaller_space():
    """tpe: Hyperopt raises KeyError of the new label."""
    trials = searched({"x": X}, 12)
    with pytest.warns(hyperopt.exceptions.SpaceChanged):
        fmin(
            lambda c: c["x"],
            {"x": X, "y": hp.uniform("y", 0, 1)},
            tpe.suggest,
            15,
            trials=trials,
            verbose=False,
        )
    assert len(trials.vals["y"]) == 3


# ---------------------------------------------------------------- section 12: the rest


def test_no_progress_loss_protocol():
    """Called with trials and what it returned; the first call counts 1."""
    stop, trials, args, calls = no_progress_loss(3), searched(n=1), [], []
    for _ in range(3):
        stopped, args = stop(trials, *args)
        calls.append(stopped)
    assert calls == [False, False, True]


@pytest.mark.parametrize(("count", "percent", "trials"), [(10, 0.0, 10), (5, 1.0, 5)])
def test_no_progress_loss_stops(count, percent, trials):
    """10 without progress -> 10 evaluations when the first is best; progress below the percentage is none."""
    losses = iter(np.linspace(100, 99.5, 50) if percent else np.ones(50))
    stop = no_progress_loss(count, percent_increase=percent)
    assert len(searched(X, 50, lambda x: next(losses), early_stop_fn=stop)) == trials


def test_progress_callbacks(capsys):
    """Context managers with update and postfix; the default is tqdm's."""
    assert default_callback is tqdm_progress_callback
    for callback in (tqdm_progress_callback, no_progress_callback):
        with callback(initial=0, total=3) as bar:
            bar.update(1)
            bar.postfix = "best loss: 1"
    assert capsys.readouterr().out == ""


def test_utilities(tmp_path):
    """utils.*: those that outside code uses."""
    assert utilities.coarse_utcnow().microsecond % 1000 == 0
    before = os.getcwd()
    with utilities.working_dir(str(tmp_path)):
        assert os.path.samefile(os.getcwd(), tmp_path)
    assert os.getcwd() == before
    with utilities.temp_dir(str(tmp_path / "t"), erase_after=True):
        assert (tmp_path / "t").is_dir()
    assert not (tmp_path / "t").exists()
    assert utilities.fast_isin(np.array([1, 2, 3]), np.array([2])).tolist() == [False, True, False]
    assert utilities.json_call("math.sqrt", args=(4.0,)) == 2.0


# ---------------------------------------------------------------- section 13: exceptions


@pytest.mark.parametrize(
    ("exception", "parent"),
    [
        (BadSearchSpace, Exception),
        (DuplicateLabel, BadSearchSpace),
        (InvalidTrial, ValueError),
        (InvalidResultStatus, ValueError),
        (InvalidLoss, ValueError),
        (AllTrialsFailed, Exception),
        (InvalidAnnotatedParameter, ValueError),
    ],
)
def test_exceptions(exception, parent):
    """Their parents, and that base has them too."""
    assert issubclass(exception, parent)
    assert getattr(base, exception.__name__) is exception


def test_what_exceptions_carry():
    """InvalidTrial(msg, obj).obj; InvalidLoss(result).result and InvalidResultStatus(result).result; pickles."""
    assert InvalidTrial("message", {"a": 1}).obj == {"a": 1}
    for exception in (InvalidLoss, InvalidResultStatus):
        assert exception({"a": 1}).result == {"a": 1}
        assert pickle.loads(pickle.dumps(exception({"a": 1}))).result == {"a": 1}
    assert DuplicateLabel("x").args == ("x",)


def test_cond_is_a_value_with_parts():
    """Section 4, expr_to_config: EQ(name, val) is Cond(name, val, '=')."""
    assert (EQ("c", 0).op, EQ("c", 0).name, EQ("c", 0).val) == ("=", "c", 0)
    assert Cond("c", 0, "=") == EQ("c", 0)
