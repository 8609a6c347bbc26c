"""Hyperband against its rules (Li et al. 2017, Algorithm 1), by events in any order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpspace import compile_space, hp
from hpspace.suggest.fidelity.hyperband import Hyperband
from hpspace.suggest.fidelity.rungs import brackets
from hpspace.testing.races import Race

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "r": hp.fidelity("r", 1, 9)})
TABLE = brackets(1, 9, 3)  # 9 x 1, 3 x 3, 1 x 9 | 5 x 3, 1 x 9 | 3 x 9


def race_of(space=SPACE):
    return Race(Hyperband(), space)


def sizes(race):
    """How many trials there are of each bracket and rung."""
    return Counter(zip(race.past.brackets.tolist(), race.past.rungs.tolist()))


# ---------------------------------------------------------------- by hand


def test_the_brackets_of_the_table_are_run_one_after_the_other():
    """One evaluator: 13, 6 and 3 trials, then the first bracket again."""
    race = race_of()
    race.run(23, lambda row: float(row))
    assert sizes(race) == {(0, 0): 9, (0, 1): 3, (0, 2): 1, (1, 0): 5, (1, 1): 1, (2, 0): 3, (3, 0): 1}
    assert race.past.resources.tolist() == [1] * 9 + [3] * 3 + [9] + [3] * 5 + [9] + [9] * 3 + [1]


def test_the_table_for_81_costs_what_the_paper_says():
    """All trials of the first iteration, by bracket."""
    race = race_of(compile_space({"x": hp.uniform("x", 0, 1), "r": hp.fidelity("r", 1, 81)}))
    race.run(81 + 27 + 9 + 3 + 1 + 34 + 11 + 3 + 1 + 15 + 5 + 1 + 8 + 2 + 5, lambda row: float(row))
    spent = [race.past.resources[race.past.brackets == j].sum() for j in range(5)]
    assert spent == [5 * 81, 34 * 3 + 11 * 9 + 3 * 27 + 81, 15 * 9 + 5 * 27 + 81, 8 * 27 + 2 * 81, 5 * 81]
    assert len(race.past) == sum(rung.n for bracket in brackets(1, 81, 3) for rung in bracket)


def test_the_best_of_a_full_rung_go_on_best_first():
    """Losses of the first rung in descending order of age: the last three are promoted, the last one first."""
    race = race_of()
    race.run(13, lambda row: -float(race.past.configs[row]))
    assert [config for config, _, _ in race.jobs()[9:]] == [8, 7, 6, 8]


def test_ties_go_to_the_earlier_trial():
    """All losses equal."""
    race = race_of()
    race.run(13, lambda row: 0.5)
    assert [config for config, _, _ in race.jobs()[9:]] == [0, 1, 2, 0]


def test_a_rung_is_judged_when_it_is_full_and_others_work_on_the_next_bracket_meanwhile():
    """8 of 9 have ended: the ninth decides; nobody idles."""
    race = race_of()
    rows = race.begin(9)
    for row in rows[:8]:
        race.end(row, float(row))
    (row,) = race.begin()
    assert (race.past.brackets[row], race.past.resources[row]) == (1, 3)
    race.end(8, -1.0)
    assert [race.jobs()[row][:2] for row in race.begin(4)] == [(8, 1), (0, 1), (1, 1), (13, 0)]


def test_failures_make_a_bracket_smaller():
    """Two of nine have a loss: two go on, then none of (3, but planned) for lack of results."""
    race = race_of()
    race.run(11, lambda row: float(row) if race.past.rungs[row] or row in (4, 6) else None)
    assert [job[:2] for job in race.jobs()[9:]] == [(4, 1), (6, 1)]
    race.run(1, lambda row: 0.0)
    assert race.jobs()[11] == (4, 2, 9)


def test_a_bracket_that_failed_altogether_is_over():
    """All NaN: nobody is promoted, and the next bracket begins."""
    race = race_of()
    race.run(23, lambda row: None)
    assert set(race.past.rungs.tolist()) == {0}
    assert sizes(race) == {(0, 0): 9, (1, 0): 5, (2, 0): 3, (3, 0): 6}


def test_a_trial_that_was_cancelled_is_replaced():
    """Its row goes: the rung has a place again before it is judged."""
    race = race_of()
    race.run(9, lambda row: float(row))
    race.past = race.past.select(np.arange(8))
    (row,) = race.begin()
    assert race.jobs()[row] == (8, 0, 1)


# ---------------------------------------------------------------- by chance: the laws hold in any order of events

events = st.lists(
    st.tuples(st.sampled_from(["begin", "begin", "end", "end", "end", "fail"]), st.integers(0, 10**6)),
    max_size=150,
)
relaxed = settings(deadline=None, max_examples=50)


def play(events, watch=lambda race, rows: None):
    """Drive a race: begin 1 to 4 jobs, or end one that is pending, whichever the events say."""
    race = race_of()
    for what, number in events:
        pending = race.pending()
        if what == "begin" or not pending:
            watch(race, rows := race.begin(1 + number % 4))
            assert len(rows) == 1 + number % 4, "nobody idles"
        else:
            race.end(pending[number % len(pending)], None if what == "fail" else float(number * 7919 % 23))
    return race


@relaxed
@given(events)
def test_no_rung_has_more_trials_than_the_table_says(events):
    """And each has the resource that the table says."""
    race = play(events)
    for (number, rung), count in sizes(race).items():
        assert count <= TABLE[number % 3][rung].n
    planned = [TABLE[j % 3][k].resource for j, k in zip(race.past.brackets, race.past.rungs)]
    assert race.past.resources.tolist() == planned


@relaxed
@given(events)
def test_whoever_is_promoted_was_among_the_best_of_a_full_rung(events):
    """Full: as many as planned or as many as had a loss below, and nothing pending."""

    def watch(race, rows):
        past = race.past
        for row in rows:
            number, rung = int(past.brackets[row]), int(past.rungs[row])
            if not rung:
                continue
            below = np.flatnonzero((past.brackets == number) & (past.rungs == rung - 1))
            assert not past.pending[below].any()
            if rung == 1:
                assert len(below) == TABLE[number % 3][0].n
            good = sorted(below[past.ok[below]], key=lambda i: (past.losses[i], i))
            best = {int(past.configs[i]) for i in good[: TABLE[number % 3][rung].n]}
            assert int(past.configs[row]) in best

    play(events, watch)


@relaxed
@given(events)
def test_a_configuration_stays_in_its_bracket_and_climbs_once(events):
    """One trial a rung."""
    race = play(events)
    places = list(zip(race.past.configs.tolist(), race.past.rungs.tolist()))
    assert len(set(places)) == len(places)
    assert (race.past.brackets == race.past.brackets[race.past.configs]).all()


@relaxed
@given(events)
def test_a_replay_gives_the_same_jobs(events):
    """Nothing is remembered but the history."""

    def watch(race, rows):
        before = race.resumed(rows[0])
        assert before.begin(len(rows)) == rows
        np.testing.assert_array_equal(before.past.values, race.past.values)
        assert before.jobs() == race.jobs() and sizes(before) == sizes(race)

    play(events, watch)


@relaxed
@given(events, st.randoms(use_true_random=False))
def test_the_order_in_which_trials_end_does_not_change_who_goes_on(events, random):
    """Inside of a bracket: the same losses in another order give the same promotions."""
    promoted = []
    for shuffled in (False, True):
        race = race_of()
        rows = race.begin(9)
        losses = {
            row: float(number % 5) for row, (_, number) in zip(rows, [*events, *[("", i) for i in range(9)]])
        }
        order = random.sample(rows, 9) if shuffled else rows
        for row in order:
            race.end(row, losses[row])
        promoted.append([race.jobs()[row] for row in race.begin(3)])
    assert promoted[0] == promoted[1]


# ---------------------------------------------------------------- finite spaces


@pytest.mark.parametrize("points", [1, 2, 6, 30])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_finite_space_ends_when_every_point_had_the_whole(points, workers):
    """Brackets begin with what is left of the points; no point is evaluated twice at one resource."""
    race = race_of(compile_space({"k": hp.randint("k", points), "r": hp.fidelity("r", 1, 9)}))
    for _ in range(30 * points):
        race.begin(workers)
        pending = race.pending()
        if not pending:
            break
        race.end(pending[-1], float(race.past.values[pending[-1], 0]))
    evaluated = list(zip(race.past.values[:, 0].tolist(), race.past.resources.tolist()))
    assert len(set(evaluated)) == len(evaluated)
    assert {point for point, resource in evaluated if resource == 9} == set(map(float, range(points)))
    assert race.begin() == []


def test_a_point_that_failed_is_not_tried_again():
    """Neither with more in a later bracket: the space ends with the others."""
    race = race_of(compile_space({"k": hp.randint("k", 6), "r": hp.fidelity("r", 1, 9)}))
    race.run(99, lambda row: None if race.past.values[row, 0] == 2 else 1.0)
    assert (race.past.values[:, 0] == 2).sum() == 1
    assert {k for k, r in zip(race.past.values[:, 0], race.past.resources) if r == 9} == {0, 1, 3, 4, 5}


def test_points_come_again_where_that_is_allowed():
    """A noisy objective: the brackets are full."""
    race = race_of(compile_space({"k": hp.randint("k", 2), "r": hp.fidelity("r", 1, 9)}))
    race.past.allow_repeats = True
    race.run(22, lambda row: float(row))
    assert [sizes(race)[j, 0] for j in range(3)] == [9, 5, 3]
