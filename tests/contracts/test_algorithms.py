"""Every registered algorithm obeys the laws of `hpspace.suggest.base` on every space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, History
from hpspace.suggest import base
from hpspace.testing.algorithms import check_proposals, history
from hpspace.testing.spaces import finite_spaces, spaces

seeds = st.integers(0, 2**32 - 1)
algorithms = pytest.mark.parametrize("name", base.names())
relaxed = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))


@algorithms
@relaxed
@given(spaces(), seeds, st.sampled_from([0, 1, 5, 30, 60]), st.integers(1, 4))
def test_proposals_obey_the_laws(name, space, seed, past, n):
    compiled = compile_space(space)
    check_proposals(base.get(name), compiled, history(compiled, past, np.random.default_rng(seed)), n, seed)


@algorithms
@relaxed
@given(finite_spaces(), seeds)
def test_proposals_obey_the_laws_in_finite_spaces(name, space, seed):
    compiled = compile_space(space)
    check_proposals(base.get(name), compiled, history(compiled, 20, np.random.default_rng(seed)), 5, seed)


@algorithms
def test_a_finite_space_is_searched_once_and_to_its_end(name):
    """6 points, asked for one at a time: all of them come, none twice, then nothing."""
    space = compile_space([hp.randint("a", 3), hp.choice("b", ["x", "y"])])
    past, algorithm = History(space), base.get(name)
    for trial in range(6):
        batch = algorithm.propose(space, past, 1, np.random.default_rng(trial))
        assert len(batch) == 1
        past.append(batch.values, [float(trial)], [OK])
    assert len(past.keys) == 6
    assert len(algorithm.propose(space, past, 1, np.random.default_rng(9))) == 0


@algorithms
def test_repeats_are_allowed_on_request(name):
    space = compile_space(hp.randint("a", 2))
    past = History(space)
    past.append([[0.0], [1.0]], [0.0, 1.0], [OK, OK])
    past.allow_repeats = True
    assert len(base.get(name).propose(space, past, 3, np.random.default_rng(0))) == 3


@algorithms
def test_distributions_whose_bounds_depend_on_others_are_searched(name):
    """y in [0, x]: every proposal holds, at the start and with a model."""
    x = hp.uniform("x", 1, 2)
    space = compile_space({"x": x, "y": hp.uniform("y", 0, x), "k": hp.randint("k", hp.int("n", 1, 5))})
    past, algorithm = History(space), base.get(name)
    for trial in range(40):
        batch = algorithm.propose(space, past, 1, np.random.default_rng(trial))
        point = batch.points()[0]
        assert 0 <= point["y"] <= point["x"] and 0 <= point["k"] < point["n"]
        past.append(batch.values, [point["y"] - point["x"]], [OK])


@algorithms
def test_trials_that_all_failed_still_lead_to_proposals(name):
    space = compile_space({"x": hp.uniform("x", 0, 1), "c": hp.choice("c", [0, hp.normal("z", 0, 1)])})
    past = History(space)
    past.append(space.sample(0, 40).values, np.zeros(40), [FAILED] * 40)
    assert len(algorithm_points(name, space, past)) == 2


def algorithm_points(name, space, past):
    return base.get(name).propose(space, past, 2, np.random.default_rng(0)).points()


@algorithms
def test_a_constant_space_has_one_point(name):
    space = compile_space({"fixed": 3})
    past = History(space)
    batch = base.get(name).propose(space, past, 2, np.random.default_rng(0))
    assert batch.points() == [{}]
    past.append(batch.values, [0.0], [OK])
    assert len(base.get(name).propose(space, past, 1, np.random.default_rng(0))) == 0
