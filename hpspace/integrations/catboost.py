"""CatBoost: end a trial between two rounds of boosting.

Tested with CatBoost 1.2. CatBoost turns every exception of a callback into its own error, so here the callback only
stops the training, and `check_pruned` after it raises `TrialPruned`::

    pruning = pruning_callback("AUC")
    model.fit(x, y, eval_set=(x_valid, y_valid), callbacks=[pruning])
    pruning.check_pruned()

CatBoost calls callbacks on the CPU only, and not in its ``cv``. ``use_best_model`` cuts the model back to its best
round, as ever.
"""

from __future__ import annotations

from typing import Any

from hpspace.exceptions import TrialPruned
from hpspace.integrations.link import Link, missing


class CatBoostPruning:
    """A callback of CatBoost; see `pruning_callback`.

    Attributes
    ----------
    pruned : bool
        Whether the training was stopped by the pruner.
    """

    def __init__(self, metric: str | None, data_name: str | None, link: Link) -> None:
        self.pruned = False
        self._metric = metric
        self._data_name = data_name
        self._link = link
        self._error: ValueError | None = None

    def after_iteration(self, info: Any) -> bool:
        """Report the metric of this round; True goes on."""
        step = info.iteration - 1  # CatBoost counts from 1
        if not self._link.due(step):
            return True
        try:
            name, value = self._chosen(info.metrics or {})
        except ValueError as error:  # raised by `check_pruned`: here CatBoost would hide it
            self._error = error
            return False
        if self._link.maximize is None:
            self._link.maximize = _is_maximized(name)
        self.pruned = self._link.is_bad(value, step, name)
        return not self.pruned

    def check_pruned(self) -> None:
        """Raise what the training could not: call it right after ``fit``.

        Raises
        ------
        TrialPruned
            The pruner stopped the training. Let it pass; the reason is kept with the trial.
        ValueError
            There is no such metric.
        """
        if self._error is not None:
            raise self._error
        if self.pruned:
            raise TrialPruned

    def _chosen(self, metrics: dict[str, dict[str, list[float]]]) -> tuple[str, float]:
        """Return name and latest value of the metric asked for."""
        for data, of_data in metrics.items():
            right_data = data != "learn" if self._data_name is None else data == self._data_name
            for name, values in of_data.items() if right_data else ():
                if self._metric in (None, name, name.split(":")[0]):
                    return name, values[-1]
        names = [f"{data}: {name}" for data, of_data in metrics.items() for name in of_data]
        asked = f"{self._data_name or 'any validation set'}: {self._metric or 'any metric'}"
        raise missing("metric", asked, names, "the evaluations of CatBoost")


def _is_maximized(name: str) -> bool | None:
    """Return whether CatBoost maximises a metric, None if it does not know the name."""
    from catboost.dev_utils import is_maximizable_metric, is_minimizable_metric

    up, down = bool(is_maximizable_metric(name)), bool(is_minimizable_metric(name))
    return up if up != down else None


def pruning_callback(
    metric: str | None = None,
    data_name: str | None = None,
    *,
    every: int = 1,
    maximize: bool | None = None,
    ctrl: Any = None,
) -> CatBoostPruning:
    """Make a callback that stops the training of a trial that does not look promising.

    Call ``check_pruned()`` of it after ``fit``; see the module's text.

    Parameters
    ----------
    metric : str, optional
        Which metric to report, such as "AUC"; for metrics with parameters ("Quantile:alpha=0.3") the name alone is
        enough. By default the first one.
    data_name : str, optional
        On which data: "validation", or "validation_0" and so on where there are several. By default the first that is
        not the training data.
    every : int
        Report every so many rounds, from the first.
    maximize : bool, optional
        Whether large values of the metric are good; by default as CatBoost says. Where the search goes the other way
        (it minimises ``1 - auc``) reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    CatBoostPruning
        For the argument `callbacks` of ``fit``.
    """
    return CatBoostPruning(metric, data_name, Link(ctrl, maximize, every))
