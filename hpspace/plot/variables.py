"""The values of every parameter, one small Axes each: where the search looked, and where it was good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpspace.plot import canvas
from hpspace.plot.axis import dress
from hpspace.plot.rows import Row, labels_of, rows_of
from hpspace.trials.direction import measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hpspace.trials.trials import Trials

#: Colours from the best loss (dark) to the worst shown (bright).
COLORMAP = "viridis"

#: Colour of trials that are not among the best ones asked for, and mark of those without a loss.
_OTHERS, _FAILED = "0.8", "tab:red"

#: Least width and height of one Axes with its texts, in inches; the figure grows to hold them.
_PANEL = 2.2, 1.8

#: Area of a mark, in square points.
_SIZE = 12


def main_plot_vars(
    trials: Trials,
    do_show: bool = True,
    fontsize: float = 10,
    colorize_best: int | None = None,
    columns: int = 5,
    arrange_by_loss: bool = False,
) -> Figure:
    """Plot the values of each parameter against trial or loss, coloured by loss.

    Log parameters have a log axis: known from the space that was searched, else from "log" in the label.
    Choices are shown by their options when the space is known. Trials without a loss are red crosses (not
    with `arrange_by_loss`).

    Parameters
    ----------
    trials : Trials
        The trials, in any state; may be empty. Unfinished ones are not drawn.
    do_show : bool
        Whether to show the figure; False leaves it as pyplot's current one.
    fontsize : float
        Size of the titles, in points.
    colorize_best : int, optional
        Colour only so many best trials, the others grey; default: colour all.
    columns : int
        Axes in a row.
    arrange_by_loss : bool
        Whether the horizontal axis is the loss instead of the trial.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its Axes are in the order of the space's labels, with the labels as titles.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    figure, rows = canvas.empty_figure(), rows_of(trials)
    labels = labels_of(rows, trials)
    n_rows, n_columns = math.ceil(len(labels) / columns), min(columns, len(labels))
    width, height = figure.get_size_inches()
    figure.set_size_inches(max(width, _PANEL[0] * n_columns), max(height, _PANEL[1] * n_rows))
    for position, label in enumerate(labels, 1):
        ax = figure.add_subplot(n_rows, n_columns, position)
        shown = draw_variable(ax, label, rows, colorize_best, arrange_by_loss)
        space = trials.space
        dress(ax, label, space[label] if space is not None and label in space else None, shown)
        ax.set_title(label, fontsize=fontsize)
        ax.set_xlabel(measure(trials.direction) if arrange_by_loss else "trial")
    if labels:
        figure.set_layout_engine("tight")
    canvas.finish(do_show)
    return figure


def draw_variable(
    ax: Axes, label: str, rows: Sequence[Row], colorize_best: int | None = None, arrange_by_loss: bool = False
) -> list[float]:
    """Draw the values of one parameter.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    label : str
        The parameter.
    rows : sequence of Row
        The trials; those in which the parameter is inactive are skipped.
    colorize_best : int, optional
        Colour only so many best trials, counted over all rows.
    arrange_by_loss : bool
        Whether the horizontal axis is the loss.

    Returns
    -------
    list of float
        The values that were drawn.
    """
    good = sorted((row for row in rows if row.ok), key=lambda row: row.loss)
    best = good if colorize_best is None else good[:colorize_best]
    coloured = [row for row in best if label in row.values]
    others = [row for row in good[len(best) :] if label in row.values]
    failed = [row for row in rows if row.failed and label in row.values and not arrange_by_loss]
    if others:
        ax.scatter(*_points(others, label, arrange_by_loss), s=_SIZE, c=_OTHERS)
    if failed:
        ax.scatter(*_points(failed, label, arrange_by_loss), s=_SIZE, c=_FAILED, marker="x")
    if coloured:
        losses = [row.loss for row in coloured]
        points = _points(coloured, label, arrange_by_loss)
        # limits over all best trials, so that a colour means the same in every Axes
        ax.scatter(*points, s=_SIZE, c=losses, cmap=COLORMAP, vmin=best[0].loss, vmax=best[-1].loss)
    return [row.values[label] for row in (*others, *failed, *coloured)]


def _points(rows: Sequence[Row], label: str, by_loss: bool) -> tuple[list[float], list[float]]:
    return [row.value if by_loss else row.x for row in rows], [row.values[label] for row in rows]
