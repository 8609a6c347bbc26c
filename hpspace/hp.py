"""The builders of search spaces: what users write.

Every function takes a label, unique in the space, and returns an expression that stands for a value of the
distribution. Nothing is drawn and nothing is judged here: a call is recorded as it was written, misspelt arguments
included, and `compile_space` (which `fmin` calls first) reports everything that is wrong with the whole space at once.

Two families. The first twelve are Hyperopt's, with Hyperopt's exact meaning and its quirks, which the docstrings
name. `float`, `int`, `categorical` and `ordinal` are plain: bounds in the value's own units, both inclusive, uniform
mass, exact Python types.

Every builder takes the keyword ``default=``: the value to try first (a choice's option or, failing that, its index).
"""

from __future__ import annotations

import builtins
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from hpspace.dists import Distribution
from hpspace.graph.build import as_apply
from hpspace.graph.node import Literal, Node
from hpspace.graph.primitives import scope
from hpspace.space import fidelity as _fidelity
from hpspace.space import stochastic  # noqa: F401  (registers the distributions on scope)

__all__ = [
    "choice", "pchoice", "randint", "uniform", "uniformint", "quniform", "loguniform", "qloguniform",
    "normal", "qnormal", "lognormal", "qlognormal",
    "float", "int", "categorical", "ordinal", "param", "fidelity",
]  # fmt: skip

Number = builtins.float | Node
"""A number, or an expression of other parameters."""

F = TypeVar("F", bound=Callable[..., Node])

_UNSET: Any = inspect.Parameter.empty


def validate_label(label: Any) -> Any:
    """Return `label` if it can name a parameter.

    Raises
    ------
    TypeError
        If it is neither text nor a literal that holds text.
    """
    text = label.obj if isinstance(label, Literal) else label
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"require string label: a parameter is named by a string, got {label!r}")
    return label


def _labelled(label: Any, dist: Node, default: Any = _UNSET) -> Node:
    named = [] if default is _UNSET else [["default", Literal(default)]]
    return Node("hyperopt_param", [as_apply(validate_label(label)), dist], named)


def _call(name: builtins.str, args: Sequence[Any], kwargs: Mapping[builtins.str, Any]) -> Node:
    """Return the node of a call, with its arguments as they were written."""
    return Node(name, [as_apply(arg) for arg in args], [[k, as_apply(v)] for k, v in kwargs.items()])


def _split(args: tuple[Any, ...], kwargs: dict[builtins.str, Any]) -> tuple[Any, tuple[Any, ...], Any]:
    """Take the label and the default out of a builder's arguments."""
    default = kwargs.pop("default", _UNSET)
    if "label" in kwargs:
        return kwargs.pop("label"), args, default
    if not args:
        raise TypeError("require string label: the first argument names the parameter")
    return args[0], args[1:], default


def _builder(name: builtins.str, *casts: builtins.str, **fixed: Any) -> Callable[[F], F]:
    """Make a builder from a signature and its docstring.

    The decorated body is never run: it only declares the signature, for editors and type checkers. Arguments are
    recorded as given, so that `compile_space` can report every mistake of a space together, with its place.

    Parameters
    ----------
    name : str
        Registered name of the distribution.
    *casts : str
        Operations around the parameter, innermost first: ``"float"``, ``"int"``.
    **fixed
        Arguments of the distribution that the builder sets itself.
    """

    def decorate(declared: F) -> F:
        @functools.wraps(declared)
        def build(*args: Any, **kwargs: Any) -> Node:
            label, rest, default = _split(args, kwargs)
            node = _labelled(label, _call(name, rest, {**kwargs, **fixed}), default)
            for cast_name in casts:
                node = Node(cast_name, [node])
            return node

        return cast(F, build)

    return decorate


def _options(options: Any) -> list[Any]:
    """Return the options of a choice as a list; a dict gives its keys.

    Raises
    ------
    TypeError
        If they have no length, as a generator.
    """
    if not hasattr(options, "__len__"):
        raise TypeError(f"the options of a choice need a length, got {type(options).__name__}; pass a list")
    return [*options]


