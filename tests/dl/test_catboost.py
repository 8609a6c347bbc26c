"""CatBoost: stopped by False, and the exception after ``fit``."""

from __future__ import annotations

import numpy as np
import pytest
from catboost import CatBoostClassifier

from hpspace.integrations.catboost import pruning_callback

ROUNDS = 12
OPTIONS = {
    "iterations": ROUNDS,
    "depth": 2,
    "verbose": False,
    "allow_writing_files": False,
    "thread_count": 1,
}


def test_a_real_training_ends_early(search, judged) -> None:
    rounds = []

    def train(x: np.ndarray, y: np.ndarray) -> float:
        model = CatBoostClassifier(eval_metric="AUC", **OPTIONS)
        callback = pruning_callback("AUC")
        model.fit(x[:120], y[:120], eval_set=(x[120:], y[120:]), callbacks=[callback], use_best_model=False)
        rounds.append(model.tree_count_)
        callback.check_pruned()
        return 1 - model.get_evals_result()["validation"]["AUC"][-1]

    trials = search(train)
    judged(trials, rounds, ROUNDS)
    assert all(value < 0 for doc in trials.trials for _, value in doc["misc"]["reports"]), (
        "an AUC is maximised"
    )


def test_an_unknown_metric_is_named(search) -> None:
    def train(x: np.ndarray, y: np.ndarray) -> float:
        callback = pruning_callback("F1")
        CatBoostClassifier(**OPTIONS).fit(x[:120], y[:120], eval_set=(x[120:], y[120:]), callbacks=[callback])
        callback.check_pruned()
        return 0.0

    with pytest.raises(ValueError, match="validation: Logloss"):
        search(train)
