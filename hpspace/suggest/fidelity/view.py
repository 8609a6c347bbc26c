"""What a searcher sees of trials that were given different resources: each configuration once, like with like.

Losses at 3 epochs and at 81 cannot be compared, so a model is made of one resource: the greatest one at which there
are enough results (Falkner et al. 2018, "BOHB", section 3.2). Configurations that were not given that much are not
forgotten, as they are in the paper: they were tried and left behind, which is what a pruned trial is, so they are shown
as such, ranked by how far they came. So the model knows the losers of the lower rungs too.

Called by the schedulers of this folder, and for algorithms that know nothing of resources.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpspace.history import OK, PENDING, PRUNED, History
from hpspace.space.fidelity import Fidelity
from hpspace.suggest.base import is_finite

#: Two resources that differ by less than this, relatively, are one.
SLACK = 1e-9


def resources(history: History, high: float) -> NDArray[np.float64]:
    """Return what each row was given, shape (n,): the whole where nothing is said."""
    return np.where(np.isnan(history.resources), high, history.resources)


def same(resource: NDArray[np.float64], value: float) -> NDArray[np.bool_]:
    """Return which resources are a value, up to rounding; shape (n,)."""
    return np.abs(resource - value) <= SLACK * value


def richest(history: History, high: float, least: int) -> float | None:
    """Return the greatest resource with at least so many results, None if there is none.

    Parameters
    ----------
    history : History
        What is known.
    high : float
        The whole resource.
    least : int
        How many results with a loss it takes.
    """
    given, counts = np.unique(resources(history, high)[history.ok], return_counts=True)
    enough = given[counts >= least]
    return float(enough[-1]) if len(enough) else None


def at(
    history: History,
    fidelity: Fidelity,
    level: float | None,
    fresh: float,
    busy: NDArray[np.bool_] | None = None,
) -> History:
    """Return the configurations as they stand at one resource.

    Parameters
    ----------
    history : History
        Trials at any resource. It is not changed.
    fidelity : Fidelity
        The declared resource.
    level : float or None
        The resource whose losses count. None when none has enough: then every configuration is shown as pending, so
        that nothing is modelled.
    fresh : float
        What a new configuration will be given. In a finite space a point is known, and not proposed, if it had as much
        or failed; one that had less may come again.
    busy : bool array, shape (n,), optional
        Rows whose points may be given more where they are, and so are known too.

    Returns
    -------
    History
        One row a configuration, in order of appearance: with its result at `level`; else as pruned, with its loss at
        the greatest resource below; else pending, while it runs. Of configurations that were only given more than
        `level` nothing is shown but that they are known.
    """
    given = resources(history, fidelity.high)
    rows, exact = _representatives(history, given, level)
    view = history.select(rows, known=_known(history, given, fresh, busy))
    _show_below_as_pruned(view, given[rows], exact, level)
    return view


def whole(history: History, fidelity: Fidelity) -> History:
    """Return what is known at the full resource; the history itself if nothing was given less."""
    given = resources(history, fidelity.high)
    if not (given < fidelity.high * (1 - SLACK)).any():
        return history
    return at(history, fidelity, fidelity.high, fidelity.high)


def _known(
    history: History, given: NDArray[np.float64], fresh: float, busy: NDArray[np.bool_] | None
) -> list[bytes]:
    """Return the keys of the points that are not to be proposed."""
    if not is_finite(history.space):
        return list(history.keys)
    known = (given >= fresh * (1 - SLACK)) | history.failed
    return history.space.keys(history.values[known if busy is None else known | busy])


def _representatives(
    history: History, given: NDArray[np.float64], level: float | None
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return one row for each configuration that is shown, and whether its outcome is that at `level`."""
    positions = np.arange(len(history))
    configs = np.where(history.configs < 0, positions, history.configs)
    pending = history.pending
    if level is None:
        first = np.unique(configs, return_index=True)[1]
        return np.sort(first), np.zeros(len(first), dtype=bool)
    exact = ~pending & same(given, level)
    below = ~pending & (given < level) & ~exact
    worth = np.where(exact, 3.0, np.where(below, 1.0 + given / level, np.where(pending, 0.5, 0.0)))
    order = np.lexsort((positions, worth, configs))
    last = np.append(configs[order][1:] != configs[order][:-1], True)[: len(order)]
    rows = np.sort(order[last & (worth[order] > 0)])
    return rows, exact[rows]


def _show_below_as_pruned(
    view: History, given: NDArray[np.float64], exact: NDArray[np.bool_], level: float | None
) -> None:
    """Replace outcomes in `view`, whose rows were given `given`, as `at` says."""
    if level is None:
        rows = np.arange(len(view))
        view.update(rows, np.full(len(rows), np.nan), np.full(len(rows), PENDING))
        return
    rows = np.flatnonzero(~exact & (view.kind == OK))
    partials = view.losses[rows]
    view.update(rows, partials, np.full(len(rows), PRUNED), steps=given[rows], partials=partials)
