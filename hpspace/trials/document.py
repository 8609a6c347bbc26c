"""What a trial is: a plain dict, its states, and the check that a dict is one.

A trial document is a dict of nine required keys (`TRIAL_KEYS`); its ``misc`` holds which labels were active
and their values. The shape is Hyperopt's, key for key, because other programs read and edit these dicts in
place. There is no class for it on purpose: whoever holds the dict holds the trial.

States, and what may follow (`TRANSITIONS`)::

    NEW ──► RUNNING ──► DONE      a result was returned, good or bad: for good
     ▲        │  ├────► ERROR     the objective raised; misc["error"] = (type, message)
     └────────┘  └────► CANCEL    stopped from outside; NEW may be cancelled too
     (put back in the queue, as ERROR and CANCEL may be)

Called by `Trials`, by the codec and by the run layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hpspace.exceptions import InvalidTrial
from hpspace.trials.miscs import miscs_to_idxs_vals, miscs_update_idxs_vals, spec_from_misc
from hpspace.trials.sonify import SONify

__all__ = [
    "JOB_STATES",
    "JOB_STATE_CANCEL",
    "JOB_STATE_DONE",
    "JOB_STATE_ERROR",
    "JOB_STATE_NAMES",
    "JOB_STATE_NEW",
    "JOB_STATE_RUNNING",
    "JOB_VALID_STATES",
    "STATUS_FAIL",
    "STATUS_NEW",
    "STATUS_OK",
    "STATUS_PRUNED",
    "STATUS_RUNNING",
    "STATUS_STRINGS",
    "STATUS_SUSPENDED",
    "EVALUATION_KEYS",
    "TRANSITIONS",
    "TRIAL_KEYS",
    "TRIAL_MISC_KEYS",
    "DOMAIN_CMD",
    "SONify",
    "miscs_to_idxs_vals",
    "miscs_update_idxs_vals",
    "new_document",
    "new_misc",
    "requeued",
    "spec_from_misc",
    "trial_document",
    "validate",
]

STATUS_NEW = "new"
STATUS_RUNNING = "running"
STATUS_SUSPENDED = "suspended"
STATUS_OK = "ok"
STATUS_FAIL = "fail"
#: Stopped early by a pruner: the result has "last_step", "last_value" and "reason", and no loss.
STATUS_PRUNED = "pruned"
#: Every status that a result may have; the first five are Hyperopt's.
STATUS_STRINGS = (STATUS_NEW, STATUS_RUNNING, STATUS_SUSPENDED, STATUS_OK, STATUS_FAIL, STATUS_PRUNED)

JOB_STATE_NEW = 0
JOB_STATE_RUNNING = 1
JOB_STATE_DONE = 2
JOB_STATE_ERROR = 3
JOB_STATE_CANCEL = 4
JOB_STATES = [JOB_STATE_NEW, JOB_STATE_RUNNING, JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL]
#: States of the trials that `Trials.trials` shows; the others stay in `Trials._dynamic_trials`.
JOB_VALID_STATES = {JOB_STATE_NEW, JOB_STATE_RUNNING, JOB_STATE_DONE}
#: The word for each state, for people.
JOB_STATE_NAMES = {
    JOB_STATE_NEW: "new",
    JOB_STATE_RUNNING: "running",
    JOB_STATE_DONE: "done",
    JOB_STATE_ERROR: "error",
    JOB_STATE_CANCEL: "cancelled",
}

#: Which states may follow a state. Every store's moves are rows of this table.
TRANSITIONS: Mapping[int, frozenset[int]] = {
    JOB_STATE_NEW: frozenset({JOB_STATE_RUNNING, JOB_STATE_CANCEL}),
    JOB_STATE_RUNNING: frozenset({JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL, JOB_STATE_NEW}),
    JOB_STATE_ERROR: frozenset({JOB_STATE_NEW}),
    JOB_STATE_CANCEL: frozenset({JOB_STATE_NEW}),
    JOB_STATE_DONE: frozenset(),
}

#: Keys of a ``misc`` that tell of one evaluation, and go when the trial is to be evaluated again.
EVALUATION_KEYS = ("error", "traceback", "reports", "prune_reason", "verdict", "interrupted")

#: Keys without which a dict is no trial document.
TRIAL_KEYS = ["tid", "spec", "result", "misc", "state", "owner", "book_time", "refresh_time", "exp_key"]
#: Keys without which its ``misc`` is none.
TRIAL_MISC_KEYS = ["tid", "cmd", "idxs", "vals"]

#: ``misc["cmd"]`` of a trial whose objective is the one `fmin` stored with the trials.
DOMAIN_CMD = ("domain_attachment", "FMinIter_Domain")


def new_misc(
    tid: Any,
    point: Mapping[str, Any],
    labels: Iterable[str] | None = None,
    cmd: Any = DOMAIN_CMD,
    workdir: str | None = None,
) -> dict[str, Any]:
    """Make the ``misc`` of a document from a point.

    Parameters
    ----------
    tid : hashable
        The trial's id.
    point : mapping
        Label to raw value, active labels only.
    labels : iterable of str, optional
        Every label of the space, in its order; those that the point lacks are recorded as inactive. By
        default the labels of the point.
    cmd : object
        How a worker finds the objective.
    workdir : str, optional
        Folder the objective is run in.

    Returns
    -------
    dict
        A fresh ``misc``.
    """
    idxs: dict[Any, list[Any]] = {label: [] for label in labels or ()}
    vals: dict[Any, list[Any]] = {label: [] for label in idxs}
    for label, value in point.items():
        idxs[label] = [tid]
        vals[label] = [value]
    return {"tid": tid, "cmd": cmd, "workdir": workdir, "idxs": idxs, "vals": vals}


def trial_document(
    tid: Any, spec: Any, result: dict[str, Any], misc: dict[str, Any], exp_key: str | None
) -> dict[str, Any]:
    """Lay out a document in state NEW around parts that exist already.

    Parameters
    ----------
    tid : hashable
        The trial's id.
    spec : object
        Kept for old readers; None in documents made here.
    result, misc : dict
        Held by the document, not copied.
    exp_key : str or None
        The experiment it belongs to.

    Returns
    -------
    dict
        The document.
    """
    return {
        "state": JOB_STATE_NEW,
        "tid": tid,
        "spec": spec,
        "result": result,
        "misc": misc,
        "exp_key": exp_key,
        "owner": None,
        "version": 0,
        "book_time": None,
        "refresh_time": None,
    }


def new_document(
    tid: Any,
    point: Mapping[str, Any],
    labels: Iterable[str] | None = None,
    exp_key: str | None = None,
    cmd: Any = DOMAIN_CMD,
    workdir: str | None = None,
) -> dict[str, Any]:
    """Make the document of a trial that waits for evaluation.

    Parameters
    ----------
    tid, point, labels, cmd, workdir
        As in `new_misc`.
    exp_key : str or None
        The experiment it belongs to.

    Returns
    -------
    dict
        A document in state NEW with result ``{"status": "new"}``.

    Examples
    --------
    >>> doc = new_document(3, {"x": 0.5}, labels=["x", "y"])
    >>> doc["misc"]["vals"], doc["misc"]["idxs"], doc["state"]
    ({'x': [0.5], 'y': []}, {'x': [3], 'y': []}, 0)
    """
    misc = new_misc(tid, point, labels, cmd, workdir)
    return trial_document(tid, None, {"status": STATUS_NEW}, misc, exp_key)


def requeued(doc: dict[str, Any]) -> dict[str, Any]:
    """Remove from a document, in place, what an evaluation has left in it; the state is the caller's business.

    Parameters
    ----------
    doc : dict
        The document.

    Returns
    -------
    dict
        `doc` itself, with result ``{"status": "new"}`` and nobody's.

    Examples
    --------
    >>> doc = new_document(3, {"x": 0.5})
    >>> doc["misc"]["error"] = ("ValueError", "no")
    >>> "error" in requeued(doc)["misc"], doc["result"]
    (False, {'status': 'new'})
    """
    doc["result"] = {"status": STATUS_NEW}
    doc["owner"] = doc["book_time"] = None
    for key in EVALUATION_KEYS:
        doc["misc"].pop(key, None)
    return doc


def validate(doc: Any, exp_key: str | None = None) -> Any:
    """Check that an object is a trial document of an experiment.

    Parameters
    ----------
    doc : object
        What to check.
    exp_key : str or None
        The experiment it has to belong to.

    Returns
    -------
    object
        `doc` itself.

    Raises
    ------
    InvalidTrial
        A key is missing, ids or experiments do not match, or the state is none of `JOB_STATES`.
    """
    if not isinstance(doc, Mapping):
        raise InvalidTrial(f"a trial must be a dict, not {type(doc).__name__}", doc)
    _require(doc, TRIAL_KEYS, "trial", doc)
    misc = doc["misc"]
    if not isinstance(misc, Mapping):
        raise InvalidTrial(f'trial {doc["tid"]}: trial["misc"] must be a dict, not {misc!r}', doc)
    _require(misc, TRIAL_MISC_KEYS, f'trial {doc["tid"]}: trial["misc"]', doc)
    if doc["tid"] != misc["tid"]:
        raise InvalidTrial(f"tid mismatch: the trial has {doc['tid']!r}, its misc {misc['tid']!r}", doc)
    if doc["exp_key"] != exp_key:
        raise InvalidTrial(f"wrong exp_key: {doc['exp_key']!r} where {exp_key!r} is expected", doc)
    if doc["state"] not in JOB_STATES:
        raise InvalidTrial(f"trial {doc['tid']}: state {doc['state']!r} is none of {JOB_STATES}", doc)
    if not isinstance(doc["result"], Mapping):
        raise InvalidTrial(f"trial {doc['tid']}: the result must be a dict, not {doc['result']!r}", doc)
    return doc


def _require(mapping: Mapping[str, Any], keys: Iterable[str], what: str, doc: Any) -> None:
    missing = [key for key in keys if key not in mapping]
    if missing:
        raise InvalidTrial(f"{what} is missing the key{'s' * (len(missing) > 1)} {', '.join(missing)}", doc)
