"""From a user's space to a `CompiledSpace`: validate everything, then build the table of parameters.

The one entry is :func:`compile_space`. It walks the graph once, names every node's place, lets `space.faults` find
all that is wrong, raises that together, and only then builds the parameters and the activity plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpspace import dists
from hpspace.exceptions import Fault, InvalidDefault, raise_faults
from hpspace.graph.build import as_apply
from hpspace.graph.evaluate import evaluate
from hpspace.graph.node import Literal, Node
from hpspace.graph.walk import dfs
from hpspace.space import faults as find
from hpspace.space import (
    points,
    stochastic,  # registers the draws on scope
)
from hpspace.space.activity import conditions, plan_activity, selecting_param
from hpspace.space.compiled import CompiledSpace
from hpspace.space.fidelity import Fidelity, is_fidelity
from hpspace.space.fidelity import faults as fidelity_faults
from hpspace.space.params import ALWAYS, NO_DEFAULT, Conditions, Kind, Param

_KINDS: dict[type, Kind] = {dists.Real: "real", dists.Grid: "grid", dists.Choice: "choice"}

#: An option that is no constant is named by at most so many labels, found among its first so many nodes.
_SHOWN, _LOOKED_AT = 4, 200

#: A typical value of each parameter's node, to see what kind of distribution depends on it.
Medians = dict[Node, Any]


def compile_space(space: Any) -> CompiledSpace:
    """Compile a search space: validate it whole and make the table of its parameters.

    Parameters
    ----------
    space : object
        Any nesting of dicts, lists, tuples, ``hp.*`` expressions and constants; a compiled space is returned as it
        is.

    Returns
    -------
    CompiledSpace

    Raises
    ------
    BadSearchSpace
        Listing everything that is wrong with the space, each finding with label, place, value and fix. When all
        findings are of one kind, the subclass for that kind (`DuplicateLabel`, `InvalidDistribution`, ...).

    Warns
    -----
    SuspiciousBounds
        When the bounds of a log distribution look like values.

    Examples
    --------
    >>> from hpspace import hp
    >>> space = compile_space({"lr": hp.float("lr", 1e-4, 1e-1, log=True), "depth": hp.int("depth", 1, 8)})
    >>> space.labels
    ('lr', 'depth')
    >>> compile_space({"a": hp.uniform("x", 1, 0), "b": hp.quniform("x", 0, 1, q=0)})
    Traceback (most recent call last):
    ...
    hpspace.exceptions.BadSearchSpace: the search space has 3 faults:
    ...
    """
    if isinstance(space, CompiledSpace):
        return space
    root = as_apply(space)
    nodes = dfs(root)
    paths = _paths(root)
    params = [node for node in nodes if node.name == "hyperopt_param"]
    option_nodes = _option_nodes(nodes)
    _validate(nodes, params, paths, option_nodes)
    columns = {node: i for i, node in enumerate(params)}
    plan = plan_activity(root, columns)
    labels = tuple(find.label_of(node) for node in params)
    when = conditions(plan, labels)
    medians: Medians = {}
    table = tuple(
        _param(node, paths[node], when[i], option_nodes.get(node), medians) for i, node in enumerate(params)
    )
    resource = next((Fidelity.of(node, paths[node]) for node in nodes if is_fidelity(node)), None)
    return CompiledSpace(root, table, plan, resource)


def _validate(
    nodes: Sequence[Node],
    params: Sequence[Node],
    paths: Mapping[Node, str],
    option_nodes: Mapping[Node, tuple[Node, ...]],
) -> None:
    """Collect every fault of the space, raise them at once, then warn of what only looks wrong."""
    found: list[Fault] = list(find.duplicate_labels(params, paths))
    for node in params:
        options = option_nodes.get(node)
        wrong = list(find.distribution_faults(node, paths[node], None if options is None else len(options)))
        found += wrong or _default_faults(node, paths[node], options)
    found += find.unlabelled_draws(nodes, params, paths, stochastic.implicit_stochastic_symbols)
    found += find.unsortable_keys(nodes, paths)
    found += find.hidden_expressions(nodes, paths)
    found += fidelity_faults(nodes, params, paths)
    raise_faults(found)
    for node in params:
        find.warn_suspicious(node)


def _option_nodes(nodes: Sequence[Node]) -> dict[Node, tuple[Node, ...]]:
    """Return the options that each selecting parameter chooses among (of its first switch)."""
    options: dict[Node, tuple[Node, ...]] = {}
    for node in nodes:
        if node.name == "switch" and node.args:
            param = selecting_param(node.args[0])
            if param is not None:
                options.setdefault(param, tuple(node.args[1:]))
    return options


def _default_faults(node: Node, path: str, options: tuple[Node, ...] | None) -> list[Fault]:
    """Find a default that its parameter, whose distribution is known to be valid, cannot take."""
    if "default" not in node.kwargs or any(
        isinstance(arg, Node) for arg in find.bind(node.args[1])[0].values()
    ):
        return []  # what bounds that depend on other parameters allow is known with their values only
    param = _param(node, path, ALWAYS, options, {})
    problem = points.default_problem(param)
    if problem is None:
        return []
    fix = "give a default that the parameter can take"
    return [Fault(InvalidDefault, f"the default {problem}", param.label, path, param.default, fix)]


def _param(
    node: Node, path: str, when: Conditions, options: tuple[Node, ...] | None, medians: Medians
) -> Param:
    """Build the row of one parameter, whose arguments are known to be valid; adds to `medians`."""
    dist_node = node.args[1]
    bound, _ = find.bind(dist_node)
    arguments = {name: as_apply(arg) for name, arg in bound.items()}
    below = [p for arg in arguments.values() for p in find.params_below(arg)]
    typical = _typical(dist_node.name, arguments, medians)
    medians[node] = 0 if typical is None else typical.to_python(float(typical.quantile(0.5)))
    return Param(
        label=find.label_of(node),
        node=node,
        dist_node=dist_node,
        dist=None if below else typical,
        arguments=arguments,
        kind=_kind(dist_node.name, typical, options is not None, bool(below)),
        depends_on=tuple(dict.fromkeys(find.label_of(p) for p in below)),
        path=path,
        conditions=when,
        options=None if options is None else tuple(_option_text(option) for option in options),
        default=evaluate(node.kwargs["default"]) if "default" in node.kwargs else NO_DEFAULT,
        integer=dists.get(dist_node.name).is_integer,
    )


def _typical(name: str, arguments: Mapping[str, Node], medians: Medians) -> dists.Distribution | None:
    """Return the distribution given typical values of the parameters it depends on; None if these give none."""
    values = {key: evaluate(arg, medians) for key, arg in arguments.items()}
    return None if dists.get(name).faults(values) else dists.build(name, values)


def _kind(name: str, dist: dists.Distribution | None, selects: bool, depends: bool) -> Kind:
    """Return how algorithms may treat a parameter.

    The codes of a plain choice have no order. A distribution that depends on others is always seen through its cdf,
    so its codes, if it has such, are put in their order.
    """
    if depends:
        return "real" if dist is not None and isinstance(dist.latent, dists.Real) else "grid"
    assert dist is not None  # its constant arguments were found valid
    return "choice" if selects and name == "randint" else _KINDS[type(dist.latent)]


def _option_text(option: Node) -> Any:
    """Return an option as it is when it is a constant, else a short text with the labels found first."""
    if isinstance(option, Literal):
        return option.obj
    labels: list[str] = []
    looked_at, waiting = 0, [option]
    while waiting and len(labels) <= _SHOWN and looked_at < _LOOKED_AT:
        node = waiting.pop()
        looked_at += 1
        if node.name == "hyperopt_param" or is_fidelity(node):
            labels.append(find.label_of(node))
        else:
            waiting.extend(reversed(node.inputs()))
    if not labels and not waiting:
        return evaluate(option)
    shown = labels[:_SHOWN] + ["..."] * (len(labels) > _SHOWN or bool(waiting))
    return f"{option.name}({', '.join(dict.fromkeys(shown))})"


def _paths(root: Node) -> dict[Node, str]:
    """Name the place of every node: the first way that leads to it, as an index expression.

    Dict keys and positions are written in brackets, the option of a choice in parentheses:
    ``space["clf"](kind=1)["C"]``.
    """
    paths = {root: "space"}
    stack = [root]
    while stack:
        node = stack.pop()
        for suffix, child in reversed(_steps(node)):
            if child not in paths:
                paths[child] = paths[node] + suffix
                stack.append(child)
    return paths


def _steps(node: Node) -> list[tuple[str, Node]]:
    """Return the ways down from a node: (suffix of the path, child)."""
    if node.name == "dict" and node.args:
        pairs = node.args[0].args
        steps = [(f"[{_key(pair.args[0])}]", pair.args[1]) for pair in pairs]
        return steps + [(".keys()", pair.args[0]) for pair in pairs if not find.is_constant(pair.args[0])]
    if node.name == "dict":
        return [(f"[{_quoted(key)}]", child) for key, child in node.named_args]
    if node.name in ("pos_args", "list"):
        return [(f"[{i}]", child) for i, child in enumerate(node.args)]
    if node.name == "namedtuple" and isinstance(node.args[0], Literal):
        return [(f".{field}", child) for field, child in zip(node.args[0].obj._fields, node.args[1:])]
    if node.name == "switch" and node.args:
        param = selecting_param(node.args[0])
        name = find.label_of(param) if param is not None else "option"
        steps = [("", node.args[0])]
        return steps + [(f"({name}={k})", child) for k, child in enumerate(node.args[1:])]
    if node.name in ("hyperopt_param", "float", "int"):
        return [("", child) for child in node.inputs()]
    inputs = [(f".{node.name}[{i}]", child) for i, child in enumerate(node.args)]
    return inputs + [(f".{node.name}[{name}]", child) for name, child in node.named_args]


def _key(node: Node) -> str:
    """Return a dict's key as it is written; one that is an expression is a fault, found later."""
    return repr(evaluate(node)) if find.is_constant(node) else "..."


def _quoted(key: str) -> str:
    return '"' + key.replace('"', '\\"') + '"'
