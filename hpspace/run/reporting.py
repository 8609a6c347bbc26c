"""What an objective says about its trial while it runs: intermediate values, and the question whether to go on.

`Reporter` does the work of `Ctrl.report` and its kin for one trial: it writes reports into the document, asks the
pruner, and keeps the reason of a verdict with the trial. The functions `report`, `should_prune` and `report_or_prune`
do the same for code that has no Ctrl in reach, such as a training loop three calls below the objective; they find the
Ctrl of the running trial in a context variable that is set around the call of the objective (`running`). Where no
trial is running, when an objective is tried out by hand, they check their arguments and do nothing else.

In a store that other processes share, reports are written and other trials' reports are read now and then, not each
time; what is decided is decided by what was known a moment ago. In memory nothing is ever late.
"""

from __future__ import annotations

import logging
import operator
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from hpspace.exceptions import TrialPruned
from hpspace.prune.base import Custom, Verdict
from hpspace.trials.bests import number
from hpspace.trials.curves import REPORTS, asked, curve_among
from hpspace.trials.direction import shown
from hpspace.trials.document import STATUS_PRUNED

logger = logging.getLogger(__name__)

#: Key of a document's misc: why a pruner wanted the trial to stop.
PRUNE_REASON = "prune_reason"

#: Key of a document's misc: what a pruner said last, ``{"step", "stop", "reason"}``, for those that went on too.
LAST_VERDICT = "verdict"

#: Seconds between two times that reports are written to a shared store.
WRITE_INTERVAL = 0.5

#: Seconds between two times that other trials' reports are read from a shared store.
READ_INTERVAL = 1.0

_CURRENT: ContextVar[Any] = ContextVar("hpspace_current_ctrl", default=None)


