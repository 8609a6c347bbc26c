"""Each pruner's decisions beside tables worked out by hand.

Values are losses: lower is better. The curves of the other trials stand in the tables, so that a reader can check each
decision with a pencil.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpspace.history import OK
from hpspace.prune import (
    Curve,
    Custom,
    Halving,
    Hyperband,
    Median,
    Patient,
    Percentile,
    Threshold,
    Verdict,
    Wilcoxon,
    curves_of,
    pruner_from,
)
from hpspace.prune.curves import others_of
from hpspace.prune.hyperband import deal, plan
from hpspace.prune.percentile import percentile
from hpspace.prune.table import CurveTable

NAN, INF = math.nan, math.inf

#: Five finished trials; medians by step: 0.7, 0.5, 0.4 (only trials 0 to 2 came to step 2, only trial 0 to step 3).
#:
#:          step 0  step 1  step 2  step 3
#: trial 0    0.9     0.5     0.4     0.3
#: trial 1    0.8     0.8     0.8
#: trial 2    0.7     0.2     0.1
#: trial 3    0.6     0.6
#: trial 4    0.5     0.4
FIVE = [[0.9, 0.5, 0.4, 0.3], [0.8, 0.8, 0.8], [0.7, 0.2, 0.1], [0.6, 0.6], [0.5, 0.4]]


@pytest.mark.parametrize(
    ("values", "stop"),
    [
        ([0.69], False),
        ([0.70], False),  # the median itself
        ([0.71], True),
        ([0.50, 0.9], False),  # the best so far counts, 0.5 is step 1's median
        ([0.60, 0.51], True),
        ([0.60, 0.50], False),
        ([0.10, 9.0, 9.0], False),
        ([0.60, 0.50, 0.41], True),  # of 0.4, 0.8, 0.1 the median is 0.4
        ([0.60, 0.50, 0.40], False),
        ([0.60, 0.50, 0.90, 0.90], False),  # nobody went further than step 3: too late to save anything
        ([0.60, 0.50, 0.90, 0.90, 0.90], False),  # nobody came to step 4
        ([NAN], True),
        ([NAN, 0.4], False),
        ([0.4, NAN], False),
        ([INF], True),
        ([-INF], False),
    ],
)
def test_median(values: list[float], stop: bool) -> None:
    """Best value so far against the median of five at the last step."""
    assert Median().decide(Curve.of(values), curves_of(FIVE)).stop is stop


@pytest.mark.parametrize(
    ("keep", "limit"),
    [(50, 0.7), (25, 0.6), (75, 0.8), (10, 0.54), (1, 0.504), (99, 0.896)],
)
def test_percentile_limits(keep: float, limit: float) -> None:
    """Of 0.5, 0.6, 0.7, 0.8, 0.9 the q-th percentile lies q/100 of the way, with straight lines between."""
    rule = Percentile(keep)
    assert rule.decide(Curve.of([limit + 1e-6]), curves_of(FIVE)).stop
    assert not rule.decide(Curve.of([limit - 1e-6]), curves_of(FIVE)).stop


@pytest.mark.parametrize(
    "values", [[1.0], [2.0, 1.0], [3.0, 1.0, 2.0, 2.0], [-INF, 0.0, INF], [INF, INF, 1.0]]
)
@pytest.mark.parametrize("q", [25.0, 50.0, 100.0])
def test_percentile_is_numpys(values: list[float], q: float) -> None:
    with np.errstate(invalid="ignore"):
        expected = np.percentile(values, q)
    if expected == expected:
        assert percentile(np.array(values), q) == expected


@pytest.mark.parametrize(
    ("rule", "steps", "asked", "decides"),
    [
        (Median(startup_trials=5), [0], -1, True),
        (Median(startup_trials=6), [0], -1, False),
        (Median(warmup_steps=2), [0, 1], 0, False),
        (Median(warmup_steps=1), [0, 1], 0, True),
        (Median(interval_steps=2), [0, 1], 0, False),  # decisions at 0, 2, 4
        (Median(interval_steps=2), [0, 1, 2], 1, True),
        (Median(interval_steps=2), [0, 1, 2], 2, False),  # asked already at this step
        (Median(interval_steps=3, warmup_steps=1), [0, 1, 2], 1, False),  # decisions at 1, 4, 7
        (
            Median(interval_steps=3, warmup_steps=1),
            [0, 2],
            0,
            True,
        ),  # step 1 was passed: the turn is not lost
        (Median(min_trials=3), [0, 1, 2], 1, True),
        (Median(min_trials=4), [0, 1, 2], 1, False),  # three came to step 2
    ],
)
def test_when_the_median_rule_decides(rule: Median, steps: list[int], asked: int, decides: bool) -> None:
    """The curve is hopeless, so that it is stopped whenever the rule decides."""
    curve = Curve.of([9.0] * len(steps), steps, asked=asked)
    assert rule.decide(curve, curves_of(FIVE)).stop is decides


def test_only_finished_trials_are_compared_with() -> None:
    """Running and pruned trials are in the table too; the median of the finished ones at step 0 is 0.5."""
    others = curves_of([[0.1]] * 9 + [[0.5, 0.5]] * 5, losses=[None] * 9 + [0.5] * 5)
    assert not Median().decide(Curve.of([0.5]), others).stop
    assert Median().decide(Curve.of([0.51]), others).stop


def two_branches() -> CurveTable:
    """Six finished trials of a fast branch (0.1 at step 0), two of a slow one (0.9), and one running in each."""
    table = CurveTable()
    finished = [(0.1, "fast")] * 6 + [(0.9, "slow")] * 2
    for value, branch in [*finished, (0.9, "slow"), (0.2, "fast")]:
        row = table.add(len(table), branch)
        table.report(row, 0, value)
        if row < len(finished):
            table.report(row, 1, value)
            table.settle(row, OK, value)
    return table


def decided(rule: object, table: CurveTable, row: int) -> Verdict:
    from hpspace.prune.curves import curve_at

    return rule.decide(curve_at(table, row), others_of(table, row))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("rule", "slow", "fast"),
    [
        (Median(startup_trials=2, same_branch=False), True, True),
        (Median(startup_trials=2), False, True),
        (Median(startup_trials=3), False, True),
        (Median(startup_trials=7), False, False),
        (Percentile(25, startup_trials=2), False, True),
        (Halving(eta=2, same_branch=False), True, True),
        (Halving(eta=2), False, True),
    ],
)
def test_like_is_compared_with_like(rule: object, slow: bool, fast: bool) -> None:
    """A slow starter is beaten by every fast one; within its branch it is as good as any."""
    table = two_branches()
    assert (decided(rule, table, 8).stop, decided(rule, table, 9).stop) == (slow, fast)


@pytest.mark.parametrize(("same_branch", "stop"), [(True, False), (False, True)])
def test_hyperband_compares_like_with_like_too(same_branch: bool, stop: bool) -> None:
    """Every 17th trial is in the first bracket of R=9; the second is of another branch."""
    table = CurveTable()
    for tid, branch in [(0, "fast"), (17, "slow")]:
        table.report(table.add(tid, branch), 0, float(tid))
    rule = Hyperband(max_resource=9, same_branch=same_branch)
    assert rule.bracket_of(0) == rule.bracket_of(17)
    assert decided(rule, table, 1).stop is stop


# -- without other trials ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "values", "stop"),
    [
        (Threshold(upper=1.0), [1.0], False),
        (Threshold(upper=1.0), [1.1], True),
        (Threshold(upper=1.0), [9.0, 0.5], False),  # the last value counts
        (Threshold(lower=0.0), [-0.1], True),
        (Threshold(lower=0.0), [0.0], False),
        (Threshold(), [INF], False),
        (Threshold(), [NAN], True),
        (Threshold(upper=1.0, warmup_steps=2), [5.0, 5.0], False),
        (Threshold(upper=1.0, warmup_steps=2), [5.0, 5.0, 5.0], True),
    ],
)
def test_threshold(rule: Threshold, values: list[float], stop: bool) -> None:
    assert rule.decide(Curve.of(values), curves_of([])).stop is stop


def test_thresholds_are_in_the_direction_asked_for() -> None:
    """An accuracy of 0.05 is below 0.1; stored is -0.05."""
    rule = Threshold(lower=0.1)
    assert not rule.decide(Curve.of([-0.2], direction="maximize"), curves_of([])).stop
    verdict = rule.decide(Curve.of([-0.05], direction="maximize"), curves_of([]))
    assert verdict == Verdict(True, "step 0: 0.05 is below the lower bound 0.1")


@pytest.mark.parametrize(
    ("rule", "values", "stop"),
    [
        (Patient(patience=1), [0.5, 0.6], False),  # a decision needs patience + 2 reports
        (Patient(patience=1), [0.5, 0.6, 0.6], True),
        (Patient(patience=1), [0.5, 0.6, 0.4], False),
        (Patient(patience=1), [0.5, 0.4, 0.6], False),
        (Patient(patience=1), [0.5, 0.5, 0.5], True),  # flat is no progress
        (Patient(patience=1, min_delta=0.1), [0.5, 0.45, 0.45], True),
        (Patient(patience=1, min_delta=0.1), [0.5, 0.45, 0.39], False),
        (Patient(patience=0), [0.5, 0.5], True),
        (Patient(patience=0), [0.5, 0.4], False),
        (Patient(patience=1), [NAN, NAN, NAN], True),
        (Patient(patience=1), [NAN, NAN, 0.5], False),
        (Patient(patience=1), [0.5, NAN, NAN], True),
        (Patient(patience=1), [0.5, NAN, 0.4], False),
        (Patient(patience=3), [0.5] * 4, False),
        (Patient(patience=3), [0.5] * 5, True),
    ],
)
def test_patience(rule: Patient, values: list[float], stop: bool) -> None:
    assert rule.decide(Curve.of(values), curves_of([])).stop is stop


def test_patience_with_another_rule_stops_only_what_both_would() -> None:
    """The median of FIVE is 0.7 at step 0, 0.5 at step 1, 0.4 at step 2."""
    rule, others = Patient("median", patience=1), curves_of(FIVE)
    assert rule.pruner == Median()
    assert not rule.decide(Curve.of([0.9, 0.8, 0.7]), others).stop, "bad, but it gets better"
    assert not rule.decide(Curve.of([0.3, 0.4, 0.4]), others).stop, "stuck, but better than the median"
    verdict = rule.decide(Curve.of([0.6, 0.9, 0.9]), others)
    assert verdict.stop and "no progress" in verdict.reason and "median" in verdict.reason


# -- paired on folds ---------------------------------------------------------------------------------------

#: The best trial's five folds, mean 0.3; and a worse trial, which must not be taken for the best.
FOLDS = [[0.2, 0.4, 0.3, 0.1, 0.5], [0.9, 0.9, 0.9, 0.9, 0.9]]


@pytest.mark.parametrize(
    ("values", "p"),
    [
        ([0.3], None),  # one step is less than startup_steps
        ([0.3, 0.5], 1 / 4),
        ([0.3, 0.5, 0.4], 1 / 8),
        ([0.3, 0.6, 0.6, 0.5], 1 / 16),  # worse on all of four: 1 of 16 signs is as extreme
        ([0.3, 0.6, 0.6, 0.5, 0.9], 1 / 32),
        ([0.19, 0.6, 0.6, 0.5, 0.9], 2 / 32),  # the smallest is negative: W+ is 14, and 2 of 32 have 14 or 15
        ([0.6, 0.3, 0.6, 0.5, 0.9], None),  # ties: counted, not written down
    ],
)
def test_wilcoxon_p_values(values: list[float], p: float | None) -> None:
    """The p-value is the share of the 2^n sign patterns with a rank sum at least as large."""
    verdict = Wilcoxon(p_threshold=1.0).decide(Curve.of(values), curves_of(FOLDS))
    if len(values) == 1:
        assert verdict == Verdict(False, "step 0: 1 of 2 steps in common with trial 0")
        return
    counted = exact_p(values, FOLDS[0])
    assert counted == (counted if p is None else p)
    assert f"p = {counted:.3g} " in verdict.reason


def exact_p(a: list[float], b: list[float]) -> float:
    """Count all sign patterns one by one, with mid ranks for ties."""
    d = np.subtract(a, b[: len(a)])
    size = np.abs(d)
    ranks = [(size < s).sum() + ((size == s).sum() + 1) / 2 for s in size]
    observed = sum(r for r, x in zip(ranks, d) if x > 0)
    n = len(d)
    as_large = sum(
        sum(r for i, r in enumerate(ranks) if pattern >> i & 1) >= observed - 1e-9 for pattern in range(2**n)
    )
    return as_large / 2**n


@pytest.mark.parametrize(
    ("values", "stop"),
    [
        ([0.3, 0.6, 0.6], False),  # p = 1/8
        ([0.3, 0.6, 0.6, 0.5], True),  # p = 1/16 < 0.1
        ([0.2, 0.4, 0.3, 0.1, 0.5], False),  # the same values
        ([0.21, 0.41, 0.31, 0.11, 0.1], False),  # worse on four folds of five, but better on average
        ([NAN, 0.6, 0.6, 0.5], False),  # three pairs are left
        ([INF, INF, INF, INF], True),
        ([0.1, 0.3, 0.2, 0.0], False),
    ],
)
def test_wilcoxon_decisions(values: list[float], stop: bool) -> None:
    assert Wilcoxon().decide(Curve.of(values), curves_of(FOLDS)).stop is stop


def test_wilcoxon_pairs_by_step_whatever_the_order_or_the_gaps() -> None:
    """Steps 1 to 4 only: the pairs are (.6,.4), (.6,.3), (.5,.1), (.9,.5), all worse: p = 1/16."""
    curve = Curve.of([0.6, 0.6, 0.5, 0.9], steps=[1, 2, 3, 4])
    assert "p = 0.0625 " in Wilcoxon().decide(curve, curves_of(FOLDS)).reason


@pytest.mark.parametrize("n", [6, 25, 79, 81, 200])
def test_the_signed_rank_test_is_scipys(n: int) -> None:
    """Without ties and zeros scipy's exact p-value is the same number, and its approximation is near."""
    from scipy.stats import wilcoxon

    from hpspace.prune.wilcoxon import p_worse

    rng = np.random.default_rng(n)
    for shift in (0.0, 0.2, 1.0):
        d = rng.normal(shift, 1, n)
        exact = wilcoxon(d, alternative="greater", method="exact").pvalue
        assert p_worse(d) == pytest.approx(
            exact, rel=1e-9 if n <= 80 else 0.2, abs=1e-12 if n <= 80 else 2e-3
        )


