"""A compiled space as a readable tree, for people.

Each line names a parameter, what it is drawn from, and what it is for (a dict key, a position); options of a choice
are indented below it. Constants are shown by value or, where that would show an address, by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpspace.graph.evaluate import evaluate
from hpspace.graph.node import Literal, Node
from hpspace.space.activity import selecting_param
from hpspace.space.faults import builder_name, label_of, params_below
from hpspace.space.fidelity import is_fidelity, varies
from hpspace.space.params import NO_DEFAULT, Param
from hpspace.space.schema import arguments, items, short

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace


def tree(space: CompiledSpace) -> str:
    """Return the space as an indented tree; see `CompiledSpace.describe`."""
    size = space.cardinality()
    count = "infinitely many configurations" if size == math.inf else f"{size:,} configurations"
    head = f"{len(space)} parameters, {count}"
    seen: set[Node] = set()
    return "\n".join([head, *(f"  {line}" for line in _lines(space, space.expr, "", seen))])


def _lines(space: CompiledSpace, node: Node, prefix: str, seen: set[Node]) -> Iterator[str]:
    """Yield the lines of a node; `prefix` is what stands before it, such as a dict key."""
    param = selecting_param(node)
    if isinstance(node, Literal):
        yield f"{prefix}{short(node.obj)}"
    elif is_fidelity(node):
        yield f"{prefix}{label_of(node)} = {space.fidelity}"
    elif not varies(node):
        yield f"{prefix}{short(evaluate(node))}"
    elif param is not None:
        yield f"{prefix}{_param_line(space[label_of(param)], param in seen)}"
        seen.add(param)
    elif node.name == "switch" and selecting_param(node.args[0]) is not None:
        yield from _switch_lines(space, node, prefix, seen)
    elif node.name in ("dict", "namedtuple", "pos_args", "list"):
        yield from _container_lines(space, node, prefix, seen)
    else:
        yield f"{prefix}{node.name}(...) of"
        for child in node.inputs():
            yield from (f"  {line}" for line in _lines(space, child, "", seen))


def _switch_lines(space: CompiledSpace, node: Node, prefix: str, seen: set[Node]) -> Iterator[str]:
    selector = selecting_param(node.args[0])
    assert selector is not None  # asked for by the caller
    if not any(params_below(option) for option in node.args[1:]):
        yield f"{prefix}{_param_line(space[label_of(selector)], selector in seen)}"
        seen.add(selector)
        return
    param = space[label_of(selector)]
    yield f"{prefix}{param.label}: one of {len(node.args) - 1}{_odds(param)}{_default(param)}"
    seen.add(selector)
    for k, option in enumerate(node.args[1:]):
        yield from (f"  {line}" for line in _lines(space, option, f"[{k}] ", seen))


def _container_lines(space: CompiledSpace, node: Node, prefix: str, seen: set[Node]) -> Iterator[str]:
    if prefix.strip():
        yield prefix.rstrip()
    for key, child in items(node):
        yield from (
            f"  {line}" if prefix.strip() else line for line in _lines(space, child, f"{key}: ", seen)
        )


def _param_line(param: Param, again: bool) -> str:
    if again:
        return f"{param.label} (the same parameter as above)"
    return f"{param.label} ~ {law(param)}{_default(param)}"


def law(param: Param) -> str:
    """Return a parameter's distribution as text."""
    if param.options is not None:
        return "{" + ", ".join(short(option) for option in param.options) + "}" + _odds(param)
    if param.dist is not None:
        usual = {p.name: p.default for p in param.dist.parameters() if p.name in ("log", "step")}
        given = {k: v for k, v in arguments(param).items() if k not in usual or v != usual[k]}
        return f"{builder_name(param.name)}({', '.join(f'{k}={short(v)}' for k, v in given.items())})"
    return f"{builder_name(param.name)}(... depends on {', '.join(param.depends_on)})"


def _odds(param: Param) -> str:
    p = arguments(param).get("p") if param.dist is not None else None
    return f" with p={[round(x, 4) for x in p]}" if p is not None else ""


def _default(param: Param) -> str:
    return "" if param.default is NO_DEFAULT else f" (default {short(param.default)})"
