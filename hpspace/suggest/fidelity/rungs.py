"""The tables: how much of a resource is given at which rung, and to how many configurations.

Successive halving gives n configurations a little, keeps one in eta, gives those eta times as much, and so on up to the
whole (Jamieson & Talwalkar 2016). Hyperband runs it with every sensible trade between n and the first resource, its
brackets (Li et al. 2017, "Hyperband", JMLR 18, Algorithm 1). Everything here is a pure function of the declared bounds,
in whole numbers where the bounds are: a floating-point log(243) / log(3) is 4.999..., and that would cost a bracket.

Called by `asha` and `hyperband`. Notation of the paper: R is the greatest resource, r the least.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Relative slack in comparing resources that are floats, such as 0.1 * 3 * 3 with 0.9.
_SLACK = 1e-9


@dataclass(frozen=True)
class Rung:
    """One round of a bracket.

    Parameters
    ----------
    n : int
        How many configurations take part.
    resource : int or float
        What each of them is given in all.
    """

    n: int
    resource: int | float


def log_floor(low: float, high: float, eta: int) -> int:
    """Return the largest k with ``low * eta**k <= high``.

    Examples
    --------
    >>> log_floor(1, 243, 3), log_floor(1, 100, 4), log_floor(0.1, 0.9, 3)
    (5, 3, 2)
    """
    exact = isinstance(low, int) and isinstance(high, int)
    bound = high if exact else high * (1 + _SLACK)
    k = 0
    while low * eta ** (k + 1) <= bound:
        k += 1
    return k


def levels(low: float, high: float, eta: int) -> tuple[int | float, ...]:
    """Return the resources of the rungs of one race: the least, eta times as much each, and last the whole.

    Parameters
    ----------
    low, high : int or float
        Least and greatest resource.
    eta : int
        Factor from one rung to the next.

    Returns
    -------
    tuple
        ``low * eta**k``, the last one replaced by `high`.

    Examples
    --------
    >>> levels(1, 81, 3), levels(1, 100, 4), levels(2, 3, 3), levels(0.1, 1.0, 3)
    ((1, 3, 9, 27, 81), (1, 4, 16, 100), (3,), (0.1, 0.3, 1.0))
    """
    return (*(_tidy(low, eta**k) for k in range(log_floor(low, high, eta))), high)


def brackets(low: float, high: float, eta: int) -> tuple[tuple[Rung, ...], ...]:
    """Return Hyperband's brackets, the most daring one (many configurations, little resource) first.

    Bracket s of s_max..0 begins with ``n = ceil((s_max + 1) / (s + 1) * eta**s)`` configurations of resource
    ``R / eta**s``; its rung i has ``floor(n / eta**i)`` of ``R / eta**(s - i)``. Whole resources are rounded down, so
    that no bracket costs more than the paper's bound of ``(s_max + 1) R``, and none falls below r.

    Parameters
    ----------
    low, high : int or float
        Least and greatest resource.
    eta : int
        One in so many configurations goes on.

    Returns
    -------
    tuple of tuple of Rung
        Brackets s_max, ..., 0.

    Examples
    --------
    >>> for bracket in brackets(1, 9, 3):
    ...     print([(rung.n, rung.resource) for rung in bracket])
    [(9, 1), (3, 3), (1, 9)]
    [(5, 3), (1, 9)]
    [(3, 9)]
    """
    s_max = log_floor(low, high, eta)
    return tuple(_bracket(s, s_max, low, high, eta) for s in range(s_max, -1, -1))


def _bracket(s: int, s_max: int, low: float, high: float, eta: int) -> tuple[Rung, ...]:
    n = -(-(s_max + 1) * eta**s // (s + 1))  # the ceiling, in whole numbers
    return tuple(Rung(n // eta**i, _share(low, high, eta ** (s - i))) for i in range(s + 1))


def _share(low: float, high: float, parts: int) -> int | float:
    if isinstance(high, int):
        return high // parts
    return max(low, _tidy(high, 1 / parts))  # rounding may lead below


def _tidy(resource: float, factor: float) -> float:
    """Return a product without its last digits if it is a float: 0.3 and not 0.30000000000000004."""
    product = resource * factor
    return product if factor == 1 or isinstance(product, int) else float(f"{product:.12g}")
