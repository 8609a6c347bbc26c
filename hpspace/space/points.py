"""Points given by people: validated against the space, completed from its prior, turned into configurations.

People write points by hand (``points_to_evaluate``, declared defaults, `space_eval`), so every mistake here gets an
error that names the label, the value and what would be right.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.exceptions import InvalidPoint
from hpspace.graph.evaluate import evaluate
from hpspace.space.describe import law
from hpspace.space.params import Conditions, Param, describe_conditions

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace


def config(space: CompiledSpace, point: Mapping[str, Any]) -> Any:
    """Evaluate the space at a point; see `CompiledSpace.config`."""
    try:
        return evaluate(space.expr, space.memo(point))
    except (TypeError, ValueError, AttributeError) as error:
        missing = missing_labels(space, point)
        if missing:
            raise InvalidPoint(_missing_text(space, missing[0], point)) from error
        raise


def missing_labels(space: CompiledSpace, point: Mapping[str, Any]) -> list[str]:
    """Return the labels that are active given the choices of `point` and that it lacks."""
    active = space.activity(_choices_only(space, point)[None, :])[0]
    return [label for label, on in zip(space.labels, active) if on and label not in point]


def _choices_only(space: CompiledSpace, point: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return a row (D,) of the numeric values of a point; anything else is NaN."""
    values = (point.get(label) for label in space.labels)
    return np.array(
        [v if isinstance(v, (int, float, np.number)) else np.nan for v in values], dtype=np.float64
    )


def _missing_text(space: CompiledSpace, label: str, point: Mapping[str, Any]) -> str:
    param = space[label]
    near = difflib.get_close_matches(label, [str(name) for name in point if name not in space], n=1)
    hint = f" (it has {near[0]!r}; did you mean {label!r}?)" if near else ""
    when = describe_conditions(param.conditions)
    return f"the point has no value for {label!r} ({param.path}, active: {when}){hint}; give it a value."


def resolve(space: CompiledSpace, given: Mapping[str, Any], options_first: bool = False) -> dict[str, Any]:
    """Validate a partial point and bring its values into raw form.

    Parameters
    ----------
    space : CompiledSpace
        The space.
    given : mapping of str to object
        Label to raw value; for a choice its index or one of its options.
    options_first : bool
        What a number means that is both an index and an option: the option (declared defaults) or the index (as in
        Hyperopt's points).

    Returns
    -------
    dict of str to object
        Label to plain raw value.

    Raises
    ------
    InvalidPoint
        For an unknown label or a value outside its support.
    """
    for label in given:
        if space.fidelity is not None and label == space.fidelity.label:
            raise InvalidPoint(
                f"{label!r} is the resource ({space.fidelity.path}), which is no part of a point: algorithms decide "
                "it trial by trial, and a trial that you queue gets all of it; leave it out."
            )
        if label not in space:
            near = difflib.get_close_matches(str(label), space.labels, n=1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"it has {', '.join(space.labels) or 'no labels'}."
            )
            raise InvalidPoint(f"the space has no parameter {label!r}; {hint}")
    return {label: _raw_value(space[label], value, options_first) for label, value in given.items()}


def default_problem(param: Param) -> str | None:
    """Say why a parameter cannot take its declared default; None if it can, or if bounds are not known yet.

    Parameters
    ----------
    param : Param
        One that declares a default.
    """
    try:
        _raw_value(param, param.default, options_first=True)
    except InvalidPoint as error:
        return str(error).removesuffix(".").removesuffix(f" ({param.path})")
    return None


def _raw_value(param: Param, value: Any, options_first: bool) -> Any:
    """Return the raw value that a person's value means."""
    if isinstance(value, np.generic):
        value = value.item()
    if param.options is not None:
        return _option_index(param, value, options_first)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidPoint(f"{param.label!r} takes a finite number, got {value!r} ({param.path}).")
    if param.dist is not None and not param.dist.contains(value):
        low, high = param.dist.support
        grid = " on a grid" if param.kind == "grid" else ""
        raise InvalidPoint(
            f"{param.label!r}={value!r} is no value of {law(param)}: its values lie in [{low:g}, {high:g}]{grid} "
            f"({param.path})."
        )
    return param.to_python(value)


def _option_index(param: Param, value: Any, options_first: bool) -> int:
    """Return the index that a choice's value means: itself, or the position of an equal option."""
    options = param.options or ()
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()
    index = int(value) if whole and 0 <= value < len(options) else None
    if index is not None and not options_first:
        return index
    for i, option in enumerate(options):
        if option is value or (type(option) is type(value) and _equal(option, value)):
            return i
    if index is not None:
        return index
    shown = ", ".join(f"{i}: {option!r}" for i, option in enumerate(options))
    raise InvalidPoint(f"{param.label!r}={value!r} is neither an index nor an option; options are {shown}.")


def _equal(a: Any, b: Any) -> bool:
    """Whether two options are equal; arrays and the like count by identity only."""
    same = a == b
    return same if isinstance(same, bool) else False


def complete(space: CompiledSpace, partial: Mapping[str, Any], rng: Generator) -> dict[str, int | float]:
    """Validate a partial point and fill it from the prior; see `CompiledSpace.complete`."""
    given = resolve(space, partial)
    fixed = {**_implied(space, given), **given}
    values = space.columns.decode(space.columns.prior_coords(rng.random((1, len(space)))), fixed=fixed)
    known = space.columns.known(values)
    for label in given:
        column = space.index[label]
        if known[0, column] != values[0, column]:
            reason = ", ".join(f"{name}={values[0, space.index[name]]:g}" for name in space[label].depends_on)
            raise InvalidPoint(
                f"{label!r}={given[label]!r} is outside its bounds given {reason} ({space[label].path})."
            )
    point = space.point(space.mask(values)[0])
    return {label: given.get(label, value) for label, value in point.items()}


def _implied(space: CompiledSpace, given: Mapping[str, Any]) -> dict[str, int]:
    """Return the choices that make the given labels active, where the point itself leaves them open.

    Labels that no choice makes active together with the others are left as they are: inactive.
    """
    wanted = [space[label].conditions for label in given if not space[label].always_active]
    decided = {label: value for label, value in given.items() if space[label].options is not None}
    found = _satisfied(wanted, decided)
    if found is None:
        found = decided
        for conditions in wanted:
            found = _satisfied([conditions], found) or found
    return {label: k for label, k in found.items() if label in space and label not in given}


def _satisfied(wanted: Sequence[Conditions], decided: Mapping[str, int]) -> dict[str, int] | None:
    """Return decisions under which all conditions hold, extending those given; None if there are none."""
    if not wanted:
        return dict(decided)
    for clauses in wanted[0]:
        if all(decided.get(name, k) == k for name, k in clauses):
            found = _satisfied(wanted[1:], {**decided, **dict(clauses)})
            if found is not None:
                return found
    return None
