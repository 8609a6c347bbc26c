"""The loop of a run: fill the queue, let somebody evaluate, look whether to stop.

One turn::

    ask the algorithm for new trials  ->  insert  ->  evaluate what is queued  ->  save  ->  stop?
                                                      (here, by an executor, or elsewhere)

`FMinIter` drives trials of any kind. Who evaluates is the business of `run.evaluators`; how a trial's document changes,
of `run.turn`; where trials come from, of `run.supply`; how far the run is, of `run.scoreboard`.

Whatever happens, the documents and the save file are consistent when `run` returns or raises: nothing that was
evaluated is lost, and what was cut off is evaluated again when a search goes on with the trials.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from hpspace.run import turn
from hpspace.run.arguments import is_one_of
from hpspace.run.bridge import as_suggest
from hpspace.run.callbacks import Callbacks
from hpspace.run.ctrl import Ctrl
from hpspace.run.direction import direction_of
from hpspace.run.domain import Domain
from hpspace.run.elsewhere import Elsewhere
from hpspace.run.evaluators import Evaluator, Serial
from hpspace.run.executors.base import Executor
from hpspace.run.parallel import Parallel
from hpspace.run.progress import Silence, callback_from
from hpspace.run.reporting import current_ctrl, running
from hpspace.run.rules import Rule
from hpspace.run.scoreboard import Scoreboard
from hpspace.run.seeds import base_from
from hpspace.run.stopping import ask_early_stop, is_count, passed_threshold
from hpspace.run.supply import Demand, Supply
from hpspace.run.trust import sealed
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR
from hpspace.trials.save import Journal

logger = logging.getLogger(__name__)


class FMinIter:
    """Runs an algorithm against an objective until told to stop.

    Parameters
    ----------
    algo, rstate, max_queue_len, max_evals, timeout, loss_threshold, verbose, show_progressbar, early_stop_fn, \
