"""Algorithms that plan resources: which configuration is tried next, and which is given more."""
