"""Domain and Ctrl: one trial's evaluation, without any loop."""

from __future__ import annotations

import logging
import pickle

import cloudpickle
import numpy as np
import pytest

from hpspace import Ctrl, Domain, Trials, hp, space_eval
from hpspace.exceptions import BadSearchSpace, DuplicateLabel, InvalidLoss, InvalidPoint
from hpspace.graph import as_apply, rec_eval, scope
from hpspace.run.domain import use_obj_for_literal_in_memo
from hpspace.run.objective import fmin_pass_expr_memo_ctrl
from hpspace.trials.document import JOB_STATE_DONE, new_document

SPACE = {"x": hp.uniform("x", 0, 1), "c": hp.choice("c", ["a", {"y": hp.normal("y", 0, 1)}])}


def square(config):
    return config["x"] ** 2


def running(trials, point=None):
    """A trial that is being evaluated, and its Ctrl."""
    trials.insert_trial_doc(new_document(trials.new_trial_ids(1)[0], point or {"x": 0.5}))
    trials.refresh()
    return Ctrl(trials, trials.trials[-1])


def test_evaluating_a_point():
    """Raw values in, checked result out."""
    domain = Domain(lambda config: {"status": "ok", "loss": 1, "seen": config}, SPACE)
    result = domain.evaluate({"x": 0.5, "c": 1, "y": 2.0}, Ctrl(Trials()))
    assert result == {"status": "ok", "loss": 1.0, "seen": {"x": 0.5, "c": {"y": 2.0}}}


def test_params_are_the_distribution_nodes():
    """Integrations look up `domain.params[label].name`."""
    domain = Domain(square, SPACE)
    assert {label: node.name for label, node in domain.params.items()} == {
        "x": "uniform",
        "c": "randint",
        "y": "normal",
    }
    assert domain.cmd == ("domain_attachment", "FMinIter_Domain")


def test_faults_of_the_space_are_raised_when_it_is_made():
    """Nothing is evaluated first."""
    with pytest.raises(DuplicateLabel, match="x"):
        Domain(square, [hp.uniform("x", 0, 1), hp.uniform("x", 0, 2)])
    with pytest.raises(BadSearchSpace, match="2 faults"):
        Domain(square, [hp.uniform("x", 1, 0), hp.normal("y", 0, -1)])


def test_a_missing_label_is_named():
    """Hyperopt said "switch argument was GarbageCollected"."""
    with pytest.raises(InvalidPoint, match="'y'"):
        Domain(square, SPACE).evaluate({"x": 0.5, "c": 1}, Ctrl(Trials()))


def test_a_marked_objective_evaluates_the_space_itself():
    """It gets the expression, the memo and the ctrl by keyword."""
    ctrl = Ctrl(Trials())

    @fmin_pass_expr_memo_ctrl
    def fn(expr, memo, ctrl):
        return {"status": "ok", "loss": rec_eval(expr, memo=memo)["x"], "ctrl": ctrl}

    domain = Domain(fn, SPACE)
    assert domain.pass_expr_memo_ctrl is True
    result = domain.evaluate({"x": 0.25, "c": 0}, ctrl)
    assert (result["loss"], result["ctrl"]) == (0.25, ctrl)


def test_a_memo_without_a_label_fails_as_integrations_expect():
    """Ray's searcher catches a TypeError with this word for points that are not whole."""
    domain = Domain(square, SPACE)
    with pytest.raises(TypeError, match="GarbageCollected"):
        rec_eval(domain.expr, memo=domain.memo_from_config({"x": 0.5}), print_node_on_error=False)


def test_the_second_parameter_ctrl_is_given():
    """An objective may ask for the live Ctrl."""
    ctrl = Ctrl(Trials())
    domain = Domain(lambda config, ctrl: {"status": "ok", "loss": 0, "ctrl": ctrl}, SPACE)
    assert domain.evaluate({"x": 0.5, "c": 0}, ctrl)["ctrl"] is ctrl


def test_pyll_ctrl_in_a_space_is_the_live_ctrl():
    """A space may hold the Ctrl as a value."""
    ctrl = Ctrl(Trials())
    domain = Domain(lambda config: {"status": "ok", "loss": 0, "seen": config[1]}, [SPACE, Domain.pyll_ctrl])
    assert domain.evaluate({"x": 0.5, "c": 0}, ctrl)["seen"] is ctrl


