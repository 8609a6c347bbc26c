"""The program of a child process: it evaluates what its parent sends, until the parent lets go of it.

The child is a fresh interpreter (`spawn.BOOT`), so nothing of the parent's threads and locks is copied, and no
script is run a second time: functions of the script come by value. The conversation, over one connection::

    parent -> child   greeting (a dict), the pickled domain, then jobs; answers to questions
    child -> parent   "ready" | "unloadable", then for each job any number of "called" and one end

The child dies with its parent: by a signal of the kernel where there is one (Linux), else by a thread that looks
once a second who its parent is; where that cannot be known (Windows), after its current trial. Ctrl-C is the
parent's to decide on: the child takes no notice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any

from hpspace.run.executors.base import Job
from hpspace.run.executors.evaluation import evaluated, in_folder, raised
from hpspace.run.executors.remote import RemoteCtrl
from hpspace.run.executors.wire import dumps, encoded, loads

#: Number of prctl's "send me a signal when my parent dies", from <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1

#: Seconds between two looks at who the parent is, where no signal tells.
_LOOK_INTERVAL = 1.0


def main(connection: Any, greeting: dict[str, Any]) -> None:
    """Serve the parent.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
        To the parent.
    greeting : dict
        "parent": its process id; "tied": die with it by a signal; "shielded": names of signals to take no notice of;
        "once": end after one trial.
    """
    _shield(greeting["shielded"])
    _tie_to_parent(greeting)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent has let go
        _Service(connection, greeting["once"]).run()


def _shield(names: tuple[str, ...]) -> None:
    """Take no notice of signals; processes that the objective starts have the usual reaction to them."""
    for name in names:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: None)


def _tie_to_parent(greeting: dict[str, Any]) -> None:
    if greeting["tied"]:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != greeting["parent"]:  # it died before
            os._exit(1)
    elif hasattr(os, "killpg"):
        threading.Thread(target=_end_after, args=(greeting["parent"],), daemon=True).start()


def _end_after(parent: int) -> None:
    """End this process, and what it started, when it has lost its parent."""
    while os.getppid() == parent:
        time.sleep(_LOOK_INTERVAL)
    os.killpg(0, signal.SIGKILL)


class _Service:
    """The child's side of the conversation."""

    def __init__(self, connection: Any, once: bool) -> None:
        self._connection = connection
        self._once = once
        self._pid = os.getpid()
        self._lock = threading.Lock()  # an objective may use its ctrl from threads of its own
        self._tid: Any = None

    def run(self) -> None:
        """Load the objective, say so, and evaluate jobs."""
        data = self._connection.recv_bytes()
        try:
            domain = loads(data)
        except Exception as error:  # noqa: BLE001 - reading imports modules of the user
            self._connection.send_bytes(encoded(raised(None, error)))
            return
        self._send("ready")
        self._evaluate(domain, loads(self._connection.recv_bytes()))
        while not self._once:
            self._evaluate(domain, loads(self._connection.recv_bytes()))

    def _evaluate(self, domain: Any, job: Job) -> None:
        self._tid = job.tid
        with in_folder(job.folder):
            event = evaluated(domain, job, RemoteCtrl(self._ask, job))
        if os.getpid() != self._pid:
            os._exit(0)  # a process that the objective forked came back out of it
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
                stream.flush()
        self._connection.send_bytes(encoded(event))

    def _ask(self, name: str, *args: Any) -> Any:
        body = dumps(args)
        with self._lock:
            self._send("called", (self._tid, name), body)
            value = loads(self._connection.recv_bytes())
        if isinstance(value, BaseException):
            raise value
        return value

    def _send(self, kind: str, fields: tuple[Any, ...] = (), body: bytes = b"") -> None:
        self._connection.send_bytes(dumps((kind, fields, body)))
