"""Trials as tasks of an engine that cannot be spoken with while it works: what is said comes with the end.

A task is `run_task`: bytes in, bytes out, so that no engine has to pickle anything of the user's by itself, and an
exception of the objective is no failure of the task, which the engine would repeat. In the task the objective's Ctrl
keeps what it is told (`Collector`); the driver takes it out of the answer (`read_answer`) as the same `Called` events
that other executors make at once.

The engine's workers need hpspace, and the modules that the objective imports.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from hpspace.run.executors.base import Called, Event, Finished, Job
from hpspace.run.executors.evaluation import evaluated, raised, text_of
from hpspace.run.executors.remote import RemoteCtrl
from hpspace.run.executors.wire import decoded, dumps, encoded, loads

logger = logging.getLogger(__name__)

#: The domain that this process has loaded last, by its name: tasks of one run follow each other.
_loaded: dict[str, Any] = {}


def run_task(name: str, domain: bytes, job: bytes) -> bytes:
    """Evaluate one trial, in a worker of an engine.

    Parameters
    ----------
    name : str
        Of the domain, unique: one that was loaded before is not loaded again.
    domain : bytes
        From `pickled_domain`.
    job : bytes
        From `dumps`.

    Returns
    -------
    bytes
        For `read_answer`.
    """
    work: Job = loads(job)
    collector = Collector(work)
    try:
        event = evaluated(_domain(name, domain), work, RemoteCtrl(collector.ask, work))
    except Exception as error:  # noqa: BLE001 - loading a domain imports modules of the user
        event = raised(work.tid, error)
    return collector.answer(event)


def _domain(name: str, data: bytes) -> Any:
    domain = _loaded.get(name)
    if domain is None:
        domain = loads(data)
        _loaded.clear()
        _loaded[name] = domain
    return domain


class Collector:
    """Keeps what an objective says through its Ctrl.

    Parameters
    ----------
    job : Job
        With the attachments that the trial has already.
    """

    def __init__(self, job: Job) -> None:
        self._attachments = dict(job.attachments)
        self._said: list[tuple[str, tuple[Any, ...]]] = []
        self._asked_to_prune = False

    def ask(self, name: str, *args: Any) -> Any:
        """Answer one use of the Ctrl as far as that can be done here; nothing is ever pruned."""
        if name == "attachments.get":
            return self._attachments[args[0]]
        if name == "attachments.iter":
            return list(self._attachments)
        self._asked_to_prune |= name in ("should_prune", "report_or_prune")
        if name == "should_prune":
            return False
        if name == "attachments.set":
            self._attachments[args[0]] = args[1]
        elif name == "attachments.del":
            del self._attachments[args[0]]
        self._said.append(("report" if name == "report_or_prune" else name, args))
        return None

    def answer(self, event: Event) -> bytes:
        """Return what the driver is to know, with how the evaluation ended."""
        said = []
        for name, args in self._said:
            try:
                said.append((name, dumps(args)))
            except Exception as error:  # noqa: BLE001, PERF203 - objects refuse to be pickled as they like
                if isinstance(event, Finished):
                    event = raised(event.tid, _cannot_travel(event.tid, name, args, error))
        return dumps((said, self._asked_to_prune, encoded(event)))


def _cannot_travel(tid: Any, name: str, args: tuple[Any, ...], error: Exception) -> TypeError:
    what = f"ctrl.attachments[{args[0]!r}]" if name == "attachments.set" else f"what ctrl.{name} was given"
    return TypeError(
        f"trial {tid}: {what} cannot be sent back from where the trial was evaluated: {text_of(error)}"
    )


@dataclass(frozen=True)
class Answer:
    """What came back from a task."""

    #: What the trial has said, in its order, and how it ended. Replies to calls are dropped.
    events: tuple[Event, ...]
    #: Whether it wanted to know if it should end early, and was told to go on.
    asked_to_prune: bool


def read_answer(data: bytes) -> Answer:
    """Read what a task returned.

    Parameters
    ----------
    data : bytes
        From `run_task`.

    Returns
    -------
    Answer
        What cannot be read back makes the trial one that raised.
    """
    said, asked_to_prune, message = loads(data)
    kind, fields, body = loads(message)
    tid = fields[0]
    try:
        calls = [Called(tid, name, loads(args), _ignore) for name, args in said]
    except Exception as error:  # noqa: BLE001 - reading runs the code of whatever the user sent
        return Answer((raised(tid, error),), asked_to_prune)
    return Answer((*calls, decoded(kind, fields, body)), asked_to_prune)


class LateWords:
    """Turns answers of one run into events, and says once if trials wanted what they cannot have here.

    Parameters
    ----------
    place : str
        Where the trials are evaluated.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._warned = False

    def heard(self, answer: Answer) -> list[Event]:
        """Return the events of an answer."""
        if answer.asked_to_prune and not self._warned:
            self._warned = True
            logger.warning(
                "trials cannot be pruned in %s, where reports come with the end of a trial: should_prune() is always "
                "False; use n_jobs for pruning",
                self._place,
                extra={"action": "no_pruning"},
            )
        return list(answer.events)


def _ignore(value: Any) -> None:
    """Take the reply to a question that nobody waits for any more."""
    if isinstance(value, Exception):
        logger.warning("what a trial said could not be kept: %s", value, extra={"action": "late_call_failed"})