# -- rungs -------------------------------------------------------------------------------------------------

#: Values at steps 0 ... 9, so resources 1 ... 10. Rungs for eta=3 are 1, 3, 9: steps 0, 2, 8.
#: At rung 1: 0.1, 0.2, 0.3, 0.4, 0.5. At rung 3: 0.5, 0.4, 0.3 (trials 0 to 2). At rung 9: 0.2 (trial 0).
LADDER = [[0.1, 0.9, 0.5, 0, 0, 0, 0, 0, 0.2, 0], [0.2, 0, 0.4], [0.3, 0, 0.3], [0.4], [0.5]]


@pytest.mark.parametrize(
    ("values", "asked", "stop"),
    [
        ([0.20], -1, False),  # six at rung 1, two go on: 0.1 and 0.2; an equal value does too
        ([0.21], -1, True),
        ([0.15], -1, False),
        ([9.0, 9.0], 0, False),  # between rungs
        ([9.0, 9.0, 0.31], 1, True),  # four at rung 3, one goes on; trial 0 has gone further
        ([9.0, 9.0, 0.30], 1, False),
        ([9.0, 9.0, 0.29, 9.0], 1, False),  # asked late: the value at the rung counts, not the last one
        ([9.0, 9.0, 0.31, 0.0], 1, True),
        ([9.0, 9.0, 0.31, 0.0], 2, False),  # asked at the rung and let go: that is settled
        ([0.21, 9.0, 0.0], -1, True),  # never asked before: the first rung stops it
        (
            [0, 0, 0, 0, 0, 0, 0, 0, 0.21],
            7,
            True,
        ),  # two at rung 9, one goes on; trial 0 has gone one step further
        ([0, 0, 0, 0, 0, 0, 0, 0, 0.19], 7, False),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0.21, 0], 7, False),  # asked at the step where trial 0 ended
        ([NAN], -1, True),
        ([0.1, NAN], 0, False),
    ],
)
def test_halving(values: list[float], asked: int, stop: bool) -> None:
    curve = Curve.of(values, asked=asked)
    assert Halving(eta=3).decide(curve, curves_of(LADDER)).stop is stop


