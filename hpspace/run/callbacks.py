"""What users have called while a run goes on, and what their calls may do to it.

A callback is a plain function ``f(trials, trial)``, called after each trial that ended with a result or an error; or
an object with any of the hooks of `Callback`; or both, an object that can be called and has hooks. All are called in
the driver's thread, one after the other, also where trials are evaluated in other processes. They may read the trials
as they like; what they return ends the run if it is True.

A callback that raises does not disturb the search: the trial's outcome is stored first, the other callbacks are called
too, and then the run ends with `CallbackError`, which names the callback, the hook and the trial. So nothing here
raises by itself; the loop looks at `Callbacks.failure` where the store is consistent.
"""

from __future__ import annotations

import difflib
import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from hpspace.exceptions import CallbackError
from hpspace.run.direction import value_of
from hpspace.run.stopping import is_no_progress, takes

logger = logging.getLogger(__name__)

#: What each hook is called with.
_ARGUMENTS = {
    "on_start": ("trials",),
    "on_suggested": ("trials", "trial"),
    "on_reported": ("trials", "trial", "step", "value"),
    "on_finished": ("trials", "trial"),
    "on_new_best": ("trials", "trial"),
    "on_end": ("trials",),
}

#: The hooks that an object may have, in the order of a trial's life.
HOOKS = tuple(_ARGUMENTS)


class Callback:
    """Hooks of a run that do nothing: a base class for callbacks that keep something.

    Subclassing is not needed; any object with some of these methods is a callback. Every hook may return True to end
    the run: what is being evaluated then is still waited for, and its results are kept.

    Examples
    --------
    >>> from hpspace import Callback, fmin, hp
    >>> class Worst(Callback):
    ...     loss = float("-inf")
    ...     def on_finished(self, trials, trial):
    ...         self.loss = max(self.loss, self.value_of(trials, trial))
    >>> worst = Worst()
    >>> best = fmin(lambda x: x, hp.uniform("x", 0, 1), "rand", 9, rstate=0, verbose=False, callbacks=worst)
    >>> worst.loss == max(best.trials.losses())
    True
    """

    def on_start(self, trials: Any) -> bool | None:
        """Be called once before anything is proposed; `trials` are those of earlier runs.

        Parameters
        ----------
        trials : Trials
            Of the run.
        """

    def on_suggested(self, trials: Any, trial: dict[str, Any]) -> bool | None:
        """Be called when the algorithm has proposed a trial and it is in the queue.

        Parameters
        ----------
        trials : Trials
            Of the run.
        trial : dict
            The trial's document.
        """

    def on_reported(self, trials: Any, trial: dict[str, Any], step: Any, value: float) -> bool | None:
        """Be called when the objective has reported an intermediate value.

        Parameters
        ----------
        trials, trial
            As in `on_suggested`.
        step : number
            How far the trial is.
        value : float
            What was reported, in the direction asked for.
        """

    def on_finished(self, trials: Any, trial: dict[str, Any]) -> bool | None:
        """Be called when a trial has ended with a result or an error; plain functions are called here.

        Parameters
        ----------
        trials, trial
            As in `on_suggested`; the outcome is stored and visible.
        """

    def on_new_best(self, trials: Any, trial: dict[str, Any]) -> bool | None:
        """Be called after `on_finished` for a trial that is better than all before.

        Parameters
        ----------
        trials, trial
            As in `on_suggested`.
        """

    def on_end(self, trials: Any) -> bool | None:
        """Be called once when the run is over, also when it ends with an exception.

        Parameters
        ----------
        trials : Trials
            Of the run.
        """

    value_of = staticmethod(value_of)


