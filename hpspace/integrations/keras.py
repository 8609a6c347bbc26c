"""Keras 3, on any of its backends: end a trial after an epoch. `TrialPruned` passes through ``fit``.

Tested with Keras 3.15 on torch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hpspace.integrations.link import Link


def pruning_callback(
    monitor: str = "val_loss", *, every: int = 1, maximize: bool | None = None, ctrl: Any = None
) -> Any:
    """Make a callback that ends the running trial when it does not look promising.

    Parameters
    ----------
    monitor : str
        Which of the logs of an epoch to report; those of validation data begin with ``val_``.
    every : int
        Report every so many epochs, from the first.
    maximize : bool, optional
        Whether large values of it are good; by default as the search has it. Where the search goes the other way
        reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    keras.callbacks.Callback
        Raises ValueError during the training if there is no such log.
    """
    return _class()(monitor, Link(ctrl, maximize, every))


@lru_cache(maxsize=1)
def _class() -> Any:
    from keras.callbacks import Callback

    class KerasPruning(Callback):  # type: ignore[misc, unused-ignore]
        """A callback of Keras; see `pruning_callback`."""

        def __init__(self, monitor: str, link: Link) -> None:
            super().__init__()
            self._monitor_name = monitor
            self._link = link

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            """Report the log of this epoch."""
            if self._link.due(epoch):
                self._link.prune_by("monitor", self._monitor_name, logs or {}, epoch, "the logs of Keras")

    return KerasPruning
