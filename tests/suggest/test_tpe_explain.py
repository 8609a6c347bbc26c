"""tpe explains itself: for any point the split, the densities of each label, and the score."""

from __future__ import annotations

import numpy as np

from hpspace import compile_space, hp
from hpspace.history import OK, History
from hpspace.suggest.tpe.algorithm import TPE
from hpspace.suggest.tpe.trend import RATIO_WEIGHT

SPACE = compile_space(
    {
        "c": hp.choice("c", [0, {"y": hp.uniform("y", 0, 1)}]),
        "x": hp.uniform("x", -1, 1),
        "n": hp.int("n", 1, 9),
    }
)


def searched(n=60):
    history = History(SPACE)
    values = SPACE.sample(0, n).values
    history.append(values, values[:, SPACE.index["x"]] ** 2, [OK] * n)
    return history


def test_the_score_is_the_weighted_log_ratio_of_what_is_shown():
    history, values = searched(), SPACE.sample(1, 20).values
    for weight in (0.0, 0.3, 1.0):
        why = TPE(joint_weight=weight).explain(SPACE, history, values)
        joint = why.log_good - why.log_bad
        marginal = (why.log_good_marginals - why.log_bad_marginals).sum(axis=1)
        ratio = weight * joint + (1 - weight) * marginal
        np.testing.assert_allclose(why.score, RATIO_WEIGHT * ratio + why.log_improvement)
        plain = TPE(joint_weight=weight, trend_trials=0).explain(SPACE, history, values)
        assert plain.log_improvement is None
        np.testing.assert_allclose(plain.score, ratio)


def test_marginals_stand_in_the_order_of_the_space_and_are_zero_where_inactive():
    history = searched()
    values = SPACE.sample(1, 20).values
    why = TPE().explain(SPACE, history, values)
    absent = np.isnan(values)
    assert absent[:, SPACE.index["y"]].any()
    assert (why.log_good_marginals[absent] == 0).all() and (why.log_bad_marginals[absent] == 0).all()
    ratio = why.log_good_marginals - why.log_bad_marginals
    x = SPACE.index["x"]
    near = np.abs(values[:, x]) < 0.2
    assert ratio[near, x].min() > ratio[~near, x].max() - 1.5
    assert np.ptp(ratio[:, x]) > 2 * np.ptp(ratio[:, SPACE.index["n"]])


def test_the_good_trials_are_the_best_tenth():
    history = searched()
    why = TPE().explain(SPACE, history, SPACE.sample(1, 1).values)
    assert why.good.tolist() == history.order[:6].tolist()
    assert abs(why.weights.mean() - 1) < 1e-12


def test_a_proposal_scores_better_than_draws_from_the_prior():
    history = searched()
    proposed = TPE(explore_options=0).propose(SPACE, history, 1, np.random.default_rng(0))
    mine = TPE().explain(SPACE, history, proposed.values).score[0]
    others = TPE().explain(SPACE, history, SPACE.sample(2, 100).values).score
    assert mine > np.quantile(others, 0.9)
