"""numpy values to plain Python ones, so that a trial document holds nothing but what any reader understands.

Objectives and algorithms hand over numpy scalars and arrays; documents are pickled, shown, compared and
sent to databases, where a plain number is the safer thing. Unlike Hyperopt's function of that name nothing
is refused: an object that is no numpy value stays what it is. Called when a document is inserted.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def SONify(arg: Any, memo: dict[int, Any] | None = None) -> Any:
    """Copy nested containers with every numpy value replaced by its plain Python equal.

    Parameters
    ----------
    arg : object
        A value, or dicts, lists and tuples of values nested to any depth.
    memo : dict, optional
        Containers already converted, by `id`; callers have no need of it.

    Returns
    -------
    object
        The same nesting in new containers. Tuples stay tuples; other objects are passed through untouched.

    Examples
    --------
    >>> import numpy as np
    >>> SONify({"a": np.float32(1.5), "b": (np.bool_(True), np.arange(2))})
    {'a': 1.5, 'b': (True, [0, 1])}
    """
    memo = {} if memo is None else memo
    if id(arg) in memo:
        return memo[id(arg)]
    if isinstance(arg, dict):
        out: dict[Any, Any] = {}
        memo[id(arg)] = out
        out.update((plain(key), SONify(value, memo)) for key, value in arg.items())
        return out
    if type(arg) is list:
        items: list[Any] = []
        memo[id(arg)] = items
        items.extend(SONify(item, memo) for item in arg)
        return items
    if type(arg) is tuple:
        return tuple(SONify(item, memo) for item in arg)
    return plain(arg)


def plain(value: Any) -> Any:
    """Replace one numpy scalar or array by its Python equal; return anything else untouched.

    Parameters
    ----------
    value : object
        Any object; containers are not entered.

    Returns
    -------
    object
        A Python number, str, bytes or (for an array with axes) nested list; else `value` itself.
    """
    if isinstance(value, np.floating):
        return float(value)  # .item() would leave a long double as it is
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def sonify_in_place(value: Any) -> Any:
    """Replace numpy values inside dicts and lists without replacing the containers.

    A document keeps its identity this way: whoever inserted it may go on editing the object it holds.

    Parameters
    ----------
    value : object
        A document or part of one.

    Returns
    -------
    object
        `value` itself if it is a dict or list, else what it is to be replaced by.
    """
    return _in_place(value, set())


def _in_place(value: Any, seen: set[int]) -> Any:
    if isinstance(value, (dict, list)):
        if id(value) not in seen:
            seen.add(id(value))
            _replace_items(value, seen)
        return value
    if type(value) is tuple:
        items = [_in_place(item, seen) for item in value]
        return value if all(new is old for new, old in zip(items, value)) else tuple(items)
    return plain(value)


def _replace_items(container: dict[Any, Any] | list[Any], seen: set[int]) -> None:
    pairs = container.items() if isinstance(container, dict) else enumerate(container)
    for key, item in list(pairs):
        new = _in_place(item, seen)
        if new is not item:
            container[key] = new
