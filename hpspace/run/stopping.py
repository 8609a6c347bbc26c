"""When a run ends: ready-made functions for `early_stop_fn`, and the checks of fmin's limits.

The contract of a stop function is Hyperopt's: ``early_stop_fn(trials, *args)`` returns ``(stop, args)``; it is
called once a turn of the loop, the first time without args, afterwards with the args that it returned last. A
function here keeps no state of its own, so it can be pickled and reused by several runs.
"""

from __future__ import annotations

import functools
import math
import numbers
import sys
from typing import Any

from hpspace.trials.bests import best_of, loss_of


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


def validate_timeout(timeout: Any) -> None:
    """Check fmin's `timeout`: None, or seconds as a number above 0.

    Raises
    ------
    Exception
        For anything else, with Hyperopt's text.
    """
    if timeout is not None and not (_is_number(timeout) and timeout > 0):
        raise Exception(f"The timeout argument should be None or a positive value. Given value: {timeout}")


def validate_loss_threshold(loss_threshold: Any) -> None:
    """Check fmin's `loss_threshold`: None, or a number.

    Raises
    ------
    Exception
        For anything else, with Hyperopt's text.
    """
    if loss_threshold is not None and not _is_number(loss_threshold):
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
    if max_evals is None or (_is_number(max_evals) and max_evals == math.inf):
        return sys.maxsize
    if not _is_number(max_evals) or max_evals < 0 or max_evals != int(max_evals):
        raise ValueError(f"max_evals={max_evals!r}: pass a whole number >= 0, or None for no limit")
    return int(max_evals)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and not math.isnan(value)


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
