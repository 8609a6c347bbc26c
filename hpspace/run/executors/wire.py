"""What travels between the driver and a child process, as bytes.

A message is a pickled tuple ``(kind, fields, body)``: `fields` are plain texts and numbers, which both sides always
can read; `body` is the pickle of what a user made (a result, an exception, the arguments of a call). So a value that
cannot be written or read back spoils its trial and not the conversation.

Values are pickled by the plain pickle, which is fast, and by cloudpickle where that refuses, as it does for what is
defined in a script.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Mapping
from typing import Any

from hpspace.exceptions import InvalidResult, ObjectiveError, TrialPruned
from hpspace.run.executors.base import Died, Event, Finished, Raised
from hpspace.run.executors.evaluation import raised, text_of
from hpspace.run.objective import brief

Message = tuple[str, tuple[Any, ...], bytes]


def dumps(value: Any) -> bytes:
    """Pickle any value that can be.

    Parameters
    ----------
    value : object
        What to send.

    Returns
    -------
    bytes
        For `pickle.loads`.
    """
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - objects refuse to be pickled in whatever way they like
        import cloudpickle

        data: bytes = cloudpickle.dumps(value)
        return data


def loads(data: bytes) -> Any:
    """Return the value of `dumps`.

    Parameters
    ----------
    data : bytes
        From a process of ours.

    Returns
    -------
    object
        The value.
    """
    return pickle.loads(data)  # noqa: S301 - the other end is a process that this one started, or that started it


def encoded(event: Event) -> bytes:
    """Return the message of an event that ends a job.

    Parameters
    ----------
    event : Finished, Raised or Died
        From `evaluated`.

    Returns
    -------
    bytes
        If the result refuses to be pickled, the message of the error that says so.
    """
    if isinstance(event, Finished):
        return _finished(event)
    if isinstance(event, Raised):
        fields = (event.tid, event.kind, event.message, event.traceback, event.pruned)
        return dumps(("raised", fields, _dumped_error(event.error)))
    assert isinstance(event, Died)
    return dumps(("died", (event.tid, event.exitcode, event.reason), b""))


def decoded(kind: str, fields: tuple[Any, ...], body: bytes) -> Event:
    """Return the event of a message.

    Parameters
    ----------
    kind, fields, body
        The message of `encoded`.

    Returns
    -------
    Finished, Raised or Died
        What cannot be read back becomes a `Raised` that says so.
    """
    if kind == "died":
        return Died(*fields)
    if kind == "raised":
        return _raised(fields, body)
    (tid,) = fields
    try:
        return Finished(tid, loads(body))
    except Exception as error:  # noqa: BLE001 - reading runs the code of whatever the user returned
        return raised(tid, _no_result(tid, "result", "read back", error))


def _finished(event: Finished) -> bytes:
    try:
        return dumps(("finished", (event.tid,), dumps(event.result)))
    except Exception as error:  # noqa: BLE001 - as above
        where = _refusing_key(event.result)
        return encoded(raised(event.tid, _no_result(event.tid, where, "sent", error)))


def _no_result(tid: Any, where: str, verb: str, error: Exception) -> InvalidResult:
    why = f"{type(error).__name__}: {text_of(error)}"
    return InvalidResult(
        None,
        f"trial {tid}: {where} cannot be {verb} from the process that evaluated the trial ({why}); "
        "return plain values, arrays and other objects that can be pickled",
    )


def _refusing_key(result: Mapping[str, Any]) -> str:
    for key, value in result.items():
        try:
            dumps((key, value))
        except Exception:  # noqa: BLE001, PERF203 - as above; the loop ends here
            return f"result[{key!r}]"
    return "result"


def _dumped_error(error: Exception) -> bytes:
    """Pickle an exception so that it can be made again; nothing if there is no way, for texts are sent in any case."""
    with contextlib.suppress(
        Exception
    ):  # exceptions refuse in whatever way they like, some of them when read
        data = dumps(error)
        if text_of(loads(data)) == text_of(error):  # its class may add words to its argument once more
            return data
    with contextlib.suppress(Exception):
        data = dumps(_Taken(error))
        loads(data)
        return data
    return b""


class _Taken:
    """An exception taken to pieces, for one that cannot be pickled, or not be made again by calling its class.

    Such classes are common: their arguments are not those of `Exception`, as in ``super().__init__(f"{a} and {b}")``.
    Pieces that refuse to travel are represented by their text.
    """

    def __init__(self, error: Exception) -> None:
        self._pieces = (
            type(error),
            tuple(map(_sendable, error.args)),
            {name: _sendable(value) for name, value in vars(error).items()},
        )

    def __reduce__(self) -> Any:
        return _put_together, self._pieces


def _put_together(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


def _sendable(value: Any) -> Any:
    """Return a value if it can be pickled, else its text."""
    try:
        loads(dumps(value))
    except Exception:  # noqa: BLE001 - as above
        return brief(value)
    return value


def _raised(fields: tuple[Any, ...], body: bytes) -> Raised:
    tid, kind, message, traceback, pruned = fields
    error = _loads_or_stand_in(kind, message, traceback, pruned, body)
    if error.__cause__ is None and not isinstance(error, ObjectiveError):
        error.__cause__ = ObjectiveError("raised in the process that evaluated the trial", "", traceback)
    return Raised(tid, kind, message, traceback, error, pruned)


def _loads_or_stand_in(kind: str, message: str, traceback: str, pruned: bool, body: bytes) -> Exception:
    try:
        error = loads(body)
    except Exception:  # noqa: BLE001 - reading runs the code of the user's exception class
        error = None
    if isinstance(error, Exception):
        return error
    return TrialPruned(message) if pruned else ObjectiveError(kind, message, traceback)
