"""What a searcher is shown: each configuration once, at one resource."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.suggest.fidelity import view

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "r": hp.fidelity("r", 1, 9)})
FINITE = compile_space({"k": hp.randint("k", 9), "r": hp.fidelity("r", 1, 9)})


def history_of(*rows, space=SPACE):
    """Rows of (config, resource, kind, loss); config None: a trial without a resource. Row i is at 0.1 i, or code i."""
    history = History(space)
    first = {}
    for i, (config, resource, kind, loss) in enumerate(rows):
        start = first.setdefault(config if config is not None else object(), i)
        value = start / 10 if space is SPACE else start
        stage = None if config is None else [(0, 0, start)]
        history.append([[value]], [loss], [kind], resources=[resource] if stage else None, stages=stage)
    return history


def shown(view_):
    """Value, kind, loss or partial of each row."""
    seen = np.where(view_.kind == PRUNED, view_.partials, view_.losses)
    return [
        (round(float(x), 1), int(kind), None if np.isnan(loss) else float(loss))
        for x, kind, loss in zip(view_.values[:, 0], view_.kind, seen)
    ]


RACE = (
    ("a", 1, OK, 0.9),  # 0.0: given 3 and 9
    ("b", 1, OK, 0.8),  # 0.1: given 3
    ("c", 1, OK, 0.7),  # 0.2: left behind
    ("d", 1, FAILED, 0),  # 0.3
    ("e", 1, PENDING, 0),  # 0.4
    ("a", 3, OK, 0.5),
    ("b", 3, OK, 0.6),
    ("a", 9, OK, 0.3),
    ("b", 9, PENDING, 0),
)


def test_losses_of_one_resource_count():
    """At 3: those that had it with their loss there, the others as pruned, failed or pending."""
    seen = shown(view.at(history_of(*RACE), SPACE.fidelity, 3, 1))
    assert seen == [
        (0.2, PRUNED, 0.7), (0.3, FAILED, None), (0.4, PENDING, None), (0.0, OK, 0.5), (0.1, OK, 0.6),
    ]  # fmt: skip


def test_a_running_promotion_is_shown_as_what_is_known_of_it():
    """At 9 one has a loss; the other, whose trial at 9 is under way, is shown with what it had at 3."""
    seen = shown(view.at(history_of(*RACE), SPACE.fidelity, 9, 1))
    assert seen == [
        (0.2, PRUNED, 0.7), (0.3, FAILED, None), (0.4, PENDING, None), (0.1, PRUNED, 0.6), (0.0, OK, 0.3),
    ]  # fmt: skip


def test_those_left_behind_are_ranked_by_how_far_they_came():
    """What `History.ranked` does with pruned trials: first the resource, then the loss there."""
    past = view.at(history_of(*RACE), SPACE.fidelity, 9, 1)
    assert past.steps[past.ranked[1:]].tolist() == [3, 1]
    assert shown(past.select(past.ranked)) == [(0.0, OK, 0.3), (0.1, PRUNED, 0.6), (0.2, PRUNED, 0.7)]


def test_configurations_that_only_had_more_are_left_out():
    """Their losses cannot be compared, and bad they are not."""
    past = history_of(("a", 1, OK, 0.9), ("b", 9, OK, 0.1), ("c", 9, PENDING, 0))
    assert shown(view.at(past, SPACE.fidelity, 1, 1)) == [(0.0, OK, 0.9), (0.2, PENDING, None)]


def test_without_a_resource_that_has_enough_results_everything_is_pending():
    """So that nothing is modelled, while choices already taken are known."""
    past = view.at(history_of(*RACE), SPACE.fidelity, None, 1)
    assert shown(past) == [(round(i / 10, 1), PENDING, None) for i in range(5)]


def test_a_trial_without_a_resource_had_the_whole():
    """A queued point counts at 9, each as a configuration of its own."""
    past = history_of((None, None, OK, 0.4), (None, None, OK, 0.2), ("a", 1, OK, 0.1))
    assert shown(view.at(past, SPACE.fidelity, 9, 1)) == [(0.0, OK, 0.4), (0.1, OK, 0.2), (0.2, PRUNED, 0.1)]


def test_a_trial_that_a_pruner_ended_keeps_its_progress():
    """Inside of a rung: its own steps and values."""
    past = history_of(("a", 9, OK, 0.4), ("b", 9, PENDING, 0))
    past.update([1], [np.nan], [PRUNED], steps=[4], partials=[0.7])
    seen = view.at(past, SPACE.fidelity, 9, 1)
    assert (seen.steps[1], seen.partials[1]) == (4, 0.7)


@pytest.mark.parametrize(("least", "expected"), [(1, 9), (2, 3), (3, 1), (4, None)])
def test_the_richest_resource_with_enough_results(least, expected):
    """Three losses at 1, two at 3, one at 9; failed and pending trials are none."""
    assert view.richest(history_of(*RACE), 9, least) == expected


def test_nothing_is_known_of_an_empty_history():
    """The limit case."""
    assert view.richest(History(SPACE), 9, 1) is None
    assert len(view.at(History(SPACE), SPACE.fidelity, None, 1)) == 0
    assert len(view.at(History(SPACE), SPACE.fidelity, 9, 1)) == 0


def test_the_history_is_not_changed():
    """A view is a copy."""
    past = history_of(*RACE)
    before = (past.kind.tolist(), past.losses.tolist(), dict(past.keys), past.version)
    view.at(past, SPACE.fidelity, 3, 1)
    assert (past.kind.tolist(), repr(past.losses.tolist())) == (before[0], repr(before[1]))
    assert (dict(past.keys), past.version) == before[2:]


@pytest.mark.parametrize(("fresh", "known"), [(1, {0, 1, 2, 3, 4}), (3, {0, 1, 3}), (9, {0, 1, 3})])
def test_in_a_finite_space_a_point_is_known_at_what_it_had(fresh, known):
    """To be given 3: those that had 3 are known, and what failed; others may begin there."""
    past = view.at(history_of(*RACE, space=FINITE), FINITE.fidelity, None, fresh)
    assert {int(np.frombuffer(key)[0]) for key in past.keys} == known


def test_points_that_are_busy_elsewhere_are_known():
    """They may be promoted where they are."""
    busy = np.array([False, False, True] + [False] * 6)
    past = view.at(history_of(*RACE, space=FINITE), FINITE.fidelity, None, 9, busy)
    assert {int(np.frombuffer(key)[0]) for key in past.keys} == {0, 1, 2, 3}


def test_algorithms_that_plan_nothing_see_the_whole_resource():
    """And the history itself where nothing had less."""
    full = history_of((None, None, OK, 0.4), ("a", 9, OK, 0.2))
    assert view.whole(full, SPACE.fidelity) is full
    assert shown(view.whole(history_of(*RACE), SPACE.fidelity))[-1] == (0.0, OK, 0.3)
