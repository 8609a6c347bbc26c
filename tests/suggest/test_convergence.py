"""Searches get better than random ones on known problems, never worse on hopeless ones, and do not lock in.

Rules of this file. Seeds are fixed, so a test passes always or never; the rates are for a *new* seed or a change of the
algorithm that keeps its quality. "Better than random" asks for p < 1e-3 in a one-sided Mann-Whitney test of the best
losses of the searches against those of 400 random ones, and what was measured is far below (given with each test), so
a change that fails has lost most of the gain. "Not worse than random" fails at p < 1e-6: a false alarm in a million.
Bounds on medians are upper ends of 99 % bootstrap intervals of the median: a false alarm in 200, to be measured again
(``python tests/suggest/test_convergence.py``) when the algorithm is changed on purpose.
"""

from __future__ import annotations

import functools
import math
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import threadpoolctl
from scipy import stats

from hpspace import compile_space, hp
from hpspace.history import OK, History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest import base
from hpspace.suggest.tpe.algorithm import TPE

TRIALS = 80


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices on many threads of a busy machine take five times as long."""
    with threadpoolctl.threadpool_limits(1):
        yield


@dataclass
class Problem:
    """A space and a loss of rows of raw values (n, D)."""

    space: CompiledSpace
    loss: Callable[[np.ndarray], np.ndarray]


def search(algorithm, problem, trials, seed, batch=1):
    """Return the history of a search."""
    history = History(problem.space)
    while len(history) < trials:
        rng = np.random.default_rng([seed, len(history)])
        rows = algorithm.propose(problem.space, history, batch, rng).values
        history.append(rows, problem.loss(rows), [OK] * len(rows))
    return history


def best_losses(algorithm, make, seeds, trials=TRIALS, batch=1):
    return np.array(
        [search(algorithm, make(seed), trials, seed, batch).losses.min() for seed in range(seeds)]
    )


def random_losses(make, runs=400, instances=20, trials=TRIALS):
    """Best losses of random searches, spread over the same instances."""
    best = []
    for seed in range(instances):
        problem = make(seed)
        rows = problem.space.sample(np.random.default_rng([7, seed]), runs // instances * trials).values
        best.append(problem.loss(rows).reshape(-1, trials).min(axis=1))
    return np.concatenate(best)


def better(ours, random):
    return stats.mannwhitneyu(ours, random, alternative="less").pvalue


def worse(ours, random):
    return stats.mannwhitneyu(ours, random, alternative="greater").pvalue


# ---------------------------------------------------------------- problems


def box(d):
    space = compile_space([hp.uniform(f"x{i}", 0, 1) for i in range(d)])
    columns = [space.index[f"x{i}"] for i in range(d)]
    return space, columns


def sphere(seed):
    """Five numbers; the optimum is moved."""
    shift = np.random.default_rng(seed).uniform(0.1, 0.9, 5)
    space, columns = box(5)
    return Problem(space, lambda v: ((v[:, columns] - shift) ** 2).sum(axis=1))


def branin(seed):
    """Three optima of equal value 0.397887 in two numbers (Dixon & Szegö 1978)."""
    space, columns = box(2)

    def loss(v):
        x, y = 15 * v[:, columns[0]] - 5, 15 * v[:, columns[1]]
        bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
        return bowl + 10 * (1 - 1 / (8 * math.pi)) * np.cos(x) + 10

    return Problem(space, loss)


def hartmann(seed):
    """Hartmann's function of six numbers, least value -3.32237 (Dixon & Szegö 1978)."""
    space, columns = box(6)
    height = np.array([1.0, 1.2, 3.0, 3.2])
    steep = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    centre = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    return Problem(
        space,
        lambda v: -np.exp(-(steep * (v[:, None, columns] - centre) ** 2).sum(axis=2)) @ height,
    )


def table(seed):
    """Eight choices of four options whose neighbours interact."""
    pairs = np.random.default_rng(seed).normal(size=(7, 4, 4))
    space = compile_space([hp.choice(f"c{i}", list("abcd")) for i in range(8)])
    columns = [space.index[f"c{i}"] for i in range(8)]

    def loss(v):
        codes = v[:, columns].astype(int)
        return sum(pairs[i, codes[:, i], codes[:, i + 1]] for i in range(7))

    return Problem(space, loss)


