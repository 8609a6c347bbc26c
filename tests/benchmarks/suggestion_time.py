"""How long one suggestion takes when n trials are known, n = 100, 1,000 and 10,000.

A suggestion is what a driver waits for between two evaluations: from "give me the next point" to having it.
The history is the same for all: n points drawn at random, with random losses. Every library then suggests,
is told a loss, and suggests again; the libraries take turns and the median counts.

Spaces: `flat` has 20 independent parameters of four kinds; `nested` is the classifier pipeline of the demo
with 8 parameters of which 1 to 5 are active.
"""

from __future__ import annotations

import importlib
import math
import time
from typing import Any, Protocol

import numpy as np
from common import installed, medians, milliseconds, ratio, table, wants_quick

SPACES = ("flat", "nested")
ALGORITHMS = ("rand", "tpe")
FLAT_SIZE = 20


class Subject(Protocol):
    """A library with a history; the one thing that is timed is `suggest`."""

    def suggest(self) -> float:
        """Make one suggestion, report a loss for it, and return the seconds of the suggestion alone."""


# ---- the spaces, said in both dialects --------------------------------------------------------------------


def declared_space(hp: Any, name: str) -> Any:
    """Build a space with `hp.*` calls (Hyperopt and hpspace)."""
    if name == "flat":
        kinds = [
            lambda label: hp.uniform(label, -5, 5),
            lambda label: hp.loguniform(label, math.log(1e-5), 0),
            lambda label: hp.quniform(label, 0, 100, 1),
            lambda label: hp.choice(label, ["red", "green", "blue", "grey"]),
        ]
        return {f"p{i}": kinds[i % 4](f"p{i}") for i in range(FLAT_SIZE)}
    svm = {
        "C": hp.lognormal("svm_C", 0, 1),
        "kernel": hp.choice("kernel", ["linear", {"rbf": hp.lognormal("width", 0, 1)}]),
    }
    tree = {
        "criterion": hp.choice("criterion", ["gini", "entropy"]),
        "depth": hp.choice("depth", [None, hp.qlognormal("max_depth", 3, 1, 1)]),
        "split": hp.qlognormal("min_split", 2, 1, 1),
    }
    return hp.choice("classifier", ["naive_bayes", svm, tree])


def run_through(trial: Any, name: str) -> None:
    """Ask an Optuna trial for the parameters of a space, those of the taken branch only."""
    if name == "flat":
        for i in range(FLAT_SIZE):
            kind, label = i % 4, f"p{i}"
            if kind == 0:
                trial.suggest_float(label, -5, 5)
            elif kind == 1:
                trial.suggest_float(label, 1e-5, 1, log=True)
            elif kind == 2:
                trial.suggest_int(label, 0, 100)
            else:
                trial.suggest_categorical(label, ["red", "green", "blue", "grey"])
        return
    classifier = trial.suggest_categorical("classifier", ["naive_bayes", "svm", "tree"])
    if classifier == "svm":
        trial.suggest_float("svm_C", 1e-2, 1e2, log=True)
        if trial.suggest_categorical("kernel", ["linear", "rbf"]) == "rbf":
            trial.suggest_float("width", 1e-2, 1e2, log=True)
    elif classifier == "tree":
        trial.suggest_categorical("criterion", ["gini", "entropy"])
        if trial.suggest_categorical("depth", ["free", "limited"]) == "limited":
            trial.suggest_int("max_depth", 1, 200, log=True)
        trial.suggest_int("min_split", 2, 100, log=True)


# ---- the libraries ----------------------------------------------------------------------------------------


class HyperoptStyle:
    """Hyperopt and hpspace, through the interface they share: `suggest(new_ids, domain, trials, seed)`."""

    def __init__(self, name: str, algorithm: str, space: str, n: int) -> None:
        library = importlib.import_module(name)
        domain_class = importlib.import_module(f"{name}.base").Domain
        self.domain = domain_class(lambda config: 0.0, declared_space(library.hp, space))
        self.trials = library.Trials()
        self.algorithm = importlib.import_module(f"{name}.{algorithm}").suggest
        self.losses = np.random.default_rng(0)
        self.seed = 0
        rand = importlib.import_module(f"{name}.rand").suggest
        self.finish(rand(self.trials.new_trial_ids(n), self.domain, self.trials, 1))

    def finish(self, documents: list[dict[str, Any]]) -> None:
        for document in documents:
            document["state"] = 2
            document["result"] = {"status": "ok", "loss": float(self.losses.normal())}
        self.trials.insert_trial_docs(documents)
        self.trials.refresh()

    def suggest(self) -> float:
        self.seed += 1
        ids = self.trials.new_trial_ids(1)
        start = time.perf_counter()
        documents = self.algorithm(ids, self.domain, self.trials, self.seed)
        seconds = time.perf_counter() - start
        self.finish(documents)
        return seconds


class OptunaStyle:
    """Optuna's default sampler of that name, through `ask` and the `suggest_*` calls of one trial."""

    def __init__(self, algorithm: str, space: str, n: int) -> None:
        optuna = importlib.import_module("optuna")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = {"rand": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
        self.space = space
        self.losses = np.random.default_rng(0)
        self.study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for _ in range(n):
            self.suggest()
        self.study.sampler = samplers[algorithm](seed=1)

    def suggest(self) -> float:
        start = time.perf_counter()
        trial = self.study.ask()
        run_through(trial, self.space)
        seconds = time.perf_counter() - start
        self.study.tell(trial, float(self.losses.normal()))
        return seconds


def subject(library: str, algorithm: str, space: str, n: int) -> Subject:
    if library == "optuna":
        return OptunaStyle(algorithm, space, n)
    return HyperoptStyle(library, algorithm, space, n)


# ---- the table --------------------------------------------------------------------------------------------


def row(algorithm: str, space: str, n: int, rounds: int, libraries: list[str]) -> list[str]:
    subjects = {name: subject(name, algorithm, space, n) for name in libraries}
    seconds = medians({name: one.suggest for name, one in subjects.items()}, rounds)
    cells = [algorithm, space, f"{n:,}", milliseconds(seconds["hpspace"])]
    for peer in ("hyperopt", "optuna"):
        measured = seconds.get(peer)
        cells.append(
            "–" if measured is None else f"{milliseconds(measured)} ({ratio(measured, seconds['hpspace'])})"
        )
    return cells


def report(quick: bool) -> str:
    sizes, rounds = ([25], 1) if quick else ([100, 1_000, 10_000], 9)
    libraries = installed()
    rows = [row(a, s, n, rounds, libraries) for a in ALGORITHMS for s in SPACES for n in sizes]
    return table(
        ["algorithm", "space", "trials", "hpspace", "hyperopt (÷ hpspace)", "optuna (÷ hpspace)"], rows
    )


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
