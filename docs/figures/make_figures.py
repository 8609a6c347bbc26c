"""The figures of "How tpe and atpe propose", from real searches.

usage::

    python docs/figures/make_figures.py          # measure (a minute or two), keep the numbers, draw
    python docs/figures/make_figures.py --draw   # draw the numbers that are kept

What is plotted is kept in ``figures.json``, and a test repeats a part of the searches to see that the numbers are those
of the present algorithms. Seeds are fixed, and drawing the same numbers gives the same files.
"""

# ruff: noqa: E402  (threads are limited before numpy is imported)
from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np

from hpspace import Trials, compile_space, fmin, hp, tpe
from hpspace.history import OK, History
from hpspace.suggest import base
from hpspace.suggest.atpe.algorithm import ATPE, fitted
from hpspace.suggest.tpe.algorithm import TPE

HERE = Path(__file__).parent
KEPT = HERE / "figures.json"

ALGORITHMS = ["rand", "tpe-hyperopt03", "tpe-optuna5", "tpe", "atpe"]
COLOURS = {
    "rand": "#999999",
    "tpe-hyperopt03": "#e69f00",
    "tpe-optuna5": "#56b4e9",
    "tpe": "#0072b2",
    "atpe": "#d55e00",
    "good": "#0072b2",
    "bad": "#d55e00",
}
TRIALS = 100
SEEDS = 20


# ---------------------------------------------------------------- problems


@dataclass
class Problem:
    """A space, and the loss of a point (label -> raw value); the least loss is `least`."""

    space: Any
    loss: Callable[[dict[str, Any]], float]
    least: float = 0.0


def one_rate(seed: int = 0) -> Problem:
    """A learning rate with a good and a better value, and a momentum that matters less."""
    space = {"lr": hp.loguniform("lr", math.log(1e-5), 0.0), "momentum": hp.uniform("momentum", 0, 1)}

    def loss(p: dict[str, Any]) -> float:
        x = math.log10(p["lr"])
        dips = 0.6 * math.exp(-2 * (x + 2.2) ** 2) + 0.4 * math.exp(-2 * (x + 4) ** 2)
        return 1.0 - dips + 0.1 * (p["momentum"] - 0.8) ** 2

    return Problem(space, loss)


def shared_rate(seed: int) -> Problem:
    """Four arms share a rate. The best, arm 0, wants an unusual one and is bad elsewhere; the others end at 0.1."""
    rng = np.random.default_rng([seed, 8])
    wants, floor, steep = [float(rng.uniform(0.35, 0.65))] * 4, [0.1] * 4, [0.5] * 4
    wants[0], floor[0], steep[0] = float(rng.choice([0.1, 0.9])), 0.0, 6.0
    space = {"arm": hp.choice("arm", list("abcd")), "rate": hp.loguniform("rate", math.log(1e-5), 0.0)}

    def loss(p: dict[str, Any]) -> float:
        arm, u = p["arm"], math.log10(p["rate"]) / 5 + 1
        return floor[arm] + min(steep[arm] * (u - wants[arm]) ** 2, 0.8)

    return Problem(space, loss)


def valley(seed: int) -> Problem:
    """A curved valley in five numbers, moved at random."""
    shift = np.random.default_rng([seed, 1]).uniform(-1, 1, 5)
    space = [hp.uniform(f"x{i}", -2, 2) for i in range(5)]

    def loss(p: dict[str, Any]) -> float:
        y = 1 + 0.5 * (np.array([p[f"x{i}"] for i in range(5)]) - shift)
        return float((30 * (y[1:] - y[:-1] ** 2) ** 2 + (1 - y[:-1]) ** 2).sum())

    return Problem(space, loss)


def models(seed: int) -> Problem:
    """Three models with parameters of their own; which is best depends on how well it is tuned."""
    rng = np.random.default_rng([seed, 2])
    floor, at = rng.permutation([0.0, 0.15, 0.3]), rng.uniform(0.2, 0.8, (3, 4))
    space = hp.choice("model", [[hp.uniform(f"{'abc'[k]}{i}", 0, 1) for i in range(k + 2)] for k in range(3)])

    def loss(p: dict[str, Any]) -> float:
        k = p["model"]
        z = np.array([p[f"{'abc'[k]}{i}"] for i in range(k + 2)]) - at[k, : k + 2]
        return float(floor[k] + 2.5 * (z @ z))

    return Problem(space, loss)


def search(algorithm: Any, problem: Problem, trials: int, seed: int) -> Iterable[History]:
    """Yield the history of a search after every trial; its space is compiled here."""
    space = compile_space(problem.space)
    history = History(space)
    for trial in range(trials):
        batch = algorithm.propose(space, history, 1, np.random.default_rng([seed, trial]))
        history.append(batch.values, [problem.loss(batch.points()[0])], [OK])
        yield history


def whole(algorithm: Any, problem: Problem, trials: int, seed: int) -> History:
    *_, history = search(algorithm, problem, trials, seed)
    return history


