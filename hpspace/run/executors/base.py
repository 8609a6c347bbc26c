"""What an executor is: it takes jobs, evaluates the objective somewhere else, and hands back events.

The driver (`run`'s parallel loop, or the program of a worker) does with every executor the same::

    executor.start(domain)
    executor.submit(Job(...))            as many as its capacity, none of these calls blocks
    for event in executor.wait(None):    Finished, Raised, Died, TimedOut: the job is over
                                         Called: the objective used its Ctrl; `answer(event, ctrl)` performs that
    executor.close()

An executor knows nothing of trials, stores or algorithms. It never retries: a job that was lost is reported as lost,
and the driver decides. Results and exceptions come back as data, so that an engine's own exception never ends a run.

Only the driver's thread calls an executor, and everything an objective does through its Ctrl is performed in that
thread: a store sees one thread whatever the executor is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Job:
    """One evaluation to be done."""

    #: The trial's id; at most one job of an id is under way.
    tid: Any
    #: The point: label to raw value (a choice's index), as `Domain.evaluate` takes it.
    config: dict[str, Any]
    #: A plain copy of the document's "misc", for `ctrl.current_trial`.
    misc: dict[str, Any] = field(default_factory=dict)
    #: Seconds that the evaluation may take; None is no limit.
    timeout: float | None = None
    #: For executors that are not interactive: the attachments that the trial has already, which its objective may read.
    attachments: Mapping[str, Any] = field(default_factory=dict)
    #: What the search looks for, for `ctrl.direction`.
    direction: str = "minimize"
    #: What the trial is given of the declared resource, for `ctrl.resource`.
    resource: int | float | None = None
    #: Folder to evaluate in, where the process is the trial's own; None is where the process is.
    folder: str | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a job."""

    #: The job's trial id.
    tid: Any


@dataclass(frozen=True)
class Finished(Event):
    """The objective returned."""

    #: The checked result, with "status".
    result: dict[str, Any]


@dataclass(frozen=True)
class Raised(Event):
    """The objective raised an exception, or what it returned is no result."""

    #: Text of the exception's type as `str(type(error))` shows it, such as "<class 'ValueError'>".
    kind: str
    #: Text of the exception.
    message: str
    #: Traceback as text.
    traceback: str
    #: The exception itself if it could be brought here, else an `ObjectiveError` that shows the same.
    error: Exception
    #: The exception is a `TrialPruned`: no error, and `message` is the reason.
    pruned: bool = False


@dataclass(frozen=True)
class Died(Event):
    """What evaluated the job ended without a result: killed, crashed, or left by `os._exit` or `sys.exit`."""

    #: Exit code of the process; negative is the number of the signal that ended it; None if not known.
    exitcode: int | None
    #: A sentence for people, naming the signal if there was one.
    reason: str


@dataclass(frozen=True)
class TimedOut(Event):
    """The job was stopped because it took longer than its timeout."""

    #: Seconds that it was allowed.
    seconds: float


@dataclass(frozen=True)
class Called(Event):
    """The objective used its Ctrl, and waits for the answer.

    Executors that are not interactive hand these over afterwards, right before the end of the job; answers are
    dropped.
    """

    #: What is asked for; see `answer`.
    name: str
    #: With which arguments.
    args: tuple[Any, ...]
    #: To be called once, with the value, or with an exception that shall be raised in the objective.
    reply: Callable[[Any], None]


