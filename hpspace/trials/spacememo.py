"""What trials remember of the search they were made in, space and direction, in a form that always survives pickling.

A space may hold anything as a constant, also what cannot be pickled or cannot be imported later. Trials
must not be lost for that. So their pickle carries the space as bytes of its own, left out when the space
refuses and opened only when somebody asks for it, and the space's JSON description, which is always there.
"""

from __future__ import annotations

import copy
import logging
import pickle
from typing import TYPE_CHECKING, Any

from hpspace.space.compile import compile_space
from hpspace.trials.direction import MINIMIZE

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace

logger = logging.getLogger(__name__)


class SpaceMemo:
    """A space, or what is left of one. Not changed once made.

    Parameters
    ----------
    space : CompiledSpace, optional
        The space; None when there is none, or only its bytes.
    pickled : bytes, optional
        Its pickled expression.
    json : dict, optional
        Its description.
    direction : str
        "minimize" or "maximize": what the search asked for. Documents hold what is minimised in either case.
    """

    def __init__(
        self,
        space: CompiledSpace | None = None,
        pickled: bytes | None = None,
        json: dict[str, Any] | None = None,
        direction: str = MINIMIZE,
    ) -> None:
        self.direction = direction
        self._space = space
        self._pickled = pickled
        self._json = json
        self._tried = False  # whether pickling or unpickling was tried already: both fail for good

    @property
    def space(self) -> CompiledSpace | None:
        """The space; None when it is unknown or its bytes cannot be read here (which is logged once)."""
        if self._space is None and self._pickled is not None and not self._tried:
            self._space = _unpickled(self._pickled)
            self._tried = True
        return self._space

    @property
    def json(self) -> dict[str, Any] | None:
        """The space's description; None when no space was ever remembered."""
        if self._json is None and self._space is not None:
            self._json = self._space.to_json()
        return self._json

    def with_space(self, space: CompiledSpace) -> SpaceMemo:
        """Return a memo of another space, all else as in this one."""
        return SpaceMemo(space, direction=self.direction)

    def with_direction(self, direction: str) -> SpaceMemo:
        """Return a memo of another direction, all else as in this one."""
        other = copy.copy(self)
        other.direction = direction
        return other

    def dump(self) -> tuple[bytes | None, dict[str, Any] | None, str]:
        """Return bytes of the space, its description, and the direction, for a pickle of the trials."""
        if self._pickled is None and self._space is not None and not self._tried:
            self._pickled = _pickled(self._space)
            self._tried = True
        return self._pickled, self.json, self.direction


def _pickled(space: CompiledSpace) -> bytes | None:
    """Return the pickled expression of a space, None (and a log line) if a constant in it refuses."""
    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(space.expr)
    except Exception as error:  # noqa: BLE001  any constant of the user may refuse, each in its own way
        logger.warning(
            "the space cannot be pickled, so the saved trials keep only its description: %r", error
        )
        return None
    return data


def _unpickled(data: bytes) -> CompiledSpace | None:
    """Return the space of a pickled expression, None (and a log line) if it cannot be read here."""
    try:
        return compile_space(pickle.loads(data))  # noqa: S301  no less trusted than the trials around it
    except Exception as error:  # noqa: BLE001  whatever a constant raises, the trials stay readable
        logger.warning("the space stored with these trials cannot be read here: %r", error)
        return None
