"""What TPE proposes: the laws of algorithms, batches, repeats, failed and pending trials, odd losses, invariances."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, History
from hpspace.suggest.tpe.algorithm import TPE

NAN = np.nan


def tree():
    """Two branches with a shared parameter, all kinds, and bounds that depend on another parameter."""
    shared = hp.loguniform("lr", -7, 0)
    top = hp.uniform("top", 1, 2)
    return compile_space(
        hp.pchoice(
            "model",
            [
                (
                    0.3,
                    {
                        "lr": shared,
                        "depth": hp.quniform("depth", 1, 20, 1),
                        "kind": hp.choice("kind", ["a", "b", "c"]),
                    },
                ),
                (
                    0.7,
                    {
                        "lr": shared,
                        "c": hp.normal("c", 0, 1),
                        "top": top,
                        "below": hp.uniform("below", 0, top),
                    },
                ),
            ],
        )
    )


def filled(space, n, loss=None, kinds=None, seed=0):
    """A history of n draws from the prior; the loss is random or computed from the rows."""
    rng = np.random.default_rng(seed)
    history = History(space)
    values = space.sample(rng, n).values
    losses = rng.normal(size=n) if loss is None else loss(values)
    history.append(values, losses, [OK] * n if kinds is None else kinds)
    return history


def propose(space, history, n=1, seed=0, **options):
    return TPE(**options).propose(space, history, n, np.random.default_rng(seed)).values


def run(space, objective, trials, seed, failed=lambda values: False, **options):
    """Search one point at a time; returns the history."""
    history = History(space)
    for trial in range(trials):
        row = propose(space, history, seed=(seed, trial), **options)
        bad = failed(row[0])
        history.append(row, [NAN if bad else objective(row[0])], [FAILED if bad else OK])
    return history


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("n", [0, 3, 10, 60])
def test_proposals_are_points_of_the_space(n):
    """Values in their supports, exactly the active parameters, at start-up and later; dependent bounds hold."""
    space = tree()
    values = propose(space, filled(space, n), 20)
    np.testing.assert_array_equal(np.isnan(values), ~space.activity(values))
    np.testing.assert_array_equal(space.known(values), values)
    below, top = (values[:, space.index[label]] for label in ("below", "top"))
    assert (below[~np.isnan(below)] <= top[~np.isnan(top)]).all()


def test_the_same_generator_gives_the_same_batch_and_the_history_stays():
    """Nothing is kept between calls."""
    space = tree()
    history = filled(space, 40)
    before = history.values.copy(), history.losses.copy(), len(history.keys)
    first, second = propose(space, history, 5, seed=7), propose(space, history, 5, seed=7)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(history.values, before[0])
    np.testing.assert_array_equal(history.losses, before[1])
    assert len(history.keys) == before[2]


def test_nothing_is_proposed_when_nothing_is_asked():
    """n = 0, at start-up and later."""
    space = tree()
    assert (
        propose(space, filled(space, 0), 0).shape
        == propose(space, filled(space, 30), 0).shape
        == (0, len(space))
    )


def test_a_space_without_parameters_has_one_point():
    """A constant space: the empty point once."""
    space = compile_space({"a": 1})
    assert propose(space, History(space), 3).shape == (1, 0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("prior_weight", 0.0),
        ("n_startup_jobs", -1),
        ("n_EI_candidates", 0),
        ("gamma", 0.0),
        ("joint_weight", 1.5),
        ("min_bandwidth", 0.0),
        ("good_weights", "best"),
    ],
)
def test_options_out_of_range_are_refused(option, value):
    """The message names the option and its value."""
    with pytest.raises(ValueError, match=f"tpe: {option}={value!r}"):
        TPE(**{option: value})


def test_verbose_only_writes_to_the_log(caplog):
    """The same points with and without; one line at level DEBUG with."""
    space = tree()
    history = filled(space, 30)
    with caplog.at_level(logging.DEBUG, logger="hpspace"):
        quiet = propose(space, history, verbose=False)
        assert not caplog.records
        np.testing.assert_array_equal(propose(space, history, verbose=True), quiet)
    assert "good" in caplog.text


# ---------------------------------------------------------------- start-up


@pytest.mark.parametrize("seed", range(5))
def test_startup_visits_every_option(seed):
    """8 options in the first 8 trials, each once, one proposal at a time."""
    space = compile_space(hp.choice("c", [{"x": hp.uniform(f"x{i}", 0, 1)} for i in range(8)]))
    history = run(space, lambda row: 0.0, 8, seed)
    assert sorted(history.values[:, space.index["c"]]) == list(range(8))


def test_startup_respects_declared_probabilities():
    """30 start-up trials at 0.8 : 0.2 in one batch and one by one: within one of 24 and 6."""
    space = compile_space([hp.pchoice("c", [(0.8, "a"), (0.2, "b")]), hp.uniform("x", 0, 1)])
    column = space.index["c"]
    one_by_one = run(space, lambda row: 0.0, 30, 1, n_startup_jobs=30).values[:, column]
    at_once = propose(space, History(space), 30, seed=2)[:, column]
    assert abs(one_by_one.sum() - 6) <= 1
    assert abs(at_once.sum() - 6) <= 1


def test_the_first_proposal_is_a_draw_from_the_prior():
    """Before any trial nothing is lacking: the code of the first proposal has the declared probabilities."""
    space = compile_space([hp.pchoice("c", [(0.8, "a"), (0.2, "b")]), hp.uniform("x", 0, 1)])
    first = np.array([propose(space, History(space), seed=s)[0, space.index["c"]] for s in range(800)])
    assert abs(first.mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 800)


def test_a_nested_choice_is_counted_where_it_is_active():
    """The inner choice takes turns among the trials that reach it."""
    inner = hp.choice("inner", [hp.uniform(f"x{i}", 0, 1) for i in range(3)])
    space = compile_space(hp.choice("outer", [inner, 0]))
    history = run(space, lambda row: 0.0, 10, 3)
    codes = history.values[:, space.index["inner"]]
    counts = np.bincount(codes[~np.isnan(codes)].astype(int), minlength=3)
    assert counts.max() - counts.min() <= 1


def test_pending_trials_do_not_end_the_startup():
    """30 pending and none finished: there is nothing to model."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = filled(space, 30, kinds=[PENDING] * 30)
    batch = propose(space, history, 200)
    assert abs(batch.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 200)