def three_models(seed):
    """Three models with parameters of every kind; the optimum of each is moved, the first is best."""
    at = np.random.default_rng(seed).uniform(0.2, 0.8, 3)
    space = compile_space(
        hp.choice(
            "model",
            [
                {"C": hp.loguniform("C", -7, 7), "gamma": hp.loguniform("gamma", -7, 7)},
                {"depth": hp.quniform("depth", 1, 20, 1), "share": hp.normal("share", 0, 1)},
                {"k": hp.randint("k", 1, 50), "p": hp.choice("p", [1, 2, 3])},
            ],
        )
    )

    def loss(v):
        model, c, gamma, depth, share, k, p = (
            v[:, space.index[label]] for label in ("model", "C", "gamma", "depth", "share", "k", "p")
        )
        first = ((np.log(c) + 7) / 14 - at[0]) ** 2 + ((np.log(gamma) + 7) / 14 - at[1]) ** 2
        second = 0.05 + (depth / 20 - at[2]) ** 2 + 0.1 * share**2
        third = 0.1 + np.abs(k / 50 - at[0]) + 0.1 * p
        return np.select([model == 0, model == 1], [first, second], third)

    return Problem(space, loss)


#: Problem -> upper end of the 99 % bootstrap interval of tpe's median best loss, 20 seeds.
BOUNDS = {sphere: 1.721e-4, branin: 0.40005, hartmann: -3.2396, table: -8.383, three_models: 2.79e-6}


# ---------------------------------------------------------------- known problems


@pytest.mark.parametrize("problem", BOUNDS, ids=lambda make: make.__name__)
def test_tpe_converges(problem):
    """80 trials, 20 instances: below the bound, and better than random search (measured: p < 1e-10)."""
    ours = best_losses(TPE(), problem, 20)
    assert np.median(ours) <= BOUNDS[problem]
    assert better(ours, random_losses(problem)) < 1e-3


OTHERS = ["tpe-hyperopt03", "tpe-optuna5", "anneal"]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("problem", [sphere, three_models], ids=lambda make: make.__name__)
def test_the_other_algorithms_converge(name, problem):
    """80 trials, 12 instances: p < 0.01 (measured: 1e-4 for Optuna's model on the tree, else below 1e-4)."""
    assert better(best_losses(base.get(name), problem, 12), random_losses(problem)) < 1e-2


# ---------------------------------------------------------------- hopeless problems


def white(seed):
    """256 points whose losses have nothing to do with each other."""
    noise = np.random.default_rng([seed, 5]).normal(size=(4,) * 4)
    space = compile_space([hp.choice(f"c{i}", list("abcd")) for i in range(4)])
    columns = [space.index[f"c{i}"] for i in range(4)]
    return Problem(space, lambda v: noise[tuple(v[:, columns].astype(int).T)])


@pytest.mark.parametrize("name", ["tpe", "atpe", "tpe-hyperopt03", "tpe-optuna5", "anneal"])
def test_nothing_is_worse_than_random_search_where_nothing_can_be_learned(name):
    """12 searches of 40 of the 256 points against 2,400 random ones without repeats: not worse at p > 1e-6.

    All points are alike, so only wasted trials can make a search worse: it fails if most of them repeat a point.
    """
    ours = best_losses(base.get(name), white, 12, trials=40)
    space = white(0).space
    every = np.array([space.row(space.point_at(i)) for i in range(256)])
    rng = np.random.default_rng(3)
    random = [rng.permutation(white(seed).loss(every))[:40].min() for seed in range(12) for _ in range(200)]
    assert worse(ours, random) > 1e-6


@pytest.mark.parametrize("name", ["tpe", "tpe-optuna5"])
def test_noise_does_not_narrow_the_search(name):
    """150 trials of pure noise, 6 seeds: each of 4 arms has 5 or more, and so has each half of a range.

    Measured with 20 seeds: at least 9 and 7 for tpe, 17 and 32 for Optuna's model; tpe without `explore_options` has 3
    in an arm. A search that follows the noise to one arm or place has none after the start.
    """
    space = compile_space(
        [hp.choice("arm", [hp.uniform(f"x{k}", 0, 1) for k in range(4)]), hp.uniform("y", 0, 1)]
    )
    for seed in range(6):
        noise = np.random.default_rng([seed, 6])
        problem = Problem(space, lambda v, noise=noise: noise.normal(size=len(v)))
        values = search(base.get(name), problem, 150, seed).values
        arms = np.bincount(values[:, space.index["arm"]].astype(int), minlength=4)
        halves = np.histogram(values[:, space.index["y"]], bins=2, range=(0, 1))[0]
        assert arms.min() >= 5
        assert halves.min() >= 5


# ---------------------------------------------------------------- arms


