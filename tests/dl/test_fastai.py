"""fastai: after an epoch; its words around the exception do not reach the trial."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch.nn.functional import cross_entropy

from hpspace.integrations.fastai import pruning_callback

from .conftest import EPOCHS
from .nets import loaders


class Counter(Callback):
    order = 60

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def after_epoch(self) -> None:
        self.n += 1


def learner_of(x: np.ndarray, y: np.ndarray, *callbacks: Callback) -> Learner:
    torch.manual_seed(0)
    data = DataLoaders(*loaders(x, y), device="cpu")
    return Learner(data, torch.nn.Linear(4, 2), loss_func=cross_entropy, lr=1.0, cbs=list(callbacks))


def test_a_real_training_ends_early(search, judged) -> None:
    epochs = []

    def train(x: np.ndarray, y: np.ndarray) -> float:
        counter = Counter()
        learner = learner_of(x, y, counter, pruning_callback("valid_loss"))
        try:
            with learner.no_logging():
                learner.fit(EPOCHS)
        finally:
            epochs.append(counter.n)
        return learner.recorder.values[-1][1]

    trials = search(train)
    judged(trials, epochs)
    reasons = [doc["result"]["reason"] for doc in trials.trials if doc["result"]["status"] == "pruned"]
    assert all(reason.startswith("step ") for reason in reasons)


def test_an_unknown_column_is_named(search) -> None:
    def train(x: np.ndarray, y: np.ndarray) -> float:
        learner = learner_of(x, y, pruning_callback("accuracy"))
        with learner.no_logging():
            learner.fit(1)
        return 0.0

    with pytest.raises(ValueError, match="which have 'train_loss', 'valid_loss'"):
        search(train)
