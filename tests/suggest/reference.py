"""The documented formulas of `suggest.tpe.parzen`, written with loops and `math` only: slow and easy to check.

A column is ("real", None), ("grid", edges) with edges ascending from 0 to 1, or ("choice", p). A trial or a point is a
list with one entry a column: a coordinate, the index of a bin, a code, or None where inactive.
"""

from __future__ import annotations

import math


def cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def mass(a: float, b: float) -> float:
    """Normal mass of [a, b], from the smaller tail."""
    return cdf(b) - cdf(a) if a + b < 0 else cdf(-a) - cdf(-b)


def centre(column, entry) -> float:
    kind, detail = column
    return entry if kind == "real" else 0.5 * (detail[entry] + detail[entry + 1])


def bandwidth(column, entries, i, min_bandwidth=0.03) -> float:
    """Bandwidth of trial i of a numeric column; `entries` may hold None."""
    xs = [centre(column, e) for e in entries if e is not None]
    x = centre(column, entries[i])
    smaller, larger = [y for y in xs if y < x], [y for y in xs if y > x]
    gaps = ([x - max(smaller)] if smaller else []) + ([min(larger) - x] if larger else [])
    gap = max(gaps) if gaps else max(x, 1.0 - x)
    floor = max(min_bandwidth, (2.0 + len(xs)) ** -2)
    if column[0] == "grid":
        floor = max(floor, 0.5 * (column[1][entries[i] + 1] - column[1][entries[i]]))
    return min(1.0, max(floor, gap / xs.count(x)))


def prior(column, entry) -> float:
    kind, detail = column
    if kind == "real":
        return 1.0
    return detail[entry + 1] - detail[entry] if kind == "grid" else detail[entry]


def kernel(column, entries, i, entry, prior_weight=1.0, min_bandwidth=0.03) -> float:
    """Density (mass) of trial i's kernel of one column at an entry."""
    kind, detail = column
    if kind == "choice":
        e = prior_weight / (sum(v is not None for v in entries) + 1)
        k = len(detail)
        return ((entries[i] == entry) + k * e * detail[entry]) / (1.0 + k * e)
    mu, sigma = centre(column, entries[i]), bandwidth(column, entries, i, min_bandwidth)
    inside = mass(-mu / sigma, (1.0 - mu) / sigma)
    if kind == "real":
        z = (entry - mu) / sigma
        return math.exp(-0.5 * z * z) / (sigma * math.sqrt(2.0 * math.pi)) / inside
    return mass((detail[entry] - mu) / sigma, (detail[entry + 1] - mu) / sigma) / inside


def marginal(columns, trials, weights, d, entry, prior_weight=1.0) -> float:
    entries = [t[d] for t in trials]
    total, s = prior_weight, prior_weight * prior(columns[d], entry)
    for i, t in enumerate(trials):
        if t[d] is not None:
            total += weights[i]
            s += weights[i] * kernel(columns[d], entries, i, entry, prior_weight)
    return s / total


def joint(columns, trials, weights, point, prior_weight=1.0) -> float:
    active = [d for d, v in enumerate(point) if v is not None]
    s = prior_weight
    for d in active:
        s *= prior(columns[d], point[d])
    for i, t in enumerate(trials):
        product = weights[i]
        for d in active:
            if t[d] is None:
                product *= marginal(columns, trials, weights, d, point[d], prior_weight)
            else:
                product *= kernel(columns[d], [u[d] for u in trials], i, point[d], prior_weight)
        s += product
    return s / (sum(weights) + prior_weight)
