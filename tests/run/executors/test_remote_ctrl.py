"""The Ctrl of an objective that runs elsewhere: the same tests in a child process, in a thread, and in a pool.

What the objective does with it has to be found on the driver's side, done by the real Ctrl.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import hpspace
from hpspace import Ctrl, Domain, Trials, hp
from hpspace.prune.base import Custom
from hpspace.run.executors.base import Called, Job, answer
from hpspace.run.executors.futures import FuturesExecutor
from hpspace.run.executors.processes import ProcessExecutor
from hpspace.run.executors.threads import ThreadExecutor


@pytest.fixture(params=["process", "thread", "pool of threads"])
def driver(request: pytest.FixtureRequest, drive: Callable[..., Any]) -> Iterator[Any]:
    """A driver of each executor that is interactive."""
    if request.param == "process":
        yield drive(ProcessExecutor(1))
    elif request.param == "thread":
        yield drive(ThreadExecutor(1))
    else:
        with ThreadPoolExecutor(1) as pool:
            yield drive(FuturesExecutor(pool))


def test_reports_arrive_where_the_trials_are(driver: Any) -> None:
    """By the method and by the function that needs no ctrl; anything that is a number."""

    def objective(x: float, ctrl: Any) -> float:
        import numpy as np

        ctrl.report(np.float32(0.5), step=3)
        hpspace.report(0.25)
        return x

    driver.start(objective).result(1)
    assert driver.trials.trials[0]["misc"]["reports"] == [[3, 0.5], [4, 0.25]]


def test_a_report_that_is_none_raises_in_the_objective(driver: Any) -> None:
    """With the trial's number, and without asking the driver."""

    def objective(x: float, ctrl: Any) -> float:
        ctrl.report("high")
        return x

    event = driver.start(objective).result(1)
    assert isinstance(event.error, TypeError) and "trial 0: report(value='high')" in event.message
    assert driver.calls == []


def test_should_prune_asks_the_pruner(driver: Any) -> None:
    """The verdict of the driver's side, and its reason in the exception of the one-line form."""

    def objective(x: float, ctrl: Any) -> float:
        ctrl.report(5)
        assert not ctrl.should_prune()
        ctrl.report(11)
        assert ctrl.should_prune()
        ctrl.report_or_prune(12)
        return x

    driver.pruner = Custom(lambda trials, trial: trial["misc"]["reports"][-1][1] > 10)
    event = driver.start(objective).result(1)
    assert event.pruned and event.message == driver.trials.trials[0]["misc"]["prune_reason"]


def test_attachments_are_a_mapping(driver: Any) -> None:
    """Everything that a mapping can do, one question at a time."""

    def objective(x: float, ctrl: Any) -> float:
        mine = ctrl.attachments
        mine["a"], mine["b"] = b"1", b"2"
        assert (mine["a"], len(mine), sorted(mine), "b" in mine, "c" in mine) == (
            b"1",
            2,
            ["a", "b"],
            True,
            False,
        )
        del mine["b"]
        assert mine.get("b", "gone") == "gone" and repr(mine) == "<attachments: a>"
        try:
            mine["zzz"]
        except KeyError:
            return x
        raise AssertionError("a missing attachment is a KeyError")

    event = driver.start(objective).result(1)
    assert event.result["loss"] == 1
    assert dict(driver.trials.trial_attachments(driver.trials.trials[0])) == {"a": b"1"}


def test_attachments_of_a_result_are_stored(driver: Any) -> None:
    """Hyperopt's other way: ``{"attachments": {...}}`` in the result."""
    driver.start(lambda x: {"status": "ok", "loss": x, "attachments": {"model": b"weights"}})
    assert "attachments" not in driver.result(1).result
    assert driver.trials.trial_attachments(driver.trials.trials[0])["model"] == b"weights"


def test_large_attachments_travel_both_ways(driver: Any) -> None:
    """30 MB: more than any pipe holds, so both sides have to read while the other writes."""

    def objective(x: float, ctrl: Any) -> float:
        ctrl.attachments["big"] = b"x" * 30_000_000
        return float(len(ctrl.attachments["big"]))

    assert driver.start(objective).result(1).result["loss"] == 30_000_000


