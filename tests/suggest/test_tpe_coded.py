"""Where choices have few combinations of codes, points are drawn and looked up by them: the same, in fewer steps."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, History
from hpspace.suggest.tpe import evidence, latest
from hpspace.suggest.tpe.algorithm import TPE, layout_of
from hpspace.suggest.tpe.candidates import Candidates
from hpspace.suggest.tpe.parzen import prior_density
from hpspace.suggest.tpe.sampler import Sampler
from hpspace.suggest.tpe.score import densities_at

#: False-alarm rate of every statistical test here, were the seed random.
ALPHA = 1e-6

TREE = {
    "model": hp.choice(
        "model",
        [
            {"C": hp.lognormal("C", 0, 1), "kernel": hp.choice("kernel", [0, hp.uniform("width", 0, 1)])},
            {"depth": hp.qlognormal("depth", 3, 1, 1), "leaf": hp.int("leaf", 1, 20)},
            "nothing to set",
        ],
    ),
    "scale": hp.pchoice("scale", [(0.7, "no"), (0.0, "never"), (0.3, "yes")]),
}
FLAT = {
    "u": hp.uniform("u", -1, 1),
    "q": hp.quniform("q", 1, 40, 1),
    "big": hp.int("big", 1, 5000, log=True),
    "c": hp.choice("c", ["a", "b", "c"]),
    "p": hp.pchoice("p", [(0.9, "a"), (0.1, "b")]),
}
CODES = {"a": hp.choice("a", list(range(30))), "b": hp.choice("b", list(range(30)))}
BARE = hp.choice("model", ["nothing", hp.choice("other", ["also", "nothing"]), hp.uniform("x", 0, 1)])
SPACES = pytest.mark.parametrize("space", [TREE, FLAT], ids=["tree", "flat"])


def searched(compiled, n, seed=0, kinds=(OK,)):
    history = History(compiled)
    values = compiled.sample(seed, n).values
    losses = np.nansum((compiled.encode(values) - 0.3) ** 2, axis=1)
    history.append(values, losses, (list(kinds) * n)[:n])
    return history


def uncoded(density):
    """What draws from a density in a space of too many combinations."""
    layout = dataclasses.replace(density.layout, combinations=None)
    return Sampler(
        layout, density.points.x, density.held, density.weights, density.prior_weight, density.sigma,
        density._below, density._mass, density.spread,
    )  # fmt: skip


@SPACES
def test_combinations_are_drawn_as_often_as_their_codes_one_by_one(space):
    """20,000 draws each way; chi-square of the two samples. An impossible option never comes."""
    compiled = compile_space(space)
    good, _ = TPE().densities(compiled, searched(compiled, 150))
    x, numbers = good.sampler.draw(np.random.default_rng(0), 20_000)
    combinations = good.layout.combinations
    np.testing.assert_array_equal(numbers, combinations.at(x))
    one_by_one, none = uncoded(good).draw(np.random.default_rng(1), 20_000)
    assert none is None
    counts = [
        np.bincount(n, minlength=combinations.active.shape[1]) for n in (numbers, combinations.at(one_by_one))
    ]
    some = np.sum(counts, axis=0) > 10
    assert stats.chi2_contingency(np.array(counts)[:, some]).pvalue > ALPHA
    if space is TREE:
        scale = int(good.layout.places[compiled.labels.index("scale")])
        assert not (x[scale] == 1.0).any()


@SPACES
def test_points_that_are_drawn_by_combinations_follow_the_joint_density(space):
    """The mean of p/q over draws of q is 1 for another density p, the declared one; 5 standard errors."""
    compiled = compile_space(space)
    good, _ = TPE(prior_weight=3.0).densities(compiled, searched(compiled, 150))
    x, numbers = good.sampler.draw(np.random.default_rng(3), 20_000)
    points = Candidates(compiled, good.layout, x, numbers=numbers).points
    log_p = np.log(prior_density(good.layout, points))
    log_p[~points.active] = 0.0
    ratio = np.exp(log_p.sum(axis=0) - good.at(points).log_joint)
    assert abs(ratio.mean() - 1.0) < 5.0 * ratio.std() / math.sqrt(len(ratio))


@SPACES
def test_densities_by_combinations_are_those_without(space):
    """The same candidates, as drawn and given by their values, which have no numbers."""
    compiled = compile_space(space)
    good, bad = TPE().densities(compiled, searched(compiled, 400))
    layout = layout_of(compiled)
    x, numbers = good.sampler.draw(np.random.default_rng(0), 200)
    coded = Candidates(compiled, layout, x, numbers=numbers)
    plain = Candidates(compiled, dataclasses.replace(layout, combinations=None), x)
    assert plain.numbers is None
    for first, second in zip(densities_at(coded, good, bad), densities_at(plain, good, bad)):
        np.testing.assert_array_equal(first.log_joint, second.log_joint)
        np.testing.assert_array_equal(first.log_marginals, second.log_marginals)


def test_a_space_of_choices_alone_is_drawn_by_combinations():
    """900 combinations and no number."""
    compiled = compile_space(CODES)
    good, _ = TPE().densities(compiled, searched(compiled, 60))
    x, numbers = good.sampler.draw(np.random.default_rng(0), 50)
    np.testing.assert_array_equal(x[0] * 30 + x[1], numbers)


def test_points_without_numbers_are_left_out_once_they_are_old():
    """Three of them, whatever the codes of choices that are not active; all later proposals have a number."""
    compiled = compile_space(BARE)
    keys, which = layout_of(compiled).bare
    assert len(keys) == 3 and (which < 3).sum() == 4  # combinations of the codes of `model` and `other`
    history = searched(compiled, 200)
    assert all(key in history.keys for key in keys)
    for seed in range(20):
        proposed = TPE().propose(compiled, history, 3, np.random.default_rng(seed))
        assert not np.isnan(proposed.values[:, compiled.labels.index("x")]).any()


@SPACES
@pytest.mark.parametrize("kinds", [[OK], [OK, FAILED, OK]], ids=["ok", "some failed"])
def test_the_latest_kernels_number_by_number_are_those_of_arrays(space, kinds, monkeypatch):
    """Relative to their size within 1e-12; 31 trials that are not settled."""
    compiled = compile_space(space)
    found = []
    for few in (latest.FEW_COLUMNS, 0):
        monkeypatch.setattr(latest, "FEW_COLUMNS", few)
        history = searched(compiled, 1023, kinds=kinds)
        found.append(TPE().densities(compiled, history)[1].latest)
    assert len(found[0]) == len(found[1]) > 10
    for number, array in zip(*found):
        np.testing.assert_allclose(number.coefficients, array.coefficients, rtol=1e-12, atol=1e-12)
        assert list(number.centres) == list(array.centres) and number.failed == array.failed
        assert (number.lacking is None) == (array.lacking is None)
        if number.lacking is not None:
            assert list(number.lacking) == list(array.lacking)


def test_a_latest_trial_that_fails_repels_more_at_once():
    """It is pending when it is first seen; what an earlier look says does not change by that."""
    compiled = compile_space({"x": hp.uniform("x", 0, 1), "y": hp.uniform("y", 0, 1)})
    history = searched(compiled, evidence.MANY_IF_FAILED + 40, kinds=[OK] * 30 + [FAILED])
    history.append(np.full((3, 2), 0.9), np.zeros(3), [PENDING] * 3)
    layout = layout_of(compiled)
    at = Candidates.at(compiled, layout, np.array([[0.9, 0.9]])).points
    before = TPE().densities(compiled, history)[1]
    first = before.at(at).log_joint[0]
    history.update(np.arange(len(history) - 3, len(history)), np.zeros(3), [FAILED] * 3)
    after = TPE().densities(compiled, history)[1]
    assert len(after.latest) >= 3
    assert after.at(at).log_joint[0] > first + 0.3
    assert before.at(at).log_joint[0] == first
