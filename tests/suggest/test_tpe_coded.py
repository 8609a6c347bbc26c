"""Where choices have few combinations of codes, points are drawn and looked up by them: the same, in fewer steps."""

from __future__ import annotations

import dataclasses
import itertools
import linecache
import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, History
from hpspace.suggest.tpe import evidence, latest
from hpspace.suggest.tpe.algorithm import TPE, layout_of
from hpspace.suggest.tpe.candidates import Candidates
from hpspace.suggest.tpe.parzen import Parzen, prior_density
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
        found.append(TPE().densities(compiled, history)[1].latest.kernels)
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
    assert len(after.latest.kernels) >= 3
    assert after.at(at).log_joint[0] > first + 0.3
    assert before.at(at).log_joint[0] == first


# ---------------------------------------------------------------- interrupts and threads


def interrupted_at(step, call):
    """Run a call and raise KeyboardInterrupt at the step-th line of hpspace that it executes; whether it was."""
    left = [step]

    def trace(frame, event, arg):
        if "hpspace" not in frame.f_code.co_filename:
            return None
        # on leaving a block Python 3.13 traces its `with` once more, before the lock is released: no signal comes there
        at_with = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with ")
        if event == "line" and not at_with:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("some_failed", [False, True], ids=["ok", "some failed"])
def test_an_interrupt_at_any_line_leaves_what_is_kept_as_it_was(some_failed):
    """Trials come, one becomes another, Ctrl-C in the next proposal; then the proposal and weights are as without."""
    compiled, step, interrupted = compile_space(TREE), 1, True

    def grown():
        history = searched(compiled, 1030, kinds=[OK] * 9 + [FAILED] if some_failed else [OK])
        TPE().propose(compiled, history, 1, np.random.default_rng(0))
        more = searched(compiled, 24, seed=1)
        history.append(more.values, more.losses, [OK, PENDING, FAILED if some_failed else OK] * 8)
        if some_failed:
            history.update([1028], [0.0], [FAILED if history.kind[1028] == OK else OK])
        return history

    whole = grown()
    expected = TPE().propose(compiled, whole, 2, np.random.default_rng(5)).values
    total = TPE().densities(compiled, whole)[1].total
    while interrupted:
        history = grown()
        interrupted = interrupted_at(
            step, lambda h=history: TPE().propose(compiled, h, 2, np.random.default_rng(5))
        )
        proposed = TPE().propose(compiled, history, 2, np.random.default_rng(5)).values
        np.testing.assert_array_equal(proposed, expected)
        assert TPE().densities(compiled, history)[1].total == total
        step += 17
    assert step > 400


def test_threads_that_propose_from_one_history_do_so_as_one_alone():
    """Three at once, each time after many trials came together; the switches between them are as frequent as can be."""
    compiled, before = compile_space(TREE), sys.getswitchinterval()
    whole = searched(compiled, 1300)
    history, alone = History(compiled), History(compiled)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(3) as pool:
            for first, end in itertools.pairwise(
                [0, 1060, 1071, 1087, 1100, 1123, 1150, 1180, 1211, 1230, 1300]
            ):
                for one in (history, alone):
                    one.append(whole.values[first:end], whole.losses[first:end], [OK] * (end - first))
                expected = [
                    TPE().propose(compiled, alone, 1, np.random.default_rng(i)).values for i in range(6)
                ]
                jobs = [
                    pool.submit(TPE().propose, compiled, history, 1, np.random.default_rng(i))
                    for i in range(6)
                ]
                for job, values in zip(jobs, expected):
                    np.testing.assert_array_equal(job.result().values, values)
    finally:
        sys.setswitchinterval(before)


def test_a_candidate_far_out_on_an_endless_grid_has_a_score():
    """The bin of such a value has width 0 in floating point; its density was 0 / 0."""
    compiled = compile_space({"e": hp.qlognormal("e", 0, 8, 1), "x": hp.uniform("x", 0, 1)})
    history = searched(compiled, 40)
    good, bad = TPE().densities(compiled, history)
    assert isinstance(bad, Parzen)
    far = Candidates.at(compiled, layout_of(compiled), np.array([[9.7e15, 0.5], [1.0, 0.5]]))
    assert (far.points.high - far.points.low)[0, 0] == 0.0
    for density in (good, bad):
        at = density.at(far.points)
        assert np.isfinite(at.log_joint).all() and np.isfinite(at.log_marginals).all()