trials_save_file, max_new_evals, trial_timeout
        As for `fmin`; limits as `hpspace.run.stopping` reads them.
    domain : Domain
        The objective and its space.
    trials : Trials
        Where trials are kept; those that exist count. They know the direction.
    asynchronous : bool or None
        Whether somebody else evaluates; None asks `trials.asynchronous`.
    poll_interval_secs : float
        Seconds between two looks at limits, while trials are evaluated by others.
    catch : tuple of exception classes
        Exceptions of the objective that end only their trial.
    callbacks : iterable
        As `callbacks.checked_callbacks` gives them.
    executor : Executor or None
        Who evaluates; None: this thread. Call `close` when the run is over.

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
        *,
        max_new_evals: int | None = None,
        catch: tuple[type[Exception], ...] = (),
        callbacks: Iterable[Any] = (),
        executor: Executor | None = None,
        trial_timeout: float | None = None,
    ) -> None:
        if not is_count(max_queue_len):
            raise ValueError(f"max_queue_len={max_queue_len!r}: pass a number of trials, 1 or more")
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
        self.max_new_evals = max_new_evals
        self.timeout = timeout
        self.loss_threshold = loss_threshold
        self.early_stop_fn = early_stop_fn
        self.early_stop_args: list[Any] = []
        self.catch = catch
        self.progress_callback = callback_from(show_progressbar, verbose)
        self.start_time = time.monotonic()
        self.trials_save_file = trials_save_file
        self._journal = Journal.open(trials_save_file, trials) if trials_save_file else None
        rules = [early_stop_fn] if isinstance(early_stop_fn, Rule) else []  # asked like callbacks
        self._callbacks = Callbacks([*callbacks, *rules], trials)
        self._board = Scoreboard(trials)
        self._supply = Supply(self.algo, domain, trials, self.base)
        self._evaluator: Evaluator = Elsewhere(self) if self.asynchronous else Serial(self)
        if executor is not None and not self.asynchronous:
            self._evaluator = Parallel(self, executor, trial_timeout)
        self._asked_to_stop: str | None = None  # by the objective, or by early_stop_fn
        self._stopped = False  # a limit is reached
        self._news = False  # a trial has ended since the last turn

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
        self._stopped = self._supply.exhausted = False
        self._asked_to_stop = self._callbacks.stop_reason = None
        self._board.read()
        self._board.told = self._board.done
        expected = self._board.expected(N, self.max_evals, self.max_new_evals)
        display = self.progress_callback(self._board.told, expected)
        alive, outer = turn.move(self.trials, "keeping_alive")(), running(current_ctrl())
        with display as self._board.display, alive, outer:  # an interrupt may leave an inner Ctrl behind
            try:
                turn.move(self.trials, "adopt")(self.domain, sealed)
                self._evaluator.open()
                self._callbacks.call("on_start")
                self._heed_callbacks()
                waits = block_until_done or not self.asynchronous
                self._take_turns(N, waits)
                self._end(waits)
            except BaseException:  # from the keyboard at any moment: leave trials and file as they should be
                self.close(kill=True)
                self._settle()
                self._callbacks.end(quietly=True)
                raise
        self._board.display = Silence()
        self._settle()
        self._callbacks.end()
        self._heed_callbacks()

    def _take_turns(self, n: int, waits: bool) -> None:
        """Queue `n` trials, and see them evaluated if this run `waits` for that, until done or stopped."""
        n = n if self.max_new_evals is None else min(n, self.max_new_evals)
        demand = Demand(n, self.max_evals, self._supply, self.trials)
        while not self._must_stop():
            more = self._fill_queue(demand) and demand.missing > 0
            if not more and not (waits and self._evaluator.busy()):
                return
            self._evaluator.turn(more)
            self._take_note()

    def _take_note(self) -> None:
        """Bring everything up to date after a turn, and let everybody say whether to go on."""
        news, self._news = self._news, False
        if news:
            self._refresh()
            self._board.follow()
        self.save()
        self._board.show()
        self._heed_callbacks()
        if news:
            self._ask_early_stop()

    def _end(self, waits: bool) -> None:
        """Cancel what a limit has kept from being evaluated, and wait for what is under way if this run `waits`."""
        if self._stopped and (self._shared or not self.asynchronous):
            # So that every visible trial is complete. Workers may have begun what looks queued here.
            turn.cancel_queued(self.trials, self._supply.own if self._shared else None)
        if waits:
            self._evaluator.drain()
        self._refresh()
        self._board.read()
        self._board.show()
        self._heed_callbacks()

    def close(self, kill: bool = False) -> None:
        """Let go of the executor that evaluates; a later `run` would start it again.

        Parameters
        ----------
        kill : bool
            Stop at once what is under way; it is evaluated again when a search goes on with the trials.
        """
        self._evaluator.close(kill)

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
        if self.asynchronous:
            self._evaluator.drain()
        else:
            self.serial_evaluate()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self.run(1, block_until_done=self.asynchronous)
        if self._stopped or self._supply.exhausted or len(self.trials) >= self.max_evals:
            raise StopIteration
        return self.trials

    # ---------------------------------------------------------------- queue

    def _fill_queue(self, demand: Demand) -> bool:
        """Ask the algorithm until the queue is full, or as many were queued as the run needs.

        Returns whether there is anything left to ask for: an algorithm that gives nothing while trials are pending may
        do so later, and one that gives nothing while none is has nothing more to give.
        """
        room = min(demand.missing, self._evaluator.room())
        while room > 0 and not self._supply.exhausted and not self.is_cancelled:
            tids = self._supply.ask(room)
            if not tids and self._evaluator.busy():
                return False
            if not tids:
                self._supply.give_up()
            demand.queued += len(tids)
            room -= len(tids)
            self._announce(tids)
        if surplus := demand.surplus():
            demand.queued -= turn.cancel_queued(self.trials, surplus)
        return not self._supply.exhausted

    def _announce(self, tids: list[Any]) -> None:
        """Make inserted trials visible, and tell callbacks of them."""
        if not tids:
            return
        self._refresh()
        self._board.follow(inserted=len(tids))
        if self._callbacks.listens_to("on_suggested"):
            for trial in turn.queued(self.trials):
                if trial["tid"] in tids:
                    self._callbacks.call("on_suggested", trial)
            self._heed_callbacks()

    def _refresh(self) -> None:
        self.trials.refresh() if self.asynchronous and not self._shared else turn.look(self.trials)

    # ---------------------------------------------------------------- evaluating

    def serial_evaluate(self, N: int = -1) -> None:
        """Evaluate queued trials here, one after the other.

        Parameters
        ----------
        N : int
            At most so many; -1 for all. None is begun after the timeout.
        """
        try:
            Serial(self).evaluate(N)
        except BaseException:
            self._settle()
            raise
        self._refresh()
        self._board.follow()
        self._heed_callbacks()

    def ctrl_of(self, trial: dict[str, Any]) -> Ctrl:
        """Make the Ctrl with which a trial's objective speaks with this run."""
        on_stop = partial(self.stop, f"ctrl.stop() in trial {trial['tid']}")
        pruner, on_report = getattr(self.domain, "pruner", None), partial(self.reported, trial)
        return Ctrl(self.trials, trial, pruner=pruner, on_report=on_report, on_stop=on_stop)

    def stop(self, reason: str) -> None:
        """End the run after this turn."""
        self._asked_to_stop = reason

    def reported(self, trial: dict[str, Any], step: Any, value: float) -> None:
        """Tell callbacks of a report."""
        self._callbacks.call("on_reported", trial, step, value)

    def ended(self, trial: dict[str, Any]) -> None:
        """Count a trial that has ended, and tell callbacks of it; one that was taken from us has not."""
        if trial["state"] not in (JOB_STATE_DONE, JOB_STATE_ERROR):
            return
        self._news = True
        better = self._board.note(trial)
        self._board.show()
        if self._callbacks.listens_to("on_finished", "on_new_best"):
            self._refresh()
            self._callbacks.call("on_finished", trial)
            if better:
                self._callbacks.call("on_new_best", trial)

    def failed(self, error: Exception) -> None:
        """Raise what an objective has raised, unless it is to be caught."""
        if not (self.catch_eval_exceptions or is_one_of(error, self.catch)):
            raise error

    def _settle(self) -> None:
        """Bring trials and save file up to date."""
        self.trials.refresh()
        self.save(thorough=True)

    def save(self, thorough: bool = False) -> None:
        """Write what changed to the save file; `thorough` looks at all documents, not only at the recent ones."""
        if self._journal is not None:
            others = self.asynchronous or self._shared
            self._journal.append_changes(self.trials, recent=not (thorough or others))

    # ---------------------------------------------------------------- stopping

    def _must_stop(self) -> bool:
        """Whether a limit is reached; the reason is logged."""
        reason = self._asked_to_stop or self._callbacks.stop_reason or self._limit_reached()
        if reason:
            self._stopped = True
            logger.info("the run stops: %s", reason, extra={"action": "run_stop", "reason": reason})
        return self._stopped

    def _limit_reached(self) -> str | None:
        if self.is_cancelled:
            return "it was cancelled"
        if self.seconds_left() <= 0:
            return f"timeout of {self.timeout} s"
        return passed_threshold(self.loss_threshold, self._board.best, direction_of(self.trials))

    def seconds_left(self) -> float:
        """Return the seconds until the timeout, infinity without one."""
        return math.inf if self.timeout is None else self.timeout - (time.monotonic() - self.start_time)

    @property
    def stopping(self) -> bool:
        """Whether a callback or an objective has asked for the end, or a callback has failed."""
        reasons = (self._asked_to_stop, self._callbacks.stop_reason, self._callbacks.failure)
        return any(reason is not None for reason in reasons)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has set `_fmin_cancelled` on the trials."""
        return bool(getattr(self.trials, "_fmin_cancelled", False))

    def _ask_early_stop(self) -> None:
        """Ask `early_stop_fn`; a rule is asked as a callback."""
        if self.early_stop_fn is not None and not isinstance(self.early_stop_fn, Rule):
            stop, self.early_stop_args = ask_early_stop(self.early_stop_fn, self.trials, self.early_stop_args)
            if stop:
                self.stop("early_stop_fn")

    def _heed_callbacks(self) -> None:
        """Raise what a callback has raised."""
        if self._callbacks.failure is not None:
            raise self._callbacks.failure

    # ---------------------------------------------------------------- sharing

    @property
    def _shared(self) -> bool:
        return bool(getattr(self.trials, "shared", False))


FMinIter.__module__ = "hpspace.fmin"  # the public address
