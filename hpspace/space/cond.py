"""Conditions of parameters in the form that Hyperopt's integrations read.

`expr_to_config` and `Cond` are Hyperopt's names for what a `CompiledSpace` knows as `Param.conditions`, and
`dot_hyperparameters` draws them. New code asks the compiled space (`describe`, `to_dot`, `space[label].conditions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hpspace.space.compile import compile_space
from hpspace.space.compiled import CompiledSpace
from hpspace.space.params import Clause


@dataclass(frozen=True)
class Cond:
    """A condition on one parameter.

    Parameters
    ----------
    name : str
        Label of the parameter.
    val : object
        What its value is compared with.
    op : str
        The comparison, such as ``"="``.

    Examples
    --------
    >>> Cond("c", 0, "=")
    Cond{c = 0}
    """

    name: str
    val: Any
    op: str

    def __repr__(self) -> str:
        return f"Cond{{{self.name} {self.op} {self.val}}}"


def EQ(name: str, val: Any) -> Cond:
    """Return the condition that a parameter has a value.

    Parameters
    ----------
    name : str
        Label of the parameter.
    val : object
        The value; for a choice the option's index.

    Returns
    -------
    Cond

    Examples
    --------
    >>> EQ("c", 0) == Cond("c", 0, "=")
    True
    """
    return Cond(name, val, "=")


def expr_to_config(expr: Any, conditions: tuple[Any, ...] | None, hps: dict[str, Any]) -> None:
    """Fill a dict with the parameters of a space and the conditions under which they are active.

    Parameters
    ----------
    expr : object
        The space.
    conditions : tuple or None
        Conditions that hold for the whole of it; they head each condition found.
    hps : dict
        Filled in place: label to ``{"node", "conditions", "label"}``, where "node" is the node of the
        distribution and "conditions" a set of tuples of `Cond`, any of which makes the parameter active. A
        parameter that every option of a choice leads to does not depend on that choice.

    Examples
    --------
    >>> from hpspace import hp
    >>> hps = {}
    >>> expr_to_config(hp.choice("c", [1, hp.uniform("x", 0, 1)]), (), hps)
    >>> hps["x"]["conditions"]
    {(Cond{c = 1},)}
    """
    space = compile_space(expr)
    for param in space.params:
        alternatives = {(*(conditions or ()), *_conds(space, clauses)) for clauses in param.conditions}
        entry = hps.setdefault(
            param.label, {"node": param.dist_node, "conditions": set(), "label": param.label}
        )
        entry["conditions"] |= alternatives


def _conds(space: CompiledSpace, clauses: tuple[Clause, ...]) -> tuple[Cond, ...]:
    """Clauses as conditions, outer choices first."""
    depth = {label: i for i, label in enumerate(space.labels)}
    ordered = sorted(clauses, key=lambda clause: depth.get(clause[0], len(depth)))
    return tuple(EQ(name, index) for name, index in ordered)


def dot_hyperparameters(expr: Any) -> str:
    """Return Graphviz source that shows which parameter depends on which choice.

    Parameters
    ----------
    expr : object
        The space.

    Returns
    -------
    str
        A box a label, an ellipse a condition (``c=0``, joined by ``&``), edges parent -> condition -> child.

    Examples
    --------
    >>> from hpspace import hp
    >>> print(dot_hyperparameters(hp.choice("c", [1, hp.uniform("x", 0, 1)])))
    digraph {
    "c" [ shape=box];
    "x" [ shape=box];
    "c=1" [ shape=ellipse];
    "c" -> "c=1";
    "c=1" -> "x";
    }
    """
    hps: dict[str, Any] = {}
    expr_to_config(expr, (), hps)
    lines = [f"{_quoted(label)} [ shape=box];" for label in hps]
    for label, entry in hps.items():
        for conds in sorted(entry["conditions"], key=str):
            lines += _condition_lines(conds, label) if conds else []
    return "\n".join(["digraph {", *dict.fromkeys(lines), "}"])


def _condition_lines(conds: tuple[Cond, ...], label: str) -> list[str]:
    """Return the ellipses of one condition, the edges that lead to them, and the edge to the child."""
    joined = " & ".join(_text(cond) for cond in conds)
    lines = [f"{_quoted(joined)} [ shape=ellipse];"]
    for cond in conds:
        lines += [
            f"{_quoted(_text(cond))} [ shape=ellipse];",
            f"{_quoted(cond.name)} -> {_quoted(_text(cond))};",
        ]
        if len(conds) > 1:
            lines.append(f"{_quoted(_text(cond))} -> {_quoted(joined)};")
    return [*lines, f"{_quoted(joined)} -> {_quoted(label)};"]


def _text(cond: Cond) -> str:
    return f"{cond.name}{cond.op}{cond.val}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
