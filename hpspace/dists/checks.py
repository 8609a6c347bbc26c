"""The rules for constant arguments, shared by the distributions' `faults` methods.

Each rule returns its findings instead of raising, so that a space is reported whole. Rules are silent about
arguments that are not given (these may be expressions whose value is not known yet).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hpspace.dists.base import Finding
from hpspace.dists.scales import MAX_EXPONENT


def number(value: Any) -> float | None:
    """Return a value as float, None if it is no number.

    Parameters
    ----------
    value : object
        Any argument; text and bools are no numbers.

    Returns
    -------
    float or None
        The number, possibly infinite or NaN.
    """
    if isinstance(value, (bool, np.bool_, str, bytes, complex)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def numbers(args: Mapping[str, Any], *names: str) -> tuple[dict[str, float], list[Finding]]:
    """Read arguments that must be finite numbers.

    Parameters
    ----------
    args : mapping of str to object
        The known arguments.
    *names : str
        Which of them to read.

    Returns
    -------
    read : dict of str to float
        Those that are finite numbers.
    findings : list of Finding
        The others.
    """
    read: dict[str, float] = {}
    findings: list[Finding] = []
    for name in names:
        if name not in args:
            continue
        value = number(args[name])
        if value is None:
            findings.append(
                (name, args[name], f"{name}={args[name]!r} is not a number", "write a finite number")
            )
        elif not math.isfinite(value):
            findings.append(
                (name, args[name], f"{name}={args[name]!r} is not finite", "write a finite number")
            )
        else:
            read[name] = value
    return read, findings


def ordered(args: Mapping[str, Any], *, strict: bool = True, fix: str = "") -> list[Finding]:
    """Check that low and high are finite numbers in that order.

    Parameters
    ----------
    args : mapping of str to object
        The known arguments.
    strict : bool
        Whether equal bounds are wrong too.
    fix : str
        What to write instead; default: swap them.

    Returns
    -------
    list of Finding
        What is wrong with the bounds.
    """
    read, findings = numbers(args, "low", "high")
    if len(read) < 2:
        return findings
    low, high = read["low"], read["high"]
    if low > high or (strict and low == high):
        swap = (
            "for a single value write the constant"
            if low == high
            else f"swap them: low={high:g}, high={low:g}"
        )
        problem = f"low should be less than high: {args['low']!r} is not smaller than {args['high']!r}"
        findings.append(("low", args["low"], problem, fix or swap))
    elif not math.isfinite(high - low):
        findings.append(
            ("high", args["high"], f"high - low overflows for {low!r} and {high!r}", "narrow the bounds")
        )
    return findings


def exponents(args: Mapping[str, Any]) -> list[Finding]:
    """Check bounds that are natural logarithms: ordered, and with a finite exponential.

    Parameters
    ----------
    args : mapping of str to object
        The known arguments.

    Returns
    -------
    list of Finding
        What is wrong with the bounds.
    """
    findings = ordered(args)
    high = numbers(args, "high")[0].get("high", 0.0)
    if high > MAX_EXPONENT:
        fix = f"for values up to {high:g} write high=log({high:g})"
        findings.append(
            ("high", args["high"], f"high is a natural logarithm, and exp({high:g}) overflows", fix)
        )
    return findings


def positive(args: Mapping[str, Any], name: str, meaning: str, fix: str) -> list[Finding]:
    """Check that one argument is a finite number greater than 0.

    Parameters
    ----------
    args : mapping of str to object
        The known arguments.
    name : str
        Which one.
    meaning : str
        What it is, completing "name is ...".
    fix : str
        What to write instead of a value that is not positive.

    Returns
    -------
    list of Finding
        What is wrong with it.
    """
    read, findings = numbers(args, name)
    if name in read and read[name] <= 0:
        findings.append(
            (name, args[name], f"{name}={args[name]!r}: {name} is {meaning} and must be > 0", fix)
        )
    return findings


def whole(args: Mapping[str, Any], *names: str) -> list[Finding]:
    """Check that arguments which are finite numbers are whole ones.

    Parameters
    ----------
    args : mapping of str to object
        The known arguments.
    *names : str
        Which of them.

    Returns
    -------
    list of Finding
        Those with a fractional part.
    """
    read, _ = numbers(args, *names)
    return [
        (
            name,
            args[name],
            f"{name}={args[name]!r} is not a whole number",
            f"write {name}={math.floor(value)}",
        )
        for name, value in read.items()
        if value != math.floor(value)
    ]
