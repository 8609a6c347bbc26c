"""The resource of a space: what a trial may be given less of, to see sooner whether it is worth more.

Epochs, rounds of boosting, rows of the table: an objective that can do with less of it declares it by
``hp.fidelity("epochs", 1, 81)``. It is an input of the space like a parameter, but never one that is searched: no
algorithm sees it as a column, no point holds it, no count includes it. Whoever evaluates a trial fills it in; without
a word about it, it is `high`. So a space with a resource works with every algorithm, and those that plan resources
(`hpspace.suggest.fidelity`) find its bounds here.

Called by `space.compile`, which collects what `faults` finds with all other findings.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpspace.exceptions import DuplicateLabel, Fault, InvalidFidelity
from hpspace.graph.evaluate import evaluate
from hpspace.graph.node import Literal, Node
from hpspace.graph.primitives import scope
from hpspace.graph.walk import dfs
from hpspace.space.faults import label_of, params_below

#: Name of the operation, on `scope` and in ``node.name``.
NAME = "fidelity"


def fidelity(label: Any, low: Any, high: Any, eta: Any = 3) -> Any:
    """Return the whole resource: the value of a fidelity that nothing was said about."""
    return int(high) if _whole(low) and _whole(high) else float(high)


scope.define(fidelity)


@dataclass(frozen=True)
class Fidelity:
    """The declared resource of a space.

    Parameters
    ----------
    label : str
        Its name in documents, and in points that name it.
    low, high : int or float
        Least and greatest resource of a trial, ``0 < low < high``, in units of its own (epochs, rows ...). Both are
        ints or both floats.
    eta : int
        Of how many trials one is given more, at least 2; also how many times as much it is given.
    path : str
        Where it stands in the space.
    node : Node
        Its node; a trial's resource is bound to it when a configuration is assembled.
    """

    label: str
    low: int | float
    high: int | float
    eta: int
    path: str
    node: Node

    def value(self, resource: float) -> int | float:
        """Return a resource as the objective sees it: an int if both bounds are ints, else a float."""
        return round(resource) if isinstance(self.high, int) else float(resource)

    def __str__(self) -> str:
        """Render for people."""
        return f"resource from {self.low:g} to {self.high:g} (eta={self.eta})"

    @classmethod
    def of(cls, node: Node, path: str) -> Fidelity:
        """Read a node whose arguments are known to be valid."""
        low, high, eta = _arguments(node)
        number = int if _whole(low) and _whole(high) else float
        return cls(label_of(node), number(low), number(high), int(eta), path, node)


def is_fidelity(node: Node) -> bool:
    """Whether a node is a declared resource."""
    return node.name == NAME


def varies(node: Node) -> bool:
    """Whether an expression depends on a parameter or on the resource."""
    return bool(params_below(node) or _resources_below(node))


def faults(nodes: Sequence[Node], params: Sequence[Node], paths: Mapping[Node, str]) -> Iterator[Fault]:
    """Find everything that is wrong with the resource of a space.

    Parameters
    ----------
    nodes, params : sequence of Node
        Every node of the space, and the labelled parameters among them.
    paths : mapping of Node to str
        Where they stand.
    """
    declared = [node for node in nodes if is_fidelity(node)]
    for node in declared:
        yield from _argument_faults(node, paths[node])
    for other in declared[1:]:
        yield Fault(
            InvalidFidelity,
            f"a space has at most one resource, and there is {label_of(declared[0])!r} at {paths[declared[0]]}",
            label_of(other),
            paths[other],
            fix="build it once and use that object in both places, or derive the second from the first",
        )
    if declared:
        yield from _label_faults(declared, params, paths)
        yield from _dependence_faults(nodes, params, paths)


def _argument_faults(node: Node, path: str) -> Iterator[Fault]:
    low, high, eta = _arguments(node)
    for name, value in (("low", low), ("high", high)):
        if not _positive(value):
            fix = "write hp.fidelity(label, low, high) with 0 < low < high"
            yield _fault(node, path, f"{name}={value!r} must be a positive number", value, fix)
    if _positive(low) and _positive(high) and not low < high:
        fix = "give the least resource first"
        yield _fault(node, path, f"low={low!r} must be less than high={high!r}", low, fix)
    if not (_whole(eta) and eta >= 2):
        fix = "3 and 4 are usual: one trial of so many goes on, with so many times the resource"
        yield _fault(node, path, f"eta={eta!r} must be a whole number of at least 2", eta, fix)


def _fault(node: Node, path: str, problem: str, value: Any, fix: str) -> Fault:
    return Fault(InvalidFidelity, f"fidelity: {problem}", label_of(node), path, value, fix)


def _label_faults(
    declared: Sequence[Node], params: Sequence[Node], paths: Mapping[Node, str]
) -> Iterator[Fault]:
    of_param = {label_of(node): node for node in params}
    for node in declared:
        label = label_of(node)
        if label in of_param:
            problem = (
                f"this label is used by the resource, here, and by the parameter at {paths[of_param[label]]}"
            )
            yield Fault(DuplicateLabel, problem, label, paths[node], label, "rename one")


def _dependence_faults(
    nodes: Sequence[Node], params: Sequence[Node], paths: Mapping[Node, str]
) -> Iterator[Fault]:
    """Find parameters whose bounds, or whose existence, depend on the resource.

    A trial's point must mean the same at every resource, since it is evaluated at several.
    """
    for node in params:
        for resource in _resources_below(node):
            problem = f"its distribution depends on the resource {label_of(resource)!r}"
            fix = "the same point is evaluated at several resources: give it bounds that hold for all"
            yield Fault(InvalidFidelity, problem, label_of(node), paths[node], fix=fix)
    for node in nodes:
        if node.name != "switch" or not any(params_below(option) for option in node.args[1:]):
            continue
        for resource in _resources_below(node.args[0]):
            problem = f"the resource {label_of(resource)!r} decides which parameters exist"
            fix = "choose between constants only, or choose by a parameter"
            yield Fault(InvalidFidelity, problem, None, paths[node], fix=fix)


def _arguments(node: Node) -> tuple[Any, Any, Any]:
    """Return low, high and eta as they were written; a node that is no constant as it is."""
    given = {"eta": Literal(3), **dict(zip(("label", "low", "high", "eta"), node.args)), **node.kwargs}
    low, high, eta = (_constant(given.get(name, Literal(None))) for name in ("low", "high", "eta"))
    return low, high, eta


def _constant(node: Node) -> Any:
    return node.obj if isinstance(node, Literal) else node if varies(node) else evaluate(node)


def _resources_below(node: Node) -> list[Node]:
    return [below for below in dfs(node) if is_fidelity(below)]


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _positive(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value) and value > 0
