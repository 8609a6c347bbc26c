"""The book of curves follows documents: everything new is seen, at a cost that does not grow with what is done."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpspace import Trials, trials_from_docs
from hpspace.history import FAILED, OK, PENDING, PRUNED
from hpspace.trials.curves import CurveBook, asked, book_of, branch_of, curve_among
from hpspace.trials.document import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    new_document,
)


def running(tid: int, *values: float, exp_key: str | None = None, **point: Any) -> dict[str, Any]:
    """Return a running trial that has reported values at steps 0, 1, 2 and so on."""
    doc = new_document(tid, point or {"x": 0.5}, labels=["x", "y"], exp_key=exp_key)
    doc["misc"]["reports"] = [[step, value] for step, value in enumerate(values)]
    doc["state"] = JOB_STATE_RUNNING
    return doc


def end(
    doc: dict[str, Any], loss: float | None = None, state: int = JOB_STATE_DONE, **result: Any
) -> dict[str, Any]:
    doc["state"] = state
    doc["result"] = {"status": "ok", "loss": loss} if loss is not None else result or {"status": "fail"}
    return doc


def contents(book: CurveBook) -> list[tuple[Any, ...]]:
    """Return what a book holds of each trial."""
    table = book.table
    return [
        (
            tid,
            table.steps(row).tolist(),
            str(table.values(row).tolist()),
            int(table.kinds[row]),
            str(table.losses[row]),
        )
        for row, tid in enumerate(table.tids)
    ]


def test_each_kind_of_end() -> None:
    docs = [
        end(running(0, 0.5), loss=0.25),
        end(running(1, 0.5)),
        end(running(2, 0.5), status="pruned", last_step=0),
        end(running(3, 0.5), state=JOB_STATE_ERROR, status="new"),
        running(4, 0.5),
    ]
    table = CurveBook().follow(docs)
    assert table.kinds.tolist() == [OK, FAILED, PRUNED, FAILED, PENDING]
    np.testing.assert_array_equal(table.losses, [0.25, math.nan, math.nan, math.nan, math.nan])


def test_only_what_is_new_is_read() -> None:
    """Finished trials are not looked at again: counted by a dict that tells when its misc is asked for."""

    class Watched(dict):
        looks = 0

        def __getitem__(self, key: str) -> Any:
            Watched.looks += key == "misc"
            return super().__getitem__(key)

    docs = [Watched(end(running(tid, 0.5), loss=0.5)) for tid in range(50)]
    docs.append(Watched(running(50, 0.7)))
    book = CurveBook()
    book.follow(docs)
    Watched.looks = 0
    for step in range(1, 11):
        docs[-1]["misc"]["reports"].append([step, 0.6])
        book.follow(docs)
    assert book.table.steps(50).tolist() == list(range(11))
    assert Watched.looks <= 10 * 2


steps_of_life = st.lists(
    st.tuples(
        st.sampled_from(["new", "report", "ok", "fail", "error", "requeue", "delete", "replace"]),
        st.integers(0, 9),
        st.floats(-1, 1),
    ),
    max_size=60,
)


@given(life=steps_of_life, looks=st.sets(st.integers(0, 60)))
def test_a_book_that_was_kept_up_is_the_book_that_would_be_written(
    life: list[tuple[str, int, float]], looks: set[int]
) -> None:
    """Trials come, report, end, fail, are put back into the queue, deleted, and replaced by a store, in any order."""
    docs: list[dict[str, Any]] = []
    book = CurveBook()
    for i, (what, which, value) in enumerate(life):
        live(docs, what, which, value)
        if i in looks:
            book.follow(docs)
    book.follow(docs)
    fresh = CurveBook()
    fresh.follow(docs)
    assert contents(book) == contents(fresh)


def live(docs: list[dict[str, Any]], what: str, which: int, value: float) -> None:
    """Let something happen to one of the trials."""
    if what == "new":
        docs.append(running(max((doc["tid"] for doc in docs), default=-1) + 1))
        return
    if not docs:
        return
    doc = docs[which % len(docs)]
    under_way = doc["state"] == JOB_STATE_RUNNING
    if what == "delete":
        docs.remove(doc)
    elif what == "replace" and under_way:
        docs[docs.index(doc)] = copy.deepcopy(doc)
    elif what == "report" and under_way:
        doc["misc"]["reports"].append([len(doc["misc"]["reports"]), value])
    elif what in ("ok", "fail") and under_way:
        end(doc, loss=value if what == "ok" else None)
    elif what == "error" and under_way:
        end(doc, state=JOB_STATE_ERROR, status="new")
    elif what == "requeue" and doc["state"] == JOB_STATE_ERROR:
        doc["state"] = JOB_STATE_RUNNING
        doc["misc"]["reports"] = []


def test_a_trial_that_waits_and_runs_is_followed() -> None:
    docs = [{**running(0), "state": JOB_STATE_NEW}]
    del docs[0]["misc"]["reports"]
    book = CurveBook()
    book.follow(docs)
    docs[0]["state"] = JOB_STATE_RUNNING
    docs[0]["misc"]["reports"] = [[3, 0.5]]
    assert book.follow(docs).values(0).tolist() == [0.5]


def test_curves_are_of_one_experiment() -> None:
    """Experiments share a store; their losses have nothing to do with each other."""
    docs = [end(running(tid, float(tid), exp_key=str(tid % 2)), loss=float(tid)) for tid in range(4)]
    trials = Trials(exp_key="1")
    trials._dynamic_trials.extend(docs)
    curve, others = curve_among(trials, docs[3])
    assert curve.values.tolist() == [3.0] and others.numbers.tolist() == [1]


def test_the_branch_is_the_set_of_active_parameters() -> None:
    docs = [running(0, x=0.1), running(1, x=0.2, y=1), running(2, x=0.3)]
    assert [branch_of(doc) for doc in docs] == [("x",), ("x", "y"), ("x",)]
    assert CurveBook().follow(docs).branches.tolist() == [0, 1, 0]


def test_a_document_of_no_trials_is_compared_with_all() -> None:
    """As when an objective is called with a Ctrl of its own."""
    trials = trials_from_docs([end(running(0, 0.5), loss=0.5)])
    stray = running(7, 0.9)
    curve, others = curve_among(trials, stray)
    assert curve.values.tolist() == [0.9] and others.values_at(0).tolist() == [0.5]


def test_what_was_asked_is_known_the_next_time() -> None:
    trials = Trials()
    trials._dynamic_trials.extend([running(0, 0.5, 0.4)])
    (doc,) = trials._dynamic_trials
    assert curve_among(trials, doc)[0].asked == -1
    asked(trials, doc, 1)
    assert curve_among(trials, doc)[0].asked == 1


def test_curves_are_neither_pickled_nor_copied_nor_shared_with_views() -> None:
    """They are read off the documents again."""
    trials = trials_from_docs([end(running(0, 0.5), loss=0.5)])
    book = book_of(trials)
    book.follow(trials._dynamic_trials)
    for other in (pickle.loads(pickle.dumps(trials)), copy.deepcopy(trials), trials.view("e")):
        assert len(book_of(other).table) == 0
    assert book_of(trials) is book


def test_trials_of_a_foreign_class_are_read_too() -> None:
    class Foreign:
        __slots__ = ("trials",)

    trials = Foreign()
    trials.trials = [end(running(0, 0.5), loss=0.5), running(1, 0.75)]
    curve, others = curve_among(trials, trials.trials[1])
    assert curve.values.tolist() == [0.75] and len(others.finished()) == 1


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_curves_know_the_direction(direction: str) -> None:
    trials = Trials()
    trials.direction = direction
    trials._dynamic_trials.append(running(0, -0.5))
    assert curve_among(trials, trials._dynamic_trials[0])[0].shown(-0.5) == (
        "0.5" if direction == "maximize" else "-0.5"
    )