class Callbacks:
    """The callbacks of one run.

    Parameters
    ----------
    callbacks : iterable
        As `checked_callbacks` gives them.
    trials : Trials
        What they are called with.

    Attributes
    ----------
    failure : CallbackError or None
        What the first that raised has raised.
    stop_reason : str or None
        Which one asked the run to end.
    """

    def __init__(self, callbacks: Iterable[Any], trials: Any) -> None:
        self._trials = trials
        self.failure: CallbackError | None = None
        self.stop_reason: str | None = None
        self._hooks: dict[str, list[tuple[str, Callable[..., Any]]]] = {hook: [] for hook in HOOKS}
        for callback in callbacks:
            for hook, call in _hooks_of(callback).items():
                self._hooks[hook].append((_name(callback), call))

    def listens_to(self, *hooks: str) -> bool:
        """Whether anybody has one of the hooks."""
        return any(self._hooks[hook] for hook in hooks)

    def call(self, hook: str, trial: dict[str, Any] | None = None, *args: Any) -> None:
        """Call everybody who has a hook; note who fails and who wants the run to end.

        Parameters
        ----------
        hook : str
            One of `HOOKS`.
        trial : dict, optional
            The trial that it is about.
        *args : object
            The hook's further arguments.
        """
        about = () if trial is None else (trial, *args)
        for name, call in self._hooks[hook]:
            answer = self._answer(name, hook, call, about)
            if is_true(answer) and self.stop_reason is None:
                self.stop_reason = f"{name} says so"

    def end(self, quietly: bool = False) -> None:
        """Call "on_end"; with `quietly`, when an exception is on its way already, a failure is only logged."""
        before = self.failure
        self.call("on_end")
        if quietly and before is None and self.failure is not None:
            self._log(self.failure)

    def _answer(self, name: str, hook: str, call: Callable[..., Any], about: tuple[Any, ...]) -> Any:
        """Return what a callback returns, None if it raises."""
        try:
            return call(self._trials, *about)
        except Exception as error:  # noqa: BLE001 - a user's function; raised as CallbackError by the loop
            self._note(CallbackError(name, hook, about[0]["tid"] if about else None, error))
            return None

    def _note(self, failure: CallbackError) -> None:
        failure.__cause__ = failure.error
        if self.failure is None:
            self.failure = failure
        else:
            self._log(failure)

    @staticmethod
    def _log(failure: CallbackError) -> None:
        logger.error("%s", failure, extra={"action": "callback_failed", "callback": failure.callback})


def is_true(answer: Any) -> bool:
    """Whether an answer is True, Python's or numpy's; other truthy objects are no answer."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


def checked_callbacks(callbacks: Any) -> tuple[Any, ...]:
    """Read fmin's `callbacks`.

    Parameters
    ----------
    callbacks : callable, object with hooks, iterable of such, or None
        As the user gave it.

    Returns
    -------
    tuple
        The callbacks.

    Raises
    ------
    TypeError
        One is no callback; names it and what is missing.

    Examples
    --------
    >>> checked_callbacks([3])
    Traceback (most recent call last):
    ...
    TypeError: callbacks[0]=3: pass a function f(trials, trial), or an object with hooks such as on_finished
    """
    if callbacks is None:
        return ()
    if _is_callback(callbacks) or isinstance(callbacks, (str, bytes, Mapping)):
        _check(callbacks, "callbacks")
        return (callbacks,)
    if not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks={callbacks!r}: pass a list of functions f(trials, trial), or None{_misspelt(callbacks)}"
        )
    several = tuple(callbacks)
    for i, callback in enumerate(several):
        _check(callback, f"callbacks[{i}]")
    return several


def _is_callback(thing: Any) -> bool:
    return callable(thing) or any(hasattr(thing, hook) for hook in HOOKS)


def _check(callback: Any, what: str) -> None:
    """Refuse what cannot be a callback, and what is meant for another argument."""
    if isinstance(callback, type):
        raise TypeError(f"{what}={callback!r} is a class; pass an object of it: {callback.__name__}(...)")
    if is_no_progress(callback):
        raise TypeError(
            f"{what}=no_progress_loss(...): pass it as early_stop_fn=, or hpspace.stop.no_improvement(n)"
        )
    if not _is_callback(callback):
        raise TypeError(
            f"{what}={callback!r}: pass a function f(trials, trial), or an object with hooks such as on_finished"
            + _misspelt(callback)
        )
    if isinstance(callback, Callback) and _misspelt(callback):
        raise TypeError(f"{what}={callback!r} has no hook of that name{_misspelt(callback)}")
    for hook, call in _hooks_of(callback).items():
        if not takes(call, len(_ARGUMENTS[hook])):
            arguments = ", ".join(_ARGUMENTS[hook])
            raise TypeError(f"{what}={callback!r}: {_name(call)} is called with ({arguments})")


def _misspelt(callback: Any) -> str:
    """Return a question about the first method that is nearly a hook, an empty text if there is none."""
    for name in dir(type(callback)):
        near = difflib.get_close_matches(name, HOOKS, 1, 0.75) if name.startswith("on") else []
        if near and name not in HOOKS:
            return f"; {type(callback).__name__}.{name}: did you mean {near[0]}?"
    return ""


def _hooks_of(callback: Any) -> dict[str, Callable[..., Any]]:
    """Return the hooks of a callback that do something; what can be called is its own on_finished, if it has none."""
    found = {hook: getattr(callback, hook) for hook in HOOKS if callable(getattr(callback, hook, None))}
    hooks = {
        hook: call
        for hook, call in found.items()
        if getattr(call, "__func__", call) is not getattr(Callback, hook)
    }
    return {"on_finished": callback, **hooks} if callable(callback) else hooks


def _name(callback: Any) -> str:
    """Return what people call a callback."""
    if isinstance(callback, functools.partial):
        return _name(callback.func)
    name = getattr(callback, "__qualname__", None)
    if isinstance(name, str):
        return name
    text = repr(callback)
    return type(callback).__name__ if text.startswith("<") else text
