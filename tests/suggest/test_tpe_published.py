"""The published models: densities against plain loops over the published formulas, and what each library sees.

The reference below knows bounds, bins and probabilities of each parameter as literals, uses `math` only, and shares
no code with the package. Comparing with the installed libraries is ``tests/benchmarks/published_models.py``.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from hpspace import Trials, compile_space, fmin, hp, tpe
from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.suggest import base
from hpspace.suggest.tpe.published.hyperopt import Hyperopt03
from hpspace.suggest.tpe.published.optuna import Optuna5
from hpspace.suggest.tpe.published.past import Past

NAN, INF = math.nan, math.inf
MODELS = [Hyperopt03, Optuna5]
both = pytest.mark.parametrize("model", MODELS)


# ---------------------------------------------------------------- the reference


@dataclass
class Kind:
    """A parameter as a textbook has it: line, prior, bin of a value; or probabilities of codes."""

    node: object
    low: float = -INF
    high: float = INF
    mu: float = 0.0
    sigma: float = 1.0
    log: bool = False
    half: float = 0.0  # half of the step of a grid, in the value's unit
    p: tuple = ()
    counted_by_hyperopt: bool = False  # randint: codes there, numbers here

    def place(self, x, eps):
        return math.log(max(x, eps)) if self.log else x

    def bin(self, x, eps):
        """The ends of a value's bin on the line, inside the bounds."""
        ends = [x - self.half, x + self.half]
        if self.log:
            ends = [math.log(max(end, eps)) if end > 0 or eps else -INF for end in ends]
        return max(ends[0], self.low), min(ends[1], self.high)


def uniform(node, low, high, **more):
    return Kind(node, low, high, (low + high) / 2, high - low, **more)


LOG = functools.partial(uniform, log=True)
KINDS = {
    "uniform": uniform(hp.uniform("x", -2, 5), -2, 5),
    "loguniform": LOG(hp.loguniform("x", -7, 1), -7, 1),
    "normal": Kind(hp.normal("x", 3, 2), mu=3, sigma=2),
    "lognormal": Kind(hp.lognormal("x", 0, 1.5), mu=0, sigma=1.5, log=True),
    "quniform": uniform(hp.quniform("x", 0.3, 9, 2), 0.3, 9, half=1),
    "qloguniform": LOG(hp.qloguniform("x", -1, 4, 1), -1, 4, half=0.5),
    "qnormal": Kind(hp.qnormal("x", 0, 5, 1), mu=0, sigma=5, half=0.5),
    "qlognormal": Kind(hp.qlognormal("x", 1, 1, 1), mu=1, sigma=1, log=True, half=0.5),
    "uniformint": uniform(hp.uniformint("x", 1, 20), 1, 20, half=0.5),
    "float": uniform(hp.float("x", -1, 1), -1, 1),
    "float, log": LOG(hp.float("x", 1e-4, 10, log=True), math.log(1e-4), math.log(10)),
    "float, step": uniform(hp.float("x", 0, 1, step=0.3), -0.15, 1.05, half=0.15),
    "int": uniform(hp.int("x", 1, 20), 0.5, 20.5, half=0.5),
    "int, step": uniform(hp.int("x", 1, 20, step=3), -0.5, 20.5, half=1.5),
    "int, log": LOG(hp.int("x", 1, 300, log=True), math.log(0.5), math.log(300.5), half=0.5),
    "ordinal": uniform(hp.ordinal("x", list("abcde")), -0.5, 4.5, half=0.5),
    "randint": uniform(
        hp.randint("x", 3, 9), 2.5, 8.5, half=0.5, p=(0, 0, 0, *[1 / 6] * 6), counted_by_hyperopt=True
    ),
    "choice": Kind(hp.choice("x", list("abcd")), p=(0.25,) * 4),
    "pchoice": Kind(hp.pchoice("x", [(0.6, "a"), (0.3, "b"), (0.1, "c")]), p=(0.6, 0.3, 0.1)),
    "categorical": Kind(hp.categorical("x", ["a", "b"], p=[0.25, 0.75]), p=(0.25, 0.75)),
}


def phi(z):
    return 0.5 * math.erfc(-z / math.sqrt(2))


def mass(a, b):
    """The normal probability between a and b, by the smaller tail."""
    return phi(-a) - phi(-b) if a > 0 else phi(b) - phi(a)


