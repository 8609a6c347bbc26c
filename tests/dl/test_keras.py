"""Keras 3: after an epoch."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from hpspace.integrations.keras import pruning_callback

from .conftest import EPOCHS


def model_of() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize(("monitor", "maximize"), [("val_loss", None), ("val_accuracy", True)])
def test_a_real_training_ends_early(search, judged, monitor: str, maximize: bool | None) -> None:
    epochs = []

    def train(x: np.ndarray, y: np.ndarray) -> float:
        model, count = model_of(), []
        counted = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: count.append(epoch))
        callbacks = [counted, pruning_callback(monitor, maximize=maximize)]
        try:
            fitted = model.fit(
                x[:120],
                y[:120],
                validation_data=(x[120:], y[120:]),
                epochs=EPOCHS,
                verbose=0,
                callbacks=callbacks,
            )
        finally:
            epochs.append(len(count))
        return fitted.history["val_loss"][-1]

    judged(search(train), epochs)


def test_an_unknown_log_is_named(search) -> None:
    def train(x: np.ndarray, y: np.ndarray) -> float:
        model_of().fit(x, y, verbose=0, callbacks=[pruning_callback("val_loss")])
        return 0.0

    with pytest.raises(
        ValueError, match="'val_loss' is not in the logs of Keras, which have 'accuracy', 'loss'"
    ):
        search(train)