# ---------------------------------------------------------------- batches and repeats


def test_a_batch_in_a_continuous_space_is_spread():
    """Ten proposals at once keep their distance: without the liar they would be ten tries of the same ask."""
    space = compile_space([hp.uniform("x", 0, 1), hp.uniform("y", 0, 1)])
    history = filled(space, 60, loss=lambda v: ((v - 0.5) ** 2).sum(axis=1))
    batch = propose(space, history, 10)
    gaps = np.abs(batch[:, None] - batch[None]).max(axis=2)[np.triu_indices(10, 1)]
    assert gaps.min() > 0
    alone = np.concatenate([propose(space, history, 1, seed=s) for s in range(10)])
    spread = np.linalg.norm(batch - batch.mean(axis=0), axis=1).mean()
    assert spread > np.linalg.norm(alone - alone.mean(axis=0), axis=1).mean()


def test_the_first_of_a_batch_is_what_one_alone_would_be():
    """The liar changes what follows only; the draws of the first come first."""
    space = compile_space(hp.randint("k", 3000))
    history = filled(space, 40, loss=lambda v: np.abs(v[:, 0] - 1000))
    many, one = propose(space, history, 6, seed=5), propose(space, history, 1, seed=5)
    assert len(np.unique(many)) == 6
    assert many.shape[1] == one.shape[1]


def test_pending_trials_repel():
    """20 pending trials around the optimum: of 100 proposals fewer fall near it. Sign test, p < 1e-4."""
    space = compile_space([hp.uniform("x", 0, 1), hp.uniform("y", 0, 1)])
    free = filled(space, 60, loss=lambda v: ((v - 0.5) ** 2).sum(axis=1))
    busy = filled(space, 60, loss=lambda v: ((v - 0.5) ** 2).sum(axis=1))
    best = free.values[free.order[0]]
    around = best + np.random.default_rng(1).uniform(-0.03, 0.03, size=(20, 2))
    busy.append(around, [NAN] * 20, [PENDING] * 20)

    def near(history):
        points = np.concatenate([propose(space, history, 1, seed=s) for s in range(100)])
        return np.linalg.norm(points - best, axis=1) < 0.05

    lost, won = int((near(free) & ~near(busy)).sum()), int((~near(free) & near(busy)).sum())
    assert lost >= 14 + 2 * won


