"""The one place that touches matplotlib's global state: the current figure, and showing it.

As in Hyperopt, figures are drawn on pyplot's current figure, so that ``do_show=False`` followed by
``pyplot.savefig(...)`` works; without ``do_show`` no window is ever opened.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from hpspace.exceptions import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

#: Backends that only write files.
_FILE_BACKENDS = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}


def pyplot() -> Any:
    """Import matplotlib.pyplot.

    Returns
    -------
    module
        ``matplotlib.pyplot``.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise MissingExtra("matplotlib", "matplotlib") from None
    return plt


def current_axes() -> Axes:
    """Return pyplot's current Axes, made if there are none.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes.
    """
    axes: Axes = pyplot().gca()
    return axes


def empty_figure() -> Figure:
    """Return pyplot's current figure if nothing is drawn on it, else a new one.

    Returns
    -------
    matplotlib.figure.Figure
        A figure without Axes, which is then the current one.
    """
    plt = pyplot()
    figure: Figure = plt.gcf()
    return plt.figure() if figure.axes else figure


def finish(do_show: bool) -> None:
    """Show the current figures, if asked to and if the backend can.

    Parameters
    ----------
    do_show : bool
        Whether to show them.
    """
    if not do_show:
        return
    plt = pyplot()
    if plt.get_backend().lower() in _FILE_BACKENDS:
        logger.info("the figure is not shown: backend %s only writes files", plt.get_backend())
    else:
        plt.show()
