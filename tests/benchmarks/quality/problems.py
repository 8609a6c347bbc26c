"""Synthetic problems for comparing algorithms: every seed draws a new instance of a family.

An instance is a search space and a function of the configuration whose minimum is known to be 0 (tables: found by
looking). Optima are moved, rotated and permuted at random, so that no algorithm profits from where they happen to
lie. Written from textbook formulas; nothing here is taken from the problems of a published benchmark.

`FAMILIES` maps a name to ``make(rng) -> Problem``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from hpspace import hp

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """A space and what is minimised over it.

    Parameters
    ----------
    space : object
        As given to `compile_space`.
    value : callable
        ``value(config) -> float``, noise-free, at least 0.
    noise : float
        Standard deviation of the noise that the algorithm sees.
    unsteady : bool
        Whether the noise's standard deviation is `noise` times ``1 + 4 value / (1 + value)``: little at the optimum.
    """

    space: Any
    value: Callable[[Config], float]
    noise: float = 0.0
    unsteady: bool = False

    def deviation(self, value: float) -> float:
        """Return the standard deviation of the noise where the noise-free value is `value`."""
        return self.noise * (1 + 4 * value / (1 + value)) if self.unsteady else self.noise


def _rotation(rng: Generator, d: int) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def _box(d: int) -> dict[str, Any]:
    return {f"x{i}": hp.uniform(f"x{i}", -5, 5) for i in range(d)}


def _vector(config: Config, d: int) -> np.ndarray:
    return np.array([config[f"x{i}"] for i in range(d)])


def _continuous(d: int, shape: Callable[[np.ndarray], float], rotate: bool = False, reach: float = 4.0):
    """A function of the rotated distance from a random optimum."""

    def make(rng: Generator) -> Problem:
        optimum = rng.uniform(-reach, reach, d)
        turn = _rotation(rng, d) if rotate else np.eye(d)[rng.permutation(d)]
        return Problem(_box(d), lambda c: shape(turn @ (_vector(c, d) - optimum)))

    return make


def sphere(z: np.ndarray) -> float:
    return float(z @ z)


def ellipsoid(z: np.ndarray) -> float:
    return float((1e4 ** (np.arange(len(z)) / (len(z) - 1))) @ (z * z))


def ackley(z: np.ndarray) -> float:
    smooth = 20 - 20 * math.exp(-0.2 * math.sqrt(float(z @ z) / len(z)))
    return smooth + math.e - math.exp(float(np.cos(2 * np.pi * z).mean()))


def rastrigin(z: np.ndarray) -> float:
    return float((z * z + 5 * (1 - np.cos(2 * np.pi * z))).sum())


def rosenbrock(z: np.ndarray) -> float:
    y = 1 + 0.4 * z
    return float((100 * (y[1:] - y[:-1] ** 2) ** 2 + (1 - y[:-1]) ** 2).sum())


def levy(z: np.ndarray) -> float:
    w = 1 + z / 4
    middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)
    ends = np.sin(np.pi * w[0]) ** 2 + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return float(middle.sum() + ends)


def absolute(z: np.ndarray) -> float:
    return float(np.abs(z).sum())


def peaks(rng: Generator) -> Problem:
    """Fifteen valleys of random place, depth and shape in five dimensions; one is deepest."""
    d, n = 5, 15
    centres = rng.uniform(-4.5, 4.5, (n, d))
    depth = np.concatenate([[10.0], rng.uniform(2, 9, n - 1)])
    width = rng.uniform(0.3, 2.0, (n, d))

    def value(config: Config) -> float:
        z = _vector(config, d) - centres
        return float(10 - (depth * np.exp(-(width * z * z).sum(axis=1) / (2 * d))).max())

    return Problem(_box(d), value)


def learner(d: int, important: int):
    """Like tuning a learner: logarithmic ranges, few parameters that matter, and a cliff of divergence."""

    def make(rng: Generator) -> Problem:
        names = [f"x{i}" for i in range(d)]
        space = {name: hp.float(name, 1e-6, 1.0, log=True) for name in names}
        matters = rng.permutation(d)[:important]
        optimum = rng.uniform(0.15, 0.8, d)
        curve = rng.uniform(1.0, 4.0, d)
        pair = rng.uniform(-0.5, 0.5)

        def value(config: Config) -> float:
            u = np.array([math.log(config[name]) / math.log(1e6) + 1 for name in names])
            z = (u - optimum)[matters]
            loss = (
                float((curve[matters] * z * z).sum())
                + pair * float(z[0] * z[1])
                + 0.005 * float(((u - optimum) ** 2).sum())
            )
            return max(loss, 0.0) + (2.0 if z[0] > 0.2 else 0.0)

        return Problem(space, value)

    return make


def mixed(reals: int, ints: int, cats: int, joint: bool = False):
    """Numbers, integers and categories; with `joint` a category moves the optimum of a number."""

    def make(rng: Generator) -> Problem:
        space: dict[str, Any] = {f"x{i}": hp.uniform(f"x{i}", 0, 1) for i in range(reals)}
        space |= {f"i{i}": hp.int(f"i{i}", 0, 12) for i in range(ints)}
        space |= {f"c{i}": hp.choice(f"c{i}", list(range(4))) for i in range(cats)}
        optimum, whole = rng.uniform(0.1, 0.9, reals), rng.integers(1, 12, ints)
        cost = rng.uniform(0.1, 0.6, (cats, 4)) if cats else np.zeros((0, 4))
        best = rng.integers(4, size=cats)
        cost[np.arange(cats), best] = 0.0
        shift = rng.uniform(-0.4, 0.4, (max(cats, 1), 4))

        def value(config: Config) -> float:
            total = 0.0
            for i in range(reals):
                centre = optimum[i]
                if joint and cats:
                    j = i % cats
                    code = config[f"c{j}"]
                    centre = np.clip(centre + (shift[j, code] if code != best[j] else 0.0), 0, 1)
                total += 3 * (config[f"x{i}"] - centre) ** 2
            total += sum(((config[f"i{i}"] - whole[i]) / 12) ** 2 * 2 for i in range(ints))
            return float(total + sum(cost[j, config[f"c{j}"]] for j in range(cats)))

        return Problem(space, value)

    return make


def ackley_mixed(rng: Generator) -> Problem:
    """Ackley's function of five numbers and five integers."""
    optimum = np.concatenate([rng.uniform(-3, 3, 5), rng.integers(-3, 4, 5)])
    space = {f"x{i}": hp.uniform(f"x{i}", -5, 5) if i < 5 else hp.int(f"x{i}", -5, 5) for i in range(10)}
    return Problem(space, lambda c: ackley(_vector(c, 10) - optimum))