def test_two_workers_do_not_get_the_same_point():
    """The same history, different generators."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = filled(space, 40)
    assert propose(space, history, seed=1)[0, 0] != propose(space, history, seed=2)[0, 0]


@pytest.mark.parametrize("batch", [1, 4])
def test_a_finite_space_is_exhausted_without_repeats(batch):
    """36 points of a tree, searched to the end: each exactly once, then nothing."""
    space = compile_space(
        hp.choice(
            "c", [{"a": hp.int("a", 1, 4), "b": hp.choice("b", list("xyzuvwst"))}, {"d": hp.int("d", 1, 4)}]
        )
    )
    history = History(space)
    for trial in range(40):
        rows = propose(space, history, batch, seed=trial)
        history.append(rows, np.arange(len(rows)) + trial, [OK] * len(rows))
        if not len(rows):
            break
    assert len(history) == len(history.keys) == space.cardinality() == 36
    assert len(propose(space, history)) == 0


def test_a_large_finite_space_is_not_repeated():
    """10,000 points, too many to rank them all, and an optimum whose neighbourhood is soon used up."""
    space = compile_space({k: hp.int(k, 0, 9) for k in "abcd"})
    history = run(space, lambda row: float(row.sum()), 120, 0)
    assert len(history.keys) == 120


def test_an_infinite_space_with_a_point_branch_repeats_it_only_when_nothing_else_is_near():
    """choice(constant, uniform) with the constant best: it is evaluated once, not again and again."""
    space = compile_space(hp.choice("c", [0, hp.uniform("x", 0, 1)]))
    history = run(space, lambda row: 1.0 + row[1] if row[0] == 1 else 0.0, 60, 0)
    assert (history.values[:, space.index["c"]] == 0).sum() <= 6


@pytest.mark.parametrize("by_history", [True, False])
def test_repeats_are_allowed_on_request(by_history):
    """A noisy objective on three values: with repeats allowed, the search goes on and prefers the best."""
    space = compile_space(hp.int("k", 1, 3))
    history = History(space)
    history.allow_repeats = True
    history.append([[1.0], [2.0], [3.0]] * 8, np.tile([0.0, 1.0, 2.0], 8), [OK] * 24)
    rows = [propose(space, history, seed=s, avoid_repeats=by_history)[0, 0] for s in range(20)]
    assert rows.count(1.0) > 10


# ---------------------------------------------------------------- failed trials


def test_no_ok_trial_at_all_means_away_from_the_failed_ones():
    """40 failures in the lower half of the range: most proposals are in the upper half, unlike the prior's."""
    space = compile_space(hp.uniform("x", 0, 1))
    history = History(space)
    history.append(np.linspace(0.01, 0.49, 40)[:, None], [NAN] * 40, [FAILED] * 40)
    x = np.concatenate([propose(space, history, seed=s) for s in range(40)])[:, 0]
    assert (x > 0.5).mean() > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_a_failing_half_is_avoided(seed):
    """The objective fails for x < 0.5, next to its optimum: fewer than a fifth of the last 40 proposals go there."""
    space = compile_space([hp.uniform("x", 0, 1), hp.uniform("y", 0, 1)])
    history = run(
        space, lambda row: (row[0] - 0.5) ** 2 + row[1] ** 2, 100, seed, failed=lambda row: row[0] < 0.5
    )
    assert (history.values[-40:, 0] < 0.5).mean() < 0.2


# ---------------------------------------------------------------- odd numbers


@pytest.mark.parametrize(
    "losses",
    [
        [1.0] * 30,
        [-np.inf] * 3 + [0.0] * 27,
        [-np.inf] * 30,
        [1e308, -1e308] * 15,
        [-1e300] + [0.0] * 29,
        [5e-324, 0.0] * 15,
        np.repeat([1.0, 2.0, 3.0], 10).tolist(),
    ],
)
def test_odd_losses_give_proposals(losses):
    """Equal, infinite, overflowing, outlying, denormal and tied losses."""
    space = tree()
    values = propose(space, filled(space, 30, loss=lambda v: np.array(losses)), 3)
    np.testing.assert_array_equal(space.known(values), values)
    assert len(values) == 3