@pytest.mark.parametrize(
    ("rule", "steps", "rungs"),
    [
        (Halving(eta=3), range(30), [0, 2, 8, 26]),  # steps from 0: resource is step + 1
        (Halving(eta=3), range(1, 30), [1, 3, 9, 27]),  # steps from 1: resource is step
        (Halving(eta=3, max_resource=27), range(1, 30), [1, 3, 9]),  # nothing to decide at the end
        (Halving(min_resource=4, eta=2), range(30), [3, 7, 15]),
        (Halving(min_resource=100, eta=2), range(100, 900, 100), [100, 200, 400, 800]),
        (
            Halving(min_resource=100, eta=2),
            range(70, 900, 90),
            [160, 250, 430, 880],
        ),  # first report at or after
    ],
)
def test_at_which_steps_halving_decides(rule: Halving, steps: range, rungs: list[int]) -> None:
    """A hopeless trial beside one perfect one that has reported everywhere: stopped whenever a decision is due."""
    table = CurveTable()
    perfect, hopeless, stopped = table.add(0), table.add(1), []
    for step in range(1000):
        table.report(perfect, step, 0.0)
    for step in steps:
        table.report(hopeless, step, 1.0)
        if decided(rule, table, hopeless).stop:
            stopped.append(step)
        table.asked[hopeless] = step
    assert stopped == rungs


