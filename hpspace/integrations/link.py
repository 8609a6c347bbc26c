"""What every callback has in common: how it finds its trial, what it reports, and how it ends the trial.

A metric may point the other way than the search: an objective that minimises ``1 - auc`` trains a library that reports
``auc``. Then reports have their sign changed, so that the pruner does not stop the best. A library that knows which of
its metrics are to be maximised is asked; of others the callback's argument `maximize` says it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hpspace.run.reporting import current_ctrl

logger = logging.getLogger(__name__)

#: Words in the names of metrics of which large values are good, and of which small ones are.
_GOOD = re.compile(r"acc|auc|f1|score|precision|recall|r2|iou|dice|ndcg|bleu", re.IGNORECASE)
_BAD = re.compile(r"loss|err|mse|mae|mape|rmse|perplexity|deviance", re.IGNORECASE)


class Link:
    """A callback's way to the running trial.

    Parameters
    ----------
    ctrl : Ctrl or None
        The trial; None is the one that is running when a report is made, if any.
    maximize : bool or None
        Whether large values of the metric are good; None is "as the search has it".
    every : int
        Report every so many steps, from step 0.

    Raises
    ------
    ValueError
        `every` is no whole number of at least 1.
    """

    def __init__(self, ctrl: Any = None, maximize: bool | None = None, every: int = 1) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"pruning_callback(every={every!r}): pass a whole number, 1 or more")
        self._ctrl = ctrl
        self.maximize = maximize
        self._every = every
        self._warned = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Link:
        return self  # libraries copy estimators with their callbacks; the trial is still the same one

    @property
    def ctrl(self) -> Any:
        """The Ctrl to speak to; None where no trial is running."""
        return current_ctrl() if self._ctrl is None else self._ctrl

    def due(self, step: int) -> bool:
        """Whether there is a trial, and it reports at this step."""
        return step % self._every == 0 and self.ctrl is not None

    def prune_by(self, what: str, name: str, there: Mapping[str, Any], step: int, where: str) -> None:
        """Do as `prune_if_bad` with one of the values that a library logs.

        Parameters
        ----------
        what : str
            The callback's argument that names it, for the error.
        name : str
            Which value.
        there : mapping
            Name to value.
        step : int
            How far the training is.
        where : str
            What `there` is, in words.

        Raises
        ------
        ValueError
            It is not there; names those that are.
        """
        if name not in there:
            raise missing(what, name, there, where)
        self.prune_if_bad(there[name], step, name)

    def prune_if_bad(self, value: Any, step: int, name: str = "") -> None:
        """Report a value, and raise `TrialPruned` if the trial should end.

        Parameters
        ----------
        value : float
            Of the metric, as the library gives it.
        step : int
            How far the training is.
        name : str
            The metric's name, for a warning.
        """
        ctrl = self.ctrl
        if ctrl is not None:
            ctrl.report_or_prune(self._turned(value, name, ctrl), step)

    def is_bad(self, value: Any, step: int, name: str = "") -> bool:
        """Report a value, and return whether the trial should end; parameters as of `prune_if_bad`.

        For libraries that let no exception through; `TrialPruned` is then raised after the training.
        """
        ctrl = self.ctrl
        if ctrl is None:
            return False
        ctrl.report(self._turned(value, name, ctrl), step)
        return bool(ctrl.should_prune())

    def _turned(self, value: Any, name: str, ctrl: Any) -> float:
        """Return a metric with the sign with which the search looks at it."""
        searched = ctrl.direction == "maximize"
        self._warn(name, searched)
        same_way = self.maximize is None or self.maximize == searched
        return float(value) if same_way else 0.0 - float(value)

    def _warn(self, name: str, searched: bool) -> None:
        if self.maximize is not None or self._warned:
            return
        if bool((_BAD if searched else _GOOD).search(name)) and not (_GOOD if searched else _BAD).search(
            name
        ):
            self._warned = True
            logger.warning(
                "the search %s, and the pruner takes %r the same way; if it points the other way pass maximize=%s "
                "to the callback",
                "maximises" if searched else "minimises",
                name,
                not searched,
                extra={"action": "metric_direction", "metric": name},
            )


def missing(what: str, asked: Any, there: Iterable[Any], where: str) -> ValueError:
    """Return the error for a metric that a library does not evaluate, which says those that it does.

    Examples
    --------
    >>> raise missing("monitor", "val_los", ["loss", "val_loss"], "the logs of Keras")
    Traceback (most recent call last):
    ...
    ValueError: monitor='val_los' is not in the logs of Keras, which have 'loss', 'val_loss'
    """
    names = ", ".join(repr(name) for name in there) or "nothing"
    return ValueError(f"{what}={asked!r} is not in {where}, which have {names}")
