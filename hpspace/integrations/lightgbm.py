"""LightGBM: end a trial between two rounds of boosting. Works in ``lightgbm.train``, ``cv`` and the sklearn classes.

Tested with LightGBM 4.7. Results of ``cv`` are the means over the folds. The callback comes before LightGBM's own
`early_stopping`, and `TrialPruned` passes through the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.integrations.link import Link, missing

#: Names that LightGBM gives the training data in `train` and in `cv`.
_TRAINING = ("training", "train")


class LightGBMPruning:
    """A callback of LightGBM; see `pruning_callback`."""

    #: Among LightGBM's callbacks: after recording (20), before early stopping (30).
    order = 25
    before_iteration = False

    def __init__(self, metric: str | None, valid_name: str | None, link: Link) -> None:
        self._metric = metric
        self._valid_name = valid_name
        self._link = link

    def __call__(self, env: Any) -> None:
        """Report the metric of this round; `env` is a ``lightgbm.callback.CallbackEnv``."""
        step = env.iteration - env.begin_iteration
        if not self._link.due(step):
            return
        _, name, value, maximize = self._chosen(env.evaluation_result_list or ())[:4]
        if self._link.maximize is None:
            self._link.maximize = bool(maximize)
        self._link.prune_if_bad(value, step, name)

    def _chosen(self, results: Sequence[Any]) -> Sequence[Any]:
        """Return the result asked for: a tuple of data set, metric, value, whether to maximise, and perhaps more."""
        for result in results:
            data, metric = result[0], result[1].removeprefix(f"{result[0]} ")  # cv calls it "valid auc"
            right_data = data not in _TRAINING if self._valid_name is None else data == self._valid_name
            if right_data and self._metric in (None, metric, metric.split("@")[0]):
                return [data, metric, *result[2:]]
        there = [f"{result[0]}: {result[1]}" for result in results]
        asked = f"{self._valid_name or 'any validation set'}: {self._metric or 'any metric'}"
        raise missing("metric", asked, there, "the evaluations of LightGBM")


def pruning_callback(
    metric: str | None = None,
    valid_name: str | None = None,
    *,
    every: int = 1,
    maximize: bool | None = None,
    ctrl: Any = None,
) -> LightGBMPruning:
    """Make a callback that ends the running trial when it does not look promising.

    Parameters
    ----------
    metric : str, optional
        Which metric to report, such as "auc"; for metrics with a position ("ndcg@5") the name alone is enough. By
        default the first one.
    valid_name : str, optional
        On which data: "valid_0" in the sklearn classes, the names passed to ``train``, "valid" in ``cv``. By default
        the first that is not the training data.
    every : int
        Report every so many rounds, from the first.
    maximize : bool, optional
        Whether large values of the metric are good; by default as LightGBM says. Where the search goes the other way
        (it minimises ``1 - auc``) reports have their sign changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    callable
        For the argument `callbacks`. Raises ValueError during the training if there is no such metric.

    Examples
    --------
    >>> callback = pruning_callback("auc")  # lightgbm.train(..., valid_sets=[valid], callbacks=[callback])
    >>> callback.order
    25
    """
    return LightGBMPruning(metric, valid_name, Link(ctrl, maximize, every))
