"""Everything that can be wrong with a space, found in one pass over its graph.

Each finder looks at one kind of mistake and yields :class:`~hpspace.exceptions.Fault` records; nothing here raises.
`space.compile` raises them all together, so that a user mends a space once. Calls that a builder recorded as they
were written (misspelt or missing arguments included) are judged here, where label and path are known.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import sys
import warnings
from collections import UserDict, UserList, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any

import numpy as np

from hpspace import dists
from hpspace.exceptions import (
    BadSearchSpace,
    DuplicateLabel,
    EmptyChoice,
    Fault,
    InvalidDistribution,
    InvalidKey,
    SuspiciousBounds,
    UnlabelledDraw,
)
from hpspace.graph.evaluate import evaluate
from hpspace.graph.node import Literal, Node
from hpspace.graph.walk import dfs

#: A log-bound ratio that hardly anybody means: exp(50 low) and beyond.
_SUSPICIOUS_RATIO = 50.0
#: exp(50) is about 5e21; no bound of a hyperparameter lies there.
_SUSPICIOUS_EXPONENT = 50.0
#: The builders in `hp` whose distribution is registered under another name, because Python's own has it.
_BUILDERS = {"bounded_float": "float", "bounded_int": "int"}
#: Parts of a constant container that are searched for expressions.
_LOOKED_AT = 1000


def label_of(node: Node) -> str:
    """Return the label of a ``hyperopt_param`` node."""
    label = evaluate(node.args[0])
    return label.decode() if isinstance(label, bytes) else str(label)


def params_below(node: Node) -> list[Node]:
    """Return the ``hyperopt_param`` nodes in the graph of `node`, itself included."""
    return [n for n in dfs(node) if n.name == "hyperopt_param"]


def duplicate_labels(params: Sequence[Node], paths: Mapping[Node, str]) -> Iterator[Fault]:
    """Find different parameters with one label."""
    first: dict[str, Node] = {}
    for node in params:
        label = label_of(node)
        other = first.setdefault(label, node)
        if other is not node:
            yield Fault(
                DuplicateLabel,
                f"this label is used by two different parameters, here and at {paths[other]}",
                label,
                paths[node],
                label,
                "to share one value build the parameter once and use that object twice; otherwise rename one",
            )


def distribution_faults(node: Node, path: str, options: int | None) -> Iterator[Fault]:
    """Find what is wrong with the distribution of a ``hyperopt_param`` node.

    Parameters
    ----------
    node : Node
        The parameter's node.
    path : str
        Where it stands.
    options : int or None
        Number of options, when the parameter selects among some.
    """
    label, dist_node = label_of(node), node.args[1]
    if options == 0:
        yield Fault(EmptyChoice, "the choice has no options", label, path, [], "give it at least one option")
        return
    if dist_node.name not in dists.names():
        yield Fault(
            InvalidDistribution,
            f"{dist_node.name!r} is not a distribution",
            label,
            path,
            dist_node.name,
            f"use one of {', '.join(dists.names())}",
        )
        return
    bound, findings = bind(dist_node)
    if not findings:
        values = {name: value for name, value in bound.items() if not isinstance(value, Node)}
        findings = [*dists.get(dist_node.name).faults(values), *_option_findings(values.get("p"), options)]
    call = call_text(dist_node, label)
    usage = f"write {dist_node.name}("
    for argument, value, problem, fix in findings:
        text = (
            f"{call}: {problem}"
            if problem.startswith(argument)
            else f"{call}: {argument}={value!r}: {problem}"
        )
        fix = fix.replace(usage, f"write {builder_name(dist_node.name)}(label, ")
        yield Fault(InvalidDistribution, text, label, path, value, fix)


def _option_findings(p: Any, options: int | None) -> Iterator[dists.Finding]:
    """Find probabilities that are not one an option."""
    if options is not None and isinstance(p, (list, tuple)) and len(p) != options:
        yield "p", p, f"{len(p)} probabilities for {options} options", "give one probability an option"


def bind(dist_node: Node) -> tuple[dict[str, Any], list[tuple[str, Any, str, str]]]:
    """Bind the arguments of a distribution's node to its parameters.

    Parameters
    ----------
    dist_node : Node
        A node such as ``uniform(0, 1)``; the keywords ``rng`` and ``size`` are left out.

    Returns
    -------
    bound : dict of str to object
        Values by name; a Node where an argument depends on other parameters.
    findings : list of (argument, value, problem, fix)
        Misspelt, missing and surplus arguments.
    """
    args = [_value(arg) for arg in dist_node.args]
    kwargs = {k: _value(arg) for k, arg in dist_node.kwargs.items() if k not in ("rng", "size")}
    return dists.bind(dist_node.name, args, kwargs)


def _value(argument: Node) -> Any:
    """Return an argument's value if it has one already, else its node."""
    return evaluate(argument) if is_constant(argument) else argument


def is_constant(argument: Any) -> bool:
    """Whether an argument has its value already: no parameter and no draw stands below it."""
    if not isinstance(argument, Node):
        return True
    return not any(node.name == "hyperopt_param" or node.name in dists.names() for node in dfs(argument))


def call_text(dist_node: Node, label: str) -> str:
    """Return the call that made a distribution, as ``uniform('x', 0, 1)``."""
    parts = [repr(label), *(_argument_text(arg) for arg in dist_node.args)]
    parts += [f"{name}={_argument_text(arg)}" for name, arg in dist_node.kwargs.items()]
    return f"{builder_name(dist_node.name)}({', '.join(parts)})"


