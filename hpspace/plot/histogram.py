"""How the losses are distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpspace.plot import canvas
from hpspace.plot.history import default_status_colors
from hpspace.plot.rows import rows_of
from hpspace.trials.direction import measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hpspace.trials.trials import Trials


def main_plot_histogram(
    trials: Trials, do_show: bool = True, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Plot a histogram of the losses of all trials with status "ok", or of the values in a search that maximises.

    Parameters
    ----------
    trials : Trials
        The trials, in any state; those without a finite loss are counted in the label only.
    do_show : bool
        Whether to show the figure; False leaves it as pyplot's current one.
    title : str, optional
        Title of the Axes; by default "Loss Histogram", or "Value Histogram".
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
    rows = rows_of(trials)
    values = [row.value for row in rows if row.ok]
    if values:  # Sturges' bins depend on the count alone: one outlier cannot ask for a million bins
        ax.hist(values, bins="sturges", color=default_status_colors["ok"])
    failed, name = sum(row.failed for row in rows), measure(trials.direction)
    ax.set(
        title=title or f"{name.capitalize()} Histogram",
        xlabel=f"{name} ({len(values)} ok, {failed} without a {name})",
        ylabel="trials",
    )
    canvas.finish(do_show)
    return ax
