"""Checks of fmin's arguments that are objects: mistakes that would show up late, as an error about something else.

Called by `run.minimize` before anything is compiled or evaluated. Numbers are checked in `run.stopping`, seeds in
`run.seeds`, algorithms in `run.bridge`; what is inside of a space is judged by `space.compile`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from hpspace.exceptions import ObjectiveError
from hpspace.run.stopping import no_progress_loss, takes


def validate_objects(fn: Any, space: Any, trials: Any, early_stop_fn: Any) -> None:
    """Check fmin's `fn`, `space`, `trials` and `early_stop_fn` as far as that needs no evaluation.

    Parameters
    ----------
    fn, space, trials, early_stop_fn : object
        As they were given to `fmin`.

    Raises
    ------
    TypeError
        For the first that cannot be meant; names the argument, its value and what to pass.
    ValueError
        For a space that is a text other than "annotated".

    Examples
    --------
    >>> validate_objects(abs, {}, [], None)
    Traceback (most recent call last):
    ...
    TypeError: trials=[]: pass a Trials object, such as Trials(), or None for a new one
    """
    _validate_fn(fn, space)
    _validate_space(space)
    _validate_trials(trials)
    _validate_early_stop(early_stop_fn)


def _validate_fn(fn: Any, space: Any) -> None:
    if callable(fn):
        _validate_call(fn)
        return
    hint = "; fn comes first, then space: they seem to be swapped" if inspect.isroutine(space) else ""
    raise TypeError(f"fn={fn!r}: pass the objective, a function of one configuration{hint}")


def _validate_call(fn: Any) -> None:
    """Refuse functions whose call returns before anything is computed."""
    name = getattr(fn, "__qualname__", repr(fn))
    if inspect.iscoroutinefunction(fn):
        raise TypeError(
            f"fn={name} is an async function, and nothing awaits it here: pass lambda config: asyncio.run(fn(config))"
        )
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise TypeError(f"fn={name} is a generator, it has a yield: return the loss instead")


def _validate_space(space: Any) -> None:
    if space is None or inspect.isroutine(space):
        raise TypeError(
            f"space={space!r}: pass the search space, such as {{'x': hp.uniform('x', 0, 1)}}, "
            "or 'annotated' to read it from the annotations of fn"
        )
    if isinstance(space, str) and space != "annotated":
        raise ValueError(f"space={space!r}: the only text that is a space is 'annotated'")


def _validate_trials(trials: Any) -> None:
    if isinstance(trials, type):
        raise TypeError(f"trials={trials!r} is a class; pass an object of it: trials={trials.__name__}()")
    if isinstance(trials, (list, tuple, dict, str)):
        hint = "; trials_from_docs makes one of documents" if trials else ""
        raise TypeError(
            f"trials={trials!r}: pass a Trials object, such as Trials(), or None for a new one{hint}"
        )


def _validate_early_stop(early_stop_fn: Any) -> None:
    if early_stop_fn is no_progress_loss:
        raise TypeError("early_stop_fn=no_progress_loss makes the function: pass no_progress_loss(20)")
    if early_stop_fn is not None and not callable(early_stop_fn):
        raise TypeError(
            f"early_stop_fn={early_stop_fn!r}: pass a function f(trials, *args) that returns (stop, args), "
            "such as no_progress_loss(20)"
        )
    if early_stop_fn is not None and not takes(early_stop_fn, 1):
        raise TypeError(
            f"early_stop_fn={early_stop_fn!r}: it is called with the trials alone at first, f(trials, *args)"
        )


def seed_from(rstate: Any, seed: Any) -> Any:
    """Read fmin's two names for the seed.

    Parameters
    ----------
    rstate, seed : object
        As they were given to `fmin`.

    Returns
    -------
    object
        The one that was given.

    Raises
    ------
    TypeError
        Both were.
    """
    if seed is None:
        return rstate
    if rstate is not None:
        raise TypeError(
            f"rstate={rstate!r} and seed={seed!r} are two names of one argument: pass one of them"
        )
    return seed


def exceptions_from(catch: Any) -> tuple[type[Exception], ...]:
    """Read fmin's `catch`.

    Parameters
    ----------
    catch : exception class or iterable of such
        As it was given to `fmin`.

    Returns
    -------
    tuple of exception classes

    Raises
    ------
    TypeError
        Something is no class of exceptions, or of those that end a program.

    Examples
    --------
    >>> exceptions_from(ValueError)
    (<class 'ValueError'>,)
    >>> exceptions_from("ValueError")
    Traceback (most recent call last):
    ...
    TypeError: catch='ValueError': pass classes of exceptions, such as catch=(ValueError, MemoryError)
    """
    if catch is None:
        return ()
    several = tuple(catch) if isinstance(catch, (tuple, list, set, frozenset)) else (catch,)
    for one in several:
        if isinstance(one, type) and issubclass(one, BaseException) and not issubclass(one, Exception):
            raise TypeError(f"catch={catch!r}: {one.__name__} ends a program and cannot be caught")
        if not (isinstance(one, type) and issubclass(one, Exception)):
            raise TypeError(
                f"catch={catch!r}: pass classes of exceptions, such as catch=(ValueError, MemoryError)"
            )
    return several


def is_one_of(error: Exception, classes: tuple[type[Exception], ...]) -> bool:
    """Whether an exception is of one of some classes, also one that another process could only describe."""
    if isinstance(error, ObjectiveError):
        return any(cls is Exception or str(cls) == error.kind for cls in classes)
    return isinstance(error, classes)


def validate_place(trials: Any, arguments: Mapping[str, Any]) -> None:
    """Check that arguments about where to evaluate fit trials that workers evaluate.

    Parameters
    ----------
    trials : Trials
        As they were given to `fmin`.
    arguments : mapping of str to object
        Name to value of those that differ from their defaults.

    Raises
    ------
    ValueError
        The trials are asynchronous, and there is any.
    """
    if arguments and getattr(trials, "asynchronous", False):
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise ValueError(
            f"{given}: these {type(trials).__name__} are evaluated by workers; say there how many and for how long"
        )


def validate_search(space: Any, trials: Any) -> None:
    """Check the space and the trials of a `Search`.

    Parameters
    ----------
    space, trials : object
        As they were given.

    Raises
    ------
    TypeError, ValueError
        As `validate_objects`.
    """
    if isinstance(space, str):
        raise ValueError(
            f"space={space!r}: a Search has no function that could be annotated; pass the space itself"
        )
    _validate_space(space)
    _validate_trials(trials)
