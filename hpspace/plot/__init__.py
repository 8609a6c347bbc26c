"""Figures of trials, drawn with matplotlib.

One file a figure; each has a function that draws on given Axes and the function of Hyperopt's name that finds
the Axes, draws, shows and returns them. matplotlib is an optional dependency and imported only when something
is drawn. Nothing here evaluates, changes or stores trials. Called by users through the door
``hpspace.plotting``.
"""
