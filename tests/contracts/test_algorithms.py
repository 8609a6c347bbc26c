"""Every registered algorithm obeys the laws of `hpspace.suggest.base` on every space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpspace import compile_space, hp
from hpspace.exceptions import InvalidFidelity
from hpspace.history import FAILED, OK, History
from hpspace.suggest import base
from hpspace.testing.algorithms import check_proposals, history, raced, record, with_resource
from hpspace.testing.spaces import finite_spaces, spaces

seeds = st.integers(0, 2**32 - 1)
algorithms = pytest.mark.parametrize("name", base.names())
relaxed = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))


def prepared(name, space, past, seed):
    """An algorithm, a space in which it can be used, and a history such as it may meet there."""
    algorithm, rng = base.get(name), np.random.default_rng(seed)
    compiled = compile_space(with_resource(algorithm, space))
    made = raced(algorithm, compiled, past, rng) if compiled.fidelity else history(compiled, past, rng)
    return algorithm, compiled, made


@algorithms
@relaxed
@given(spaces(), seeds, st.sampled_from([0, 1, 5, 30, 60]), st.integers(1, 4))
def test_proposals_obey_the_laws(name, space, seed, past, n):
    algorithm, compiled, made = prepared(name, space, past, seed)
    check_proposals(algorithm, compiled, made, n, seed)


@algorithms
@relaxed
@given(finite_spaces(), seeds)
def test_proposals_obey_the_laws_in_finite_spaces(name, space, seed):
    algorithm, compiled, made = prepared(name, space, 20, seed)
    check_proposals(algorithm, compiled, made, 5, seed)


@algorithms
@relaxed
@given(spaces(), seeds, st.sampled_from([1, 30]), st.integers(1, 4))
def test_trials_of_another_algorithm_are_no_obstacle(name, space, seed, past, n):
    """Also where that one planned no resources: its trials had all of it."""
    algorithm = base.get(name)
    compiled = compile_space(with_resource(algorithm, space))
    check_proposals(algorithm, compiled, history(compiled, past, np.random.default_rng(seed)), n, seed)


@algorithms
def test_a_finite_space_is_searched_once_and_to_its_end(name):
    """6 points, asked for one at a time: all of them come, none twice at one resource, then nothing."""
    algorithm = base.get(name)
    space = compile_space(with_resource(algorithm, [hp.randint("a", 3), hp.choice("b", ["x", "y"])]))
    past, seen = History(space), []
    for trial in range(60):
        batch = algorithm.propose(space, past, 1, np.random.default_rng(trial))
        if not len(batch):
            break
        seen.append((space.keys(batch.values)[0], batch.stages and batch.stages[0].resource))
        record(past, batch, [float(trial)], [OK])
    assert len(past.keys) == 6
    assert len(set(seen)) == len(seen)
    assert len({point for point, resource in seen if resource in (None, 9)}) == 6
    assert len(algorithm.propose(space, past, 1, np.random.default_rng(9))) == 0


@algorithms
def test_repeats_are_allowed_on_request(name):
    algorithm = base.get(name)
    space = compile_space(with_resource(algorithm, hp.randint("a", 2)))
    past = History(space)
    past.append([[0.0], [1.0]], [0.0, 1.0], [OK, OK])
    past.allow_repeats = True
    assert len(algorithm.propose(space, past, 3, np.random.default_rng(0))) == 3


@algorithms
def test_distributions_whose_bounds_depend_on_others_are_searched(name):
    """y in [0, x]: every proposal holds, at the start and with a model."""
    x = hp.uniform("x", 1, 2)
    algorithm = base.get(name)
    plain = {"x": x, "y": hp.uniform("y", 0, x), "k": hp.randint("k", hp.int("n", 1, 5))}
    space = compile_space(with_resource(algorithm, plain))
    past = History(space)
    for trial in range(40):
        batch = algorithm.propose(space, past, 1, np.random.default_rng(trial))
        point = batch.points()[0]
        assert 0 <= point["y"] <= point["x"] and 0 <= point["k"] < point["n"]
        record(past, batch, [point["y"] - point["x"]], [OK])


@algorithms
def test_trials_that_all_failed_still_lead_to_proposals(name):
    algorithm = base.get(name)
    plain = {"x": hp.uniform("x", 0, 1), "c": hp.choice("c", [0, hp.normal("z", 0, 1)])}
    space = compile_space(with_resource(algorithm, plain))
    past = History(space)
    for trial in range(20):
        batch = algorithm.propose(space, past, 2, np.random.default_rng(trial))
        assert len(batch) == 2
        record(past, batch, np.zeros(2), [FAILED] * 2)


@algorithms
def test_a_constant_space_has_one_point(name):
    """Evaluated once, at each resource if there is one."""
    algorithm = base.get(name)
    space = compile_space(with_resource(algorithm, {"fixed": 3}))
    past = History(space)
    while len(batch := algorithm.propose(space, past, 2, np.random.default_rng(0))):
        assert batch.points() == [{}]
        record(past, batch, [0.0], [OK])
    given = past.resources[~np.isnan(past.resources)]
    assert len(past) == max(1, len(set(given.tolist())))


@algorithms
def test_an_algorithm_that_plans_resources_asks_for_one(name):
    """The others do without; these say what to write."""
    algorithm, space = base.get(name), compile_space(hp.uniform("x", 0, 1))
    if getattr(algorithm, "needs_fidelity", False):
        with pytest.raises(InvalidFidelity, match=f"algo='{name}'.*hp.fidelity"):
            algorithm.propose(space, History(space), 1, np.random.default_rng(0))
    else:
        assert len(algorithm.propose(space, History(space), 1, np.random.default_rng(0))) == 1
