"""The comparison that people know from tutorials: LightGBM on a table of 10,000 x 200, AUC, six parameters, 100 trials.

usage::

    python tests/benchmarks/lightgbm_tuning.py [--trials 100] [--seeds 3] [--out results.jsonl]

Every arm tunes the same objective on the same data, one after the other, in the same process, with one thread of
LightGBM. The arms that prune report the AUC after every boosting round and get the time that the unpruned arm of their
own library took, not a number of trials. What is shown is the best validation AUC (the higher the better), trials,
pruned trials and seconds; rows are written to ``--out`` as they come, and what is there already is not run again.

Needs lightgbm and scikit-learn; libraries that are not installed are left out. ``--quick``: three trials, nothing is
written.
"""

# ruff: noqa: E402  (threads are limited before numpy is imported)
from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import time
import warnings
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import lightgbm
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

warnings.simplefilter("ignore")

ROUNDS = 40
#: Name, low, high, whether an integer, whether on a logarithmic scale.
PARAMETERS = (
    ("learning_rate", 0.01, 0.5, False, True),
    ("max_depth", 1, 30, True, False),
    ("num_leaves", 2, 100, True, False),
    ("min_data_in_leaf", 10, 1000, True, True),
    ("feature_fraction", 0.1, 1.0, False, False),
    ("bagging_fraction", 0.1, 1.0, False, False),
)


def data(seed: int) -> tuple[lightgbm.Dataset, lightgbm.Dataset]:
    """Return the training and the validation table."""
    x, y = make_classification(
        10_000, 200, n_informative=25, n_redundant=25, n_clusters_per_class=6, weights=[0.9], flip_y=0.05,
        class_sep=0.6, random_state=seed,
    )  # fmt: skip
    x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=0.2, stratify=y, random_state=seed)
    train = lightgbm.Dataset(x_train, y_train, free_raw_data=False, params={"max_bin": 63})
    return train, lightgbm.Dataset(x_valid, y_valid, reference=train, free_raw_data=False)


class Objective:
    """Validation AUC of a configuration."""

    def __init__(self, seed: int) -> None:
        self.train, self.valid = data(seed)

    def __call__(self, config: dict[str, Any], callbacks: Any = ()) -> float:
        fixed = {
            "objective": "binary",
            "metric": "auc",
            "verbosity": -1,
            "num_threads": 1,
            "bagging_freq": 1,
            "seed": 0,
            "feature_pre_filter": False,
            "max_bin": 63,
        }
        config = {**config, **{name: int(config[name]) for name, *_, integer, _log in PARAMETERS if integer}}
        booster = lightgbm.train(
            {**fixed, **config}, self.train, ROUNDS, valid_sets=[self.valid], callbacks=[*callbacks]
        )
        return float(booster.best_score["valid_0"]["auc"])


class Clock:
    """Counts the trials of an arm and keeps its best AUC."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.best, self.trials, self.pruned = objective, 0.0, 0, 0
        self.start = time.perf_counter()

    def __call__(self, config: dict[str, Any], callbacks: Any = ()) -> float:
        self.trials += 1
        auc = self.objective(config, callbacks)
        self.best = max(self.best, auc)
        return auc

    def row(self) -> dict[str, Any]:
        seconds = time.perf_counter() - self.start
        return {"auc": self.best, "trials": self.trials, "pruned": self.pruned, "seconds": round(seconds, 1)}


def hyperopt_style(package: str, algorithm: str) -> Any:
    """Return an arm of Hyperopt, or of hpspace, written as for Hyperopt."""

    def arm(clock: Clock, trials: int, seed: int, seconds: float) -> None:
        library = importlib.import_module(package)
        hp = library.hp
        space = {
            name: (
                (hp.qloguniform if integer else hp.loguniform)(
                    name, math.log(low), math.log(high), *([1] if integer else [])
                )
                if log
                else hp.quniform(name, low, high, 1)
                if integer
                else hp.uniform(name, low, high)
            )
            for name, low, high, integer, log in PARAMETERS
        }
        suggest = importlib.import_module(f"{package}.{algorithm}").suggest
        options = {"rstate": np.random.default_rng(seed), "show_progressbar": False, "verbose": False}
        library.fmin(
            lambda config: -clock(config), space, suggest, trials, trials=library.Trials(), **options
        )

    return arm


def hpspace_pruned(clock: Clock, trials: int, seed: int, seconds: float) -> None:
    """Tune with hpspace's tpe and its median pruner, for as long as the unpruned arm took."""
    from hpspace import TrialPruned, fmin, hp
    from hpspace.integrations.lightgbm import pruning_callback

    space = {
        name: (hp.int if integer else hp.float)(name, low, high, log=log)
        for name, low, high, integer, log in PARAMETERS
    }

    def objective(config: dict[str, Any]) -> float:
        try:
            return clock(config, [pruning_callback("auc")])
        except TrialPruned:
            clock.pruned += 1
            raise

    options = {
        "timeout": seconds,
        "seed": seed,
        "verbose": False,
        "direction": "maximize",
        "pruner": "median",
    }
    fmin(objective, space, "tpe", None, **options)


