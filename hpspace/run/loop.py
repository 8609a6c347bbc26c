"""The loop of a run: fill the queue, evaluate, look whether to stop.

One turn::

    ask the algorithm for new trials  ->  insert  ->  evaluate what is queued  ->  save  ->  stop?
                                                      (or wait for workers)

`FMinIter` drives trials of any kind. When they are asynchronous the loop only keeps the queue full and polls;
somebody else (workers that share the store) evaluates. Each call of the algorithm has a seed of its own, made of the
run's seed and the first id of the call, so a resumed run goes on instead of repeating itself.

A trial's life in here: NEW -> RUNNING -> DONE (a result), ERROR (the objective raised), or CANCEL (interrupted from
the keyboard, or still queued when the run ended). Whatever happens, the documents and the save file are consistent
when `run` returns or raises.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from hpspace.run import turn
from hpspace.run.bridge import as_suggest, history_of, space_of
from hpspace.run.domain import DOMAIN_ATTACHMENT, Domain
from hpspace.run.progress import Silence, callback_from
from hpspace.run.seeds import base_from, seed_for
from hpspace.run.stopping import best_ok_loss
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    STATUS_OK,
)
from hpspace.trials.save import Journal

logger = logging.getLogger(__name__)


class FMinIter:
    """Runs an algorithm against an objective until told to stop.

    Parameters
    ----------
    algo : callable, str or Algorithm
        As for `fmin`.
    domain : Domain
        The objective and its space.
    trials : Trials
        Where trials are kept; those that exist count.
    rstate : int, Generator, RandomState, SeedSequence or None
        The run's seed.
    asynchronous : bool or None
        Whether somebody else evaluates; None asks `trials.asynchronous`.
    max_queue_len : int
        How many trials to ask for at once.
    poll_interval_secs : float
        Seconds between two looks at asynchronous trials.
    max_evals : int
        Number of trials there are to be in the end.
    timeout : float or None
        Seconds after which no evaluation is begun.
    loss_threshold : float or None
        Stop when the best loss is below.
    verbose : bool
        Allow the default progress display.
    show_progressbar : bool or callable
        As for `fmin`.
    early_stop_fn : callable or None
        As for `fmin`.
    trials_save_file : str
        File to keep the trials in, "" for none.

    Notes
    -----
    Iterating runs one trial a step and yields the trials; the step that reaches `max_evals` ends the iteration, so
    ``max_evals=4`` yields three times.
    """

    #: Whether an exception of the objective ends the run (False) or only its trial (True).
    catch_eval_exceptions = False

    def __init__(
        self,
        algo: Any,
        domain: Domain,
        trials: Any,
        rstate: Any,
        asynchronous: bool | None = None,
        max_queue_len: int = 1,
        poll_interval_secs: float = 1.0,
        max_evals: int = sys.maxsize,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        verbose: bool = False,
        show_progressbar: Any = True,
        early_stop_fn: Callable[..., Any] | None = None,
        trials_save_file: str = "",
    ) -> None:
        if max_queue_len < 1:
            raise ValueError(f"max_queue_len={max_queue_len!r}: at least one trial must fit into the queue")
        self.algo = as_suggest(algo)
        self.domain = domain
        if getattr(domain, "revisit", False) is None:
            domain.revisit = False  # a loop knows what to do when a finite space is used up
        self.trials = trials
        self.rstate = rstate
        self.base = base_from(rstate)
        self.asynchronous = bool(trials.asynchronous) if asynchronous is None else asynchronous
        self.max_queue_len = max_queue_len
        self.poll_interval_secs = poll_interval_secs
        self.max_evals = max_evals
        self.timeout = timeout
        self.loss_threshold = loss_threshold
        self.early_stop_fn = early_stop_fn
        self.early_stop_args: list[Any] = []
        self.progress_callback = callback_from(show_progressbar, verbose)
        self.start_time = time.monotonic()
        self.trials_save_file = trials_save_file
        self._journal = Journal.open(trials_save_file, trials) if trials_save_file else None
        self._stopped = False  # a limit is reached
        self._exhausted = False  # the algorithm has nothing more to propose
        self._warned_nan = False
        self._best = math.inf
        self._display: Any = Silence()
        self._done = self._shown = 0  # finished trials, and those that the display knows of
        if self.asynchronous:
            self._publish_domain()

    # ---------------------------------------------------------------- running

    def run(self, N: int, block_until_done: bool = True) -> None:
        """Queue and evaluate trials.

        Parameters
        ----------
        N : int
            How many to queue, at most; what is queued already is evaluated on top.
        block_until_done : bool
            Wait until every trial has ended (only matters for asynchronous trials).
        """
        self.trials.refresh()
        self._stopped = self._exhausted = False
        self._read_outcomes()
        self._shown = self._done
        with self.progress_callback(self._shown, self._expected(N)) as self._display:
            try:
                self._take_turns(N, block_until_done)
            except BaseException:  # from the keyboard at any moment: leave trials and file as they should be
                self._settle()
                raise
            if self.asynchronous and block_until_done:
                self.block_until_done()
                self._read_outcomes()
                self._report()
        self._display = Silence()
        # What a limit has kept from being evaluated is cancelled, so that every visible trial is complete.
        if self._stopped and not self.asynchronous:
            turn.cancel_queued(self.trials)
        self._settle()

    def _expected(self, n: int) -> int:
        """Return how many trials there will be: `max_evals`, or more when points are queued on top of it."""
        if self.max_evals == sys.maxsize:
            return self.max_evals
        return max(self.max_evals, self._shown + self._count(JOB_STATE_NEW) + max(n, 0))

    def _take_turns(self, n: int, block_until_done: bool) -> None:
        """Queue `n` trials and evaluate what is queued, until done or stopped."""
        queued = 0
        while not self._must_stop():
            queued += self._fill_queue(n - queued)
            unqueued = not self._exhausted and queued < n
            if not unqueued and not self._has_work(block_until_done):
                return
            if self.asynchronous:
                time.sleep(self.poll_interval_secs)
                self.trials.refresh()
                self._read_outcomes()
            else:
                self.serial_evaluate()
            self._save()
            self._report()
            self._ask_early_stop()

    def _has_work(self, block_until_done: bool) -> bool:
        """Whether a queued trial is to be evaluated, or a running one to be waited for."""
        if self.asynchronous:
            return block_until_done and self._count([JOB_STATE_NEW, JOB_STATE_RUNNING]) > 0
        return bool(turn.queued(self.trials))

    def exhaust(self) -> FMinIter:
        """Run until there are `max_evals` trials or another reason to stop.

        Returns
        -------
        FMinIter
            Itself.
        """
        self.run(self.max_evals - len(self.trials), block_until_done=self.asynchronous)
        return self

    def block_until_done(self) -> None:
        """Wait until no trial is queued or running; evaluate what is queued if nobody else does."""
        if not self.asynchronous:
            self.serial_evaluate()
            return
        while self._count([JOB_STATE_NEW, JOB_STATE_RUNNING]) > 0:
            time.sleep(self.poll_interval_secs)
            self.trials.refresh()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self.run(1, block_until_done=self.asynchronous)
        if self._stopped or self._exhausted or len(self.trials) >= self.max_evals:
            raise StopIteration
        return self.trials

    # ---------------------------------------------------------------- queue

    def _fill_queue(self, wanted: int) -> int:
        """Ask the algorithm until the queue is full or `wanted` trials were added; return how many were."""
        if wanted <= 0 or self._exhausted:
            return 0
        room = min(wanted, self._room())
        added = 0
        while added < room and not self._exhausted and not self.is_cancelled:
            inserted = self._ask_algorithm(room - added)
            if inserted:
                self._refresh()
            else:
                self._exhausted = True
                self._log_exhausted()
            added += inserted
        return added

    def _room(self) -> int:
        """Return how many trials to ask for.

        When they are evaluated here, none before the queue is empty: so the algorithm is asked in the same portions
        whether or not the run was interrupted, and knows as much as can be known.
        """
        if self.asynchronous:
            return self.max_queue_len - self._count(JOB_STATE_NEW)
        return 0 if turn.queued(self.trials) else self.max_queue_len

    def _refresh(self) -> None:
        """Refresh the trials at a cost that does not grow with the run, if they can."""
        recent = getattr(self.trials, "refresh_recent", None)
        self.trials.refresh() if self.asynchronous or recent is None else recent()

    def _ask_algorithm(self, n: int) -> int:
        """Ask for `n` trials and insert what is answered; return how many."""
        tids = list(self.trials.new_trial_ids(n))
        try:
            docs = list(self.algo(tids, self.domain, self.trials, seed_for(self.base, tids[0])))
            if len(docs) > len(tids):
                raise ValueError(f"the algorithm was given {len(tids)} ids and answered {len(docs)} trials")
            if docs:
                self.trials.insert_trial_docs(docs)
        except BaseException:  # the next seed depends on the next id: an interrupt must not use ids up
            if hasattr(self.trials, "release_trial_ids"):
                self.trials.release_trial_ids(tids)
            raise
        return len(docs)

    def _log_exhausted(self) -> None:
        """Say that a finite space is used up, if that is why the algorithm gave nothing."""
        space = space_of(self.domain)
        size = space.cardinality()
        known = len(history_of(self.trials, space).keys)
        if known >= size:
            logger.warning(
                "all %d configurations of the space were evaluated: the run ends"
                if len(space)
                else "the space has no parameters, and its %d configuration was evaluated: the run ends",
                size,
                extra={"action": "space_exhausted", "configurations": size},
            )

    # ---------------------------------------------------------------- evaluating

    def serial_evaluate(self, N: int = -1) -> None:
        """Evaluate queued trials here, one after the other.

        Parameters
        ----------
        N : int
            At most so many; -1 for all. None is begun after the timeout.
        """
        stored = len(self.trials._dynamic_trials)
        for done, trial in enumerate(turn.queued(self.trials)):
            if done == N or (done and self._out_of_time()):
                break
            if done:
                self._save()  # a long queue must not be lost with the process
            self._evaluate(trial)
            self._report()
        self._refresh()
        if len(self.trials._dynamic_trials) != stored:  # the objective has injected results
            self._read_outcomes()

    def _evaluate(self, trial: dict[str, Any]) -> None:
        """Run one trial; what it raises goes on, with everything saved, unless exceptions are caught."""
        try:
            error = turn.evaluate(self.domain, self.trials, trial)
        except BaseException:
            self._settle()
            raise
        if error is None:
            self._note_result(trial)
        elif not self.catch_eval_exceptions:
            self._settle()
            raise error

    def _settle(self) -> None:
        """Bring trials and save file up to date."""
        self.trials.refresh()
        self._save(thorough=True)

    def _read_outcomes(self) -> None:
        """Count finished trials and find the best loss anew; what `_note_result` keeps up to date."""
        best = best_ok_loss(self.trials)
        self._best = math.inf if best is None else best
        self._done = self._count(JOB_STATE_DONE)

    def _note_result(self, trial: dict[str, Any]) -> None:
        """Count a finished trial, remember the best loss, and warn of the first NaN."""
        self._done += 1
        if trial["result"]["status"] != STATUS_OK:
            return
        loss = trial["result"]["loss"]
        if loss < self._best:
            self._best = loss
        if math.isnan(loss) and not self._warned_nan:
            self._warned_nan = True
            logger.warning(
                "trial %s: the loss is NaN; such trials count as failed and are never the best",
                trial["tid"],
                extra=turn.event("nan_loss", trial),
            )

    # ---------------------------------------------------------------- stopping and reporting

    def _must_stop(self) -> bool:
        """Whether a limit is reached; the reason is logged."""
        reason = "early_stop_fn" if self._stopped else self._limit_reached()
        if reason:
            self._stopped = True
            logger.info("the run stops: %s", reason, extra={"action": "run_stop", "reason": reason})
        return self._stopped

    def _limit_reached(self) -> str | None:
        if self.is_cancelled:
            return "it was cancelled"
        if self._out_of_time():
            return f"timeout of {self.timeout} s"
        if self.loss_threshold is not None and self._best < self.loss_threshold:
            return f"best loss {self._best} is below loss_threshold={self.loss_threshold}"
        return None

    def _out_of_time(self) -> bool:
        return self.timeout is not None and time.monotonic() - self.start_time >= self.timeout

    def _ask_early_stop(self) -> None:
        if self.early_stop_fn is not None:
            stop, self.early_stop_args = self.early_stop_fn(self.trials, *self.early_stop_args)
            self._stopped = self._stopped or bool(stop)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has set `_fmin_cancelled` on the trials."""
        return bool(getattr(self.trials, "_fmin_cancelled", False))

    def _report(self) -> None:
        """Tell the display of newly finished trials."""
        if self._done > self._shown:
            if self._best < math.inf:
                self._display.postfix = f"best loss: {self._best}"
            self._display.update(self._done - self._shown)
            self._shown = self._done

    def _count(self, states: Any) -> int:
        return int(self.trials.count_by_state_unsynced(states))

    def _save(self, thorough: bool = False) -> None:
        if self._journal is not None:
            self._journal.append_changes(self.trials, recent=not (thorough or self.asynchronous))

    def _publish_domain(self) -> None:
        """Store the pickled domain with asynchronous trials, where workers find it."""
        import cloudpickle

        if DOMAIN_ATTACHMENT in self.trials.attachments:
            logger.warning(
                "the trials hold an objective already; it is replaced", extra={"action": "domain_replaced"}
            )
        self.trials.attachments[DOMAIN_ATTACHMENT] = cloudpickle.dumps(self.domain)


FMinIter.__module__ = "hpspace.fmin"  # the public address
