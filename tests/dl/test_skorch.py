"""skorch: after an epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochScoring
from skorch.dataset import ValidSplit

from hpspace.integrations.skorch import pruning_callback

from .conftest import EPOCHS


def net_of(*callbacks) -> NeuralNetClassifier:
    torch.manual_seed(0)
    return NeuralNetClassifier(
        torch.nn.Linear, module__in_features=4, module__out_features=2, criterion=torch.nn.CrossEntropyLoss, lr=1.0,
        max_epochs=EPOCHS, verbose=0, batch_size=-1, train_split=ValidSplit(3), callbacks=list(callbacks),
    )  # fmt: skip


@pytest.mark.parametrize(("monitor", "maximize"), [("valid_loss", None), ("acc", True)])
def test_a_real_training_ends_early(search, judged, monitor: str, maximize: bool | None) -> None:
    epochs = []

    def train(x: np.ndarray, y: np.ndarray) -> float:
        score = EpochScoring("accuracy", lower_is_better=False, name="acc")
        net = net_of(score, pruning_callback(monitor, maximize=maximize))
        try:
            net.fit(x, y)
        finally:
            epochs.append(len(net.history))
        return net.history[-1]["valid_loss"]

    judged(search(train), epochs)


def test_clones_keep_the_callback(search) -> None:
    """As a grid search of scikit-learn would make them."""
    from sklearn.base import clone

    def train(x: np.ndarray, y: np.ndarray) -> float:
        net = clone(net_of(pruning_callback()))
        net.fit(x, y)
        return net.history[-1]["valid_loss"]

    assert "pruned" in search(train).statuses()


def test_an_unknown_column_is_named(search) -> None:
    with pytest.raises(
        ValueError, match=r"monitor='val_loss' is not in the history, which have .*'valid_loss'"
    ):
        search(lambda x, y: net_of(pruning_callback("val_loss")).fit(x, y).history[-1]["valid_loss"])
