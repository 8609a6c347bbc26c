"""skorch: end a trial after an epoch. `TrialPruned` passes through ``net.fit``.

Tested with skorch 1.4.
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
        Which column of the net's history to report; scoring callbacks add columns.
    every : int
        Report every so many epochs, from the first.
    maximize : bool, optional
        Whether large values of it are good; by default as the search has it. Where the search goes the other way
        reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    skorch.callbacks.Callback
        Raises ValueError during the training if there is no such column.
    """
    return _class()(monitor, Link(ctrl, maximize, every))


@lru_cache(maxsize=1)
def _class() -> Any:
    from skorch.callbacks import Callback

    class SkorchPruning(Callback):  # type: ignore[misc, unused-ignore]
        """A callback of skorch; see `pruning_callback`. Its arguments are attributes, as skorch's clones need it."""

        def __init__(self, monitor: str, link: Link) -> None:
            self.monitor = monitor
            self.link = link

        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            """Report the column of this epoch."""
            row = net.history[-1]
            epoch = row["epoch"] - 1  # skorch counts from 1
            if self.link.due(epoch):
                there = {key: value for key, value in row.items() if key != "batches"}
                self.link.prune_by("monitor", self.monitor, there, epoch, "the history")

    return SkorchPruning
