"""Which process this is, and whether another one is known to be gone.

A lease says that an evaluator is gone when it has been silent for a minute. On the same machine one can know it at
once, by asking the system; that is a short cut and never more: whatever cannot be told for sure counts as alive.
For sure means: the same boot of the same machine and the same set of process ids (containers have their own), and
under that number there is no process, or one that was started at another time.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


def default_owner() -> str:
    """Return the name of this process in claims: ``host:pid``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def this_process() -> dict[str, Any]:
    """Return what `is_gone` has to know of this process.

    Returns
    -------
    dict
        "host", "pid", "place" (the boot and the set of process ids; None where the system does not tell) and
        "started" (in ticks since the boot).
    """
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "place": _place(), "started": _started(pid)}


def is_gone(process: Mapping[str, Any]) -> bool:
    """Whether a process is known to have ended.

    Parameters
    ----------
    process : mapping
        As `this_process` described it, there.

    Returns
    -------
    bool
        False also when it cannot be told.

    Examples
    --------
    >>> is_gone(this_process())
    False
    """
    place = process.get("place")
    if place is None or place != _place() or process.get("started") is None:
        return False
    return bool(_started(process["pid"]) != process["started"])


def _place() -> str | None:
    """Return the boot and the set of process ids that this process is of."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"  # noqa: PTH115 - it points to no path
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """Return when a process was started; None if there is none, or only what is left of one."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold blanks and brackets
    state, started = fields[0], fields[19]
    return None if state in "ZX" else int(started)
