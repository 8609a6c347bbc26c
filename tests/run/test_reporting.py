"""What an objective says about its trial: reports, verdicts, and the same without a Ctrl in reach."""

from __future__ import annotations

import contextvars
import logging
import math
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import hpspace
from hpspace import Ctrl, Domain, TrialPruned, Trials, fmin, hp, prune
from hpspace.prune import Curve, Curves, Custom, Median, Verdict
from hpspace.run.reporting import READ_INTERVAL, WRITE_INTERVAL, Reporter, pruned_result, running
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_RUNNING, new_document


class Always:
    """A pruner that stops everything and remembers what it was asked."""

    def __init__(self, stop: bool = True) -> None:
        self.stop = stop
        self.seen: list[list[float]] = []

    def decide(self, curve: Curve, others: Curves) -> Verdict:
        self.seen.append(curve.values.tolist())
        return Verdict(self.stop, f"step {curve.step}: always")


@pytest.fixture
def trials() -> Trials:
    return Trials()


@pytest.fixture
def trial(trials: Trials) -> dict[str, Any]:
    """A running trial with id 7."""
    doc = new_document(7, {"x": 0.5})
    doc["state"] = JOB_STATE_RUNNING
    trials.insert_trial_doc(doc)
    return doc


def ctrl_of(trials: Trials, trial: dict[str, Any], pruner: Any = None, **hooks: Any) -> Ctrl:
    return Ctrl(trials, current_trial=trial, pruner=pruner, **hooks)


# -- reports -----------------------------------------------------------------------------------------------


class Tensor:
    """Like a tensor of one number."""

    def __float__(self) -> float:
        return 0.25


@pytest.mark.parametrize(
    "value", [1, 0.5, np.float32(0.5), np.int64(3), np.array(0.5), Fraction(1, 2), True, Tensor(), math.inf]
)
def test_values_are_whatever_is_a_number(trials: Trials, trial: dict[str, Any], value: Any) -> None:
    ctrl_of(trials, trial).report(value, 3)
    ((step, kept),) = trial["misc"]["reports"]
    assert (step, kept, type(kept)) == (3, float(value), float)


def test_nan_is_a_value(trials: Trials, trial: dict[str, Any]) -> None:
    ctrl_of(trials, trial).report(math.nan)
    assert math.isnan(trial["misc"]["reports"][0][1])


@pytest.mark.parametrize("value", ["0.5", None, 1j, [0.5, 0.6], np.array([0.5, 0.6]), {}])
def test_what_is_no_number_is_refused_with_the_trial_and_the_value(
    trials: Trials, trial: dict[str, Any], value: Any
) -> None:
    with pytest.raises(TypeError, match=r"trial 7: report\(value=.*must be a number"):
        ctrl_of(trials, trial).report(value)
    assert "reports" not in trial["misc"]