def _pair(label: Any, position: builtins.int, pair: Any) -> tuple[Any, Any]:
    """Return one entry of `pchoice` as (probability, option).

    Raises
    ------
    TypeError
        If it is no pair.
    """
    if isinstance(pair, (str, bytes)) or not hasattr(pair, "__len__") or len(pair) != 2:
        raise TypeError(
            f"hp.pchoice({label!r}): entry {position} is {pair!r}; write a pair (probability, option), "
            "or use hp.choice for equal probabilities"
        )
    probability, option = pair
    return probability, option


def choice(label: builtins.str, options: Any, *, default: Any = _UNSET) -> Node:
    """One of several options, each equally likely.

    Parameters
    ----------
    label : str
        Name of the choice. A trial records the option's index under it.
    options : sized iterable
        The options: constants, or parts of the space with parameters of their own, which are active only when their
        option is taken. A dict gives its keys.
    default : object, optional
        The option (or its index) to try first.

    Returns
    -------
    Node
        The chosen option.

    Examples
    --------
    >>> from hpspace import hp, space_eval
    >>> space = hp.choice("kernel", ["linear", {"rbf": hp.uniform("width", 0, 1)}])
    >>> space_eval(space, {"kernel": 1, "width": 0.5})
    {'rbf': 0.5}
    """
    items = _options(options)
    selector = _labelled(label, _call("randint", [len(items)], {}), default)
    return scope.switch(selector, *items)


def pchoice(label: builtins.str, p_options: Any, *, default: Any = _UNSET) -> Node:
    """One of several options, with given probabilities.

    Parameters
    ----------
    label : str
        Name of the choice. A trial records the option's index under it.
    p_options : sequence of (float, object)
        Pairs with the probability first. Probabilities must sum to 1.
    default : object, optional
        The option (or its index) to try first.

    Returns
    -------
    Node
        The chosen option.

    Examples
    --------
    >>> from hpspace import hp, space_eval
    >>> space_eval(hp.pchoice("booster", [(0.9, "gbtree"), (0.1, "dart")]), {"booster": 1})
    'dart'
    """
    pairs = [_pair(label, i, pair) for i, pair in enumerate(_options(p_options))]
    probabilities = [p for p, _ in pairs]
    selector = _labelled(label, _call("categorical", [probabilities], {}), default)
    return scope.switch(selector, *(option for _, option in pairs))


