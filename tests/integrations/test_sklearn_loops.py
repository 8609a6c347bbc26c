"""scikit-learn: partial_fit epoch by epoch, and cross-validation fold by fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LinearRegression, SGDClassifier, SGDRegressor
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from hpspace import fmin, hp, prune
from hpspace.integrations.sklearn import cross_validated, fit_in_parts

X, Y = make_classification(300, 10, n_informative=5, class_sep=0.8, random_state=0)
SPACE = {"alpha": hp.uniform("alpha", 0, 100)}

#: A good and a hopeless regularisation, in turns.
POINTS = [{"alpha": alpha} for alpha in [1e-3, 90.0] * 8]


def searched(objective: Any, **arguments: Any) -> Any:
    given = {"pruner": "median", **arguments}
    return fmin(
        objective, SPACE, "rand", 16, points_to_evaluate=POINTS, rstate=0, verbose=False, **given
    ).trials


def test_partial_fits_end_early() -> None:
    fitted: list[SGDClassifier] = []

    def objective(config: dict[str, float]) -> float:
        fitted.append(SGDClassifier(alpha=config["alpha"], random_state=0))
        return fit_in_parts(fitted[-1], X[:200], Y[:200], X[200:], Y[200:], epochs=8, batches=4)

    trials = searched(objective, direction="maximize")
    statuses = trials.statuses()
    assert statuses[0::2].count("ok") >= 6 and statuses[1::2].count("pruned") >= 5
    for model, doc in zip(fitted, trials.trials):
        epochs = len(doc["misc"]["reports"])
        assert model.t_ == 1 + 200 * epochs, (
            "every epoch saw all rows once, and nothing came after the last report"
        )
        assert (epochs == 8) == (doc["result"]["status"] == "ok")


def test_scores_are_turned_round_where_the_search_minimises() -> None:
    def objective(config: dict[str, float]) -> float:
        return 1 - cross_validated(SGDClassifier(alpha=config["alpha"], random_state=0), X, Y, cv=4)

    trials = searched(objective)
    for doc in trials.trials:
        if doc["result"]["status"] == "ok":
            mean = np.mean([value for _, value in doc["misc"]["reports"]])
            assert doc["result"]["loss"] == pytest.approx(1 + mean)


@pytest.mark.parametrize("scoring", [None, "roc_auc", "neg_log_loss"])
def test_the_mean_is_scikit_learns(scoring: str | None) -> None:
    """Stratified folds for classifiers, in the same order."""
    model = DecisionTreeClassifier(max_depth=3, random_state=0)
    expected = cross_val_score(model, X, Y, cv=5, scoring=scoring).mean()
    assert cross_validated(model, X, Y, cv=5, scoring=scoring) == pytest.approx(expected, rel=1e-12)
    assert not hasattr(model, "tree_"), "the estimator itself stays unfitted"


def test_frames_groups_and_regressors() -> None:
    x, y = make_regression(60, 3, noise=5.0, random_state=0)
    frame, groups = pandas.DataFrame(x, columns=list("abc")), np.arange(60) // 10
    expected = cross_val_score(
        LinearRegression(), frame, pandas.Series(y), cv=GroupKFold(3), groups=groups
    ).mean()
    found = cross_validated(LinearRegression(), frame, pandas.Series(y), cv=GroupKFold(3), groups=groups)
    assert found == pytest.approx(expected)
    assert fit_in_parts(SGDRegressor(random_state=0), frame, y, frame, y, epochs=50) > 0.9


def test_folds_are_compared_by_the_wilcoxon_rule() -> None:
    """Ten folds, a good and a bad depth: the bad one ends after the four folds that a p-value below 0.1 needs."""
    folds = KFold(10, shuffle=True, random_state=0)
    x, y = make_classification(600, 6, n_informative=3, class_sep=1.5, flip_y=0.0, random_state=1)
    space = {"noise": hp.uniform("noise", 0, 1)}
    rng = np.random.default_rng(0)
    spoilt = x + 8 * rng.normal(size=x.shape)

    def objective(config: dict[str, float]) -> float:
        model = DecisionTreeClassifier(max_depth=4, random_state=0)
        return cross_validated(model, spoilt if config["noise"] > 0.5 else x, y, cv=folds)

    points = [{"noise": noise} for noise in (0.1, 0.9, 0.9, 0.1)]
    trials = fmin(
        objective, space, "rand", 0, points_to_evaluate=points, rstate=0, verbose=False, direction="maximize",
        pruner=prune.Wilcoxon(),
    ).trials  # fmt: skip
    assert trials.statuses() == ["ok", "pruned", "pruned", "ok"]
    assert [len(doc["misc"]["reports"]) for doc in trials.trials] == [10, 4, 4, 10]
    assert "p = 0.0625" in trials.trials[1]["result"]["reason"]


def test_what_cannot_be_fitted_in_parts_is_named() -> None:
    with pytest.raises(TypeError, match="DecisionTreeClassifier has no partial_fit"):
        fit_in_parts(DecisionTreeClassifier(), X, Y, X, Y, epochs=3)
    with pytest.raises(ValueError, match="epochs=0"):
        fit_in_parts(SGDClassifier(), X, Y, X, Y, epochs=0)


def test_a_score_of_which_small_values_are_good() -> None:
    """A search that minimises, and a scorer that is a loss: nothing is turned round."""

    def loss(model: Any, x: Any, y: Any) -> float:
        return float(1 - model.score(x, y))

    def objective(config: dict[str, float]) -> float:
        model = SGDClassifier(alpha=config["alpha"], random_state=0)
        return fit_in_parts(model, X[:200], Y[:200], X[200:], Y[200:], epochs=3, scoring=loss, maximize=False)

    trials = searched(objective)
    assert all(value >= 0 for doc in trials.trials for _, value in doc["misc"]["reports"])
