"""Expressions as text: the numbered listing, one-line names for messages, and Graphviz source.

The listing is a stable format: one line a node, numbered from 0, inputs indented by two columns below their user,
a keyword on its own line, and a node that was listed before shown once more by name with ``[line:n]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hpspace.graph.node import Literal, Node
from hpspace.graph.walk import clients

#: Columns of indentation up to which the listing draws depth by position; deeper lines state their depth.
MAX_INDENT = 120


def dump(root: Node, indent: int = 0) -> str:
    """Return the numbered listing of an expression.

    Parameters
    ----------
    root : Node
        The expression.
    indent : int
        Columns before the root.

    Examples
    --------
    >>> from hpspace.graph import as_apply, scope
    >>> x = as_apply(5)
    >>> print(dump(as_apply({"a": x + x, "b": [scope.int(x)]})))
    0 dict
    1  a =
    2   add
    3     Literal{5}
    4     Literal{5}  [line:3]
    5  b =
    6   pos_args
    7     int
    8       Literal{5}  [line:3]
    """
    lines: list[str] = []
    line_of: dict[Node, int] = {}
    rest: list[Iterator[tuple[str | None, Node]]] = [iter([(None, root)])]
    while rest:
        for keyword, node in rest[-1]:
            column = indent + 2 * (len(rest) - 1)
            if keyword is not None:
                lines.append(_line(len(lines), column - 1, f"{keyword} ="))
            if node in line_of:
                lines.append(_line(len(lines), column, f"{_title(node)}  [line:{line_of[node]}]"))
                continue
            line_of[node] = len(lines)
            lines.append(_line(len(lines), column, _title(node)))
            rest.append(_roles(node))
            break
        else:
            rest.pop()
    return "\n".join(lines)


def _roles(node: Node) -> Iterator[tuple[str | None, Node]]:
    """Yield the inputs of a node with their keyword, None for positional ones."""
    for child in node.args:
        yield None, child
    for keyword, child in node.named_args:
        yield keyword, child


def _line(number: int, column: int, text: str) -> str:
    """Return one line of the listing; its length does not grow with depth for ever."""
    if column <= MAX_INDENT:
        return f"{number} {' ' * column}{text}"
    return f"{number} {' ' * MAX_INDENT}(depth {column // 2}) {text}"


def _title(node: Node) -> str:
    """Return what the listing says of a node itself."""
    if not isinstance(node, Literal):
        return node.name
    if isinstance(node.obj, np.ndarray):
        return f"Literal{{{_array(node.obj)}}}"
    return f"Literal{{{_text(node.obj, str)}}}"


def _array(array: np.ndarray[Any, Any]) -> str:
    """Return a short text for an array: its shape, and its range where it has one."""
    text = f"np.ndarray,shape={array.shape}"
    if array.size and np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array):
        text += f",min={array.min():f},max={array.max():f}"
    return text


def _text(obj: Any, render: Callable[[Any], str], width: int = 200) -> str:
    """Return a constant's own text on one line of at most `width` characters."""
    try:
        text = render(obj)
    except Exception:  # noqa: BLE001 - the text of a user's object must not hide the error that it is wanted for
        text = f"<{type(obj).__name__} object>"
    text = text.replace("\n", " ")
    return text if len(text) <= width else text[: width - 3] + "..."


def brief(node: Node) -> str:
    """Return a node as one short line for messages: its name, and its inputs' names or values.

    Examples
    --------
    >>> from hpspace.graph import scope
    >>> brief(scope.float(scope.hyperopt_param("lr", 0.1)))
    "float(hyperopt_param 'lr')"
    """
    if isinstance(node, Literal) or node.name == "hyperopt_param":
        return _mention(node)
    inputs = [_mention(child) if key is None else f"{key}={_mention(child)}" for key, child in _roles(node)]
    shown = [*inputs[:4], "..."] if len(inputs) > 5 else inputs
    return f"{node.name}({', '.join(shown)})"


def _mention(node: Node) -> str:
    """Return a node as a word or two: a value, a parameter's label, or the operation."""
    if isinstance(node, Literal):
        return _array(node.obj) if isinstance(node.obj, np.ndarray) else _text(node.obj, repr, 40)
    if node.name == "hyperopt_param" and node.args and isinstance(node.args[0], Literal):
        return f"hyperopt_param {node.args[0].obj!r}"
    return f"{node.name}(...)"


def to_dot(root: Node) -> str:
    """Return Graphviz source: a box a node, an edge from each input to its user, marked with the role.

    Examples
    --------
    >>> from hpspace.graph import as_apply
    >>> print(to_dot(as_apply(1) + 2))
    digraph {
      n0 [label="Literal{1}"];
      n1 [label="Literal{2}"];
      n2 [label="add"];
      n0 -> n2 [label="0"];
      n1 -> n2 [label="1"];
    }
    """
    users = clients(root)
    number = {node: i for i, node in enumerate(users)}
    boxes = [f"  n{i} [label={_quoted(_title(node))}];" for node, i in number.items()]
    edges = [
        f"  n{number[node]} -> n{number[user]} [label={_quoted(str(role))}];"
        for node, uses in users.items()
        for user, role in uses
    ]
    return "\n".join(["digraph {", *boxes, *edges, "}"])


def _quoted(text: str) -> str:
    """Return a string in Graphviz's quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
