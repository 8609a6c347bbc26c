"""What a document says of the resource its trial was given: ``misc["fidelity"]``.

A plain dict, like all of a document::

    {"label": "epochs", "resource": 9, "high": 81,   what it was given, of how much
     "rung": 2, "bracket": 0,                        its place in the race
     "config": 4, "parent": 17, "ancestors": [17, 4]}  ids: first trial of the point, the trial it continues, all before

A document without it had all of the resource, or its space declares none. Written by `run.bridge`, read by
everything that compares losses or hands a checkpoint on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace

#: Key of a document's misc.
FIDELITY = "fidelity"


def fidelity_of(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a document says of its resource, an empty mapping if nothing."""
    found = doc["misc"].get(FIDELITY)
    return found if isinstance(found, Mapping) else {}


def resource_of(doc: Mapping[str, Any]) -> Any:
    """Return the resource that a document's trial was given, None if that was all there is.

    Examples
    --------
    >>> resource_of({"misc": {"fidelity": {"resource": 9}}}), resource_of({"misc": {}})
    (9, None)
    """
    return fidelity_of(doc).get("resource")


def at_its_resource(
    point: Mapping[str, Any], doc: Mapping[str, Any] | None, space: CompiledSpace
) -> Mapping[str, Any]:
    """Return a point that names the resource of a trial, for `CompiledSpace.config`.

    Parameters
    ----------
    point : mapping
        Label to raw value.
    doc : mapping or None
        The trial's document; None, or one without a resource, leaves the point as it is: then it means the whole.
    space : CompiledSpace
        Says what the resource is called, if it has one.
    """
    if space.fidelity is None or doc is None or (resource := resource_of(doc)) is None:
        return point
    return {**point, space.fidelity.label: resource}


def reach(doc: Mapping[str, Any]) -> float:
    """Return how far a trial could come: its resource, infinity if that was the whole.

    Losses of trials with different reach cannot be compared.

    Examples
    --------
    >>> reach({"misc": {"fidelity": {"resource": 9, "high": 81}}})
    9.0
    >>> reach({"misc": {"fidelity": {"resource": 81, "high": 81}}}), reach({"misc": {}})
    (inf, inf)
    """
    said = doc["misc"].get(FIDELITY)
    if not isinstance(said, Mapping):  # the usual case, and the quick one
        return math.inf
    resource, high = said.get("resource"), said.get("high")
    if resource is None or (high is not None and resource >= high):
        return math.inf
    return float(resource)


def ancestors_of(doc: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the ids of the trials that a document's trial continues, the latest first."""
    said = fidelity_of(doc)
    ancestors = said.get("ancestors")
    if ancestors is None:
        ancestors = [said[name] for name in ("parent", "config") if said.get(name) is not None]
    return tuple(tid for tid in dict.fromkeys(ancestors) if tid != doc["tid"])


def staged(
    tid: Any,
    label: str,
    resource: float,
    high: float,
    rung: int,
    bracket: int,
    parent: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Make what a new document says of its resource.

    Parameters
    ----------
    tid : hashable
        The trial's id.
    label : str
        Name of the resource.
    resource, high : int or float
        What the trial is given, of how much.
    rung, bracket : int
        Its place in the race.
    parent : mapping or None
        Document of the trial that it continues.

    Returns
    -------
    dict
        For ``misc["fidelity"]``.
    """
    place = {"label": label, "resource": resource, "high": high, "rung": rung, "bracket": bracket}
    if parent is None:
        return {**place, "config": tid, "parent": None, "ancestors": []}
    config = fidelity_of(parent).get("config", parent["tid"])
    ancestors = [parent["tid"], *ancestors_of(parent)]
    return {**place, "config": config, "parent": parent["tid"], "ancestors": ancestors}
