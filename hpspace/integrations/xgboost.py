"""XGBoost: end a trial between two rounds of boosting. Works in ``xgboost.train``, ``cv`` and the sklearn classes.

Tested with XGBoost 3.2. In the sklearn classes `callbacks` is an argument of the constructor. Results of ``cv`` are the
means over the folds. `TrialPruned` passes through the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hpspace.integrations.link import Link, missing

#: Beginnings of the names of metrics that XGBoost maximises.
_MAXIMIZED = ("auc", "pre", "map", "ndcg")


def pruning_callback(
    metric: str | None = None,
    data_name: str | None = None,
    *,
    every: int = 1,
    maximize: bool | None = None,
    ctrl: Any = None,
) -> Any:
    """Make a callback that ends the running trial when it does not look promising.

    Parameters
    ----------
    metric : str, optional
        Which metric to report, such as "auc"; by default the last one, which is the one that XGBoost's early stopping
        uses.
    data_name : str, optional
        On which data: "validation_0" in the sklearn classes, the names in ``evals`` of ``train``, "test" in ``cv``. By
        default the last one, as in XGBoost's early stopping.
    every : int
        Report every so many rounds, from the first.
    maximize : bool, optional
        Whether large values of the metric are good; by default as XGBoost takes it, by its name. Where the search goes
        the other way (it minimises ``1 - auc``) reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    xgboost.callback.TrainingCallback
        Raises ValueError during the training if there is no such metric.
    """
    return _class()(metric, data_name, Link(ctrl, maximize, every))


@lru_cache(maxsize=1)
def _class() -> Any:
    from xgboost.callback import TrainingCallback

    class XGBoostPruning(TrainingCallback):  # type: ignore[misc, unused-ignore]
        """A callback of XGBoost; see `pruning_callback`."""

        def __init__(self, metric: str | None, data_name: str | None, link: Link) -> None:
            super().__init__()
            self._metric = metric
            self._data_name = data_name
            self._link = link

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            """Report the metric of this round; True would end the training without an exception."""
            if self._link.due(epoch):
                name, value = chosen(evals_log, self._metric, self._data_name)
                if self._link.maximize is None:
                    self._link.maximize = name.startswith(_MAXIMIZED) and name != "mape"
                self._link.prune_if_bad(value, epoch, name)
            return False

    return XGBoostPruning


def chosen(
    log: Mapping[str, Mapping[str, Sequence[Any]]], metric: str | None, data_name: str | None
) -> tuple[str, float]:
    """Return name and latest value of a metric in the log of a training.

    Parameters
    ----------
    log : mapping
        ``log[data][metric]`` is the list of values so far, in ``cv`` of pairs of mean and standard deviation.
    metric, data_name : str or None
        As in `pruning_callback`.

    Examples
    --------
    >>> chosen({"train": {"auc": [0.6, 0.7]}, "test": {"auc": [(0.5, 0.1), (0.55, 0.1)]}}, None, None)
    ('auc', 0.55)
    """
    data = data_name if data_name is not None else next(reversed(list(log)), None)
    there = log.get(data, {}) if data is not None else {}
    name = metric if metric is not None else next(reversed(list(there)), None)
    if name is None or name not in there:
        names = [f"{data}: {name}" for data, metrics in log.items() for name in metrics]
        asked = f"{data_name or 'the last data set'}: {metric or 'the last metric'}"
        raise missing("metric", asked, names, "the evaluations of XGBoost")
    value = there[name][-1]
    return name, float(value[0] if isinstance(value, tuple) else value)