def shared_rate(seed):
    """Four arms share a rate. The best one, at 0, wants an unusual rate and is bad elsewhere; the others end at 0.1."""
    rng = np.random.default_rng([seed, 8])
    best = int(rng.integers(4))
    wants, floor, steep = np.full(4, rng.uniform(0.35, 0.65)), np.full(4, 0.1), np.full(4, 0.5)
    wants[best], floor[best], steep[best] = rng.choice([0.1, 0.9]), 0.0, 6.0
    space = compile_space(
        [hp.choice("arm", list("abcd")), hp.loguniform("rate", -10, 0), hp.uniform("other", 0, 1)]
    )
    arm_of, rate, other = (space.index[label] for label in ("arm", "rate", "other"))

    def loss(v):
        arm, u = v[:, arm_of].astype(int), np.log(v[:, rate]) / 10 + 1
        return (
            floor[arm] + np.minimum(steep[arm] * (u - wants[arm]) ** 2, 0.8) + 0.1 * (v[:, other] - 0.4) ** 2
        )

    return Problem(space, loss)


@pytest.mark.parametrize(("options", "trials", "most"), [({}, 100, 2), ({"trend_trials": 0}, 150, 6)])
def test_tpe_finds_the_arm_that_wants_another_rate(options, trials, most):
    """24 instances, by default and by the ratio of densities alone: hardly one ends in a wrong arm.

    Measured on 30 instances: 0 by default, and 3 by the ratio alone after 150 trials (8 without `explore_options` as
    well, 13 with Optuna's model, 22 with anneal). At a rate of 10 % more than 6 of 24 has probability 0.002, at 1 %
    more than 2 has that.
    """
    ends = best_losses(TPE(**options), shared_rate, 24, trials=trials)
    assert (ends >= 0.1).sum() <= most


# ---------------------------------------------------------------- repeated and large searches


@pytest.mark.parametrize("name", ["tpe", "atpe", "tpe-hyperopt03", "tpe-optuna5", "anneal", "rand"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_search_is_repeated_bit_for_bit(name, batch):
    """45 trials on the tree, twice; another seed gives another search."""
    first, second, other = (
        search(base.get(name), three_models(0), 45, seed, batch).values for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other, equal_nan=True)


MANY = (
    [hp.uniform(f"x{i}", 0, 1) for i in range(10)]
    + [hp.int(f"i{i}", 0, 20) for i in range(5)]
    + [hp.choice(f"c{i}", list("abcd")) for i in range(5)]
)


def traced(task):
    """Return what a task returns, the bytes it leaves behind, and the most it had at once."""
    tracemalloc.start()
    try:
        result = task()
        return result, *tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


def test_the_cost_of_a_proposal_hardly_grows_with_the_trials():
    """Memory stands for time here, for it can be counted: ten times the trials, at most twice the working memory.

    Measured: 1.6 times. Everything per trial in the model would make it ten times. A trial of 20 parameters itself
    takes at most 2,000 bytes (measured: 1,360), where a document has about 5,800.
    """
    space = compile_space(MANY)
    peaks = []
    for n in (1_000, 10_000):
        rows, losses = space.sample(0, n).values, np.random.default_rng(1).normal(size=n)
        history = History(space)

        def fill(history=history, rows=rows, losses=losses, n=n):
            for start in range(0, n, 100):
                part = slice(start, start + 100)
                history.append(rows[part], losses[part], [OK] * 100)

        _, left, _ = traced(fill)
        assert left / n < 2_000
        for trial in range(2):  # the first proposal counts all trials, every further one the new ones
            task = functools.partial(TPE().propose, space, history, 1, np.random.default_rng(trial))
            batch, _, peak = traced(task)
            history.append(batch.values, [0.0], [OK])
        peaks.append(peak)
    assert peaks[1] < 2 * peaks[0]


def measure():
    """Yield a line a problem: median best loss, upper end of its 99 % interval, p-values against random search."""
    for problem in BOUNDS:
        measured = best_losses(TPE(), problem, 20)
        medians = np.median(np.random.default_rng(0).choice(measured, (20_000, 20)), axis=1)
        random = random_losses(problem)
        parts = [
            f"{np.median(measured):.5g}, bound {np.quantile(medians, 0.995):.5g}, {better(measured, random):.1g}"
        ]
        if problem in (sphere, three_models):
            parts += [
                f"{name} {better(best_losses(base.get(name), problem, 12), random):.1g}" for name in OTHERS
            ]
        yield f"{problem.__name__}: {'; '.join(parts)}\n"


if __name__ == "__main__":
    sys.stdout.writelines(measure())
