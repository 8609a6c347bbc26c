"""How much training do pruners save, at an equal final regret, beside Optuna's with the same names?

Trainings are simulated: a configuration has a final loss f and a learning curve that comes down to it over 81 steps, so
that everything is known, also where curves cross. The families:

================  =================================================================================================
parallel          all curves have the shape f + 1/t: the order never changes
late bloomers     the better the slower: f + 4 (1 - f) t^-1/3; all cross at step 9, the order is reversed before it
unrelated         the early part says nothing: f + a t^-1/2 with a at random from 0 to 3
noisy             parallel, with noise of a sixth of the spread of f
two branches      a fast model (f from 0.3 on) and a slow one (from 0.0 on) that is behind until about step 30
================  =================================================================================================

First table: every pruner is shown the same 100 random configurations in the same order. A cell is the share of the
steps that it spends, in how many runs it keeps the best of the 100 (a trial that is stopped cannot be it), and by how
much its best is worse on average. Last column: time for one decision. Second table: an equal budget of steps with each
library's own TPE, mean final loss of the best. Optuna's pruners are not asked at the last step, where stopping would
only lose the result; hpspace's know that.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import installed, table, version, wants_quick

from hpspace import Ctrl, Trials, fmin, hp, prune, report_or_prune
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_RUNNING, new_document

STEPS = 81
CONFIGURATIONS = 100
#: Unpruned trainings that the budget of the second table pays for.
PAID = 20


@dataclass(frozen=True)
class Training:
    """A configuration: its branch, its final loss, its curve by step."""

    slow: bool
    final: float
    curve: np.ndarray


def training(family: str, u: np.ndarray, noise: np.random.Generator) -> Training:
    """Return what happens at a point of the unit cube; its first three coordinates decide how good it is."""
    t = np.arange(1, STEPS + 1)
    f = float(np.sqrt(np.mean((u[:3] - (0.3, 0.6, 0.45)) ** 2)) / 0.45)
    slow = family == "two branches" and u[3] > 0.5
    if family == "two branches":
        f = f if slow else 0.3 + 0.7 * f
        curve = f + (0.8 * np.exp(-t / 12) if slow else 0.3 / t)
    elif family == "late bloomers":
        curve = f + 4 * (1 - f) * (t ** (-1 / 3) - STEPS ** (-1 / 3))
    elif family == "unrelated":
        curve = f + 3 * u[3] * (t**-0.5 - STEPS**-0.5)
    else:
        curve = f + 1.0 / t - 1.0 / STEPS
    if family == "noisy":
        curve = curve + 0.05 * noise.normal(size=STEPS)
    curve[-1] = f
    return Training(slow, f, curve)


FAMILIES = ("parallel", "late bloomers", "unrelated", "noisy", "two branches")


def trainings(family: str, seed: int) -> Iterator[Training]:
    """Yield random configurations without end."""
    rng, noise = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    while True:
        yield training(family, rng.random(4), noise)


# -- two ways to ask whether to stop -----------------------------------------------------------------------


class OurTrials:
    """Trials of hpspace with a pruner."""

    def __init__(self, pruner: Any) -> None:
        self._trials = Trials()
        self._pruner = prune.pruner_from(pruner)
        self._n = 0

    def run(self, case: Training) -> int:
        """Train until the end or the pruner's word; return the number of steps, STEPS if it finished."""
        labels = {"branch": int(case.slow), "slow" if case.slow else "fast": 0.5}
        doc = new_document(self._n, labels, ["branch", "slow", "fast"])
        doc["state"] = JOB_STATE_RUNNING
        self._trials.insert_trial_doc(doc)
        self._n += 1
        ctrl = Ctrl(self._trials, doc, pruner=self._pruner)
        for step, value in enumerate(case.curve):
            ctrl.report(value, step)
            if ctrl.should_prune():
                doc.update(state=JOB_STATE_DONE, result={"status": "pruned"})
                return step + 1
        doc.update(state=JOB_STATE_DONE, result={"status": "ok", "loss": case.final})
        return STEPS


class OptunasTrials:
    """A study of Optuna with a pruner."""

    def __init__(self, pruner: Any) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler())
        self._pruned = optuna.trial.TrialState.PRUNED

    def run(self, case: Training) -> int:
        trial = self._study.ask()
        for step, value in enumerate(case.curve):
            trial.report(value, step)
            if step < STEPS - 1 and trial.should_prune():
                self._study.tell(trial, state=self._pruned)
                return step + 1
        self._study.tell(trial, case.final)
        return STEPS


def contestants(quick: bool) -> dict[str, Callable[[], Any]]:
    ours: dict[str, Any] = {
        "none": None,
        "median": prune.Median(),
        "median, all branches": prune.Median(same_branch=False),
        "best quarter": prune.Percentile(25.0),
        "asha, eta 3": prune.Halving(eta=3, max_resource=STEPS),
        "asha, eta 3, all branches": prune.Halving(eta=3, max_resource=STEPS, same_branch=False),
        "hyperband": prune.Hyperband(max_resource=STEPS),
        "hyperband, all branches": prune.Hyperband(max_resource=STEPS, same_branch=False),
    }
    made: dict[str, Callable[[], Any]] = {
        f"hpspace {name}": lambda pruner=pruner: OurTrials(pruner) for name, pruner in ours.items()
    }
    if "optuna" in installed():
        from optuna import pruners

        theirs = {
            "median": lambda: pruners.MedianPruner(),
            "best quarter": lambda: pruners.PercentilePruner(25.0),
            "asha, eta 3": lambda: pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
            "hyperband": lambda: pruners.HyperbandPruner(
                min_resource=1, max_resource=STEPS, reduction_factor=3
            ),
        }
        made.update(
            {f"optuna {name}": lambda make=make: OptunasTrials(make()) for name, make in theirs.items()}
        )
    return dict(list(made.items())[:4]) if quick else made


