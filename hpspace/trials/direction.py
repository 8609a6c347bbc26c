"""Whether a search looks for small values or for large ones, and what that does to signs.

Documents hold what is *minimised*, always: with direction "maximize" ``result["loss"]`` is minus the objective's value,
and ``result["value"]`` is the value as the user gave it. So every reader of losses (algorithms, Hyperopt's programs,
stores) is right without knowing of directions. What people look at goes through `shown`.

The direction is a fact of the trials, not of a run: they keep it as `Trials.direction`. The place where an
objective's result becomes a stored one is `hpspace.run.direction`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

MINIMIZE = "minimize"
MAXIMIZE = "maximize"
DIRECTIONS = (MINIMIZE, MAXIMIZE)

#: What people mean by other words.
_MEANT = {"min": MINIMIZE, "max": MAXIMIZE, "minimise": MINIMIZE, "maximise": MAXIMIZE}


def checked_direction(direction: Any) -> str:
    """Return a direction if it is one.

    Parameters
    ----------
    direction : str
        "minimize" or "maximize".

    Returns
    -------
    str
        `direction`.

    Raises
    ------
    ValueError
        It is neither; the message guesses which was meant.

    Examples
    --------
    >>> checked_direction("maximise")
    Traceback (most recent call last):
    ...
    ValueError: direction='maximise': pass "minimize" or "maximize"; did you mean "maximize"?
    """
    if isinstance(direction, str) and direction in DIRECTIONS:
        return direction
    raise ValueError(f'direction={direction!r}: pass "minimize" or "maximize"{_hint(direction)}')


def _hint(direction: Any) -> str:
    if not isinstance(direction, str):
        return ""
    word = direction.lower()
    near = difflib.get_close_matches(word, DIRECTIONS, 1, 0.7)
    meant = _MEANT.get(word) or (near[0] if near else None)
    return f'; did you mean "{meant}"?' if meant else ""


def shown(loss: float, direction: str) -> float:
    """Return a stored loss with the sign that the user gave it; the same function goes the other way.

    Parameters
    ----------
    loss : float
        What is minimised.
    direction : str
        Of the trials that it belongs to.

    Returns
    -------
    float

    Examples
    --------
    >>> shown(-0.75, "maximize"), shown(0.25, "minimize")
    (0.75, 0.25)
    """
    return 0.0 - loss if direction == MAXIMIZE else loss  # 0.0 and not -0.0


def measure(direction: str) -> str:
    """Return what people call the number of a trial: its "loss", or its "value" when that is to be large."""
    return "value" if direction == MAXIMIZE else "loss"


def has_outcome(doc: Mapping[str, Any]) -> bool:
    """Whether a document holds a number whose sign depends on the direction."""
    return "loss" in doc["result"] or bool(doc["misc"].get("reports"))
