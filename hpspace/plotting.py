"""Hyperopt's ``hyperopt.plotting``: figures of trials, from `hpspace.plot`. Needs the extra "matplotlib"."""

from __future__ import annotations

from hpspace.plot.attachment import main_plot_1D_attachment
from hpspace.plot.histogram import main_plot_histogram
from hpspace.plot.history import default_status_colors, main_plot_history
from hpspace.plot.variables import main_plot_vars

__all__ = [
    "default_status_colors",
    "main_plot_history",
    "main_plot_histogram",
    "main_plot_vars",
    "main_plot_1D_attachment",
]
