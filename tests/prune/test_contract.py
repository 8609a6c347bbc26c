"""What every registered pruner must obey, whatever its rule; each test says one sentence of `Pruner`'s contract."""

from __future__ import annotations

import math
import pickle
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpspace.history import FAILED, OK, PENDING, PRUNED
from hpspace.prune import PRUNERS, Curve, Verdict, curves_of, pruner_from
from hpspace.prune.curves import Curves, curve_at, others_of
from hpspace.prune.table import CurveTable

DECLARED = (1, 27, 3)
PLANNED = {name: pruner_from(name, DECLARED) for name in PRUNERS}

#: Those that decide by other trials.
RELATIVE = sorted(set(PRUNERS) - {"threshold", "patient"})

#: Wilcoxon compares with one trial and asks for as many common steps as it likes; the others rank among all.
values = st.one_of(
    st.floats(-5, 5).map(lambda x: round(x, 1)), st.sampled_from([math.nan, math.inf, -math.inf])
)
curves = st.lists(values, max_size=30)
ends = st.sampled_from([OK, FAILED, PENDING, PRUNED])


@st.composite
def tables(draw: Any) -> tuple[list[list[float]], list[int]]:
    """Curves of some trials and how each ended."""
    rows = draw(st.lists(curves, max_size=8))
    return rows, draw(st.lists(ends, min_size=len(rows), max_size=len(rows)))


def table_of(rows: list[list[float]], kinds: list[int], order: list[int] | None = None) -> CurveTable:
    """Put trials into a table in some order; ids stay with the trials."""
    table = CurveTable()
    for tid in range(len(rows)) if order is None else order:
        row = table.add(tid)
        for step, value in enumerate(rows[tid]):
            table.report(row, step, value)
        ok = kinds[tid] == OK and len(rows[tid]) and rows[tid][-1] == rows[tid][-1]
        table.settle(row, kinds[tid], rows[tid][-1] if ok else math.nan)
    return table


@pytest.fixture(params=sorted(PRUNERS))
def pruner(request: pytest.FixtureRequest) -> Any:
    return PLANNED[request.param]


@pytest.mark.parametrize("name", sorted(PRUNERS))
@given(given_table=tables(), curve=curves.filter(len))
def test_a_verdict_has_a_reason_and_is_the_same_when_asked_again(
    name: str, given_table: Any, curve: list[float]
) -> None:
    """`decide` changes nothing: neither its arguments nor its mind. Warnings would be errors here."""
    pruner, table = PLANNED[name], table_of(*given_table)
    others, mine = Curves(table, np.ones(len(table), dtype=bool)), Curve.of(curve)
    before = [table.values(row).tolist() for row in range(len(table))], mine.values.tolist()
    first = pruner.decide(mine, others)
    assert isinstance(first, Verdict) and first.stop in (True, False) and first.reason.strip()
    assert first.reason.startswith(f"step {mine.step}: ")
    assert pruner.decide(mine, others) == first
    after = [table.values(row).tolist() for row in range(len(table))], mine.values.tolist()
    np.testing.assert_equal(after, before)


@pytest.mark.parametrize("name", sorted(PRUNERS))
@given(given_table=tables(), curve=curves.filter(len), seed=st.integers(0, 99))
@example(given_table=([[], [], [], [0.0], [-0.0, 0.0]], [OK] * 5), curve=[0.0], seed=0)
def test_the_order_of_the_other_trials_does_not_matter(
    name: str, given_table: Any, curve: list[float], seed: int
) -> None:
    """Trials come and end in any order in parallel runs; equal losses are the one tie that their order breaks."""
    rows, kinds = given_table
    losses = [row[-1] for row, kind in zip(rows, kinds) if kind == OK and row]
    if name == "wilcoxon" and len(set(losses)) < len(losses):
        rows = [[*row, 10.0 + tid] for tid, row in enumerate(rows)]
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    sorted_, shuffled = table_of(rows, kinds), table_of(rows, kinds, order)
    mine = Curve.of(curve)
    everybody = np.ones(len(rows), dtype=bool)
    assert PLANNED[name].decide(mine, Curves(sorted_, everybody)) == PLANNED[name].decide(
        mine, Curves(shuffled, everybody)
    )


