"""Curves as columns: what is written row by row is what rules read by row and by step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpspace.history import OK, PENDING
from hpspace.prune import Curve, curves_of
from hpspace.prune.curves import Curves, curve_at, others_of
from hpspace.prune.growing import Growing
from hpspace.prune.table import CurveTable

reports = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 12), st.one_of(st.floats(-3, 3), st.just(math.nan))),
    max_size=60,
)


@given(given=reports, asked_early=st.sets(st.integers(0, 14), max_size=3))
def test_every_reading_agrees_with_a_dict_of_dicts(given: list, asked_early: set[int]) -> None:
    """Reports in any order, repeated ones too, with steps asked about before and after they came."""
    table, plain = CurveTable(), [{} for _ in range(5)]
    for tid in range(5):
        table.add(tid)
    for step in asked_early:
        table.first_from(step)
    for row, step, value in given:
        table.report(row, step, value)
        plain[row].setdefault(step, value)
    for row, curve in enumerate(plain):
        assert table.steps(row).tolist() == sorted(curve)
        np.testing.assert_equal(table.values(row).tolist(), [curve[step] for step in sorted(curve)])
    for step in range(15):
        rows, values = table.at(step)
        there = sorted(zip(rows.tolist(), values.tolist()), key=lambda pair: pair[0])
        np.testing.assert_equal(
            there, [(row, curve[step]) for row, curve in enumerate(plain) if step in curve]
        )
        np.testing.assert_equal(table.first_from(step).tolist(), [first_from(curve, step) for curve in plain])


def first_from(curve: dict[int, float], step: int) -> float:
    later = [s for s in sorted(curve) if s >= step]
    if not later:
        return math.nan
    return math.inf if math.isnan(curve[later[0]]) else curve[later[0]]


def test_rows_added_after_a_question_are_in_the_answer() -> None:
    table = CurveTable()
    table.report(table.add("a"), 5, 0.5)
    assert table.first_from(3).tolist() == [0.5]
    table.report(table.add("b"), 4, 0.25)
    assert table.first_from(3).tolist() == [0.5, 0.25]


def test_numbers_are_ids_where_these_are_integers() -> None:
    table = CurveTable()
    for tid in (10, "x", 7):
        table.add(tid)
    assert table.numbers.tolist() == [10, 1, 7]


def test_others_are_all_but_one() -> None:
    table = CurveTable()
    for tid in range(3):
        table.report(table.add(tid), 0, float(tid))
    assert others_of(table, 1).values_at(0).tolist() == [0.0, 2.0]
    assert len(others_of(table, 1)) == 2
    assert curve_at(table, 1).values.tolist() == [1.0]


def test_restrictions_add_up() -> None:
    table = CurveTable()
    for tid, (branch, kind) in enumerate([("a", OK), ("a", PENDING), ("b", OK), ("a", OK)]):
        row = table.add(tid, branch)
        table.report(row, 0, float(tid))
        table.settle(row, kind, 1.0 - tid if kind == OK else math.nan)
    everybody = Curves(table, np.ones(4, dtype=bool))
    assert everybody.finished().of_branch(0).values_at(0).tolist() == [0.0, 3.0]
    assert everybody.of_branch(0).finished().numbers.tolist() == [0, 3]
    best = everybody.best()
    assert best is not None and best.tid == 3
    assert everybody.of_branch(1).best().tid == 2  # type: ignore[union-attr]


def test_the_best_is_finished_the_first_of_equals_and_may_be_minus_infinity() -> None:
    assert curves_of([]).best() is None
    assert curves_of([[0.1]], losses=[None]).best() is None
    assert curves_of([[1], [2], [3]], losses=[0.5, 0.5, None]).best().tid == 0  # type: ignore[union-attr]
    assert curves_of([[1], [2]], losses=[0.5, -math.inf]).best().tid == 1  # type: ignore[union-attr]


def test_nan_is_not_among_the_values_at_a_step() -> None:
    assert curves_of([[math.nan], [1.0], [math.inf]]).values_at(0).tolist() == [1.0, math.inf]
    assert curves_of([]).values_at(0).tolist() == []


def test_a_curve_says_where_it_is() -> None:
    curve = Curve.of([0.5, math.nan, 0.7], steps=[1, 4, 9])
    assert (curve.step, curve.last, curve.best, len(curve)) == (9, 0.7, 0.5, 3)
    assert curve.first_from(0) == 0.5 and math.isnan(curve.first_from(2)) and math.isnan(curve.first_from(10))
    empty = Curve.of([])
    assert empty.step == -1 and math.isnan(empty.last) and math.isnan(empty.best)
    assert math.isnan(Curve.of([math.nan]).best)


def test_numbers_are_shown_with_the_users_sign() -> None:
    assert Curve.of([], direction="maximize").shown(-0.1234567) == "0.123457"
    assert Curve.of([]).shown(-0.1234567) == "-0.123457"
    assert Curve.of([], direction="maximize").shown(0.0) == "0"


def test_a_rule_cannot_write_into_a_curve() -> None:
    table = CurveTable()
    table.report(table.add(0), 0, 0.5)
    with pytest.raises(ValueError, match="read-only"):
        curve_at(table, 0).values[0] = 9.0


def test_growing_arrays_keep_what_they_hold() -> None:
    grown = Growing(np.int64)
    for i in range(100):
        grown.insert(i // 2, i)
    expected: list[int] = []
    for i in range(100):
        expected.insert(i // 2, i)
    assert grown.view.tolist() == expected