@runtime_checkable
class Executor(Protocol):
    """Evaluates jobs somewhere else.

    Attributes
    ----------
    capacity : int
        How many jobs to keep under way. More may be submitted: they wait.
    can_kill : bool
        Whether a running job can be stopped, by `cancel` and by its timeout.
    interactive : bool
        Whether what objectives do through their Ctrl arrives while they run. If not, the `Called` events of a job
        (its reports, attachments, ...) come right before its end, and nothing can be pruned.
    """

    capacity: int
    can_kill: bool
    interactive: bool

    def start(self, domain: Any) -> None:
        """Take the objective; it is pickled here if it has to travel.

        Parameters
        ----------
        domain : Domain
            The objective and its space.

        Raises
        ------
        UnpicklableObjective
            Names what in the objective could not be pickled.
        """

    def submit(self, job: Job) -> None:
        """Take one job; returns at once.

        Parameters
        ----------
        job : Job
            Its tid must not be under way already.
        """

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Block until something happens.

        Parameters
        ----------
        timeout : float or None
            Seconds, at most; None waits for ever, 0 only looks.

        Returns
        -------
        list of Event
            In the order in which they happened; empty if nothing did.
        """

    def cancel(self, tid: Any) -> bool:
        """Stop a job; no event of it follows if that succeeded.

        Parameters
        ----------
        tid : object
            The job's trial id.

        Returns
        -------
        bool
            True if it is stopped for sure; False if it runs on, or is not known.
        """

    def close(self, kill: bool = False) -> None:
        """Let go of everything that `start` and `submit` made. May be called twice, and followed by `start`.

        Parameters
        ----------
        kill : bool
            Stop at once what still runs, where that is possible. False lets it finish; results are dropped.
        """


def answer(call: Called, ctrl: Any) -> None:
    """Perform on the driver's side what an objective asked of its Ctrl, and reply.

    Parameters
    ----------
    call : Called
        The event. Names: "report", "should_prune", "report_or_prune", "checkpoint", "stop", "inject_results" call the
        method; "log" the method of its first argument; "attachments.get", "attachments.set", "attachments.del",
        "attachments.iter" use `ctrl.attachments`.
    ctrl : Ctrl
        The real one, of the trial `call.tid`.

    Notes
    -----
    Whatever the Ctrl raises is the objective's to handle: it is raised there, not here.
    """
    try:
        value = _perform(ctrl, call.name, call.args)
    except Exception as error:  # noqa: BLE001 - raised in the objective, which made the call
        value = error
    call.reply(value)


def _perform(ctrl: Any, name: str, args: tuple[Any, ...]) -> Any:
    if name in _ON_ATTACHMENTS:
        return _ON_ATTACHMENTS[name](ctrl.attachments, *args)
    if name == "log":
        level, text = args
        return getattr(ctrl, level)("%s", text)
    return getattr(ctrl, name)(*args)


_ON_ATTACHMENTS: dict[str, Callable[..., Any]] = {
    "attachments.get": lambda attachments, key: attachments[key],
    "attachments.set": lambda attachments, key, value: attachments.__setitem__(key, value),
    "attachments.del": lambda attachments, key: attachments.__delitem__(key),
    "attachments.iter": lambda attachments: list(attachments),
}


def executor_from(
    n_jobs: Any = 1, backend: Any = "process", executor: Any = None, trial_timeout: Any = None
) -> Executor | None:
    """Read the four arguments of `fmin` that say where to evaluate.

    Parameters
    ----------
    n_jobs : int
        Evaluations at a time; -1 is one for each CPU that this process may use. With a pool as `executor`: how many
        to keep in flight there, 1 asks the pool.
    backend : {"process", "thread"}
        What `n_jobs` makes.
    executor : Executor, concurrent.futures.Executor, dask Client, SparkSession or None
        Evaluate there instead.
    trial_timeout : float or None
        Seconds for one trial.

    Returns
    -------
    Executor or None
        None: in this thread, one after the other.

    Raises
    ------
    TypeError, ValueError
        For an argument that cannot be meant; names it, its value and what to pass.

    Examples
    --------
    >>> executor_from() is None
    True
    >>> executor_from(n_jobs=2, backend="fork")
    Traceback (most recent call last):
    ...
    ValueError: backend='fork': pass "process" or "thread"
    """
    jobs = number_of_jobs(n_jobs)
    if backend not in ("process", "thread"):
        raise ValueError(f'backend={backend!r}: pass "process" or "thread"')
    _check_timeout(trial_timeout)
    chosen = _choose(jobs, backend, executor, trial_timeout is not None)
    if trial_timeout is not None and chosen is not None and not chosen.can_kill:
        raise ValueError(
            f"trial_timeout={trial_timeout!r}: {type(chosen).__name__} cannot stop a running trial; "
            'use processes of our own: n_jobs=... with backend="process"'
        )
    return chosen


def _choose(jobs: int, backend: str, executor: Any, timed: bool) -> Executor | None:
    if executor is not None:
        return _adapted(executor, jobs)
    if jobs == 1 and not timed:
        return None
    if backend == "thread":
        from hpspace.run.executors.threads import ThreadExecutor

        return ThreadExecutor(jobs)
    from hpspace.run.executors.processes import ProcessExecutor

    return ProcessExecutor(jobs)


def _adapted(executor: Any, jobs: int) -> Executor:
    """Return an Executor for what the user passed as `executor`."""
    if isinstance(executor, type):
        raise TypeError(f"executor={executor!r} is a class; pass an object of it")
    if isinstance(executor, Executor):
        return executor
    if type(executor).__module__.startswith("pyspark."):
        from hpspace.run.executors.spark import SparkExecutor

        return SparkExecutor(executor, None if jobs == 1 else jobs)
    from hpspace.run.executors.futures import FuturesExecutor

    return FuturesExecutor.around(executor, None if jobs == 1 else jobs)


def number_of_jobs(n: Any, name: str = "n_jobs") -> int:
    """Read how many evaluations there are to be at a time.

    Parameters
    ----------
    n : int
        -1 is one for each CPU that this process may use.
    name : str
        The argument's name, for the error.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        For what is no such number.
    """
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{name}={n!r}: pass a number of evaluations at a time, or -1 for one a CPU")
    jobs = int(n)
    if jobs == -1:
        return usable_cpus()
    if jobs < 1:
        raise ValueError(f"{name}={n!r}: pass 1 or more, or -1 for one a CPU")
    return jobs


def _check_timeout(trial_timeout: Any) -> None:
    if trial_timeout is None:
        return
    if isinstance(trial_timeout, bool) or not isinstance(trial_timeout, (int, float)):
        raise TypeError(f"trial_timeout={trial_timeout!r}: pass seconds for one trial, or None")
    if not 0 < trial_timeout < float("inf"):
        raise ValueError(f"trial_timeout={trial_timeout!r}: pass seconds > 0 for one trial, or None")


def usable_cpus() -> int:
    """Return how many CPUs this process may use.

    Returns
    -------
    int
        At least 1; the size of the affinity mask where the system has one.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
