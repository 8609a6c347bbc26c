"""Compare algorithms on the synthetic families: normalised regret after 25, 50 and 100 trials.

usage::

    python tests/benchmarks/quality/run.py tpe atpe anneal --seeds 10 --workers 2
    python tests/benchmarks/quality/run.py tpe tpe:joint_weight=1 tpe:min_bandwidth=0.01 --families cond mixed

An algorithm is a registered name, with constructor arguments after a colon. Normalised regret is the noise-free
value of the incumbent (the best that was observed) divided by what random search reaches on the same instance after
the same number of trials: random search is 1, the optimum 0, values are cut at 3. Intervals are 95 % bootstrap
intervals of the difference to the first algorithm, over families and seeds (the same instances for all).
"""

# ruff: noqa: E402  (threads are limited before numpy is imported)
from __future__ import annotations

import argparse
import json
import os
import sys
import time
import zlib
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from problems import FAMILIES, Problem

from hpspace import compile_space
from hpspace.history import OK, History
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest import base

BUDGETS = (25, 50, 100)
CUT = 3.0


def algorithm(text: str) -> Any:
    """Make an algorithm from ``name`` or ``name:key=value,key=value``."""
    name, _, options = text.partition(":")
    made = base.get(name)
    given = dict(part.split("=") for part in options.split(",") if part)
    return type(made)(**{key: json.loads(value) for key, value in given.items()}) if given else made


def incumbents(
    problem: Problem, space: CompiledSpace, algo: Any, seed: int, trials: int
) -> tuple[list[float], float]:
    """Run one search; return the noise-free value of the incumbent after each trial, and seconds a proposal."""
    history = History(space)
    noise = np.random.default_rng([seed, 1])
    seen: list[float] = []
    true: list[float] = []
    best: list[float] = []
    spent = 0.0
    for trial in range(trials):
        start = time.process_time()
        batch = algo.propose(space, history, 1, np.random.default_rng([seed, 2, trial]))
        spent += time.process_time() - start
        if not len(batch):
            best += [best[-1]] * (trials - trial)
            break
        true.append(problem.value(space.config(batch.points()[0])))
        seen.append(true[-1] + problem.deviation(true[-1]) * float(noise.standard_normal()))
        best.append(true[int(np.argmin(seen))])
        history.append(batch.values, [seen[-1]], [OK])
    return best, spent / trials


def random_level(problem: Problem, space: CompiledSpace, seed: int, draws: int = 1500) -> dict[int, float]:
    """Return the expected incumbent of random search after each budget, from many draws."""
    rng = np.random.default_rng([seed, 3])
    true = np.array([problem.value(space.config(point)) for point in space.sample(rng, draws).points()])
    seen = true + np.array([problem.deviation(value) for value in true]) * rng.standard_normal(draws)
    by_rank = true[np.argsort(seen, kind="stable")]
    k = np.arange(draws + 1)
    levels = {}
    for n in BUDGETS:
        tail = (1 - k / draws) ** n  # probability that none of the k best is among n draws
        levels[n] = float((tail[:-1] - tail[1:]) @ by_rank)
    return levels


def one(job: tuple[str, str, int]) -> dict[str, Any]:
    """Run one algorithm on one instance."""
    family, text, seed = job
    problem = FAMILIES[family](np.random.default_rng([zlib.crc32(family.encode()), seed]))
    space = compile_space(problem.space)
    levels = random_level(problem, space, seed)
    best, seconds = incumbents(problem, space, algorithm(text), seed, max(BUDGETS))
    regret = {n: min(CUT, best[n - 1] / max(levels[n], 1e-12)) for n in BUDGETS}
    return {"family": family, "algo": text, "seed": seed, "regret": regret, "ms": 1e3 * seconds}


def table(rows: list[dict[str, Any]], algos: list[str]) -> str:
    """Return a markdown table: groups of families at the last budget, all families at every budget."""
    families = sorted({row["family"] for row in rows})
    groups = sorted({family.split("-")[0] for family in families})
    value = {(r["algo"], r["family"], r["seed"]): r for r in rows}
    seeds = sorted({row["seed"] for row in rows})

    def regrets(algo: str, n: int) -> np.ndarray:  # (families, seeds)
        return np.array([[value[algo, f, s]["regret"][n] for s in seeds] for f in families])

    last = max(BUDGETS)
    heads = [*groups, *(f"all@{n}" for n in BUDGETS), "log10", "difference [95 %]", "ms"]
    lines = ["| algorithm | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    first = regrets(algos[0], last)
    for algo in algos:
        final = regrets(algo, last)
        cells = [f"{final[[f.startswith(g + '-') for f in families]].mean():.3f}" for g in groups]
        cells += [f"{regrets(algo, n).mean():.3f}" for n in BUDGETS]
        cells.append(f"{np.log10(np.maximum(final, 1e-3)).mean():.2f}")
        low, high = bootstrap(final - first)
        cells.append(f"{(final - first).mean():+.3f} [{low:+.3f}, {high:+.3f}]")
        cells.append(f"{np.mean([r['ms'] for r in rows if r['algo'] == algo]):.2f}")
        lines.append(f"| {algo} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bootstrap(difference: np.ndarray, repeats: int = 2000) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (families, seeds), resampling both."""
    rng = np.random.default_rng(0)
    f, s = difference.shape
    rows = rng.integers(f, size=(repeats, f))
    means = np.array([difference[r][:, rng.integers(s, size=s)].mean() for r in rows])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Read the command line, run, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("algorithms", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--families", nargs="+", help="prefixes, such as cond")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--per-family", action="store_true")
    options = parser.parse_args()
    families = [f for f in FAMILIES if not options.families or f.startswith(tuple(options.families))]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    jobs = [(f, a, s) for f in families for a in options.algorithms for s in seeds]
    if options.workers > 1:
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(options.workers) as pool:
            rows = list(pool.map(one, jobs, chunksize=4))
    else:
        rows = [one(job) for job in jobs]
    print(table(rows, options.algorithms))
    if options.per_family:
        for family in families:
            mine = [r for r in rows if r["family"] == family]
            means = {
                a: np.mean([r["regret"][100] for r in mine if r["algo"] == a]) for a in options.algorithms
            }
            print(f"{family:22s} " + "  ".join(f"{m:.3f}" for m in means.values()))


if __name__ == "__main__":
    main()
