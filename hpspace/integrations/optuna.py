"""Trials from and to Optuna: a study of any of its storages becomes trials of hpspace, and the other way round.

==============================  ===================================================================
Optuna                          hpspace
==============================  ===================================================================
number                          tid
value                           ``result["loss"]``, negated where the study maximises
intermediate values             ``misc["reports"]``
PRUNED, FAIL                    status "pruned", state ERROR
RUNNING, WAITING                left out, as are trials of hpspace without an outcome
a categorical value             the index of its option
user attributes                 ``misc["user_attrs"]``
==============================  ===================================================================

Optuna knows which parameters a trial had and not when a parameter exists, so the space of imported trials is flat. What
Optuna's distributions cannot say (a normal distribution, a quantised one) is exported as the range of its values.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpspace import hp
from hpspace.exceptions import MissingExtra
from hpspace.space.compile import compile_space
from hpspace.trials.direction import shown
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    STATUS_OK,
    STATUS_PRUNED,
    new_document,
)
from hpspace.trials.joining import join
from hpspace.trials.trials import Trials

if TYPE_CHECKING:
    import optuna

Document = dict[str, Any]


def from_optuna(study: optuna.Study, into: Any = None) -> Any:
    """Return the trials of a study.

    Parameters
    ----------
    study : optuna.Study
        With one objective; ``optuna.load_study(study_name=..., storage=...)`` opens one.
    into : Trials, optional
        Add them to these, see `hpspace.trials.joining`; by default new trials in memory are made.

    Returns
    -------
    Trials
        Those that hold them now, with the direction and a flat space.

    Raises
    ------
    ValueError
        The study has several objectives.
    DirectionMismatch
        The trials of `into` are of a search in the other direction.
    """
    _optuna()
    if len(study.directions) != 1:
        raise ValueError(
            f"the study {study.study_name!r} has {len(study.directions)} objectives; trials have one"
        )
    direction = study.direction.name.lower()
    frozen = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    target = Trials() if into is None else into
    space = _space_of(frozen)
    join(target, [_document_of(trial, list(space), direction) for trial in frozen], direction)
    if space:
        target.remember_space(compile_space(space))
    return target


def to_optuna(trials: Any, study: optuna.Study | None = None) -> optuna.Study:
    """Add trials to a study.

    Parameters
    ----------
    trials : Trials
        Of any store. Those without an outcome are left out.
    study : optuna.Study, optional
        Where to, of any of Optuna's storages; by default a new one in memory.

    Returns
    -------
    optuna.Study

    Raises
    ------
    ValueError
        The study looks in the other direction, or for several things.
    """
    optuna = _optuna()
    study = optuna.create_study(direction=trials.direction) if study is None else study
    if [direction.name.lower() for direction in study.directions] != [trials.direction]:
        raise ValueError(
            f"the study {study.study_name!r} is to "
            f"{' and '.join(direction.name.lower() for direction in study.directions)}, and the trials are to "
            f"{trials.direction}"
        )
    docs = [doc for doc in trials.documents() if doc["state"] in (JOB_STATE_DONE, JOB_STATE_ERROR)]
    distributions = _distributions_of(docs, trials.space)
    study.add_trials([_frozen(doc, distributions, trials.direction) for doc in docs])
    return study


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingExtra("optuna", "optuna") from None
    return optuna


# -- from Optuna ---------------------------------------------------------------------------------------------


def _space_of(trials: list[optuna.trial.FrozenTrial]) -> dict[str, Any]:
    """Return a flat space with each parameter that some trial has and that can vary."""
    ranges: dict[str, list[Any]] = {}
    for trial in trials:
        for label, distribution in trial.distributions.items():
            ranges.setdefault(label, []).append(distribution)
    leaves = {label: _leaf(label, distributions) for label, distributions in ranges.items()}
    return {label: leaf for label, leaf in leaves.items() if leaf is not None}


def _leaf(label: str, distributions: list[Any]) -> Any:
    """Return the parameter that covers what a label was drawn from; None if it cannot vary."""
    first = distributions[0]
    if hasattr(first, "choices"):
        return hp.categorical(label, list(first.choices))
    low, high = min(d.low for d in distributions), max(d.high for d in distributions)
    if low == high:
        return None
    if isinstance(first.low, int):
        return hp.int(label, low, high, log=first.log, step=first.step)
    return hp.float(label, low, high, log=first.log, step=first.step)


def _document_of(trial: optuna.trial.FrozenTrial, labels: list[str], direction: str) -> Document:
    point = {label: _raw(trial.distributions[label], value) for label, value in trial.params.items()}
    doc = new_document(trial.number, point, [*labels, *(label for label in point if label not in labels)])
    misc = doc["misc"]
    if trial.intermediate_values:
        misc["reports"] = [
            [step, shown(v, direction)] for step, v in sorted(trial.intermediate_values.items())
        ]
    if trial.user_attrs:
        misc["user_attrs"] = dict(trial.user_attrs)
    doc["book_time"] = _utc(trial.datetime_start)
    doc["refresh_time"] = _utc(trial.datetime_complete)
    doc.update(_outcome_of(trial, direction, misc))
    return doc


def _outcome_of(trial: optuna.trial.FrozenTrial, direction: str, misc: Document) -> Document:
    """Return state and result of a trial."""
    state = trial.state.name
    if state == "COMPLETE":
        result = {"status": STATUS_OK, "loss": shown(float(trial.values[0]), direction)}
        if direction == "maximize":
            result["value"] = float(trial.values[0])
        return {"state": JOB_STATE_DONE, "result": result}
    if state == "PRUNED":
        reports = misc.get("reports") or [[0, math.nan]]
        last = {"last_step": reports[-1][0], "last_value": reports[-1][1], "reason": "pruned in Optuna"}
        return {"state": JOB_STATE_DONE, "result": {"status": STATUS_PRUNED, **last}}
    misc["error"] = ("optuna.TrialState.FAIL", str(trial.system_attrs.get("fail_reason", "failed in Optuna")))
    return {"state": JOB_STATE_ERROR}


def _raw(distribution: Any, value: Any) -> Any:
    """Return a value as documents hold it: the index of an option, else the number."""
    return int(distribution.to_internal_repr(value)) if hasattr(distribution, "choices") else value


def _utc(when: datetime.datetime | None) -> datetime.datetime | None:
    """Return a time of this place, as Optuna keeps it, as documents hold it."""
    if when is None:
        return None
    there = when.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return there.replace(microsecond=there.microsecond // 1000 * 1000)


# -- to Optuna -----------------------------------------------------------------------------------------------


def _distributions_of(docs: list[Document], space: Any) -> dict[str, Any]:
    """Return a distribution for each label that holds all its values."""
    values: dict[str, list[Any]] = {}
    for doc in docs:
        for label, held in doc["misc"]["vals"].items():
            values.setdefault(label, []).extend(held)
    params = {param.label: param for param in space.params} if space is not None else {}
    return {label: _distribution(params.get(label), held) for label, held in values.items() if held}


def _distribution(param: Any, values: list[Any]) -> Any:
    distributions = _optuna().distributions
    if param is not None and param.options is not None:
        simple = all(isinstance(option, (str, int, float, type(None))) for option in param.options)
        distinct = len(set(map(repr, param.options))) == len(param.options)
        choices = param.options if simple and distinct else range(len(param.options))
        return distributions.CategoricalDistribution(tuple(choices))
    dist = None if param is None else param.dist
    low, high = (math.inf, -math.inf) if dist is None else map(float, dist.support)
    low = min(low, *values) if math.isfinite(low) else min(values)
    high = max(high, *values) if math.isfinite(high) else max(values)
    log = dist is not None and bool(dist.is_log)
    if all(isinstance(value, int) for value in values):
        return distributions.IntDistribution(int(low), int(high), log=log and low >= 1)
    return distributions.FloatDistribution(float(low), float(high), log=log and low > 0)


def _frozen(doc: Document, distributions: Mapping[str, Any], direction: str) -> Any:
    """Return a trial of Optuna."""
    optuna = _optuna()
    state, value = _state_and_value(doc, direction)
    raw = {label: held[0] for label, held in doc["misc"]["vals"].items() if held}
    trial = optuna.trial.create_trial(
        state=getattr(optuna.trial.TrialState, state),
        value=value,
        params={label: _external(distributions[label], held) for label, held in raw.items()},
        distributions={label: distributions[label] for label in raw},
        user_attrs={**doc["misc"].get("user_attrs", {}), "hpspace_tid": doc["tid"]},
        intermediate_values={step: shown(v, direction) for step, v in doc["misc"].get("reports", [])},
    )
    if doc["book_time"] is not None and doc["refresh_time"] is not None:
        trial.datetime_start, trial.datetime_complete = map(_local, (doc["book_time"], doc["refresh_time"]))
    return trial


def _state_and_value(doc: Document, direction: str) -> tuple[str, float | None]:
    result = doc["result"]
    loss = result.get("loss")
    if result.get("status") == STATUS_PRUNED:
        return "PRUNED", None
    good = doc["state"] == JOB_STATE_DONE and result.get("status") == STATUS_OK
    if not good or not isinstance(loss, (int, float)) or math.isnan(loss):
        return "FAIL", None
    return "COMPLETE", shown(float(loss), direction)


def _external(distribution: Any, value: Any) -> Any:
    return distribution.choices[value] if hasattr(distribution, "choices") else value


def _local(when: datetime.datetime) -> datetime.datetime:
    return when.replace(tzinfo=datetime.timezone.utc).astimezone().replace(tzinfo=None)
