"""What the trainings share: data of which one column tells the class, and a search over whether it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpspace import Trials, fmin, hp

EPOCHS = 6

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
NOISE = rng.normal(size=(200, 4)).astype(np.float32)

Objective = Callable[[np.ndarray, np.ndarray], float]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.dl)


@pytest.fixture
def search() -> Callable[..., Trials]:
    """Run seven trials with the column that tells and seven without it, in turns, and return them."""

    def run(train: Objective, **arguments: Any) -> Trials:
        points = [{"tells": tells} for tells in [1.0, 0.0] * 7]
        space = {"tells": hp.uniform("tells", 0, 1)}
        given = {"points_to_evaluate": points, "rstate": 0, "verbose": False, "pruner": "median", **arguments}
        return fmin(
            lambda config: train(X if config["tells"] > 0.5 else NOISE, Y), space, "rand", 0, **given
        ).trials

    return run


@pytest.fixture
def judged() -> Callable[..., None]:
    """Check that hopeless trials ended early, good ones did not, and that nothing was trained after a verdict."""

    def check(trials: Trials, epochs: list[int], most: int = EPOCHS) -> None:
        statuses = trials.statuses()
        assert statuses[0::2].count("ok") >= 6
        assert statuses[1::2].count("pruned") >= 3
        for doc, trained in zip(trials.trials, epochs, strict=True):
            steps = [step for step, _ in doc["misc"]["reports"]]
            assert steps == list(range(len(steps))) and trained == len(steps)
            assert (trained == most) == (doc["result"]["status"] == "ok")
        pruned = [doc["result"] for doc in trials.trials if doc["result"]["status"] == "pruned"]
        assert all("worse than" in result["reason"] and "loss" not in result for result in pruned)

    return check
