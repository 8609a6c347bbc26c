"""The evaluator: the value of an expression, lazily and without recursion.

Each node is computed at most once. A lazy operation (``switch``) is given the value of its first input and answers with
the input that is its value; no other branch is touched. A function that returns a node has that node evaluated in its
place, which is also how ``switch`` and recursive :class:`Lambda` functions work. Values are kept in a copy of the memo,
so an evaluation leaves no trace.

:func:`evaluate` is what the library calls for each trial; :func:`rec_eval` is the same with Hyperopt's signature.
An exception raised by a function passes through unchanged, with a note that names the node (Python 3.11 and later).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpspace.graph.build import as_apply
from hpspace.graph.node import Literal, Node
from hpspace.graph.primitives import scope
from hpspace.graph.show import brief, dump
from hpspace.graph.walk import toposort

logger = logging.getLogger(__name__)

#: Nodes that may wait for their inputs at once, beside one for each input that the expression has.
DEFAULT_MAX_PROGRAM_LEN = 100_000

#: Sees, and may replace, the values a function is about to be called with: (node, args, kwargs) -> (args, kwargs).
Hook = Callable[[Node, list[Any], dict[str, Any]], tuple[list[Any], dict[str, Any]]]


class GarbageCollected:
    """In a memo: the value of this node is not known, and needing it is an error."""


class _Missing:
    """Marks an input that has no value yet."""


def evaluate(root: Node, memo: Mapping[Node, Any] | None = None) -> Any:
    """Return the value of an expression.

    Parameters
    ----------
    root : Node
        The expression.
    memo : mapping of Node to object, optional
        Values that are known already; `GarbageCollected` for a value that must not be needed. It is not changed.

    Raises
    ------
    TypeError
        If the value of a node marked `GarbageCollected` is needed.
    Exception
        Whatever a function raises.

    Examples
    --------
    >>> from hpspace.graph import as_apply, scope
    >>> x = as_apply(1)
    >>> space = {"x": x, "y": scope.switch(x, "zero", ["one", x + 1])}
    >>> evaluate(as_apply(space)), evaluate(as_apply(space), {x: 0})
    ({'x': 1, 'y': ('one', 2)}, {'x': 0, 'y': 'zero'})
    """
    values = dict(memo) if memo else {}  # a copy, which the evaluation fills
    return _run(root, values, _refuse_unknown if _has_unknown(values) else None)


def rec_eval(
    expr: Any,
    deepcopy_inputs: bool = False,
    memo: Mapping[Node, Any] | None = None,
    max_program_len: int | None = None,
    memo_gc: bool = True,
    print_trace: bool = False,
    print_node_on_error: bool = True,
) -> Any:
    """Return the value of an expression; Hyperopt's signature of :func:`evaluate`.

    Parameters
    ----------
    expr : object
        The expression, or anything that `as_apply` makes one of.
    deepcopy_inputs : bool
        Call each function with deep copies, so that none can change another's arguments.
    memo : mapping of Node to object, optional
        Values that are known already. It is not changed.
    max_program_len : int or None
        Most nodes that may wait for their inputs at once. By default 100 000, more in a larger expression.
    memo_gc : bool
        Ignored: values are freed when the evaluation ends.
    print_trace : bool
        Log each call at level INFO.
    print_node_on_error : bool
        On an exception, log the failing node at level ERROR.

    Raises
    ------
    ValueError
        If `deepcopy_inputs` is no bool (a memo passed by position, most likely).
    RuntimeError
        If more than `max_program_len` nodes wait.
    """
    if deepcopy_inputs not in (0, 1):
        raise ValueError("deepcopy_inputs should be bool", deepcopy_inputs)
    hooks: list[Hook] = [_refuse_unknown] if memo and _has_unknown(memo) else []
    if deepcopy_inputs:
        hooks.append(_deepcopy)
    if print_trace:
        hooks.append(_trace)
    hook = _chain(hooks) if hooks else None
    return _run(as_apply(expr), dict(memo or {}), hook, max_program_len, print_node_on_error)


def _run(
    root: Node, values: dict[Node, Any], hook: Hook | None, limit: int | None = None, log: bool = False
) -> Any:
    """Compute `root`, filling `values`. The one loop: kept flat, because every trial of every search runs it."""
    if type(root) is Literal and root not in values:
        return root._obj
    get = values.get
    functions, lazy = scope._impls, scope._lazy
    answers: dict[Node, Node] = {}  # a node whose function returned a node -> that node
    stack = [] if root in values else [root]
    node = root
    room = DEFAULT_MAX_PROGRAM_LEN if limit is None else limit
    try:
        while stack:
            node = stack[-1]
            if node in values:
                stack.pop()
                continue
            if len(stack) > room:
                room = _more_room(root, limit, room)
            if answers and node in answers:
                values[node] = values[answers[node]]
                continue
            missing: list[Node] = []
            args: list[Any] = []
            kwargs: dict[str, Any] = {}
            name = node.name
            selects = name in lazy
            for child in node.args[:1] if selects else node.args:
                value = get(child, _Missing)
                if value is _Missing:
                    if type(child) is Literal:
                        value = child._obj
                    else:
                        missing.append(child)
                args.append(value)
            for keyword, child in node.named_args:
                value = get(child, _Missing)
                if value is _Missing:
                    if type(child) is Literal:
                        value = child._obj
                    else:
                        missing.append(child)
                kwargs[keyword] = value
            if missing:
                missing.reverse()
                stack += missing
                continue
            if selects:
                args += node.args[1:]
            elif hook is not None:
                args, kwargs = hook(node, args, kwargs)
            value = functions[name](*args, **kwargs)
            if isinstance(value, Node):
                if type(value) is not Literal or value in values:
                    answers[node] = value
                    stack.append(value)
                    continue
                value = value._obj
            values[node] = value
            stack.pop()
    except Exception as error:
        _explain(error, node, log)
        raise
    value = values[root]
    if value is GarbageCollected:
        raise TypeError(f"the value of {brief(root)} is wanted, which is GarbageCollected: not known")
    return value


def _more_room(root: Node, limit: int | None, room: int) -> int:
    """Return how many nodes may wait at once, when more than `room` do; raise when no finite graph needs as many.

    Raises
    ------
    RuntimeError
        If a limit was asked for, or functions that return expressions go on doing so.
    networkx.NetworkXUnfeasible
        If the expression uses itself.
    """
    needed = DEFAULT_MAX_PROGRAM_LEN + sum(len(node.inputs()) for node in toposort(root))
    if limit is not None or room >= needed:
        raise RuntimeError(f"more than {room} nodes wait for their inputs: an endless recursion, probably")
    return needed


def _explain(error: Exception, node: Node, log: bool) -> None:
    """Say which node an exception comes from: in a note where Python has them, in the log if asked for."""
    if hasattr(error, "add_note"):
        error.add_note(f"hpspace: while evaluating {brief(node)}")
        if node.name not in scope:
            error.add_note(f"hpspace: scope has no {node.name!r} here; scope.define it in every process")
    if log:
        logger.error("evaluation failed: %r while evaluating\n%s", error, dump(node))


def _has_unknown(memo: Mapping[Node, Any]) -> bool:
    """Whether a memo marks values as unknown; the check of each call's arguments is paid for only then."""
    return any(value is GarbageCollected for value in memo.values())


# -- hooks ---------------------------------------------------------------------------------------------------


def _refuse_unknown(node: Node, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Raise if a function is about to be called with a value that the memo declared unknown."""
    named = [(child, kwargs[keyword]) for keyword, child in node.named_args]
    for child, value in [*zip(node.args, args), *named]:
        if value is GarbageCollected:
            raise TypeError(
                f"{node.name} needs the value of {brief(child)}, which is GarbageCollected: the point has no "
                "value for it; give one for every active label"
            )
    return args, kwargs


def _deepcopy(node: Node, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Replace the arguments of a call by deep copies; one object given twice stays one object."""
    return copy.deepcopy((args, kwargs))


def _trace(node: Node, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Log a call."""
    logger.info("evaluating %s with %r %r", brief(node), args, kwargs)
    return args, kwargs


def _chain(hooks: Sequence[Hook]) -> Hook:
    """Return the hook that applies several in order."""

    def apply_all(node: Node, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        for hook in hooks:
            args, kwargs = hook(node, args, kwargs)
        return args, kwargs

    return apply_all