def table(levels: int, columns: int, ordered: bool):
    """A sum of main effects and pair interactions over a grid; its least value is found by looking."""

    def make(rng: Generator) -> Problem:
        build = hp.ordinal if ordered else hp.choice
        space = {f"c{i}": build(f"c{i}", list(range(levels))) for i in range(columns)}
        step = np.linspace(0, 1, levels)
        if ordered:
            main = np.array([(step - rng.uniform()) ** 2 * rng.uniform(0.3, 3) for _ in range(columns)])
            wave = [np.sin(np.pi * rng.uniform(0.5, 2) * step + rng.uniform(0, 6)) for _ in range(columns)]
            pairs = {
                (i, j): 0.4 * rng.normal() * np.outer(wave[i], wave[j])
                for i, j in itertools.combinations(range(columns), 2)
                if rng.random() < 0.5
            }
        else:
            main = rng.normal(size=(columns, levels))
            pairs = {
                (i, j): 0.7 * rng.normal(size=(levels, levels))
                for i, j in itertools.combinations(range(columns), 2)
                if rng.random() < 0.5
            }
        total = np.zeros((levels,) * columns)
        for i in range(columns):
            total += main[i].reshape([-1 if k == i else 1 for k in range(columns)])
        for (i, j), effect in pairs.items():
            total += effect.reshape([levels if k in (i, j) else 1 for k in range(columns)])
        total = np.exp(0.5 * (total - total.min())) - 1
        return Problem(space, lambda c: float(total[tuple(c[f"c{i}"] for i in range(columns))]))

    return make


