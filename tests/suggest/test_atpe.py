"""atpe: the Gaussian process against its textbook formulas, and what the two searchers do together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, History
from hpspace.suggest.atpe import acquire
from hpspace.suggest.atpe.algorithm import ATPE, MAX_TRIALS, Fit, fitted, posterior
from hpspace.suggest.random import Random
from hpspace.suggest.surrogate import gp, targets
from hpspace.suggest.surrogate.features import distances, embedded, features, squared_distances

CHOICE = np.array([False, True, False])


@pytest.fixture
def trials():
    """Fifteen trials of two numbers and a choice, and standardised targets."""
    rng = np.random.default_rng(0)
    x = rng.random((15, 3))
    x[:, 1] = rng.integers(3, size=15)
    y = np.sin(5 * x[:, 0]) + x[:, 1] - x[:, 2] ** 2
    return x, (y - y.mean()) / y.std()


HYPER = gp.Hyper(np.array([0.5, -0.3, 1.0]), 0.2, np.log(0.01))


def kernel(a, b, hyper=HYPER):
    """The covariance, written out for one pair at a time."""
    r2 = sum(
        np.exp(w) * (float(p != q) if c else (p - q) ** 2) for w, p, q, c in zip(hyper.log_w, a, b, CHOICE)
    )
    r = np.sqrt(5 * r2)
    return np.exp(hyper.log_s) * (1 + r + r * r / 3) * np.exp(-r)


def test_the_covariance_is_the_matern_kernel_of_weighted_distances(trials):
    x, y = trials
    process = gp.Posterior(x, y, CHOICE, HYPER)
    expected = [[kernel(a, b) for b in x] for a in x[:4]]
    np.testing.assert_allclose(process.covariance(x[:4]), expected, rtol=1e-9)


def test_a_code_that_no_trial_has_is_one_mismatch_away(trials):
    x, y = trials
    new = x[:1].copy()
    new[0, 1] = 9.0
    expected = [[kernel(new[0], b) for b in x]]
    np.testing.assert_allclose(gp.Posterior(x, y, CHOICE, HYPER).covariance(new), expected, rtol=1e-9)


def test_embedded_points_have_the_weighted_distances(trials):
    x, _ = trials
    w = np.array([2.0, 3.0, 0.5])
    vectors = embedded(x, w, [(1, np.unique(x[:, 1]))])
    expected = np.tensordot(w, distances(x, x, CHOICE), axes=1)
    np.testing.assert_allclose(squared_distances(vectors, vectors), expected, atol=1e-12)


def test_mean_and_deviation_are_the_textbook_ones(trials):
    """Rasmussen & Williams 2006, eq. 2.25 and 2.26, solved directly."""
    x, y = trials
    points = np.random.default_rng(1).random((5, 3))
    points[:, 1] = [0, 1, 2, 0, 1]
    k = np.array([[kernel(a, b) for b in x] for a in x]) + 0.01 * np.eye(15)
    k_star = np.array([[kernel(a, b) for b in x] for a in points])
    mean, sd = gp.Posterior(x, y, CHOICE, HYPER).at(points)
    np.testing.assert_allclose(mean, k_star @ np.linalg.solve(k, y), rtol=1e-5)
    variance = np.exp(0.2) - np.diag(k_star @ np.linalg.solve(k, k_star.T))
    np.testing.assert_allclose(sd**2, variance, rtol=1e-5)


def test_left_out_predictions_are_those_of_processes_without_the_trial(trials):
    x, y = trials
    quick = gp.Posterior(x, y, CHOICE, HYPER).left_out()
    rest = [np.arange(15) != i for i in range(15)]
    slow = [gp.Posterior(x[r], y[r], CHOICE, HYPER).at(x[~r])[0][0] for r in rest]
    np.testing.assert_allclose(quick, slow, rtol=1e-6)


def test_the_gradient_of_the_fit_is_that_of_its_objective(trials):
    """Central differences in every hyperparameter."""
    x, y = trials
    apart = distances(x, x, CHOICE).reshape(3, -1)
    theta = HYPER.packed()
    _, gradient = gp._negative_log_posterior(theta, apart, y)
    for i in range(len(theta)):
        step = np.zeros(len(theta))
        step[i] = 1e-5
        up, _ = gp._negative_log_posterior(theta + step, apart, y)
        down, _ = gp._negative_log_posterior(theta - step, apart, y)
        assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-6)


def test_a_fit_explains_the_trials_better_than_the_prior_and_finds_what_matters():
    """Forty trials of y = sin(5 a): a's length scale becomes much the shorter."""
    rng = np.random.default_rng(2)
    x = rng.random((40, 3))
    x[:, 1] = rng.integers(2, size=40)
    y = targets.standardised(np.sin(5 * x[:, 0]))
    apart = distances(x, x, CHOICE)
    start = gp.Hyper.typical(3)
    found = gp.fit(apart, y, start, 30)
    flat = apart.reshape(3, -1)
    assert (
        gp._negative_log_posterior(found.packed(), flat, y)[0]
        < gp._negative_log_posterior(start.packed(), flat, y)[0]
    )
    assert found.log_w[0] > max(found.log_w[1:]) + 2