@_builder("randint", "int")
def randint(label: builtins.str, low: Number, high: Number | None = None, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A whole number from low to high - 1; with one bound, from 0 to it, itself excluded.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low : int
        First number; with one argument, the excluded upper bound, as ``range`` has it.
    high : int
        First number that is not drawn.
    default : int, optional
        The value to try first.

    Returns
    -------
    Node
        An int.
    """


@_builder("uniform", "float")
def uniform(label: builtins.str, low: Number, high: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A number between two bounds, each equally likely.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low, high : float
        Bounds, ``low < high``.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float in ``[low, high]``.
    """


@_builder("quniform", "float", "int", q=1.0)
def uniformint(label: builtins.str, low: Number, high: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A whole number between two bounds: ``int(quniform(low, high, q=1))``.

    Quirks kept from Hyperopt: both ends have half the mass of the others, and a trial records a float (the objective
    sees an int). `int` has neither.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low, high : float
        Bounds, ``low < high``; both can be drawn.
    default : int, optional
        The value to try first.

    Returns
    -------
    Node
        An int.
    """


@_builder("quniform", "float")
def quniform(label: builtins.str, low: Number, high: Number, q: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A multiple of q: ``round(u / q) * q`` with u uniform between two bounds.

    Quirks kept from Hyperopt: the grid goes through 0, not through low, so a value may lie up to q/2 outside the
    bounds (``quniform(1, 10, 4)`` gives 0, 4, 8); the values at the ends carry the part of their bin that lies
    inside the bounds, often half; values are floats. ``float(..., step=)`` and `int` have none of these.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low, high : float
        Bounds before rounding, ``low < high``.
    q : float
        Step of the grid, ``q > 0``.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float.
    """


@_builder("loguniform", "float")
def loguniform(label: builtins.str, low: Number, high: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A positive number whose logarithm is uniform: ``exp(u)`` with u between two bounds.

    Quirk kept from Hyperopt: the bounds are natural logarithms, so values lie in ``[exp(low), exp(high)]``;
    ``float(label, 1e-4, 1e-1, log=True)`` takes the values themselves.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low, high : float
        Natural logarithms of the bounds, ``low < high``.
    default : float, optional
        The value to try first (the value itself, not its logarithm).

    Returns
    -------
    Node
        A float.
    """


@_builder("qloguniform", "float")
def qloguniform(label: builtins.str, low: Number, high: Number, q: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A multiple of q whose logarithm is about uniform: ``round(exp(u) / q) * q`` with u between two bounds.

    Quirks kept from Hyperopt: bounds are natural logarithms; the grid goes through 0, which is a value when
    ``exp(low) < q/2``; values are floats.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low, high : float
        Natural logarithms of the bounds before rounding, ``low < high``.
    q : float
        Step of the grid in the value's own units, ``q > 0``.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float.
    """


@_builder("normal", "float")
def normal(label: builtins.str, mu: Number, sigma: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A normally distributed number, without bounds.

    Parameters
    ----------
    label : str
        Name of the parameter.
    mu : float
        Mean.
    sigma : float
        Standard deviation, ``sigma > 0``.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float.
    """


@_builder("qnormal", "float")
def qnormal(label: builtins.str, mu: Number, sigma: Number, q: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A multiple of q: ``round(z / q) * q`` with z normally distributed.

    Parameters
    ----------
    label : str
        Name of the parameter.
    mu : float
        Mean before rounding.
    sigma : float
        Standard deviation before rounding, ``sigma > 0``.
    q : float
        Step of the grid, ``q > 0``.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float.
    """


@_builder("lognormal", "float")
def lognormal(label: builtins.str, mu: Number, sigma: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A positive number whose natural logarithm is normally distributed.

    Parameters
    ----------
    label : str
        Name of the parameter.
    mu : float
        Mean of the logarithm; ``exp(mu)`` is the median.
    sigma : float
        Standard deviation of the logarithm, ``sigma > 0``.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float.
    """


@_builder("qlognormal", "float")
def qlognormal(label: builtins.str, mu: Number, sigma: Number, q: Number, *, default: Any = _UNSET) -> Node:  # type: ignore[empty-body]
    """A multiple of q: ``round(exp(z) / q) * q`` with z normally distributed; 0 can be drawn.

    Parameters
    ----------
    label : str
        Name of the parameter.
    mu : float
        Mean of the logarithm before rounding.
    sigma : float
        Standard deviation of the logarithm before rounding, ``sigma > 0``.
    q : float
        Step of the grid in the value's own units, ``q > 0``.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float.
    """


@_builder("bounded_float", "float")
def float(  # type: ignore[empty-body]
    label: builtins.str,
    low: Number,
    high: Number,
    *,
    log: builtins.bool = False,
    step: builtins.float | None = None,
    default: Any = _UNSET,
) -> Node:
    """A float between two bounds, both included.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low, high : float
        Bounds in the value's own units, ``low < high`` (``0 < low`` with `log`).
    log : bool
        Spread the values evenly in their logarithm.
    step : float, optional
        Only the values ``low, low + step, ...`` up to `high`, each equally likely. Not together with `log`.
    default : float, optional
        The value to try first.

    Returns
    -------
    Node
        A float.

    Examples
    --------
    >>> from hpspace import hp, compile_space
    >>> space = compile_space(hp.float("dropout", 0, 0.5, step=0.25))
    >>> list(space.enumerate())
    [0.0, 0.25, 0.5]
    """


@_builder("bounded_int", "int")
def int(  # type: ignore[empty-body]
    label: builtins.str,
    low: Number,
    high: Number,
    *,
    log: builtins.bool = False,
    step: builtins.int = 1,
    default: Any = _UNSET,
) -> Node:
    """An int between two bounds, both included and as likely as the others.

    Parameters
    ----------
    label : str
        Name of the parameter.
    low, high : int
        Bounds, ``low < high`` (``1 <= low`` with `log`).
    log : bool
        Spread the values evenly in their logarithm.
    step : int
        Only the values ``low, low + step, ...`` up to `high`. Not together with `log`.
    default : int, optional
        The value to try first.

    Returns
    -------
    Node
        An int, in the objective and in the trial's record.

    Examples
    --------
    >>> from hpspace import hp, compile_space
    >>> list(compile_space(hp.int("units", 16, 64, step=16)).enumerate())
    [16, 32, 48, 64]
    """


def categorical(
    label: builtins.str, options: Any, p: Sequence[builtins.float] | None = None, *, default: Any = _UNSET
) -> Node:
    """One of several options without order, equally likely or with given probabilities.

    Parameters
    ----------
    label : str
        Name of the choice. A trial records the option's index under it.
    options : sized iterable
        The options, as in `choice`.
    p : sequence of float, optional
        Their probabilities, which sum to 1. Default: all equal.
    default : object, optional
        The option to try first.

    Returns
    -------
    Node
        The chosen option.
    """
    items = _options(options)
    dist = _call("randint", [len(items)], {}) if p is None else _call("categorical", [list(p)], {})
    return scope.switch(_labelled(label, dist, default), *items)


def ordinal(label: builtins.str, options: Any, *, default: Any = _UNSET) -> Node:
    """One of several options that have an order, so that algorithms may expect neighbours to be alike.

    Parameters
    ----------
    label : str
        Name of the choice. A trial records the option's index under it.
    options : sized iterable
        The options, least first.
    default : object, optional
        The option to try first.

    Returns
    -------
    Node
        The chosen option.

    Examples
    --------
    >>> from hpspace import hp, compile_space
    >>> space = compile_space({"batch": hp.ordinal("batch", [16, 64, 256], default=64)})
    >>> space.default_point(), space["batch"].kind
    ({'batch': 1}, 'grid')
    """
    items = _options(options)
    return scope.switch(_labelled(label, _call("ordinal", [len(items)], {}), default), *items)


def param(label: builtins.str, distribution: Distribution, *, default: Any = _UNSET) -> Node:
    """A parameter with any distribution, such as one that another package registered.

    Parameters
    ----------
    label : str
        Name of the parameter.
    distribution : Distribution
        Its distribution, for example ``dists.LogUniform(-7, 0)``.
    default : object, optional
        The value to try first.

    Returns
    -------
    Node
        A value of the distribution.

    Examples
    --------
    >>> from hpspace import dists, hp, compile_space
    >>> compile_space(hp.param("x", dists.Uniform(0, 1)))["x"].dist
    Uniform(low=0.0, high=1.0)
    """
    names = [parameter.name for parameter in distribution.parameters()]
    arguments = {name: getattr(distribution, name) for name in names}
    node = _labelled(label, _call(distribution.name, [], arguments), default)
    return Node("int" if distribution.is_integer else "float", [node])


def fidelity(
    label: builtins.str, low: builtins.float, high: builtins.float, *, eta: builtins.int = 3
) -> Node:
    """The resource of a trial: what cheap trials get little of and promising ones more. Not a parameter.

    It stands in the space so that the objective finds it in its configuration, but it is not searched. Algorithms that
    plan resources (``"asha"``, ``"hyperband"``, ``"bohb"``) decide it trial by trial; under any other algorithm each
    trial gets all of it. A space has at most one.

    Parameters
    ----------
    label : str
        Its name.
    low, high : int or float
        The least and the greatest resource that a trial may be given, in any unit, ``0 < low < high``; both ints, or
        floats.
    eta : int
        One trial of so many goes on, with so many times the resource; at least 2.

    Returns
    -------
    Node
        The trial's resource: an int if both bounds are ints, else a float.

    Examples
    --------
    >>> from hpspace import hp, compile_space
    >>> space = compile_space({"lr": hp.float("lr", 1e-4, 1e-1, log=True), "epochs": hp.fidelity("epochs", 1, 81)})
    >>> space.labels, space.config({"lr": 0.01}), space.config({"lr": 0.01, "epochs": 3})
    (('lr',), {'lr': 0.01, 'epochs': 81}, {'lr': 0.01, 'epochs': 3})
    """
    bounds = [as_apply(validate_label(label)), as_apply(low), as_apply(high)]
    return Node(_fidelity.NAME, bounds, [["eta", as_apply(eta)]])
