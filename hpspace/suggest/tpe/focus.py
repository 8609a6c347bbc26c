"""Proposals that give one option of a choice a chance of its own.

Left to itself, the ratio of densities soon prefers the option whose first trials were lucky, and the trials
that this brings make it look better still: on a problem whose better option needs other values of a shared
parameter, a third of the searches never came back. So a share of the proposals is made inside one option:
drawn from the good density, so that promising options come up more often, and modelled by the trials that
took it alone, so that its best trials are good ones even if those of another option are better. The share
falls with the number of trials, for the question which option to take is settled before that of how far to
tune it.

Called by `tpe.algorithm`. Only which option is decided here, not what is proposed in it.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

#: An option needs this many trials for a model of its own.
MIN_TRIALS = 4


class Focus(NamedTuple):
    """One option of one choice."""

    #: Column of the choice.
    column: int
    #: Code of the option.
    code: float

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which rows (n, D) take the option, shape (n,)."""
        taken: NDArray[np.bool_] = values[:, self.column] == self.code
        return taken


def share_of_focused(explore_options: float, finished: int, choices: int) -> float:
    """Return the share of proposals that are made inside one option.

    Parameters
    ----------
    explore_options : float
        The trials for which a single choice has all proposals.
    finished : int
        Number of finished trials.
    choices : int
        Number of choices among which options compete. Many plain ones get a smaller share together, else nothing
        would be left for tuning: focusing on one fixes it and lets the others wait.

    Examples
    --------
    >>> [share_of_focused(30.0, n, 1) for n in (10, 60, 300)]
    [1.0, 0.5, 0.1]
    >>> share_of_focused(30.0, 60, 5)
    0.1
    """
    return min(1.0, explore_options / max(1, finished * choices))


def draw_focuses(
    rows: NDArray[np.float64], choices: NDArray[np.intp], rng: Generator
) -> Counter[Focus | None]:
    """Choose an option for each of some proposals.

    Parameters
    ----------
    rows : float64 array, shape (n, D)
        A draw from the good density for each proposal, NaN where inactive; its options are those that come up.
    choices : int array
        Columns of the choices.
    rng : Generator
        Source of randomness.

    Returns
    -------
    Counter
        How many proposals each option has; None for rows without an active choice.
    """
    plan: Counter[Focus | None] = Counter()
    for row in rows:
        active = choices[row[choices] == row[choices]]
        column = int(rng.choice(active)) if len(active) else -1
        plan[Focus(column, float(row[column])) if column >= 0 else None] += 1
    return plan
