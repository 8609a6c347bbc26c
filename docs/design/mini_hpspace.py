"""The whole of hpspace in a file that can be read in a quarter of an hour.

Everything here is a small version of something in the package, named in brackets. What is left out: most
distributions, expressions, shared nodes, error messages, attachments, saving, and speed. What is kept is the
shape: a space is a graph; it is compiled once into a table; algorithms see columns and return columns;
documents are the truth about trials, and the loop is the only part that knows your function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Columns = NDArray[np.float64]  # (n rows, D parameters), NaN where a parameter is inactive


# ---- distributions: values and the prior's unit interval, both ways  [dists/] -----------------------------


@dataclass(frozen=True)
class Uniform:
    """A float between two bounds; with `log`, uniform in its logarithm."""

    low: float
    high: float
    log: bool = False

    def quantile(self, u: Columns) -> Columns:
        if self.log:
            return self.low * (self.high / self.low) ** u
        return self.low + (self.high - self.low) * u

    def faults(self) -> list[str]:
        found = [] if self.low < self.high else [f"low={self.low} is not less than high={self.high}"]
        return found + ([f"log needs low > 0, not {self.low}"] if self.log and self.low <= 0 else [])


@dataclass(frozen=True)
class Codes:
    """One of n unordered codes, equally likely."""

    n: int

    def quantile(self, u: Columns) -> Columns:
        return np.floor(u * self.n)

    def faults(self) -> list[str]:
        return [] if self.n > 0 else ["a choice needs at least one option"]


# ---- the graph: what the user builds  [graph/, hp.py] -----------------------------------------------------


@dataclass(frozen=True, eq=False)
class Node:
    """A parameter, or with options a choice between subspaces. Compared by identity: one node, one value."""

    label: str
    dist: Uniform | Codes
    options: tuple[Any, ...] = ()


def uniform(label: str, low: float, high: float, log: bool = False) -> Node:
    return Node(label, Uniform(low, high, log))


def choice(label: str, options: list[Any]) -> Node:
    return Node(label, Codes(len(options)), tuple(options))


# ---- the compiled space: a table of parameters  [space/] --------------------------------------------------


@dataclass(frozen=True)
class Param:
    """A row of the table: where a parameter stands and when it exists."""

    node: Node
    path: str
    condition: tuple[tuple[int, int], ...]  # every (column of a choice, code) that must hold


@dataclass
class Space:
    """A space that has been checked; its parameters are columns, in the order they were met."""

    root: Any
    params: list[Param] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def collect(self, part: Any, path: str, condition: tuple[tuple[int, int], ...]) -> None:
        """Walk the structure, make a row of each parameter, and note all that is wrong."""
        if isinstance(part, Node):
            column = len(self.params)
            if part.label in self.labels:
                self.faults.append(f"{path}: label {part.label!r} is used twice")
            self.faults += [f"{path}: {part.label!r}: {fault}" for fault in part.dist.faults()]
            self.params.append(Param(part, path, condition))
            for code, option in enumerate(part.options):
                self.collect(option, f"{path}[{code}]", (*condition, (column, code)))
        elif isinstance(part, dict):
            for key, value in part.items():
                self.collect(value, f"{path}[{key!r}]", condition)

    @property
    def labels(self) -> list[str]:
        return [param.node.label for param in self.params]

    def mask(self, values: Columns) -> Columns:
        """Blank out what is inactive. A parameter stands below its choices, so their columns come first."""
        masked = values.copy()
        for column, param in enumerate(self.params):
            for selector, code in param.condition:
                masked[masked[:, selector] != code, column] = np.nan
        return masked

    def sample(self, rng: Generator, n: int) -> Columns:
        """Draw n points: every column whole, then the mask."""
        u = rng.random((n, len(self.params)))
        drawn = [param.node.dist.quantile(u[:, column]) for column, param in enumerate(self.params)]
        return self.mask(np.stack(drawn, axis=1)) if drawn else u

    def config(self, point: Mapping[str, float]) -> Any:
        """Put values into the structure: what the objective sees."""

        def build(part: Any) -> Any:
            if isinstance(part, dict):
                return {key: build(value) for key, value in part.items()}
            if not isinstance(part, Node):
                return part
            value = point[part.label]
            return build(part.options[int(value)]) if part.options else value

        return build(self.root)


def compile_space(root: Any) -> Space:
    """Check a space and make its table; everything that is wrong is reported together."""
    space = Space(root)
    space.collect(root, "space", ())
    if space.faults:
        raise ValueError("the search space is wrong:\n" + "\n".join(space.faults))
    return space


# ---- algorithms: (space, history, n, rng) -> columns  [history.py, suggest/] ------------------------------


@dataclass(frozen=True)
class History:
    """What algorithms may know of the past: no documents, no function, no clock."""

    values: Columns  # (n, D)
    losses: NDArray[np.float64]  # (n,), NaN for a trial that failed


def propose_random(space: Space, history: History, n: int, rng: Generator) -> Columns:
    return space.sample(rng, n)


def propose_near_best(space: Space, history: History, n: int, rng: Generator) -> Columns:
    """Draw ten points for each that is wanted, and keep those nearest to the best trial."""
    if np.isnan(history.losses).all():
        return space.sample(rng, n)
    best = history.values[np.nanargmin(history.losses)]
    drawn = space.sample(rng, 10 * n)
    scale = np.maximum(np.nanstd(drawn, axis=0), 1e-12)
    gap = np.abs(drawn - best) / scale  # (10 n, D); NaN where one of the two is inactive
    distance = np.where(np.isnan(gap), np.isnan(drawn) != np.isnan(best), gap).sum(axis=1)  # (10 n,)
    return drawn[np.argsort(distance)[:n]]


# ---- trials: documents, and the way from documents to columns and back  [trials/] -------------------------


def new_document(tid: int, space: Space, row: NDArray[np.float64]) -> dict[str, Any]:
    active = {label: float(value) for label, value in zip(space.labels, row) if not math.isnan(value)}
    return {"tid": tid, "state": "new", "vals": active, "result": {}}


def history_of(documents: list[dict[str, Any]], space: Space) -> History:
    rows = [[doc["vals"].get(label, np.nan) for label in space.labels] for doc in documents]
    losses = [doc["result"].get("loss", np.nan) for doc in documents]
    return History(np.array(rows).reshape(len(rows), len(space.params)), np.array(losses))


# ---- the loop: the only part that knows the function  [run/] ----------------------------------------------


def evaluate(fn: Callable[[Any], float], space: Space, document: dict[str, Any]) -> None:
    """Run one trial; an exception is a result too."""
    try:
        document["result"] = {"loss": float(fn(space.config(document["vals"])))}
        document["state"] = "done"
    except Exception as error:  # noqa: BLE001 (the function is the user's: anything may come)
        document["result"] = {"error": repr(error)}
        document["state"] = "error"


def fmin(
    fn: Callable[[Any], float], root: Any, propose: Callable[..., Columns], max_evals: int, seed: int
) -> tuple[Any, list[dict[str, Any]]]:
    """Search; return the best configuration and all documents."""
    space = compile_space(root)
    documents: list[dict[str, Any]] = []
    for tid in range(max_evals):
        rng = np.random.default_rng([seed, tid])  # from (seed, id): a resumed run goes on, never repeats
        (row,) = propose(space, history_of(documents, space), 1, rng)
        documents.append(new_document(tid, space, row))
        evaluate(fn, space, documents[-1])
    best = min((doc for doc in documents if doc["state"] == "done"), key=lambda doc: doc["result"]["loss"])
    return space.config(best["vals"]), documents
