"""How much training does it take to find a configuration as good as a search without early stopping finds?

Trainings are simulated: five parameters, a branch among them, decide the final loss f of a configuration and the curve
that comes down to it over 81 epochs, ``f + a t^-b``. The faster half of the configurations is not the better one, so
curves cross. Families:

================  =================================================================================================
crossing          a and b depend on the configuration: large learning rates are fast
noisy             the same, with noise that shrinks with the epochs
misleading        before the last epoch the loss says nothing about f
================  =================================================================================================

What counts is epochs that were trained: hpspace's promotions go on from the checkpoint of the trial that they continue,
Optuna's trials run until their pruner stops them. A search's answer is, at any time, its best trial: of the most epochs
so far (hpspace), or that ran to the end (Optuna). The target is the median regret of hpspace's random search, every
training whole, after `PAID` trainings. A cell is the median over seeds of the epochs until a search's answer is, and
stays, at least as good, in whole trainings; then the median regret when `PAID` trainings are paid for.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from common import installed, table, version, wants_quick

from hpspace import asha, bohb, fmin, hp, hyperband

EPOCHS = 81
#: Whole trainings that a search may spend.
PAID = 40
FAMILIES = ("crossing", "noisy", "misleading")
NAMES = ("rate", "width", "dropout", "decay")

#: Epochs spent, and the regret of the answer from then on.
Story = list[tuple[int, float]]


class Landscape:
    """One family with one seed.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    seed : int
        Where the optimum is, and what the noise is.
    """

    def __init__(self, family: str, seed: int) -> None:
        rng = np.random.default_rng([seed, 77])
        self.family, self.seed = family, seed
        self.best, self.weights = rng.uniform(0.2, 0.8, 5), np.exp(rng.normal(0, 0.7, 5))
        self.adam_is_best = bool(rng.integers(2))
        self.floor = self._lowest(rng)

    def final(self, u: np.ndarray, adam: Any) -> np.ndarray:
        """Return the loss after all epochs of configurations (..., 5)."""
        d = u - self.best
        lost = np.where(np.asarray(adam) == self.adam_is_best, 0.0, 0.08)
        bowl = (self.weights * d * d).sum(axis=-1) + 0.02 * (1 - np.cos(9 * d)).sum(axis=-1)
        return np.asarray(bowl + lost + self._distance_to_go(u, EPOCHS))

    def loss(self, u: np.ndarray, adam: bool, epoch: int) -> float:
        """Return what a training shows after some epochs."""
        if self.family == "misleading" and epoch < EPOCHS:
            return float(abs(np.sin(43 * (u @ np.array([13.0, 78.0, 38.0, 93.0, 11.0])))))
        shown = self.final(u, adam) - self._distance_to_go(u, EPOCHS) + self._distance_to_go(u, epoch)
        if self.family == "noisy":
            own = np.random.default_rng([self.seed, epoch, int(1e9 * u[0])])
            shown = shown + 0.1 * own.normal() * epoch**-0.5
        return float(shown)

    def regret(self, u: np.ndarray, adam: bool) -> float:
        return float(self.final(u, adam)) - self.floor

    @staticmethod
    def _distance_to_go(u: np.ndarray, epoch: int) -> np.ndarray:
        return np.asarray((0.4 + 0.8 * u[..., 1]) * float(epoch) ** -(0.35 + 1.1 * u[..., 0]))

    def _lowest(self, rng: np.random.Generator) -> float:
        """Return the lowest final loss: the best of many draws, walked downhill."""
        self.floor = 0.0
        draws = rng.random((100_000, 5))
        u = draws[np.argmin(self.final(draws, self.adam_is_best))]
        for step in np.geomspace(0.1, 1e-4, 2000):
            near = np.clip(u + step * rng.normal(size=5), 0, 1)
            u = near if self.final(near, self.adam_is_best) < self.final(u, self.adam_is_best) else u
        return float(self.final(u, self.adam_is_best))


SPACE = {
    **{name: hp.uniform(name, 0, 1) for name in NAMES},
    "optimizer": hp.choice("optimizer", ["sgd", {"beta": hp.uniform("beta", 0, 1)}]),
    "epochs": hp.fidelity("epochs", 1, EPOCHS),
}


def ours(algo: Any, land: Landscape, budget: int) -> Story:
    """Run a search of hpspace."""
    spent, answers = [0], []
    story: Story = []

    def objective(config: dict[str, Any], ctrl: Any) -> float:
        adam = isinstance(config["optimizer"], dict)
        u = np.array([*(config[k] for k in NAMES), config["optimizer"]["beta"] if adam else 0.5])
        loss = land.loss(u, adam, config["epochs"])
        spent[0] += config["epochs"] - ctrl.attachments.get("trained", 0)
        ctrl.attachments["trained"] = config["epochs"]
        answers.append((-config["epochs"], loss, land.regret(u, adam)))
        answers[:] = [min(answers)]
        story.append((spent[0], answers[0][2]))
        return loss

    def over(trials: Any, *args: Any) -> tuple[bool, list[Any]]:
        return spent[0] >= budget, []

    fmin(objective, SPACE, algo, rstate=land.seed, verbose=False, early_stop_fn=over)
    return story


def optunas(sampler: str, pruner: str, land: Landscape, budget: int) -> Story:
    """Run a search of Optuna, with a pruner that is asked where hpspace has its rungs and at every other epoch too."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
    pruners = {
        "none": optuna.pruners.NopPruner,
        "asha": functools.partial(optuna.pruners.SuccessiveHalvingPruner, min_resource=1, reduction_factor=3),
        "hyperband": functools.partial(
            optuna.pruners.HyperbandPruner, min_resource=1, max_resource=EPOCHS, reduction_factor=3
        ),
    }
    spent, answers = [0], []
    story: Story = []

    def objective(trial: Any) -> float:
        u = [trial.suggest_float(name, 0, 1) for name in NAMES]
        adam = trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "adam"
        point = np.array([*u, trial.suggest_float("beta", 0, 1) if adam else 0.5])
        loss = 0.0
        for epoch in range(1, EPOCHS + 1):
            loss = land.loss(point, adam, epoch)
            spent[0] += 1
            trial.report(loss, epoch)
            if epoch < EPOCHS and trial.should_prune():
                raise optuna.TrialPruned
        answers.append((loss, land.regret(point, adam)))
        answers[:] = [min(answers)]
        return loss

    study = optuna.create_study(sampler=samplers[sampler](seed=land.seed), pruner=pruners[pruner]())
    while spent[0] < budget:
        study.optimize(objective, n_trials=1)
        if answers:
            story.append((spent[0], answers[0][1]))
    return story