def test_literals_are_replaced_in_a_memo():
    """By identity, or equality within a type; an array never breaks the comparison."""
    expr = as_apply({"a": "old", "b": np.arange(3), "c": 1.0, "d": True})
    memo = use_obj_for_literal_in_memo(expr, "new", "old", {})
    assert rec_eval(expr, memo=memo)["a"] == "new"
    assert use_obj_for_literal_in_memo(expr, "new", np.arange(3), {}) == {}
    assert len(use_obj_for_literal_in_memo(expr, "new", 1.0, {})) == 1


def test_the_two_halves_of_an_evaluation():
    """For integrations that call the objective themselves."""
    domain, ctrl = Domain(square, SPACE), Ctrl(Trials())
    fn, point = domain.evaluate_async({"x": 0.5, "c": 0}, ctrl)
    assert (fn, point) == (square, {"x": 0.5, "c": "a"})
    assert domain.evaluate_async2(fn(point), ctrl) == {"loss": 0.25, "status": "ok"}


def test_attachments_move_to_the_trial():
    """They leave the result unless told not to."""
    ctrl = running(Trials())
    domain = Domain(lambda config: {"status": "ok", "loss": 0, "attachments": {"log": b"text"}}, SPACE)
    assert domain.evaluate({"x": 0.5, "c": 0}, ctrl, attach_attachments=False)["attachments"] == {
        "log": b"text"
    }
    assert domain.evaluate({"x": 0.5, "c": 0}, ctrl) == {"status": "ok", "loss": 0.0}
    assert ctrl.attachments["log"] == b"text"


def test_result_errors_name_the_trial():
    """The id of the ctrl's trial."""
    ctrl = running(Trials())
    with pytest.raises(InvalidLoss, match="trial 0: "):
        Domain(lambda config: None, SPACE).evaluate({"x": 0.5, "c": 0}, ctrl)


def test_readers_of_a_result():
    """With Hyperopt's defaults."""
    domain = Domain(square, SPACE)
    result = {"status": "ok", "loss": 1.0}
    assert domain.loss(result) == domain.true_loss(result) == 1.0
    assert domain.true_loss({**result, "true_loss": 2.0}) == 2.0
    assert domain.loss({"status": "fail"}) is None
    assert domain.loss_variance(result) == 0.0
    assert domain.status(result) == "ok"
    assert domain.new_result() == {"status": "new"}
    assert domain.short_str().startswith("Domain{")
    with pytest.raises(NotImplementedError):
        domain.true_loss_variance(result)


@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
def test_a_domain_can_be_pickled(pickler):
    """Workers get it that way; the space is compiled again."""
    again = pickle.loads(pickler.dumps(Domain(square, SPACE, name="sq")))
    assert type(again) is Domain
    assert again.space.fingerprint() == Domain(square, SPACE).space.fingerprint()
    assert again.evaluate({"x": 0.5, "c": 0}, Ctrl(Trials()))["loss"] == 0.25
    assert again.name == "sq"


def test_public_addresses():
    """Pickles hold them, so files may move."""
    assert {cls.__module__ for cls in (Domain, Ctrl)} == {"hpspace.base"}


# ---------------------------------------------------------------- space_eval


def test_space_eval_gives_what_the_objective_sees():
    """Options, conversions and containers: lists become tuples."""
    space = {"a": [hp.uniformint("n", 1, 5), 1 + hp.uniform("x", 0, 1)], "c": SPACE["c"]}
    assert space_eval(space, {"n": 4.0, "x": 0.5, "c": 0, "unknown": 1}) == {"a": (4, 1.5), "c": "a"}


def test_space_eval_of_an_index_past_the_end():
    """As in Hyperopt."""
    with pytest.raises(IndexError):
        space_eval(SPACE, {"x": 0.5, "c": 2})


# ---------------------------------------------------------------- Ctrl


def test_checkpoint_stores_a_partial_result():
    """In the running trial's document."""
    ctrl = running(Trials())
    ctrl.checkpoint({"status": "running", "epoch": 3})
    ctrl.checkpoint()
    assert ctrl.trials.trials[0]["result"] == {"status": "running", "epoch": 3}


