"""How long 1,000 draws take: of a large conditional space, 250 parameters, half of them under a choice.

The same space is built with the same calls in both libraries. Three stages are timed apart: preparing the
space (`compile_space`; Hyperopt: `Domain`), drawing columns (`sample`; Hyperopt: `rand.suggest_batch`), and
drawing them as trial documents (`rand.suggest` in both).

And of a flat space of 20 parameters: what random search proposes in one batch, beside the uniform numbers from which it
is computed, drawn by numpy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from common import installed, medians, milliseconds, ratio, table, wants_quick
from suggestion_time import declared_space


def block(hp: Any, i: int) -> dict[str, Any]:
    """Make ten parameters: five that always exist, and a choice with four in its branches."""
    return {
        "rate": hp.loguniform(f"rate{i}", -7, 0),
        "drop": hp.uniform(f"drop{i}", 0, 0.5),
        "units": hp.quniform(f"units{i}", 8, 512, 8),
        "layers": hp.randint(f"layers{i}", 1, 9),
        "scale": hp.normal(f"scale{i}", 0, 1),
        "kind": hp.choice(
            f"kind{i}",
            [
                {"name": "plain"},
                {"name": "one", "a": hp.uniform(f"a{i}", -1, 1), "b": hp.lognormal(f"b{i}", 0, 1)},
                {"name": "two", "c": hp.choice(f"c{i}", ["x", "y", hp.qnormal(f"d{i}", 0, 10, 1)])},
            ],
        ),
    }


def build(hp: Any, blocks: int) -> list[dict[str, Any]]:
    return [block(hp, i) for i in range(blocks)]


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def loss(config: Any) -> float:
    return 0.0


Stages = dict[str, Callable[[], Any]]


def hpspace_stages(blocks: int, rows: int) -> Stages:
    import hpspace
    from hpspace import rand

    space = hpspace.compile_space(build(hpspace.hp, blocks))
    domain = hpspace.Domain(loss, build(hpspace.hp, blocks))
    assert len(space) == 10 * blocks
    return {
        "prepare the space": lambda: hpspace.compile_space(build(hpspace.hp, blocks)),
        "draw": lambda: space.sample(np.random.default_rng(1), rows),
        "draw as documents": lambda: rand.suggest(list(range(rows)), domain, hpspace.Trials(), 1),
    }


def hyperopt_stages(blocks: int, rows: int) -> Stages:
    import hyperopt
    from hyperopt import rand

    domain = hyperopt.Domain(loss, build(hyperopt.hp, blocks))
    ids = list(range(rows))
    assert len(domain.params) == 10 * blocks
    return {
        "prepare the space": lambda: hyperopt.Domain(loss, build(hyperopt.hp, blocks)),
        "draw": lambda: rand.suggest_batch(ids, domain, hyperopt.Trials(), 1),
        "draw as documents": lambda: rand.suggest(ids, domain, hyperopt.Trials(), 1),
    }


def report(quick: bool) -> str:
    return f"{conditional(quick)}\n\n{batch(quick)}"


def batch(quick: bool) -> str:
    """Return a table of one batch of random search."""
    import hpspace
    from hpspace.history import History
    from hpspace.suggest.random import Random

    rows, rounds = (10, 1) if quick else (1000, 200)
    space = hpspace.compile_space(declared_space(hpspace.hp, "flat20"))
    rng, history = np.random.default_rng(1), History(space)
    tasks = {
        "numpy: uniform numbers": lambda: rng.random((rows, len(space))),
        "hpspace: what `rand` proposes": lambda: Random().propose(space, history, rows, rng),
    }
    seconds = medians({name: partial(timed, task) for name, task in tasks.items()}, rounds)
    base = seconds["numpy: uniform numbers"]
    lines = [[name, milliseconds(median), ratio(median, base)] for name, median in seconds.items()]
    return table([f"{len(space)} parameters, {rows:,} rows", "median", "× numpy"], lines)


def conditional(quick: bool) -> str:
    """Return the table of the large space."""
    blocks, rows, rounds = (3, 10, 1) if quick else (25, 1000, 3)
    makers = {"hpspace": hpspace_stages, "hyperopt": hyperopt_stages}
    tasks = {name: makers[name](blocks, rows) for name in installed(list(makers))}
    lines = []
    for stage in tasks["hpspace"]:
        seconds = medians({name: partial(timed, stages[stage]) for name, stages in tasks.items()}, rounds)
        ours, theirs = seconds["hpspace"], seconds.get("hyperopt")
        lines.append([stage, milliseconds(ours), milliseconds(theirs), ratio(theirs, ours)])
    corner = f"{10 * blocks} parameters, {rows:,} rows"
    return table([corner, "hpspace", "hyperopt", "hyperopt ÷ hpspace"], lines)


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
