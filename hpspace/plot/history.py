"""Loss against trial: how the search went."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hpspace.plot import canvas
from hpspace.plot.rows import Row, rows_of
from hpspace.trials.direction import measure, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hpspace.trials.trials import Trials

logger = logging.getLogger(__name__)

#: Colour of a trial by the status of its result.
default_status_colors = {
    "new": "0.6",
    "running": "tab:green",
    "suspended": "tab:orange",
    "ok": "tab:blue",
    "fail": "tab:red",
    "pruned": "tab:purple",
}

#: Height of the marks of trials without a loss, as a share of the Axes.
_MARK_HEIGHT = 0.02


def main_plot_history(
    trials: Trials,
    do_show: bool = True,
    status_colors: Mapping[str, str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the loss of every trial in order, the best loss so far, and the average best error.

    In a search that maximises, values are shown as the objective returned them, the largest being the best. Trials
    that failed, or whose loss is missing, NaN or infinite, are crosses at the lower edge, and those that a pruner ended
    are strokes there. Trials that are not finished are not drawn.

    Parameters
    ----------
    trials : Trials
        The trials, in any state; may be empty.
    do_show : bool
        Whether to show the figure; False leaves it as pyplot's current one.
    status_colors : mapping of str to colour, optional
        Colours by result status; those not given are `default_status_colors`.
    title : str, optional
        Title of the Axes; by default "Loss History", or "Value History" of a search that maximises.
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
    draw_history(ax, rows_of(trials), {**default_status_colors, **(status_colors or {})})
    _draw_average_best(ax, trials)
    name = measure(trials.direction)
    ax.set(title=title or f"{name.capitalize()} History", xlabel="trial", ylabel=name)
    if ax.get_legend_handles_labels()[0]:
        ax.legend()
    canvas.finish(do_show)
    return ax


def draw_history(ax: Axes, rows: Sequence[Row], colors: Mapping[str, str]) -> None:
    """Draw losses, the best so far, and marks for failures.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    rows : sequence of Row
        The trials.
    colors : mapping of str to colour
        Colours by status.
    """
    good = [row for row in rows if row.ok]
    if good:
        x, values = [row.x for row in good], [row.value for row in good]
        ax.scatter(x, values, c=colors["ok"], s=16, label="ok")
        best = [row.value for row in itertools.accumulate(good, _better)]
        ax.step(x, best, where="post", color=colors["ok"], alpha=0.5, label="best so far")
    failed, pruned = [row.x for row in rows if row.failed], [row.x for row in rows if row.pruned]
    for places, status, marker, label in (
        (failed, "fail", "x", "no loss"),
        (pruned, "pruned", "|", "pruned"),
    ):
        if places:
            heights, across = [_MARK_HEIGHT] * len(places), ax.get_xaxis_transform()
            ax.scatter(places, heights, c=colors[status], s=16, marker=marker, transform=across, label=label)


def _better(one: Row, other: Row) -> Row:
    return other if other.loss < one.loss else one


def _draw_average_best(ax: Axes, trials: Trials) -> None:
    """Draw a line at the average best error, and log it; nothing if no trial has a loss."""
    try:
        error = shown(trials.average_best_error(), trials.direction)
    except ValueError:
        logger.info("no average best error: no trial has a loss")
        return
    if np.isfinite(error):
        ax.axhline(error, color="tab:green", linewidth=1, label=f"average best error {error:.4g}")
    logger.info("average best error: %g", error)
