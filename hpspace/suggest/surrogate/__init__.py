"""Gaussian processes over search spaces: features, kernels, targets. Shared by tpe, atpe and stopping rules."""