def normal(z, mu, sigma):
    return math.exp(-0.5 * ((z - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))


def ages(n):
    """Weights by age, oldest first: linear up to the last 25."""
    if n < 25:
        return [1.0] * n
    return [1 / n + i * (1 - 1 / n) / max(1, n - 25 - 1) for i in range(n - 25)] + [1.0] * 25


def clip(x, least, most):
    return min(max(x, least), most)


def hyperopt_density(kind, seen, x):
    """The density of Hyperopt 0.3 at x, of trials with the values `seen`, oldest first."""
    n, weights = len(seen), ages(len(seen))
    if kind.p and (kind.counted_by_hyperopt or kind.half == 0):
        options = sum(p > 0 for p in kind.p)
        counts = [options * p for p in kind.p]
        for value, weight in zip(seen, weights):
            counts[int(value)] += weight
        return counts[int(x)] / sum(counts)
    mus = [kind.place(value, 1e-12) for value in seen]
    sigmas = []
    for i, mu in enumerate(mus):
        others = sorted([(m, j + 1) for j, m in enumerate(mus)] + [(kind.mu, 0)])
        at = others.index((mu, i + 1))
        left = mu - others[at - 1][0] if at > 0 else 0
        right = others[at + 1][0] - mu if at < n else 0
        gap = 0.5 * kind.sigma if n == 1 else max(left, right)
        sigmas.append(clip(gap, kind.sigma / min(100, n + 2), kind.sigma))
    total = inside = 0.0
    for weight, mu, sigma in zip([*weights, 1.0], [*mus, kind.mu], [*sigmas, kind.sigma]):
        inside += weight * mass((kind.low - mu) / sigma, (kind.high - mu) / sigma)
        if kind.half:
            a, b = kind.bin(x, 1e-12)
            total += weight * mass((a - mu) / sigma, (b - mu) / sigma)
        else:
            total += weight * normal(kind.place(x, 0), mu, sigma)
    return total / inside


def optuna_kernels(kind, seen, x):
    """The kernels of Optuna 5 at x: those of the trials, oldest first, and the prior's."""
    n = len(seen)
    if kind.p and kind.half == 0:
        e, options = 1 / (n + 1), len(kind.p)
        own = [((x == value) + e * options * kind.p[int(x)]) / (1 + options * e) for value in seen]
        return [*own, kind.p[int(x)]]
    quarter = kind.half / 2  # a rounded log value of 0 stands at a quarter of a step
    mus = [clip(kind.place(value, quarter), kind.low, kind.high) for value in seen]
    ordered = sorted((mu, i) for i, mu in enumerate(mus))
    sigmas = [0.0] * n
    for at, (mu, i) in enumerate(ordered):
        left = mu - ordered[at - 1][0] if at > 0 else mu - kind.low
        right = ordered[at + 1][0] - mu if at < n - 1 else kind.high - mu
        if n >= 2 and at == 0:
            left = 0
        if n >= 2 and at == n - 1:
            right = 0
        sigmas[i] = clip(max(left, right), kind.sigma / min(100, n + 2), kind.sigma)
    kernels = []
    for mu, sigma in zip([*mus, kind.mu], [*sigmas, kind.sigma]):
        inside = mass((kind.low - mu) / sigma, (kind.high - mu) / sigma)
        if kind.half:
            a, b = kind.bin(x, 0)
            kernels.append(mass((a - mu) / sigma, (b - mu) / sigma) / inside)
        else:
            kernels.append(normal(kind.place(x, 0), mu, sigma) / inside)
    return kernels


def optuna_density(kinds, seen, point):
    """The joint density of Optuna 5 at a point, of trials with rows `seen`, oldest first."""
    weights = [*ages(len(seen)), 1.0]
    per_parameter = [optuna_kernels(kind, [row[d] for row in seen], point[d]) for d, kind in enumerate(kinds)]
    products = [math.prod(kernels) for kernels in zip(*per_parameter)]
    return sum(w * k for w, k in zip(weights, products)) / sum(weights)


# ---------------------------------------------------------------- densities


def filled(space, n, seed, states=(OK,), loss=None):
    rng = np.random.default_rng(seed)
    history = History(space)
    values = space.sample(rng, n).values
    losses = rng.normal(size=n) if loss is None else loss(values)
    history.append(values, losses, rng.choice(states, n))
    return history


def good_and_bad(losses, n_good):
    """Positions of the best, and of the others, each by age."""
    best = sorted(range(len(losses)), key=lambda i: (losses[i], i))[:n_good]
    return sorted(best), [i for i in range(len(losses)) if i not in best]


@pytest.mark.parametrize("name", KINDS)
def test_hyperopts_densities_are_those_of_the_formulas(name):
    """log l, log g and their difference, 5 histories of different length; 1 and 2 good trials are special cases."""
    kind = KINDS[name]
    space = compile_space(kind.node)
    for n in (2, 9, 24, 60, 150):
        history = filled(space, n, seed=n)
        sides = good_and_bad(history.losses, math.ceil(0.25 * math.sqrt(n)))
        at = space.sample(n, 6).values
        why = Hyperopt03().explain(space, history, at)
        expected = np.log(
            [[hyperopt_density(kind, history.values[s, 0], x) for s in sides] for x in at[:, 0]]
        )
        np.testing.assert_allclose(why.log_good, expected[:, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(why.log_bad, expected[:, 1], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(why.score, expected[:, 0] - expected[:, 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", KINDS)
def test_optunas_densities_are_those_of_the_formulas(name):
    """The same for each kind alone."""
    kind = KINDS[name]
    space = compile_space(kind.node)
    for n in (1, 2, 11, 60, 150):
        history = filled(space, n, seed=n)
        sides = good_and_bad(history.losses, math.ceil(0.1 * n))
        at = space.sample(n, 6).values
        why = Optuna5().explain(space, history, at)
        expected = np.log([[optuna_density([kind], history.values[s], x) for s in sides] for x in at])
        np.testing.assert_allclose(why.log_good, expected[:, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(why.log_bad, expected[:, 1], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(why.score, expected[:, 0] - expected[:, 1], rtol=1e-9, atol=1e-9)


def test_optunas_joint_density_is_a_mixture_of_products():
    """Six parameters of every kind at once."""
    names = ["uniform", "loguniform", "quniform", "int, log", "normal", "pchoice"]
    nodes = [hp.uniform("a", -2, 5), hp.loguniform("b", -7, 1), hp.quniform("c", 0.3, 9, 2)]
    nodes += [hp.int("d", 1, 300, log=True), hp.normal("e", 3, 2)]
    nodes += [hp.pchoice("f", [(0.6, "a"), (0.3, "b"), (0.1, "c")])]
    space = compile_space(nodes)
    kinds = [KINDS[names["abcdef".index(label)]] for label in space.labels]
    for n in (1, 12, 90):
        history = filled(space, n, seed=n)
        sides = good_and_bad(history.losses, math.ceil(0.1 * n))
        at = space.sample(n, 6).values
        why = Optuna5().explain(space, history, at)
        expected = np.log([[optuna_density(kinds, history.values[s], x) for s in sides] for x in at])
        np.testing.assert_allclose(why.log_good, expected[:, 0], rtol=1e-9)
        np.testing.assert_allclose(why.log_bad, expected[:, 1], rtol=1e-9)


TREE = {
    "a": hp.uniform("a", -2, 5),
    "m": hp.choice("m", [{"b": hp.uniformint("b", 1, 20)}, {"c": hp.loguniform("c", -7, 1)}]),
}


def test_optuna_models_conditional_parameters_alone():
    """a and m jointly, b and c each by the trials that have it; a point has one of these two."""
    space = compile_space(TREE)
    history = filled(space, 60, seed=3)
    sides = good_and_bad(history.losses, 6)
    at = space.sample(5, 8).values
    why = Optuna5().explain(space, history, at)
    kinds = {
        "a": KINDS["uniform"],
        "m": Kind(None, p=(0.5, 0.5)),
        "b": KINDS["uniformint"],
        "c": KINDS["loguniform"],
    }
    column = space.index
    for point, log_good, log_bad in zip(at, why.log_good, why.log_bad):
        for side, shown in zip(sides, (log_good, log_bad)):
            rows = history.values[side]
            expected = math.log(
                optuna_density(
                    [kinds["a"], kinds["m"]],
                    rows[:, [column["a"], column["m"]]],
                    point[[column["a"], column["m"]]],
                )
            )
            for label in "bc":
                if not math.isnan(point[column[label]]):
                    have = rows[~np.isnan(rows[:, column[label]])][:, [column[label]]]
                    expected += math.log(optuna_density([kinds[label]], have, [point[column[label]]]))
            assert shown == pytest.approx(expected, rel=1e-9)


def test_hyperopt_models_every_parameter_alone():
    """The whole score is the sum over the active parameters; inactive ones count nothing."""
    space = compile_space(TREE)
    history = filled(space, 60, seed=4)
    at = space.sample(6, 20).values
    why = Hyperopt03().explain(space, history, at)
    ratio = why.log_good_marginals - why.log_bad_marginals
    np.testing.assert_allclose(why.score, ratio.sum(axis=1))
    assert (ratio[np.isnan(at)] == 0).all()


# ---------------------------------------------------------------- draws


@both
@pytest.mark.parametrize("name", ["uniform", "loguniform", "normal", "lognormal", "float, log"])
def test_candidates_follow_the_density(model, name):
    """20,000 draws of the good density against its own cdf, by quadrature: p > 1e-6 (finds 0.018 of cdf)."""
    kind = KINDS[name]
    space = compile_space(kind.node)
    mixture = mixture_of(model, space, filled(space, 40, seed=1))
    drawn = mixture.draw(np.random.default_rng(0), 20_000)
    z = np.log(drawn[:, 0]) if kind.log else drawn[:, 0]
    line = np.linspace(
        max(kind.low, kind.mu - 12 * kind.sigma), min(kind.high, kind.mu + 12 * kind.sigma), 20_001
    )
    density = np.exp(mixture.log_density((np.exp(line) if kind.log else line)[:, None]))
    cdf = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(line))])
    assert cdf[-1] == pytest.approx(1.0, abs=1e-5)
    assert stats.kstest(z, lambda at: np.interp(at, line, cdf)).pvalue > 1e-6


@both
@pytest.mark.parametrize("name", ["quniform", "int, log", "ordinal", "randint", "choice", "pchoice"])
def test_discrete_candidates_follow_the_masses(model, name):
    """Chi-square of 20,000 draws, p > 1e-6; and the masses sum to one."""
    space = compile_space(KINDS[name].node)
    mixture = mixture_of(model, space, filled(space, 40, seed=1))
    values = space.params[0].dist.values()
    masses = np.exp(mixture.log_density(values[:, None]))
    assert masses.sum() == pytest.approx(1.0, abs=1e-9)
    drawn = mixture.draw(np.random.default_rng(0), 20_000)[:, 0]
    counts = np.array([(drawn == value).sum() for value in values])
    assert counts.sum() == 20_000
    often = masses * 20_000 >= 5
    observed, expected = (
        np.append(counts[often], counts[~often].sum()),
        np.append(masses[often], masses[~often].sum()),
    )
    keep = expected > 0
    assert stats.chisquare(observed[keep], 20_000 * expected[keep] / expected[keep].sum()).pvalue > 1e-6


def mixture_of(model, space, history):
    past = Past.of(space, history)
    return model().mixture(past, model().split(past)[0], 0, space.params[0].dist)


def test_joint_candidates_keep_what_belongs_together():
    """Good trials on the diagonal: candidates are near it, and not only near each coordinate."""
    space = compile_space([hp.uniform("x", 0, 1), hp.uniform("y", 0, 1)])
    history = filled(space, 300, seed=0, loss=lambda v: np.abs(v[:, 0] - v[:, 1]))
    past = Past.of(space, history)
    mixture = Optuna5().joint(past, Optuna5().split(past)[0], np.array([0, 1]))
    drawn = mixture.draw(np.random.default_rng(0), 4000)
    assert np.corrcoef(drawn.T)[0, 1] > 0.5


# ---------------------------------------------------------------- what the libraries see


def propose(algorithm, space, history, n=1, seed=0):
    return algorithm.propose(space, history, n, np.random.default_rng(seed)).values


@pytest.mark.parametrize(
    ("model", "n", "good"),
    [
        (Hyperopt03, 20, 2),
        (Hyperopt03, 100, 3),
        (Hyperopt03, 10_000, 25),
        (Optuna5, 11, 2),
        (Optuna5, 100, 10),
        (Optuna5, 1000, 25),
    ],
)
def test_how_many_are_good(model, n, good):
    space = compile_space(hp.uniform("x", 0, 1))
    parts = model(verbose=False).split(Past.of(space, filled(space, n, seed=0)))
    assert [len(part) for part in parts] == [good, n - good]


def test_hyperopt_counts_every_trial_and_takes_failed_ones_for_the_worst():
    """3 ok, 17 failed or pending: 20 trials are enough, ceil(.25 sqrt 20) = 2 are good; 1 ok: a failed one is good."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = History(space)
    history.append(np.linspace(0, 1, 20)[:, None], np.arange(20), [FAILED] * 10 + [OK] * 3 + [PENDING] * 7)
    good, bad = Hyperopt03().split(Past.of(space, history))
    assert good.tolist() == [10, 11]
    assert len(bad) == 18
    history.update([11, 12], [0, 0], [FAILED, FAILED])
    assert Hyperopt03().split(Past.of(space, history))[0].tolist() == [0, 10]
    assert Hyperopt03().explain(space, history, np.array([[0.5]])).good.tolist() == [10, 0]


def test_optuna_does_not_see_failed_trials():
    """The same proposal with and without them, bit for bit; and they do not end the start-up."""
    space = compile_space(TREE)
    plain = filled(space, 30, seed=5)
    mixed = History(space)
    failed = space.sample(9, 30).values
    for i in range(30):
        mixed.append(failed[i : i + 1], [NAN], [FAILED])
        mixed.append(plain.values[i : i + 1], plain.losses[i : i + 1], [OK])
    np.testing.assert_array_equal(propose(Optuna5(), space, plain), propose(Optuna5(), space, mixed))
    only_failed = filled(space, 50, seed=6, states=(FAILED,))
    np.testing.assert_array_equal(
        propose(Optuna5(), space, only_failed), space.sample(np.random.default_rng(0), 1).values
    )


def test_optuna_ranks_pruned_trials_after_finished_ones():
    """10 ok and 10 pruned: 2 good of 20, both ok; with 1 ok the pruned trial that came furthest joins it."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = History(space)
    x = np.linspace(0, 1, 20)[:, None]
    history.append(x, np.arange(20), [PRUNED] * 10 + [OK] * 10, steps=np.arange(20), partials=np.zeros(20))
    assert Optuna5().split(Past.of(space, history))[0].tolist() == [10, 11]
    history.update(np.arange(10, 19), np.zeros(9), [FAILED] * 9)
    good, bad = Optuna5(gamma=0.15).split(Past.of(space, history))
    assert good.tolist() == [9, 19]
    assert bad.tolist() == list(range(9))


def test_running_trials_are_bad_in_optuna_unless_told_otherwise():
    """The constant liar, and what was the default before Optuna 5."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = filled(space, 20, seed=0)
    history.append([[0.5]], [NAN], [PENDING])
    assert 20 in Optuna5().split(Past.of(space, history))[1]
    assert 20 not in np.concatenate(Optuna5(constant_liar=False).split(Past.of(space, history)))


def test_a_parameter_that_some_trial_lacks_leaves_the_joint_model():
    """b is in every trial by chance: joint, as in Optuna, until one lacks it."""
    space = compile_space(TREE)
    first = space.sample(0, 200).values
    with_b = first[first[:, space.index["m"]] == 0][:15]
    history = History(space)
    history.append(with_b, np.arange(15), [OK] * 15)
    labels = [space.labels[c] for c in Optuna5().joint_columns(Past.of(space, history))]
    assert sorted(labels) == ["a", "b", "m"]
    history.append(first[first[:, space.index["m"]] == 1][:1], [3.0], [OK])
    labels = [space.labels[c] for c in Optuna5().joint_columns(Past.of(space, history))]
    assert sorted(labels) == ["a", "m"]
    assert len(Optuna5(multivariate=False).joint_columns(Past.of(space, history))) == 0


@pytest.mark.parametrize(("model", "enough"), [(Hyperopt03, 20), (Optuna5, 10)])
def test_startup_is_the_prior(model, enough):
    """One trial before the model, proposals are independent of losses; with enough they are not."""
    space = compile_space(hp.uniform("x", 0, 1))
    rows = [filled(space, enough - 1, seed=0, loss=lambda v, s=s: s * v[:, 0]) for s in (1, -1)]
    np.testing.assert_array_equal(*[propose(model(), space, history, 3) for history in rows])
    rows = [filled(space, enough, seed=0, loss=lambda v, s=s: s * v[:, 0]) for s in (1, -1)]
    small, large = (propose(model(), space, history, 40) for history in rows)
    assert np.median(small) < np.median(large)


@both
def test_a_batch_is_one_proposal_after_another(model):
    """Each point is what would be asked next if those before it were pending."""
    space = compile_space(TREE)
    at_once, one_by_one = filled(space, 40, seed=2), filled(space, 40, seed=2)
    batch = propose(model(), space, at_once, 4, seed=7)
    rng = np.random.default_rng(7)
    for row in batch:
        alone = model().propose(space, one_by_one, 1, rng).values
        np.testing.assert_array_equal(alone[0], row)
        one_by_one.append(alone, [NAN], [PENDING])


@both
def test_bounds_that_depend_on_another_parameter_move_the_trials_with_them(model):
    """y in [0, x]: trials at the middle of their own range count at the middle of the present one."""
    x = hp.uniform("x", 1, 100)
    space = compile_space({"x": x, "y": hp.uniform("y", 0, x)})
    history = History(space)
    xs = np.linspace(2, 90, 40)
    ys = np.where(np.arange(40) < 3, 0.5, 0.02) * xs
    history.append(np.column_stack([xs, ys]), np.arange(40), [OK] * 40)
    at = np.array([[80.0, 40.0], [80.0, 10.0]])
    why = model().explain(space, history, at)
    y = space.index["y"]
    ratio = why.log_good_marginals[:, y] - why.log_bad_marginals[:, y]
    assert ratio[0] > ratio[1]


@both
@pytest.mark.parametrize("option", ["prior_weight", "n_EI_candidates", "gamma", "LF", "n_startup_jobs"])
def test_options_out_of_range_are_refused(model, option):
    """The message names the algorithm, the option and its value."""
    with pytest.raises(ValueError, match=rf"tpe-\w+: {option}=-1 must be"):
        model(**{option: -1})


def test_other_options_of_optuna():
    """Bounds as neighbours widen the outermost kernels; without the magic clip, tied trials have none to speak of."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = History(space)
    history.append([[0.4], [0.4], [0.5]], [0.0, 0.0, 0.0], [OK] * 3)

    def sigma(**options):
        past = Past.of(space, history)
        mixture = Optuna5(**options).mixture(past, np.arange(3), 0, space.params[0].dist)
        return mixture.parameters[0].sigma.round(6).tolist()

    assert sigma() == [0.2, 0.2, 0.2, 1.0]  # 1 / (3 + 2) is the least
    assert sigma(consider_magic_clip=False) == [0.0, 0.1, 0.1, 1.0]
    assert sigma(consider_endpoints=True) == [0.4, 0.2, 0.5, 1.0]


# ---------------------------------------------------------------- doors


@pytest.mark.parametrize(("name", "door", "model"), [
    ("tpe-hyperopt03", tpe.hyperopt03, Hyperopt03),
    ("tpe-optuna5", tpe.optuna5, Optuna5),
])  # fmt: skip
def test_by_name_by_function_and_as_an_object_it_is_one_algorithm(name, door, model):
    """Three ways to ask for it; and the function passes options on."""

    def search(algo):
        trials = Trials()
        fmin(
            lambda c: (c["x"] - 2) ** 2,
            {"x": hp.uniform("x", -5, 5)},
            algo,
            max_evals=40,
            trials=trials,
            rstate=0,
            verbose=False,
        )
        return trials.vals["x"]

    assert base.get(name) == model()
    assert search(name) == search(door) == search(model())
    assert search(functools.partial(door, n_startup_jobs=5, n_EI_candidates=3)) == search(
        model(n_startup_jobs=5, n_EI_candidates=3)
    )
    assert search(door) != search("tpe")


@both
def test_it_finds_the_optimum_of_a_smooth_function(model):
    """Median of 5 searches of 80 trials: within a tenth of the range of the optimum in both parameters."""
    space = compile_space([hp.uniform("x", -5, 5), hp.qloguniform("n", 0, 5, 1)])
    ends = []
    for seed in range(5):
        history = History(space)
        for trial in range(80):
            row = propose(model(), space, history, seed=(seed, trial))
            n, x = row[0, space.index["n"]], row[0, space.index["x"]]
            history.append(row, [(x - 2) ** 2 + (math.log(n) - 3) ** 2], [OK])
        ends.append(history.losses.min())
    assert np.median(ends) < 0.3
