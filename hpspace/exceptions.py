"""Everything hpspace raises, and the one record from which space errors are made.

The tree::

    Exception
    ├── BadSearchSpace                 a space that cannot be searched; `.faults` lists every finding
    │   ├── DuplicateLabel             two different parameters with one label
    │   ├── InvalidDistribution        (also ValueError) bounds, steps, probabilities, argument names
    │   ├── EmptyChoice                (also ValueError) a choice without options
    │   ├── UnlabelledDraw             a random draw that no label names
    │   ├── InvalidKey                 (also TypeError) dict keys that cannot be put in order
    │   └── InvalidFidelity            (also ValueError) a resource that is no range, or none where one is needed
    ├── AllTrialsFailed                no trial with status "ok" and a loss that is a number
    ├── InvalidTrial                   (ValueError) a document that is not a trial; `.obj`
    ├── InvalidResultStatus            (ValueError) a result whose status is unknown; `.result`
    ├── InvalidLoss                    (ValueError) status "ok" without a usable loss; `.result`
    │   └── InvalidResult              (also TypeError) neither a number nor a result dict
    ├── InvalidAnnotatedParameter      (ValueError) `space="annotated"` found a non-expression
    ├── InvalidPoint                   (ValueError, TypeError) a point that is not of the space
    ├── DirectionMismatch              (ValueError) trials that were minimised are to be maximised, or vice versa
    ├── StoreError                     a store of trials that cannot do what is asked
    │   ├── StoreUnavailable           (also ConnectionError) it cannot be reached or opened, now
    │   ├── StoreRefused               (also PermissionError) a wrong user or password, or a missing right
    │   ├── StoreFull                  (also OSError) there is no room for more; nothing was changed
    │   ├── StoreTooNew                it was written by a later release of hpspace
    │   ├── UnknownStore               (also ValueError) a URL that names no store, or a wrong one
    │   ├── Unstorable                 (also TypeError) a value that no store can hold; `.path`
    │   ├── IllegalMove                (also ValueError) a state that may not follow another
    │   ├── ReserveTimeout             (also TimeoutError) no trial came for as long as a worker wanted to wait
    │   └── DomainSwapError            another objective is being evaluated in the same experiment
    ├── MissingExtra                   (ImportError) an optional dependency is not installed
    ├── UntrustedObjective             (PermissionError) an objective without the signature that a worker wants
    ├── UnpicklableObjective           (TypeError) an objective that cannot be sent to another process; `.path`
    ├── ObjectiveError                 (RuntimeError) stands for an exception that another process could not send
    ├── ExecutorError                  (RuntimeError) what evaluates the objective cannot be started
    ├── CallbackError                  (RuntimeError) a callback raised; `.callback`, `.hook`, `.tid`, `.error`
    ├── SpaceExhausted                 (LookupError) every configuration of a finite space was asked for
    └── TrialPruned                    raised inside an objective to end its trial early; no error
    UserWarning
    ├── SuspiciousBounds               bounds that look like values where logarithms are meant
    └── SpaceChanged                   stored trials were made with another space

A search space is wrong in several places at once more often than in one, so its faults are collected as
:class:`Fault` records and raised together by :func:`raise_faults`: one class if all findings are of that class,
else :class:`BadSearchSpace`. Exceptions keep the objects they speak of and render their text late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a search space.

    Parameters
    ----------
    kind : type of BadSearchSpace
        The exception class that reports it when it is alone.
    problem : str
        What is wrong, a clause without a full stop.
    label : str or None
        Label of the parameter, when one is concerned.
    path : str or None
        Where it stands, written as an index expression, such as ``space["svm"]["C"]``.
    value : object
        The offending value, shown by ``repr``; `NO_VALUE` when there is none.
    fix : str
        What to write instead, a clause without a full stop.
    """

    kind: type[BadSearchSpace]
    problem: str
    label: str | None = None
    path: str | None = None
    value: Any = None
    fix: str = ""

    def __str__(self) -> str:
        """Render as one line: class, label, place, problem and fix."""
        return f"{self.kind.__name__}: {self.text}"

    @property
    def text(self) -> str:
        """The line without the class."""
        who = "" if self.label is None else f"{self.label!r}"
        place = f"at {self.path}" if self.path else ""
        where = " ".join(part for part in (who, place) if part)
        parts = [part for part in (where, self.problem) if part]
        return ": ".join(parts) + (f"; {self.fix}." if self.fix else ".")


class BadSearchSpace(Exception):
    """A search space that cannot be searched.

    Parameters
    ----------
    *args : Fault or object
        The findings; anything else is kept as an ordinary exception argument.

    Examples
    --------
    >>> fault = Fault(InvalidDistribution, "low must be less than high", "x", 'space["x"]')
    >>> print(BadSearchSpace(fault))
    InvalidDistribution: 'x' at space["x"]: low must be less than high.
    """

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every finding, in the order of the space."""
        return tuple(arg for arg in self.args if isinstance(arg, Fault))

    def __str__(self) -> str:
        """Render all findings, one a line."""
        faults = self.faults
        if not faults:
            return super().__str__()
        if len(faults) == 1:
            return faults[0].text if type(self) is faults[0].kind else str(faults[0])
        lines = "\n".join(f"  {i}. {fault}" for i, fault in enumerate(faults, 1))
        return f"the search space has {len(faults)} faults:\n{lines}"


class DuplicateLabel(BadSearchSpace):
    """Two different parameters have the same label."""


class InvalidDistribution(BadSearchSpace, ValueError):
    """A distribution's arguments are missing, misspelt, or describe no distribution."""


