"""Random search spaces: one hypothesis strategy for the whole domain.

`spaces()` draws nested spaces of dicts, lists and choices with every kind of parameter, shared parameters and
arithmetic on them; `finite_spaces()` draws small ones that can be enumerated. A test over these says something about
every space a user may write.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from hpspace import hp
from hpspace.graph.node import Node


@dataclass
class _Names:
    """Hands out labels, and remembers parameters so that they can be shared."""

    made: list[Node] = field(default_factory=list)
    count: int = 0

    def fresh(self) -> str:
        self.count += 1
        return f"p{self.count}"


_BOUNDS = st.tuples(st.integers(-20, 20), st.integers(1, 30)).map(lambda pair: (pair[0], pair[0] + pair[1]))
_STEPS = st.sampled_from([0.5, 1.0, 2.0, 3.0])
_CONSTANTS = st.sampled_from([None, True, 0, 1, -2.5, "adam", "", (1, 2)])


def _discrete(draw: st.DrawFn, label: str) -> Node:
    low, high = draw(_BOUNDS)
    makers: list[Callable[[], Node]] = [
        lambda: hp.randint(label, draw(st.integers(1, 5))),
        lambda: hp.randint(label, low, high),
        lambda: hp.uniformint(label, low, high),
        lambda: hp.quniform(label, low, high, draw(_STEPS)),
        lambda: hp.qloguniform(label, -1, draw(st.integers(0, 4)), draw(_STEPS)),
        lambda: hp.int(label, low, high, step=draw(st.integers(1, 3))),
        lambda: hp.int(label, 1, 1 + high - low, log=True),
        lambda: hp.float(label, low, high, step=draw(_STEPS)),
        lambda: hp.ordinal(label, ["small", "medium", "large"]),
        lambda: hp.categorical(label, ["a", "b"], p=[0.25, 0.75]),
    ]
    return draw(st.sampled_from(makers))()


def _continuous(draw: st.DrawFn, label: str) -> Node:
    low, high = draw(_BOUNDS)
    makers: list[Callable[[], Node]] = [
        lambda: hp.uniform(label, low, high),
        lambda: hp.loguniform(label, low / 4, high / 4),
        lambda: hp.normal(label, low, high - low),
        lambda: hp.lognormal(label, 0, draw(_STEPS)),
        lambda: hp.qnormal(label, low, high - low, draw(_STEPS)),
        lambda: hp.qlognormal(label, 0, 1, draw(_STEPS)),
        lambda: hp.float(label, low, high),
        lambda: hp.float(label, 10.0 ** (low / 10), 10.0 ** (high / 10), log=True),
    ]
    return draw(st.sampled_from(makers))()


def _leaf(draw: st.DrawFn, names: _Names, finite: bool) -> Any:
    kind = draw(st.sampled_from(["constant", "parameter", "parameter", "shared", "arithmetic"]))
    if kind == "constant":
        return draw(_CONSTANTS)
    if kind == "shared" and names.made:
        return draw(st.sampled_from(names.made))
    make = _discrete if finite or draw(st.booleans()) else _continuous
    node = make(draw, names.fresh())
    names.made.append(node)
    if kind == "arithmetic" and node.name in ("int", "float"):
        return 2 * node + 1
    return node


def _space(draw: st.DrawFn, names: _Names, depth: int, finite: bool) -> Any:
    kind = draw(st.sampled_from(["leaf", "dict", "list", "choice", "choice"])) if depth else "leaf"
    if kind == "leaf":
        return _leaf(draw, names, finite)
    width = draw(st.integers(1, 3))
    if kind == "choice":
        label = names.fresh()
        options = [_space(draw, names, depth - 1, finite) for _ in range(width)]
        if draw(st.booleans()):
            return hp.choice(label, options)
        share = 1.0 / math.fsum([1.0] * width)
        return hp.pchoice(label, [(share, option) for option in options])
    parts = [_space(draw, names, depth - 1, finite) for _ in range(width)]
    return {f"k{i}": part for i, part in enumerate(parts)} if kind == "dict" else parts


@st.composite
def spaces(draw: st.DrawFn, depth: int = 3) -> Any:
    """Draw a search space.

    Parameters
    ----------
    depth : int
        How deeply containers and choices may nest.

    Returns
    -------
    strategy of object
        What a user would pass to `fmin`.
    """
    return _space(draw, _Names(), depth, finite=False)


@st.composite
def finite_spaces(draw: st.DrawFn, depth: int = 2) -> Any:
    """Draw a search space with finitely many points (not always few: ask `cardinality`)."""
    return _space(draw, _Names(), depth, finite=True)
