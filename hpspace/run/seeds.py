"""Seeds of every kind become one number, and every call of an algorithm gets its own seed from it.

A run has one *base*: a tuple of 32-bit words read once from whatever the user passed as ``rstate``. The seed of
one call of an algorithm is a hash of (base, id of the first trial of that call), never the next draw of a
stream. So a run that is interrupted after 50 trials and resumed with the same seed goes on with what the 51st
call would have drawn; a stream would start again and repeat the first 50.

Ids are opaque: an integer counts by its value, anything else by its type and repr, through BLAKE2, because
Python's own ``hash`` of a string differs between processes.

Called by `run.loop`, `run.minimize` and `run.bridge`; knows nothing of trials or spaces.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, RandomState, SeedSequence
from numpy.random.bit_generator import ISpawnableSeedSequence
from numpy.typing import DTypeLike, NDArray

#: Environment variable read when no seed is given: an integer, or empty for none.
SEED_VARIABLE = "HYPEROPT_FMIN_SEED"

#: Seeds handed to algorithms lie in [0, SEED_LIMIT): the range Hyperopt draws from, accepted by every generator.
SEED_LIMIT = 2**31 - 1

_WORDS = 4  # 128 bits, numpy's own amount of entropy
_WORD_LIMIT = 2**32


class Base(tuple[int, ...]):
    """The seed of a run as 32-bit words; made by `base_from`."""

    __slots__ = ()


def base_from(rstate: Any) -> Base:
    """Reduce a seed of any accepted kind to the base of a run.

    Parameters
    ----------
    rstate : int, numpy integer, Generator, RandomState, SeedSequence or None
        A `Generator` or `RandomState` is advanced by one draw, so that two runs that share it differ.
        ``None`` reads the environment variable `SEED_VARIABLE`, and without it asks the system for entropy.

    Returns
    -------
    Base
        Four 32-bit words; equal integers and equal generator states give equal bases. A `Base` is returned as it
        is.

    Raises
    ------
    TypeError
        For anything else (bool included), naming what is accepted.
    ValueError
        For a negative integer, or an environment variable that is not an integer.

    Examples
    --------
    >>> base_from(7) == base_from(np.int64(7))
    True
    >>> base_from(np.random.default_rng(7)) == base_from(7)
    False
    """
    if isinstance(rstate, Base):
        return rstate
    if rstate is None:
        return _words(SeedSequence(_environment_seed()))
    if isinstance(rstate, (int, np.integer)) and not isinstance(rstate, bool):
        return _words(SeedSequence(_not_negative(int(rstate), "rstate")))
    if isinstance(rstate, SeedSequence):
        return _words(rstate)
    if isinstance(rstate, Generator):
        return Base(int(word) for word in rstate.integers(_WORD_LIMIT, size=_WORDS))
    if isinstance(rstate, RandomState):
        return Base(int(word) for word in rstate.randint(_WORD_LIMIT, size=_WORDS, dtype=np.uint32))
    raise TypeError(
        f"rstate={rstate!r} is of type {type(rstate).__name__}; pass an int, a numpy.random.Generator, "
        "a numpy.random.RandomState, a numpy.random.SeedSequence, or None"
    )


def seed_for(base: Base, tid: Any) -> int:
    """Return the seed of the algorithm call whose first trial has id `tid`.

    Parameters
    ----------
    base : Base
        What `base_from` returned for the run.
    tid : hashable
        Id of the first trial of the call.

    Returns
    -------
    int
        A plain int in [0, 2**31 - 1): the same for the same arguments, in every process.

    Examples
    --------
    >>> base = base_from(0)
    >>> seed_for(base, 3) == seed_for(base, 3), seed_for(base, 3) == seed_for(base, 4)
    (True, False)
    """
    sequence = SeedSequence([*base, *_identity(tid)])
    return int(sequence.generate_state(1, np.uint64)[0] % SEED_LIMIT)


def generator_from(seed: Any) -> Generator:
    """Return the generator that an algorithm draws from when it is called with a seed.

    Parameters
    ----------
    seed : int, numpy integer, or what `numpy.random.default_rng` takes
        An integer must not be negative. A `Generator` is returned as it is.

    Raises
    ------
    ValueError
        For a negative integer.

    Examples
    --------
    >>> bool(generator_from(3).random() == generator_from(np.int64(3)).random() != generator_from(4).random())
    True
    """
    if isinstance(seed, (int, np.integer)) and seed >= 0:
        # OPTIM: 5 instead of 16 us, a twentieth of a suggestion; `SeedSequence` makes an array of every word
        sequence: Any = _Digest(b"%d" % seed)  # numpy's stubs name one class only
        return Generator(PCG64(sequence))
    return np.random.default_rng(seed)


class _Digest(ISpawnableSeedSequence):
    """A seed sequence of digests of bytes: as many as are wanted, by BLAKE2."""

    def __init__(self, entropy: bytes) -> None:
        self._entropy = entropy
        self._spawned = 0

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[Any]:
        """Return as many words."""
        word = np.dtype(dtype)
        size = n_words * word.itemsize
        digests = [hashlib.blake2b(b"%d:%b" % (i, self._entropy)).digest() for i in range(0, size, 64)]
        return np.frombuffer(b"".join(digests), word, n_words)

    def spawn(self, n_children: int) -> list[_Digest]:
        """Return sequences of their own, others with every call."""
        first, self._spawned = self._spawned, self._spawned + n_children
        return [_Digest(b"%b/%d" % (self._entropy, i)) for i in range(first, self._spawned)]


def _words(sequence: SeedSequence) -> Base:
    """Four words of a seed sequence, which stays unchanged."""
    return Base(int(word) for word in sequence.generate_state(_WORDS))


def _environment_seed() -> int | None:
    """Return the seed of the environment, None when unset or empty."""
    text = os.environ.get(SEED_VARIABLE, "")
    if not text:
        return None
    try:
        return _not_negative(int(text), SEED_VARIABLE)
    except ValueError as error:
        raise ValueError(f"environment variable {SEED_VARIABLE}={text!r}: write an integer >= 0") from error


def _not_negative(seed: int, name: str) -> int:
    if seed < 0:
        raise ValueError(f"{name}={seed}: a seed must be >= 0")
    return seed


def _identity(tid: Any) -> list[int]:
    """32-bit words that identify a trial id: its value for an integer, a digest for anything else."""
    if isinstance(tid, (int, np.integer)) and 0 <= int(tid) < _WORD_LIMIT:
        return [int(tid)]
    digest = hashlib.blake2b(f"{type(tid).__name__}:{tid!r}".encode(), digest_size=16).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
