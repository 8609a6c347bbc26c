"""What an algorithm is, and the registry of algorithms.

An algorithm is one function, ``propose(space, history, n, rng) -> Batch``. It never sees a document, a store, a clock
or the user's objective, and it keeps nothing between calls: everything that it may use is in its arguments.

The laws that every registered algorithm obeys (each is a test):

* `propose` does not change `history`;
* `propose` with the same arguments and the same state of `rng` returns the same batch;
* every value lies in its distribution's support, and inactive parameters are masked;
* the rows of a batch differ from each other where the space allows it;
* in a finite space no row repeats a point of `history`, unless ``history.allow_repeats``; when no point is left the
  batch is empty.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Container
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hpspace.history import History
from hpspace.space.batch import Batch
from hpspace.space.compiled import CompiledSpace


@runtime_checkable
class Algorithm(Protocol):
    """A search algorithm; see the laws in the module's text."""

    def propose(self, space: CompiledSpace, history: History, n: int, rng: Generator) -> Batch:
        """Propose points to evaluate.

        Parameters
        ----------
        space : CompiledSpace
            What to search.
        history : History
            What is known, pending trials included.
        n : int
            How many points are wanted.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Batch
            At most n points; fewer only when a finite space has no more.
        """


A = TypeVar("A", bound=Callable[[], Algorithm])

_REGISTRY: dict[str, Callable[[], Algorithm]] = {}


def register(name: str) -> Callable[[A], A]:
    """Register an algorithm under a name, so that ``fmin(algo=name)`` finds it.

    Parameters
    ----------
    name : str
        The name; must be new.

    Returns
    -------
    callable
        A decorator of a class (or factory) that can be called without arguments.

    Raises
    ------
    ValueError
        If the name is taken.
    """

    def add(factory: A) -> A:
        if name in _REGISTRY:
            raise ValueError(f"an algorithm named {name!r} is registered already: {_REGISTRY[name]!r}")
        _REGISTRY[name] = factory
        return factory

    return add


def names() -> tuple[str, ...]:
    """Return the registered names, sorted."""
    return tuple(sorted(_REGISTRY))


def get(name: str) -> Algorithm:
    """Make the algorithm registered under a name, with its default parameters.

    Raises
    ------
    ValueError
        If there is none; names the nearest.
    """
    if name not in _REGISTRY:
        near = difflib.get_close_matches(name, _REGISTRY, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}."
        raise ValueError(f"there is no algorithm named {name!r}; {hint}")
    return _REGISTRY[name]()


#: Draws, 64 at a time, before unseen points of a finite space are looked up by index instead; of an endless one so many
#: in a row without a new point end the search for more.
_ROUNDS = 4

#: A finite space of at most this many points is looked through in random order, a larger one from a random index on.
_SHUFFLED = 10_000


def unseen(space: CompiledSpace, history: History, batch: Batch, n: int, rng: Generator) -> Batch:
    """Replace what `batch` repeats by points that were never proposed.

    Parameters
    ----------
    space, history : CompiledSpace, History
        As given to `propose`.
    batch : Batch
        Proposals; a row that repeats an earlier row or, in a finite space, the history is replaced.
    n : int
        How many rows are wanted.
    rng : numpy.random.Generator
        Source of replacements, which are drawn from the prior while that finds new points.

    Returns
    -------
    Batch
        n rows, or as many as a finite space has left. Rows of a space with a density are taken to differ.
    """
    finite = is_finite(space)
    if len(batch) == n and (space.has_density or (n == 1 and not finite)):
        return batch
    known: Container[bytes] = history.keys if finite and not history.allow_repeats else ()
    own: set[bytes] = set()
    values = _new_rows(space, batch.values, known, own, n)
    in_vain = 0
    while len(values) < n and in_vain < _ROUNDS:
        drawn = space.sample(rng, 64).values
        new = _new_rows(space, drawn, known, own, n - len(values))
        values = np.concatenate([values, new])
        # a large space may have few points that are new, but does not run out of them
        in_vain = 0 if len(new) and not finite else in_vain + 1
    if len(values) < n and finite:
        values = np.concatenate([values, _looked_up(space, known, own, n - len(values), rng)])
    if len(values) < n and history.allow_repeats:
        values = np.concatenate([values, space.sample(rng, n - len(values)).values])
    return Batch(space, values)


def is_finite(space: CompiledSpace) -> bool:
    """Whether the space has finitely many points."""
    return isinstance(space.cardinality(), int)


def _new_rows(
    space: CompiledSpace, values: NDArray[np.float64], known: Container[bytes], own: set[bytes], limit: int
) -> NDArray[np.float64]:
    """Return up to `limit` rows that are neither in `known` nor in `own`, which they join."""
    keep: list[int] = []
    for i, key in enumerate(space.keys(values)):
        if len(keep) < limit and key not in own and key not in known:
            own.add(key)
            keep.append(i)
    return values[keep]


def _looked_up(
    space: CompiledSpace, known: Container[bytes], own: set[bytes], n: int, rng: Generator
) -> NDArray[np.float64]:
    """Return up to n unseen points by index; takes at most as many steps as there are seen points, and n."""
    total = int(space.cardinality())
    start = int(rng.random() * total)
    shuffled = rng.permutation(total).tolist() if total <= _SHUFFLED else None
    rows: list[NDArray[np.float64]] = []
    for step in range(total):
        if len(rows) == n:
            break
        index = shuffled[step] if shuffled else (start + step) % total
        rows.extend(_new_rows(space, space.row(space.point_at(index))[None, :], known, own, 1))
    return np.array(rows).reshape(len(rows), len(space))
