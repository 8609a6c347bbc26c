"""The learning curves of trials: read off their documents, and kept up to date at little cost.

Objectives report intermediate values, which documents keep in ``misc["reports"]`` as [step, value], first report of a
step first. A `CurveBook` follows a list of documents and copies what is new into the columns that pruners read
(`hpspace.prune.table`). Documents of finished trials are read once; only the others are looked at again, so a look
costs what is under way and not what is done. Documents stay the truth: when the list is not the one that was followed
the book is written anew.

A trial's branch, for pruners that compare like with like, is the set of the parameters that it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpspace.prune.curves import Curve, Curves, curve_at, others_of
from hpspace.prune.table import CurveTable
from hpspace.trials.codec import outcome
from hpspace.trials.document import JOB_STATE_DONE

#: Key of a document's misc that holds the reports.
REPORTS = "reports"

_ATTRIBUTE = "_curves"


class CurveBook:
    """The curves of a list of documents.

    Parameters
    ----------
    exp_key : str or None
        The experiment whose trials are compared; None takes all.
    direction : {"minimize", "maximize"}
        What the user asked for.
    """

    def __init__(self, exp_key: str | None = None, direction: str = "minimize") -> None:
        self.exp_key = exp_key
        self.direction = direction
        self._forget()

    def _forget(self) -> None:
        self.table = CurveTable(self.direction)
        self._docs: list[dict[str, Any]] = []
        self._open: dict[
            int, int | None
        ] = {}  # position of documents that are not done: row, None if not ours
        self._rows: dict[int, int] = {}  # row by the identity of the document

    def __reduce__(self) -> tuple[type[CurveBook], tuple[str | None, str]]:
        return type(self), (self.exp_key, self.direction)  # pickled and copied without what can be read again

    def follow(self, docs: Sequence[dict[str, Any]]) -> CurveTable:
        """Bring the curves up to date.

        Parameters
        ----------
        docs : sequence of dict
            Documents in every state, in order of insertion.

        Returns
        -------
        CurveTable
        """
        if not self._same(docs) or not self._reread(docs):
            self._forget()
        for position in range(len(self._docs), len(docs)):
            self._read(position, docs[position])
        return self.table

    def row_of(self, doc: dict[str, Any]) -> int | None:
        """Return the row of a document that was followed; None if it was not."""
        return self._rows.get(id(doc))

    def _same(self, docs: Sequence[dict[str, Any]]) -> bool:
        """Whether the list may be the one that was followed, only longer."""
        n = len(self._docs)
        return len(docs) >= n and (n == 0 or (docs[0] is self._docs[0] and docs[n - 1] is self._docs[-1]))

    def _reread(self, docs: Sequence[dict[str, Any]]) -> bool:
        """Read what is new in the open documents; False if something has gone."""
        for position, row in list(self._open.items()):
            doc = docs[position]
            if doc is not self._docs[position]:
                return False
            if row is not None and not self._copy(doc, row):
                return False
            if doc["state"] == JOB_STATE_DONE:
                del self._open[position]
        return True

    def _read(self, position: int, doc: dict[str, Any]) -> None:
        ours = self.exp_key is None or doc["exp_key"] == self.exp_key
        row = self.table.add(doc["tid"], branch_of(doc)) if ours else None
        self._docs.append(doc)
        if row is not None:
            self._rows[id(doc)] = row
            self._copy(doc, row)
        if doc["state"] != JOB_STATE_DONE:
            self._open[position] = row

    def _copy(self, doc: dict[str, Any], row: int) -> bool:
        """Copy the new reports and the outcome of a document; False if it has fewer reports than before."""
        reports, known = doc["misc"].get(REPORTS) or (), len(self.table.steps(row))
        if len(reports) < known:
            return False
        for step, value in reports[known:]:
            self.table.report(row, int(step), float(value))
        loss, kind = outcome(doc)
        self.table.settle(row, kind, loss)
        return True


def branch_of(doc: dict[str, Any]) -> tuple[str, ...]:
    """Return the labels that are active in a trial.

    Examples
    --------
    >>> branch_of({"misc": {"vals": {"c": [1], "x": [], "y": [0.5]}}})
    ('c', 'y')
    """
    return tuple(label for label, values in doc["misc"]["vals"].items() if len(values))


def book_of(trials: Any) -> CurveBook:
    """Return the book that is kept with some trials.

    Parameters
    ----------
    trials : Trials
        Whose. An object that takes no attributes gets a new book each time.

    Returns
    -------
    CurveBook
    """
    exp_key, direction = getattr(trials, "_exp_key", None), getattr(trials, "direction", "minimize")
    book: CurveBook | None = getattr(trials, _ATTRIBUTE, None)
    if book is None or (book.exp_key, book.direction) != (exp_key, direction):
        book = CurveBook(exp_key, direction)
        if hasattr(trials, "__dict__"):
            trials.__dict__[_ATTRIBUTE] = book
    return book


def curve_among(trials: Any, doc: dict[str, Any]) -> tuple[Curve, Curves]:
    """Return the curve of one trial, and those of all others, as documents hold them now.

    Parameters
    ----------
    trials : Trials
        The trials.
    doc : dict
        The document of one of them; one that is not among them is compared with all.

    Returns
    -------
    curve : Curve
    others : Curves
    """
    book = book_of(trials)
    table = book.follow(_documents(trials))
    row = book.row_of(doc)
    if row is None:
        return _stray(doc, table)
    return curve_at(table, row), others_of(table, row)


def asked(trials: Any, doc: dict[str, Any], step: int) -> None:
    """Record that the question whether a trial should stop was answered at a step."""
    book = book_of(trials)
    row = book.row_of(doc)
    if row is not None:
        book.table.asked[row] = step


def _stray(doc: dict[str, Any], table: CurveTable) -> tuple[Curve, Curves]:
    """Return the curve of a document that is not in a table, and all that are."""
    alone = CurveBook(None, table.direction)
    own = alone.follow([doc])
    return curve_at(own, 0), others_of(table, None)


def _documents(trials: Any) -> Sequence[dict[str, Any]]:
    docs: Sequence[dict[str, Any]] = getattr(trials, "_dynamic_trials", None) or trials.trials
    return docs
