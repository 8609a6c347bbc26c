"""Ignite: after an evaluation, which a handler of the trainer starts."""

from __future__ import annotations

import numpy as np
import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Loss

from hpspace.integrations.ignite import pruning_callback

from .conftest import EPOCHS
from .nets import loaders


def test_a_real_training_ends_early(search, judged) -> None:
    epochs = []

    def train(x: np.ndarray, y: np.ndarray) -> float:
        torch.manual_seed(0)
        net, loss = torch.nn.Linear(4, 2), torch.nn.CrossEntropyLoss()
        trainer = create_supervised_trainer(net, torch.optim.SGD(net.parameters(), lr=1.0), loss)
        evaluator = create_supervised_evaluator(net, metrics={"nll": Loss(loss)})
        to_train, to_validate = loaders(x, y)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(to_validate))
        evaluator.add_event_handler(Events.COMPLETED, pruning_callback(trainer, "nll"))
        try:
            trainer.run(to_train, max_epochs=EPOCHS)
        finally:
            epochs.append(trainer.state.epoch)
        return evaluator.state.metrics["nll"]

    judged(search(train), epochs)