def optuna_arm(pruned: bool) -> Any:
    """Return an arm of Optuna's default sampler, with or without its default pruner."""

    def arm(clock: Clock, trials: int, seed: int, seconds: float) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def objective(trial: Any) -> float:
            config = {
                name: trial.suggest_int(name, low, high, log=log)
                if integer
                else trial.suggest_float(name, low, high, log=log)
                for name, low, high, integer, log in PARAMETERS
            }
            return clock(config, [report(trial)] if pruned else [])

        def report(trial: Any) -> Any:
            def callback(env: Any) -> None:
                trial.report(env.evaluation_result_list[0][2], env.iteration)
                if trial.should_prune():
                    clock.pruned += 1
                    raise optuna.TrialPruned

            return callback

        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner() if pruned else optuna.pruners.NopPruner(),
        )
        study.optimize(objective, None if pruned else trials, timeout=seconds if pruned else None)

    return arm


#: Name -> arm, and the arm whose time it gets.
ARMS: dict[str, tuple[Any, str | None]] = {
    "hyperopt rand": (hyperopt_style("hyperopt", "rand"), None),
    "hyperopt tpe": (hyperopt_style("hyperopt", "tpe"), None),
    "optuna tpe": (optuna_arm(False), None),
    "optuna tpe, pruned": (optuna_arm(True), "optuna tpe"),
    "hpspace rand": (hyperopt_style("hpspace", "rand"), None),
    "hpspace tpe": (hyperopt_style("hpspace", "tpe"), None),
    "hpspace atpe": (hyperopt_style("hpspace", "atpe"), None),
    "hpspace tpe, pruned": (hpspace_pruned, "hpspace tpe"),
}


def run(out: Path | None, trials: int, seeds: int) -> list[dict[str, Any]]:
    """Run what is not in the file yet; return all rows."""
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out and out.exists() else []
    for seed in range(seeds):
        objective = None
        for name, (arm, budget) in ARMS.items():
            if importlib.util.find_spec(name.split()[0]) is None:
                continue
            known = {row["arm"]: row for row in rows if row["seed"] == seed and row["asked"] == trials}
            if name in known:
                continue
            objective = objective or Objective(seed)
            clock = Clock(objective)
            arm(clock, trials, seed, known[budget]["seconds"] if budget else 0.0)
            rows.append({"arm": name, "seed": seed, "asked": trials, **clock.row()})
            if out is not None:
                with out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    return [row for row in rows if row["seed"] < seeds and row["asked"] == trials]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means over seeds as a markdown table."""
    lines = ["| | best AUC | of each seed | trials | pruned | seconds |", "|---|---|---|---|---|---|"]
    for name in ARMS:
        own = sorted((row for row in rows if row["arm"] == name), key=lambda row: row["seed"])
        if own:
            mean = {key: np.mean([row[key] for row in own]) for key in ("auc", "trials", "pruned", "seconds")}
            each = ", ".join(f"{row['auc']:.4f}" for row in own)
            counts = " | ".join(f"{mean[key]:.0f}" for key in ("trials", "pruned", "seconds"))
            lines.append(f"| {name} | {mean['auc']:.4f} | {each} | {counts} |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line, run, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("lightgbm_tuning.jsonl"))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    print(table(run(None, 3, 1) if given.quick else run(given.out, given.trials, given.seeds)))


if __name__ == "__main__":
    main()
