"""The rules that every store applies in the same way: what may be inserted, what makes two documents one trial.

Pure functions on documents; which documents there are, and what makes a move atomic, is each store's business.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from typing import Any

from hpspace.exceptions import InvalidTrial
from hpspace.trials.bests import loss_of
from hpspace.trials.document import JOB_STATE_DONE, validate

#: Type of the error of a trial that was claimed too often by evaluators that vanished.
WORKER_LOST = "WorkerLost"


def worker_lost(attempts: int, owner: Any, exitcode: int | None = None) -> tuple[str, str]:
    """Return the error of a trial that `Store.reap` gives up, as ``doc["misc"]["error"]`` holds it.

    Examples
    --------
    >>> worker_lost(3, "host:41", -9)
    ('WorkerLost', 'its evaluator vanished 3 times, the last time host:41 with exit code -9; the trial is given up')
    """
    code = "" if exitcode is None else f" with exit code {exitcode}"
    return WORKER_LOST, (
        f"its evaluator vanished {attempts} times, the last time {owner}{code}; the trial is given up"
    )


def new_token() -> str:
    """Return a random text that proves a claim: 128 bits."""
    return secrets.token_hex(16)


def check_insertable(doc: Any) -> None:
    """Refuse what is no trial document, or has an id that stores cannot keep.

    Raises
    ------
    InvalidTrial
        Naming what is wrong.
    """
    validate(doc, doc["exp_key"] if isinstance(doc, Mapping) and "exp_key" in doc else None)
    tid, exp_key = doc["tid"], doc["exp_key"]
    if not isinstance(tid, int) or isinstance(tid, bool) or not 0 <= tid < 2**63:
        raise InvalidTrial(f"a stored trial needs an int from 0 as its tid, not {tid!r}", doc)
    if exp_key is not None and (not isinstance(exp_key, str) or exp_key == ""):
        raise InvalidTrial(f"trial {tid}: exp_key must be a text, not empty, or None; it is {exp_key!r}", doc)


def same_trial(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents are of one trial: id, experiment and point are equal, whatever has happened since."""
    return all(one[key] == other[key] for key in ("tid", "exp_key")) and bool(
        one["misc"]["vals"] == other["misc"]["vals"]
    )


def tid_taken(doc: Mapping[str, Any]) -> InvalidTrial:
    """Return the error of an insert whose tid another trial has."""
    return InvalidTrial(
        f"a trial with tid {doc['tid']!r} is in the store already, with another point; take ids of new_tids(n)",
        doc,
    )


def best_loss_of(doc: Mapping[str, Any]) -> float | None:
    """Return the loss by which a trial may be the best of its experiment; None if it cannot be."""
    loss = loss_of(doc["result"]) if doc["state"] == JOB_STATE_DONE else math.nan
    return None if math.isnan(loss) else loss