def models(rng: Generator) -> Problem:
    """Three models with their own parameters; the best of them depends on how well it is tuned."""
    base = rng.permutation([0.0, 0.15, 0.3])
    a, b, c = rng.uniform(0.2, 0.8, 2), rng.uniform(0.2, 0.8, 3), rng.uniform(0.2, 0.8, 4)
    space = hp.choice(
        "model",
        [
            {"m": 0, "u": [hp.uniform(f"a{i}", 0, 1) for i in range(2)]},
            {"m": 1, "u": [hp.uniform(f"b{i}", 0, 1) for i in range(3)]},
            {"m": 2, "u": [hp.uniform(f"c{i}", 0, 1) for i in range(4)]},
        ],
    )

    def value(config: Config) -> float:
        z = np.array(config["u"]) - (a, b, c)[config["m"]]
        return float(base[config["m"]] + (2.0, 3.0, 2.0)[config["m"]] * (z @ z))

    return Problem(space, value)


def layers(rng: Generator) -> Problem:
    """One to four layers, each with a width, a dropout and an activation of its own; a shared learning rate."""
    best = int(rng.integers(1, 5))
    widths, drops = rng.uniform(0.2, 0.9, 4), rng.uniform(0.1, 0.5, 4)
    act, rate = rng.integers(3, size=4), rng.uniform(0.2, 0.8)
    lr = hp.float("lr", 1e-5, 1e-1, log=True)
    layer = [
        {
            "width": hp.int(f"w{i}", 16, 1024, log=True),
            "drop": hp.uniform(f"d{i}", 0, 0.6),
            "act": hp.choice(f"a{i}", [0, 1, 2]),
        }
        for i in range(4)
    ]
    space = {"lr": lr, "layers": hp.choice("depth", [layer[: k + 1] for k in range(4)])}

    def value(config: Config) -> float:
        parts = config["layers"]
        u = (math.log10(config["lr"]) + 5) / 4
        loss = 2 * (u - rate - 0.05 * (len(parts) - best)) ** 2 + 0.08 * abs(len(parts) - best)
        for i, part in enumerate(parts):
            w = math.log(part["width"] / 16) / math.log(64)
            loss += 0.5 * (w - widths[i]) ** 2 + (part["drop"] - drops[i]) ** 2
            loss += 0.05 * (part["act"] != act[i])
        return float(loss)

    return Problem(space, value)


def arms(n: int, narrow: float):
    """Several arms with two parameters each; the best arm has a narrow valley and looks bad on average."""

    def make(rng: Generator) -> Problem:
        best = int(rng.integers(n))
        centre = rng.uniform(0.2, 0.8, (n, 2))
        floor = rng.uniform(0.2, 0.5, n)
        floor[best] = 0.0
        space = hp.choice(
            "arm", [{"arm": k, "u": [hp.uniform(f"u{k}{i}", 0, 1) for i in range(2)]} for k in range(n)]
        )

        def value(config: Config) -> float:
            k = config["arm"]
            z = np.array(config["u"]) - centre[k]
            slope = narrow if k == best else 1.0
            return float(floor[k] + slope * math.sqrt(float(z @ z)) * 0.6)

        return Problem(space, value)

    return make


def optimizer(rng: Generator) -> Problem:
    """A learning rate shared by three optimizers, each of which wants another value of it."""
    wants, floor = rng.permutation([0.25, 0.5, 0.75]), rng.permutation([0.0, 0.05, 0.1])
    width = rng.uniform(20, 80, 3)
    lr = hp.float("lr", 1e-5, 1.0, log=True)
    space = {"opt": hp.choice("opt", [0, 1, 2]), "lr": lr, "decay": hp.uniform("decay", 0, 1)}
    aim = rng.uniform(0.2, 0.8)

    def value(config: Config) -> float:
        k = config["opt"]
        u = math.log10(config["lr"]) / 5 + 1
        return float(
            floor[k] + 1 - math.exp(-width[k] * (u - wants[k]) ** 2) + 0.3 * (config["decay"] - aim) ** 2
        )

    return Problem(space, value)


def waves(d: int):
    """A bowl with long, deep waves along every axis: far fewer valleys than Rastrigin's, and far apart."""

    def make(rng: Generator) -> Problem:
        optimum, length = rng.uniform(-4, 4, d), rng.uniform(2.5, 5.0, d)

        def value(config: Config) -> float:
            z = _vector(config, d) - optimum
            return float((0.08 * z * z + 1 - np.cos(2 * np.pi * z / length)).sum())

        return Problem(_box(d), value)

    return make