def test_inactive_parameters_have_a_place_of_their_own():
    coords = np.array([[0.2, np.nan, np.nan]])
    np.testing.assert_array_equal(features(coords, CHOICE), [[0.2, -1.0, 0.5]])


@pytest.mark.parametrize("transform", [targets.clipped, targets.copula])
@pytest.mark.parametrize(
    "losses",
    [[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [-np.inf, 0.0, 5.0], [1e300, -1e300, 0.0], [0.0, 1e9, 1.0, 2.0]],
)
def test_targets_are_finite_and_keep_the_order(transform, losses):
    losses = np.array(losses)
    y = transform(losses)
    assert np.isfinite(y).all()
    assert abs(y.mean()) < 1e-12
    order = np.argsort(losses, kind="stable")
    assert (np.diff(y[order]) >= 0).all()


def test_ranks_and_their_correlation_agree_with_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(5, size=30).astype(float), rng.random(30)
    np.testing.assert_array_equal(targets.ranks(a), stats.rankdata(a))
    assert targets.rank_correlation(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert targets.rank_correlation(np.ones(4), b[:4]) == 0.0


def test_perturbed_points_stay_in_the_space_and_differ():
    space = compile_space({"x": hp.uniform("x", 0, 1), "c": hp.choice("c", "abc"), "i": hp.int("i", 0, 9)})
    rng = np.random.default_rng(0)
    coords = acquire.prior_coords(space, rng, 300)
    moved = acquire.perturbed(space, coords, rng)
    numbers = space.kinds != 2
    assert ((moved[:, numbers] >= 0) & (moved[:, numbers] <= 1)).all()
    assert set(np.unique(moved[:, ~numbers])) <= {0.0, 1.0, 2.0}
    assert (moved != coords).any(axis=1).mean() > 0.8


def history_of(space, losses_of, n, seed=0):
    history = History(space)
    values = space.sample(seed, n).values
    history.append(values, [losses_of(space.point(row)) for row in values], [OK] * n)
    return history


SPACE = compile_space({"x": hp.uniform("x", -1, 1), "y": hp.uniform("y", -1, 1)})


def bowl(point):
    return (point["x"] - 0.3) ** 2 + (point["y"] + 0.2) ** 2


def test_the_share_of_the_process_follows_how_well_it_predicts():
    algorithm = ATPE(least=0.2, most=0.8)
    shares = [algorithm.share(Fit(HYPER, "clipped", quality)) for quality in (-1.0, 0.2, 0.45, 0.6, 1.0)]
    assert shares == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])


