"""PyTorch Ignite: end a trial after an evaluation. `TrialPruned` passes through ``trainer.run``.

Tested with Ignite 0.5. The callback handles the completion of the *evaluator*, and reads the epoch of the *trainer*::

    evaluator.add_event_handler(Events.COMPLETED, pruning_callback(trainer, "nll"))
"""

from __future__ import annotations

from typing import Any

from hpspace.integrations.link import Link


class IgnitePruning:
    """A handler of Ignite; see `pruning_callback`."""

    def __init__(self, trainer: Any, metric: str, link: Link) -> None:
        self._trainer = trainer
        self._metric = metric
        self._link = link

    def __call__(self, evaluator: Any) -> None:
        """Report the metric of this evaluation."""
        epoch = self._trainer.state.epoch - 1  # Ignite counts from 1
        if self._link.due(epoch):
            there = evaluator.state.metrics
            self._link.prune_by("metric", self._metric, there, epoch, "the metrics of the evaluator")


def pruning_callback(
    trainer: Any, metric: str, *, every: int = 1, maximize: bool | None = None, ctrl: Any = None
) -> IgnitePruning:
    """Make a handler that ends the running trial when it does not look promising.

    Parameters
    ----------
    trainer : ignite.engine.Engine
        The engine that trains; its epoch is the step of a report.
    metric : str
        Which of the evaluator's metrics to report.
    every : int
        Report every so many epochs, from the first.
    maximize : bool, optional
        Whether large values of it are good; by default as the search has it. Where the search goes the other way
        reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    callable
        For ``evaluator.add_event_handler(Events.COMPLETED, ...)``. Raises ValueError if there is no such metric.
    """
    return IgnitePruning(trainer, metric, Link(ctrl, maximize, every))
