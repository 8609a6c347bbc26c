"""Which parameters a configuration has: forward values, backward masks.

A parameter is active when the objective can read it: when some path from the root of the space leads to it through
options that are taken. The graph is reduced once to an `ActivityPlan`: which parameters are always reached, and for
every switch, in topological order, which parameters and further switches each option reaches. The masks of n rows
then need one pass over the switches, ``mask[reached by k] |= mask[switch] & (selector == k)``; the ``|=`` is what
makes nodes shared by several options come out right.

A switch whose selector is an expression, not a parameter, is evaluated row by row, and only where it is active.

Called by `space.compile` (to plan) and `CompiledSpace.activity` (to run). Axes: n rows, D parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpspace.graph.node import Node
from hpspace.graph.walk import dfs
from hpspace.space.params import ALWAYS, Clause, Conditions

#: Casts that leave a selector's value as it is.
_CASTS = ("int", "float")

#: Beyond this many alternatives a condition is cut: it is for people, not for computing.
_MAX_ALTERNATIVES = 64


@dataclass(frozen=True)
class Reach:
    """What a part of the graph leads to without passing an option of a switch.

    Parameters
    ----------
    params : int array, shape (p,)
        Columns of parameters.
    switches : tuple of int
        Positions of switches in `ActivityPlan.switches`.
    """

    params: NDArray[np.intp]
    switches: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(len(self.params) or self.switches)


@dataclass(frozen=True)
class Switch:
    """One ``switch`` node of the graph.

    Parameters
    ----------
    position : int
        Its place among the plan's switches.
    node : Node
        The node itself.
    selector : Node
        The expression that gives the option's index.
    column : int or None
        Column of the selecting parameter; None when the selector is an expression.
    options : tuple of (int, Reach)
        Index and reach of each option that leads to anything.
    """

    position: int
    node: Node
    selector: Node
    column: int | None
    options: tuple[tuple[int, Reach], ...]


@dataclass(frozen=True)
class ActivityPlan:
    """How to compute masks: the root's reach, then the switches, parents before children."""

    root: Reach
    switches: tuple[Switch, ...]


def selecting_param(node: Node) -> Node | None:
    """Return the ``hyperopt_param`` node that `node` is, looking through int and float casts; else None."""
    while node.name in _CASTS and len(node.args) == 1:
        node = node.args[0]
    return node if node.name == "hyperopt_param" else None


def plan_activity(root: Node, columns: Mapping[Node, int]) -> ActivityPlan:
    """Reduce a graph to what its masks depend on.

    Parameters
    ----------
    root : Node
        Root of the space.
    columns : mapping of Node to int
        Column of each ``hyperopt_param`` node.

    Returns
    -------
    ActivityPlan
    """
    # reverse post-order: every switch stands before the switches inside its options
    nodes = [node for node in reversed(dfs(root)) if node.name == "switch"]
    positions = {node: i for i, node in enumerate(nodes)}
    switches = tuple(_plan_switch(node, columns, positions) for node in nodes)
    return ActivityPlan(_reach(root, columns, positions), switches)


def _plan_switch(node: Node, columns: Mapping[Node, int], positions: Mapping[Node, int]) -> Switch:
    param = selecting_param(node.args[0])
    reaches = ((k, _reach(option, columns, positions)) for k, option in enumerate(node.args[1:]))
    column = columns[param] if param is not None else None
    return Switch(
        positions[node], node, node.args[0], column, tuple((k, reach) for k, reach in reaches if reach)
    )


def _reach(start: Node, columns: Mapping[Node, int], positions: Mapping[Node, int]) -> Reach:
    """Walk down from `start`; a switch is entered by its selector only."""
    seen: set[Node] = set()
    params: list[int] = []
    switches: list[int] = []
    stack = [start]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in columns:
            params.append(columns[node])
        if node.name == "switch":
            switches.append(positions[node])
            stack.append(node.args[0])
        else:
            stack.extend(node.inputs())
    return Reach(np.array(sorted(params), dtype=np.intp), tuple(sorted(switches)))


