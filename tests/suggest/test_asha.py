"""ASHA against its rules (Li et al. 2020, Algorithm 2), by events in any order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpspace import compile_space, hp
from hpspace.history import OK, PRUNED
from hpspace.suggest.fidelity.asha import ASHA
from hpspace.testing.races import Race

SPACE = compile_space({"x": hp.uniform("x", 0, 1), "r": hp.fidelity("r", 1, 27)})


def race_of(space=SPACE, **arguments):
    return Race(ASHA(**arguments), space)


def began(race):
    """Configuration, rung and resource of the next job."""
    (row,) = race.begin()
    return race.jobs()[row]


def top(race, rung):
    """Configurations among the best third of a rung's results: by loss, then by age; failed ones are last."""
    past = race.past
    rows = [i for i in range(len(past)) if past.rungs[i] == rung and not past.pending[i]]
    rows.sort(key=lambda i: past.losses[i] if past.ok[i] else np.inf)
    return {int(past.configs[i]) for i in rows[: len(rows) // 3]}


# ---------------------------------------------------------------- by hand


def test_the_first_promotion_comes_after_eta_results():
    """Three results at 1, the best of them gets 3; three of those, the best gets 9."""
    race = race_of()
    race.run(13, lambda row: float(row))
    assert race.jobs() == [
        (0, 0, 1), (1, 0, 1), (2, 0, 1), (0, 1, 3),
        (4, 0, 1), (5, 0, 1), (6, 0, 1), (1, 1, 3),
        (8, 0, 1), (9, 0, 1), (10, 0, 1), (2, 1, 3), (0, 2, 9),
    ]  # fmt: skip


def test_the_highest_rung_goes_first():
    """When two rungs have somebody to promote, the job of the higher one is done first."""
    race = race_of()
    rows = race.begin(9)
    for row in rows:
        race.end(row, float(row))
    assert [began(race) for _ in range(3)] == [(0, 1, 3), (1, 1, 3), (2, 1, 3)]
    for row in (9, 10, 11):
        race.end(row, float(row))
    assert began(race) == (0, 2, 9)


def test_a_better_latecomer_goes_on_too():
    """Nothing waits, so more than a third may be promoted: that is the price, and the paper's rule."""
    race = race_of()
    rows = race.begin(4)
    for row, loss in zip(rows, (3.0, 2.0, 1.0)):
        race.end(row, loss)
    assert began(race) == (2, 1, 3)
    race.end(3, 0.5)
    assert began(race) == (3, 1, 3)
    assert began(race)[1] == 0


def test_ties_go_to_the_earlier_trial():
    """All losses equal: promotions by age, rung by rung."""
    race = race_of()
    race.run(60, lambda row: 0.5)
    for rung in (1, 2, 3):
        configs = [config for config, k, _ in race.jobs() if k == rung]
        assert configs == sorted(configs) and configs[0] == 0


def test_failures_fill_a_rung_and_never_go_on():
    """Two of three failed: the third is the best third. All failed: nobody."""
    race = race_of()
    race.run(4, lambda row: 0.5 if row == 2 else None)
    assert race.jobs()[3] == (2, 1, 3)
    hopeless = race_of()
    hopeless.run(40, lambda row: None)
    assert {job[1:] for job in hopeless.jobs()} == {(0, 1)}


def test_a_failed_promotion_is_not_repeated():
    """The configuration had its chance at 3."""
    race = race_of()
    race.run(30, lambda row: float(row) if race.past.rungs[row] == 0 else None)
    assert max(Counter(race.jobs()).values()) == 1
    assert max(rung for _, rung, _ in race.jobs()) == 1


def test_a_pruned_trial_is_a_result_that_does_not_go_on():
    """A pruner inside of a rung has judged it already."""
    race = race_of()
    for row in race.begin(3):
        race.past.update([row], [np.nan], [PRUNED], steps=[0], partials=[-9.0])
    assert began(race) == (3, 0, 1)
    race.end(3, 1.0)
    assert began(race) == (3, 1, 3)


def test_the_last_rung_is_the_whole():
    """R = 100, eta = 4: 1, 4, 16, and 100 instead of 64."""
    race = race_of(compile_space({"x": hp.uniform("x", 0, 1), "r": hp.fidelity("r", 1, 100, eta=4)}))
    race.run(400, lambda row: float(row))
    assert sorted({resource for _, _, resource in race.jobs()}) == [1, 4, 16, 100]


def test_one_rung_is_a_search_at_the_whole():
    """Where low * eta is beyond high there is nothing to promote to."""
    race = race_of(compile_space({"x": hp.uniform("x", 0, 1), "r": hp.fidelity("r", 5, 9)}))
    race.run(9, lambda row: float(row))
    assert {job[1:] for job in race.jobs()} == {(0, 9)}


def test_results_of_another_plan_count_where_they_have_a_rungs_resource():
    """Such as those of Hyperband on the same trials: a configuration that began at 3 may be given 9."""
    race = race_of()
    race.past.append(
        [[0.1], [0.2], [0.3], [0.4]], [0.1, 0.2, 0.3, 0.0], [OK] * 4,
        resources=[3, 3, 3, 4], stages=[(0, 7, 0), (0, 7, 1), (0, 7, 2), (0, 7, 3)],
    )  # fmt: skip
    assert began(race) == (0, 2, 9)


def test_with_one_evaluator_a_configuration_climbs_as_in_successive_halving():
    """81 configurations, eta 3, best first: sizes of the rungs are at most 81, 27, 9, 3."""
    race = race_of()
    race.run(120, lambda row: float(race.past.configs[row]))
    sizes = Counter(rung for _, rung, _ in race.jobs())
    assert [sizes[k] for k in range(4)] == [81, 27, 9, 3]
    assert [c for c, rung, _ in race.jobs() if rung == 3] == [0, 1, 2]


# ---------------------------------------------------------------- by chance: the laws hold in any order of events

events = st.lists(
    st.tuples(st.sampled_from(["begin", "begin", "end", "end", "fail"]), st.integers(0, 10**6)), max_size=120
)
relaxed = settings(deadline=None, max_examples=60)


def play(events, watch=lambda race, rows: None):
    """Drive a race: begin 1 to 4 jobs, or end one that is pending, whichever the events say."""
    race = race_of()
    for what, number in events:
        pending = race.pending()
        if what == "begin" or not pending:
            watch(race, rows := race.begin(1 + number % 4))
            assert len(rows) == 1 + number % 4, "nobody idles while there are configurations to try"
        else:
            loss = None if what == "fail" else float(number * 7919 % 23)  # ties among them
            race.end(pending[number % len(pending)], loss)
    return race


@relaxed
@given(events)
def test_a_configuration_is_promoted_once_per_rung_and_never_jumps(events):
    """No two trials of a configuration on one rung, and none on a rung without the one below."""
    jobs = play(events).jobs()
    places = [(config, rung) for config, rung, _ in jobs]
    assert len(set(places)) == len(places)
    assert all((config, rung - 1) in places for config, rung in places if rung)


@relaxed
@given(events)
def test_whoever_is_promoted_has_earned_it_at_that_moment(events):
    """Was among the best third of all results of its rung, and had a loss."""

    def watch(race, rows):
        for row in rows:
            rung = int(race.past.rungs[row])
            if rung:
                config = int(race.past.configs[row])
                assert config in top(race, rung - 1)
                assert race.past.ok[race.jobs().index((config, rung - 1, 3 ** (rung - 1)))]

    play(events, watch)


@relaxed
@given(events)
def test_nothing_is_begun_at_the_bottom_while_somebody_has_earned_more(events):
    """A new configuration is begun only when every rung's best third has gone on."""

    def watch(race, rows):
        for row in rows:
            if race.past.rungs[row] == 0:
                for rung in range(3):
                    gone = {int(c) for c, k, _ in race.jobs()[:row] if k == rung + 1}
                    ok = {int(c) for c, k, _ in np.array(race.jobs())[race.past.ok] if k == rung}
                    assert not (top(race, rung) & ok) - gone

    play(events, watch)


@relaxed
@given(events)
def test_a_promotion_is_the_same_point_with_more(events):
    """Of the resource of the next rung."""
    race = play(events)
    for row, (config, rung, resource) in enumerate(race.jobs()):
        assert race.past.values[row] == race.past.values[config]
        assert resource == 3**rung


@relaxed
@given(events)
def test_a_replay_gives_the_same_jobs(events):
    """Nothing is remembered but the history: after each event another process would decide alike."""

    def watch(race, rows):
        before = race.resumed(rows[0])
        assert before.begin(len(rows)) == rows
        np.testing.assert_array_equal(before.past.values, race.past.values)
        assert before.jobs() == race.jobs()

    play(events, watch)


def test_jobs_asked_for_at_once_are_those_asked_for_one_by_one():
    """As far as they are decided: each is planned as if those before it were running."""
    once, single = race_of(), race_of()
    for race in (once, single):
        for row in race.begin(9):
            race.end(row, float(row))
    once.begin(5)
    for _ in range(5):
        single.begin()
    assert once.jobs() == single.jobs()


# ---------------------------------------------------------------- finite spaces and parameters


def test_a_finite_space_waits_for_what_is_pending_and_then_goes_on_with_the_best():
    """4 points, 3 of them done: one is under way, so there is nothing to do yet; later the best go on to the end."""
    race = race_of(compile_space({"k": hp.randint("k", 4), "r": hp.fidelity("r", 1, 9)}))
    rows = race.begin(9)
    assert len(rows) == 4
    for row in rows[:2]:
        race.end(row, float(row))
    assert race.begin() == []
    for row in rows[2:]:
        race.end(row, float(row))
    race.run(99, lambda row: float(race.past.configs[row]))
    assert [(c, r) for c, _, r in race.jobs()[4:]] == [
        (0, 3),
        (0, 9),
        (1, 3),
        (1, 9),
        (2, 3),
        (2, 9),
        (3, 3),
        (3, 9),
    ]
    assert race.begin() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"algo": "hyperband"}, "asha: algo='hyperband' plans resources itself"),
        ({"algo": "tep"}, "no algorithm named 'tep'; did you mean 'tpe'"),
        ({"min_results": 0}, "asha: min_results=0 must be at least 1"),
    ],
)
def test_wrong_parameters_are_named(arguments, words):
    """When it is made, not at the first question."""
    with pytest.raises(ValueError, match=words):
        ASHA(**arguments)


def test_the_searcher_is_asked_for_new_configurations_only():
    """A promotion needs none."""
    asked = []

    class Corner:
        def propose(self, space, history, n, rng):
            asked.append(len(history))
            return space.batch(np.full((n, 1), 0.25 + len(asked) / 1000))

    race = race_of(algo=Corner())
    race.run(13, lambda row: float(row))
    assert len(asked) == 9
