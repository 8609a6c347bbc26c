"""Lightning under both of its names: after a validation, not during the sanity check."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from hpspace.integrations.lightning import pruning_callback

from .conftest import EPOCHS
from .nets import loaders, module_of


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_a_real_training_ends_early(search, judged, package: str, tmp_path) -> None:
    home = importlib.import_module(package)
    epochs = []

    class Counter(home.Callback):
        def on_validation_end(self, trainer, pl_module) -> None:
            self.n = getattr(self, "n", 0) + (not trainer.sanity_checking)

    def train(x: np.ndarray, y: np.ndarray) -> float:
        counter = Counter()
        callback = pruning_callback("val_loss")
        assert isinstance(callback, home.Callback)
        trainer = home.Trainer(
            max_epochs=EPOCHS, callbacks=[counter, callback], logger=False, enable_checkpointing=False,
            accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        try:
            trainer.fit(module_of(home), *loaders(x, y))
        finally:
            epochs.append(counter.n)
        return trainer.callback_metrics["val_loss"].item()

    judged(search(train), epochs)


def test_an_unknown_metric_is_named(search, tmp_path) -> None:
    home = importlib.import_module("lightning.pytorch")

    def train(x: np.ndarray, y: np.ndarray) -> float:
        trainer = home.Trainer(
            max_epochs=1, callbacks=[pruning_callback("val_acc")], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.fit(module_of(home), *loaders(x, y))
        return 0.0

    with pytest.raises(ValueError, match=r"monitor='val_acc' .* which have 'val_loss'"):
        search(train)
