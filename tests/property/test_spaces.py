"""Laws of every search space, over random nested ones."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hpspace import compile_space
from hpspace.graph.evaluate import GarbageCollected, evaluate
from hpspace.testing.spaces import finite_spaces, spaces

seeds = st.integers(0, 2**32 - 1)
relaxed = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def labels_read(space, point):
    """Labels whose absence the objective's configuration would notice: found by leaving out one at a time."""
    read = set()
    for label, value in point.items():
        memo = {**space.memo(point), space[label].node: GarbageCollected}
        try:
            changed = evaluate(space.expr, memo)
        except (TypeError, ValueError, IndexError):
            read.add(label)
            continue
        if "GarbageCollected" in repr(changed) or value is None:
            read.add(label)
    return read


@relaxed
@given(spaces(), seeds)
def test_active_labels_are_exactly_those_the_objective_can_read(space, seed):
    compiled = compile_space(space)
    for point in compiled.sample(np.random.default_rng(seed), 3).points():
        assert labels_read(compiled, point) == set(point)
        compiled.config(point)  # needs no other label


@relaxed
@given(spaces(), seeds)
def test_sampled_values_lie_in_their_support_with_the_recorded_type(space, seed):
    compiled = compile_space(space)
    for point in compiled.sample(np.random.default_rng(seed), 5).points():
        for label, value in point.items():
            param = compiled[label]
            assert param.dist.contains(value)
            assert type(value) is (int if param.dist.is_integer else float)


@relaxed
@given(spaces(), seeds)
def test_decoding_the_coordinates_of_a_point_gives_the_point(space, seed):
    compiled = compile_space(space)
    values = compiled.sample(np.random.default_rng(seed), 5).values
    coords = compiled.encode(values)
    filled = np.where(np.isnan(coords), 0.0, coords)
    back = np.where(np.isnan(values), np.nan, compiled.decode(filled))
    grid = np.broadcast_to(compiled.kinds != 0, values.shape)
    np.testing.assert_array_equal(back[grid], values[grid])
    np.testing.assert_allclose(back, values, rtol=1e-6, atol=1e-9)
    assert np.all((coords >= 0) | np.isnan(coords))
    assert np.all((coords <= 1) | np.isnan(coords) | (compiled.kinds == 2))


@relaxed
@given(spaces(), seeds, st.integers(1, 4))
def test_the_first_points_do_not_depend_on_how_many_are_drawn(space, seed, n):
    compiled = compile_space(space)
    few, many = (compiled.sample(np.random.default_rng(seed), k).values for k in (n, n + 3))
    np.testing.assert_array_equal(few, many[:n])


@relaxed
@given(spaces())
def test_descriptions_are_stable_and_pickling_keeps_them(space):
    compiled = compile_space(space)
    again = pickle.loads(pickle.dumps(compiled))
    assert compiled.describe() == again.describe()
    assert json.dumps(compiled.to_json()) == json.dumps(again.to_json())
    assert compiled.fingerprint() == again.fingerprint()
    assert compiled.diff(again.to_json()) == []


@relaxed
@given(spaces(), seeds)
def test_completing_a_part_of_a_point_keeps_the_part(space, seed):
    rng = np.random.default_rng(seed)
    compiled = compile_space(space)
    point = compiled.sample(rng, 1).points()[0]
    part = {label: value for label, value in point.items() if rng.random() < 0.5}
    whole = compiled.complete(part, rng)
    assert {label: whole[label] for label in part} == part
    compiled.config(whole)


@relaxed
@given(finite_spaces())
def test_enumerating_gives_as_many_distinct_points_as_the_cardinality_says(space):
    compiled = compile_space(space)
    total = compiled.cardinality()
    assert isinstance(total, int) and total >= 1
    assume(total <= 300)
    points = [compiled.point_at(i) for i in range(total)]
    assert len({tuple(sorted(point.items())) for point in points}) == total
    assert [compiled.index_of(point) for point in points] == list(range(total))
    assert len(list(compiled.enumerate())) == total


@relaxed
@given(finite_spaces(), seeds)
def test_every_sampled_point_of_a_finite_space_has_an_index(space, seed):
    compiled = compile_space(space)
    for point in compiled.sample(np.random.default_rng(seed), 5).points():
        assert compiled.point_at(compiled.index_of(point)) == point


@relaxed
@given(spaces())
def test_a_space_is_finite_exactly_when_no_parameter_is_endless(space):
    compiled = compile_space(space)
    endless = any(param.dist.size is None for param in compiled)
    assert (compiled.cardinality() == math.inf) == endless