@pytest.mark.parametrize("name", RELATIVE)
@given(curve=curves.filter(len))
def test_a_trial_with_nothing_to_be_compared_with_goes_on(name: str, curve: list[float]) -> None:
    """The first trial of a search is never stopped by a rule that compares, unless it reports NaN at a rung."""
    numbers = [0.0 if value != value else value for value in curve]
    assert not PLANNED[name].decide(Curve.of(numbers), curves_of([])).stop


@pytest.mark.parametrize("name", ["asha", "hyperband", "median", "percentile", "wilcoxon"])
@given(curve=st.lists(st.floats(-5, 5), min_size=1, max_size=30), n=st.integers(1, 12))
def test_trials_that_are_all_alike_all_go_on(name: str, curve: list[float], n: int) -> None:
    """A tie is never a reason to stop."""
    table = table_of([curve] * n, [OK] * n)
    for row in range(n):
        assert not PLANNED[name].decide(curve_at(table, row), others_of(table, row)).stop


@pytest.mark.parametrize("name", ["asha", "hyperband", "median", "patient", "percentile"])
@given(given_table=tables(), curve=curves.filter(len))
def test_scaling_all_values_changes_no_decision(name: str, given_table: Any, curve: list[float]) -> None:
    """Only the order counts, so a loss in per cent is pruned like one in parts.

    Not asked of thresholds, which are absolute, and of ranked differences, which may tie by rounding.
    """
    rows, kinds = given_table
    everybody = np.ones(len(rows), dtype=bool)
    plain = PLANNED[name].decide(Curve.of(curve), Curves(table_of(rows, kinds), everybody))
    larger = table_of([[4 * value for value in row] for row in rows], kinds)
    scaled = PLANNED[name].decide(Curve.of([4 * value for value in curve]), Curves(larger, everybody))
    assert plain.stop == scaled.stop


@pytest.mark.parametrize("name", ["asha", "hyperband", "median", "percentile", "wilcoxon"])
@given(given_table=tables(), curve=st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_better_values_never_turn_a_go_into_a_stop(name: str, given_table: Any, curve: list[float]) -> None:
    """Lowering all of a trial's values by a constant only helps it."""
    rows, kinds = given_table
    others = Curves(table_of(rows, kinds), np.ones(len(rows), dtype=bool))
    stopped = PLANNED[name].decide(Curve.of(curve), others).stop
    better = PLANNED[name].decide(Curve.of([value - 1.0 for value in curve]), others).stop
    assert stopped or not better


@pytest.mark.parametrize("seed", range(3))
def test_the_best_trial_survives_where_the_order_never_changes(pruner: Any, seed: int) -> None:
    """Twenty parallel curves, lowest level last: whatever is stopped, it is not the best one."""
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.random(20))[::-1]
    table = CurveTable()
    for tid, level in enumerate(levels):
        row = table.add(tid)
        for step in range(27):
            table.report(row, step, level + 1.0 / (1 + step))
            if pruner.decide(curve_at(table, row), others_of(table, row)).stop:
                table.settle(row, PRUNED, math.nan)
                break
            table.asked[row] = step
        else:
            table.settle(row, OK, level)
    assert table.kinds[-1] == OK


def test_reasons_speak_in_the_direction_asked_for() -> None:
    """With "maximize" an accuracy of 0.6 is kept as -0.6, and nobody wants to read that."""
    for name in RELATIVE:
        table = CurveTable("maximize")
        for tid in range(6):
            row = table.add(tid)
            for step in range(6 + (tid < 5)):
                table.report(row, step, -0.9 - 0.001 * tid if tid < 5 else -0.6)
            table.settle(row, OK if tid < 5 else PENDING, -0.9 if tid < 5 else math.nan)
        verdict = PLANNED[name].decide(curve_at(table, 5), others_of(table, 5))
        assert "-0." not in verdict.reason, (name, verdict.reason)
        if name != "hyperband":
            assert verdict.stop and "0.6" in verdict.reason, (name, verdict.reason)


def test_a_pruner_travels(pruner: Any) -> None:
    """It is sent to workers."""
    assert pickle.loads(pickle.dumps(pruner)) == pruner


def test_a_registered_class_is_a_pruner_by_itself() -> None:
    for name, cls in PRUNERS.items():
        assert hasattr(cls(), "decide"), name
        assert cls.__doc__ and "Parameters" in cls.__doc__
