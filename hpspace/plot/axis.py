"""How an axis shows the values of one parameter: linear or logarithmic, numbers or names of options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hpspace.space.params import Param

#: More options than this keep their indices as ticks.
MAX_NAMED_OPTIONS = 12

#: Longer names of options are cut.
MAX_NAME = 16  # characters

#: Distributions of a logarithm, for parameters whose distribution depends on others and is not known here.
_LOG_NAMES = {"loguniform", "qloguniform", "lognormal", "qlognormal"}


def is_log(label: str, param: Param | None) -> bool:
    """Return whether a parameter is shown on a logarithmic axis.

    Parameters
    ----------
    label : str
        Its label.
    param : Param or None
        Its declaration; without one the label decides: it contains "log".

    Returns
    -------
    bool
        True for distributions of a logarithm.
    """
    if param is None:
        return "log" in label
    return param.dist.is_log if param.dist is not None else param.name in _LOG_NAMES


def dress(ax: Axes, label: str, param: Param | None, values: Sequence[float]) -> None:
    """Set scale, ticks and label of the vertical axis for a parameter.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The Axes.
    label : str
        The parameter's label.
    param : Param or None
        Its declaration, when known.
    values : sequence of float
        The values shown.
    """
    if is_log(label, param):
        _set_log(ax, values)
    if param is not None and param.options is not None and len(param.options) <= MAX_NAMED_OPTIONS:
        ax.set_yticks(range(len(param.options)), [_short(option) for option in param.options])


def _set_log(ax: Axes, values: Sequence[float]) -> None:
    """Use a log scale, linear around 0 if a quantised value is 0; none if something is negative."""
    positive = [value for value in values if value > 0]
    if not positive or min(values) < 0:
        return
    if len(positive) == len(values):
        ax.set_yscale("log")
    else:
        ax.set_yscale("symlog", linthresh=min(positive))


def _short(option: object) -> str:
    text = str(option)
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"
