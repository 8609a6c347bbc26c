"""Trials as text and HTML."""

from __future__ import annotations

import html.parser
from typing import Any

from hpspace import Trials, compile_space, fmin, hp, trials_from_docs
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.document import new_document


def test_the_repr_says_what_a_person_asks_first(trials: Trials, space: CompiledSpace) -> None:
    trials.remember_space(space)
    assert repr(trials).splitlines() == [
        "Trials: 4 done (2 without a usable loss), 1 error",
        "  best loss: 0.25 (trial 3)",
        "  best config: {'x': 0.125, 'model': {'kind': 'tree', 'depth': 4}}",
    ]


def test_the_repr_of_empty_and_of_unread_trials() -> None:
    assert repr(Trials()) == repr(Trials(refresh=False)) == "Trials: no trials yet"
    assert repr(Trials(exp_key="k")) == "Trials: no trials yet\n  exp_key: 'k'"


def test_an_error_is_never_shown_as_best(make: Any) -> None:
    """A trial may report a loss and raise afterwards."""
    doc = make(0, error=("E", "m"))
    doc["result"] = {"status": "ok", "loss": -1.0}
    assert "best" not in repr(trials_from_docs([doc]))


def test_a_config_that_cannot_be_made_is_shown_as_its_values(make: Any) -> None:
    """The space has changed since, and no longer has this option."""
    trials = trials_from_docs([make(0, 1.0, point={"c": 5})])
    trials.remember_space(compile_space(hp.choice("c", ["a", "b"])))
    assert "best config: {'c': 5}" in repr(trials)


def test_a_huge_config_is_shortened(make: Any) -> None:
    trials = trials_from_docs([make(0, 1.0, point={f"p{i}": i for i in range(10_000)})])
    assert len(repr(trials)) < 1000


class Cells(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def test_the_table_shows_the_best_trials_first(trials: Trials) -> None:
    cells = Cells(trials._repr_html_()).cells
    width = cells.index("n") + 1
    assert cells[:width] == ["tid", "status", "loss", "duration", "x", "c", "n"]
    assert cells[width : 2 * width : 1][:3] == ["3", "ok", "0.25"]
    assert [cells[row * width] for row in range(2, 6)] == ["0", "1", "2", "4"]


def test_the_table_is_short(make: Any) -> None:
    trials = trials_from_docs([make(tid, 1.0) for tid in range(100)])
    assert Cells(trials._repr_html_()).tags.count("tr") == 11


def test_nothing_in_a_document_becomes_markup() -> None:
    evil = "<script>alert(1)</script>"
    doc = new_document(0, {evil: evil})
    doc.update(state=2, result={"status": evil, "loss": evil}, tid=evil)
    doc["misc"]["tid"] = evil
    shown = Cells(trials_from_docs([doc])._repr_html_())
    assert "script" not in shown.tags and evil in shown.cells


def test_a_config_is_shown_in_the_order_it_was_written_in() -> None:
    """Not sorted by key; long and deep dicts are cut."""
    best = {"z": 1, "a": {"y": (2,)}, "many": {str(i): i for i in range(25)}}
    trials = Trials()
    fmin(lambda config: 0.0, best, "rand", 1, trials=trials, verbose=False)
    shown = repr(trials).splitlines()[-1]
    assert shown.startswith("  best config: {'z': 1, 'a': {'y': (2,)}, 'many': {'0': 0, '1': 1,")
    assert shown.endswith("'19': 19, ...}}")
