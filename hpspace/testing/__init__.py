"""What extensions test themselves with: strategies and contracts, for use under pytest and hypothesis.

Nothing in hpspace imports this package, and it needs hypothesis, which hpspace does not.
"""
