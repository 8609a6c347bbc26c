"""Why a trial was proposed: what a Parzen estimator knew at that moment, and what it made of it.

A proposal follows from the trials before it. So they are put back into the state they were in when the trial was
started, the algorithm is asked to explain the trial's point with them, and positions become trial ids and labels
again. Nothing is recorded during a search: any trial can be explained afterwards, also those of another algorithm
("what would tpe have thought of this point?").

Not here: the densities. `hpspace.tpe.explain` is the door.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpspace.history import History
from hpspace.space.compile import compile_space
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest import base
from hpspace.suggest.tpe.curve import Curve, Explains, curve
from hpspace.trials import codec
from hpspace.trials.document import JOB_STATE_CANCEL, JOB_STATE_NEW, JOB_STATE_RUNNING


@dataclass(frozen=True)
class LabelReason:
    """What one parameter contributed.

    Parameters
    ----------
    value : int or float
        The trial's raw value.
    log_good, log_bad : float
        Log density of the value among the good and among the bad trials: of a number relative to the declared
        distribution (tpe) or per unit of its line (the published models), of a grid's value or a code its probability.
    """

    value: int | float
    log_good: float
    log_bad: float

    @property
    def log_ratio(self) -> float:
        """How much more likely the value is among the good trials."""
        return self.log_good - self.log_bad


@dataclass(frozen=True, eq=False)
class Reasons:
    """Why a trial was proposed; what `hpspace.tpe.explain` returns.

    Parameters
    ----------
    tid : hashable
        Id of the trial.
    point : dict of str to int or float
        Its raw values by label.
    from_prior : bool
        Whether there were too few trials for a model: the proposal was a draw from the declared distributions, and
        what follows is what the model would have said.
    good, bad : list of hashable
        Ids of the trials that counted as good, best first, and as bad.
    weights : list of float
        How much each good trial counted; their mean is 1.
    score : float
        What proposals were ranked by; the greater, the more promising.
    log_good, log_bad : float
        Log joint densities of the whole point among the good and the bad trials.
    log_improvement : float or None
        Log expected improvement under the trend of the losses; None where that did not join.
    labels : dict of str to LabelReason
        What each active parameter contributed, in the space's order.
    """

    tid: Any
    point: Mapping[str, int | float]
    from_prior: bool
    good: list[Any]
    bad: list[Any]
    weights: list[float]
    score: float
    log_good: float
    log_bad: float
    log_improvement: float | None
    labels: Mapping[str, LabelReason]
    _algorithm: Explains = dataclasses.field(repr=False)
    _history: History = dataclasses.field(repr=False)

    def __str__(self) -> str:
        how = "drawn from the prior" if self.from_prior else f"score {self.score:.3g}"
        if self.log_improvement is not None and not self.from_prior:
            how += f", log expected improvement {self.log_improvement:.3g}"
        head = f"trial {self.tid}: {how}; {len(self.good)} good and {len(self.bad)} bad trials"
        rows = [("label", "value", "log good", "log bad", "log ratio")]
        rows += [
            (label, f"{r.value:.6g}", f"{r.log_good:.3f}", f"{r.log_bad:.3f}", f"{r.log_ratio:+.3f}")
            for label, r in self.labels.items()
        ]
        whole = ("(joint)", "", f"{self.log_good:.3f}", f"{self.log_bad:.3f}")
        rows.append((*whole, f"{self.log_good - self.log_bad:+.3f}"))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        return "\n".join([head, *lines])

    def curve(self, label: str, points: int = 200) -> Curve:
        """Return the densities of one parameter among the good and the bad trials.

        Parameters
        ----------
        label : str
            Which parameter; the trial need not have it.
        points : int
            At how many values; fewer where there are fewer.

        Returns
        -------
        Curve

        Raises
        ------
        ValueError
            If the space has no such label, or it depends on a parameter that the trial lacks.
        """
        space = self._history.space
        if label not in space:
            raise ValueError(f"the space has no label {label!r}; it has {', '.join(space.labels)}")
        missing = [other for other in space[label].depends_on if other not in self.point]
        if missing:
            raise ValueError(f"{label!r} depends on {missing[0]!r}, which trial {self.tid} lacks")
        return curve(self._algorithm, space, self._history, space.row(self.point), label, points)


def explain(
    space: Any, trials: Any, tid: Any = None, algo: str | Explains = "tpe", **parameters: Any
) -> Reasons:
    """Return why a trial was proposed.

    Parameters
    ----------
    space : object
        The search space, as passed to `fmin`, or compiled.
    trials : Trials
        The trials; they are not changed.
    tid : hashable, optional
        Id of the trial to explain, by default the latest.
    algo : str or object
        Name of a Parzen estimator ("tpe", "tpe-hyperopt03" or "tpe-optuna5"), or one as an object.
    **parameters
        Parameters of the algorithm that differ from its defaults, as they were in the search.

    Returns
    -------
    Reasons
        Its text is a table; its method `curve` gives the densities of a parameter.

    Raises
    ------
    ValueError
        If there is no such trial, or the trials were given different resources.
    TypeError
        If the algorithm does not explain itself, or has no such parameter.

    Notes
    -----
    Trials that were running when the trial was started count as running, by the times in the documents. A trial of a
    queue (``max_queue_len``) was proposed a little earlier than it was started; what finished in between counts as
    finished. Of the proposals that tpe makes inside one option (`explore_options`) the overall densities are shown.

    Examples
    --------
    >>> from hpspace import Trials, fmin, hp
    >>> space, trials = {"x": hp.uniform("x", -5, 5)}, Trials()
    >>> best = fmin(lambda c: (c["x"] - 2) ** 2, space, max_evals=30, trials=trials, rstate=0, verbose=False)
    >>> why = explain(space, trials, tid=25)
    >>> len(why.good), len(why.bad), why.from_prior
    (3, 22, False)
    >>> why.labels["x"].log_ratio > 0
    True
    >>> drawn = why.curve("x")
    >>> bool(abs(drawn.values[drawn.good.argmax()] - 2) < 1)
    True
    """
    compiled = space if isinstance(space, CompiledSpace) else compile_space(space)
    if compiled.fidelity is not None:
        raise ValueError("explain: trials that were given different resources cannot be explained")
    algorithm = _explaining(algo, parameters)
    before, trial = _as_then(trials, tid)
    mirror = codec.Mirror(compiled)
    history = mirror.sync(before)
    row = codec.history_rows([trial], compiled)
    why = algorithm.explain(compiled, history, row)
    good, bad = ([mirror.document(i)["tid"] for i in rows.tolist()] for rows in (why.good, why.bad))
    point = compiled.point(row[0])
    columns = {label: compiled.index[label] for label in point}
    log_good, log_bad = why.log_good_marginals[0], why.log_bad_marginals[0]
    return Reasons(
        tid=trial["tid"],
        point=point,
        from_prior=algorithm.is_starting(history),
        good=good,
        bad=bad,
        weights=why.weights.tolist(),
        score=float(why.score[0]),
        log_good=float(why.log_good[0]),
        log_bad=float(why.log_bad[0]),
        log_improvement=None if why.log_improvement is None else float(why.log_improvement[0]),
        labels={
            label: LabelReason(point[label], float(log_good[c]), float(log_bad[c]))
            for label, c in columns.items()
        },
        _algorithm=algorithm,
        _history=history,
    )


def _explaining(algo: str | Explains, parameters: Mapping[str, Any]) -> Explains:
    """Return the algorithm, with its parameters set."""
    algorithm: Any = base.get(algo) if isinstance(algo, str) else algo
    if not hasattr(algorithm, "explain"):
        known = ", ".join(name for name in base.names() if hasattr(base.get(name), "explain"))
        raise TypeError(f"algo={algo!r} does not explain itself; these do: {known}")
    explaining: Explains = dataclasses.replace(algorithm, **parameters) if parameters else algorithm
    return explaining


def _as_then(trials: Any, tid: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the documents before a trial, those that were not finished when it started as running; and its own.

    A trial that has not started was proposed just now.
    """
    docs = [doc for doc in _documents(trials) if doc["state"] != JOB_STATE_CANCEL]
    tids = [doc["tid"] for doc in docs]
    if tid is None and docs:
        tid = tids[-1]
    if tid not in tids:
        shown = f"there are {len(tids)}, from {tids[0]!r} to {tids[-1]!r}" if tids else "there are none"
        raise ValueError(f"explain: no trial has the id {tid!r}; {shown}")
    place = tids.index(tid)
    started = docs[place]["book_time"]
    return [_unfinished_at(doc, started) for doc in docs[:place]], docs[place]


def _documents(trials: Any) -> list[dict[str, Any]]:
    return list(trials.documents() if hasattr(trials, "documents") else trials.trials)


def _unfinished_at(doc: dict[str, Any], time: Any) -> dict[str, Any]:
    """Return a document, or a copy in state RUNNING if it was finished after a time."""
    running = doc["state"] in (JOB_STATE_NEW, JOB_STATE_RUNNING)
    if running or time is None or doc["refresh_time"] is None or doc["refresh_time"] <= time:
        return doc
    return {**doc, "state": JOB_STATE_RUNNING}
