"""The part of a trial document that says which labels were active and with which value.

``misc["vals"][label]`` is ``[value]`` where the label was active and ``[]`` where it was not, and
``misc["idxs"][label]`` is ``[tid]`` or ``[]`` beside it. The shape is Hyperopt's and a wire format for
others, so it is kept; these functions go between it and plain mappings.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hpspace.exceptions import InvalidTrial

logger = logging.getLogger(__name__)


def spec_from_misc(misc: Mapping[str, Any]) -> dict[str, Any]:
    """Read a point off a document's ``misc``.

    Parameters
    ----------
    misc : mapping
        Holds ``vals``: label to ``[value]`` or ``[]``.

    Returns
    -------
    dict
        Label to raw value, active labels only.

    Raises
    ------
    InvalidTrial
        A label has more than one value.

    Examples
    --------
    >>> spec_from_misc({"vals": {"x": [0.5], "y": []}})
    {'x': 0.5}
    """
    for label, values in misc["vals"].items():
        if len(values) > 1:
            raise InvalidTrial(
                f"trial {misc.get('tid')}: label {label!r} has several values, {values!r}", misc
            )
    return {label: values[0] for label, values in misc["vals"].items() if len(values)}


def miscs_to_idxs_vals(
    miscs: Sequence[Mapping[str, Any]], keys: Iterable[str] | None = None
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Gather the values of many trials by label.

    Parameters
    ----------
    miscs : sequence of mapping
        The ``misc`` of each trial.
    keys : iterable of str, optional
        Labels to gather; by default every label any trial has, in order of first appearance.

    Returns
    -------
    idxs, vals : dict of list
        For each label the tids of the trials in which it was active, and beside them its values.

    Raises
    ------
    KeyError
        None of the trials, though there are some, has a label of `keys`.

    Examples
    --------
    >>> miscs_to_idxs_vals([{"tid": 4, "idxs": {"x": [4], "y": []}, "vals": {"x": [0.5], "y": []}}])
    ({'x': [4], 'y': []}, {'x': [0.5], 'y': []})
    """
    known = {label: None for misc in miscs for label in misc["vals"]}
    labels = list(known if keys is None else keys)
    if miscs and (unknown := [label for label in labels if label not in known]):
        raise KeyError(unknown[0])
    idxs: dict[str, list[Any]] = {label: [] for label in labels}
    vals: dict[str, list[Any]] = {label: [] for label in labels}
    for misc in miscs:
        for label in labels:
            values = misc["vals"].get(label, ())
            idxs[label].extend([misc["tid"]] * len(values))
            vals[label].extend(values)
    return idxs, vals


def miscs_update_idxs_vals(
    miscs: Sequence[dict[str, Any]],
    idxs: Mapping[str, Sequence[Any]],
    vals: Mapping[str, Sequence[Any]],
    assert_all_vals_used: bool = True,
    idxs_map: Mapping[Any, Any] | None = None,
) -> Sequence[dict[str, Any]]:
    """Write values gathered by label into the ``misc`` of each trial; the inverse of `miscs_to_idxs_vals`.

    Parameters
    ----------
    miscs : sequence of dict
        Changed in place: every label of `idxs` is set in each, to one value or none. Of each only ``tid`` must be
        there; ``idxs`` and ``vals`` are made where they are absent.
    idxs, vals : mapping of sequence
        For each label the tids it is active in, and beside them its values.
    assert_all_vals_used : bool
        Whether a tid that is none of the trials' is an error; otherwise its value is passed over.
    idxs_map : mapping, optional
        Translation of the ids in `idxs` to tids; ids it lacks stand for themselves.

    Returns
    -------
    sequence of dict
        `miscs`.

    Raises
    ------
    ValueError
        `idxs` and `vals` differ in labels or lengths.
    KeyError
        A value belongs to none of the trials.

    Examples
    --------
    >>> miscs_update_idxs_vals([{"tid": 4}], {"x": [4]}, {"x": [0.5]})
    [{'tid': 4, 'idxs': {'x': [4]}, 'vals': {'x': [0.5]}}]
    """
    if set(idxs) != set(vals):
        raise ValueError(f"idxs and vals have different labels: {sorted(set(idxs) ^ set(vals))}")
    translate = idxs_map or {}
    by_tid = {misc["tid"]: misc for misc in miscs}
    for misc in miscs:
        misc.setdefault("idxs", {})
        misc.setdefault("vals", {})
    for label in idxs:
        if len(idxs[label]) != len(vals[label]):
            raise ValueError(f"label {label!r} has {len(idxs[label])} ids for {len(vals[label])} values")
        for misc in miscs:
            misc["idxs"][label], misc["vals"][label] = [], []
        for tid, value in zip(idxs[label], vals[label]):
            misc_of_tid = by_tid.get(translate.get(tid, tid))
            if misc_of_tid is not None:
                misc_of_tid["idxs"][label], misc_of_tid["vals"][label] = [misc_of_tid["tid"]], [value]
            elif assert_all_vals_used:
                raise KeyError(translate.get(tid, tid))
    return miscs


def renumbered(docs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give documents whose id another one has already an id of their own.

    Parameters
    ----------
    docs : iterable of dict
        Documents, perhaps of several runs. They are not changed.

    Returns
    -------
    list of dict
        The documents themselves where their id is new, else copies (of what holds the id) with ids that follow
        the largest integer id.

    Examples
    --------
    >>> doc = {"tid": 0, "misc": {"tid": 0, "idxs": {"x": [0], "y": []}, "vals": {"x": [0.5], "y": []}}}
    >>> [(d["tid"], d["misc"]["idxs"]) for d in renumbered([doc, doc])]
    [(0, {'x': [0], 'y': []}), (1, {'x': [1], 'y': []})]
    """
    given = list(docs)
    free = max((doc["tid"] for doc in given if isinstance(doc.get("tid"), int)), default=-1) + 1
    seen: set[Any] = set()
    distinct = []
    for doc in given:
        if doc.get("tid") in seen:
            logger.info(
                "trial %r joins others under the id %d", doc["tid"], free, extra={"action": "renumbered"}
            )
            doc, free = _with_tid(doc, free), free + 1
        seen.add(doc.get("tid"))
        distinct.append(doc)
    return distinct


def _with_tid(doc: dict[str, Any], tid: int) -> dict[str, Any]:
    idxs = {label: [tid] * len(ids) for label, ids in doc["misc"]["idxs"].items()}
    return {**doc, "tid": tid, "misc": {**doc["misc"], "tid": tid, "idxs": idxs}}
