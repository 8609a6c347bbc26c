"""What is done to trials before a search goes on with them, whoever runs it: `fmin`, or the user by ask and tell."""

from __future__ import annotations

import warnings
from typing import Any

from hpspace.exceptions import SpaceChanged
from hpspace.run.domain import Domain
from hpspace.run.points import queue_default
from hpspace.run.seeds import Base
from hpspace.space.compiled import CompiledSpace


def resource_of(space: CompiledSpace) -> tuple[float, float, int] | None:
    """Return what pruners want to know of the resource that a space declares."""
    declared = space.fidelity
    return None if declared is None else (declared.low, declared.high, declared.eta)


def prepare(trials: Any, domain: Domain, base: Base, nothing: bool = False) -> None:
    """Compare the stored space, remember the new one, and queue the declared defaults in a fresh experiment.

    Parameters
    ----------
    trials : Trials
        What is to be searched with.
    domain : Domain
        Its space.
    base : Base
        Completes the point of the defaults.
    nothing : bool
        The run is to add no trial at all.

    Warns
    -----
    SpaceChanged
        The trials were made with another space.
    """
    changes = _space_changes(trials, domain.space)
    if changes:
        text = "\n".join(f"  - {change}" for change in changes)
        warnings.warn(
            f"these trials were made with another search space:\n{text}", SpaceChanged, stacklevel=3
        )
    if hasattr(trials, "remember_space"):
        trials.remember_space(domain.space)
    if not nothing and not trials._dynamic_trials:
        try:
            queue_default(trials, domain.space, base)
        finally:  # an interrupt between the two would let the defaults come on top of `max_evals`
            trials.refresh()


def _space_changes(trials: Any, space: CompiledSpace) -> list[str]:
    """How the space differs from the one that the trials were made with, one sentence each."""
    if not trials._dynamic_trials:
        return []
    old = getattr(trials, "space_json", None)
    if old is not None:
        return space.diff(old)
    stored = {label: None for doc in trials._dynamic_trials for label in doc["misc"]["vals"]}
    always = [param.label for param in space.params if param.always_active]
    return [
        *(f"{label!r} of the stored trials is not in the space" for label in stored if label not in space),
        *(f"{label!r} is in no stored trial" for label in always if label not in stored),
    ]
