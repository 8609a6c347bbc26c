"""A mixture of algorithms asks each part as often as declared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.suggest.base import Algorithm
from hpspace.suggest.mix import Mix
from hpspace.suggest.random import Random

SPACE = compile_space({"x": hp.uniform("x", 0, 1)})


@dataclass(frozen=True)
class Constant:
    """Proposes one value, the k-th row a little above it."""

    value: float

    def propose(self, space, history, n, rng):
        return Batch(space, self.value + np.arange(n)[:, None] * 1e-9)


def propose(mix, n=1, seed=0):
    return mix.propose(SPACE, History(SPACE), n, np.random.default_rng(seed)).values[:, 0]


@pytest.mark.parametrize("probabilities", [[0.5, 0.6], [0.3, 0.3], [1.0, 1.0]])
def test_probabilities_that_do_not_sum_to_one_are_refused(probabilities):
    """The message names the sum."""
    with pytest.raises(ValueError, match=f"sum to {sum(probabilities):.6g}"):
        Mix([Random(), Random()], probabilities)


def test_a_negative_probability_is_refused():
    """The sum alone would not show it."""
    with pytest.raises(ValueError, match=r"not be negative.*-0\.5"):
        Mix([Random(), Random()], [1.5, -0.5])


def test_every_algorithm_needs_a_probability():
    """Two algorithms, one probability."""
    with pytest.raises(ValueError, match="2 algorithms and 1 probabilities"):
        Mix([Random(), Random()], [1.0])


def test_parts_are_asked_as_often_as_declared():
    """2000 points at 0.3 : 0.7, within 5 standard errors."""
    x = propose(Mix([Constant(0.25), Constant(0.75)], [0.3, 0.7]), 2000)
    assert len(x) == 2000
    assert abs((x < 0.5).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 2000)


def test_an_algorithm_of_probability_one_answers_alone():
    """And one of probability 0 never."""
    assert (propose(Mix([Constant(0.25), Constant(0.75)], [0.0, 1.0]), 50) > 0.5).all()


def test_a_sum_of_one_up_to_rounding_will_do():
    """0.1 + 0.2 + 0.7 is not 1.0 in floating point."""
    mix = Mix([Constant(0.1), Constant(0.2), Constant(0.3)], [0.1, 0.2, 0.7])
    assert isinstance(mix, Algorithm)
    assert len(propose(mix, 10)) == 10


def test_the_same_generator_gives_the_same_points():
    """Also through the parts."""
    mix = Mix([Random(), Constant(0.5)], [0.5, 0.5])
    assert propose(mix, 20, seed=3).tolist() == propose(mix, 20, seed=3).tolist()


def test_a_finite_space_is_not_repeated_by_different_parts():
    """Two parts that would both propose the one point that is left."""
    space = compile_space({"x": hp.int("x", 1, 3)})
    batch = Mix([Random(), Random()], [0.5, 0.5]).propose(space, History(space), 5, np.random.default_rng(0))
    assert sorted(batch.values[:, 0]) == [1.0, 2.0, 3.0]
