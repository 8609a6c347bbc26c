"""fastai: end a trial after an epoch. fastai adds its own words to `TrialPruned`, which passes through all the same.

Tested with fastai 2.8.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hpspace.integrations.link import Link


def pruning_callback(
    monitor: str = "valid_loss", *, every: int = 1, maximize: bool | None = None, ctrl: Any = None
) -> Any:
    """Make a callback that ends the running trial when it does not look promising.

    Parameters
    ----------
    monitor : str
        Which of the recorder's columns to report: "train_loss", "valid_loss", or the name of a metric.
    every : int
        Report every so many epochs, from the first.
    maximize : bool, optional
        Whether large values of it are good; by default as the search has it. Where the search goes the other way
        reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    fastai.callback.core.Callback
        Raises ValueError during the training if there is no such column.
    """
    return _class()(monitor, Link(ctrl, maximize, every))


@lru_cache(maxsize=1)
def _class() -> Any:
    from fastai.callback.core import Callback

    class FastAIPruning(Callback):  # type: ignore[misc, unused-ignore]
        """A callback of fastai; see `pruning_callback`."""

        order = 70  # after the recorder (50), which it reads

        def __init__(self, monitor: str, link: Link) -> None:
            super().__init__()
            self._monitor = monitor
            self._link = link

        def after_epoch(self) -> None:
            """Report the column of this epoch."""
            if self._link.due(self.epoch):
                names = list(self.recorder.metric_names)[1:-1]  # between the epoch and the time
                there = dict(zip(names, self.recorder.values[-1]))
                self._link.prune_by("monitor", self._monitor, there, self.epoch, "the recorder")

    return FastAIPruning
