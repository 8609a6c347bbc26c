"""When a run ends: ready-made functions for `early_stop_fn`, and the checks of fmin's limits.

The contract of a stop function is Hyperopt's: ``early_stop_fn(trials, *args)`` returns ``(stop, args)``; it is
called once a turn of the loop in which a trial has ended, the first time without args, afterwards with the args that it
returned last. A plain bool is an answer too. A function here keeps no state of its own, so it can be pickled and reused
by several runs. Rules that can be joined, and are callbacks as well, are in `run.rules`.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from hpspace.trials.bests import best_of, loss_of
from hpspace.trials.direction import MAXIMIZE, measure, shown


def no_progress_loss(iteration_stop_count: int = 20, percent_increase: float = 0.0) -> Any:
    """Make a stop function that ends a run whose best loss no longer improves.

    Parameters
    ----------
    iteration_stop_count : int
        Number of successive turns without progress after which to stop; the first turn counts as one.
    percent_increase : float
        A loss is progress if it is below ``best - abs(best) * percent_increase / 100``.

    Returns
    -------
    callable
        For `early_stop_fn`. Failed trials, and losses that are NaN, are never progress.

    Examples
    --------
    >>> from hpspace import Trials
    >>> stop = no_progress_loss(2)
    >>> stop(Trials())
    (False, [None, 1])
    """
    return functools.partial(
        _no_progress, stop_count=int(iteration_stop_count), percent=float(percent_increase)
    )


def is_no_progress(function: Any) -> bool:
    """Whether a function was made by `no_progress_loss`, and so keeps to the protocol of `early_stop_fn` only."""
    return isinstance(function, functools.partial) and function.func is _no_progress


def _no_progress(
    trials: Any, best_loss: float | None = None, stale: int = 0, *, stop_count: int, percent: float
) -> tuple[bool, list[Any]]:
    """One call of the stop function: compare the best loss so far with the best that was progress."""
    current = best_ok_loss(trials)
    if stale == 0 and best_loss is None:
        return False, [current, 1]
    if current is not None and (best_loss is None or current < best_loss - abs(best_loss) * percent / 100.0):
        return False, [current, 0]
    return stale + 1 >= stop_count, [best_loss, stale + 1]


def ask_early_stop(function: Any, trials: Any, args: list[Any]) -> tuple[bool, list[Any]]:
    """Ask an `early_stop_fn` whether to stop.

    Parameters
    ----------
    function : callable
        As the user gave it.
    trials : Trials
        What it is asked about.
    args : list
        What it returned last.

    Returns
    -------
    stop : bool
    args : list
        For the next time; `args` itself if the function answers by a bool alone.

    Raises
    ------
    TypeError
        The answer is none of both.
    """
    answer = function(trials, *args)
    if isinstance(answer, (bool, np.bool_)):
        return bool(answer), args
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not isinstance(answer[1], Iterable):
        name = getattr(function, "__qualname__", type(function).__name__)
        raise TypeError(
            f"early_stop_fn={name} returned {answer!r}: return (stop, args) with a list of args, or only True or False"
        )
    return bool(answer[0]), list(answer[1])


def passed_threshold(loss_threshold: float | None, best: float, direction: str) -> str | None:
    """Say that the best loss has passed fmin's `loss_threshold`, None if it has not.

    Parameters
    ----------
    loss_threshold : float or None
        In the direction asked for.
    best : float
        The lowest loss as it is stored.
    direction : str
        Of the search.

    Examples
    --------
    >>> passed_threshold(0.9, -0.95, "maximize")
    'best value 0.95 is above loss_threshold=0.9'
    """
    if loss_threshold is None or not best < shown(loss_threshold, direction):
        return None
    side = "above" if direction == MAXIMIZE else "below"
    return f"best {measure(direction)} {shown(best, direction)} is {side} loss_threshold={loss_threshold}"


def validate_timeout(timeout: Any) -> None:
    """Check fmin's `timeout`: None, or seconds as a number above 0.

    Raises
    ------
    Exception
        For anything else, with Hyperopt's text.
    """
    if timeout is not None and not (is_number(timeout) and timeout > 0):
        raise Exception(f"The timeout argument should be None or a positive value. Given value: {timeout}")


def validate_loss_threshold(loss_threshold: Any) -> None:
    """Check fmin's `loss_threshold`: None, or a number.

    Raises
    ------
    Exception
        For anything else, with Hyperopt's text.
    """
    if loss_threshold is not None and not is_number(loss_threshold):
        raise Exception(
            f"The loss_threshold argument should be None or a numeric value. Given value: {loss_threshold}"
        )


def evaluation_limit(max_evals: Any) -> int:
    """Check fmin's `max_evals` and return it as an int.

    Parameters
    ----------
    max_evals : int, float or None
        None and infinity mean no limit; a float must be whole.

    Returns
    -------
    int
        The limit, `sys.maxsize` for none.

    Raises
    ------
    ValueError
        If it is negative or no whole number.

    Examples
    --------
    >>> evaluation_limit(20.0)
    20
    """
    if max_evals is None or (is_number(max_evals) and max_evals == math.inf):
        return sys.maxsize
    if not is_count(max_evals, 0):
        raise ValueError(f"max_evals={max_evals!r}: pass a whole number >= 0, or None for no limit")
    return int(max_evals)


def new_evaluations(max_new_evals: Any) -> int | None:
    """Check fmin's `max_new_evals` and return it as an int, None for no limit.

    Raises
    ------
    ValueError
        If it is negative or no whole number.
    """
    if max_new_evals is None:
        return None
    if not is_count(max_new_evals, 0):
        raise ValueError(f"max_new_evals={max_new_evals!r}: pass a whole number >= 0, or None for no limit")
    return int(max_new_evals)


def is_number(value: Any) -> bool:
    """Whether a value is a real number: Python's or numpy's, no bool, not NaN."""
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and not math.isnan(value)


def takes(function: Any, n: int) -> bool:
    """Whether a callable can be called with `n` positional arguments, as far as its signature says."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of builtins, and of what cannot be called
        return True
    try:
        signature.bind(*range(n))
    except TypeError:
        return False
    return True


def is_count(value: Any, least: int = 1) -> bool:
    """Whether a value is a finite whole number, of at least `least`."""
    return is_number(value) and math.isfinite(value) and value == int(value) and value >= least


def best_ok_loss(trials: Any) -> float | None:
    """Return the smallest loss of a trial with status "ok", None when there is none.

    Parameters
    ----------
    trials : Trials
        Anything with a list of documents as `.trials`.

    Returns
    -------
    float or None
        Never NaN: such losses are passed over.
    """
    best = best_of(trials.trials)
    return None if best is None else loss_of(best["result"])
