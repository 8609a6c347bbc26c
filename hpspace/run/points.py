"""Points that the user wants evaluated first: read, validated, and put into the queue.

Two sources: `points_to_evaluate`, and the defaults declared in the space. All points are validated before the first
evaluation, and everything wrong with any of them is said at once. A partial point is completed from the prior; its
document remembers what was given, so that passing the same list again on a resumed run does not run it again.

Called by `run.minimize`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpspace.exceptions import InvalidPoint
from hpspace.run.seeds import Base, seed_for
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.document import STATUS_NEW, new_document, new_misc, spec_from_misc
from hpspace.trials.trials import Trials

#: Key of a document's misc: what the user gave of a point that was completed.
GIVEN = "given"

Point = dict[str, Any]


def generate_trial(tid: Any, space: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a trial at a point, in state NEW.

    Parameters
    ----------
    tid : hashable
        The trial's id.
    space : mapping
        Label to raw value (a choice's index), of the active labels.

    Returns
    -------
    dict
        A document that belongs to no trials yet.
    """
    return new_document(tid, space)


def generate_trials_to_calculate(points: Sequence[Mapping[str, Any]]) -> Trials:
    """Return trials whose queue holds the given points.

    Parameters
    ----------
    points : sequence of mapping
        Label to raw value (a choice's index), of the active labels. Not checked against any space: give them as
        `points_to_evaluate` of `fmin` for that.

    Returns
    -------
    Trials
        Not refreshed: its length is 0, so in `fmin` the points come on top of `max_evals`.

    Examples
    --------
    >>> trials = generate_trials_to_calculate([{"x": 0.5}, {"x": 1.0}])
    >>> len(trials)
    0
    >>> trials.refresh()
    >>> trials.vals
    {'x': [0.5, 1.0]}
    """
    trials = Trials()
    trials.insert_trial_docs([generate_trial(tid, point) for tid, point in zip(_ids(trials, points), points)])
    return trials


def queue_points(trials: Any, space: CompiledSpace, points: Any, base: Base) -> int:
    """Validate `points_to_evaluate` and queue those that the trials do not hold yet.

    Parameters
    ----------
    trials : Trials
        Where to queue; not refreshed afterwards.
    space : CompiledSpace
        What the points belong to.
    points : sequence of mapping
        Label to raw value, or for a choice to an option; missing labels are filled from the prior.
    base : Base
        Seeds the filling.

    Returns
    -------
    int
        How many were queued.

    Raises
    ------
    InvalidPoint
        Listing everything that is wrong with any of them.
    """
    wholes = _completed(space, _checked_list(points), base)
    done = _points_of(trials, space)
    fresh = [(whole, given) for whole, given in wholes if _mark(space, whole, given) not in done]
    _queue(trials, space, fresh)
    return len(fresh)


def queue_default(trials: Any, space: CompiledSpace, base: Base) -> int:
    """Queue the point of the declared defaults, if there are any.

    Parameters
    ----------
    trials, space, base
        As for `queue_points`.

    Returns
    -------
    int
        1, or 0 when the space declares no default.
    """
    given = space.default_point()
    if not given:
        return 0
    _queue(trials, space, _completed(space, [given], base))
    return 1


def _checked_list(points: Any) -> list[Any]:
    if isinstance(points, (str, bytes, Mapping)) or not hasattr(points, "__iter__"):
        raise InvalidPoint(
            f"points_to_evaluate must be a list of dicts, label to value, not {type(points).__name__}"
        )
    return list(points)


def _completed(space: CompiledSpace, points: Sequence[Any], base: Base) -> list[tuple[Point, Point]]:
    """Return each point whole, with what was given of it; raise everything that is wrong at once."""
    wholes: list[tuple[Point, Point]] = []
    faults: list[str] = []
    for i, point in enumerate(points):
        rng = np.random.default_rng(seed_for(base, f"point {i}"))
        try:
            wholes.append(_complete(space, point, rng))
        except InvalidPoint as error:
            faults.append(f"points_to_evaluate[{i}]: {error}")
    if faults:
        raise InvalidPoint("\n".join(faults))
    return wholes


def _complete(space: CompiledSpace, point: Any, rng: np.random.Generator) -> tuple[Point, Point]:
    if not isinstance(point, Mapping):
        raise InvalidPoint(f"a point must be a dict, label to value, not {point!r}")
    whole = space.complete(point, rng)
    return whole, {label: whole[label] for label in point if label in whole}


def _mark(space: CompiledSpace, whole: Point, given: Point) -> Any:
    """Return what identifies a point among the trials: its key, or what was given of it if that was not all."""
    if len(given) < len(whole):
        return frozenset(given.items())
    return space.keys(space.row(whole)[None, :])[0]


def _points_of(trials: Any, space: CompiledSpace) -> set[Any]:
    """Return the marks of the trials that count, and of those in the queue."""
    trials.refresh()
    marks: set[Any] = set()
    for doc in trials.trials:
        if GIVEN in doc["misc"]:
            marks.add(frozenset(doc["misc"][GIVEN].items()))
        marks.add(_mark(space, point := spec_from_misc(doc["misc"]), point))
    return marks


def _queue(trials: Any, space: CompiledSpace, points: Sequence[tuple[Point, Point]]) -> None:
    """Insert documents in state NEW."""
    tids = _ids(trials, points)
    miscs = [new_misc(tid, whole, space.labels) for tid, (whole, _) in zip(tids, points)]
    for misc, (whole, given) in zip(miscs, points):
        if len(given) < len(whole):
            misc[GIVEN] = given
    results = [{"status": STATUS_NEW} for _ in tids]
    trials.insert_trial_docs(trials.new_trial_docs(tids, [None] * len(tids), results, miscs))


def _ids(trials: Any, points: Sequence[Any]) -> list[Any]:
    return list(trials.new_trial_ids(len(points))) if points else []
