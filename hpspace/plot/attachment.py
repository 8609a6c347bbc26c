"""Curves that trials attached, such as learning curves, over each other."""

from __future__ import annotations

import logging
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpspace.plot import canvas
from hpspace.trials.bests import loss_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hpspace.trials.trials import Trials

logger = logging.getLogger(__name__)

Curve = NDArray[Any]


def _identity(curve: Curve) -> Curve:
    return curve


def main_plot_1D_attachment(
    trials: Trials,
    attachment_name: str,
    do_show: bool = True,
    colorize_by_loss: bool = True,
    max_darkness: float = 0.5,
    num_trails: int | None = None,
    preprocessing_fn: Callable[[Curve], Curve] = _identity,
    line_width: float = 0.1,
    ax: Axes | None = None,
) -> Axes:
    """Plot an attachment of all trials that have it, as curves over each other, the best trial's in front.

    Attachments that are bytes are unpickled, so plot only trials whose origin you trust. What is not
    one-dimensional after squeezing is skipped with a warning.

    Parameters
    ----------
    trials : Trials
        The trials.
    attachment_name : str
        Which attachment.
    do_show : bool
        Whether to show the figure; False leaves it as pyplot's current one.
    colorize_by_loss : bool
        Whether curves are grey, the darker the lower the loss; else in the cycle of colours.
    max_darkness : float
        Darkness of the lowest loss: 0 is white, 1 black.
    num_trails : int, optional
        Plot only so many trials, evenly spread over the order of losses; default: all.
    preprocessing_fn : callable
        Applied to each curve before it is drawn.
    line_width : float
        Width of the lines, in points.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default: pyplot's current Axes.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes that were drawn on.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    ax = ax if ax is not None else canvas.current_axes()
    having = [doc for doc in trials.trials if attachment_name in trials.trial_attachments(doc)]
    chosen = _spread(sorted(having, key=_by_loss, reverse=True), num_trails)
    shades = _shades([loss_of(doc["result"]) for doc in chosen], max_darkness)
    for doc, shade in zip(chosen, shades):
        curve = _curve(trials.trial_attachments(doc)[attachment_name])
        if curve is None:
            logger.warning("attachment %r of trial %s is not one-dimensional", attachment_name, doc["tid"])
            continue
        style: Mapping[str, Any] = {"color": str(shade)} if colorize_by_loss else {}
        ax.plot(preprocessing_fn(curve), linewidth=line_width, **style)
    ax.set_title(attachment_name)
    canvas.finish(do_show)
    return ax


def _by_loss(doc: Mapping[str, Any]) -> float:
    """Return the sort key of a document: its loss, infinite where it has none."""
    loss = loss_of(doc["result"])
    return math.inf if math.isnan(loss) else loss


def _spread(docs: Sequence[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Return so many documents at even distances, first and last included where there is room for both."""
    if count is None or count >= len(docs):
        return list(docs)
    places = np.linspace(len(docs) - 1, 0, count).round().astype(int)
    return [docs[place] for place in places[::-1]]


def _shades(losses: Sequence[float], max_darkness: float) -> list[float]:
    """Return a grey for each loss: ``1 - max_darkness`` for the lowest, light for the highest."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    lightest = 1.0 - max_darkness / 5.0
    shares = [(loss - low) / (high - low) if high > low else 0.0 for loss in losses]
    darkest = 1.0 - max_darkness
    return [
        darkest + (lightest - darkest) * share if math.isfinite(loss) else lightest
        for loss, share in zip(losses, shares)
    ]


def _curve(attached: Any) -> Curve | None:
    """Return an attachment as a one-dimensional array, None if it is none."""
    if isinstance(attached, bytes):
        attached = pickle.loads(attached)  # noqa: S301  as documented: the user's own trials
    curve = np.squeeze(np.asanyarray(attached))
    return curve if curve.ndim == 1 else None