@pytest.mark.parametrize(
    ("step", "error", "says"),
    [
        (-1, ValueError, "step=-1"),
        (1.5, TypeError, "step=1.5"),
        ("3", TypeError, "step='3'"),
        (2.0, TypeError, "2.0"),
        (2**63, ValueError, r"less than 2\*\*63"),
    ],
)
def test_a_step_is_a_whole_number_of_at_least_zero(
    trials: Trials, trial: dict[str, Any], step: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ctrl_of(trials, trial).report(0.5, step)


def test_the_default_step_is_the_next_one(trials: Trials, trial: dict[str, Any]) -> None:
    ctrl = ctrl_of(trials, trial)
    for step in (None, None, 5, None, 2, None):
        ctrl.report(0.5, step)
    assert [step for step, _ in trial["misc"]["reports"]] == [0, 1, 5, 6, 2, 7]
    assert all(type(step) is int for step, _ in trial["misc"]["reports"])
    ctrl.report(0.5, np.int32(9))
    assert type(trial["misc"]["reports"][-1][0]) is int


def test_the_first_report_of_a_step_counts_and_one_warning_says_so(
    trials: Trials, trial: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Any] = []
    ctrl = ctrl_of(trials, trial, on_report=lambda step, value: heard.append((step, value)))
    with caplog.at_level(logging.WARNING):
        for value in (0.5, 0.4, 0.3):
            ctrl.report(value, 1)
    assert trial["misc"]["reports"] == [[1, 0.5]] and heard == [(1, 0.5)]
    (record,) = caplog.records
    assert "trial 7 reported step 1 again" in record.message and record.action == "report_ignored"


def test_reports_have_the_sign_of_what_is_minimised(trials: Trials, trial: dict[str, Any]) -> None:
    other = Trials()
    other.direction = "maximize"
    heard: list[Any] = []
    ctrl = ctrl_of(other, trial, on_report=lambda step, value: heard.append((step, value)))
    ctrl.report(0.75)
    assert trial["misc"]["reports"] == [[0, -0.75]] and heard == [(0, 0.75)]
    assert ctrl.direction == "maximize" and ctrl_of(trials, trial).direction == "minimize"


def test_a_ctrl_without_a_trial_cannot_report() -> None:
    with pytest.raises(ValueError, match="no current trial"):
        Ctrl(Trials()).report(0.5)


# -- verdicts ----------------------------------------------------------------------------------------------


def test_without_a_pruner_or_without_a_report_nothing_is_pruned(
    trials: Trials, trial: dict[str, Any]
) -> None:
    pruner = Always()
    assert not ctrl_of(trials, trial, pruner).should_prune()
    assert pruner.seen == [] and "reports" not in trial["misc"]
    ctrl = ctrl_of(trials, trial)
    ctrl.report_or_prune(0.5)
    assert not ctrl.should_prune() and not {"prune_reason", "verdict"} & set(trial["misc"])


def test_a_verdict_is_asked_for_once_a_report(trials: Trials, trial: dict[str, Any]) -> None:
    pruner = Always()
    ctrl = ctrl_of(trials, trial, pruner)
    ctrl.report(0.5)
    assert ctrl.should_prune() and ctrl.should_prune()
    assert pruner.seen == [[0.5]]
    ctrl.report(0.4)
    with pytest.raises(TrialPruned) as raised:
        ctrl.report_or_prune(0.3)
    assert pruner.seen == [[0.5], [0.5, 0.4, 0.3]]
    assert raised.value.reason == "step 2: always" == trial["misc"]["prune_reason"]
    assert trial["misc"]["verdict"] == {"step": 2, "stop": True, "reason": "step 2: always"}


def test_a_pruner_that_decides_now_and_then_is_not_asked_about_the_same_turn_again(
    trials: Trials, trial: dict[str, Any]
) -> None:
    """Decisions at steps 0, 2, 4: after that of step 0 the next is that of step 2; who asks at 3 gets it then."""
    for tid in range(5):
        doc = new_document(tid, {"x": 0.1})
        doc["misc"]["reports"] = [[step, 0.0 if step else 9.0] for step in range(9)]
        doc.update(state=JOB_STATE_DONE, result={"status": "ok", "loss": 0.0})
        trials.insert_trial_doc(doc)
    ctrl = ctrl_of(trials, trial, Median(interval_steps=2))
    verdicts = []
    for step in range(6):
        ctrl.report(1.0, step)
        verdicts.append(None if step == 2 else ctrl.should_prune())
    assert verdicts == [False, False, None, True, True, False]


def test_an_answer_that_is_no_verdict_is_named(trials: Trials, trial: dict[str, Any]) -> None:
    class Curt:
        def decide(self, curve: Any, others: Any) -> Any:
            return True

    ctrl = ctrl_of(trials, trial, Curt())
    ctrl.report(0.5)
    with pytest.raises(TypeError, match=r"Curt.decide returned True: return prune.Verdict\(stop, reason\)"):
        ctrl.should_prune()


def test_a_function_of_the_trials_is_a_pruner(trials: Trials, trial: dict[str, Any]) -> None:
    def twice(trials_: Trials, trial_: dict[str, Any]) -> bool:
        assert trials_ is trials and trial_ is trial
        return len(trial_["misc"]["reports"]) == 2

    ctrl = ctrl_of(trials, trial, Custom(twice))
    ctrl.report_or_prune(0.5)
    with pytest.raises(TrialPruned, match="twice returned True"):
        ctrl.report_or_prune(0.5)


@pytest.mark.parametrize(
    ("reports", "kept", "said", "expected"),
    [
        ([[0, 0.5], [2, 0.25], [1, 0.1]], "", "by hand", (2, 0.25, "by hand")),
        ([[0, 0.5]], "step 0: too bad", "", (0, 0.5, "step 0: too bad")),
        ([[0, 0.5]], "step 0: too bad", "by hand", (0, 0.5, "by hand")),
        ([], "", "", (None, None, "the objective raised TrialPruned without a reason")),
    ],
)
def test_the_result_of_a_pruned_trial(
    reports: list[Any], kept: str, said: str, expected: tuple[Any, ...]
) -> None:
    """The exception's words come first, then the pruner's; never a loss."""
    doc = {"misc": {"reports": reports, **({"prune_reason": kept} if kept else {})}}
    result = pruned_result(doc, TrialPruned(said).reason if said else TrialPruned().reason)
    assert result == dict(zip(("status", "last_step", "last_value", "reason"), ("pruned", *expected)))


# -- stores that others share ------------------------------------------------------------------------------


class Shared(Trials):
    """Counts what is asked of the store."""

    shared = True
    written: list[int]
    refreshed = 0

    def checkpoint(self, doc: dict[str, Any]) -> None:
        self.written.append(len(doc["misc"]["reports"]))

    def refresh(self) -> None:
        self.refreshed += 1
        super().refresh()


@pytest.fixture
def shared() -> Shared:
    made = Shared()
    made.written = []
    doc = new_document(7, {"x": 0.5})
    doc["state"] = JOB_STATE_RUNNING
    made.insert_trial_doc(doc)
    made.refreshed = 0
    return made


def test_reports_are_written_now_and_then_and_at_the_end(shared: Shared) -> None:
    """A thousand reports in a second are two writes and one at the end, not a thousand."""
    now = [100.0]
    (doc,) = shared._dynamic_trials
    reporter = Reporter(shared, doc, None, clock=lambda: now[0])
    for _ in range(1000):
        reporter.report(0.5)
        now[0] += 0.9 * WRITE_INTERVAL / 500
    assert len(shared.written) == 2 and shared.written[0] == 1
    reporter.write()
    reporter.write()
    assert len(shared.written) == 3 and shared.written[-1] == 1000


def test_other_trials_are_read_now_and_then(shared: Shared) -> None:
    """And what is here is written before, so that nothing older than it comes in."""
    now = [100.0]
    (doc,) = shared._dynamic_trials
    reporter = Reporter(shared, doc, Always(stop=False), clock=lambda: now[0])
    for _ in range(100):
        reporter.report(0.5)
        reporter.verdict()
        now[0] += READ_INTERVAL / 50
    assert shared.refreshed == 2
    assert shared.written[0] == 1 and len(shared.written) <= 6


def test_trials_in_memory_are_neither_written_nor_refreshed(trials: Trials, trial: dict[str, Any]) -> None:
    trials.checkpoint = trials.refresh = pytest.fail  # type: ignore[assignment, method-assign]
    ctrl = ctrl_of(trials, trial, Always(stop=False))
    for _ in range(10):
        ctrl.report_or_prune(0.5)


def test_reports_that_a_store_has_not_got_yet_survive_its_refresh(shared: Shared) -> None:
    """A store may bring back the document as it was written last."""
    now = [100.0]
    (doc,) = shared._dynamic_trials
    reporter = Reporter(shared, doc, None, clock=lambda: now[0])
    for value in (0.5, 0.4, 0.3):
        reporter.report(value)
    doc["misc"] = {**doc["misc"], "reports": [[0, 0.5]]}
    reporter.report(0.2)
    assert doc["misc"]["reports"] == [[0, 0.5], [1, 0.4], [2, 0.3], [3, 0.2]]


def test_a_resumed_trial_goes_on_after_the_reports_it_has(trials: Trials, trial: dict[str, Any]) -> None:
    trial["misc"]["reports"] = [[0, 0.9], [4, 0.8]]
    ctrl = ctrl_of(trials, trial, Always())
    assert ctrl.should_prune()
    ctrl.report(0.7)
    assert trial["misc"]["reports"][-1] == [5, 0.7]


# -- without a Ctrl in reach -------------------------------------------------------------------------------


def test_without_a_search_reports_do_nothing_but_check() -> None:
    """So an objective that reports can be tried out by hand, and faults show then."""
    assert hpspace.current_ctrl() is None
    hpspace.report(0.5, 3)
    hpspace.report(0.5)
    hpspace.report_or_prune(0.5)
    assert hpspace.should_prune() is False
    with pytest.raises(TypeError, match=r"report\(value='a'\)"):
        hpspace.report("a")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="step=-1"):
        hpspace.report_or_prune(0.5, -1)


