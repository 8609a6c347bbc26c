"""PyTorch Lightning: end a trial after a validation. `TrialPruned` passes through ``Trainer.fit``.

Tested with Lightning 2.6, as ``lightning`` and as ``pytorch_lightning``: these are two packages with two `Callback`
classes, and the callback is one of each that the program has imported. One process only: where a trainer starts others
(DDP), what runs in them is no trial, and the callback refuses.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hpspace.integrations.link import Link

#: Modules that have a `Callback`.
_HOMES = ("lightning.pytorch", "pytorch_lightning")


def pruning_callback(
    monitor: str = "val_loss", *, every: int = 1, maximize: bool | None = None, ctrl: Any = None
) -> Any:
    """Make a callback that ends the running trial when it does not look promising.

    Parameters
    ----------
    monitor : str
        Which of the metrics that the module logs to report, by ``self.log("val_loss", ...)``.
    every : int
        Report at every so many epochs, from the first.
    maximize : bool, optional
        Whether large values of it are good; by default as the search has it. Where the search goes the other way
        reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    Callback
        Of ``lightning.pytorch``, of ``pytorch_lightning``, or of both if both are imported. Raises ValueError during
        the training if there is no such metric.
    """
    return _class(_homes())(monitor, Link(ctrl, maximize, every))


@lru_cache(maxsize=3)
def _class(homes: tuple[str, ...]) -> Any:
    bases = tuple(import_module(home).Callback for home in homes)

    class LightningPruning(*bases):  # type: ignore[misc]
        """A callback of Lightning; see `pruning_callback`."""

        def __init__(self, monitor: str, link: Link) -> None:
            super().__init__()
            self._monitor = monitor
            self._link = link

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            """Report the metric of this epoch."""
            epoch = trainer.current_epoch
            if trainer.sanity_checking or not self._link.due(epoch):
                return
            if trainer.world_size > 1:
                raise NotImplementedError(
                    f"this training runs in {trainer.world_size} processes; pruning works in one: use devices=1"
                )
            where = "the logged metrics of Lightning"
            self._link.prune_by("monitor", self._monitor, trainer.callback_metrics, epoch, where)

    return LightningPruning


def _homes() -> tuple[str, ...]:
    """Return the modules whose `Callback` to be: those that the program has imported, else the first installed."""
    imported = tuple(home for home in _HOMES if home in sys.modules)
    installed = (home for home in _HOMES if find_spec(home.partition(".")[0]) is not None)
    return imported or (next(installed, _HOMES[0]),)
