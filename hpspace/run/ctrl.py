"""The object through which a running objective speaks with its trial.

An objective gets it as its second parameter when that is called ``ctrl``, or by `fmin_pass_expr_memo_ctrl`, or
through ``Domain.pyll_ctrl`` inside the space. It is made for one trial and dropped with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from hpspace.exceptions import TrialPruned
from hpspace.run.direction import stored
from hpspace.run.reporting import Reporter
from hpspace.trials.document import JOB_STATE_DONE
from hpspace.trials.fidelity import resource_of

logger = logging.getLogger(__name__)


class Ctrl:
    """Control of one trial, handed to the objective.

    Parameters
    ----------
    trials : Trials
        The trials that the running one belongs to.
    current_trial : dict or None
        The document of the running trial.
    pruner : Pruner or None
        Judges reports; `fmin` passes it on.
    on_report : callable or None
        ``on_report(step, value)`` is called after a report was stored, the value in the direction asked for.
    on_stop : callable or None
        ``on_stop()`` is called by `stop`.
    """

    #: Log for the trial; the same as the methods of a `logging.Logger`.
    info = logger.info
    warn = logger.warning
    error = logger.error
    debug = logger.debug

    def __init__(
        self,
        trials: Any,
        current_trial: dict[str, Any] | None = None,
        *,
        pruner: Any = None,
        on_report: Callable[[Any, float], None] | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self.trials = trials
        self.current_trial = current_trial
        self._pruner = pruner
        self._on_report = on_report
        self._on_stop = on_stop
        self._reporter: Reporter | None = None

    @property
    def direction(self) -> str:
        """What the search looks for, "minimize" or "maximize"."""
        return str(getattr(self.trials, "direction", "minimize"))

    @property
    def resource(self) -> int | float | None:
        """What the trial is given of the resource that the space declares; None if it declares none."""
        given: int | float | None = resource_of(self._trial())
        fidelity = getattr(getattr(self.trials, "space", None), "fidelity", None)
        return given if given is not None or fidelity is None else fidelity.high

    def report(self, value: float, step: int | None = None) -> None:
        """Report an intermediate value of the trial; it is stored with the trial in every store.

        Parameters
        ----------
        value : float
            In the direction asked for: with ``direction="maximize"`` a good value is large. Anything that `float`
            takes, numpy scalars and tensors of one number too; NaN is allowed.
        step : int, optional
            How far the trial is: epoch, round of boosting, number of the fold; a whole number of at least 0. By
            default the step after the last one, from 0. The first report of a step counts; a second one is ignored,
            with one warning in the log.

        Raises
        ------
        TypeError, ValueError
            The value is no number, or the step none of the numbers above.
        """
        kept = self._reports().report(value, step)
        if kept is not None and self._on_report is not None:
            self._on_report(*kept)

    def should_prune(self) -> bool:
        """Return whether the trial should end early, by the pruner of the search and what was reported so far.

        Returns
        -------
        bool
            False without a pruner. If True, raise `TrialPruned`, or return early with a loss of your own. The
            pruner's reason is kept with the trial.
        """
        return self._reports().verdict().stop

    def report_or_prune(self, value: float, step: int | None = None) -> None:
        """Report an intermediate value, and end the trial if it does not look promising.

        Parameters
        ----------
        value, step
            As for `report`.

        Raises
        ------
        TrialPruned
            With the pruner's reason. Let it pass: the trial is stored as pruned.
        """
        self.report(value, step)
        verdict = self._reports().verdict()
        if verdict.stop:
            raise TrialPruned(verdict.reason)

    def _reports(self) -> Reporter:
        if self._reporter is None:
            self._reporter = Reporter(self.trials, self._trial(), self._pruner)
        return self._reporter

    def stop(self) -> None:
        """Ask the run to end: nothing new is begun once this trial has ended."""
        if self._on_stop is not None:
            self._on_stop()

    def checkpoint(self, result: dict[str, Any] | None = None) -> None:
        """Store a partial result in the trial, also in a store that others share.

        Parameters
        ----------
        result : dict or None
            The result so far, a loss in the direction asked for; the one that the objective returns replaces it. None
            only makes known what was changed in `current_trial`.
        """
        trial = self._trial()
        if result is not None:
            trial["result"] = stored(result, self.direction, trial["tid"])
        if getattr(self.trials, "shared", False):
            self.trials.checkpoint(trial)

    @property
    def attachments(self) -> Any:
        """Attachments of this trial: read and write by name."""
        return self.trials.trial_attachments(trial=self._trial())

    def inject_results(
        self,
        specs: Sequence[Any],
        results: Sequence[dict[str, Any]],
        miscs: Sequence[dict[str, Any]],
        new_tids: Sequence[Any] | None = None,
    ) -> Any:
        """Store finished extra trials that this one found on its way.

        Parameters
        ----------
        specs, results, miscs : sequences of one length
            One entry a trial, as for `Trials.new_trial_docs`; losses in the direction asked for; `misc` needs "idxs"
            and "vals".
        new_tids : sequence or None
            Their ids; None asks the trials for new ones.

        Returns
        -------
        list
            The ids of the inserted trials, each marked with ``misc["from_tid"]``.

        Raises
        ------
        ValueError
            If the lengths differ.
        """
        if not len(specs) == len(results) == len(miscs):
            lengths = f"{len(specs)} specs, {len(results)} results, {len(miscs)} miscs"
            raise ValueError(f"inject_results needs sequences of one length, not {lengths}")
        source = self._trial()
        tids = self.trials.new_trial_ids(len(specs)) if new_tids is None else list(new_tids)
        full = [_completed(misc, tid, source) for misc, tid in zip(miscs, tids)]
        kept = [stored(result, self.direction, tid) for result, tid in zip(results, tids)]
        docs = self.trials.source_trial_docs(tids, specs, kept, full, [source] * len(tids))
        for doc in docs:
            doc["state"] = JOB_STATE_DONE
        return self.trials.insert_trial_docs(docs)

    def _trial(self) -> dict[str, Any]:
        if self.current_trial is None:
            raise ValueError("this Ctrl has no current trial: it was made outside of a running evaluation")
        return self.current_trial


def _completed(misc: dict[str, Any], tid: Any, source: dict[str, Any]) -> dict[str, Any]:
    """Add what every misc has, and the mark of the trial that it comes from."""
    return {"cmd": source["misc"]["cmd"], **misc, "tid": tid, "from_tid": source["tid"]}


Ctrl.__module__ = "hpspace.base"  # the public address, under which it is pickled
