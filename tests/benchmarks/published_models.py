"""Do ``tpe.hyperopt03`` and ``tpe.optuna5`` compute what Hyperopt 0.3 and Optuna 5 compute?

The same random histories go to both sides, and the log densities of the good and of the bad trials are compared at
random points: those of hpspace as its algorithms explain them, those of the libraries as their own functions return
them. A line per kind of parameter gives the largest deviation; rounding errors are expected, nothing else.

Both libraries sort places with `numpy.argsort`, which leaves equal places in any order and so gives tied trials each
other's bandwidths and weights; hpspace keeps the older trial first. For the comparison sorting is stable everywhere.
The libraries' functions are internal, and belong to the versions in ``requirements.txt``.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from common import installed, table, wants_quick

from hpspace import compile_space, hp
from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.suggest.tpe.published.hyperopt import Hyperopt03
from hpspace.suggest.tpe.published.optuna import Optuna5

HYPEROPT_KINDS: dict[str, tuple[Any, ...]] = {
    "uniform": (hp.uniform, -2, 5),
    "loguniform": (hp.loguniform, -7, 1),
    "normal": (hp.normal, 3, 2),
    "lognormal": (hp.lognormal, 0, 1.5),
    "quniform": (hp.quniform, 0.3, 9, 2),
    "qloguniform": (hp.qloguniform, -1, 4, 1),
    "qnormal": (hp.qnormal, 0, 5, 1),
    "qlognormal": (hp.qlognormal, 1, 1, 1),
    "uniformint": (hp.uniformint, 1, 20),
    "randint": (hp.randint, 7),
    "randint_between": (hp.randint, 3, 9),
    "choice": (hp.choice, list("abcd")),
    "pchoice": (hp.pchoice, [(0.6, "a"), (0.3, "b"), (0.1, "c")]),
}


def random_history(space: Any, n: int, rng: np.random.Generator, kinds: bool = True) -> History:
    """Return n trials with random losses; with `kinds` a few of them failed, run or were pruned."""
    states = (
        rng.choice([OK, FAILED, PENDING, PRUNED], n, p=[0.8, 0.06, 0.08, 0.06]) if kinds else np.full(n, OK)
    )
    history = History(space)
    steps = rng.integers(0, 5, n).astype(float)
    history.append(space.sample(rng, n).values, rng.normal(size=n), states, steps, rng.normal(size=n))
    return history


@contextlib.contextmanager
def stable_sorting() -> Iterator[None]:
    """Make `numpy.argsort` keep equal values in order."""
    usual = np.argsort
    np.argsort = functools.partial(usual, kind="stable")  # type: ignore[assignment]
    try:
        yield
    finally:
        np.argsort = usual


# ---------------------------------------------------------------- Hyperopt


def hyperopt_sides(kind: str, values: Any, losses: Any, at: Any, gamma: float) -> list[Any]:
    """Return the log densities at points of Hyperopt's good and bad trials of one parameter."""
    tpe = importlib.import_module("hyperopt.tpe")
    ids = list(range(len(values)))
    below, above = tpe.ap_split_trials(ids, values, ids, np.where(np.isnan(losses), np.inf, losses), gamma)
    return [hyperopt_density(kind, np.asarray(side), at) for side in (below, above)]


def hyperopt_density(kind: str, seen: Any, at: Any) -> Any:
    tpe = importlib.import_module("hyperopt.tpe")
    arguments = HYPEROPT_KINDS[kind][1:]
    if kind in ("randint", "randint_between", "choice", "pchoice"):
        return hyperopt_codes(kind, seen.astype(int), at.astype(int))
    kind = "quniform" if kind == "uniformint" else kind
    log, normal = "log" in kind, "normal" in kind
    step = None if not kind.startswith("q") else (arguments[2] if len(arguments) > 2 else 1)
    low, high = (None, None) if normal else (arguments[0], arguments[1])
    loc, scale = arguments[:2] if normal else (0.5 * (low + high), high - low)
    places = np.log(np.maximum(seen, 1e-12)) if log else seen
    weights, mus, sigmas = tpe.adaptive_parzen_normal(places, 1.0, loc, scale)
    density = tpe.LGMM1_lpdf if log else tpe.GMM1_lpdf
    logs = density(at, weights, mus, sigmas, low=low, high=high, q=step)
    if log and step is None:  # theirs is a density of the value and leaves out the constant of the cut
        inside = (
            1.0
            if low is None
            else sum(w * (phi((high - m) / s) - phi((low - m) / s)) for w, m, s in zip(weights, mus, sigmas))
        )
        logs = logs + np.log(at) - math.log(inside)
    return logs


def hyperopt_codes(kind: str, seen: Any, at: Any) -> Any:
    tpe, pyll = importlib.import_module("hyperopt.tpe"), importlib.import_module("hyperopt.pyll")
    arguments = HYPEROPT_KINDS[kind][1:]
    if kind == "pchoice":
        p = np.array([share for share, _ in arguments[0]])
        node = tpe.ap_categorical_sampler(pyll.as_apply(seen), 1.0, pyll.as_apply(p[None, :]), size=(1,))
        offset = 0
    else:
        bounds = [len(arguments[0])] if kind == "choice" else list(arguments)
        offset = bounds[0] if len(bounds) == 2 else 0
        node = tpe.ap_randint_sampler(pyll.as_apply(seen), 1.0, *map(pyll.as_apply, bounds))
    probabilities = pyll.rec_eval(node.pos_args[0])
    return np.log(probabilities[at - offset])


def phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def hyperopt_deviation(kind: str, rounds: int) -> float:
    """Return the largest difference of log densities of a kind of parameter over some histories."""
    builder, *arguments = HYPEROPT_KINDS[kind]
    space = compile_space(builder("x", *arguments))
    worst = 0.0
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        history = random_history(space, int(rng.integers(2, 120)), rng)
        at = space.sample(rng, 50).values
        mine = Hyperopt03().explain(space, history, at)
        with stable_sorting():
            theirs = hyperopt_sides(kind, history.values[:, 0], history.losses, at[:, 0], 0.25)
        for ours, other in zip((mine.log_good, mine.log_bad), theirs):
            worst = max(worst, float(np.abs(ours - other).max()))
    return worst


# ---------------------------------------------------------------- Optuna


def optuna_distribution(param: Any) -> Any:
    """Return Optuna's distribution of a parameter of hpspace."""
    optuna = importlib.import_module("optuna.distributions")
    dist = param.dist
    if param.kind == "choice":
        return optuna.CategoricalDistribution(list(range(dist.size)))
    if param.name == "bounded_int":
        return optuna.IntDistribution(dist.low, dist.high, log=dist.log, step=dist.step)
    if param.name == "bounded_float":
        return optuna.FloatDistribution(dist.low, dist.high, log=dist.log, step=dist.step)
    assert param.name == "randint"
    return optuna.IntDistribution(dist.low, dist.high - 1)


def distributions_of(space: Any) -> dict[str, Any]:
    with warnings.catch_warnings():  # a step that does not divide the range ends before it, in both
        warnings.simplefilter("ignore")
        return {param.label: optuna_distribution(param) for param in space.params}


def optuna_study(space: Any, history: History) -> Any:
    """Return a study that holds a history."""
    optuna = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    state = optuna.trial.TrialState
    states = {OK: state.COMPLETE, FAILED: state.FAIL, PENDING: state.RUNNING, PRUNED: state.PRUNED}
    study = optuna.create_study()
    dists = distributions_of(space)
    for i, row in enumerate(history.values):
        point, kind = space.point(row), int(history.kind[i])
        reports = {int(history.steps[i]): float(history.partials[i])} if kind == PRUNED else {}
        study.add_trial(
            optuna.trial.create_trial(
                state=states[kind],
                value=float(history.losses[i]) if kind == OK else None,
                params=point,
                distributions={label: dists[label] for label in point},
                intermediate_values=reports,
            )
        )
    return study


def optuna_sides(
    study: Any, labels: list[str], dists: dict[str, Any], at: dict[str, Any], **options: Any
) -> Any:
    """Return the log densities at points of Optuna's good and bad trials, for some parameters at once."""
    optuna, module = (
        importlib.import_module("optuna"),
        importlib.import_module("optuna.samplers._tpe.sampler"),
    )
    sampler = optuna.samplers.TPESampler(**options)
    state = optuna.trial.TrialState
    trials = [t for t in study.trials if t.state in (state.COMPLETE, state.PRUNED, state.RUNNING)]
    finished = sum(t.state != state.RUNNING for t in trials)
    space = {label: dists[label] for label in labels}
    sides = module._split_trials(study, trials, module.default_gamma(finished))
    return [sampler._build_parzen_estimator(study, space, side, True).log_pdf(at) for side in sides]


OPTUNA_SPACES: dict[str, Any] = {
    "float": hp.float("x", -2, 5),
    "float, log": hp.float("x", 1e-4, 10, log=True),
    "float, step": hp.float("x", 0, 1, step=0.3),
    "int": hp.int("x", 1, 20),
    "int, step": hp.int("x", 1, 20, step=3),
    "int, log": hp.int("x", 1, 300, log=True),
    "choice": hp.choice("x", list("abcd")),
    "all jointly": [
        hp.float("a", -2, 5), hp.float("b", 1e-4, 10, log=True), hp.int("c", 1, 20), hp.int("d", 1, 300, log=True),
        hp.choice("e", list("abc")), hp.randint("f", 6),
    ],
    "a tree": {
        "a": hp.float("a", -2, 5),
        "model": hp.choice("m", [{"b": hp.int("b", 1, 20)}, {"c": hp.float("c", 1e-3, 1, log=True)}]),
    },
}  # fmt: skip


def optuna_deviation(name: str, rounds: int) -> float:
    """Return the largest difference of log densities over some histories of a space."""
    space = compile_space(OPTUNA_SPACES[name])
    dists = distributions_of(space)
    worst = 0.0
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        history = random_history(space, int(rng.integers(12, 120)), rng)
        study = optuna_study(space, history)
        at = space.sample(rng, 50).values
        mine = Optuna5().explain(space, history, at)
        always = [p.label for p in space.params if p.always_active]
        theirs = np.zeros((2, len(at)))
        for labels in [always, *([p.label] for p in space.params if not p.always_active)]:
            has = ~np.isnan(at[:, space.index[labels[0]]])
            points = {label: at[has, space.index[label]] for label in labels}
            with stable_sorting():
                theirs[:, has] += np.array(optuna_sides(study, labels, dists, points))
        for ours, other in zip((mine.log_good, mine.log_bad), theirs):
            worst = max(worst, float(np.abs(ours - other).max()))
    return worst


def report(quick: bool = False) -> str:
    """Return the tables, one for each library that is installed."""
    rounds = 2 if quick else 30
    peers = installed(["hyperopt", "optuna"])
    parts = []
    if "hyperopt" in peers:
        rows = [[kind, f"{hyperopt_deviation(kind, rounds):.1e}"] for kind in HYPEROPT_KINDS]
        parts.append(table(["`tpe.hyperopt03`", "largest deviation of a log density"], rows))
    if "optuna" in peers:
        rows = [[name, f"{optuna_deviation(name, rounds):.1e}"] for name in OPTUNA_SPACES]
        parts.append(table(["`tpe.optuna5`", "largest deviation of a log density"], rows))
    return "\n\n".join(parts) or "No other library is installed: nothing to compare with."


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
