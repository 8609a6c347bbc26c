"""History: columns of past trials, appended and updated by the trials layer, read by algorithms."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, PRUNED, History

SPACE = compile_space({"x": hp.uniform("x", 0, 4), "c": hp.choice("c", ["a", {"y": hp.uniform("y", 0, 1)}])})


def history_of(rows, losses, kinds):
    history = History(SPACE)
    history.append(rows, losses, kinds)
    return history


def test_rows_keep_their_order_and_growth_keeps_rows():
    history = History(SPACE)
    for i in range(100):
        history.append([[i / 25, 0, np.nan]], [float(-i)], [OK])
    assert len(history) == history.n == 100
    assert history.values[:, 0].tolist() == [i / 25 for i in range(100)]
    assert history.order.tolist() == list(range(99, -1, -1))


def test_only_ok_rows_have_a_loss_and_a_rank():
    history = history_of([[1, 0, np.nan]] * 4, [0.5, -9.0, -9.0, 0.25], [OK, FAILED, PENDING, OK])
    assert history.order.tolist() == [3, 0]
    assert np.isnan(history.losses[[1, 2]]).all()
    assert history.failed.tolist() == [False, True, False, False]
    assert history.pending.tolist() == [False, False, True, False]


def test_equal_losses_rank_by_age():
    assert history_of([[1, 0, np.nan]] * 3, [1.0, 1.0, 1.0], [OK] * 3).order.tolist() == [0, 1, 2]


def test_an_update_changes_the_outcome_and_the_rank():
    history = history_of([[1, 0, np.nan], [2, 0, np.nan]], [0.0, 1.0], [PENDING, OK])
    version = history.version
    assert history.order.tolist() == [1]
    history.update([0], [0.5], [OK])
    assert history.order.tolist() == [0, 1]
    assert history.version > version


def test_values_outside_the_space_are_unknown_to_it():
    """Trials of an older, wider space stay in the history, without what this space cannot place."""
    history = history_of([[9.0, 0, np.nan], [1.0, 7, np.nan]], [0.0, 1.0], [OK, OK])
    assert np.isnan(history.values[0, 0]) and np.isnan(history.values[1, 1])
    assert history.values[1, 0] == 1.0


def test_keys_count_points_of_every_kind():
    history = history_of([[1, 0, np.nan], [1, 0, np.nan], [2, 0, np.nan]], [0, 0, 0], [OK, PENDING, FAILED])
    (key,) = SPACE.keys(np.array([[1, 0, np.nan]]))
    assert history.keys[key] == 2
    assert len(history.keys) == 2


def test_an_algorithm_cannot_write_to_it():
    history = history_of([[1, 0, np.nan]], [0.0], [OK])
    for array in (history.values, history.coords, history.losses, history.kind):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_order_that_is_kept_up_is_the_order_that_would_be_made():
    """Outcomes come one by one, out of order, with ties and failures, and some change again."""
    rng = np.random.default_rng(0)
    history = History(SPACE)
    for _ in range(300):
        if rng.random() < 0.5 or not history.pending.any():
            history.append([[1, 0, np.nan]], [float(rng.integers(5))], [rng.choice([OK, PENDING])])
        else:
            row = rng.choice(np.flatnonzero(history.pending | (rng.random(len(history)) < 0.05)))
            history.update([row], [float(rng.integers(5))], [rng.choice([OK, FAILED])])
        rows = np.flatnonzero(history.ok)
        expected = rows[np.argsort(history.losses[rows], kind="stable")]
        assert history.order.tolist() == expected.tolist()


def pruned_history():
    """Six rows: 0 and 3 finished, 1, 2 and 4 pruned at steps 5, 9 and 9, 5 pruned before it reported."""
    return history_of_progress(
        losses=[0.5, 9, 9, 0.25, 9, 9],
        kinds=[OK, PRUNED, PRUNED, OK, PRUNED, PRUNED],
        steps=[9, 5, 9, 9, 9, np.nan],
        partials=[0.5, 0.1, 0.9, 0.25, 0.8, np.nan],
    )


def history_of_progress(losses, kinds, steps, partials):
    history = History(SPACE)
    history.append([[1, 0, np.nan]] * len(losses), losses, kinds, steps, partials)
    return history


def test_finished_rows_rank_before_pruned_ones_and_those_by_how_far_they_came():
    """At one step the lower value ranks first; row 1 has the lowest value of all but came less far."""
    history = pruned_history()
    assert history.ranked.tolist() == [3, 0, 4, 2, 1, 5]
    assert history.order.tolist() == [3, 0]
    assert np.isnan(history.losses[history.pruned]).all()


def test_the_rank_follows_updates():
    history = pruned_history()
    assert history.ranked[-1] == 5
    history.update([5], [9], [PRUNED], [10], [99])
    assert history.ranked.tolist() == [3, 0, 5, 4, 2, 1]
    history.update([1], [0.0], [OK])
    assert history.ranked.tolist() == [1, 3, 0, 5, 4, 2]
    assert history.steps.tolist()[1] == 5, "what an update does not name stays"


def test_equal_or_unknown_progress_ranks_by_age():
    nan = np.nan
    history = history_of_progress([0] * 5, [PRUNED] * 5, [nan, 2, 2, nan, 2], [nan, nan, 1, nan, nan])
    assert history.ranked.tolist() == [2, 1, 4, 0, 3]


def test_progress_and_resources_default_to_unknown_and_grow():
    history = History(SPACE)
    for i in range(40):
        known = {} if i % 2 else {"steps": [i], "partials": [i / 2], "resources": [3.0]}
        history.append([[1, 0, np.nan]], [0.0], [OK], **known)
    assert np.isnan(history.steps[1::2]).all() and np.isnan(history.resources[1::2]).all()
    assert history.steps[::2].tolist() == list(range(0, 40, 2))
    assert history.partials[38] == 19.0 and history.resources[38] == 3.0


def test_stages_of_configurations_are_columns():
    """Rung, bracket and first row; -1 for rows without a resource."""
    history = History(SPACE)
    history.append([[1, 0, np.nan]], [0.5], [OK])
    history.append(
        [[1, 0, np.nan]] * 2, [0.5, 0.2], [OK, OK], resources=[1, 3], stages=[(0, 4, 1), (1, 4, 1)]
    )
    assert history.rungs.tolist() == [-1, 0, 1]
    assert history.brackets.tolist() == [-1, 4, 4]
    assert history.configs.tolist() == [-1, 1, 1]


def test_a_selection_is_a_history_of_its_own():
    """Rows in the order asked for; what is changed or added there stays there."""
    history = history_of([[1, 0, np.nan], [2, 0, np.nan], [3, 0, np.nan]], [3.0, 2.0, 1.0], [OK, OK, FAILED])
    part = history.select(np.array([2, 0]))
    assert part.values[:, 0].tolist() == [3, 1]
    np.testing.assert_array_equal(part.coords, history.coords[[2, 0]])
    assert len(part.keys) == 2
    part.update([0], [0.5], [OK])
    part.append([[4, 0, np.nan]] * 20, [0.0] * 20, [PENDING] * 20)
    assert part.order.tolist() == [0, 1]
    assert history.order.tolist() == [1, 0]
    assert len(history) == 3


def test_a_selection_may_be_empty_and_may_know_other_points():
    """What must not be proposed again need not be among the rows."""
    history = history_of([[1, 0, np.nan]], [3.0], [OK])
    none = history.select(np.array([], dtype=np.intp), known=history.keys)
    assert len(none) == 0 and list(none.keys) == list(history.keys)
    none.append([[2, 0, np.nan]], [1.0], [OK])
    assert none.losses.tolist() == [1.0]


def test_counts_of_kinds_follow_every_change():
    """They are kept up with single trials and taken anew after many at once; either way they are right."""
    rng, history = np.random.default_rng(0), History(SPACE)
    for size in (1, 1, 30, 2, 1, 8, 9, 3):
        history.append([[1, 0, np.nan]] * size, rng.random(size), rng.integers(0, 4, size))
        changed = rng.permutation(len(history))[: min(len(history), size + 1)]
        for _ in range(2):
            assert [history.count(kind) for kind in (OK, FAILED, PENDING, PRUNED)] == [
                int((history.kind == kind).sum()) for kind in (OK, FAILED, PENDING, PRUNED)
            ]
            assert history.finished == int((history.kind != PENDING).sum())
            history.update(changed, rng.random(len(changed)), rng.integers(0, 4, len(changed)))