def test_the_first_trials_of_a_rung_go_on_if_asked_to() -> None:
    others = curves_of([[0.1, 0.1], [0.2]])
    assert Halving(eta=3).decide(Curve.of([0.3]), others).stop
    assert not Halving(eta=3, min_trials=4).decide(Curve.of([0.3]), others).stop
    assert Halving(eta=3, min_trials=3).decide(Curve.of([0.3]), others).stop


def test_nan_at_a_rung_counts_as_the_worst_of_all() -> None:
    """Of four at the rung (0.1, NaN, NaN and 0.2) two go on with eta=2."""
    assert not Halving(eta=2).decide(Curve.of([0.2]), curves_of([[0.1], [NAN], [NAN]])).stop


@pytest.mark.parametrize(
    ("least", "most", "eta", "brackets"),
    [
        (1, 81, 3, [(4, 81, 1), (3, 34, 3), (2, 15, 9), (1, 8, 27), (0, 5, 81)]),  # table 1 of Li et al. 2018
        (1, 27, 3, [(3, 27, 1), (2, 12, 3), (1, 6, 9), (0, 4, 27)]),
        (1, 16, 2, [(4, 16, 1), (3, 10, 2), (2, 7, 4), (1, 5, 8), (0, 5, 16)]),
        (1, 243, 3, [(5, 243, 1), (4, 98, 3), (3, 41, 9), (2, 18, 27), (1, 9, 81), (0, 6, 243)]),
        (1, 100, 4, [(3, 64, 1), (2, 22, 6), (1, 8, 25), (0, 4, 100)]),
        (1, 1, 3, [(0, 1, 1)]),
        (5, 81, 3, [(2, 9, 9), (1, 5, 27), (0, 3, 81)]),
    ],
)
def test_hyperbands_plan(least: int, most: int, eta: int, brackets: list[tuple[int, int, int]]) -> None:
    """n = ceil((s_max + 1) / (s + 1) * eta^s) trials from resource R / eta^s; log_3(243) is 5, not 4.999."""
    assert [(b.s, b.trials, b.resource) for b in plan(least, most, eta)] == brackets


