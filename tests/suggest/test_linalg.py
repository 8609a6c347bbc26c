"""Linear algebra in pieces gives what numpy gives at once, on both sides of the sizes where pieces begin."""

from __future__ import annotations

import numpy as np
import pytest

from hpspace.suggest import linalg

SIZES = (1, 2, 7, 96, 97, 193, 260)


def positive_definite(n, seed=0):
    a = np.random.default_rng(seed).normal(size=(n, n))
    return a @ a.T + n * np.eye(n)


@pytest.mark.parametrize(
    "shapes", [(3, 4, 5), (40, 30, 700), (300, 300, 300), (1, 20, 40_000), (2000, 300, 1)]
)
def test_products(shapes):
    """Whole, by columns, by square blocks, and into an array that is given."""
    m, k, n = shapes
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    np.testing.assert_allclose(linalg.product(a, b), a @ b, atol=1e-10)
    given = np.full((m, n), np.nan)
    assert linalg.product(a, b, given) is given
    np.testing.assert_allclose(given, a @ b, atol=1e-10)


@pytest.mark.parametrize("k", [1, 5, 300_000])
def test_products_with_a_vector(k):
    rng = np.random.default_rng(2)
    a, v = rng.normal(size=(3, k)), rng.normal(size=k)
    np.testing.assert_allclose(linalg.times_vector(a, v), a @ v, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", SIZES)
def test_factors_and_inverses(n):
    k = positive_definite(n)
    lower = linalg.cholesky(k)
    np.testing.assert_allclose(lower, np.linalg.cholesky(k), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(linalg.inverse(lower) @ k, np.eye(n), atol=1e-9)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transposed", [False, True])
def test_triangular_systems(n, transposed):
    """One right-hand side, and more than are solved at once."""
    lower = np.linalg.cholesky(positive_definite(n))
    matrix = lower.T if transposed else lower
    for right in (np.arange(1.0, n + 1), np.random.default_rng(3).normal(size=(n, 30))):
        found = linalg.solve(lower, right, transposed)
        assert found.shape == right.shape
        np.testing.assert_allclose(matrix @ found, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("where", [0, 150])
def test_what_is_not_positive_definite_has_no_factor(where):
    """In the first block or in a later one."""
    k = np.eye(200)
    k[where, where] = -1.0
    with pytest.raises(np.linalg.LinAlgError):
        linalg.cholesky(k)