# -- what a pruner is worth --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """One run over the same configurations."""

    #: Steps spent, as a share of all.
    spent: float
    #: How much worse the best finished training is than the best of all.
    worse: float
    #: Seconds for a step, nearly all of them for the decision.
    seconds: float


def score(trials: Any, cases: list[Training]) -> Score:
    """Show all configurations to a pruner."""
    start = time.perf_counter()
    steps = [trials.run(case) for case in cases]
    seconds = time.perf_counter() - start
    best = min(case.final for case, n in zip(cases, steps) if n == STEPS)
    worse = best - min(case.final for case in cases)
    return Score(sum(steps) / (STEPS * len(cases)), worse, seconds / sum(steps))


def first_table(quick: bool) -> str:
    seeds, n = range(2 if quick else 50), 12 if quick else CONFIGURATIONS
    rows = []
    for name, make in contestants(quick).items():
        row, seconds = [name], []
        for family in FAMILIES:
            scores = [score(make(), list(itertools.islice(trainings(family, seed), n))) for seed in seeds]
            kept = statistics.fmean(one.worse == 0 for one in scores)
            spent = statistics.fmean(one.spent for one in scores)
            row.append(f"{spent:.0%}, {kept:.0%}, +{statistics.fmean(one.worse for one in scores):.3f}")
            seconds += [one.seconds for one in scores]
        rows.append([*row, f"{statistics.median(seconds) * 1e6:.0f} µs"])
    return table(["pruner", *FAMILIES, "a decision"], rows)


# -- with a model --------------------------------------------------------------------------------------------

SPACE = {
    **{name: hp.uniform(name, 0, 1) for name in ("a", "b", "c")},
    "branch": hp.choice("branch", [{"d": hp.uniform("fast", 0, 0.5)}, {"d": hp.uniform("slow", 0.5, 1)}]),
}


def ours_with_tpe(family: str, seed: int, pruner: Any, budget: int) -> float:
    """Return the regret of hpspace's TPE."""
    noise, spent = np.random.default_rng([seed, 2]), [0]

    def objective(config: dict[str, Any]) -> float:
        point = np.array([config["a"], config["b"], config["c"], config["branch"]["d"]])
        case = training(family, point, noise)
        for step, value in enumerate(case.curve):
            spent[0] += 1
            report_or_prune(value, step)
        return case.final

    def over(trials: Trials, *args: Any) -> tuple[bool, dict[str, Any]]:
        return spent[0] >= budget, {}

    best = fmin(objective, SPACE, "tpe", 3000, rstate=seed, verbose=False, pruner=pruner, early_stop_fn=over)
    return float(best.loss)


def optunas_with_tpe(family: str, seed: int, pruner: Any, budget: int) -> float:
    """Return the regret of Optuna's TPE."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    noise, spent = np.random.default_rng([seed, 2]), [0]

    def objective(trial: Any) -> float:
        point = [trial.suggest_float(name, 0, 1) for name in ("a", "b", "c")]
        fast = trial.suggest_categorical("branch", ["fast", "slow"]) == "fast"
        point.append(trial.suggest_float("fast", 0, 0.5) if fast else trial.suggest_float("slow", 0.5, 1))
        case = training(family, np.array(point), noise)
        for step, value in enumerate(case.curve):
            spent[0] += 1
            trial.report(value, step)
            if step < STEPS - 1 and trial.should_prune():
                raise optuna.TrialPruned
        if spent[0] >= budget:
            trial.study.stop()
        return case.final

    study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.TPESampler(seed=seed))
    while spent[0] < budget:
        study.optimize(objective, n_trials=1)
    return float(study.best_value)


def second_table(quick: bool) -> str:
    seeds = range(1 if quick else 20)
    budget = STEPS * (3 if quick else PAID)
    ours = {
        "none": None,
        "median": "median",
        "asha": prune.Halving(eta=3, max_resource=STEPS),
        "hyperband": prune.Hyperband(max_resource=STEPS),
    }
    makers: dict[str, Callable[[str, int], float]] = {
        f"hpspace tpe, {name}": lambda family, seed, pruner=pruner: ours_with_tpe(
            family, seed, pruner, budget
        )
        for name, pruner in ours.items()
    }
    if "optuna" in installed() and not quick:
        from optuna import pruners

        theirs = {
            "none": lambda: pruners.NopPruner(),
            "median": lambda: pruners.MedianPruner(),
            "asha": lambda: pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
            "hyperband": lambda: pruners.HyperbandPruner(
                min_resource=1, max_resource=STEPS, reduction_factor=3
            ),
        }
        makers.update(
            {
                f"optuna tpe, {name}": lambda family, seed, make=make: optunas_with_tpe(
                    family, seed, make(), budget
                )
                for name, make in theirs.items()
            }
        )
    rows = [
        [name, *(f"{statistics.fmean(run(family, seed) for seed in seeds):.3f}" for family in FAMILIES)]
        for name, run in makers.items()
    ]
    return table(["search", *FAMILIES], rows)


def report(quick: bool = False) -> str:
    """Return both tables as Markdown."""
    libraries = ", ".join(f"{name} {version(name)}" for name in installed(("hpspace", "optuna")))
    same = f"The same {CONFIGURATIONS} configurations: steps spent, best kept, mean loss of final quality"
    own = f"Own TPE, a budget of {PAID} unpruned trainings: final loss of the best"
    return f"{libraries}\n\n{same}\n\n{first_table(quick)}\n\n{own}\n\n{second_table(quick)}"


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