class EmptyChoice(BadSearchSpace, ValueError):
    """A choice has no options."""


class UnlabelledDraw(BadSearchSpace):
    """A random draw inside the space has no label, so no trial could record it."""


class InvalidKey(BadSearchSpace, TypeError):
    """The keys of a dict in the space cannot be compared with each other."""


class InvalidFidelity(BadSearchSpace, ValueError):
    """The declared resource cannot be planned with, or an algorithm needs one and the space declares none."""


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise all findings in one exception; return if there are none.

    Parameters
    ----------
    faults : sequence of Fault
        The findings, in the order to show them.

    Raises
    ------
    BadSearchSpace
        The findings' own subclass when they share one, else `BadSearchSpace` itself.
    """
    if not faults:
        return
    kinds = {fault.kind for fault in faults}
    raise (kinds.pop() if len(kinds) == 1 else BadSearchSpace)(*faults)


class AllTrialsFailed(Exception):
    """No trial has status "ok" and a loss that is a number."""


class InvalidTrial(ValueError):
    """A document that is not a valid trial.

    Parameters
    ----------
    msg : str
        What is wrong with it.
    obj : object
        The document.
    """

    def __init__(self, msg: str, obj: Any = None) -> None:
        super().__init__(msg, obj)
        self.obj = obj

    def __str__(self) -> str:
        """Render the message alone; the document is in `.obj`."""
        return str(self.args[0])


class _ResultError(ValueError):
    """A value returned by the objective that cannot be a result.

    Parameters
    ----------
    result : object
        What the objective returned, as far as it could be read.
    message : str
        What is wrong, naming the trial and the value.
    """

    def __init__(self, result: Any, message: str = "") -> None:
        super().__init__(result, message)
        self.result = result

    def __str__(self) -> str:
        """Render the message, or the result when there is none."""
        return str(self.args[1] or self.args[0])


class InvalidResultStatus(_ResultError):
    """The objective returned a status that is none of `STATUS_STRINGS`."""


class InvalidLoss(_ResultError):
    """The objective returned status "ok" without a loss that is a number."""


class InvalidResult(InvalidLoss, TypeError):
    """The objective returned something that is neither a number nor a result dict.

    A TypeError as well, since that is what Hyperopt raises.
    """


class InvalidAnnotatedParameter(ValueError):
    """With ``space="annotated"``, a parameter's annotation is no search-space expression."""


class InvalidPoint(ValueError, TypeError):
    """A point that does not belong to the space: an unknown label, or a value outside its support."""


class InvalidDefault(BadSearchSpace, InvalidPoint):
    """A declared default that its parameter cannot take."""


class DirectionMismatch(ValueError):
    """Trials of a search for the least loss are to go on as one for the greatest value, or the other way round."""


class StoreError(Exception):
    """A store of trials cannot do what is asked of it. No message shows a password."""


class StoreUnavailable(StoreError, ConnectionError):
    """The store cannot be reached, opened or written to at present; trying again later may help."""


class StoreRefused(StoreError, PermissionError):
    """The store does not let this user in, or not do this; trying again later does not help."""


class StoreFull(StoreError, OSError):
    """There is no room left where the store keeps its trials. The move that was asked for has not happened."""


class StoreTooNew(StoreError):
    """The store was written by a later release.

    Parameters
    ----------
    url : str
        Of the store, without a password.
    found, known : int
        Version of its schema, and the latest that this release knows.
    """

    def __init__(self, url: str, found: int, known: int) -> None:
        super().__init__(url, found, known)
        self.url = url
        self.found = found
        self.known = known

    def __str__(self) -> str:
        """Name both versions and the way out."""
        return (
            f"{self.url} has schema version {self.found}, and this release of hpspace reads up to {self.known}: "
            "install a later hpspace"
        )


class UnknownStore(StoreError, ValueError):
    """A URL from which no store can be opened."""


class Unstorable(StoreError, TypeError):
    """A value that a store cannot hold.

    Parameters
    ----------
    path : str
        Where it stands in the document, such as ``result['model']``.
    value : object
        The value.
    reason : str
        Why not; by default, that its class is foreign.
    """

    def __init__(self, path: str, value: Any, reason: str = "") -> None:
        super().__init__(path, value, reason)
        self.path = path
        self.value = value
        self.reason = reason

    def __str__(self) -> str:
        """Name place, class and the way out."""
        cls = type(self.value)
        reason = self.reason or f"an object of class {cls.__module__}.{cls.__qualname__} cannot be stored"
        return (
            f"{self.path}: {reason}; results hold numbers, texts, lists and dicts, anything else belongs into the "
            "trial's attachments"
        )

    def __reduce__(self) -> tuple[type[Unstorable], tuple[str, Any, str]]:
        return Unstorable, (self.path, None, str(self).partition(": ")[2].partition("; results hold")[0])


