"""One evaluation, wherever it happens: the objective is called, and how it ended becomes an event.

Called by the child process, by threads and by the tasks of other people's pools, so that all agree on what an
exception, a pruned trial and `sys.exit` are. Exceptions that a trial may end with are data here; nothing is raised.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpspace.exceptions import TrialPruned
from hpspace.run.executors.base import Died, Event, Finished, Job, Raised


def evaluated(domain: Any, job: Job, ctrl: Any) -> Event:
    """Evaluate a job here and now.

    Parameters
    ----------
    domain : Domain
        The objective.
    job : Job
        The point.
    ctrl : object
        For the objective.

    Returns
    -------
    Finished, Raised or Died
        `Died` if the objective wanted to end its process (SystemExit) or acted as if interrupted from the keyboard.
    """
    try:
        return Finished(job.tid, domain.evaluate(job.config, ctrl))
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises is this trial's outcome
        return raised(job.tid, error)
    except BaseException as leaving:  # noqa: BLE001 - what leaves an objective elsewhere leaves only its trial
        return Died(job.tid, _exit_code(leaving), f"the objective raised {_name_and_text(leaving)}")


@contextlib.contextmanager
def in_folder(folder: str | None) -> Iterator[None]:
    """Have a folder as the working directory of this process within; None leaves it as it is."""
    if folder is None:
        yield
        return
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def raised(tid: Any, error: Exception) -> Raised:
    """Return the event of an exception that was just caught.

    Parameters
    ----------
    tid : object
        The trial.
    error : Exception
        What was raised.

    Returns
    -------
    Raised
        With the traceback as text.
    """
    where = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    pruned = isinstance(error, TrialPruned)
    message = error.reason if isinstance(error, TrialPruned) else text_of(error)
    return Raised(tid, str(type(error)), message, where, error, pruned)


def text_of(error: BaseException) -> str:
    """Return the text of any exception, also of one that cannot be shown."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is an outcome all the same
        return "(its message cannot be shown)"


def _exit_code(leaving: BaseException) -> int | None:
    """Return the code with which the interpreter would have ended."""
    if not isinstance(leaving, SystemExit):
        return 1
    code = (
        leaving.args[0] if leaving.args else 0
    )  # not `.code`, which libraries that pickle exceptions may lose
    return 0 if code is None else code if isinstance(code, int) else 1


def _name_and_text(error: BaseException) -> str:
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
