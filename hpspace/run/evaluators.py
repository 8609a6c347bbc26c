"""Who evaluates the queued trials of a run: this thread, an executor (`run.parallel`), or others (`run.elsewhere`).

The loop (`run.loop`) decides what is queued and when to stop; an evaluator decides what happens to the queue. All have
the same verbs::

    open()          before the first trial: what can be wrong with the objective is said here
    room()          how many trials the algorithm should be asked for now
    busy()          whether there is anything to evaluate or to wait for
    turn(more)      evaluate, or wait until something has ended; not while there is room for `more` trials
    drain()         the run ends: wait for what is under way, within the run's timeout
    close(kill)     let go of everything; with `kill` at once, and what is under way is to be evaluated again

Every trial that ends is announced by ``run.ended(trial)``. An exception of an objective is handed to
``run.failed(error)``, which raises it unless it is to be caught; by then the trial's outcome is stored.
"""

from __future__ import annotations

from typing import Any, Protocol

from hpspace.run import turn


class Evaluator(Protocol):
    """What the loop needs of an evaluator; see the module's text."""

    def open(self) -> None:
        """Make ready."""

    def room(self) -> int:
        """Return how many trials to ask for."""

    def busy(self) -> bool:
        """Whether there is anything to evaluate or to wait for."""

    def turn(self, more: bool) -> None:
        """Evaluate, or wait."""

    def drain(self) -> None:
        """Wait for what is under way."""

    def close(self, kill: bool) -> None:
        """Let go of everything."""


class Run(Protocol):
    """What an evaluator needs of the loop."""

    domain: Any
    trials: Any
    max_queue_len: int
    poll_interval_secs: float

    @property
    def stopping(self) -> bool:
        """Whether nothing more shall be begun."""

    def seconds_left(self) -> float:
        """Return the seconds until the run's timeout, infinity without one."""

    def ctrl_of(self, trial: dict[str, Any]) -> Any:
        """Make the Ctrl of a trial."""

    def reported(self, trial: dict[str, Any], step: Any, value: float) -> None:
        """Announce a report."""

    def ended(self, trial: dict[str, Any]) -> None:
        """Announce the end of a trial."""

    def stop(self, reason: str) -> None:
        """End the run after this turn."""

    def failed(self, error: Exception) -> None:
        """Raise an objective's exception, unless it is to be caught."""

    def save(self) -> None:
        """Write what changed to the save file."""


class Serial:
    """Evaluates in this thread, one trial after the other.

    Parameters
    ----------
    run : Run
        The loop.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def open(self) -> None:
        """Nothing has to be made ready."""

    def room(self) -> int:
        """Return how many trials to ask for: none before the queue is empty.

        So the algorithm is asked in the same portions whether or not the run was interrupted, and knows as much as
        can be known.
        """
        return 0 if turn.queued(self._run.trials) else self._run.max_queue_len

    def busy(self) -> bool:
        """Whether trials are queued."""
        return bool(turn.queued(self._run.trials))

    def turn(self, more: bool = False) -> None:
        """Evaluate what is queued."""
        self.evaluate()

    def evaluate(self, n: int = -1) -> None:
        """Evaluate queued trials, at most `n` of them (-1: all); none is begun once the run is to stop."""
        done = 0
        for trial in turn.queued(self._run.trials):
            if done == n or (done and (self._run.stopping or self._run.seconds_left() <= 0)):
                return
            if done:
                self._run.save()  # a long queue must not be lost with the process
            done += self._evaluate(trial)

    def _evaluate(self, trial: dict[str, Any]) -> bool:
        """Evaluate one trial, unless somebody else was faster; return whether it was done here."""
        run = self._run
        try:
            if not turn.claim(run.trials, trial):
                return False
            error = turn.evaluate(run.domain, run.trials, trial, run.ctrl_of(trial))
        finally:
            turn.let_go(run.trials, trial)
        run.ended(trial)
        if error is not None:
            run.failed(error)
        return True

    def drain(self) -> None:
        """Nothing is ever under way between two turns."""

    def close(self, kill: bool = False) -> None:
        """Nothing has to be let go of."""