def rugged(d: int, levels: int, roughness: float):
    """Like the validation error of a learner on a grid: smooth effects, a collapse, and chance in every cell.

    Values between grid points are interpolated linearly, so that the best point is one of the grid.
    """

    def make(rng: Generator) -> Problem:
        axes = np.meshgrid(*[np.linspace(0, 1, levels)] * d, indexing="ij")
        optimum, weight = rng.uniform(0, 1, d), np.exp(rng.uniform(-4, 0, d))
        z = [axis - centre for axis, centre in zip(axes, optimum)]
        smooth = sum(w * part * part for w, part in zip(weight, z)) + rng.uniform(-1, 1) * z[0] * z[1]
        collapse = 0.6 / (1 + np.exp(-12 * (axes[0] + rng.uniform(-0.3, 0.3) * axes[1] - 0.75)))
        cells = smooth + collapse + roughness * rng.standard_normal(smooth.shape)
        cells -= cells.min()
        space = {f"x{i}": hp.float(f"x{i}", 1e-5, 1.0, log=True) for i in range(d)}

        def value(config: Config) -> float:
            at = [(1 + math.log10(config[f"x{i}"]) / 5) * (levels - 1) for i in range(d)]
            part = cells
            for position in at:
                low = min(max(int(position), 0), levels - 2)
                share = min(max(position - low, 0.0), 1.0)
                part = (1 - share) * part[low] + share * part[low + 1]
            return float(part)

        return Problem(space, value)

    return make


def noisy(
    make: Callable[[Generator], Problem], noise: float, unsteady: bool = False
) -> Callable[[Generator], Problem]:
    """Another problem whose losses are observed with noise; `unsteady`: more of it where losses are high."""

    def noisy_make(rng: Generator) -> Problem:
        problem = make(rng)
        return Problem(problem.space, problem.value, noise, unsteady)

    return noisy_make


FAMILIES: dict[str, Callable[[Generator], Problem]] = {
    "cont-sphere5": _continuous(5, sphere),
    "cont-ellipsoid8": _continuous(8, ellipsoid, rotate=True),
    "cont-rosenbrock5": _continuous(5, rosenbrock, reach=2.0),
    "cont-ackley10": _continuous(10, ackley),
    "cont-rastrigin5": _continuous(5, rastrigin),
    "cont-levy12": _continuous(12, levy),
    "cont-absolute15": _continuous(15, absolute, rotate=True),
    "cont-peaks5": peaks,
    "hpo-learner8": learner(8, 3),
    "hpo-learner4": learner(4, 3),
    "mixed-3-3-3": mixed(3, 3, 3),
    "mixed-2-2-5-joint": mixed(2, 2, 5, joint=True),
    "mixed-ackley": ackley_mixed,
    "table-8x4": table(8, 4, ordered=False),
    "table-4x6": table(4, 6, ordered=False),
    "table-10x5-ordered": table(10, 5, ordered=True),
    "cond-models": models,
    "cond-layers": layers,
    "cond-arms6": arms(6, 2.0),
    "cond-optimizer": optimizer,
    "noisy-sphere5": noisy(_continuous(5, sphere), 5.0),
    "noisy-learner4": noisy(learner(4, 3), 0.1),
    "noisy-models": noisy(models, 0.1),
    "cont-waves2": waves(2),
    "cont-waves4": waves(4),
    "hpo-rugged3": rugged(3, 10, 0.03),
    "hpo-rugged5": rugged(5, 6, 0.03),
    "noisy-rugged4": noisy(rugged(4, 8, 0.02), 0.06),
    "noisy-unsteady4": noisy(rugged(4, 8, 0.02), 0.04, unsteady=True),
    "noisy-peaks5": noisy(peaks, 1.0),
    "noisy-table4": noisy(table(6, 4, ordered=False), 0.5),
    "noisy-arms6": noisy(arms(6, 2.0), 0.1),
    "noisy-mixed": noisy(mixed(3, 3, 3), 0.2),
}
