"""A compiled space as a graph: which parameters decide about which, for networkx, Graphviz and Mermaid.

Nodes are labels. An edge leads from a selector to the parameters that some of its options make active, and from a
parameter to those whose distribution depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hpspace.space.describe import law
from hpspace.space.schema import fidelity_json, param_json

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace


def to_networkx(space: CompiledSpace) -> Any:
    """Return the parameters as a directed graph; see `CompiledSpace.to_networkx`.

    Nodes are labels, with the attributes of their JSON description; the resource is one of them, without edges. An
    edge leads from a selector to each parameter that it makes active (attribute ``options``: a sorted list of indices)
    and from a parameter to those whose distribution depends on it (attribute ``argument``: True).
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for param in space.params:
        graph.add_node(param.label, **param_json(param))
    if space.fidelity is not None:
        graph.add_node(space.fidelity.label, **fidelity_json(space.fidelity), kind="resource")
    for parent, child, options in _edges(space):
        if options is None:
            graph.add_edge(parent, child, argument=True)
        else:
            graph.add_edge(parent, child, options=options)
    return graph


def _edges(space: CompiledSpace) -> Iterator[tuple[str, str, list[int] | None]]:
    """Yield (parent, child, options of the parent that lead to the child; None for a dependent distribution)."""
    for param in space.params:
        options: dict[str, set[int]] = {}
        for clauses in param.conditions:
            for name, index in clauses:
                options.setdefault(name, set()).add(index)
        for name, indices in options.items():
            if name in space:
                yield name, param.label, sorted(indices)
        for name in param.depends_on:
            if name not in options:
                yield name, param.label, None


def _edge_text(options: list[int] | None) -> str:
    return "argument" if options is None else "= " + ", ".join(map(str, options))


def to_dot(space: CompiledSpace) -> str:
    """Return Graphviz source; see `CompiledSpace.to_dot`."""
    lines = ["digraph space {", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f"  {_dot(param.label)} [label={_dot(param.label, law(param))}];" for param in space.params]
    if space.fidelity is not None:
        label = space.fidelity.label
        lines.append(f"  {_dot(label)} [label={_dot(label, str(space.fidelity))}, style=dashed];")
    lines += [
        f"  {_dot(parent)} -> {_dot(child)} [label={_dot(_edge_text(options))}];"
        for parent, child, options in _edges(space)
    ]
    return "\n".join([*lines, "}"])


def _dot(*texts: str) -> str:
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '"' + "\\n".join(escaped) + '"'


def to_mermaid(space: CompiledSpace) -> str:
    """Return Mermaid source; see `CompiledSpace.to_mermaid`."""
    lines = ["flowchart LR"]
    for i, param in enumerate(space.params):
        lines.append(f'  p{i}["{_mermaid(param.label)}<br/>{_mermaid(law(param))}"]')
    if space.fidelity is not None:
        lines.append(f'  r(["{_mermaid(space.fidelity.label)}<br/>{_mermaid(str(space.fidelity))}"])')
    for parent, child, options in _edges(space):
        text = _mermaid(_edge_text(options))
        lines.append(f'  p{space.index[parent]} -->|"{text}"| p{space.index[child]}')
    return "\n".join(lines)


def _mermaid(text: str) -> str:
    """Escape what Mermaid would read as markup."""
    for plain, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, entity)
    return text
