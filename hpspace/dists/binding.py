"""From the arguments of a call to arguments by name, reporting every slip instead of raising at the first.

Values are not looked at: an argument may be a number or an expression of other parameters. Used when a space
is built or compiled, where all findings are shown together with label and place.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from hpspace.dists.base import REQUIRED, Finding, Parameter
from hpspace.dists.registry import get

#: Names that other libraries use for the same arguments.
SYNONYMS = {
    "min": "low", "lower": "low", "minimum": "low", "start": "low", "a": "low",
    "max": "high", "upper": "high", "maximum": "high", "stop": "high", "b": "high",
    "mean": "mu", "loc": "mu", "std": "sigma", "sd": "sigma", "stddev": "sigma", "scale": "sigma",
    "step": "q", "probs": "p", "weights": "p", "probabilities": "p",
}  # fmt: skip


def _nearest(wrong: str, known: Sequence[str]) -> str | None:
    """Return the argument that a misspelt one means, None if nothing is near."""
    if SYNONYMS.get(wrong.lower()) in known:
        return SYNONYMS[wrong.lower()]
    close = difflib.get_close_matches(wrong.lower(), known, n=1)
    return close[0] if close else None


def _signature(name: str, parameters: Sequence[Parameter]) -> str:
    shown = (p.name if p.default is REQUIRED else f"{p.name}={p.default!r}" for p in parameters)
    return f"{name}({', '.join(shown)})"


def _by_position(
    args: Sequence[Any], parameters: Sequence[Parameter], usage: str
) -> tuple[dict[str, Any], list[Finding]]:
    bound = {parameter.name: value for parameter, value in zip(parameters, args)}
    extra = args[len(parameters) :]
    return bound, [
        ("", value, f"{value!r} is one positional argument too many", f"write {usage}") for value in extra
    ]


def _upper_bound_alone(
    args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], dict[str, Any], list[Finding]]:
    """Rewrite the forms of randint in which one argument is the upper bound."""
    keywords = dict(kwargs)
    findings: list[Finding] = []
    if "upper" in keywords:
        upper = keywords.pop("upper")
        if "high" in keywords or len(args) > 1:
            findings.append(
                ("upper", upper, "upper and high are the same bound, given twice", "leave out upper")
            )
        else:
            keywords["high"] = upper
    elif len(args) == 1 and "high" not in keywords:
        keywords["high"], args = args[0], ()
    return args, keywords, findings


def bind(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Bind the arguments of a distribution's call to their names.

    Parameters
    ----------
    name : str
        Registered name. ``"uniformint"`` is understood as `quniform` with q = 1, whatever q was given.
    args : sequence of object
        Positional arguments, without the label.
    kwargs : mapping of str to object
        Keyword arguments, without ``rng`` and ``size``. ``randint`` also takes one bound alone, as ``upper``.

    Returns
    -------
    bound : dict of str to object
        The arguments that were given, by name; those with a default may be absent.
    findings : list of Finding
        Surplus, doubled, misspelt and missing arguments.

    Examples
    --------
    >>> bind("randint", (5,), {})
    ({'high': 5}, [])
    >>> bind("uniform", (0,), {"hihg": 1})[1]
    [('hihg', 1, "there is no argument 'hihg'", 'did you mean high? write uniform(low, high)')]
    """
    findings: list[Finding] = []
    if name == "uniformint":
        bound, findings = bind("uniform", args, {k: v for k, v in kwargs.items() if k != "q"})
        return {**bound, "q": 1.0}, findings
    if name == "randint":
        args, kwargs, findings = _upper_bound_alone(args, kwargs)
    parameters = get(name).parameters()
    usage = "randint(upper) or randint(low, high)" if name == "randint" else _signature(name, parameters)
    bound, surplus = _by_position(args, parameters, usage)
    return _by_keyword(bound, kwargs, parameters, usage, [*findings, *surplus])


def _by_keyword(
    bound: dict[str, Any],
    kwargs: Mapping[str, Any],
    parameters: Sequence[Parameter],
    usage: str,
    findings: list[Finding],
) -> tuple[dict[str, Any], list[Finding]]:
    known = [parameter.name for parameter in parameters]
    meant = set()
    for key, value in kwargs.items():
        if key in bound:
            findings.append(
                (key, value, f"{key} is given twice, by position and by keyword", f"write {usage}")
            )
        elif key in known:
            bound[key] = value
        else:
            guess = _nearest(key, known)
            meant.add(guess)
            fix = f"did you mean {guess}? write {usage}" if guess else f"write {usage}"
            findings.append((key, value, f"there is no argument {key!r}", fix))
    findings += [
        (parameter.name, None, f"the argument {parameter.name} is missing", f"write {usage}")
        for parameter in parameters
        if parameter.default is REQUIRED and parameter.name not in bound and parameter.name not in meant
    ]
    return bound, findings
