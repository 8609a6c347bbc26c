"""Tune a whole pipeline: which classifier, and then the settings of that classifier.

The data are scikit-learn's 1,797 handwritten digits. A trial scales the pixels, builds one of three
classifiers and measures it by cross-validation. The settings are *nested*: a width exists only for a
support-vector machine with an RBF kernel, a depth only for a decision tree whose depth is limited.

Run it with ``make demo``, or copy it: the space and the objective are the two parts to make your own.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from hpspace import Trials, fmin, hp, space_eval
from hpspace.base import spec_from_misc

MAX_EVALS = 60
SEED = 1
X, Y = load_digits(return_X_y=True)
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)

# ---- the space: plain containers with hp.* leaves; each leaf has a label of its own -----------------------

SPACE = hp.choice(
    "classifier",
    [
        {
            "type": "naive_bayes",
            "var_smoothing": hp.float("nb_var_smoothing", 1e-9, 1e-1, log=True),
        },
        {
            "type": "svm",
            "C": hp.lognormal("svm_C", 0, 1),
            "kernel": hp.choice(
                "svm_kernel",
                [
                    {"name": "linear"},
                    {"name": "rbf", "width": hp.lognormal("svm_rbf_width", 0, 1)},
                ],
            ),
        },
        {
            "type": "decision_tree",
            "criterion": hp.choice("tree_criterion", ["gini", "entropy"]),
            "max_depth": hp.choice("tree_depth", [None, hp.int("tree_max_depth", 2, 30, log=True)]),
            "min_samples_split": hp.int("tree_min_samples_split", 2, 50, log=True),
        },
    ],
)


# ---- the objective: gets one configuration, returns the number to make small ------------------------------


def build(config: dict[str, Any]) -> Any:
    """Make the classifier that a configuration describes."""
    if config["type"] == "naive_bayes":
        return GaussianNB(var_smoothing=config["var_smoothing"])
    if config["type"] == "decision_tree":
        return DecisionTreeClassifier(
            criterion=config["criterion"],
            max_depth=config["max_depth"],
            min_samples_split=config["min_samples_split"],
            random_state=0,
        )
    kernel = config["kernel"]
    if kernel["name"] == "linear":
        return SVC(C=config["C"], kernel="linear")
    return SVC(C=config["C"], kernel="rbf", gamma=1 / (2 * kernel["width"] ** 2))


def objective(config: dict[str, Any]) -> float:
    """Return the cross-validated error rate of a configuration, between 0 and 1."""
    model = make_pipeline(MinMaxScaler(), build(config))
    return 1.0 - float(np.mean(cross_val_score(model, X, Y, cv=FOLDS)))


# ---- the run ----------------------------------------------------------------------------------------------


def search(algo: str, max_evals: int, progress: bool = True) -> Trials:
    """Run one search and return its trials."""
    trials = Trials()
    fmin(
        objective,
        SPACE,
        algo=algo,
        max_evals=max_evals,
        trials=trials,
        rstate=SEED,
        show_progressbar=progress,
    )
    return trials


def leaderboard(trials: Trials, rows: int = 8) -> str:
    """Write the best trials as text, one a line: error, trial number, configuration."""
    ranked = sorted(trials.trials, key=lambda trial: trial["result"]["loss"])[:rows]
    lines = ["rank  error   trial  configuration"]
    for rank, trial in enumerate(ranked, 1):
        config = space_eval(SPACE, spec_from_misc(trial["misc"]))
        lines.append(f"{rank:4d}  {trial['result']['loss']:.4f}  {trial['tid']:5d}  {one_line(config)}")
    return "\n".join(lines)


def one_line(config: dict[str, Any]) -> str:
    """Flatten a configuration for printing, floats shortened: ``svm C=1.2 kernel.name=linear``."""
    words = []
    for key, value in config.items():
        if isinstance(value, dict):
            words += [f"{key}.{word}" for word in one_line(value).split()]
        else:
            words.append(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}")
    return " ".join(words)


def main(max_evals: int = MAX_EVALS) -> None:
    """Search with tpe, show what it found, and search at random for comparison.

    This is one run of each: a difference of a few thousandths is luck. The median of the last half tells more.
    """
    start = time.perf_counter()
    print(f"tpe: {max_evals} trials", flush=True)
    trials = search("tpe", max_evals)
    print("\n" + leaderboard(trials))
    print(f"\nbest configuration, as the objective saw it (error {min(trials.losses()):.4f}):")
    print(f"  {trials.best_config}\n")

    print(f"random search: {max_evals} trials", flush=True)
    baseline = search("rand", max_evals)
    print(f"\nbest error:            tpe {min(trials.losses()):.4f}   random {min(baseline.losses()):.4f}")
    print(
        f"median of last half:   tpe {np.median(trials.losses()[max_evals // 2 :]):.4f}   "
        f"random {np.median(baseline.losses()[max_evals // 2 :]):.4f}"
    )
    print(f"{time.perf_counter() - start:.0f} seconds in all")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