@pytest.mark.parametrize("x", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("n", [1, 30])
def test_a_constant_column_gives_proposals(x, n):
    """All trials at one value, at an end of the range or inside; and a single trial."""
    space = compile_space([hp.uniform("x", 0, 1), hp.quniform("q", 0, 10, 1), hp.normal("z", 0, 1)])
    rows = np.tile([x, 10.0 * x, 40.0 * (x - 0.5)], (n, 1))
    history = History(space)
    history.append(rows[:, [space.index[k] for k in "xqz"]], np.arange(n), [OK] * n)
    values = propose(space, history, 5, n_startup_jobs=1)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(space.known(values), values)


def test_values_unknown_to_the_space_are_passed_over():
    """Trials of an older, smaller space lack a label: they still count for what they have."""
    space = compile_space([hp.uniform("x", 0, 1), hp.uniform("y", 0, 1)])
    history = History(space)
    rows = np.random.default_rng(0).random((40, 2))
    losses = np.abs(rows[:, 0] - 0.3)
    rows[:, 1] = NAN
    history.append(rows, losses, [OK] * 40)
    values = propose(space, history, 20)
    assert np.isfinite(values).all()
    assert abs(np.median(values[:, 0]) - 0.3) < 0.2


def test_thousands_of_trials_are_thinned_without_losing_the_optimum():
    """3000 trials: the proposals stay where the best of them are, as with all kernels."""
    space = compile_space([hp.uniform("x", 0, 1), hp.quniform("q", 0, 100, 1), hp.choice("c", list("abc"))])

    def loss(v):
        return np.abs(v[:, 0] - 0.2) + np.abs(v[:, 1] - 70) / 100 + (v[:, 2] != 1)

    history = filled(space, 3000, loss=loss)
    values = np.concatenate([propose(space, history, seed=s) for s in range(20)])
    assert np.median(loss(values)) < 0.1


# ---------------------------------------------------------------- invariances


def test_ranks_decide_when_good_trials_weigh_alike():
    """Any increasing change of the losses leaves the proposals as they are, bit for bit."""
    space = tree()
    plain = filled(space, 50)
    bent = filled(space, 50)
    bent.update(np.arange(50), np.exp(3.0 * plain.losses) + 100.0, [OK] * 50)
    first, second = (propose(space, h, 4, good_weights="uniform") for h in (plain, bent))
    np.testing.assert_array_equal(first, second)


def test_the_unit_of_the_loss_does_not_matter():
    """A power of two is exact, so proposals are equal bit for bit with improvement weights as well."""
    space = tree()
    plain, scaled = filled(space, 50), filled(space, 50)
    scaled.update(np.arange(50), 4096.0 * plain.losses, [OK] * 50)
    np.testing.assert_array_equal(propose(space, plain, 4), propose(space, scaled, 4))


def test_labels_do_not_matter():
    """Renamed parameters, the same values."""
    first, second = (
        compile_space({"u": hp.uniform(a, 0, 1), "q": hp.quniform(b, 0, 9, 1)})
        for a, b in (("x", "y"), ("b", "a"))
    )
    np.testing.assert_array_equal(
        propose(first, filled(first, 30), 3), propose(second, filled(second, 30), 3)
    )


def test_an_affine_change_of_the_range_maps_the_proposals():
    """uniform(0, 1) and uniform(-300, 500)."""
    small, large = (compile_space(hp.uniform("x", low, high)) for low, high in ((0, 1), (-300, 500)))
    x = propose(small, filled(small, 30), 5)
    np.testing.assert_allclose(propose(large, filled(large, 30), 5), -300 + 800 * x, rtol=1e-11)


def test_loguniform_is_the_exponential_of_uniform():
    """The same proposals on the log scale."""
    line, log = compile_space(hp.uniform("x", -7, 2)), compile_space(hp.loguniform("x", -7, 2))
    x = propose(line, filled(line, 30), 5)
    np.testing.assert_allclose(np.log(propose(log, filled(log, 30), 5)), x, rtol=1e-9, atol=1e-9)


def test_the_order_of_finished_trials_does_not_matter():
    """A permuted history has the same densities, ties of coordinates included."""
    space = compile_space([hp.uniform("x", 0, 1), hp.quniform("q", 0, 5, 1), hp.choice("c", list("abc"))])
    rng = np.random.default_rng(4)
    values, losses, order = space.sample(rng, 40).values, rng.normal(size=40), rng.permutation(40)
    models = []
    for rows in (np.arange(40), order):
        history = History(space)
        history.append(values[rows], losses[rows], [OK] * 40)
        models.append(TPE().densities(space, history))
    points = models[0][0].points
    for first, second in zip(*models):
        np.testing.assert_allclose(first.at(points).log_joint, second.at(points).log_joint, rtol=1e-12)
        np.testing.assert_allclose(
            first.at(points).log_marginals, second.at(points).log_marginals, atol=1e-12
        )


def test_a_batch_of_an_endless_space_is_whole_where_most_points_are_few():
    """One number four choices down, 30 trials: 64 rows that differ, though 15 of 16 draws are one of four points."""
    space = hp.uniform("x", 0, 1)
    for i in range(4):
        space = hp.choice(f"c{i}", [space, 0])
    compiled = compile_space(space)
    history = History(compiled)
    history.append(compiled.sample(0, 30).values, np.random.default_rng(0).normal(size=30), [OK] * 30)
    batch = TPE().propose(compiled, history, 64, np.random.default_rng(0))
    assert len(set(compiled.keys(batch.values))) == 64