def test_trials_are_dealt_to_brackets_in_the_planned_proportions() -> None:
    """143 trials make a round of the plan for R=81; every beginning of it is within one trial of its share."""
    shares = (81, 34, 15, 8, 5)
    dealt = deal(shares)
    assert np.bincount(dealt).tolist() == list(shares)
    for n in range(1, 144):
        off = np.bincount(dealt[:n], minlength=5) - n * np.array(shares) / 143
        assert np.abs(off).max() < 1.5
    rule = Hyperband(max_resource=81)
    assert [rule.bracket_of(n).s for n in range(143)] == [rule.bracket_of(n + 143).s for n in range(143)]
    assert rule.bracket_of(0).s == 4


def test_hyperband_compares_within_a_bracket_and_starts_at_its_rung() -> None:
    """R=9, eta=3: brackets 2, 1, 0 of 9, 5 and 3 trials from rungs 1, 3 and 9; the last stops nobody."""
    rule = Hyperband(max_resource=9)
    brackets = [rule.bracket_of(n).s for n in range(9)]
    assert brackets[:4] == [2, 1, 2, 0]
    table = CurveTable()
    for tid, bracket in enumerate(brackets):
        row = table.add(tid)
        for step in range(9):
            table.report(row, step, 0.0 if bracket == 1 else 1.0 + tid)
    stopped = {tid: decided(rule, table, tid) for tid in range(9)}
    assert [tid for tid in range(9) if stopped[tid].stop] == [
        tid for tid in range(9) if brackets[tid] == 2 and tid != 0
    ], "bracket 2: only its best (tid 0) goes on, though bracket 1 is better; 1 ties; 0 never stops"
    assert stopped[3].reason.endswith("(bracket 0)")