def test_log_methods_go_to_logging(caplog):
    """No handler and no print of our own."""
    ctrl = Ctrl(Trials())
    with caplog.at_level(logging.DEBUG, logger="hpspace"):
        ctrl.info("i %d", 1)
        ctrl.warn("w")
        ctrl.error("e")
        ctrl.debug("d")
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "ERROR", "DEBUG"]


def test_injected_results_are_finished_trials_marked_with_their_source():
    """misc["from_tid"] says which trial found them; missing parts of misc are filled in."""
    ctrl = running(Trials())
    (tid,) = ctrl.inject_results([None], [{"status": "ok", "loss": 0.1}], [{"idxs": {}, "vals": {}}])
    ctrl.trials.refresh()
    extra = ctrl.trials.by_tid(tid)
    assert (extra["state"], extra["misc"]["from_tid"], extra["misc"]["tid"]) == (JOB_STATE_DONE, 0, tid)
    assert ctrl.trials.best_trial is extra


def test_injected_results_must_be_of_one_length():
    """Zipping would drop some silently."""
    with pytest.raises(ValueError, match="1 specs, 2 results, 1 miscs"):
        running(Trials()).inject_results([None], [{}, {}], [{}])


def test_a_ctrl_without_a_trial_says_so():
    """Instead of an AttributeError of None."""
    with pytest.raises(ValueError, match="no current trial"):
        Ctrl(Trials()).checkpoint({"status": "ok"})


def test_defined_functions_are_evaluated_in_the_space():
    """scope functions run before the objective sees the config."""

    @scope.define
    def _doubled_for_domain_test(a):
        return 2 * a

    try:
        space = {"x": scope._doubled_for_domain_test(hp.uniform("x", 0, 1))}
        assert Domain(square, space).evaluate({"x": 0.5}, Ctrl(Trials()))["loss"] == 1.0
    finally:
        scope.undefine("_doubled_for_domain_test")


# ---------------------------------------------------------------- a declared resource

STAGED = {"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 81)}


def at(resource=None):
    """Ctrl of a running trial that was given a resource, or was told nothing."""
    trials = Trials()
    trials.remember_space(Domain(square, STAGED).space)
    ctrl = running(trials)
    if resource is not None:
        ctrl.current_trial["misc"]["fidelity"] = {"label": "epochs", "resource": resource, "high": 81}
    return ctrl


@pytest.mark.parametrize(("given", "epochs"), [(9, 9), (81, 81), (None, 81)])
def test_the_objective_gets_the_resource_of_its_trial(given, epochs):
    """In its configuration and from ctrl; all of it when its trial says nothing."""
    seen = []

    def fn(config, ctrl):
        seen.append((config, ctrl.resource))
        return 0.0

    Domain(fn, STAGED).evaluate({"x": 0.5}, at(given))
    assert seen == [({"x": 0.5, "epochs": epochs}, epochs)]


def test_a_domain_without_trials_gives_all_of_it():
    """Such as in a test of an objective, or on the best point."""
    assert Domain(lambda config: config["epochs"], STAGED).evaluate({"x": 0.5}, Ctrl(Trials()))["loss"] == 81
    assert (
        Domain(lambda config: config["epochs"], STAGED).evaluate({"x": 0.5, "epochs": 3}, None)["loss"] == 3
    )


def test_a_marked_objective_finds_it_in_its_memo():
    """Whoever evaluates the space itself gets what others get."""

    @fmin_pass_expr_memo_ctrl
    def fn(expr, memo, ctrl):
        return rec_eval(expr, memo=memo)["epochs"]

    assert Domain(fn, STAGED).evaluate({"x": 0.5}, at(27))["loss"] == 27


def test_a_space_that_holds_the_ctrl_has_its_resource_too():
    """The other way through the evaluation of a point."""
    space = {**STAGED, "ctrl": Domain.pyll_ctrl}
    assert Domain(lambda config: config["epochs"], space).evaluate({"x": 0.5}, at(3))["loss"] == 3


def test_without_a_declared_resource_there_is_none():
    """ctrl answers None, and a document that speaks of one changes nothing."""
    trials = Trials()
    ctrl = running(trials)
    assert ctrl.resource is None
    ctrl.current_trial["misc"]["fidelity"] = {"label": "epochs", "resource": 3}
    assert Domain(lambda config: 0.0, SPACE).evaluate({"x": 0.5, "c": 0}, ctrl)["loss"] == 0.0
