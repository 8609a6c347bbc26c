"""The heartbeat: a thread that keeps claims alive while this process evaluates.

It beats while the objective computes, whether that is Python or compiled code that lets other threads run. Code that
holds the interpreter's lock for longer than a lease keeps it from beating; evaluate that in a process of its own
(``n_jobs=``, workers), whose parent beats.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable

from hpspace.exceptions import StoreError

logger = logging.getLogger(__name__)


class Heart:
    """A thread that calls a method every so often, until told to stop or until its object is gone.

    Parameters
    ----------
    beat : method
        What to call; it returns whether to go on. Its object is not kept alive for it.
    interval : float
        Seconds between two calls.
    """

    def __init__(self, beat: Callable[[], bool], interval: float) -> None:
        self._beat = weakref.WeakMethod(beat)
        self._interval = interval
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to beat, unless it does already."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=_beat_on,
                args=(self._beat, self._interval, self._stop),
                name="hpspace-heart",
                daemon=True,
            )
            self._thread.start()

    def stop(self, wait: bool = True) -> None:
        """Beat no more; if `wait`, return when a beat under way is over."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop.set()
        if wait and thread is not None and thread is not threading.current_thread():
            thread.join()


def _beat_on(ref: weakref.WeakMethod[Callable[[], bool]], interval: float, stop: threading.Event) -> None:
    in_touch = True
    while not stop.wait(interval):
        beat = ref()
        try:
            if beat is None or not beat():
                return
            in_touch = True
        except StoreError as error:  # another beat comes before the lease ends; the run itself will say more
            logger.log(
                logging.WARNING if in_touch else logging.DEBUG,
                "a heartbeat failed: %s",
                error,
                extra={"action": "beat_failed"},
            )
            in_touch = False
        del beat
