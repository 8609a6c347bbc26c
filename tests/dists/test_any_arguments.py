"""The laws of `test_laws` for arguments that nobody chose: hypothesis looks for the ones that break them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpspace.dists import BoundedFloat, BoundedInt, QLogUniform, QNormal, QUniform, RandInt, get

bounds = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).filter(lambda b: b[0] < b[1])
log_bounds = st.tuples(st.floats(-20, 15), st.floats(-20, 15)).filter(lambda b: b[1] - b[0] > 1e-3)
integers = st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 2000))

few = settings(max_examples=150, deadline=None, derandomize=True)


def check_grid(dist, n=400):
    """Up to 2 n of its values, from both ends: bins tile, every value survives its coordinates, all masses sum to 1."""
    count = dist.size
    values = dist.values() if count <= 2 * n else np.concatenate([dist.values()[:n], dist.values()[-n:]])
    low, high = dist.unit_bins(values)
    assert (low < high).all()
    assert (low[0], high[-1]) == (0.0, 1.0)
    np.testing.assert_array_equal(dist.quantile(dist.unit(values)), values)
    np.testing.assert_array_equal(dist.from_latent(dist.to_latent(values)), values)
    assert dist.contains(values).all()
    if count <= 2 * n:
        np.testing.assert_array_equal(high[:-1], low[1:])
        assert abs(math.fsum(np.exp(dist.log_prob(values))) - 1.0) < 1e-9


@few
@given(bounds, st.floats(1e-3, 1e6))
def test_quniform(b, q):
    """Steps from a thousandth to far beyond the width, which leaves one value."""
    assume((b[1] - b[0]) / q < 1e5)
    assume(b[1] - b[0] > 1e-6 * max(map(abs, b)))  # else the bounds themselves are noise
    assert get("quniform").faults({"low": b[0], "high": b[1], "q": q}) == []
    check_grid(QUniform(*b, q))


@few
@given(log_bounds, st.floats(1e-2, 1e4))
def test_qloguniform(b, q):
    assume(math.exp(b[1]) / q < 1e5)
    check_grid(QLogUniform(*b, q))


@few
@given(integers)
def test_integers(b):
    check_grid(RandInt(b[0], b[0] + b[1] + 1))
    check_grid(BoundedInt(b[0], b[0] + b[1]))


@few
@given(st.integers(1, 10**6), st.integers(0, 10**5))
def test_log_integers(low, more):
    check_grid(BoundedInt(low, low + more, log=True))


@few
@given(bounds, st.floats(1e-3, 1e6))
def test_steps(b, step):
    """No value leaves the bounds, the first is low, and high is missed by less than a step."""
    assume((b[1] - b[0]) / step < 1e5)
    assume(b[1] - b[0] > 1e-6 * max(map(abs, b)))
    dist = BoundedFloat(*b, step=step)
    check_grid(dist)
    values = dist.values()
    assert values[0] == b[0]
    assert values[-1] <= b[1]
    assert b[1] - values[-1] < step * (1 + 1e-6)


@few
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-2, 1e3), st.integers(-7, 7))
def test_qnormal_masses_agree_with_the_cdf(mu, sigma, q, sigmas):
    """Around any point within seven sigma: mass = step of the cdf, computed on the left side for accuracy."""
    x = np.round((mu - abs(sigmas) * sigma) / q) * q
    dist = QNormal(mu, sigma, q)
    step = dist.cdf(x) - dist.cdf(x - q)
    np.testing.assert_allclose(np.exp(dist.log_prob(x)), step, rtol=1e-5, atol=1e-15)
