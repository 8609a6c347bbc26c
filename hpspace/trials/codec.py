"""Between documents, which people and other programs edit, and the columns that algorithms read.

One way: `documents` turns a proposed batch into the parts of trial documents. The other way: a `Mirror`
keeps a `History` of one space equal to a list of documents. `Mirror.sync` re-reads
only what `Changes` tells it, so edits made in place are seen and a refresh of thousands of trials stays cheap.

How a document is read:

==================================================  ==========
state NEW or RUNNING                                pending
state DONE, status "ok", loss finite or -inf        ok
state DONE, status "pruned"                         pruned
state DONE otherwise, state ERROR                   failed
state CANCEL                                        left out
==================================================  ==========

Documents injected by another trial name it in ``misc["from_tid"]``; of a trial and those it injected only
the best is kept, as Hyperopt does: they describe one evaluation. A label that the document lacks, and a
value that the space cannot give, is NaN.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.bests import loss_of, number
from hpspace.trials.changes import Changes
from hpspace.trials.document import (
    DOMAIN_CMD,
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    STATUS_NEW,
    STATUS_PRUNED,
    new_misc,
)


def documents(
    tids: Sequence[Any], batch: Batch, cmd: Any = DOMAIN_CMD, workdir: str | None = None
) -> tuple[list[None], list[dict[str, Any]], list[dict[str, Any]]]:
    """Turn a batch into what `Trials.new_trial_docs` takes.

    Parameters
    ----------
    tids : sequence of hashable
        Ids for the rows of the batch, at least as many.
    batch : Batch
        Proposed points.
    cmd, workdir
        As in `document.new_misc`.

    Returns
    -------
    specs, results, miscs : list
        One entry a row: None, ``{"status": "new"}``, and the ``misc`` that records the point.
    """
    miscs = [new_misc(tid, point, batch.labels, cmd, workdir) for tid, point in zip(tids, batch.points())]
    return [None] * len(miscs), [{"status": STATUS_NEW} for _ in miscs], miscs


def history_rows(docs: Sequence[dict[str, Any]], space: CompiledSpace) -> NDArray[np.float64]:
    """Read the raw values off documents.

    Parameters
    ----------
    docs : sequence of dict
        Trial documents.
    space : CompiledSpace
        Whose labels are the columns.

    Returns
    -------
    ndarray, shape (n, D)
        NaN where the label is inactive, absent, or its value no number.
    """
    rows = np.full((len(docs), len(space)), np.nan)
    index = space.index
    for row, doc in zip(rows, docs):
        for label, values in doc["misc"]["vals"].items():
            column = index.get(label)
            if column is not None and len(values):
                row[column] = number(values[0])
    return rows


def outcome(doc: dict[str, Any]) -> tuple[float, int]:
    """Return a document's loss (NaN unless it is ok) and its kind for the history.

    Examples
    --------
    >>> outcome({"state": 2, "result": {"status": "ok", "loss": 0.5}}) == (0.5, OK)
    True
    >>> outcome({"state": 2, "result": {"status": "fail", "loss": -99}})[1] == FAILED
    True
    """
    state = doc["state"]
    if state == JOB_STATE_DONE:
        if doc["result"].get("status") == STATUS_PRUNED:
            return math.nan, PRUNED
        loss = loss_of(doc["result"])
        return (loss, OK) if loss < math.inf else (math.nan, FAILED)
    return math.nan, FAILED if state == JOB_STATE_ERROR else PENDING


def progress(doc: dict[str, Any]) -> tuple[float, float, float]:
    """Return how far a document's trial came: the highest step it reported, the value there, and its resource.

    A pruned result is asked first, then the reports.

    Returns
    -------
    step, value, resource : float
        NaN where unknown.

    Examples
    --------
    >>> progress({"result": {}, "misc": {"reports": [[0, 0.9], [3, 0.7]], "fidelity": {"resource": 9}}})
    (3.0, 0.7, 9.0)
    """
    result, misc = doc["result"], doc["misc"]
    fidelity = misc.get("fidelity")
    resource = number(fidelity.get("resource")) if isinstance(fidelity, Mapping) else math.nan
    if result.get("status") == STATUS_PRUNED and "last_step" in result:
        return number(result["last_step"]), number(result.get("last_value")), resource
    reports = misc.get("reports")
    if not reports:
        return math.nan, math.nan, resource
    step, value = max(((number(step), number(value)) for step, value in reports), key=lambda pair: pair[0])
    return step, value, resource


def _rows(docs: Sequence[dict[str, Any]]) -> tuple[Any, ...]:
    """Return what `History.append` takes of documents beside their values: five columns."""
    return tuple(zip(*((*outcome(doc), *progress(doc)) for doc in docs)))


class Mirror:
    """A history of one space, kept equal to a list of documents.

    Parameters
    ----------
    space : CompiledSpace
        The space to read the documents in.

    Attributes
    ----------
    history : History
        Valid after `sync`. It stays the same object from one sync to the next unless a row had to go, which
        happens when documents were deleted, cancelled or had their values edited.
    """

    def __init__(self, space: CompiledSpace) -> None:
        self.space = space
        self._forget()

    def _forget(self) -> None:
        self.history = History(self.space)
        self._changes = Changes()
        self._rows: list[int | None] = []  # row in the history of each document; None: left out
        self._outdone: frozenset[int] = frozenset()  # positions of documents that a better twin stands for
        self._any_injected = False
        self._positions: list[int] = []  # of the document of each row
        self._config_rows: dict[Any, int] = {}  # first row of each configuration, by its id

    def document(self, row: int) -> dict[str, Any]:
        """Return the document behind a row of the history."""
        return self._docs[self._positions[row]]

    @property
    def _docs(self) -> list[dict[str, Any]]:
        return self._changes.docs

    def sync(self, docs: Sequence[dict[str, Any]], recent: bool = False) -> History:
        """Bring the history up to date.

        Parameters
        ----------
        docs : sequence of dict
            The documents in every state, in order of insertion.
        recent : bool
            Pass over the settled documents, see `Changes`.

        Returns
        -------
        History
        """
        try:
            if len(docs) < len(self._changes) or not self._follow(docs, recent):
                self._forget()
                self._follow(docs)
        except BaseException:  # interrupted half-way: what was remembered may not have become rows
            self._forget()
            raise
        return self.history

    def _follow(self, docs: Sequence[dict[str, Any]], recent: bool = False) -> bool:
        """Re-read changed documents and read new ones; False if a row had to go or to change its values."""
        known, changed = len(self._changes), self._changes.of(docs, recent)
        if not changed and known == len(docs):
            return True
        for position in [*changed, *range(known, len(docs))]:
            self._changes.remember(position, docs[position])
            self._any_injected |= docs[position]["misc"].get("from_tid") is not None
        outdone = self._find_outdone()
        changed = sorted(set(changed).union(p for p in outdone ^ self._outdone if p < known))
        self._outdone = outdone
        if not self._update(changed):
            return False
        self._append(range(known, len(docs)))
        return True

    def _find_outdone(self) -> frozenset[int]:
        """Return the positions of the documents that are not the best of a trial and those it injected."""
        if not self._any_injected:
            return frozenset()
        groups: dict[Any, list[int]] = defaultdict(list)
        for position, doc in enumerate(self._docs):
            from_tid = doc["misc"].get("from_tid")
            groups[doc["tid"] if from_tid is None else from_tid].append(position)
        losses = {p: outcome(self._docs[p])[0] for group in groups.values() if len(group) > 1 for p in group}
        rank = {p: (math.inf if math.isnan(loss) else loss, p) for p, loss in losses.items()}
        best = {min(group, key=lambda p: rank[p]) for group in groups.values() if len(group) > 1}
        return frozenset(rank.keys() - best)

    def _wanted(self, position: int) -> bool:
        return self._docs[position]["state"] != JOB_STATE_CANCEL and position not in self._outdone

    def _update(self, positions: list[int]) -> bool:
        """Write new outcomes into the rows of known documents; False if that is not enough."""
        if any(self._wanted(p) != (self._rows[p] is not None) for p in positions):
            return False
        rows = {row: self._docs[p] for p in positions if (row := self._rows[p]) is not None}
        if not rows:
            return True
        docs = list(rows.values())
        if not self._same_values(list(rows), history_rows(docs, self.space)):
            return False
        self.history.update(list(rows), *_rows(docs))
        return True

    def _same_values(self, rows: list[int], values: NDArray[np.float64]) -> bool:
        """Whether rows of the history hold these raw values, shape (m, D), as far as the space knows them."""
        kept = self.history.values[rows]
        return np.array_equal(
            kept, values, equal_nan=True
        ) or np.array_equal(  # OPTIM: `known` is the slow part
            kept, self.space.known(values), equal_nan=True
        )

    def _append(self, positions: range) -> None:
        """Add a row for each new document that is wanted."""
        wanted = [p for p in positions if self._wanted(p)]
        rows = dict(zip(wanted, range(len(self.history), len(self.history) + len(wanted))))
        self._rows.extend(rows.get(p) for p in positions)
        if wanted:
            docs = [self._docs[p] for p in wanted]
            self._positions.extend(wanted)
            stages = [self._stage(self._docs[p], row) for p, row in rows.items()]
            losses, kinds, steps, partials, resources = _rows(docs)
            values = history_rows(docs, self.space)
            self.history.append(values, losses, kinds, steps, partials, resources, stages)

    def _stage(self, doc: dict[str, Any], row: int) -> tuple[int, int, int]:
        """Return rung, bracket and first row of a document's configuration; -1 when it has no resource."""
        fidelity = doc["misc"].get("fidelity")
        if not isinstance(fidelity, Mapping):
            return -1, -1, -1
        config = fidelity.get("config", doc["tid"])
        first = self._config_rows.setdefault(config, row)
        return int(fidelity.get("rung") or 0), int(fidelity.get("bracket") or 0), first
