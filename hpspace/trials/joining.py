"""Adding trials that were made elsewhere to trials of any kind.

Ids are kept where they are free. A trial whose id is taken gets another, and so do those that refer to it; one that is
there already, with the same point and the same outcome, is not added again, so that a copy can be repeated. A trial
that is being evaluated elsewhere waits for its evaluation here. Nothing is added if anything is refused.

Called by `exchange`, for copies and files, and by `optuna`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hpspace.trials.document import JOB_STATE_NEW, JOB_STATE_RUNNING, requeued
from hpspace.trials.shared.contract import OWN_KEYS, STORE_KEYS

Document = dict[str, Any]


def join(target: Any, docs: Sequence[Mapping[str, Any]], direction: str) -> list[Any]:
    """Add copies of documents to trials.

    Parameters
    ----------
    target : Trials
        Of any store.
    docs : sequence of mapping
        Documents of one experiment, whatever its name.
    direction : str
        Of the search that they were made in; trials without an outcome take it over.

    Returns
    -------
    list
        The id of each document in the target.

    Raises
    ------
    DirectionMismatch
        The target's trials are of a search in the other direction.
    InvalidTrial, Unstorable
        A document, or a value in it, that the target cannot keep.

    Examples
    --------
    >>> from hpspace import Trials
    >>> from hpspace.trials.document import new_document
    >>> trials = Trials()
    >>> join(trials, [new_document(3, {"x": 0.5})], "minimize"), join(trials, [new_document(3, {"x": 2.0})], "minimize")
    ([3], [4])
    """
    target.refresh()
    if docs and target.direction != direction:
        target.direction = direction
    there = {doc["tid"]: doc for doc in (target.view(None) if target.shared else target)._dynamic_trials}
    copies = [_adopted(doc, target._exp_key) for doc in docs]
    tids = _ids_for(target, copies, there)
    known = dict(zip((doc["tid"] for doc in copies), tids))
    new = [_with_ids(doc, known) for doc in copies if not _is_in(there, doc)]
    target.insert_trial_docs(new)
    target.refresh()
    return tids


def _adopted(doc: Mapping[str, Any], exp_key: str | None) -> Document:
    """Return a copy of a document that belongs to an experiment and to nobody's claim."""
    mine: Document = {**copy.deepcopy(bare(doc)), "exp_key": exp_key, "version": 0}
    if mine["state"] == JOB_STATE_RUNNING:
        requeued(mine)["state"] = JOB_STATE_NEW
    return mine


def bare(doc: Mapping[str, Any]) -> Document:
    """Return a document without what the store that it comes from has added.

    Parameters
    ----------
    doc : mapping
        A trial document.

    Returns
    -------
    dict
        With the same values.
    """
    return {key: value for key, value in doc.items() if key not in STORE_KEYS and key not in OWN_KEYS}


def _is_in(there: Mapping[Any, Document], doc: Document) -> bool:
    """Whether a trial, outcome and all, is there already."""
    old = there.get(doc["tid"])
    return old is not None and repr(_essence(old)) == repr(_essence(doc))  # repr: NaN is to equal NaN


def _essence(doc: Document) -> list[Any]:
    return [doc["exp_key"], doc["state"], sorted(doc["misc"]["vals"].items()), sorted(doc["result"].items())]


def _ids_for(target: Any, docs: Sequence[Document], there: Mapping[Any, Document]) -> list[Any]:
    """Return ids for documents: their own where free or where they are already, else new ones."""
    taken = {tid for doc in docs if (tid := doc["tid"]) in there and not _is_in(there, doc)}
    strange = {doc["tid"] for doc in docs if target.shared and type(doc["tid"]) is not int}
    kept = {doc["tid"] for doc in docs} - taken - strange
    fresh = iter(_fresh_ids(target, len(docs) - len(kept), kept))
    return [doc["tid"] if doc["tid"] in kept else next(fresh) for doc in docs]


def _fresh_ids(target: Any, n: int, avoided: set[Any]) -> list[Any]:
    ids: list[Any] = []
    while len(ids) < n:
        ids.extend(tid for tid in target.new_trial_ids(n - len(ids)) if tid not in avoided)
    return ids


def _with_ids(doc: Document, known: Mapping[Any, Any]) -> Document:
    """Give a document its new id, and the new ids of the trials that it refers to."""
    tid, misc = known[doc["tid"]], doc["misc"]
    misc["idxs"] = {label: [tid] * len(ids) for label, ids in misc["idxs"].items()}
    if "from_tid" in misc:
        misc["from_tid"] = known.get(misc["from_tid"], misc["from_tid"])
    if "fidelity" in misc:
        misc["fidelity"] = _renamed(misc["fidelity"], known, ("config", "parent", "ancestors"))
    doc["tid"] = misc["tid"] = tid
    return doc


def _renamed(said: Mapping[str, Any], known: Mapping[Any, Any], keys: Iterable[str]) -> Document:
    renamed = dict(said)
    for key in keys:
        value = renamed.get(key)
        if isinstance(value, list):
            renamed[key] = [known.get(tid, tid) for tid in value]
        elif value is not None:
            renamed[key] = known.get(value, value)
    return renamed
