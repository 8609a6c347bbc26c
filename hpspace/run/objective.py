"""How the user's function is called, and what of its answer becomes a trial's result.

The call is chosen once, when a Domain is made (`call_style`), not in each trial. The answer is checked by
`checked_result`; each of its errors names the trial and the value, because they are read hours later.

A function can be called in four ways::

    fn(config)                    one positional argument: the evaluated space
    fn(config, ctrl)              the second parameter is called "ctrl": also the live Ctrl
    fn(**config)                  space="annotated" (a `KeywordObjective`)
    fn(expr=, memo=, ctrl=)       marked by `fmin_pass_expr_memo_ctrl`: it evaluates the space itself
"""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from hpspace.exceptions import InvalidAnnotatedParameter, InvalidLoss, InvalidResult, InvalidResultStatus
from hpspace.graph import Node
from hpspace.trials.document import STATUS_FAIL, STATUS_OK, STATUS_STRINGS

CallStyle = Literal["config", "config_ctrl", "expr_memo_ctrl"]

#: The attribute by which a function asks for the space's expression instead of a config.
MARK = "fmin_pass_expr_memo_ctrl"

#: Characters of a value that an error message shows.
_MAX_SHOWN = 300


def fmin_pass_expr_memo_ctrl(f: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an objective to be called as ``f(expr=..., memo=..., ctrl=...)``.

    Such a function evaluates the space itself, as in ``rec_eval(expr, memo=memo)``.

    Parameters
    ----------
    f : callable
        The objective.

    Returns
    -------
    callable
        `f` itself, with the attribute ``fmin_pass_expr_memo_ctrl``.
    """
    setattr(f, MARK, True)
    return f


def partial(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> functools.partial[Any]:
    """Bind arguments as `functools.partial`, keeping the mark of `fmin_pass_expr_memo_ctrl`.

    Parameters
    ----------
    fn : callable
        The function.
    *args, **kwargs : object
        The arguments to bind.

    Returns
    -------
    functools.partial
        The bound function, marked if `fn` is.
    """
    bound = functools.partial(fn, *args, **kwargs)
    if hasattr(fn, MARK):
        setattr(bound, MARK, getattr(fn, MARK))
    return bound


def call_style(fn: Callable[..., Any], pass_expr_memo_ctrl: bool | None) -> CallStyle:
    """Decide how `fn` is called.

    Parameters
    ----------
    fn : callable
        The objective.
    pass_expr_memo_ctrl : bool or None
        The user's wish; None reads the function's mark.

    Returns
    -------
    {"config", "config_ctrl", "expr_memo_ctrl"}
        The way to call it.

    Examples
    --------
    >>> call_style(lambda config: 0.0, None), call_style(lambda config, ctrl: 0.0, None)
    ('config', 'config_ctrl')
    """
    if pass_expr_memo_ctrl or (pass_expr_memo_ctrl is None and getattr(fn, MARK, False)):
        return "expr_memo_ctrl"
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature, and things that are not callable at all
        return "config"
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return "config_ctrl" if len(positional) > 1 and positional[1].name == "ctrl" else "config"


class KeywordObjective:
    """An objective of ``space="annotated"``: called with the config as keyword arguments.

    Parameters
    ----------
    fn : callable
        The user's function.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn

    def __call__(self, config: Mapping[str, Any]) -> Any:
        """Call the function with one keyword argument for each annotated parameter."""
        return self.fn(**config)


def annotated_space(fn: Callable[..., Any]) -> dict[str, Node]:
    """Read the space from the annotations of `fn`'s parameters.

    Parameters
    ----------
    fn : callable
        A function such as ``def f(x: hp.uniform("x", 0, 1), n=3)``. Parameters without annotation keep their
        default; the return annotation is not looked at.

    Returns
    -------
    dict
        Parameter name to search-space expression.

    Raises
    ------
    InvalidAnnotatedParameter
        For an annotation that is no expression, naming the parameter.
    """
    parameters = inspect.signature(fn).parameters.values()
    annotations = _annotations(fn)
    space = {p.name: annotations[p.name] for p in parameters if p.name in annotations}
    for name, annotation in space.items():
        if not isinstance(annotation, Node):
            raise InvalidAnnotatedParameter(
                f"parameter {name!r} is annotated with {annotation!r}, which is no search-space expression; "
                f"write {name}: hp.uniform({name!r}, low, high), or drop the annotation to keep its default"
            )
    return space


def _annotations(fn: Callable[..., Any]) -> dict[str, Any]:
    """Annotations of `fn`'s parameters, those written as strings evaluated where `fn` was defined."""
    raw = {
        p.name: p.annotation
        for p in inspect.signature(fn).parameters.values()
        if p.annotation is not inspect.Parameter.empty
    }
    if not any(isinstance(annotation, str) for annotation in raw.values()):
        return raw
    try:
        evaluated = inspect.signature(fn, eval_str=True).parameters
    except NameError as error:
        raise InvalidAnnotatedParameter(
            f"an annotation of {getattr(fn, '__name__', fn)!r} cannot be evaluated ({error}); with "
            "`from __future__ import annotations` the names in it must be global in its module"
        ) from error
    return {name: evaluated[name].annotation for name in raw}


def checked_result(value: Any, tid: Any) -> dict[str, Any]:
    """Turn what the objective returned into a result dict.

    Parameters
    ----------
    value : number, mapping, or iterable of pairs
        A number is a loss with status "ok". A mapping is copied; it must have a "status", and with status "ok" a
        "loss" that is a number. Other keys are kept.
    tid : hashable
        The trial's id, for the messages.

    Returns
    -------
    dict
        With "status", and with a float "loss" when the status is "ok". NaN and infinities are let through.

    Raises
    ------
    InvalidResult, InvalidResultStatus, InvalidLoss
        Naming the trial, the value and what to return instead.

    Examples
    --------
    >>> checked_result(1, tid=0)
    {'loss': 1.0, 'status': 'ok'}
    >>> checked_result({"status": "ok", "loss": None}, tid=17)
    Traceback (most recent call last):
        ...
    hpspace.exceptions.InvalidLoss: trial 17: objective returned loss=None with status 'ok'; return a float,
    or status 'fail'
    """
    if isinstance(value, numbers.Real):
        value = {"loss": value, "status": STATUS_OK}
    result = _as_dict(value, tid)
    _check_status(result, tid)
    if result["status"] == STATUS_OK:
        result["loss"] = _loss(result, tid)
    if not isinstance(result.get("attachments", {}), Mapping):
        raise InvalidResult(
            result,
            f"trial {tid}: result['attachments'] must be a dict, name to value, not "
            f"{brief(result['attachments'])}",
        )
    return result


def _as_dict(value: Any, tid: Any) -> dict[str, Any]:
    """Copy a mapping, or an iterable of pairs; refuse everything else."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, (str, bytes, np.generic, np.ndarray)):
        try:
            return dict(value)
        except (TypeError, ValueError):
            pass
    hint = "return float(...) of it" if _is_numeric(value) else "return a float"
    shown = f"{brief(value)} of type {type(value).__name__}"
    raise InvalidResult(
        value,
        f"trial {tid}: objective returned {shown}; {hint}, or a dict with 'status' and 'loss'",
    )


def _is_numeric(value: Any) -> bool:
    """Whether an object that is no number can be made one, as a 0-d array, a tensor, or a Decimal."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.ndim == 0 and value.dtype.kind in "biuf"
    return hasattr(type(value), "__float__")


def brief(value: Any) -> str:
    """Return the repr of any object, cut to what a message can hold.

    Parameters
    ----------
    value : object
        Its `__repr__` may be broken.
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a broken __repr__ must not hide what is wrong
        return object.__repr__(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _check_status(result: dict[str, Any], tid: Any) -> None:
    if "status" not in result:
        raise InvalidResultStatus(
            result,
            f"trial {tid}: objective returned a dict without 'status' (its keys: {sorted(map(str, result))}); "
            f"add 'status': '{STATUS_OK}' or '{STATUS_FAIL}'",
        )
    if not isinstance(result["status"], str) or result["status"] not in STATUS_STRINGS:
        raise InvalidResultStatus(
            result,
            f"trial {tid}: objective returned status={brief(result['status'])}; use one of {STATUS_STRINGS}",
        )


def _loss(result: dict[str, Any], tid: Any) -> float:
    """Return the loss of a result with status "ok" as a float."""
    loss: Any = result.get("loss")
    if "loss" in result and np.ndim(loss) == 0:
        try:
            return float(loss)
        except (TypeError, ValueError, OverflowError):  # None, complex, no number, an integer of 400 digits
            pass
    shown = f"loss={brief(loss)}" if "loss" in result else "no loss"
    raise InvalidLoss(
        result,
        f"trial {tid}: objective returned {shown} with status '{STATUS_OK}'; "
        f"return a float, or status '{STATUS_FAIL}'"
        + ("" if "loss" in result else f" (the keys of the dict: {sorted(map(str, result))})"),
    )
