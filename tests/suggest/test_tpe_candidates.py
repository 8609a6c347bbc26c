"""Candidates have the same raw values in whichever way they are asked for, and the best new one is taken."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import OK, History
from hpspace.suggest.tpe import choose
from hpspace.suggest.tpe.algorithm import TPE, layout_of
from hpspace.suggest.tpe.candidates import Candidates

FLAT = {"u": hp.uniform("u", -1, 1), "q": hp.quniform("q", 1, 40, 1), "c": hp.choice("c", ["a", "b", "c"])}
TREE = hp.choice(
    "model",
    [
        {"C": hp.lognormal("C", 0, 1), "kernel": hp.choice("kernel", [0, hp.uniform("width", 0, 1)])},
        {"depth": hp.qlognormal("depth", 3, 1, 1)},
        "nothing to set",
    ],
)
DEPENDENT = {
    "top": hp.uniform("top", 1, 9),
    "c": hp.choice("c", [0, hp.uniform("x", 0, hp.uniform("y", 2, 3))]),
}
CHOICES = {f"c{i}": hp.choice(f"c{i}", list(range(7))) for i in range(4)}  # 2401 points: too many to rank all


def searched(space, n):
    history = History(space)
    history.append(space.sample(0, n).values, np.random.default_rng(1).normal(size=n), [OK] * n)
    return history


@pytest.mark.parametrize("space", [FLAT, TREE, DEPENDENT], ids=["flat", "tree", "dependent"])
def test_values_of_one_of_some_and_of_all_candidates_agree(space):
    """Bit for bit; each way is asked of new candidates, for they remember values that were made."""
    compiled = compile_space(space)
    layout = layout_of(compiled)
    good, _ = TPE().densities(compiled, searched(compiled, 60))
    x = good.sampler.draw(np.random.default_rng(2), 30)[0]
    whole = Candidates(compiled, layout, x)
    some = np.array([7, 3, 29])

    np.testing.assert_array_equal(Candidates(compiled, layout, x).rows(some), whole.values[some])
    np.testing.assert_array_equal(whole.rows(some), whole.values[some])
    for i in range(30):
        np.testing.assert_array_equal(Candidates(compiled, layout, x).row(i), whole.values[i])
        np.testing.assert_array_equal(whole.row(i), whole.values[i])


@pytest.mark.parametrize("space", [TREE, DEPENDENT], ids=["tree", "dependent"])
def test_the_table_of_combinations_says_what_the_paths_say(space):
    compiled = compile_space(space)
    layout = layout_of(compiled)
    x = TPE().densities(compiled, searched(compiled, 60))[0].sampler.draw(np.random.default_rng(2), 200)[0]
    assert layout.combinations is not None
    without = dataclasses.replace(layout, combinations=None)
    expected = Candidates(compiled, without, x).active
    np.testing.assert_array_equal(Candidates(compiled, layout, x).active, expected)
    assert 0 < expected.sum() < expected.size


def test_there_is_no_table_of_very_many_combinations():
    wide = {f"c{i}": hp.choice(f"c{i}", [0, hp.uniform(f"x{i}", 0, 1)]) for i in range(11)}
    layout = layout_of(compile_space(wide))
    assert layout.combinations is None and layout.deciding is not None


@pytest.mark.parametrize("space", [TREE, CHOICES], ids=["tree", "choices"])
def test_how_many_are_looked_at_one_by_one_does_not_matter(space, monkeypatch):
    """Many candidates repeat old points here."""
    compiled = compile_space(space)
    history = searched(compiled, 400)
    batches = []
    for tried in (0, 1, 4, 100):
        monkeypatch.setattr(choose, "_TRIED", tried)
        proposed = [TPE().propose(compiled, history, 3, np.random.default_rng(seed)) for seed in range(10)]
        batches.append(np.concatenate([batch.values for batch in proposed]))

    for batch in batches[1:]:
        np.testing.assert_array_equal(batches[0], batch)
