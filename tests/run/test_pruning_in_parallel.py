"""Pruning where trials are evaluated by several processes or threads, and where searches share a store."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path
from typing import Any

import pytest

import hpspace
from hpspace import Trials, fmin, hp
from hpspace.trials.document import JOB_STATE_RUNNING

SPACE = {"x": hp.uniform("x", 0, 1)}


def learning(config: dict[str, float]) -> float:
    """Ten steps towards the level x; the curves never cross."""
    value = math.inf
    for step in range(10):
        value = config["x"] + 1.0 / (1 + step)
        hpspace.report_or_prune(value, step)
    return value


def by_verdict(config: dict[str, float], ctrl: Any) -> float:
    """The same with a Ctrl, and an exception that gives no reason."""
    for step in range(10):
        ctrl.report(config["x"] + 1.0 / (1 + step), step)
        if ctrl.should_prune():
            raise hpspace.TrialPruned
    return config["x"] + 0.1


@pytest.mark.parametrize("objective", [learning, by_verdict])
@pytest.mark.parametrize("backend", ["process", "thread"])
def test_trials_evaluated_elsewhere_are_pruned(backend: str, objective: Any) -> None:
    """Reports reach the documents while trials run, and the reason is the pruner's."""
    best = fmin(
        objective, SPACE, "rand", 24, rstate=0, verbose=False, pruner="median", n_jobs=2, backend=backend
    )
    pruned = [doc for doc in best.trials.trials if doc["result"]["status"] == "pruned"]
    assert len(pruned) >= 5
    for doc in pruned:
        assert [doc["result"]["last_step"], doc["result"]["last_value"]] == doc["misc"]["reports"][-1]
        assert "worse than" in doc["result"]["reason"]
    finished = [doc for doc in best.trials.trials if doc["result"]["status"] == "ok"]
    assert all(len(doc["misc"]["reports"]) == 10 for doc in finished)
    verdicts = [doc["misc"]["verdict"] for doc in finished]
    assert {(verdict["step"], verdict["stop"]) for verdict in verdicts} == {(9, False)}
    assert all(verdict["reason"] for verdict in verdicts)
    assert best["x"] == min(doc["misc"]["vals"]["x"][0] for doc in best.trials.trials)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_last_verdict_of_every_trial_is_in_the_store(tmp_path: Path, n_jobs: int) -> None:
    """Also of those that went on, and for who opens the file later."""
    url = f"sqlite:///{tmp_path / 'study.db'}#e"
    with contextlib.closing(Trials.open(url)) as trials:
        fmin(
            learning,
            SPACE,
            "rand",
            16,
            trials=trials,
            rstate=0,
            verbose=False,
            pruner="median",
            n_jobs=n_jobs,
        )
    with contextlib.closing(Trials.open(url)) as again:
        told = [(doc["result"]["status"] == "pruned", doc["misc"]["verdict"]) for doc in again.trials]
    assert len(told) == 16 and {pruned for pruned, _ in told} == {True, False}
    assert all(verdict["stop"] is pruned and verdict["reason"] for pruned, verdict in told)


def test_a_running_trial_is_judged_beside_those_that_run_with_it() -> None:
    """ASHA compares with everybody who has come to the rung, also with a trial that is still running: of two threads
    the one that reports the better value first is never stopped, the other one is."""

    def objective(config: dict[str, float]) -> float:
        better = config["x"] < 0.5
        time.sleep(0.0 if better else 0.3)
        hpspace.report_or_prune(config["x"], 0)
        time.sleep(0.6 if better else 0.0)
        return config["x"]

    points = [{"x": 0.2}, {"x": 0.8}]
    given = {"points_to_evaluate": points, "rstate": 0, "verbose": False, "n_jobs": 2, "backend": "thread"}
    best = fmin(objective, SPACE, "rand", 0, pruner="asha", **given)
    assert best.trials.statuses() == ["ok", "pruned"]
    assert "best 1 of 2 trials" in best.trials.trials[1]["result"]["reason"]


def shared_trials() -> tuple[Any, Any]:
    """Return two processes' views of one store."""
    from hpspace.trials.shared.memory import MemoryStore
    from hpspace.trials.shared.trials import SharedTrials

    first = SharedTrials(MemoryStore(), "e")
    return first, SharedTrials(first.store, "e")


def test_a_search_in_a_shared_store_knows_the_curves_of_another() -> None:
    """The second process has run nothing itself; what it prunes is worse than what the first one finished."""
    first, second = shared_trials()
    points = [{"x": 0.1 * i} for i in range(6)]
    given: dict[str, Any] = {"algo": "rand", "rstate": 0, "verbose": False, "pruner": "median"}
    fmin(learning, SPACE, max_evals=0, points_to_evaluate=points, trials=first, **given)
    second.refresh()
    fmin(learning, SPACE, max_evals=0, points_to_evaluate=[{"x": 0.9}], trials=second, **given)
    first.refresh()
    last = first.trials[-1]
    assert last["misc"]["vals"]["x"] == [0.9]
    assert last["result"]["status"] == "pruned" and "finished trials" in last["result"]["reason"]
    assert last["misc"]["reports"] == [[0, pytest.approx(1.9)]]


def test_all_reports_are_in_the_store_when_a_trial_has_ended() -> None:
    """They are written now and then while it runs, and the rest with its end."""
    first, second = shared_trials()
    fmin(learning, SPACE, "rand", 1, rstate=0, verbose=False, trials=first)
    second.refresh()
    assert [step for step, _ in second.trials[0]["misc"]["reports"]] == list(range(10))


def test_reports_of_a_running_trial_reach_other_processes() -> None:
    first, second = shared_trials()
    seen: list[Any] = []

    def objective(config: dict[str, float]) -> float:
        hpspace.report(0.5, 3)
        second.refresh()
        (doc,) = second._dynamic_trials
        seen.append((doc["state"], doc["misc"].get("reports")))
        return 0.0

    fmin(objective, SPACE, "rand", 1, rstate=0, verbose=False, trials=first)
    assert seen == [(JOB_STATE_RUNNING, [[3, 0.5]])]