class IllegalMove(StoreError, ValueError):
    """A state that may not follow another; see `hpspace.trials.document.TRANSITIONS`.

    Parameters
    ----------
    tid : object
        Id of the trial.
    state, wanted : object
        Its state and the one asked for, in words.
    """

    def __init__(self, tid: Any, state: Any, wanted: Any) -> None:
        super().__init__(tid, state, wanted)
        self.tid = tid
        self.state = state
        self.wanted = wanted

    def __str__(self) -> str:
        """Name the trial and both states."""
        return f"trial {self.tid}: {self.state} cannot become {self.wanted}"


class ReserveTimeout(StoreError, TimeoutError):
    """No trial was queued for as long as a worker wanted to wait for one."""


class DomainSwapError(StoreError):
    """A live search evaluates another objective in the same experiment.

    Parameters
    ----------
    exp_key : str or None
        The experiment.
    detail : str
        Who holds it, or until when.
    """

    def __init__(self, exp_key: str | None = None, detail: str = "") -> None:
        super().__init__(exp_key, detail)
        self.exp_key = exp_key
        self.detail = detail

    def __str__(self) -> str:
        """Name the experiment and the way out."""
        detail = f" ({self.detail})" if self.detail else ""
        return (
            f"experiment exp_key={self.exp_key!r} is being searched with another objective{detail}; "
            "give this search an exp_key of its own, or wait until the other has ended"
        )


class MissingExtra(ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    module : str
        The module that could not be imported.
    extra : str
        The extra of hpspace that installs it.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f'{module} is not installed; install it with: pip install "hpspace[{extra}]"')
        self.module = module
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return MissingExtra, (self.module, self.extra)


class TrialPruned(Exception):
    """The running trial is ended early because it does not look promising; raised inside an objective.

    It is an outcome and no error: the trial is stored as finished with status "pruned". An objective that cleans up
    after itself does so in ``finally``; one that catches this exception goes on as if nothing had been decided.

    Parameters
    ----------
    reason : str
        Why, with numbers; stored with the trial.

    Examples
    --------
    >>> str(TrialPruned("step 7: 0.81 is worse than the median 0.64 of 12 curves"))
    'step 7: 0.81 is worse than the median 0.64 of 12 curves'
    """

    @property
    def reason(self) -> str:
        """Why the trial is ended; a fixed sentence if none was given."""
        return str(self.args[0]) if self.args else "the objective raised TrialPruned without a reason"


class UntrustedObjective(PermissionError):
    """An objective in a store that a worker with a key does not read, since its signature is missing or false."""


class UnpicklableObjective(TypeError):
    """An objective, or what it refers to, cannot be sent to another process.

    Parameters
    ----------
    path : str
        What refuses, such as ``fn.__closure__['lock']``.
    reason : str
        What pickling it raised.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        """Say what refuses, why, and what to do."""
        return (
            f"the objective cannot be sent to another process: {self.path} cannot be pickled ({self.reason}); "
            'make it inside of the function, or evaluate in threads: backend="thread"'
        )


class ObjectiveError(RuntimeError):
    """Stands for an exception that was raised in another process and could not be brought here as an object.

    Parameters
    ----------
    kind : str
        The exception's type, as text.
    message : str
        Its text.
    traceback : str
        Where it was raised, as text.
    """

    def __init__(self, kind: str, message: str, traceback: str = "") -> None:
        super().__init__(kind, message, traceback)
        self.kind = kind
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        """Show what a traceback would show."""
        head = f"{self.kind}: {self.message}" if self.message else self.kind
        return f"{head}\n\n{self.traceback}" if self.traceback else head


class ExecutorError(RuntimeError):
    """What was to evaluate the objective cannot be started, or was lost as a whole."""


class CallbackError(RuntimeError):
    """A callback of a run raised an exception; the trials are as they should be.

    Parameters
    ----------
    callback : str
        Name of the callback.
    hook : str
        The hook that was called, such as "on_finished".
    tid : hashable
        Id of the trial that it was called about; None if it was about none.
    error : Exception
        What it raised; also the `__cause__`.
    """

    def __init__(self, callback: str, hook: str, tid: Any, error: Exception) -> None:
        super().__init__(callback, hook, tid, error)
        self.callback = callback
        self.hook = hook
        self.tid = tid
        self.error = error

    def __str__(self) -> str:
        """Name the callback, the trial and what was raised."""
        where = "" if self.tid is None else f" of trial {self.tid}"
        return f"callback {self.callback}, {self.hook}{where}: {type(self.error).__name__}: {self.error}"


class SpaceExhausted(LookupError):
    """Every configuration of a finite space was asked for already."""


class SuspiciousBounds(UserWarning):
    """Bounds that look like values where natural logarithms are meant."""


class SpaceChanged(UserWarning):
    """The stored trials were made with another search space."""
