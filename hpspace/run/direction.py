"""The one place where what an objective returns becomes what is stored.

Algorithms minimise, and documents hold what is minimised (`hpspace.trials.direction` says why). So with
``direction="maximize"`` the sign of a result is changed here, when it is stored, and nowhere else; everything that
people see is changed back by `shown`. Called wherever a result is about to be stored: `turn`, `evaluators`, `asktell`,
and `Ctrl` for partial and injected results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpspace.exceptions import InvalidResult
from hpspace.trials.bests import loss_of, number
from hpspace.trials.direction import MAXIMIZE, MINIMIZE, checked_direction, shown


def direction_of(trials: Any) -> str:
    """Return what trials of any class look for; "minimize" for classes that do not say."""
    return str(getattr(trials, "direction", MINIMIZE))


def direct(trials: Any, direction: str) -> None:
    """Make trials look for what a run asks for.

    Parameters
    ----------
    trials : Trials
        New ones, or ones of the same direction.
    direction : str
        "minimize" or "maximize".

    Raises
    ------
    DirectionMismatch
        They hold losses of the other direction.
    """
    if checked_direction(direction) != direction_of(trials):
        trials.direction = direction


def stored(result: Mapping[str, Any], direction: str, tid: Any = None) -> dict[str, Any]:
    """Turn a checked result of the objective into the one to keep.

    Parameters
    ----------
    result : mapping
        As `objective.checked_result` gives it.
    direction : str
        Of the trials.
    tid : hashable
        The trial's id, for the message.

    Returns
    -------
    dict
        With "maximize", "loss" and "true_loss" are negated and "value" is the loss as it was.

    Raises
    ------
    InvalidResult
        With "maximize", the result has a "value" of its own that is not its loss.

    Examples
    --------
    >>> stored({"status": "ok", "loss": 0.75}, "maximize")
    {'status': 'ok', 'loss': -0.75, 'value': 0.75}
    """
    if direction != MAXIMIZE or "loss" not in result:
        return dict(result)
    value = result["loss"]
    if "value" in result and not _same(result["value"], value):
        raise InvalidResult(
            result,
            f'trial {tid}: objective returned loss={value!r} and value={result["value"]!r}; with direction="maximize" '
            'the key "value" is where the loss is kept as it was returned: give the other one another name',
        )
    negated = {key: _negated(result[key]) for key in ("loss", "true_loss") if key in result}
    return {**result, **negated, "value": value}


def value_of(trials: Any, trial: Mapping[str, Any]) -> float:
    """Return what a trial's objective returned, in the direction asked for.

    Parameters
    ----------
    trials : Trials
        Know the direction.
    trial : mapping
        A document.

    Returns
    -------
    float
        NaN unless the trial ended with status "ok" and a number.
    """
    return shown(loss_of(trial["result"]), direction_of(trials))


def _negated(value: Any) -> Any:
    """Return minus a number; anything else, as a failed trial may have, unchanged."""
    as_float = number(value)
    return shown(as_float, MAXIMIZE) if as_float == as_float else value


def _same(a: Any, b: Any) -> bool:
    return a is b or (number(a) == number(b)) or (number(a) != number(a) and number(b) != number(b))