def active_mask(
    plan: ActivityPlan,
    values: NDArray[np.float64],
    select: Callable[[Switch, int], int],
) -> NDArray[np.bool_]:
    """Compute which parameters are active.

    Parameters
    ----------
    plan : ActivityPlan
        The space's plan.
    values : float64 array, shape (n, D)
        Raw values; a selector must have a value wherever it is active, other columns may be NaN.
    select : callable
        ``select(switch, row)`` evaluates the selector of a switch that is an expression.

    Returns
    -------
    bool array, shape (n, D)
    """
    n = len(values)
    mask = np.zeros(values.shape, dtype=bool)
    mask[:, plan.root.params] = True
    taken = np.zeros((len(plan.switches), n), dtype=bool)
    for position in plan.root.switches:
        taken[position] = True
    for position, switch in enumerate(plan.switches):
        if not switch.options or not taken[position].any():
            continue
        selected = _selected(switch, values, taken[position], select)
        for k, reach in switch.options:
            hit = taken[position] & (selected == k)
            if hit.any():
                mask[:, reach.params] |= hit[:, None]
                for child in reach.switches:
                    taken[child] |= hit
    return mask


def _selected(
    switch: Switch,
    values: NDArray[np.float64],
    rows: NDArray[np.bool_],
    select: Callable[[Switch, int], int],
) -> NDArray[np.float64]:
    """Return the chosen option of each row, shape (n,); NaN where the switch is not reached."""
    if switch.column is not None:
        return values[:, switch.column]
    chosen = np.full(len(values), np.nan)
    for row in np.flatnonzero(rows):
        chosen[row] = select(switch, int(row))
    return chosen


def conditions(plan: ActivityPlan, labels: tuple[str, ...]) -> tuple[Conditions, ...]:
    """Say for each parameter when it is active, as a disjunction of conjunctions.

    Parameters
    ----------
    plan : ActivityPlan
        The space's plan.
    labels : tuple of str
        Labels of the columns.

    Returns
    -------
    tuple of Conditions
        One a column; a parameter that every option of a choice leads to does not depend on that choice.
    """
    counts = {_selector_name(s, labels): len(s.node.args) - 1 for s in plan.switches}
    of_param: list[set[frozenset[Clause]]] = [set() for _ in labels]
    of_switch: list[set[frozenset[Clause]]] = [set() for _ in plan.switches]
    _add(plan.root, {frozenset()}, of_param, of_switch)
    for position, switch in enumerate(plan.switches):
        alternatives = of_switch[position] = _simplified(of_switch[position], counts)
        name = _selector_name(switch, labels)
        for k, reach in switch.options:
            _add(reach, {clauses | {(name, k)} for clauses in alternatives}, of_param, of_switch)
    return tuple(_sorted(_simplified(alternatives, counts)) for alternatives in of_param)


def _selector_name(switch: Switch, labels: tuple[str, ...]) -> str:
    if switch.column is not None:
        return labels[switch.column]
    return f"<{switch.selector.name} #{switch.position}>"


def _add(
    reach: Reach,
    alternatives: Iterable[frozenset[Clause]],
    of_param: list[set[frozenset[Clause]]],
    of_switch: list[set[frozenset[Clause]]],
) -> None:
    new = set(alternatives)
    for column in reach.params:
        of_param[column] |= new
    for position in reach.switches:
        of_switch[position] |= new


def _simplified(alternatives: set[frozenset[Clause]], counts: Mapping[str, int]) -> set[frozenset[Clause]]:
    """Drop contradictions, absorbed alternatives, and choices of which every option is present.

    Parameters
    ----------
    alternatives : set of frozenset of Clause
        Conjunctions.
    counts : mapping of str to int
        Number of options of each selector.
    """
    kept = {clauses for clauses in alternatives if len({name for name, _ in clauses}) == len(clauses)}
    changed = len(kept) <= _MAX_ALTERNATIVES
    while changed:
        changed = False
        for clauses in list(kept):
            for name, index in clauses:
                if counts[name] > len(kept):
                    continue
                rest = clauses - {(name, index)}
                if all(rest | {(name, k)} in kept for k in range(counts[name])):
                    kept -= {rest | {(name, k)} for k in range(counts[name])}
                    kept.add(rest)
                    changed = True
                    break
            if changed:
                break
    return {a for a in kept if not any(b < a for b in kept)}


def _sorted(alternatives: set[frozenset[Clause]]) -> Conditions:
    return tuple(sorted(tuple(sorted(clauses)) for clauses in alternatives)) or ALWAYS
