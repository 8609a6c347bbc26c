"""Real trainings of LightGBM and XGBoost that end early because a search says so.

The data are 400 rows of which the first column tells the class, with noise. Trials that are not given that column learn
nothing and fall behind. Every training counts its rounds by a callback of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost

import hpspace
from hpspace import TrialPruned, Trials, fmin, hp
from hpspace.integrations import lightgbm as for_lightgbm
from hpspace.integrations import xgboost as for_xgboost

ROUNDS = 12

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 4))
Y = (X[:, 0] + 0.7 * rng.normal(size=400) > 0).astype(int)
TRAIN, VALID = slice(0, 250), slice(250, 400)

#: Trials with the column that tells, and trials without it, in turns.
TELLS = [1.0, 0.0] * 8

SPACE = {"tells": hp.uniform("tells", 0, 1)}
LIGHTGBM = {"objective": "binary", "metric": ["auc", "binary_logloss"], "verbose": -1, "num_threads": 1}
XGBOOST = {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "nthread": 1, "max_depth": 2}

pytestmark = pytest.mark.filterwarnings(
    "ignore:The argument 'eval_set' is deprecated"
)  # its successor is too new


def columns(tells: float) -> Any:
    return X if tells > 0.5 else X[:, 1:]


class Rounds:
    """Counts rounds of LightGBM, after everybody else."""

    order = 99
    before_iteration = False

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, env: Any) -> None:
        self.n += 1


class XGBoostRounds(xgboost.callback.TrainingCallback):
    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.n += 1
        return False


def lightgbm_train(tells: float, callback: Any) -> tuple[int, float]:
    x, counter, log = columns(tells), Rounds(), {}
    train, valid = lightgbm.Dataset(x[TRAIN], Y[TRAIN]), lightgbm.Dataset(x[VALID], Y[VALID])
    data = {"valid_sets": [train, valid], "valid_names": ["training", "held out"]}
    callbacks = [callback, counter, lightgbm.record_evaluation(log)]
    try:
        lightgbm.train(LIGHTGBM, train, ROUNDS, callbacks=callbacks, **data)
    finally:
        spent.append(counter.n)
    return counter.n, log["held out"]["auc"][-1]


def lightgbm_cv(tells: float, callback: Any) -> tuple[int, float]:
    counter, data = Rounds(), lightgbm.Dataset(columns(tells), Y, free_raw_data=False)
    try:
        log = lightgbm.cv(LIGHTGBM, data, ROUNDS, nfold=3, seed=1, callbacks=[callback, counter])
    finally:
        spent.append(counter.n)
    return counter.n, log["valid auc-mean"][-1]


def lightgbm_sklearn(tells: float, callback: Any) -> tuple[int, float]:
    x, counter = columns(tells), Rounds()
    model = lightgbm.LGBMClassifier(n_estimators=ROUNDS, n_jobs=1, verbose=-1)
    valid = [(x[VALID], Y[VALID])]
    try:
        model.fit(x[TRAIN], Y[TRAIN], eval_set=valid, eval_metric="auc", callbacks=[callback, counter])
    finally:
        spent.append(counter.n)
    return counter.n, model.evals_result_["valid_0"]["auc"][-1]


def xgboost_train(tells: float, callback: Any) -> tuple[int, float]:
    x, counter, log = columns(tells), XGBoostRounds(), {}
    train, valid = xgboost.DMatrix(x[TRAIN], Y[TRAIN]), xgboost.DMatrix(x[VALID], Y[VALID])
    data = {"evals": [(train, "train"), (valid, "valid")], "evals_result": log, "verbose_eval": False}
    try:
        xgboost.train(XGBOOST, train, ROUNDS, callbacks=[counter, callback], **data)
    finally:
        spent.append(counter.n)
    return counter.n, log["valid"]["auc"][-1]


def xgboost_cv(tells: float, callback: Any) -> tuple[int, float]:
    counter, data = XGBoostRounds(), xgboost.DMatrix(columns(tells), Y)
    try:
        log = xgboost.cv(
            XGBOOST, data, ROUNDS, nfold=3, seed=1, callbacks=[counter, callback], as_pandas=False
        )
    finally:
        spent.append(counter.n)
    return counter.n, log["test-auc-mean"][-1]


def xgboost_sklearn(tells: float, callback: Any) -> tuple[int, float]:
    x, counter = columns(tells), XGBoostRounds()
    given = {"eval_metric": ["logloss", "auc"], "callbacks": [counter, callback]}
    model = xgboost.XGBClassifier(n_estimators=ROUNDS, max_depth=2, n_jobs=1, **given)
    try:
        model.fit(x[TRAIN], Y[TRAIN], eval_set=[(x[VALID], Y[VALID])], verbose=False)
    finally:
        spent.append(counter.n)
    return counter.n, model.evals_result()["validation_0"]["auc"][-1]


#: Rounds of each training, in the order of trials.
spent: list[int] = []

TRAININGS = [lightgbm_train, lightgbm_cv, lightgbm_sklearn, xgboost_train, xgboost_cv, xgboost_sklearn]
MAKERS = {"lightgbm": for_lightgbm.pruning_callback, "xgboost": for_xgboost.pruning_callback}


def maker_of(training: Callable[..., Any]) -> Callable[..., Any]:
    return MAKERS[training.__name__.split("_")[0]]


def search(objective: Callable[[dict[str, float]], float], **arguments: Any) -> Trials:
    spent.clear()
    points = [{"tells": tells} for tells in TELLS]
    given = {"points_to_evaluate": points, "rstate": 0, "verbose": False, "pruner": "median", **arguments}
    return fmin(objective, SPACE, "rand", 0, **given).trials


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.__name__)
def test_bad_trainings_end_early_and_good_ones_do_not(training: Callable[..., Any]) -> None:
    """By AUC, maximised. Five trials finish before anything is pruned; then the hopeless rates end after a round."""
    trials = search(
        lambda config: training(config["tells"], maker_of(training)("auc"))[1], direction="maximize"
    )
    outcome = [doc["result"]["status"] for doc in trials.trials]
    assert outcome[0::2] == ["ok"] * 8, "the good rate is never stopped"
    assert outcome[1::2].count("pruned") >= 5
    for doc, rounds in zip(trials.trials, spent):
        reports = doc["misc"]["reports"]
        assert [step for step, _ in reports] == list(range(len(reports)))
        if doc["result"]["status"] == "ok":
            assert rounds == ROUNDS == len(reports)
            assert reports[-1][1] == pytest.approx(-doc["result"]["value"])
        else:
            assert rounds in (len(reports) - 1, len(reports)) and rounds < ROUNDS, (
                "nothing was trained after the verdict"
            )
            assert "worse than" in doc["result"]["reason"]


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.__name__)
def test_a_metric_that_points_the_other_way_is_turned_round(training: Callable[..., Any]) -> None:
    """The objective minimises 1 - AUC, as programs for Hyperopt do; without a word the same trials are pruned."""
    trials = search(lambda config: 1 - training(config["tells"], maker_of(training)("auc"))[1])
    outcome = [doc["result"]["status"] for doc in trials.trials]
    assert outcome[0::2] == ["ok"] * 8 and outcome[1::2].count("pruned") >= 5
    assert all(value <= 0 for doc in trials.trials for _, value in doc["misc"]["reports"])


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.__name__)
def test_without_a_search_the_callback_does_nothing(training: Callable[..., Any]) -> None:
    """Also with a metric that there is none of: it is not looked for."""
    rounds, _ = training(1.0, maker_of(training)("no such metric"))
    assert rounds == ROUNDS


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.__name__)
def test_an_unknown_metric_is_answered_with_those_that_there_are(training: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"acc'? is not in the evaluations of .* which have .*auc"):
        search(lambda config: training(config["tells"], maker_of(training)("acc"))[1])


@pytest.mark.parametrize("training", [lightgbm_train, xgboost_train], ids=lambda training: training.__name__)
def test_reports_may_be_rarer_than_rounds(training: Callable[..., Any]) -> None:
    trials = search(lambda config: -training(config["tells"], maker_of(training)("auc", every=5))[1])
    steps = [[step for step, _ in doc["misc"]["reports"]] for doc in trials.trials]
    assert [0, 5, 10] in steps and all(s == [0, 5, 10][: len(s)] for s in steps)


def test_defaults_take_the_validation_data_and_its_first_or_last_metric() -> None:
    """LightGBM: the first metric of the first set that is not the training's; XGBoost: the last of the last, as its
    own early stopping has it. In both that is the AUC on held-out data here."""
    for training in (lightgbm_train, xgboost_train):
        trials = search(lambda config: -training(config["tells"], maker_of(training)())[1])  # noqa: B023
        seen = [
            (doc["misc"]["reports"][-1][1], doc["result"]["loss"])
            for doc in trials.trials
            if doc["result"]["status"] == "ok"
        ]
        np.testing.assert_allclose(*zip(*seen))


def test_a_logloss_is_taken_as_it_is() -> None:
    trials = search(
        lambda config: lightgbm_train(config["tells"], maker_of(lightgbm_train)("binary_logloss"))[1] * 0
    )
    assert all(value > 0 for doc in trials.trials for _, value in doc["misc"]["reports"])


def test_a_ctrl_can_be_passed() -> None:
    """As an objective with a second parameter has it."""

    def objective(config: dict[str, float], ctrl: hpspace.Ctrl) -> float:
        with_ctrl = for_lightgbm.pruning_callback("auc", ctrl=ctrl)
        return -lightgbm_train(config["tells"], with_ctrl)[1]

    assert "pruned" in search(objective).statuses()


def test_early_stopping_of_the_libraries_goes_together_with_it() -> None:
    """The trial has finished then, after fewer rounds than allowed."""

    def objective(config: dict[str, float]) -> float:
        model = lightgbm.LGBMClassifier(n_estimators=200, learning_rate=0.5, n_jobs=1, verbose=-1)
        callbacks = [for_lightgbm.pruning_callback("auc"), lightgbm.early_stopping(3, verbose=False)]
        model.fit(X[TRAIN], Y[TRAIN], eval_set=[(X[VALID], Y[VALID])], eval_metric="auc", callbacks=callbacks)
        return -model.best_score_["valid_0"]["auc"]

    best = fmin(objective, SPACE, "rand", 2, rstate=0, verbose=False, pruner="median")
    assert best.trials.statuses() == ["ok", "ok"]
    assert all(len(doc["misc"]["reports"]) < 200 for doc in best.trials.trials)


def test_positions_in_metrics_need_not_be_named() -> None:
    results = [("valid_0", "map@1", 0.1, True), ("valid_0", "ndcg@5", 0.2, True)]
    chosen = for_lightgbm.pruning_callback("ndcg")._chosen(results)
    assert list(chosen) == ["valid_0", "ndcg@5", 0.2, True]


def test_a_pruned_training_leaves_the_objective_by_trial_pruned() -> None:
    """So what the objective has opened is closed by `finally` and `with`."""
    left: list[type] = []

    def objective(config: dict[str, float]) -> float:
        try:
            return -xgboost_train(config["tells"], for_xgboost.pruning_callback("auc"))[1]
        except TrialPruned:
            left.append(TrialPruned)
            raise

    statuses = search(objective).statuses()
    assert len(left) == statuses.count("pruned") > 0
    assert not math.isnan(sum(spent))
