"""BOHB: Hyperband's brackets, with configurations of a model and some random ones."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import OK, PENDING, History
from hpspace.suggest.fidelity.asha import ASHA
from hpspace.suggest.fidelity.bohb import BOHB
from hpspace.suggest.fidelity.hyperband import Hyperband
from hpspace.suggest.fidelity.scheduler import NewConfiguration
from hpspace.suggest.tpe.algorithm import TPE
from hpspace.testing.races import Race

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "y": hp.uniform("y", 0, 1), "r": hp.fidelity("r", 1, 27)})


class Spy:
    """A searcher that remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def propose(self, space, history, n, rng):
        self.shown.append(history)
        return space.sample(rng, n)


def test_its_brackets_are_hyperbands():
    """The same table, whatever is proposed."""
    places = []
    for algorithm in (Hyperband(), BOHB()):
        race = Race(algorithm, SPACE)
        race.run(110, lambda row: float(row))
        places.append(list(zip(race.past.brackets.tolist(), race.past.rungs.tolist())))
    assert places[0] == places[1]


def test_it_searches_near_what_was_good_at_the_richest_resource():
    """30 points had 1, where the loss points to x = 0; every other one had 3, where it points to x = 0.9."""
    x = np.linspace(0.02, 0.98, 30)
    values = np.stack([x, (x * 7) % 1], axis=1)
    past = History(SPACE)
    past.append(values, x, [OK] * 30, resources=np.full(30, 1), stages=[(0, 0, i) for i in range(30)])
    more = np.arange(0, 30, 2)
    stages = [(1, 0, i) for i in more]
    past.append(values[more], abs(x[more] - 0.9), [OK] * 15, resources=np.full(15, 3), stages=stages)
    rngs = map(np.random.default_rng, range(30))
    jobs = [NewConfiguration(TPE(), None, past, SPACE.fidelity, rng)(1) for rng in rngs]
    assert np.mean([point[0] > 0.6 for point, _ in jobs]) > 0.8


def test_a_share_is_random_whatever_the_model_says():
    """With a model that always answers one point: 1/3 of 300 elsewhere, within 5.2 deviations (1e-7)."""

    class Corner:
        def propose(self, space, history, n, rng):
            return space.batch(np.full((n, 2), 0.5))

    race = Race(BOHB(algo=Corner()), SPACE)
    for _ in range(300):
        race.begin()
    elsewhere = int((race.past.values[:, 0] != 0.5).sum())
    assert abs(elsewhere - 100) < 5.2 * (300 * 1 / 3 * 2 / 3) ** 0.5


@pytest.mark.parametrize(("min_results", "at"), [(None, None), (3, 3.0), (4, 1.0)])
def test_the_model_is_of_the_richest_resource_with_enough_results(min_results, at):
    """Nine results at 1, three at 3: by default ten are asked for, so none is shown as finished yet."""
    spy = Spy()
    race = Race(ASHA(algo=spy, min_results=min_results), SPACE)
    for row in race.begin(9):
        race.end(row, float(row))
    for row in race.begin(3):
        race.end(row, float(row))
    race.begin(2)  # the promotion to 9, and a new one
    kinds = spy.shown[-1].kind
    if at is None:
        assert set(kinds.tolist()) == {PENDING}
    else:
        assert (kinds == OK).sum() == (3 if at == 3.0 else 9)


def test_more_parameters_ask_for_more_results():
    """12 parameters: more than one result each and one more, as in the paper."""
    space = compile_space([[hp.uniform(f"x{i}", 0, 1) for i in range(12)], hp.fidelity("r", 1, 27)])
    spy = Spy()
    race = Race(Hyperband(algo=spy), space)
    for n, finished in ((13, False), (1, True)):
        for row in race.begin(n):
            race.end(row, float(row))
        race.begin()
        assert (spy.shown[-1].kind == OK).any() == finished


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_lies_between_none_and_all(share):
    """Else the argument is named."""
    with pytest.raises(ValueError, match="bohb: random_fraction="):
        BOHB(random_fraction=share)