# ---------------------------------------------------------------- what is measured


def densities() -> dict[str, Any]:
    """One search of 30 trials, and what tpe makes of it for the next: trials, both densities, candidates."""
    problem, trials = one_rate(), Trials()
    fmin(problem.loss, problem.space, max_evals=31, trials=trials, rstate=4, show_progressbar=False)
    why = tpe.explain(problem.space, trials)
    curve = why.curve("lr", points=120)
    space, history = compile_space(problem.space), trials.history(compile_space(problem.space))
    before = History(space)
    before.append(history.values[:30], history.losses[:30], [OK] * 30)
    good, _ = TPE().densities(space, before)
    candidates = TPE().candidates(TPE().trend(space, before))
    drawn = space.decode(good.sample(np.random.default_rng(0), candidates))
    scores = TPE().explain(space, before, drawn).score
    column = space.index["lr"]
    return {
        "lr": numbers(history.values[:30, column]),
        "loss": numbers(history.losses[:30]),
        "good": [int(tid) for tid in why.good],
        "grid": numbers(curve.values),
        "l": numbers(curve.good),
        "g": numbers(curve.bad),
        "candidates": numbers(drawn[:, column]),
        "scores": numbers(scores),
    }


ARM_SEEDS = 40


def arm_algorithms() -> dict[str, Any]:
    return {
        "tpe": TPE(),
        "tpe, explore_options=0": TPE(explore_options=0),
        "tpe-optuna5": base.get("tpe-optuna5"),
    }


def arms(seeds: int = ARM_SEEDS) -> dict[str, Any]:
    """Which arm each trial took, a line of digits a search: 0 is the best arm."""
    taken = {}
    for name, algorithm in arm_algorithms().items():
        histories = [whole(algorithm, shared_rate(seed), TRIALS, seed) for seed in range(seeds)]
        column = histories[0].space.index["arm"]
        taken[name] = ["".join(str(int(code)) for code in h.values[:, column]) for h in histories]
    return taken


def best_losses(name: str, problem: Callable[[int], Problem], seeds: int) -> np.ndarray:
    """The best loss after each trial of some searches, shape (seeds, trials)."""
    return np.array(
        [
            np.minimum.accumulate(whole(base.get(name), problem(seed), TRIALS, seed).losses)
            for seed in range(seeds)
        ]
    )


def regrets() -> dict[str, Any]:
    """Quartiles of the best loss after every second trial, and the last ones of each search."""
    found: dict[str, Any] = {}
    for problem in (valley, models):
        best = {name: best_losses(name, problem, SEEDS) for name in ALGORITHMS}
        found[problem.__name__] = {
            name: {
                "quartiles": [numbers(row) for row in np.quantile(runs, [0.25, 0.5, 0.75], axis=0)[:, 1::2]],
                "ends": numbers(runs[:, -1]),
            }
            for name, runs in best.items()
        }
    return found


def shares(seeds: int = 6) -> dict[str, Any]:
    """The probability that atpe's next proposal comes from its process, after every fourth trial."""
    found: dict[str, Any] = {}
    for problem in (valley, noisy_models, hopeless):
        found[problem.__name__] = [
            [
                round(ATPE().share(fitted(history.space, history)), 3)
                for history in search(ATPE(), problem(seed), TRIALS, seed)
                if len(history) >= ATPE.n_startup_jobs and len(history) % 4 == 0
            ]
            for seed in range(seeds)
        ]
    return found


def noisy_models(seed: int) -> Problem:
    """The tree, its losses observed with noise."""
    rng, quiet = np.random.default_rng([seed, 4]), models(seed)
    return Problem(quiet.space, lambda p: quiet.loss(p) + float(rng.normal(0, 0.3)))


def hopeless(seed: int) -> Problem:
    """Pure noise."""
    rng = np.random.default_rng([seed, 3])
    return Problem([hp.uniform(f"x{i}", 0, 1) for i in range(5)], lambda p: float(rng.normal()))


def numbers(values: Any) -> list[float]:
    """Return values with six digits, for the file."""
    return [float(f"{value:.6g}") for value in values]


def measure() -> dict[str, Any]:
    return {"densities": densities(), "arms": arms(), "regrets": regrets(), "shares": shares()}


def write(kept: dict[str, Any]) -> None:
    """Write the numbers, one list a line."""
    text = json.dumps(kept, indent=1)
    compact: list[str] = []
    for line in text.splitlines():  # join the elements of innermost lists
        element = line.strip().rstrip(",")
        if compact and _is_number(element) and (compact[-1].endswith("[") or compact[-1].endswith(", ")):
            compact[-1] += line.strip() + (" " if line.endswith(",") else "")
        elif compact and element == "]" and compact[-1][-1:].isdigit():
            compact[-1] += line.strip()
        else:
            compact.append(line)
    KEPT.write_text("\n".join(compact) + "\n")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------- drawing


