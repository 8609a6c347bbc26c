"""Reading trials: lists, the best trial, counts, indexing; total on empty and broken ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hpspace import Trials, trials_from_docs
from hpspace.exceptions import AllTrialsFailed
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.bests import pmin_sampled


def test_lists_show_valid_trials_in_order_and_errors_only_among_all_documents(trials: Trials) -> None:
    assert trials.tids == [0, 1, 2, 3] and len(trials) == 4
    assert [doc["tid"] for doc in trials._dynamic_trials] == [0, 1, 2, 3, 4]
    assert trials.statuses() == ["ok", "fail", "ok", "ok"]
    assert trials.specs == [None] * 4
    assert [misc["tid"] for misc in trials.miscs] == trials.tids
    assert trials.losses()[:2] == [0.5, -99.0] and trials.results[3]["loss"] == 0.25


def test_values_by_label_leave_inactive_ones_out(trials: Trials) -> None:
    assert trials.vals == {"x": [0.5, 0.5, 0.5, 0.125], "c": [1, 1, 1, 0], "n": [4]}
    assert trials.idxs["n"] == [3] and trials.idxs_vals == (trials.idxs, trials.vals)


def test_empty_trials_can_be_read() -> None:
    """Hyperopt raises ValueError for the values of empty trials."""
    empty = Trials()
    assert (empty.vals, empty.idxs, empty.losses(), list(empty), empty[:]) == ({}, {}, [], [], [])


@pytest.mark.parametrize("position", [0, 3, -1, np.int64(2)])
def test_a_position_gives_the_document_itself(trials: Trials, position: int) -> None:
    assert trials[position] is trials.trials[position]


def test_a_slice_gives_documents(trials: Trials) -> None:
    assert trials[1:3] == trials.trials[1:3] and [doc["tid"] for doc in trials[::-1]] == [3, 2, 1, 0]


def test_a_wrong_position_says_what_there_is(trials: Trials) -> None:
    with pytest.raises(IndexError, match=r"trials\[9\]: there are 4 trials"):
        trials[9]
    with pytest.raises(TypeError, match=r"not '3'; for an id: trials.by_tid"):
        trials["3"]  # type: ignore[call-overload]


def test_by_tid_finds_errors_too_and_names_the_id_it_does_not_find(trials: Trials) -> None:
    assert trials.by_tid(4)["misc"]["error"][1] == "bad kernel"
    with pytest.raises(KeyError, match="no trial has the tid 77"):
        trials.by_tid(77)


def test_the_best_trial_is_never_a_failed_or_nan_one(trials: Trials) -> None:
    """Trial 1 failed with loss -99, trial 2 is NaN."""
    assert trials.best_trial is trials.by_tid(3)
    assert trials.argmin == {"x": 0.125, "c": 0, "n": 4} == trials.best_point


def test_the_first_of_equals_is_the_best(make: Any) -> None:
    assert trials_from_docs([make(0, 1.0), make(1, 0.5), make(2, 0.5)]).best_trial["tid"] == 1


@pytest.mark.parametrize(
    ("losses", "best"),
    [([1.0, -math.inf], 1), ([math.inf], 0), ([None, 3], 1), (["abc", 2.0], 1), ([np.nan, np.inf], 1)],
)
def test_unusual_losses(make: Any, losses: list[Any], best: int) -> None:
    """-inf is best, +inf counts, what is no number does not."""
    assert trials_from_docs([make(i, loss) for i, loss in enumerate(losses)]).best_trial["tid"] == best


def test_without_a_good_trial_the_error_tells_what_happened(make: Any) -> None:
    docs = [
        make(0, 1.0, status="fail"),
        make(1, math.nan),
        make(2, state=0),
        make(3, error=("<class 'KeyError'>", "first")),
        make(4, error=("<class 'ValueError'>", "bad kernel")),
    ]
    with pytest.raises(AllTrialsFailed) as caught:
        _ = trials_from_docs(docs).best_trial
    assert str(caught.value) == (
        "no trial has status 'ok' and a loss that is a number; of 5 trials: 1 new, 2 done (2 without a usable "
        "loss), 2 errors; the last error, of trial 4: <class 'ValueError'>: bad kernel"
    )


def test_without_any_trial_the_error_says_so() -> None:
    with pytest.raises(AllTrialsFailed, match="there are no trials yet"):
        _ = Trials().argmin


def test_best_config_is_what_the_objective_saw(trials: Trials, space: CompiledSpace) -> None:
    trials.remember_space(space)
    assert trials.best_config == {"x": 0.125, "model": {"kind": "tree", "depth": 4}}


def test_best_config_without_a_space_says_how_to_give_one(trials: Trials) -> None:
    with pytest.raises(ValueError, match="remember_space"):
        _ = trials.best_config


def test_before_the_first_refresh_reading_is_refused_with_the_remedy() -> None:
    fresh = Trials(refresh=False)
    for read in (len, list, lambda t: t.trials):
        with pytest.raises(AttributeError, match=r"call refresh\(\) first"):
            read(fresh)


@pytest.mark.parametrize("arg", [2, [2], {2}, (2,), iter([2]), np.int64(2)])
def test_counts_take_a_state_or_states(trials: Trials, arg: Any) -> None:
    assert trials.count_by_state_synced(arg) == 4


def test_the_unsynced_count_sees_errors_and_what_was_not_refreshed(trials: Trials, make: Any) -> None:
    trials.insert_trial_doc(make(9, state=0))
    assert trials.count_by_state_synced([0, 3]) == 0
    assert trials.count_by_state_unsynced([0, 3]) == 2


def test_other_documents_can_be_counted(trials: Trials, make: Any) -> None:
    assert trials.count_by_state_synced(2, trials=[make(0, 1.0), make(1, state=1)]) == 1


@pytest.mark.parametrize("arg", ["x", 9, (2, 9), None, 2.5])
def test_what_is_no_state_cannot_be_counted(trials: Trials, arg: Any) -> None:
    with pytest.raises(TypeError, match="expected a state or states"):
        trials.count_by_state_synced(arg)


class FakeDomain:
    """Reads results its own way, as a Domain may."""

    def loss(self, result: Any, spec: Any = None) -> Any:
        return -result["loss"]

    def status(self, result: Any, spec: Any = None) -> Any:
        return result["status"].upper()

    def loss_variance(self, result: Any, spec: Any = None) -> float:
        return 0.0

    def true_loss(self, result: Any, spec: Any = None) -> Any:
        return 10 * result["loss"]


def test_a_domain_may_read_the_results(make: Any) -> None:
    trials = trials_from_docs([make(0, 1.0), make(1, 2.0)])
    assert trials.losses(FakeDomain()) == [-1.0, -2.0]
    assert trials.statuses(FakeDomain()) == ["OK", "OK"]
    assert trials.average_best_error(FakeDomain()) == 20.0


def test_average_best_error_is_the_true_loss_of_the_best_and_ignores_nan(make: Any) -> None:
    """One NaN loss makes Hyperopt's answer NaN."""
    docs = [make(0, math.nan), make(1, 0.5, true_loss=0.75), make(2, 0.6), make(3, -9.0, status="fail")]
    assert trials_from_docs(docs).average_best_error() == 0.75


def test_average_best_error_weights_noisy_rivals(make: Any) -> None:
    """Two trials with equal noisy losses are equally likely to be best; a third is beyond 3 sigma."""
    noisy = [
        make(i, loss, loss_variance=0.01, true_loss=true) for i, (loss, true) in enumerate([(1, 2), (1, 4)])
    ]
    answer = trials_from_docs([*noisy, make(2, 5.0, loss_variance=0.01, true_loss=99.0)]).average_best_error()
    assert answer == pytest.approx(3.0, abs=0.1)


def test_average_best_error_of_nothing_is_refused(trials: Trials) -> None:
    with pytest.raises(ValueError, match="Empty loss vector"):
        Trials().average_best_error()


def test_pmin_of_two_normals_is_the_closed_form() -> None:
    """P(X < Y) = Phi((my - mx) / sqrt(vx + vy)); here Phi(1) = 0.841345. 2e5 draws: six sigma is 0.005."""
    p = pmin_sampled(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 200_000, np.random.default_rng(7))
    assert p[0] == pytest.approx(0.841345, abs=0.005) and p.sum() == pytest.approx(1)
