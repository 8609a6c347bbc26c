"""What the released algorithms find on twelve synthetic families: measured here, kept in ``data/quality.json``.

usage::

    python tests/suggest/quality.py            # compare what the algorithms do now with what is kept
    python tests/suggest/quality.py --write    # keep what they do now: with a new version of an algorithm only

The families are those of ``tests/benchmarks/quality/problems.py``; 60 trials, the noise-free value of the incumbent.
The test that reads this is ``test_quality.py``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
from scipy import stats

from hpspace import compile_space
from hpspace.history import OK, History
from hpspace.suggest import base

KEPT = Path(__file__).parent / "data" / "quality.json"
TRIALS = 60

#: Algorithm -> number of instances of each family.
SEEDS = {"tpe": 12, "atpe": 3}

FAMILIES = [
    "cont-sphere5",
    "cont-ellipsoid8",
    "cont-rosenbrock5",
    "cont-ackley10",
    "cont-peaks5",
    "hpo-learner8",
    "mixed-3-3-3",
    "mixed-2-2-5-joint",
    "table-4x6",
    "cond-models",
    "cond-layers",
    "cond-optimizer",
]


def _problems() -> ModuleType:
    path = Path(__file__).parent.parent / "benchmarks" / "quality" / "problems.py"
    spec = importlib.util.spec_from_file_location("quality_problems", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def regrets(name: str) -> dict[str, list[float]]:
    """Return what an algorithm leaves on every instance: the distance of its incumbent to the optimum, which is 0."""
    problems = _problems()
    found = {}
    for family in FAMILIES:
        makers = [np.random.default_rng([zlib.crc32(family.encode()), seed]) for seed in range(SEEDS[name])]
        found[family] = [
            regret(name, problems.FAMILIES[family](rng), seed) for seed, rng in enumerate(makers)
        ]
    return found


def regret(name: str, problem: object, seed: int) -> float:
    """Return the value of the best of 60 trials of one search."""
    space, algorithm = compile_space(problem.space), base.get(name)
    history = History(space)
    for trial in range(TRIALS):
        batch = algorithm.propose(space, history, 1, np.random.default_rng([seed, trial]))
        history.append(batch.values, [problem.value(space.config(batch.points()[0]))], [OK])
    return float(f"{history.losses.min():.6g}")


def kept() -> dict[str, dict[str, list[float]]]:
    """Return what the released algorithms left, by algorithm and family."""
    return json.loads(KEPT.read_text())


def differences(now: dict[str, list[float]], before: dict[str, list[float]]) -> np.ndarray:
    """Return log10 of the regrets now over those before, instance by instance; regrets below 1e-4 are alike."""
    pairs = [(np.maximum(now[family], 1e-4), np.maximum(before[family], 1e-4)) for family in FAMILIES]
    return np.concatenate([np.log10(ours / theirs) for ours, theirs in pairs])


def worse(difference: np.ndarray) -> float:
    """Return the p-value of signed ranks that what is found now is worse; 1 where nothing differs."""
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference, alternative="greater", zero_method="zsplit").pvalue)


def main() -> None:
    """Measure; then write, or compare."""
    measured = {name: regrets(name) for name in SEEDS}
    if "--write" in sys.argv:
        KEPT.parent.mkdir(exist_ok=True)
        lines = [f'  "{name}": {{\n' + _families(measured[name]) + "\n  }" for name in measured]
        KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for name, now in measured.items():
        difference = differences(now, kept()[name])
        sys.stdout.write(
            f"{name}: log10 ratio {difference.mean():+.3f}, worse with p = {worse(difference):.2g}\n"
        )


def _families(found: dict[str, list[float]]) -> str:
    return ",\n".join(f'    "{family}": {json.dumps(values)}' for family, values in found.items())


if __name__ == "__main__":
    main()