def test_a_function_deep_inside_speaks_for_the_running_trial(trials: Trials, trial: dict[str, Any]) -> None:
    def train() -> float:
        hpspace.report(0.5)
        assert hpspace.should_prune()
        hpspace.report_or_prune(0.25, 4)
        return 0.0

    domain = Domain(lambda x: train(), hp.uniform("x", 0, 1))
    pruner = Always()
    with pytest.raises(TrialPruned, match="step 4"):
        domain.evaluate({"x": 0.5}, ctrl_of(trials, trial, pruner))
    assert trial["misc"]["reports"] == [[0, 0.5], [4, 0.25]]
    assert hpspace.current_ctrl() is None


def test_a_search_inside_an_objective_has_its_own_current_trial() -> None:
    """And afterwards the outer one is current again."""
    seen: list[Any] = []

    def inner(x: float) -> float:
        seen.append(("inner", hpspace.current_ctrl().current_trial["tid"]))
        return x

    def outer(x: float) -> float:
        fmin(inner, hp.uniform("y", 0, 1), "rand", 2, rstate=0, verbose=False)
        seen.append(("outer", hpspace.current_ctrl().current_trial["tid"]))
        return x

    fmin(outer, hp.uniform("x", 0, 1), "rand", 2, rstate=0, verbose=False)
    assert seen == [("inner", 0), ("inner", 1), ("outer", 0), ("inner", 0), ("inner", 1), ("outer", 1)]


