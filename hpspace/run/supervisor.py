"""Several worker processes under one parent, which replaces those that die and passes signals on.

Each worker is a process of its own (`command`), so nothing is shared and one crash is one crash. A worker that ends by
itself with exit code 0 has done what it was asked to and is not replaced; one that dies is started again, ever more
slowly if it keeps dying. The parent ends when all its workers have.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

logger = logging.getLogger(__name__)

#: Seconds before a dead worker is replaced: at first, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0

#: A worker that has lived so many seconds died of something new.
SETTLED = 60.0

#: Seconds between two looks at the workers.
LOOK = 0.2

_PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1")


class Place:
    """One of the supervisor's workers, and those that follow it when it dies."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._command, self._env = command, env
        self._pause = FIRST_PAUSE
        self._again_at = 0.0
        self.code: int | None = (
            None  # exit code of the last one, None while it lives or is about to be replaced
        )
        self._start()

    def _start(self) -> None:
        # A process group of its own: a Ctrl-C in the terminal reaches the parent, who passes it on once.
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            self._command, env={**os.environ, **self._env}, start_new_session=True
        )
        self._began, self.code = time.monotonic(), None

    def look(self, stopping: bool) -> bool:
        """Return whether there is, or will be, a worker here; replace one that has died."""
        code = self.process.poll()
        if code is None:
            return True
        if code == 0 or stopping:
            self.code = code
            return False
        if not self._again_at:
            self._plan(code)
        elif time.monotonic() >= self._again_at:
            self._again_at = 0.0
            self._start()
        return True

    def _plan(self, code: int) -> None:
        if time.monotonic() - self._began >= SETTLED:
            self._pause = FIRST_PAUSE
        logger.error(
            "worker %d ended with exit code %d; another one follows in %.1f s",
            self.process.pid,
            code,
            self._pause,
            extra={"action": "worker_died", "pid": self.process.pid, "exitcode": code},
        )
        self._again_at = time.monotonic() + self._pause
        self._pause = min(2.0 * self._pause, LONGEST_PAUSE)


def supervise(command: Sequence[str], jobs: int, env: Mapping[str, str]) -> int:
    """Keep several workers going until they have all ended.

    Parameters
    ----------
    command : sequence of str
        Program and arguments of one worker.
    jobs : int
        How many.
    env : mapping
        Environment variables of the workers, on top of this process's.

    Returns
    -------
    int
        0 if every worker ended well, else the exit code of one that did not.
    """
    told: list[int] = []
    with _noting_signals(told):
        places = [Place(command, env) for _ in range(jobs)]
        passed_on = 0
        while True:
            for number in told[passed_on:]:
                passed_on += 1
                for place in places:
                    with contextlib.suppress(ProcessLookupError):
                        place.process.send_signal(number)
            alive = [place.look(bool(told)) for place in places]
            if not any(alive):
                return max((place.code or 0 for place in places), key=abs)
            time.sleep(LOOK)


@contextlib.contextmanager
def _noting_signals(told: list[int]) -> Iterator[None]:
    """Note within which signals arrive."""

    def note(number: int, frame: Any) -> None:
        told.append(number)

    numbers = [getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
