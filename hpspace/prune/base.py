"""What a pruner is, its verdict, and how `fmin(pruner=...)` is read.

A pruner answers one question, put after each report of a running trial: is this curve so bad beside the others that
the trial should stop? It is a value without memory: the answer is a function of the curve, of the other curves, and
of nothing else, so it can be put again, in another process too, and tested with a table. Every answer gives its
reason.

Curves hold what is minimised; see `hpspace.prune.curves`. Objectives, trials and stores are unknown here.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from hpspace.prune.curves import Curve, Curves

P = TypeVar("P", bound=type)


@dataclass(frozen=True)
class Verdict:
    """An answer to "should this trial stop now?".

    Parameters
    ----------
    stop : bool
        The answer.
    reason : str
        Why, with numbers, never empty.
    """

    stop: bool
    reason: str


@runtime_checkable
class Pruner(Protocol):
    """Decides whether running trials stop.

    Laws: `decide` changes nothing, gives the same verdict for the same curves, does not depend on the order of the
    other curves, and its reason is not empty. Rules that compare never stop a trial that has nothing to be compared
    with.
    """

    def decide(self, curve: Curve, others: Curves) -> Verdict:
        """Answer after the last report of `curve`.

        Parameters
        ----------
        curve : Curve
            The trial in question; it has reported at least once.
        others : Curves
            All other trials, running, finished and pruned ones.

        Returns
        -------
        Verdict
        """


@dataclass(frozen=True)
class Custom:
    """A pruner made of a function of the trials themselves.

    Parameters
    ----------
    function : callable
        ``function(trials, trial)`` with the trials and the running trial's document (its reports are in
        ``trial["misc"]["reports"]``, with the sign of what is minimised); a true result stops the trial.
    """

    function: Callable[[Any, dict[str, Any]], Any]

    def decide_trial(self, trials: Any, trial: dict[str, Any]) -> Verdict:
        """Answer for one trial; see `Pruner.decide`."""
        stop = bool(self.function(trials, trial))
        name = getattr(self.function, "__qualname__", None) or type(self.function).__name__
        return Verdict(stop, f"{name} returned {stop}")


#: Pruners by the name that `fmin(pruner=...)` takes.
PRUNERS: dict[str, type] = {}


def register(name: str) -> Callable[[P], P]:
    """Return a class decorator that gives a pruner a name; without arguments it must be usable.

    Parameters
    ----------
    name : str
        What users write.
    """

    def decorate(cls: P) -> P:
        PRUNERS[name] = cls
        return cls

    return decorate


def pruner_from(value: Any, resource: tuple[float, float, int] | None = None) -> Pruner | Custom | None:
    """Read the argument `pruner` of `fmin`.

    Parameters
    ----------
    value : None, str, Pruner, class of one, or callable
        A registered name, a pruner, or ``f(trials, trial) -> bool``.
    resource : (number, number, int), optional
        Least and greatest amount and the factor `eta` of the resource that the search has declared, for pruners that
        plan with it and were not told. Amounts that are no whole numbers are no steps, and count as not declared.

    Returns
    -------
    Pruner, Custom or None
        None prunes nothing.

    Raises
    ------
    ValueError
        An unknown name, or a pruner that needs a resource when none is declared.
    TypeError
        Something else.

    Examples
    --------
    >>> from hpspace.prune import Median
    >>> pruner_from("median") == Median()
    True
    >>> pruner_from("MedianPruner")
    Traceback (most recent call last):
    ...
    ValueError: pruner='MedianPruner' is none of asha, hyperband, median, patient, percentile, threshold, wilcoxon;
    did you mean 'median'?
    """
    pruner = named(value)
    planned = getattr(pruner, "planned", None)
    return pruner if planned is None else planned(resource)


def named(value: Any) -> Pruner | Custom | None:
    """Read a pruner as `pruner_from` does, but let it plan nothing yet."""
    if value is None:
        return None
    if isinstance(value, str):
        if value not in PRUNERS:
            near = difflib.get_close_matches(value.lower().removesuffix("pruner"), PRUNERS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"pruner={value!r} is none of {', '.join(sorted(PRUNERS))}{hint}")
        value = PRUNERS[value]
    if isinstance(value, type):
        value = value()
    if isinstance(value, (Custom, Pruner)):
        return value
    if callable(value):
        return Custom(value)
    raise TypeError(
        f"pruner={value!r} is no pruner: pass a name ({', '.join(sorted(PRUNERS))}), an object of hpspace.prune, or "
        "a function (trials, trial) -> bool"
    )


# -- when to decide ----------------------------------------------------------------------------------------


def waits(curve: Curve, warmup_steps: int, interval_steps: int) -> str | None:
    """Say why it is not the time for a decision yet.

    Decisions are due at `warmup_steps` and every `interval_steps` from there, each at the first question at or after
    that step.

    Parameters
    ----------
    curve : Curve
        The trial.
    warmup_steps, interval_steps : int
        As above.

    Returns
    -------
    str or None
        The reason; None if a decision is due.

    Examples
    --------
    >>> waits(Curve.of([0.5, 0.4, 0.3]), warmup_steps=5, interval_steps=1)
    'step 2: no decision before step 5'
    >>> waits(Curve.of([0.5, 0.4, 0.3]), warmup_steps=0, interval_steps=2) is None
    True
    """
    if curve.step < warmup_steps:
        return f"step {curve.step}: no decision before step {warmup_steps}"
    due = (curve.step - warmup_steps) // interval_steps * interval_steps + warmup_steps
    if curve.asked >= due:
        return f"step {curve.step}: the next decision is at step {due + interval_steps}"
    return None


def at_the_end(curve: Curve) -> str:
    """Say why a trial that has come as far as finished ones is not stopped any more."""
    return f"step {curve.step}: no finished trial went further, so that stopping here saves nothing"


def check_count(owner: str, name: str, value: Any, least: int) -> None:
    """Raise ValueError unless an argument of a pruner is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{owner}: {name}={value!r} must be a whole number of at least {least}")


def is_number(value: Any) -> bool:
    """Whether a value is a real number, no bool; NaN is one."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
