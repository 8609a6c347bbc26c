"""The tree-structured Parzen estimator: split, densities, score, algorithm."""
