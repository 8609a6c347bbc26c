"""The trend that joins tpe's ratio: beside dense linear algebra and scipy's densities, and what it is to do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.suggest.surrogate import targets
from hpspace.suggest.tpe import trend
from hpspace.suggest.tpe.algorithm import MAX_BATCH, TPE
from hpspace.suggest.tpe.trend import LENGTHS, NOISES, Kernel, Trend, chosen_kernel

SPACE = compile_space(
    {
        "x": hp.uniform("x", 0, 1),
        "n": hp.int("n", 0, 20),
        "c": hp.choice("c", ["a", {"y": hp.uniform("y", 0, 1)}]),
    }
)


def searched(n=40, seed=0, space=SPACE, loss=None):
    history = History(space)
    values = space.sample(np.random.default_rng(seed), n).values
    x = values[:, space.index["x"]]
    losses = (x - 0.3) ** 2 + 0.1 * np.nan_to_num(values).sum(axis=1) / 20 if loss is None else loss(values)
    history.append(values, losses, [OK] * n)
    return history


def scores_of(history, values):
    process = Trend.of(SPACE, history)
    return process.scores(process.features(values))


def distance(a, b):
    """Squared distance of two points in prior quantiles, written out for SPACE."""
    total = 0.0
    for label, u, v in zip(SPACE.labels, a, b):
        if label == "c":
            total += trend.CHOICE_DISTANCE * (u != v)
        else:
            u, v = (0.5 if np.isnan(w) else w for w in (u, v))  # an inactive number stands in the middle
            total += (u - v) ** 2
    return total


def dense(history, kernel, coords):
    """Posterior mean and standard deviation by plain formulas (Rasmussen & Williams 2006, eq. 2.23 and 2.24)."""
    scale = 3.0 / (kernel.length**2 * len(SPACE))

    def k(a, b):
        r = np.sqrt(5.0 * scale * distance(a, b))
        return (1 + r + r * r / 3) * np.exp(-r)

    y = targets.clipped(history.losses)
    rows = history.coords
    plain = np.array([[k(a, b) for b in rows] for a in rows])
    noisy = plain + (kernel.noise + 1e-8) * np.eye(len(rows))
    inverse = np.linalg.inv(noisy)
    variance = y @ inverse @ y / len(y)
    cross = np.array([[k(a, b) for b in rows] for a in coords])
    mean = cross @ inverse @ y
    left = 1.0 - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    incumbent = y.min(), (plain @ inverse @ y)[y.argmin()]
    return mean, np.sqrt(variance * left), np.sqrt(variance * kernel.noise), incumbent


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_scores_are_the_log_of_what_the_incumbent_is_expected_to_gain(noise):
    """Beside numerical integration over the observation that a candidate may have."""
    chance = noise * np.random.default_rng(3).standard_normal(40)
    plain = searched()
    history = searched(loss=lambda _: plain.losses + chance)
    points = SPACE.sample(np.random.default_rng(1), 80).values
    kernel = chosen_kernel(SPACE, history, np.arange(40))
    mean, sd, deviation, (seen, believed) = dense(history, kernel, SPACE.encode(points))
    total = np.hypot(sd, deviation)
    observed = seen - total * np.linspace(0, 12, 100_001)[:, None]  # all that would come first
    worth = mean + (sd / total) ** 2 * (observed - mean)
    density = norm.pdf(observed, mean, total)
    gain = ((believed - worth) * density).sum(axis=0) * total * 12 / 100_000
    scores = scores_of(history, points)
    clear = gain > 1e-8 * sd  # further out, and below the cut, plain formulas say something else
    clear &= gain > 2e-3 * sd * norm.cdf((seen - mean) / total)
    assert clear.sum() > 5
    np.testing.assert_allclose(scores[clear], np.log(gain[clear]), rtol=1e-4, atol=1e-4)


def test_where_trials_failed_the_step_beside_them_is_not_taken_for_noise():
    history = searched(loss=lambda values: np.random.default_rng(5).standard_normal(len(values)))
    assert Trend.of(SPACE, history).incumbent.noise > 0
    history.append(history.values[:1] * 0.5, [np.nan], [FAILED])
    incumbent = Trend.of(SPACE, history).incumbent
    assert incumbent.noise == 0
    assert incumbent.seen == incumbent.mean


def test_the_kernel_is_the_one_of_highest_likelihood():
    """scipy's normal density, with the best variance put in, orders the kernels as we do."""
    history = searched(32)
    y = targets.clipped(history.losses)
    scored = {}
    for length in LENGTHS:
        for noise in NOISES:
            scale = 3.0 / (length**2 * len(SPACE))
            r = np.sqrt(
                5 * scale * np.array([[distance(a, b) for b in history.coords] for a in history.coords])
            )
            shape = (1 + r + r * r / 3) * np.exp(-r) + (noise + 1e-8) * np.eye(len(y))
            variance = y @ np.linalg.solve(shape, y) / len(y)
            scored[Kernel(length, noise)] = multivariate_normal(cov=variance * shape).logpdf(y)
    assert chosen_kernel(SPACE, history, np.arange(32)) == max(scored, key=scored.get)