def test_a_checkpoint_is_stored(driver: Any) -> None:
    """The partial result is in the document while the trial runs."""

    def objective(x: float, ctrl: Any) -> float:
        ctrl.checkpoint({"status": "running", "epoch": 3})
        return x

    driver.start(objective).result(1)
    assert driver.trials.trials[0]["result"] == {"status": "running", "epoch": 3}


def test_injected_results_get_ids_of_the_search(driver: Any) -> None:
    """`inject_results` answers with the ids that the trials gave out."""

    def objective(x: float, ctrl: Any) -> float:
        misc = {"idxs": {"x": [0]}, "vals": {"x": [2.0]}}
        return float(ctrl.inject_results([None], [{"status": "ok", "loss": 7.0}], [misc])[0])

    assert driver.start(objective).result(1).result["loss"] == 1
    driver.trials.refresh()
    assert driver.trials.losses()[1] == 7.0


def test_errors_of_the_real_ctrl_are_raised_in_the_objective(driver: Any) -> None:
    """As if it had been called there; the objective may catch them."""

    def objective(x: float, ctrl: Any) -> float:
        try:
            ctrl.inject_results([None], [], [])
        except ValueError as error:
            return float("one length" in str(error))
        return x

    assert driver.start(objective).result(5).result["loss"] == 1.0


def test_logging_happens_in_the_process_of_the_search(driver: Any, caplog: Any) -> None:
    """Rendered on the way, so anything can be logged."""

    def objective(x: float, ctrl: Any) -> float:
        ctrl.info("lr is %s of %s", x, threading.Lock)
        ctrl.warn("100 % sure")
        return x

    with caplog.at_level(logging.INFO, logger="hpspace"):
        driver.start(objective).result(1)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("lr is 1") and "100 % sure" in said


def test_facts_need_no_question(driver: Any) -> None:
    """The point, the direction and the resource come with the job."""

    def objective(x: float, ctrl: Any) -> dict[str, Any]:
        values = ctrl.current_trial["misc"]["vals"]
        return {"status": "ok", "loss": x, "facts": [ctrl.direction, ctrl.resource, values]}

    driver.start(objective)
    result = driver.result(2, direction="maximize", resource=27).result
    assert result["facts"] == ["maximize", 27, {"x": [2]}] and driver.calls == []


def test_other_trials_are_not_sent(driver: Any) -> None:
    """`ctrl.trials` says what to use instead."""
    event = driver.start(lambda x, ctrl: len(ctrl.trials)).result(1)
    assert isinstance(event.error, AttributeError) and "ctrl.attachments" in event.message


def test_an_objective_may_use_its_ctrl_from_several_threads(driver: Any) -> None:
    """As a training loop with a thread that saves checkpoints does."""

    def objective(x: float, ctrl: Any) -> float:
        def put(name: str) -> None:
            for i in range(20):
                ctrl.attachments[f"{name}{i}"] = name * i

        threads = [threading.Thread(target=put, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return float(sum(ctrl.attachments[f"{name}{i}"] == name * i for name in "abc" for i in range(20)))

    assert driver.start(objective).result(1).result["loss"] == 60


def test_a_space_may_hold_the_ctrl(drive: Callable[..., Any]) -> None:
    """`Domain.pyll_ctrl` inside of a space stands for the Ctrl of the child, too."""
    driver = drive(ProcessExecutor(1))
    space = {"x": hp.uniform("x", 0, 1), "ctrl": Domain.pyll_ctrl}
    driver.executor.start(Domain(lambda c: float(c["ctrl"].current_trial["tid"]), space))
    driver.executor.submit(Job(7, {"x": 0.5}))
    assert driver.executor.wait(None)[0].result["loss"] == 7.0


def test_a_call_is_answered_on_the_driver_whatever_it_raises() -> None:
    """`answer` never raises: what the real Ctrl raises is the objective's."""
    replies: list[Any] = []
    trials = Trials()
    answer(Called(0, "checkpoint", ({"a": 1},), replies.append), Ctrl(trials))
    assert isinstance(replies[0], ValueError) and "no current trial" in str(replies[0])