def builder_name(name: str) -> str:
    """Return what a distribution is called in the module `hp`, which is what users write and should read.

    Examples
    --------
    >>> builder_name("bounded_float"), builder_name("uniform")
    ('float', 'uniform')
    """
    return _BUILDERS.get(name, name)


def _argument_text(node: Node) -> str:
    if is_constant(node):
        return repr(evaluate(node))
    return "<" + (", ".join(dict.fromkeys(label_of(p) for p in params_below(node))) or node.name) + ">"


def unlabelled_draws(
    nodes: Sequence[Node], params: Sequence[Node], paths: Mapping[Node, str], draws: Set[str]
) -> Iterator[Fault]:
    """Find random draws that no label names. A draw with its own ``rng`` is noise and allowed.

    Parameters
    ----------
    nodes, params : sequence of Node
        Every node of the space, and the labelled parameters among them.
    paths : mapping of Node to str
        Where they stand.
    draws : set of str
        Names of the operations that draw.
    """
    labelled = {node.args[1] for node in params if len(node.args) > 1}
    for node in nodes:
        if node.name not in draws or node in labelled or "rng" in node.kwargs:
            continue
        yield Fault(
            UnlabelledDraw,
            f"the draw {node.name}(...) has no label, so no trial could record its value",
            None,
            paths[node],
            node.name,
            f"write hp.{node.name}(label, ...), or pass rng=Generator if it is meant as noise",
        )


def unsortable_keys(nodes: Sequence[Node], paths: Mapping[Node, str]) -> Iterator[Fault]:
    """Find dicts whose keys cannot be put in order."""
    for node in nodes:
        if node.name != "dict" or not node.args:
            continue
        if not all(is_constant(pair.args[0]) for pair in node.args[0].args):
            yield Fault(
                InvalidKey,
                "a key of the dict is an expression, whose value is known only in a trial",
                None,
                paths[node],
                None,
                "use plain keys, or put key and value as a pair into a list",
            )
            continue
        keys = [evaluate(pair.args[0]) for pair in node.args[0].args]
        try:
            sorted(keys)
        except TypeError:
            kinds = sorted({type(key).__name__ for key in keys})
            yield Fault(
                InvalidKey,
                f"the dict's keys cannot be sorted: they mix {' and '.join(kinds)}",
                None,
                paths[node],
                keys,
                "use keys of one type; strings are best",
            )


def hidden_expressions(nodes: Sequence[Node], paths: Mapping[Node, str]) -> Iterator[Fault]:
    """Find constants that have an expression inside, where nothing would evaluate it."""
    for node in nodes:
        if isinstance(node, Literal) and _hides_expression(node.obj):
            kind = type(node.obj).__name__
            yield Fault(
                BadSearchSpace,
                f"an expression inside of a {kind} would reach the objective unevaluated",
                None,
                paths[node],
                node.obj,
                f"use a dict, list or tuple, and make the {kind} of it in the objective or by a scope function",
            )


def _hides_expression(obj: Any, depth: int = 4) -> bool:
    """Whether a node stands inside a container that is not taken apart, among its first parts at least."""
    if isinstance(obj, Node):
        return True
    parts = itertools.islice(_parts(obj), _LOOKED_AT) if depth else ()
    return any(_hides_expression(part, depth - 1) for part in parts)


def _parts(obj: Any) -> Iterable[Any]:
    """Return the parts of the standard containers that stay constants in a space."""
    if isinstance(obj, (UserDict, MappingProxyType, dict)):
        return [*obj.keys(), *obj.values()]
    if isinstance(obj, (set, frozenset, deque, list, tuple, UserList)):
        return obj
    if isinstance(obj, np.ndarray):
        return obj.flat if obj.dtype == object else ()
    if isinstance(obj, functools.partial):
        return [*obj.args, *obj.keywords.values()]
    if dataclasses.is_dataclass(type(obj)):
        return [getattr(obj, field.name, None) for field in dataclasses.fields(obj)]
    return ()


def warn_suspicious(node: Node) -> None:
    """Warn when the bounds of a log distribution look like values.

    ``loguniform("lr", 1e-4, 0.1)`` searches [1.0001, 1.105]: its bounds are natural logarithms.
    """
    if node.args[1].name not in ("loguniform", "qloguniform"):
        return
    bound, findings = bind(node.args[1])
    if findings or any(isinstance(value, Node) for value in bound.values()):
        return
    low, high = bound["low"], bound["high"]
    if not low < high or not (0 < low * _SUSPICIOUS_RATIO <= high or high > _SUSPICIOUS_EXPONENT):
        return
    top = f"{math.exp(high):.4g}" if high < math.log(sys.float_info.max) else "infinity"
    meant = (
        f"If you meant {low:g} ... {high:g}, write low=log({low:g}), "
        f"high=log({high:g}), or hp.float({label_of(node)!r}, {low:g}, {high:g}, log=True)."
        if low > 0
        else f"If you meant a largest value of {high:g}, write high=log({high:g})."
    )
    warnings.warn(
        f"hp.{call_text(node.args[1], label_of(node))}: the bounds are natural logarithms, so values lie in "
        f"[{math.exp(low):.4g}, {top}]. {meant}",
        SuspiciousBounds,
        stacklevel=_callers_level(),
    )


def _callers_level() -> int:
    """Return the stack level of the first caller outside hpspace, so that a warning names the user's line."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level