def test_threads_have_their_own_current_trial() -> None:
    """A thread knows none unless it is given the context of the objective."""
    found: list[Any] = []
    with running("ctrl"):
        for target in (lambda: found.append(hpspace.current_ctrl()),):
            plain = threading.Thread(target=target)
            context = contextvars.copy_context()
            given = threading.Thread(target=context.run, args=(target,))
            for thread in (plain, given):
                thread.start()
                thread.join()
    assert found == [None, "ctrl"]


# -- whole searches ----------------------------------------------------------------------------------------


def learning(config: dict[str, float]) -> float:
    """Ten steps towards the level x; the curves never cross."""
    value = math.inf
    for step in range(10):
        value = config["x"] + 1.0 / (1 + step)
        hpspace.report_or_prune(value, step)
    return value


SPACE = {"x": hp.uniform("x", 0, 1)}


@pytest.mark.parametrize(
    "pruner", ["median", Median(startup_trials=3), "asha", prune.Hyperband(max_resource=10)]
)
def test_a_search_with_a_pruner(pruner: Any) -> None:
    """Pruned trials are finished, have a reason with numbers and no loss; the best is the best of all that finished."""
    best = fmin(learning, SPACE, "rand", 40, rstate=0, verbose=False, pruner=pruner)
    pruned = [doc for doc in best.trials.trials if doc["result"]["status"] == "pruned"]
    finished = [doc for doc in best.trials.trials if doc["result"]["status"] == "ok"]
    assert len(pruned) >= 8 and len(finished) >= 3 and len(pruned) + len(finished) == 40
    for doc in pruned:
        assert doc["state"] == JOB_STATE_DONE and "loss" not in doc["result"]
        last = doc["misc"]["reports"][-1]
        assert [doc["result"]["last_step"], doc["result"]["last_value"]] == last
        assert doc["result"]["reason"].startswith(f"step {last[0]}: ")
    assert best.loss == min(doc["result"]["loss"] for doc in finished)
    assert best["x"] == min(doc["misc"]["vals"]["x"][0] for doc in best.trials.trials)


def test_a_search_that_maximises_prunes_the_mirror_image() -> None:
    """The same trials are pruned at the same steps, and reasons name the values as they were reported."""

    def mirrored(config: dict[str, float]) -> float:
        value = math.inf
        for step in range(10):
            value = -(config["x"] + 1.0 / (1 + step))
            hpspace.report_or_prune(value, step)
        return value

    minimised = fmin(learning, SPACE, "rand", 30, rstate=0, verbose=False, pruner="median")
    maximised = fmin(
        mirrored, SPACE, "rand", 30, rstate=0, verbose=False, pruner="median", direction="maximize"
    )

    def ends(best: Any) -> list[Any]:
        return [(doc["result"]["status"], doc["misc"]["reports"]) for doc in best.trials.trials]

    assert ends(maximised) == ends(minimised)
    reasons = [
        doc["result"]["reason"] for doc in maximised.trials.trials if doc["result"]["status"] == "pruned"
    ]
    assert reasons and all("value -" in reason for reason in reasons)


def test_a_search_with_a_pruner_is_the_same_again() -> None:
    def run() -> list[Any]:
        best = fmin(learning, SPACE, "tpe", 40, rstate=3, verbose=False, pruner="median")
        return [(doc["misc"]["vals"], doc["result"]) for doc in best.trials.trials]

    assert run() == run()


def test_the_verdict_may_be_taken_without_raising() -> None:
    """An objective that stops by itself and returns a loss has finished; the reason is kept beside it."""

    def objective(config: dict[str, float], ctrl: Ctrl) -> float:
        for step in range(10):
            ctrl.report(config["x"], step)
            if ctrl.should_prune():
                return 10.0
        return config["x"]

    best = fmin(objective, SPACE, "rand", 20, rstate=0, verbose=False, pruner="median")
    stopped = [doc for doc in best.trials.trials if doc["result"]["loss"] == 10.0]
    assert stopped and all("median" in doc["misc"]["prune_reason"] for doc in stopped)