class Reporter:
    """Reports and verdicts of one running trial.

    Parameters
    ----------
    trials : Trials
        All trials.
    trial : dict
        The document of the running one.
    pruner : Pruner, Custom or None
        Who decides; None lets every trial go on.
    clock : callable
        Seconds, from any start.
    """

    def __init__(
        self, trials: Any, trial: dict[str, Any], pruner: Any, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._trials = trials
        self._trial = trial
        self._pruner = pruner
        self._clock = clock
        self._written = self._read = -float("inf")
        self._unwritten = self._warned = False
        self._reports: list[Any] = []
        self._steps: set[int] = set()
        self._next = 0  # the step after the last one
        self._decided: tuple[int, Verdict] | None = None

    def report(self, value: Any, step: Any = None) -> tuple[int, float] | None:
        """Keep a report.

        Parameters
        ----------
        value : float
            In the direction asked for.
        step : int or None
            None is the step after the last one.

        Returns
        -------
        (int, float) or None
            Step and value as they were kept; None if there was a report of this step already.
        """
        as_float, place = checked_report(value, step, self._trial["tid"])
        reports = self._followed()
        place = self._next if place is None else place
        if place in self._steps:
            self._warn_once(place, as_float)
            return None
        reports.append([place, shown(as_float, self._direction)])
        self._trial["misc"][REPORTS] = reports
        self._steps.add(place)
        self._next = max(self._next, place + 1)
        self._unwritten = True
        self.write(WRITE_INTERVAL)
        return place, as_float

    def verdict(self) -> Verdict:
        """Ask the pruner about the reports so far; asking again without a new report gives the same verdict."""
        n = len(self._followed())
        if self._pruner is None or not n:
            return Verdict(False, "there is no pruner" if n else "nothing was reported")
        if self._decided is None or self._decided[0] != n:
            self._decided = n, self._ask()
        verdict = self._decided[1]
        self._trial["misc"][LAST_VERDICT] = {
            "step": self._reports[-1][0],
            "stop": bool(verdict.stop),
            "reason": verdict.reason,
        }
        if verdict.stop:
            self._trial["misc"][PRUNE_REASON] = verdict.reason
        return verdict

    def _ask(self) -> Verdict:
        self._refresh()
        if isinstance(self._pruner, Custom):
            return self._pruner.decide_trial(self._trials, self._trial)
        curve, others = curve_among(self._trials, self._trial)
        verdict = self._pruner.decide(curve, others)
        if not isinstance(verdict, Verdict):
            name = type(self._pruner).__name__
            raise TypeError(
                f"pruner={name}: {name}.decide returned {verdict!r}: return prune.Verdict(stop, reason)"
            )
        asked(self._trials, self._trial, curve.step)
        logger.debug(
            "trial %s: %s: %s",
            self._trial["tid"],
            "stop" if verdict.stop else "go on",
            verdict.reason,
            extra={"action": "prune_verdict", "tid": self._trial["tid"], "stop": verdict.stop},
        )
        return verdict

    def write(self, interval: float = 0.0) -> None:
        """Write reports through to the store that are not there yet, unless that was done less than `interval` ago.

        Parameters
        ----------
        interval : float
            Seconds.
        """
        if not self._unwritten or not getattr(self._trials, "shared", False):
            return
        now = self._clock()
        if now - self._written >= interval:
            self._trials.checkpoint(self._trial)
            self._written, self._unwritten = now, False

    def _refresh(self) -> None:
        """Let reports of other processes come in, now and then."""
        if getattr(self._trials, "shared", False) and self._clock() - self._read >= READ_INTERVAL:
            self.write()  # so that what comes in is not older than what is here
            self._trials.refresh()
            self._read = self._clock()

    def _followed(self) -> list[Any]:
        """Return the document's reports, of which those made here are the newest, whatever came in of a store."""
        misc = self._trial["misc"]
        held = misc.get(REPORTS)
        if held is not self._reports:
            if held is not None and len(held) >= len(self._reports):
                self._reports, self._steps = held, {step for step, _ in held}
                self._next = max(self._steps, default=-1) + 1
            elif self._reports:
                misc[REPORTS] = self._reports
        return self._reports

    @property
    def _direction(self) -> str:
        return str(getattr(self._trials, "direction", "minimize"))

    def _warn_once(self, step: int, value: float) -> None:
        if not self._warned:
            logger.warning(
                "trial %s reported step %d again, now with %s: the first report of a step counts, this and further "
                "repeated ones are ignored; pass the step, as in ctrl.report(value, step=epoch)",
                self._trial["tid"],
                step,
                value,
                extra={"action": "report_ignored", "tid": self._trial["tid"], "step": step},
            )
        self._warned = True


def checked_report(value: Any, step: Any, tid: Any = None) -> tuple[float, int | None]:
    """Read the arguments of a report.

    Parameters
    ----------
    value : float
        Anything that `float` takes but text: numpy scalars, tensors of one number. NaN is allowed.
    step : int or None
        A whole number of at least 0.
    tid : object
        The trial's id for the message; None outside of a search.

    Returns
    -------
    value : float
    step : int or None

    Raises
    ------
    TypeError, ValueError
        Something else.

    Examples
    --------
    >>> checked_report(1, 3)
    (1.0, 3)
    >>> checked_report(0.5, -1, tid=17)
    Traceback (most recent call last):
    ...
    ValueError: trial 17: report(..., step=-1): a step must be at least 0, and less than 2**63
    """
    who = "report" if tid is None else f"trial {tid}: report"
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError("text")
        as_float = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise TypeError(
            f"{who}(value={value!r}): an intermediate value must be a number; a metric that is not there yet is "
            'float("nan")'
        ) from error
    if step is None:
        return as_float, None
    try:
        place = operator.index(step)
    except TypeError as error:
        raise TypeError(
            f"{who}(..., step={step!r}): a step must be a whole number, such as the epoch or the number of the fold"
        ) from error
    if not 0 <= place < 2**63:
        raise ValueError(f"{who}(..., step={step!r}): a step must be at least 0, and less than 2**63")
    return as_float, place


def pruned_result(trial: dict[str, Any], reason: str = "") -> dict[str, Any]:
    """Return the result of a trial that was ended early.

    Parameters
    ----------
    trial : dict
        Its document, with the reports.
    reason : str
        What the exception said; if it said nothing, the reason of the last verdict is taken.

    Returns
    -------
    dict
        Status "pruned", "last_step" and "last_value" (None without a report; the value has the sign of what is
        minimised), and "reason". No loss.

    Examples
    --------
    >>> pruned_result({"misc": {"reports": [[0, 0.9], [3, 0.7]], "prune_reason": "step 3: too bad"}})
    {'status': 'pruned', 'last_step': 3, 'last_value': 0.7, 'reason': 'step 3: too bad'}
    """
    misc = trial["misc"]
    step, value = max(misc.get(REPORTS) or [(None, None)], key=lambda pair: number(pair[0]))
    verdict = misc.get(PRUNE_REASON) or ""
    says_more = reason and reason != TrialPruned().reason and (not verdict or verdict not in reason)
    why = (
        reason if says_more else verdict or TrialPruned().reason
    )  # a library may have added words of its own
    return {"status": STATUS_PRUNED, "last_step": step, "last_value": value, "reason": why}


# -- for code without a Ctrl in reach ----------------------------------------------------------------------


@contextmanager
def running(ctrl: Any) -> Iterator[None]:
    """Make a Ctrl the current one while an objective runs.

    Parameters
    ----------
    ctrl : Ctrl
        Of the running trial.
    """
    token = _CURRENT.set(ctrl)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_ctrl() -> Any:
    """Return the Ctrl of the trial that is running here.

    Returns
    -------
    Ctrl or None
        None where no trial is running: outside of a search, and in threads that an objective has started by itself.

    Examples
    --------
    >>> from hpspace import fmin, hp
    >>> current_ctrl() is None
    True
    >>> tids = []
    >>> def objective(x):
    ...     tids.append(current_ctrl().current_trial["tid"])
    ...     return x
    >>> best = fmin(objective, hp.uniform("x", 0, 1), algo="rand", max_evals=2, rstate=0, verbose=False)
    >>> tids
    [0, 1]
    """
    return _CURRENT.get()


def report(value: float, step: int | None = None) -> None:
    """Report an intermediate value of the running trial; see `Ctrl.report`. Does nothing outside of a search.

    Parameters
    ----------
    value : float
        In the direction asked for.
    step : int, optional
        By default the step after the last one.
    """
    ctrl = current_ctrl()
    if ctrl is None:
        checked_report(value, step)
    else:
        ctrl.report(value, step)


def should_prune() -> bool:
    """Return whether the running trial should end early; see `Ctrl.should_prune`. False outside of a search."""
    ctrl = current_ctrl()
    return False if ctrl is None else bool(ctrl.should_prune())


def report_or_prune(value: float, step: int | None = None) -> None:
    """Report a value of the running trial and end the trial if it does not look promising.

    Outside of a search it does nothing.

    Parameters
    ----------
    value, step
        As for `report`.

    Raises
    ------
    TrialPruned
        The trial should end; let it pass.

    Examples
    --------
    >>> import hpspace
    >>> def train(epochs):
    ...     for epoch in range(epochs):
    ...         loss = 1 / (1 + epoch)
    ...         hpspace.report_or_prune(loss, epoch)
    ...     return loss
    >>> train(4)  # no search runs: trains as if the line were not there
    0.25
    """
    ctrl = current_ctrl()
    if ctrl is None:
        checked_report(value, step)
    else:
        ctrl.report_or_prune(value, step)