def test_losses_without_any_pattern_are_taken_for_noise():
    history = searched(60, loss=lambda values: np.random.default_rng(5).standard_normal(len(values)))
    assert chosen_kernel(SPACE, history, np.arange(60)).noise == max(NOISES)


def test_what_is_kept_between_calls_changes_no_answer():
    """The same trials answer alike in a fresh history and in one that has grown and been asked at every step."""
    grown = History(SPACE)
    whole = searched(50)
    for i in range(50):
        grown.append(whole.values[i : i + 1], whole.losses[i : i + 1], [OK])
        Trend.of(SPACE, grown)
    points = SPACE.sample(np.random.default_rng(1), 10).values
    np.testing.assert_array_equal(scores_of(grown, points), scores_of(whole, points))


def test_less_is_expected_near_a_pending_trial_and_nothing_changes_far_away():
    history = searched()
    near, far = np.array([[0.3, 3.0, 0.0, np.nan]]), np.array([[0.9, 20.0, 1.0, 0.9]])
    order = [SPACE.index[label] for label in ("x", "n", "c", "y")]
    points = np.full((2, 4), np.nan)
    points[0, order], points[1, order] = near[0], far[0]
    before = scores_of(history, points)
    history.append(points[:1], [np.nan], [PENDING])
    after = scores_of(history, points)
    assert after[0] < before[0] - 5
    assert abs(after[1] - before[1]) < 1.0


def test_a_failed_trial_counts_as_the_worst_loss():
    values = SPACE.sample(np.random.default_rng(3), 30).values
    losses = values[:, SPACE.index["x"]]
    failed, worst = History(SPACE), History(SPACE)
    failed.append(values, losses, [FAILED if i == 7 else OK for i in range(30)])
    known = np.where(np.arange(30) == 7, np.delete(losses, 7).max(), losses)
    worst.append(values, known, [OK] * 30)
    for history in (failed, worst):  # that some trial failed is known to both
        history.append(values[:1] * 0.5, [np.nan], [FAILED])
    points = SPACE.sample(np.random.default_rng(1), 10).values
    a, b = (scores_of(h, points) for h in (failed, worst))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("losses", [[1.0] * 20, [np.nan] * 20])
def test_trials_that_say_nothing_have_no_trend(losses):
    history = History(SPACE)
    kinds = [OK if loss == loss else FAILED for loss in losses]
    history.append(SPACE.sample(np.random.default_rng(0), 20).values, losses, kinds)
    assert Trend.of(SPACE, history) is None
    assert len(TPE().propose(SPACE, history, 2, np.random.default_rng(0))) == 2


def test_the_trend_joins_up_to_a_number_of_trials_and_in_small_batches():
    """Beyond either limit, proposals are those of the ratio alone, bit for bit."""
    history = searched(30)

    def proposed(n, **options):
        return TPE(n_EI_candidates=24, **options).propose(SPACE, history, n, np.random.default_rng(1)).values

    assert not np.array_equal(proposed(4), proposed(4, trend_trials=29), equal_nan=True)
    np.testing.assert_array_equal(proposed(4, trend_trials=29), proposed(4, trend_trials=0))
    np.testing.assert_array_equal(proposed(MAX_BATCH + 1), proposed(MAX_BATCH + 1, trend_trials=0))


def test_proposals_of_one_batch_keep_apart():
    """A batch of eight is spread wider than eight proposals that do not know of each other."""
    space = compile_space({"x": hp.uniform("x", 0, 1), "z": hp.uniform("z", 0, 1)})
    history = searched(40, space=space, loss=lambda values: ((values - 0.4) ** 2).sum(axis=1))
    batch = TPE().propose(space, history, 8, np.random.default_rng(0)).values
    alone = np.concatenate(
        [TPE().propose(space, history, 1, np.random.default_rng(seed)).values for seed in range(8)]
    )
    assert np.linalg.norm(batch.std(axis=0)) > np.linalg.norm(alone.std(axis=0))


def test_a_smooth_function_is_followed_to_its_lowest_point():
    """What the ratio alone does not reach in 40 trials: five seeds of five, each ten times nearer than without."""
    space = compile_space({f"x{i}": hp.uniform(f"x{i}", -1, 1) for i in range(4)})

    def best(seed, **options):
        history = History(space)
        for trial in range(40):
            values = TPE(**options).propose(space, history, 1, np.random.default_rng([seed, trial])).values
            history.append(values, ((values - 0.2) ** 2).sum(axis=1), [OK])
        return history.losses.min()

    with_trend = np.array([best(seed) for seed in range(5)])
    without = np.array([best(seed, trend_trials=0) for seed in range(5)])
    assert (with_trend < without).all()
    assert np.median(with_trend) < 0.1 * np.median(without)


def test_pruned_trials_are_left_to_the_ratio():
    """They have no loss; as a plateau of worst ones they would bend the process around the good trials."""
    history, rows = searched(20), SPACE.sample(np.random.default_rng(9), 30).values
    plain = scores_of(history, rows)
    history.append(rows, np.zeros(30), [PRUNED] * 30, steps=np.ones(30), partials=np.ones(30))
    np.testing.assert_array_equal(scores_of(history, rows), plain)
