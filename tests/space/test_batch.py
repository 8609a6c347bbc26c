"""Batches: rows, and what they are given of a resource."""

from __future__ import annotations

import numpy as np

from hpspace import compile_space, hp
from hpspace.space.batch import Batch, Stage

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "e": hp.fidelity("e", 1, 9)})


def test_stages_follow_their_rows():
    """Through selections by position and by mask."""
    batch = Batch(SPACE, np.array([[0.1], [0.2], [0.3]]), (Stage(1), Stage(3, 1, 0, 5), Stage(9)))
    assert batch.select([2, 1]).stages == (Stage(9), Stage(3, 1, 0, 5))
    assert batch.select(np.array([False, True, False])).stages == (Stage(3, 1, 0, 5),)
    assert Batch(SPACE, np.array([[0.1]])).select([0]).stages is None


def test_batches_are_joined_with_their_stages():
    """All have stages, or the whole has none."""
    one, two = Batch(SPACE, np.array([[0.1]]), (Stage(1),)), Batch(SPACE, np.array([[0.2]]), (Stage(3),))
    assert Batch.concat([one, two]).stages == (Stage(1), Stage(3))
    assert Batch.concat([one, Batch(SPACE, np.array([[0.2]]))]).stages is None
