"""Where the expression graph meets distributions: random draws as graph operations.

Importing this module registers an operation on `scope` for every registered distribution (``scope.uniform``,
``scope.quniform``, ...) and for Hyperopt's ``choice`` and ``one_of``. Each draws one value when evaluated with the
keyword ``rng=``; inside a search space they stand under a label, and then a trial's value is bound instead of drawn.

`sample` is what Hyperopt's users know as ``pyll.stochastic.sample``: one point of an expression, labelled or not.
Searches do not go through it; they draw whole columns with `CompiledSpace.sample`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from hpspace import dists
from hpspace.exceptions import Fault, InvalidDistribution, UnlabelledDraw, raise_faults
from hpspace.graph.build import as_apply
from hpspace.graph.evaluate import rec_eval
from hpspace.graph.node import Literal, Node
from hpspace.graph.primitives import scope
from hpspace.graph.rewrite import substitute
from hpspace.graph.walk import dfs


def draw(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], rng: Any, size: Any) -> Any:
    """Draw from a registered distribution.

    Parameters
    ----------
    name : str
        Registered name, such as ``"uniform"``.
    args, kwargs : tuple, dict
        Its arguments, as in a call.
    rng : numpy.random.Generator
        The source of randomness.
    size : int, tuple of int, or None
        Shape of the draw; None for one plain Python number.

    Returns
    -------
    float, int or array

    Raises
    ------
    InvalidDistribution
        If the arguments describe no distribution.
    UnlabelledDraw
        If there is no `rng`.
    """
    if rng is None:
        fix = f"write hp.{name}(label, ...), or pass rng=Generator if it is meant as noise"
        raise UnlabelledDraw(Fault(UnlabelledDraw, f"{name}(...) has neither a label nor an rng", fix=fix))
    dist = checked(name, args, kwargs)
    count = 1 if size is None else int(np.prod(size))
    values = dist.sample(rng, count)
    if size is None:
        return dist.to_python(values[0])
    typed = values.astype(np.int64) if dist.is_integer else values
    return typed.reshape(size)


def checked(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], label: str | None = None
) -> dists.Distribution:
    """Bind arguments, validate them and make the distribution.

    Raises
    ------
    InvalidDistribution
        All findings at once.
    """
    bound, findings = dists.bind(name, args, kwargs)
    findings = list(findings) or list(dists.get(name).faults(bound))
    raise_faults(
        [
            Fault(InvalidDistribution, f"{name}: {argument}={value!r}: {problem}", label, None, value, fix)
            for argument, value, problem, fix in findings
        ]
    )
    return dists.build(name, bound)


def _operation(name: str) -> Callable[..., Any]:
    """Return the function behind ``scope.<name>``."""

    def operation(*args: Any, rng: Any = None, size: Any = None, **kwargs: Any) -> Any:
        return draw(name, args, kwargs, rng, size)

    operation.__signature__ = _signature(name)  # type: ignore[attr-defined]
    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = f"Draw from the distribution {name!r}; see `hpspace.dists`."
    return operation


def _signature(name: str) -> inspect.Signature:
    """Return the named parameters of a draw, by which ``node.arg`` finds its inputs; other keywords pass."""
    kinds, parameters = inspect.Parameter, []
    default: Any = kinds.empty
    for parameter in dists.get(name).parameters():
        if parameter.default is not dists.REQUIRED:
            default = parameter.default
        elif default is not kinds.empty:  # the `high` of randint(upper)
            default = None
        parameters.append(kinds(parameter.name, kinds.POSITIONAL_OR_KEYWORD, default=default))
    source = [kinds(keyword, kinds.KEYWORD_ONLY, default=None) for keyword in ("rng", "size")]
    return inspect.Signature([*parameters, *source, kinds("others", kinds.VAR_KEYWORD)])


def choice(options: Any, rng: Any = None, size: Any = None) -> Any:
    """Draw one of `options` uniformly (an array of them when `size` is given)."""
    index = draw("randint", (len(options),), {}, rng, size)
    return options[index] if size is None else np.asarray(options)[index]


def one_of(*options: Any, rng: Any = None, size: Any = None) -> Any:
    """Draw one of the arguments uniformly."""
    return choice(options, rng=rng, size=size)


for _name in dists.names():
    scope.define_stochastic(_operation(_name))
scope.define_stochastic(choice)
scope.define_stochastic(one_of)

#: Names of the operations that draw: what Hyperopt calls implicitly stochastic.
implicit_stochastic_symbols: set[str] = scope.drawing


def implicit_stochastic(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a function on `scope` takes ``rng=`` and draws from it; use it below ``@scope.define``.

    Parameters
    ----------
    fn : callable
        Has a keyword ``rng``.

    Returns
    -------
    callable
        `fn` itself.
    """
    implicit_stochastic_symbols.add(fn.__name__)
    return fn


def recursive_set_rng_kwarg(expr: Any, rng: Any = None) -> Node:
    """Give every draw of an expression a source of randomness.

    Parameters
    ----------
    expr : object
        An expression, or containers of such.
    rng : numpy.random.Generator or Node, optional
        The source; a node such as ``scope.rng_from_seed(5)`` is allowed. Default: a fresh Generator.

    Returns
    -------
    Node
        A new graph. Nodes are frozen, so the argument is not changed (in Hyperopt it is).
    """
    root = as_apply(expr)
    source = rng if isinstance(rng, Node) else Literal(np.random.default_rng() if rng is None else rng)
    mapping = {node: _with_rng(node, source) for node in dfs(root) if _wants_rng(node)}
    return substitute(root, mapping)


def _wants_rng(node: Node) -> bool:
    return node.name in implicit_stochastic_symbols and "rng" not in node.kwargs


def _with_rng(node: Node, source: Node) -> Node:
    named = [*node.named_args, ["rng", source]]
    return Node(node.name, node.args, named, o_len=node.o_len, pure=node.pure)


def sample(expr: Any, rng: Generator | int | None = None, **rec_eval_kwargs: Any) -> Any:
    """Draw one point of a space, as the objective would see it.

    Parameters
    ----------
    expr : object
        A search space: containers, ``hp.*`` expressions, constants. Unlabelled draws are allowed here.
    rng : numpy.random.Generator or int, optional
        Source of randomness. Default: a fresh Generator.
    **rec_eval_kwargs
        Passed on to `rec_eval`.

    Returns
    -------
    object
        The space with every expression replaced by a value. A node that occurs twice is drawn once.

    Examples
    --------
    >>> from hpspace import hp
    >>> sample({"units": hp.int("units", 8, 9)}, rng=3)["units"] in (8, 9)
    True
    """
    source = np.random.default_rng(rng)
    return rec_eval(recursive_set_rng_kwarg(expr, source), **rec_eval_kwargs)
