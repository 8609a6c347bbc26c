"""Rules that end a run: objects that can be joined, and that fit wherever fmin lets a user decide.

A rule looks at the trials and says why to stop, or None (`Rule.reason`). It keeps nothing between two looks: what it
says depends on the trials alone, those of earlier runs on them included, so a run that is resumed stops where the
unbroken one would have. Passed as `callbacks` or as `early_stop_fn`, a rule is asked once before anything is proposed
and then after each trial that ends; trials that are under way when it says stop are waited for.

Users make rules by the functions of `hpspace.stop`. The one rule with a model is in `regret`.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpspace.run.direction import direction_of
from hpspace.run.stopping import is_count, is_number
from hpspace.trials.bests import best_of, loss_of, standing
from hpspace.trials.direction import MAXIMIZE, shown
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR, STATUS_FAIL, STATUS_OK, STATUS_PRUNED

#: How a trial may have ended, in the words of `max_trials`.
ENDS = (STATUS_OK, STATUS_FAIL, STATUS_PRUNED, "error")


class Rule:
    """Something that says when a run is to end; subclasses define `reason`.

    ``a | b`` stops when either does, ``a & b`` when both do.
    """

    def reason(self, trials: Any) -> str | None:
        """Say why to stop.

        Parameters
        ----------
        trials : Trials
            What there is so far.

        Returns
        -------
        str or None
            None: go on.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say when to stop: define reason(trials)")

    def __call__(self, trials: Any, *_: Any) -> bool:
        """Answer as a callback and as an `early_stop_fn`: whether to stop."""
        return self.reason(trials) is not None

    def on_start(self, trials: Any) -> bool:
        """Stop before anything is evaluated if the trials of earlier runs are enough."""
        return self(trials)

    def on_finished(self, trials: Any, trial: dict[str, Any]) -> bool:
        """Look again, after each trial that has ended."""
        return self(trials)

    def __or__(self, other: Rule) -> Rule:
        return _Either((self, other)) if isinstance(other, Rule) else NotImplemented

    def __and__(self, other: Rule) -> Rule:
        return _Both((self, other)) if isinstance(other, Rule) else NotImplemented


@dataclass(frozen=True)
class _Either(Rule):
    rules: tuple[Rule, ...]

    def reason(self, trials: Any) -> str | None:
        return next((why for rule in self.rules if (why := rule.reason(trials)) is not None), None)

    def __repr__(self) -> str:
        return f"({' | '.join(map(repr, self.rules))})"


@dataclass(frozen=True)
class _Both(Rule):
    rules: tuple[Rule, ...]

    def reason(self, trials: Any) -> str | None:
        reasons: list[str] = []
        for rule in self.rules:
            why = rule.reason(trials)
            if why is None:
                return None
            reasons.append(why)
        return " and ".join(reasons)

    def __repr__(self) -> str:
        return f"({' & '.join(map(repr, self.rules))})"


@dataclass(frozen=True)
class MaxTrials(Rule):
    """See `max_trials`."""

    n: int
    states: tuple[str, ...]

    def reason(self, trials: Any) -> str | None:
        """Say that there are enough."""
        ends = Counter(map(_end, ended(trials)))
        count = sum(ends[state] for state in self.states)
        return f"{count} trials are {' or '.join(self.states)}" if count >= self.n else None

    def __repr__(self) -> str:
        return f"max_trials({self.n}, states={self.states!r})"


def max_trials(n: int, states: str | Sequence[str] = (STATUS_OK,)) -> Rule:
    """Stop when so many trials have ended in a certain way.

    Parameters
    ----------
    n : int
        How many, at least 1.
    states : str or sequence of str
        Which count: "ok" (a loss that is a number), "fail", "pruned", "error" (the objective raised).

    Returns
    -------
    Rule
        With several trials at a time, those under way when it says stop come on top.

    Raises
    ------
    ValueError
        For less than one trial, or a word that is none of those.

    Examples
    --------
    >>> from hpspace import fmin, hp, stop
    >>> def half(x):
    ...     return {"status": "ok", "loss": x} if x < 0.5 else {"status": "fail"}
    >>> best = fmin(half, hp.uniform("x", 0, 1), "rand", 99, rstate=0, verbose=False, callbacks=stop.max_trials(5))
    >>> sum(loss is not None for loss in best.trials.losses())
    5
    """
    several = (states,) if isinstance(states, str) else tuple(states)
    for state in several:
        if state not in ENDS:
            near = difflib.get_close_matches(str(state), ENDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"max_trials(states={states!r}): {state!r} is none of {ENDS}{hint}")
    return MaxTrials(_at_least_one("max_trials", n), several)