def fingerprint(data: Any) -> str:
    """Return a hash of a figure's numbers, which its file carries."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def draw(kept: dict[str, Any], folder: Path = HERE) -> None:
    """Draw every figure into a folder."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style = {
        "svg.hashsalt": "hpspace",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.constrained_layout.use": True,
        "path.simplify_threshold": 0.5,
    }
    figures = {
        "densities": draw_densities,
        "arms": draw_arms,
        "regrets": draw_regrets,
        "shares": draw_shares,
    }
    with matplotlib.rc_context(style):
        for name, function in figures.items():
            figure = function(plt, kept[name])
            about = {"Date": None, "Creator": None, "Description": fingerprint(kept[name])}
            figure.savefig(folder / f"{name}.svg", metadata=about)
            plt.close(figure)


def draw_densities(plt: Any, data: dict[str, Any]) -> Any:
    figure, (above, middle, below) = plt.subplots(
        3, 1, sharex=True, figsize=(6.4, 5.4), height_ratios=[3, 3, 2]
    )
    x, loss = np.array(data["lr"]), np.array(data["loss"])
    good = np.zeros(len(x), dtype=bool)
    good[data["good"]] = True
    above.scatter(x[~good], loss[~good], s=16, color=COLOURS["bad"], label="bad trials")
    above.scatter(x[good], loss[good], s=24, color=COLOURS["good"], label="good trials")
    above.set_ylabel("loss")
    above.legend(frameon=False)
    grid, inside, outside = (np.array(data[key]) for key in ("grid", "l", "g"))
    middle.plot(grid, inside, color=COLOURS["good"], label="$l$, density of the good trials")
    middle.plot(grid, outside, color=COLOURS["bad"], label="$g$, density of the bad trials")
    middle.axhline(1.0, color="#999999", linewidth=0.8, linestyle=":")
    middle.set_ylabel("density relative\nto the declared one")
    middle.set_ylim(bottom=0)
    middle.legend(frameon=False)
    scores = np.array(data["scores"])
    best = int(scores.argmax())
    floor = max(scores.min(), scores[best] - 15)  # hopeless candidates are drawn no lower
    below.vlines(data["candidates"], floor, np.maximum(scores, floor), color=COLOURS["good"], linewidth=1)
    below.plot(data["candidates"][best], scores[best], "o", color="black", markersize=5, label="proposed")
    below.set_ylabel("score of the\ncandidates")
    below.set_xlabel("learning rate")
    below.set_xscale("log")
    below.legend(frameon=False)
    return figure


def draw_arms(plt: Any, data: dict[str, Any]) -> Any:
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    colours = (COLOURS["tpe"], "#cc79a7", COLOURS["tpe-optuna5"])
    for colour, (name, runs) in zip(colours, data.items()):
        taken = np.array([[int(code) for code in run] for run in runs], dtype=int) == 0  # (runs, trials)
        share = np.convolve(taken.mean(axis=0), np.full(10, 0.1), "valid")
        axes.plot(np.arange(10, taken.shape[1] + 1), share, color=colour, label=name)
    axes.set(xlabel="trial", ylabel="searches that try the best of 4 arms", ylim=(0, 1))
    axes.legend(frameon=False, loc="lower right")
    return figure


def draw_regrets(plt: Any, data: dict[str, Any]) -> Any:
    figure, panels = plt.subplots(1, len(data), figsize=(7.6, 3.4))
    titles = {"valley": "a curved valley in five numbers", "models": "three models, a tree"}
    for axes, (problem, runs) in zip(panels, data.items()):
        for name in ALGORITHMS:
            low, median, high = np.array(runs[name]["quartiles"])
            trial = np.arange(2, TRIALS + 1, 2)
            axes.plot(trial, median, color=COLOURS[name], label=name, linewidth=1.4)
            if name in ("rand", "tpe", "atpe"):
                axes.fill_between(trial, low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
        axes.set(yscale="log", xlabel="trial", title=titles[problem])
    panels[0].set_ylabel("best loss above the optimum")
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def draw_shares(plt: Any, data: dict[str, Any]) -> Any:
    figure, axes = plt.subplots(figsize=(6.4, 3.0))
    titles = {"valley": "a curved valley", "noisy_models": "a noisy tree", "hopeless": "pure noise"}
    for colour, (problem, runs) in zip((COLOURS["tpe"], COLOURS["atpe"], COLOURS["rand"]), data.items()):
        values = np.array(runs)
        trial = np.arange(TRIALS - 4 * values.shape[1] + 4, TRIALS + 1, 4)
        axes.plot(trial, values.T, color=colour, linewidth=0.5, alpha=0.4)
        axes.plot(trial, values.mean(axis=0), color=colour, linewidth=1.8, label=titles[problem])
    axes.set(xlabel="trial", ylabel="share of the process", ylim=(0, 1))
    axes.legend(frameon=False, ncols=3)
    return figure


def main() -> None:
    """Measure and draw, or only draw."""
    if "--draw" not in sys.argv:
        write(measure())
    draw(json.loads(KEPT.read_text()))


if __name__ == "__main__":
    main()