# -- how a pruner is named ---------------------------------------------------------------------------------


def test_a_declared_resource_fills_what_a_pruner_was_not_told() -> None:
    declared = (2, 54, 5)
    assert pruner_from("hyperband", declared) == Hyperband(54, 2, 5)
    assert pruner_from("asha", declared) == Halving(2, 5, 54)
    assert pruner_from(Halving(min_resource=9, eta=2), declared) == Halving(9, 2, 54)
    assert pruner_from(Hyperband(max_resource=81), declared) == Hyperband(81, 2, 5)
    assert pruner_from("asha") == Halving(1, 4, None)
    assert pruner_from(Patient("hyperband"), declared) == Patient(Hyperband(54, 2, 5))
    assert pruner_from("asha", (0.1, 0.9, 3)) == Halving(1, 4, None), "fractions are no steps"


def test_hyperband_without_a_resource_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match=r"prune.Hyperband\(max_resource=81\).*hp.fidelity"):
        pruner_from("hyperband")
    with pytest.raises(ValueError, match=r"hp\.fidelity"):
        pruner_from(Patient("hyperband"))


def test_what_may_be_passed_as_a_pruner() -> None:
    def too_old(trials, trial):
        return True

    assert pruner_from(None) is None
    assert pruner_from(Median) == Median()
    assert pruner_from(Median(3)) == Median(3)
    assert pruner_from(too_old) == Custom(too_old)
    assert pruner_from(Custom(too_old)) == Custom(too_old)
    verdict = Custom(too_old).decide_trial(None, {})
    assert verdict.stop and "too_old returned True" in verdict.reason
    with pytest.raises(TypeError, match="pruner=3 is no pruner"):
        pruner_from(3)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Percentile(0), "keep=0"),
        (lambda: Percentile(100.0), r"keep=100\.0"),
        (lambda: Median(startup_trials=-1), "startup_trials=-1"),
        (lambda: Median(warmup_steps=1.5), "warmup_steps=1.5"),
        (lambda: Median(interval_steps=0), "interval_steps=0"),
        (lambda: Percentile(min_trials=0), "min_trials=0"),
        (lambda: Threshold(lower=1, upper=1), "lower=1 must be less than upper=1"),
        (lambda: Patient(patience=-1), "patience=-1"),
        (lambda: Patient(min_delta=-0.1), r"min_delta=-0\.1"),
        (lambda: Wilcoxon(p_threshold=0), "p_threshold=0"),
        (lambda: Wilcoxon(startup_steps=0), "startup_steps=0"),
        (lambda: Halving(eta=1), "eta=1"),
        (lambda: Halving(min_resource=0), "min_resource=0"),
        (lambda: Halving(min_resource=9, max_resource=3), "max_resource=3 must be at least min_resource=9"),
        (lambda: Hyperband(max_resource=0.5), r"max_resource=0\.5"),
        (lambda: Percentile("25"), "keep='25'"),
        (lambda: Threshold(upper="10"), "upper='10' must be a number"),
        (lambda: Threshold(lower=float("nan")), "lower=nan must be a number"),
        (lambda: Patient(min_delta="0"), "min_delta='0'"),
        (lambda: Wilcoxon("0.1"), r"p_threshold='0\.1'"),
        (lambda: Hyperband(81).planned(None) and Hyperband(eta=1), "eta=1"),
    ],
)
def test_wrong_arguments_are_named(make: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()  # type: ignore[operator]


def test_numbers_of_numpy_are_numbers() -> None:
    assert Median(np.int64(3)).startup_trials == Percentile(np.float64(25), np.int32(3)).startup_trials == 3


def test_a_function_cannot_be_wrapped_by_patience() -> None:
    with pytest.raises(TypeError, match="Patient: pruner="):
        Patient(lambda trials, trial: True)


def test_patience_is_no_pruner() -> None:
    with pytest.raises(TypeError, match="pruner=5 is no pruner; write patience=5"):
        Patient(5)