@dataclass(frozen=True)
class NoImprovement(Rule):
    """See `no_improvement`."""

    n: int
    min_delta: float
    percent: float

    def reason(self, trials: Any) -> str | None:
        """Say for how many trials nothing has become better."""
        best: tuple[float, float] | None = None
        stale = 0
        for doc in ended(trials):
            place = standing(doc) if doc["state"] == JOB_STATE_DONE else (math.inf, math.nan)
            stale += 1
            if place[1] == place[1] and (best is None or place < (best[0], best[1] - self._step(best[1]))):
                best, stale = place, 0
        return f"no improvement in {stale} trials" if stale >= self.n else None

    def _step(self, best: float) -> float:
        share = abs(best) * self.percent / 100.0 if self.percent else 0.0
        return max(self.min_delta, share)

    def __repr__(self) -> str:
        return f"no_improvement({self.n}, min_delta={self.min_delta}, percent={self.percent})"


def no_improvement(n: int, min_delta: float = 0.0, percent: float = 0.0) -> Rule:
    """Stop when so many trials in a row have not made the best better.

    Where trials are given different resources, the best is that of the highest resource, and a higher one is better.

    Parameters
    ----------
    n : int
        How many trials, at least 1; those that failed or were pruned count too.
    min_delta : float
        What is better by no more than this is not better, in units of the loss.
    percent : float
        The same as a percentage of the best's magnitude; the larger of the two counts.

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        For less than one trial, or a negative step.
    """
    for name, value in (("min_delta", min_delta), ("percent", percent)):
        if not (is_number(value) and value >= 0):
            raise ValueError(f"no_improvement({name}={value!r}): pass a number >= 0")
    return NoImprovement(_at_least_one("no_improvement", n), float(min_delta), float(percent))


@dataclass(frozen=True)
class Target(Rule):
    """See `target`."""

    value: float

    def reason(self, trials: Any) -> str | None:
        """Say that the target is reached."""
        best = best_of(trials.trials)
        if best is None:
            return None
        direction = direction_of(trials)
        found = shown(loss_of(best["result"]), direction)
        reached = found >= self.value if direction == MAXIMIZE else found <= self.value
        return f"{found} reaches the target {self.value}" if reached else None

    def __repr__(self) -> str:
        return f"target({self.value})"


def target(value: float) -> Rule:
    """Stop when a trial is as good as this, or better.

    Parameters
    ----------
    value : float
        In the direction asked for: at most this when minimising, at least this when maximising. (`loss_threshold`
        of `fmin` has to be passed, not only reached.)

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        For NaN, and what is no number.
    """
    if not is_number(value):
        raise ValueError(f"target({value!r}): pass a number")
    return Target(float(value))


def _at_least_one(rule: str, n: Any) -> int:
    if not is_count(n):
        raise ValueError(f"{rule}({n!r}): pass a number of trials, 1 or more")
    return int(n)


def ended(trials: Any) -> list[Mapping[str, Any]]:
    """Return the documents of the trials that ended with a result or an error, in order of insertion."""
    docs = trials.documents() if hasattr(trials, "documents") else trials.trials
    return [doc for doc in docs if doc["state"] in (JOB_STATE_DONE, JOB_STATE_ERROR)]


def _end(doc: Mapping[str, Any]) -> str:
    """Return the word of `ENDS` for a trial that ended."""
    if doc["state"] == JOB_STATE_ERROR:
        return "error"
    if doc["result"].get("status") == STATUS_PRUNED:
        return STATUS_PRUNED
    loss = loss_of(doc["result"])
    return STATUS_OK if loss == loss else STATUS_FAIL