def test_a_smooth_problem_is_predicted_and_pure_noise_is_not():
    noise = np.random.default_rng(5)
    assert fitted(SPACE, history_of(SPACE, bowl, 40)).quality > 0.9
    assert fitted(SPACE, history_of(SPACE, lambda point: noise.normal(), 40)).quality < 0.6


def test_a_fit_depends_on_the_trials_alone():
    """Not on when it was asked for first: a resumed run has the proposals of an uninterrupted one."""
    history = history_of(SPACE, bowl, 40)
    first = fitted(SPACE, history)
    assert fitted(SPACE, history) is first
    again = fitted(SPACE, history_of(SPACE, bowl, 40))
    np.testing.assert_array_equal(again.hyper.packed(), first.hyper.packed())


def test_failed_trials_count_as_the_worst_and_pending_ones_are_left_out():
    history = history_of(SPACE, bowl, 30)
    history.append([[0.3, -0.2], [0.31, -0.2]], [0.0, 0.0], [FAILED, PENDING])
    process = posterior(SPACE, history, fitted(SPACE, history))
    assert len(process.y) == 31
    assert process.y[30] == process.y.max()


def test_long_histories_are_thinned_to_the_best_and_the_latest():
    history = history_of(SPACE, bowl, MAX_TRIALS + 100)
    process = posterior(SPACE, history, fitted(SPACE, history))
    assert len(process.y) == MAX_TRIALS
    best = history.coords[history.order[0]]
    assert (process.x == best).all(axis=1).any()


def test_proposals_of_the_process_keep_away_from_pending_trials():
    """With the best place taken by pending trials, proposals go on average farther from it."""
    empty = history_of(SPACE, bowl, 30)
    busy = history_of(SPACE, bowl, 30)
    near = np.random.default_rng(0).normal([0.3, -0.2], 0.02, (8, 2))
    busy.append(near, np.zeros(8), [PENDING] * 8)
    algorithm = ATPE(least=1.0, most=1.0)

    def distance(history):
        rows = [algorithm.propose(SPACE, history, 1, np.random.default_rng(s)).values[0] for s in range(12)]
        return np.mean([np.hypot(x - 0.3, y + 0.2) for x, y in rows])

    assert distance(busy) > 2 * distance(empty)


def test_the_incumbent_of_a_process_is_the_best_trial_that_was_observed(trials):
    x, y = trials
    process = gp.Posterior(x, y, CHOICE, HYPER)
    first = int(y.argmin())
    incumbent = process.incumbent()
    assert incumbent.seen == y[first]
    assert incumbent.mean == pytest.approx(process.at(x)[0][first])
    assert incumbent.noise == pytest.approx(0.01)
    believing = gp.Posterior(np.vstack([x, x[:1]]), np.append(y, -9.0), CHOICE, HYPER, believed=1)
    assert believing.incumbent().seen == y[first]
    assert process.with_believed(x[:2]).with_believed(x[:1]).believed == 3


@pytest.mark.parametrize("n", [1, 4])
def test_atpe_beats_random_search_on_a_tree(n):
    """Two branches with two parameters each, 60 trials, 10 seeds, one at a time and in batches of four.

    One-sided Mann-Whitney, p < 1e-3.
    """
    space = compile_space(hp.choice("c", [[hp.uniform(f"{k}{i}", 0, 1) for i in range(2)] for k in "ab"]))

    def loss(point):
        k = "ab"[point["c"]]
        return 0.1 * point["c"] + (point[f"{k}0"] - 0.7) ** 2 + (point[f"{k}1"] - 0.2) ** 2

    def best(algorithm, seed):
        history = History(space)
        while len(history) < 60:
            batch = algorithm.propose(space, history, n, np.random.default_rng([seed, len(history)]))
            history.append(batch.values, [loss(point) for point in batch.points()], [OK] * len(batch))
        return float(history.losses.min())

    ours = [best(ATPE(), seed) for seed in range(10)]
    random = [best(Random(), seed) for seed in range(10)]
    assert stats.mannwhitneyu(ours, random, alternative="less").pvalue < 1e-3
