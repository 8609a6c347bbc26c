"""Which trial is best, and how good the best is: readings of losses that no missing or broken loss can upset.

A trial counts as good when its result has status "ok" and a loss that is a number other than NaN (infinities
count). Everything else is passed over, whatever it carries. Where trials were given different amounts of a declared
resource, the best is sought among those with the most: losses at fewer epochs cannot be compared with them. Called by
the reading side of `Trials`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_NAMES, STATUS_OK, STATUS_PRUNED
from hpspace.trials.fidelity import reach

#: Draws from which the probability of being best is estimated, as in Hyperopt: a standard error below 0.016.
N_PMIN_DRAWS = 1000


def loss_of(result: Mapping[str, Any]) -> float:
    """Return the loss of a result as a float, NaN unless its status is "ok" and the loss a number.

    Examples
    --------
    >>> loss_of({"status": "ok", "loss": 2}), loss_of({"status": "fail", "loss": -99})
    (2.0, nan)
    """
    if result.get("status") != STATUS_OK:
        return math.nan
    return number(result.get("loss"))


def number(value: Any) -> float:
    """Return a value as a float, NaN when it is no real number."""
    if type(value) is float:
        return value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def best_of(docs: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the document with the lowest loss, the first of equals; None when no trial is good.

    Of trials that were given different resources, those with the most compete.
    """
    best, best_standing = None, (math.inf, math.inf)
    for doc in docs:
        place = standing(doc)
        if place < best_standing:
            best, best_standing = doc, place
    return best


def standing(doc: Mapping[str, Any]) -> tuple[float, float]:
    """Return what finished trials are compared by: less is better.

    Parameters
    ----------
    doc : mapping
        A document.

    Returns
    -------
    tuple of float
        First the resource that it was given, negative, minus infinity for the whole: a loss at 3 epochs says little
        beside one at 81. Then the loss. A trial that is not good has NaN for it and is less than nothing.

    Examples
    --------
    >>> few = {"misc": {"fidelity": {"resource": 3, "high": 81}}, "result": {"status": "ok", "loss": 0.1}}
    >>> all_ = {"misc": {}, "result": {"status": "ok", "loss": 0.2}}
    >>> standing(few), standing(all_) < standing(few)
    ((-3.0, 0.1), True)
    """
    loss = loss_of(doc["result"])
    return (math.inf, math.nan) if loss != loss else (-reach(doc), loss)


def comparable(docs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the good documents whose losses can be compared: those at the highest resource that any of them had."""
    good = [(doc, place[0]) for doc in docs if (place := standing(doc))[1] == place[1]]
    most = min((resource for _, resource in good), default=0.0)
    return [doc for doc, resource in good if resource == most]


def why_no_best(docs: Sequence[Mapping[str, Any]]) -> str:
    """Say why there is no best trial: how many trials there are in which state, and the last error.

    Parameters
    ----------
    docs : sequence of mapping
        Documents in every state, errors too.

    Returns
    -------
    str
        The message of `AllTrialsFailed`.
    """
    if not docs:
        return "there are no trials yet"
    text = f"no trial has status 'ok' and a loss that is a number; of {len(docs)} trials: {tally(docs)}"
    errors = [doc for doc in docs if doc["state"] == JOB_STATE_ERROR and doc["misc"].get("error")]
    if errors:
        kind_and_message = ": ".join(str(part) for part in errors[-1]["misc"]["error"][:2])
        text += f"; the last error, of trial {errors[-1]['tid']}: {kind_and_message}"
    return text


def tally(docs: Sequence[Mapping[str, Any]]) -> str:
    """Count documents by state, and finished ones by why they have no loss.

    Examples
    --------
    >>> tally([{"state": 2, "result": {"status": "fail"}}, {"state": 0, "result": {"status": "new"}}])
    '1 new, 1 done (1 without a usable loss)'
    >>> tally([{"state": 2, "result": {"status": "pruned"}}, {"state": 2, "result": {"status": "ok", "loss": 1}}])
    '2 done (1 pruned)'
    """
    counts = Counter(doc["state"] for doc in docs)
    done = [doc["result"] for doc in docs if doc["state"] == JOB_STATE_DONE]
    pruned = sum(result.get("status") == STATUS_PRUNED for result in done)
    useless = sum(math.isnan(loss_of(result)) for result in done) - pruned
    notes = [f"{pruned} pruned"] * bool(pruned) + [f"{useless} without a usable loss"] * bool(useless)
    parts = []
    for state, count in sorted(counts.items()):
        note = f" ({', '.join(notes)})" if state == JOB_STATE_DONE and notes else ""
        plural = "s" if state == JOB_STATE_ERROR and count > 1 else ""
        parts.append(f"{count} {JOB_STATE_NAMES.get(state, state)}{plural}{note}")
    return ", ".join(parts)


def average_best_error(
    losses: NDArray[np.float64], variances: NDArray[np.float64], true_losses: NDArray[np.float64]
) -> float:
    """Average the true losses of the trials that may be best, by the probability that each is.

    Where losses are noisy the trial with the lowest one is often merely lucky. Trials within three standard
    deviations of the best are weighted by P(their expected loss is the lowest), each taken as normal with the
    reported variance. Without variances this is the true loss of the best trial.

    Parameters
    ----------
    losses, variances, true_losses : ndarray, shape (n,)
        Of the good trials; variances in squared units of the loss.

    Returns
    -------
    float
        The average.

    Raises
    ------
    ValueError
        There are no good trials.
    """
    if not len(losses):
        raise ValueError("Empty loss vector: no trial has status 'ok' and a loss that is a number")
    best = int(np.argmin(losses))
    cutoff = losses[best] + 3 * math.sqrt(max(variances[best], 0.0))
    rivals = losses <= cutoff
    if not np.any(variances[rivals] > 0):
        return float(true_losses[best])
    weights = pmin_sampled(losses[rivals], variances[rivals], rng=np.random.default_rng(0))
    return float(weights @ true_losses[rivals])


def pmin_sampled(
    mean: NDArray[np.float64],
    var: NDArray[np.float64],
    n_samples: int = N_PMIN_DRAWS,
    rng: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """Estimate for each of k independent normals the probability that it is the smallest.

    Parameters
    ----------
    mean, var : ndarray, shape (k,)
        Means and variances.
    n_samples : int
        Number of joint draws.
    rng : Generator, optional
        Source of randomness; by default one with a fixed seed, so that equal input gives equal output.

    Returns
    -------
    ndarray, shape (k,)
        Probabilities, summing to 1.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    mean, sd = np.asarray(mean, dtype=np.float64), np.sqrt(np.asarray(var, dtype=np.float64))
    draws = mean + sd * rng.standard_normal((n_samples, len(mean)))  # (n_samples, k)
    return np.bincount(draws.argmin(axis=1), minlength=len(mean)) / n_samples
