"""How long one suggestion takes when n trials are known: 1,000, and for tpe also 100 and 10,000.

A suggestion is what a driver waits for between two evaluations: from "give me the next point" to having it.
The history is the same for all: n points drawn at random, with random losses. Every library then suggests,
is told a loss, and suggests again. The libraries take turns of many suggestions each, so that whatever else the
machine does falls on all of them, and a library finds its own data in the caches as in a search, not that of three
others. The median of a library counts, its first turn left out: Python runs code faster from about the tenth time on.

Spaces: `flat5`, `flat20` and `flat100` have so many independent parameters of four kinds; `nested` is the classifier
pipeline of the demo with 8 parameters of which 1 to 5 are active.

Optuna and Rustuna, whose sampler is compiled, are asked by `ask` and the `suggest_*` calls of one trial.
"""

from __future__ import annotations

import importlib
import math
import statistics
import time
from typing import Any, Protocol

import numpy as np
from common import installed, milliseconds, ratio, table, wants_quick

SPACES = ("flat5", "flat20", "flat100", "nested")
#: Algorithms, and how many trials are known.
ALGORITHMS = {"rand": [1_000], "tpe": [100, 1_000, 10_000]}
PEERS = ("hyperopt", "optuna", "rustuna")

#: Turns that count, suggestions in each, and the seconds after which a turn ends earlier.
TURNS, IN_A_ROW, TURN_SECONDS = 4, 20, 0.5

#: A library is left out of longer histories of a space when a suggestion there took longer than this, in seconds.
PATIENCE = 0.3


class Subject(Protocol):
    """A library with a history; the one thing that is timed is `suggest`."""

    def suggest(self) -> float:
        """Make one suggestion, report a loss for it, and return the seconds of the suggestion alone."""


# ---- the spaces, said in both dialects --------------------------------------------------------------------


def declared_space(hp: Any, name: str) -> Any:
    """Build a space with `hp.*` calls (Hyperopt and hpspace)."""
    if name.startswith("flat"):
        kinds = [
            lambda label: hp.uniform(label, -5, 5),
            lambda label: hp.loguniform(label, math.log(1e-5), 0),
            lambda label: hp.quniform(label, 0, 100, 1),
            lambda label: hp.choice(label, ["red", "green", "blue", "grey"]),
        ]
        return {f"p{i}": kinds[i % 4](f"p{i}") for i in range(size_of(name))}
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
    """Ask a trial of Optuna or Rustuna for the parameters of a space, those of the taken branch only."""
    if name.startswith("flat"):
        for i in range(size_of(name)):
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


def size_of(name: str) -> int:
    """Return the number of parameters of a flat space."""
    return int(name.removeprefix("flat"))


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


class AskAndTell:
    """A study that is asked for trials, which are asked for parameters."""

    study: Any
    space: str
    losses: np.random.Generator

    def suggest(self) -> float:
        start = time.perf_counter()
        trial = self.study.ask()
        run_through(trial, self.space)
        seconds = time.perf_counter() - start
        self.study.tell(self.told(trial), float(self.losses.normal()))
        return seconds

    def told(self, trial: Any) -> Any:
        """Return what `tell` knows a trial by."""
        return trial


class OptunaStyle(AskAndTell):
    """Optuna's default sampler of that name."""

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


class RustunaStyle(AskAndTell):
    """Rustuna's sampler of that name, on a study in memory."""

    def __init__(self, algorithm: str, space: str, n: int) -> None:
        rustuna = importlib.import_module("rustuna")
        samplers = {"rand": rustuna.samplers.RandomSampler, "tpe": rustuna.samplers.TPESampler}
        self.space = space
        self.losses = np.random.default_rng(0)
        storage = rustuna.storages.InMemoryStorage()
        drawn = rustuna.samplers.RandomSampler(seed=0)
        self.study = rustuna.create_study(study_name="benchmark", storage=storage, sampler=drawn)
        for _ in range(n):
            self.suggest()
        # a study's sampler cannot be replaced, but the same study can be opened with another
        sampler = samplers[algorithm](seed=1)
        self.study = rustuna.load_study(study_name="benchmark", storage=storage, sampler=sampler)

    def told(self, trial: Any) -> Any:
        return trial.number


def subject(library: str, algorithm: str, space: str, n: int) -> Subject:
    if library == "optuna":
        return OptunaStyle(algorithm, space, n)
    if library == "rustuna":
        return RustunaStyle(algorithm, space, n)
    return HyperoptStyle(library, algorithm, space, n)


# ---- the table --------------------------------------------------------------------------------------------


def rows(algorithm: str, space: str, sizes: list[int], turns: int, libraries: list[str]) -> list[list[str]]:
    """Return a row for each length of the history; who was too slow in one is left out of the next."""
    found, left = [], libraries
    for n in sizes:
        subjects = {name: subject(name, algorithm, space, n) for name in left}
        seconds = in_turns(subjects, turns)
        found.append([algorithm, space, f"{n:,}", milliseconds(seconds["hpspace"]), *beside(seconds)])
        left = [name for name in left if seconds[name] <= PATIENCE]
    return found


def in_turns(subjects: dict[str, Subject], turns: int) -> dict[str, float]:
    """Return the median seconds of a suggestion, of libraries that take turns; a first turn of each is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(turns + 1):
        for name, one in subjects.items():
            took: list[float] = []
            while len(took) < IN_A_ROW and sum(took) < TURN_SECONDS:
                took.append(one.suggest())
            seconds[name] += took if turn else []
    return {name: statistics.median(some) for name, some in seconds.items()}


def beside(seconds: dict[str, float]) -> list[str]:
    """Return the cells of the peers."""
    ours = seconds["hpspace"]
    return [
        f"{milliseconds(seconds[peer])} ({ratio(seconds[peer], ours)})" if peer in seconds else "–"
        for peer in PEERS
    ]


def report(quick: bool) -> str:
    turns, libraries = 1 if quick else TURNS, installed(["hpspace", *PEERS])
    lines = []
    for algorithm, sizes in ALGORITHMS.items():
        for space in SPACES:
            lines += rows(algorithm, space, [25] if quick else sizes, turns, libraries)
    return table(
        ["algorithm", "space", "trials", "hpspace", *(f"{peer} (÷ hpspace)" for peer in PEERS)], lines
    )


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
