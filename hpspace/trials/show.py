"""Trials as text and as HTML, for the prompt and the notebook.

Showing must never fail: a best configuration that cannot be made is shown as its raw values. Whatever comes
from documents is escaped in HTML, since labels, options and error messages are anybody's text.
"""

from __future__ import annotations

import itertools
import reprlib
from collections.abc import Iterable
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from hpspace.trials import bests, frame
from hpspace.trials.direction import measure, shown
from hpspace.trials.document import JOB_VALID_STATES, spec_from_misc

if TYPE_CHECKING:
    from hpspace.trials.reading import ReadTrials

#: Rows of the HTML table.
MAX_ROWS = 10

#: Columns of the HTML table besides the parameters.
_SHOWN = ("tid", "status", "loss", "value", "duration")


class _InOrder(reprlib.Repr):
    """Like its parent, with the keys of dicts in the order they were written in instead of sorted."""

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Return the repr of a dict, shortened."""
        if x and level <= 0:
            return "{...}"
        shown = (
            f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}"
            for key in itertools.islice(x, self.maxdict)
        )
        return f"{{{', '.join(shown)}{', ...' if len(x) > self.maxdict else ''}}}"


_short = _InOrder()
_short.maxdict = _short.maxlist = _short.maxtuple = 20
_short.maxstring = _short.maxother = 80
_short.maxlevel = 5


def text(trials: ReadTrials) -> str:
    """Return a few lines on trials: how many in which state, the best loss and its configuration.

    Parameters
    ----------
    trials : ReadTrials
        The trials; they need not be refreshed.

    Returns
    -------
    str
    """
    lines = [summary(trials)]
    best = bests.best_of([doc for doc in trials.documents() if doc["state"] in JOB_VALID_STATES])
    if best is not None:
        loss = shown(best["result"]["loss"], trials.direction)
        lines.append(f"  best {measure(trials.direction)}: {loss!r} (trial {best['tid']})")
        lines.append(f"  best config: {_short.repr(_config(trials, best))}")
    if trials._exp_key is not None:
        lines.append(f"  exp_key: {trials._exp_key!r}")
    return "\n".join(lines)


def summary(trials: ReadTrials) -> str:
    """Return one line: the class, and how many trials are in which state."""
    docs = trials.documents()
    return f"{type(trials).__name__}: {bests.tally(docs) if docs else 'no trials yet'}"


def _config(trials: ReadTrials, doc: dict[str, Any]) -> Any:
    """Return what the objective saw in a trial, or its raw values where that cannot be made."""
    point = spec_from_misc(doc["misc"])
    try:
        return point if trials.space is None else trials.space.config(point)
    except Exception:  # noqa: BLE001  evaluating a space runs the user's functions, and showing must not fail
        return point


def html_table(trials: ReadTrials) -> str:
    """Return the best trials as an HTML table.

    Parameters
    ----------
    trials : ReadTrials
        The trials.

    Returns
    -------
    str
        A caption and at most `MAX_ROWS` rows, best loss first, trials without a loss last.
    """
    docs = sorted(trials.documents(), key=_rank)[:MAX_ROWS]
    columns = frame.to_columns(docs, trials.space, trials.direction)
    hidden = "loss" if "value" in columns else "value"
    wanted = set(_SHOWN) - {hidden}
    names = [name for name in columns if name in wanted or name.startswith(frame.PREFIX)]
    head = _row("th", (name.removeprefix(frame.PREFIX) for name in names))
    rows = (_row("td", map(_cell, row)) for row in zip(*(columns[name] for name in names)))
    caption = f"<caption>{escape(summary(trials))}</caption>"
    return f"<table>{caption}<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _rank(doc: dict[str, Any]) -> tuple[bool, float]:
    loss = bests.loss_of(doc["result"])
    return loss != loss, loss if loss == loss else 0.0


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.3g} s"
    return value if isinstance(value, str) else _short.repr(value)


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
