"""The tables of successive halving and Hyperband, against those that were published."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpspace.suggest.fidelity.rungs import brackets, levels, log_floor


def pairs(bracket):
    return [(rung.n, rung.resource) for rung in bracket]


def test_the_table_of_the_paper():
    """Li et al. 2017, table 1: R = 81, eta = 3. Its first column of n is B/R eta^s/(s+1) rounded up."""
    assert [pairs(bracket) for bracket in brackets(1, 81, 3)] == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


@pytest.mark.parametrize(
    ("high", "eta", "first"),
    [
        (27, 3, [(27, 1), (12, 3), (6, 9), (4, 27)]),
        (16, 2, [(16, 1), (10, 2), (7, 4), (5, 8), (5, 16)]),
        (243, 3, [(243, 1), (98, 3), (41, 9), (18, 27), (9, 81), (6, 243)]),
        (100, 4, [(64, 1), (22, 6), (8, 25), (4, 100)]),
    ],
)
def test_how_brackets_begin(high, eta, first):
    """n = ceil((s_max + 1) / (s + 1) eta^s) configurations of R / eta^s, by hand; 100 / 4^k is rounded down."""
    assert [pairs(bracket)[0] for bracket in brackets(1, high, eta)] == first


ranges = st.tuples(st.integers(1, 50), st.integers(2, 5000), st.integers(2, 5)).filter(lambda t: t[0] < t[1])


@given(ranges)
def test_brackets_keep_the_rules_of_the_paper(bounds):
    """Sizes and resources follow from the first rung; no bracket costs more than (s_max + 1) R."""
    low, high, eta = bounds
    table = brackets(low, high, eta)
    s_max = len(table) - 1
    assert low * eta**s_max <= high < low * eta ** (s_max + 1)
    for s, bracket in zip(range(s_max, -1, -1), table):
        n = math.ceil((s_max + 1) * eta**s / (s + 1))
        assert pairs(bracket) == [(n // eta**i, high // eta ** (s - i)) for i in range(s + 1)]
        assert low <= bracket[0].resource and bracket[-1].resource == high
        assert all(below.resource < above.resource for below, above in itertools.pairwise(bracket))
        assert sum(rung.n * rung.resource for rung in bracket) <= (s_max + 1) * high


@given(ranges)
def test_the_rungs_of_a_race_multiply_and_end_at_the_whole(bounds):
    """low eta^k, the last one forced to high."""
    low, high, eta = bounds
    resources = levels(low, high, eta)
    assert resources[:-1] == tuple(low * eta**k for k in range(len(resources) - 1))
    assert resources[-1] == high
    assert all(b > a for a, b in itertools.pairwise(resources))
    assert high < low * eta ** len(resources)


@pytest.mark.parametrize(
    ("low", "high", "eta", "expected"),
    [
        (1, 243, 3, 5),
        (1, 242, 3, 4),
        (1, 3**40, 3, 40),
        (1, 3**40 - 1, 3, 39),
        (5, 14, 3, 0),
        (0.1, 0.9, 3, 2),
    ],
)
def test_logarithms_are_of_whole_numbers(low, high, eta, expected):
    """math.log(243, 3) is 4.999...; and 0.1 * 9 is more than 0.9 by a rounding."""
    assert log_floor(low, high, eta) == expected


def test_shares_of_the_whole_may_be_fractions():
    """Such as parts of a table."""
    assert levels(0.125, 1.0, 2) == (0.125, 0.25, 0.5, 1.0)
    assert [pairs(bracket) for bracket in brackets(0.25, 1.0, 2)] == [
        [(4, 0.25), (2, 0.5), (1, 1.0)],
        [(3, 0.5), (1, 1.0)],
        [(3, 1.0)],
    ]
    assert min(rung.resource for bracket in brackets(0.1, 0.9, 3) for rung in bracket) >= 0.1


def test_a_range_with_room_for_one_rung():
    """Nothing to race for: every trial gets all of it."""
    assert levels(5, 9, 3) == (9,)
    assert [pairs(bracket) for bracket in brackets(5, 9, 3)] == [[(1, 9)]]
