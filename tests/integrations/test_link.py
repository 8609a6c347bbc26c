"""How callbacks find their trial and which way a metric points."""

from __future__ import annotations

import copy
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from hpspace import Trials
from hpspace.integrations.catboost import CatBoostPruning
from hpspace.integrations.ignite import pruning_callback as ignite_callback
from hpspace.integrations.link import Link
from hpspace.run.reporting import running


class Ctrl:
    """Keeps what it is told."""

    def __init__(self, direction: str = "minimize") -> None:
        self.direction = direction
        self.told: list[tuple[int, float]] = []

    def report_or_prune(self, value: float, step: int) -> None:
        self.told.append((step, value))


@pytest.mark.parametrize(
    ("direction", "maximize", "kept"),
    [
        ("minimize", None, 0.5),
        ("maximize", None, 0.5),
        ("minimize", False, 0.5),
        ("maximize", True, 0.5),
        ("minimize", True, -0.5),
        ("maximize", False, -0.5),
    ],
)
def test_a_metric_is_reported_as_the_search_looks_at_it(
    direction: str, maximize: bool | None, kept: float
) -> None:
    ctrl = Ctrl(direction)
    Link(ctrl, maximize).prune_if_bad(0.5, 3)
    assert ctrl.told == [(3, kept)]


@pytest.mark.parametrize(
    ("direction", "name", "maximize", "warns"),
    [
        ("minimize", "val_accuracy", None, True),
        ("minimize", "val_accuracy", True, False),
        ("minimize", "val_loss", None, False),
        ("maximize", "val_loss", None, True),
        ("maximize", "roc_auc", None, False),
        ("minimize", "auc_error", None, False),  # who knows
        ("minimize", "reward", None, False),
    ],
)
def test_a_name_that_speaks_against_the_direction_is_a_warning(
    direction: str, name: str, maximize: bool | None, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """One, however many reports there are; nothing else changes."""
    link = Link(Ctrl(direction), maximize)
    with caplog.at_level(logging.WARNING):
        for step in range(3):
            link.prune_if_bad(0.5, step, name)
    assert len(caplog.records) == warns
    if warns:
        assert repr(name) in caplog.text and f"maximize={direction == 'minimize'}" in caplog.text


def test_the_running_trial_is_found_and_copies_of_a_callback_find_it_too() -> None:
    """Estimators are cloned with their callbacks; a Ctrl, with all its trials, must not be."""
    link, given = Link(), Ctrl()
    assert link.ctrl is None and not link.is_bad(0.5, 0)
    link.prune_if_bad(0.5, 0)
    with running(given):
        assert copy.deepcopy(link).ctrl is given
    assert copy.deepcopy({"callbacks": [Link(given)]})["callbacks"][0].ctrl is given


class Asked(Ctrl):
    """Prunes at step 2."""

    def report(self, value: float, step: int) -> None:
        self.told.append((step, value))

    def should_prune(self) -> bool:
        return self.told[-1][0] == 2


def info(n: int) -> Any:
    """What CatBoost says after n rounds."""
    curves = {
        "learn": {"Logloss": [0.1] * n},
        "validation": {"Logloss": [0.5] * n, "AUC:type=Classic": [0.8] * n},
    }
    return SimpleNamespace(iteration=n, metrics=curves)


def test_catboost_is_stopped_by_false_and_the_exception_comes_after() -> None:
    """CatBoost counts rounds from 1; steps are counted from 0."""
    from hpspace import TrialPruned

    ctrl = Asked()
    callback = CatBoostPruning("AUC", None, Link(ctrl, True))
    assert [callback.after_iteration(info(n)) for n in (1, 2, 3)] == [True, True, False]
    assert ctrl.told == [(0, -0.8), (1, -0.8), (2, -0.8)]
    with pytest.raises(TrialPruned):
        callback.check_pruned()


def test_catboosts_unknown_metric_is_raised_after_the_training() -> None:
    callback = CatBoostPruning("F1", None, Link(Asked(), True))
    assert callback.after_iteration(info(1)) is False
    with pytest.raises(
        ValueError, match=r"any validation set: F1.* have 'learn: Logloss', 'validation: Logloss'"
    ):
        callback.check_pruned()


def test_a_catboost_training_that_was_let_go_on_raises_nothing() -> None:
    callback = CatBoostPruning(None, None, Link(Asked(), False, every=2))
    assert [callback.after_iteration(info(n)) for n in (1, 2)] == [True, True]
    callback.check_pruned()
    assert not callback.pruned and len(callback._link.ctrl.told) == 1


def test_ignite_reads_the_trainers_epoch_and_the_evaluators_metrics() -> None:
    ctrl = Ctrl()
    trainer = SimpleNamespace(state=SimpleNamespace(epoch=3))
    evaluator = SimpleNamespace(state=SimpleNamespace(metrics={"nll": 0.25}))
    ignite_callback(trainer, "nll", ctrl=ctrl)(evaluator)
    assert ctrl.told == [(2, 0.25)]
    with pytest.raises(
        ValueError, match="metric='acc' is not in the metrics of the evaluator, which have 'nll'"
    ):
        ignite_callback(trainer, "acc", ctrl=ctrl)(evaluator)


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_every_so_many_steps_is_a_count(every: Any) -> None:
    """Said when the callback is made, not in the middle of a training."""
    with pytest.raises(ValueError, match=r"every=.*: pass a whole number, 1 or more"):
        ignite_callback(SimpleNamespace(), "nll", every=every)


def test_without_a_trial_nothing_is_looked_at() -> None:
    ignite_callback(SimpleNamespace(state=SimpleNamespace(epoch=1)), "acc")(None)
    assert CatBoostPruning("F1", None, Link()).after_iteration(info(1)) is True


def test_a_real_ctrl_is_what_callbacks_speak_to() -> None:
    from hpspace import Ctrl as RealCtrl
    from hpspace.trials.document import new_document

    trial = new_document(0, {"x": 1})
    Link(RealCtrl(Trials(), trial), maximize=True).prune_if_bad(0.5, 4)
    assert trial["misc"]["reports"] == [[4, -0.5]]
