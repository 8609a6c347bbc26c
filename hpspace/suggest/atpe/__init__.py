"""Adaptive TPE: tpe and a small Gaussian process, whichever of them understands the problem better."""
