"""Which parameters are active, from the codes of choices alone: one look at all conditions of all points.

Where every switch is taken by a parameter, a parameter is active if, for one of its alternatives, every clause
``choice = code`` holds. All clauses of a space are compared at once, and counting those that hold of each alternative
is a matrix product; so it costs the same few calls for a space of any depth, where `active_mask` walks from switch to
switch.

Called by `CompiledSpace`. Axes: n points, D parameters, L distinct clauses, A alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hpspace.space.params import Conditions

#: With more alternatives than this the matrix product costs more than walking from switch to switch.
_MOST = 512


class Paths:
    """The conditions of a space's parameters.

    Parameters
    ----------
    conditions : sequence of Conditions
        When each parameter is active; at least one clause among them.
    index : mapping of str to int
        Column of each label that the clauses name.
    """

    def __init__(self, conditions: Sequence[Conditions], index: Mapping[str, int]) -> None:
        clauses = sorted({clause for one in conditions for alternative in one for clause in alternative})
        alternatives = list(dict.fromkeys(alternative for one in conditions for alternative in one))
        place = {clause: i for i, clause in enumerate(clauses)}
        #: Column and code of each clause.
        self.columns: NDArray[np.intp] = np.array([index[label] for label, _ in clauses], dtype=np.intp)
        self._codes = np.array([[float(code)] for _, code in clauses])
        self._needs = np.zeros((len(alternatives), len(clauses)))  # (A, L)
        for row, alternative in zip(self._needs, alternatives):
            row[[place[clause] for clause in alternative]] = 1.0
        self._count = self._needs.sum(axis=1)[:, None]
        number = {alternative: i for i, alternative in enumerate(alternatives)}
        #: Alternative of each parameter, where each has one; else how they belong together, (D, A).
        self._one = np.array([number[one[0]] for one in conditions], dtype=np.intp)
        self._any: NDArray[np.float64] | None = None
        if any(len(one) > 1 for one in conditions):
            self._any = np.zeros((len(conditions), len(alternatives)))
            for row, one in zip(self._any, conditions):
                row[[number[alternative] for alternative in one]] = 1.0

    def active(self, codes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which parameters are active.

        Parameters
        ----------
        codes : float64 array, shape (L, n)
            Values of the choices that `columns` names; whatever for those that are inactive, NaN included.

        Returns
        -------
        bool array, shape (D, n)
        """
        holds = np.equal(codes, self._codes).astype(np.float64)
        taken = (self._needs @ holds) == self._count  # (A, n)
        if self._any is None:
            return np.asarray(taken.take(self._one, axis=0))
        return np.asarray((self._any @ taken) > 0.0)


def paths_of(conditions: Sequence[Conditions], index: Mapping[str, int]) -> Paths | None:
    """Return the paths of a space; None if nothing depends on a choice, or conditions are of another kind or many."""
    alternatives = {alternative for one in conditions for alternative in one}
    named = {label for alternative in alternatives for label, _ in alternative}
    if not named or not all(label in index for label in named) or not all(conditions):
        return None
    return Paths(conditions, index) if len(alternatives) <= _MOST else None
