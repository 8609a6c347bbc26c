"""What a worker is told: how to work, when to stop by itself, and that it shall stop now.

Values and flags only; `hpspace.run.worker` acts on them.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpspace.run.trust import Parcel
from hpspace.trials.shared.contract import LEASE, MAX_ATTEMPTS

#: Seconds that a store has to answer a worker that is told to stop.
LAST_WORDS = 5.0


@dataclass(frozen=True)
class Limits:
    """When a worker stops by itself; by default never.

    Parameters
    ----------
    jobs : int or None
        Trials to evaluate.
    idle : float or None
        Seconds without a trial.
    last_start : float or None
        Seconds after the worker's start from which no trial is begun.
    failures : int or None
        Trials in a row that ended in an error.
    in_store : int or None
        Trials that the store holds.
    """

    jobs: int | None = None
    idle: float | None = None
    last_start: float | None = None
    failures: int | None = None
    in_store: int | None = None


@dataclass(frozen=True)
class Settings:
    """How a worker works.

    Parameters
    ----------
    exp_key : str or None
        The experiment to serve; None serves all.
    lease : float
        Seconds after which a trial is another worker's if this one is silent.
    max_attempts : int
        Claims of a trial after which it is given up.
    drain_timeout : float
        Seconds that the current trial has to finish when the worker is told to stop.
    poll_interval : float
        Seconds between two looks at the queue where the store cannot wake its workers.
    subprocess : bool
        Evaluate in a child process; False evaluates in this one, which an objective can then take down.
    fresh : bool
        A new child for every trial.
    workdir : Path or None
        Folder in which each trial gets a folder of its own to run in, removed afterwards if it is empty.
    parcel : Parcel or None
        The objective, where it is found by name and not taken from the store.
    trial_timeout : float or None
        Seconds after which a trial is stopped and counts as an error; only in a child process.
    owner : str or None
        The worker's name in claims; by default ``host:pid``.
    parent : int or None
        Process without which the worker stops after its trial.
    """

    exp_key: str | None = None
    lease: float = LEASE
    max_attempts: int = MAX_ATTEMPTS
    drain_timeout: float = 25.0
    poll_interval: float = 1.0
    subprocess: bool = True
    fresh: bool = False
    workdir: Path | None = None
    parcel: Parcel | None = None
    trial_timeout: float | None = None
    owner: str | None = None
    parent: int | None = None


class Stop:
    """What the signals have said so far; made by the program, looked at by the loop."""

    def __init__(self) -> None:
        self.asked = 0  # times that the worker was told to stop
        self.after_this = False
        self._since = self._last = 0.0

    def ask(self) -> None:
        """Tell the worker to stop; the second time: now."""
        self._last = time.monotonic()
        if not self.asked:
            self._since = self._last
        self.asked += 1

    def patience(self, seconds: float) -> float:
        """Return how many seconds the current trial still has, given how many it is granted in all."""
        if not self.asked:
            return float("inf")
        return 0.0 if self.asked > 1 else self._since + seconds - time.monotonic()

    def overdue(self, seconds: float) -> bool:
        """Whether the worker should have ended by now, given what `patience` grants to the current trial."""
        if not self.asked:
            return False
        due = self._last if self.asked > 1 else self._since + seconds
        return time.monotonic() > due + LAST_WORDS

    def __bool__(self) -> bool:
        return bool(self.asked) or self.after_this


@contextlib.contextmanager
def heeding_signals(stop: Stop) -> Iterator[None]:
    """Let signals speak to a worker within; the handlers from before come back afterwards."""

    def ask(number: int, frame: Any) -> None:
        stop.ask()

    def after_this(number: int, frame: Any) -> None:
        stop.after_this = True

    handlers = {"SIGTERM": ask, "SIGINT": ask, "SIGHUP": ask, "SIGUSR1": after_this}
    known = {getattr(signal, name): handler for name, handler in handlers.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in known.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Done:
    """What a worker has done.

    Parameters
    ----------
    ended : int
        Trials that it brought to an end.
    failures : int
        Of the latest ones, how many in a row ended in an error.
    reason : str
        Why it stopped.
    error : Exception or None
        What the last trial raised.
    """

    ended: int = 0
    failures: int = 0
    reason: str = ""
    error: Exception | None = None
