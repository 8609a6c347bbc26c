"""From what a trials file holds back to trials: replaying records, and reading plain pickles.

Called by `save.load` only. Both unpickle: a trials file is read because its reader trusts it.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpspace.trials.trials import Trials


def replay(path: Path, payloads: Sequence[bytes]) -> Trials:
    """Make the trials that records describe.

    Parameters
    ----------
    path : Path
        Where they stand, for messages.
    payloads : sequence of bytes
        The records, see `hpspace.trials.save`.

    Returns
    -------
    Trials
        Refreshed.

    Raises
    ------
    ValueError
        There is no first record, or one of an unknown kind.
    """
    docs: list[dict[str, Any]] = []
    attachments: dict[str, Any] = {}
    space: Any = (None, None)
    opened: tuple[Any, dict[str, Any]] | None = None
    for kind, *parts in map(_unpickled, payloads):
        if kind == "open":
            opened = _unpickled(parts[0])
        elif kind == "doc":
            docs[parts[0] : parts[0] + 1] = [_unpickled(parts[1])]
        elif kind == "attach":
            attachments[parts[0]] = _unpickled(parts[1])
        elif kind == "detach":
            attachments.pop(parts[0], None)
        elif kind == "clear":
            docs, attachments = [], {}
        elif kind == "space":
            space = parts[0]
        else:
            raise ValueError(
                f"{path}: a record of kind {kind!r}, which this release of hpspace does not know"
            )
    if opened is None:
        raise ValueError(f"{path} holds no trials")
    return _assembled(opened, docs, attachments, space)


def _unpickled(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301  `load` says that a trials file is to be trusted


def _assembled(
    opened: tuple[Any, dict[str, Any]], docs: list[dict[str, Any]], attachments: dict[str, Any], space: Any
) -> Trials:
    """Put trials together; a class that could not be saved becomes the plain one."""
    from hpspace.trials.trials import Trials

    saved_class, state = opened
    cls: type[Trials] = saved_class if isinstance(saved_class, type) else Trials
    trials = cls.__new__(cls)
    trials.__setstate__({**state, "_space": space})
    there = {doc["tid"]: doc for doc in all_documents(trials)}  # a subclass may keep documents of its own
    for doc in docs:
        if doc["tid"] in there:
            there[doc["tid"]].update(doc)
    trials._insert_trial_docs([doc for doc in docs if doc["tid"] not in there])
    trials.attachments.update(attachments)
    trials.refresh()
    return trials


def all_documents(trials: Trials) -> list[dict[str, Any]]:
    """Return the documents of the whole store, of every experiment and in every state."""
    return trials._dynamic_trials or trials.documents()


class _HyperoptUnpickler(pickle.Unpickler):
    """Reads Hyperopt's pickles as well: its public addresses are ours under another first name."""

    def find_class(self, module: str, name: str) -> Any:
        first, dot, rest = module.partition(".")
        return super().find_class(f"hpspace{dot}{rest}" if first == "hyperopt" else module, name)


def load_pickle(path: Path) -> Trials:
    """Read a plain pickle of trials, also one made by Hyperopt.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Trials

    Raises
    ------
    ValueError
        It holds something else.
    """
    from hpspace.trials.trials import Trials

    with path.open("rb") as file:
        try:
            trials = _HyperoptUnpickler(file).load()
        except (pickle.UnpicklingError, EOFError) as error:
            raise ValueError(f"{path} holds no trials: {error}") from error
    if not isinstance(trials, Trials):
        raise ValueError(f"{path} holds no trials but an object of class {type(trials).__name__}")
    return trials