def searches(quick: bool) -> dict[str, Callable[[Landscape, int], Story]]:
    of_ours = {
        "rand, whole": "rand",
        "tpe, whole": "tpe",
        "asha": "asha",
        "asha, algo=tpe": functools.partial(asha.suggest, algo="tpe"),
        "hyperband": "hyperband",
        "hyperband, algo=tpe": functools.partial(hyperband.suggest, algo="tpe"),
        "bohb": bohb.suggest,
    }
    made: dict[str, Callable[[Landscape, int], Story]] = {
        f"hpspace {name}": functools.partial(ours, algo) for name, algo in of_ours.items()
    }
    if "optuna" in installed() and not quick:
        for sampler in ("random", "tpe"):
            for pruner in ("none", "asha", "hyperband"):
                made[f"optuna {sampler}, {pruner}"] = functools.partial(optunas, sampler, pruner)
    return made


def regret_at(story: Story, spent: float) -> float:
    """Return the regret of the answer when so much is spent; infinite while there is none."""
    return next((regret for at, regret in reversed(story) if at <= spent), float("inf"))


def spent_until(story: Story, target: float) -> float:
    """Return the epochs after which every answer is as good as the target; infinite if that never came."""
    reached = float("inf")
    for at, regret in reversed(story):
        if regret > target:
            break
        reached = at
    return reached


def report(quick: bool = False) -> str:
    """Return the table as Markdown."""
    seeds, paid = range(2 if quick else 10), 6 if quick else PAID
    lands = {family: [Landscape(family, seed) for seed in seeds] for family in FAMILIES}
    stories = {
        name: {family: [run(land, paid * EPOCHS) for land in lands[family]] for family in FAMILIES}
        for name, run in searches(quick).items()
    }
    whole = stories["hpspace rand, whole"]
    target = {f: statistics.median(regret_at(s, paid * EPOCHS) for s in whole[f]) for f in FAMILIES}
    rows = []
    for name, told in stories.items():
        row = [name]
        for family in FAMILIES:
            needed = statistics.median(spent_until(s, target[family]) for s in told[family]) / EPOCHS
            left = statistics.median(regret_at(s, paid * EPOCHS) for s in told[family])
            row.append(f"{needed:.1f}, {left:.4f}" if needed < float("inf") else f"> {paid}, {left:.4f}")
        rows.append(row)
    libraries = ", ".join(f"{name} {version(name)}" for name in installed(("hpspace", "optuna")))
    text = f"Whole trainings until as good as {paid} random ones; regret after {paid}. Medians of {len(seeds)} seeds."
    return f"{libraries}\n\n{text}\n\n{table(['search', *FAMILIES], rows)}"


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
