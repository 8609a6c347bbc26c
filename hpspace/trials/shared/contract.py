"""What a store of trials promises.

A store keeps trial documents where several processes reach them. It is the only place that changes them, and it
changes them by the moves below and no others; each is one atomic operation and one row of
`hpspace.trials.document.TRANSITIONS`::

            insert              reserve                  finish
      ·  ───────────►  NEW  ───────────────►  RUNNING ───────────►  DONE | ERROR | CANCEL
                      ▲  │ ▲                   │    │                        │       │
                      │  │ └── release, reap ──┘    └── reap, at the cap ──► ERROR   │
                      │  └── cancel ──────────────────────────────────────► CANCEL   │
                      └── requeue, an operator's order ◄─────────────────────┴───────┘

**Leases.** Who reserves a trial holds it for some seconds by the store's clock, and no other clock matters. `beat`
extends the lease; `reap` takes back what nobody holds any more. So a trial whose evaluator vanished is evaluated
again: at least once, never knowingly twice.

**Fencing.** Each claim has a random token of its own. `checkpoint`, `finish` and `release` change a document only if
their token is the one in it. An evaluator that was away for longer than its lease is told no, and changes nothing.
The same `finish` may be repeated when its answer was lost: it says yes again, and changes nothing again.

**Attempts** are counted, and capped by `reap`: a trial that takes its evaluator down with it ends in state ERROR.

**Following.** Every move but `beat` adds one to a document's ``version``, and `changes` gives whole documents, exactly
those that changed since a cursor.

Documents are those of `hpspace.trials.document` plus the keys of `STORE_KEYS`. For trials and workers an `exp_key` of
None stands for all experiments of the store; ids are unique in the store, so that they can be shown together. For what
else belongs to an experiment (blobs, meta, the objective) None is the experiment without a key.

Implemented by `memory`, `sqlite` and `hpspace.trials.mongo`, with the `rules` they have in common. Whoever writes
another store runs `hpspace.testing.stores.StoreContract` over it.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

#: Seconds that a claim lasts without a beat.
LEASE = 60.0
#: Beats in a lease: one may be lost, and another, before the lease is.
BEATS_PER_LEASE = 4
#: Claims of a trial after which `reap` gives it up.
MAX_ATTEMPTS = 3
#: Seconds that a driver's hold on an experiment's objective lasts without being renewed.
DRIVER_LEASE = 60.0
#: Version of what stores keep: of their tables or collections, and of the documents in them.
SCHEMA_VERSION = 1

#: Keys that stores add to documents, and their values in a trial that nobody has claimed yet.
STORE_KEYS: Mapping[str, Any] = {
    "version": 0,  # changes so far; beats are none
    "attempt": 0,  # claims so far
    "token": None,  # random text of the present claim; None when nobody holds it
    "lease_until": None,  # when that claim ends, by the store's clock: naive UTC
    "closed_by": None,  # token of the claim that ended the trial
}

#: Keys that a store may add for itself: no copy of a document takes them along. (MongoDB's; ``error`` is where Hyperopt
#: keeps what is ``misc["error"]`` here.)
OWN_KEYS = frozenset({"_id", "_attachments", "error", "lease", "mtime"})


@dataclass(frozen=True)
class Claim:
    """The right to evaluate a trial, for as long as the lease lasts."""

    #: Id of the trial.
    tid: int
    #: Random text that proves the right.
    token: str
    #: The how-manieth claim of the trial this is, from 1.
    attempt: int
    #: The document as it was claimed, in state RUNNING. Not shared with the store.
    doc: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Reaped:
    """What `Store.reap` took back."""

    #: Ids of trials that wait again.
    requeued: list[int] = field(default_factory=list)
    #: Ids of trials that were claimed too often and are in state ERROR now.
    failed: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.requeued or self.failed)


@dataclass(frozen=True)
class Changes:
    """What `Store.changes` saw."""

    #: Documents that changed, each whole, each once; in any order.
    docs: list[dict[str, Any]]
    #: Where to go on the next time. Opaque: only the store that made it can read it.
    cursor: Any
    #: Whether trials were deleted: forget all that was read before, `docs` is everything.
    reset: bool = False


@dataclass(frozen=True)
class Experiment:
    """One line of a list of experiments."""

    exp_key: str | None
    #: State to number of trials in it; states without trials are left out.
    counts: dict[int, int]
    #: Least loss of a finished trial with status "ok", as stored: negated when the direction is "maximize".
    best_loss: float | None = None
    direction: str = "minimize"
    #: When a trial last changed, by the store's clock; naive UTC.
    last_change: datetime.datetime | None = None


@runtime_checkable
class Store(Protocol):
    """Where trials are kept. Every method may be called from any thread, and from a process forked off."""

    @property
    def url(self) -> str:
        """Where it is, without a password: for people, not always enough to open it again."""
        ...

    def close(self) -> None:
        """Let go of files and connections. A closed store may be closed again."""
        ...

    # -- trials: adding and evaluating ---------------------------------------------------------------------

    def new_tids(self, n: int) -> list[int]:
        """Give out ids that were never given out in this store, counting up."""
        ...

    def insert(self, docs: Sequence[Mapping[str, Any]]) -> None:
        """Add documents, all or none, in whatever state they are.

        To repeat an insert is harmless: documents that are there already (`same_trial`) stay as they are.

        Raises
        ------
        InvalidTrial
            A tid is no int, or is taken by another trial.
        Unstorable
            A value cannot be kept.
        StoreFull
            There is no room.
        """
        ...

    def reserve(
        self, owner: str, exp_key: str | None, lease: float = LEASE, tid: int | None = None
    ) -> Claim | None:
        """Claim the queued trial with the lowest tid, or that with a given one: NEW to RUNNING.

        Sets owner, book_time, refresh_time, a fresh token and the end of the lease; counts the attempt. None if no
        such trial is queued.
        """
        ...

    def beat(self, claims: Iterable[Claim], lease: float = LEASE) -> set[int]:
        """Extend leases to `lease` seconds from now; return the ids that are still held.

        A claim whose lease has run out but which nobody has reaped is still held. The version stays as it is.
        """
        ...

    def checkpoint(
        self, claim: Claim, result: Mapping[str, Any] | None = None, misc: Mapping[str, Any] | None = None
    ) -> bool:
        """Replace the result and merge keys into the misc of a running trial; False if the claim is lost."""
        ...

    def finish(
        self,
        claim: Claim,
        state: int,
        result: Mapping[str, Any] | None = None,
        misc: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a trial: RUNNING to DONE, ERROR or CANCEL.

        False if the claim is lost: nothing was changed. True if it was this claim that ended the trial, now or
        before. A `result` of None leaves the one that is there.

        Raises
        ------
        IllegalMove
            `state` is no outcome.
        Unstorable
            A value cannot be kept; the trial is still running.
        """
        ...

    def release(self, claim: Claim, counted: bool = False) -> bool:
        """Hand a trial back unevaluated: RUNNING to NEW; False if the claim is lost.

        The attempt is not counted unless `counted`: somebody was interrupted, the trial is not to blame.
        """
        ...

    def reap(
        self, exp_key: str | None, max_attempts: int = MAX_ATTEMPTS, dead: Collection[str] = ()
    ) -> Reaped:
        """Take back the trials whose lease has run out, or whose owner is one of `dead`: to NEW.

        Those claimed `max_attempts` times go to ERROR, with an error of type `WORKER_LOST`.
        """
        ...

    # -- trials: orders of an operator ---------------------------------------------------------------------

    def cancel(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Cancel queued trials, all or some: NEW to CANCEL; return how many."""
        ...

    def requeue(self, exp_key: str | None, tids: Iterable[int]) -> int:
        """Queue trials again that are failed, cancelled or running: to NEW, attempts from 0; return how many."""
        ...

    def delete(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Remove trials and their attachments, all or some; return how many trials.

        With `tids` None everything goes that the experiment has: attachments, meta, objective, and the drivers'
        hold on it. Ids are not given out again.
        """
        ...

    # -- reading -------------------------------------------------------------------------------------------

    def changes(self, exp_key: str | None, cursor: Any = None) -> Changes:
        """Return the documents that changed since a cursor, in every state; all of them without one.

        Exact: a change is seen by the first call after it, and by no other.
        """
        ...

    def counts(self, exp_key: str | None) -> dict[int, int]:
        """Return the number of trials in each state that has any."""
        ...

    def experiments(self) -> list[Experiment]:
        """Return the experiments, that without a key first, then by key."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when something may have changed in the store, at the latest after some time."""
        ...

    # -- what belongs to an experiment ---------------------------------------------------------------------

    def put_blob(self, exp_key: str | None, name: str, data: bytes) -> None:
        """Keep bytes of any size under a name; what was there is replaced at once or not at all."""
        ...

    def get_blob(self, exp_key: str | None, name: str) -> bytes:
        """Return bytes that were put; KeyError if there are none of that name."""
        ...

    def delete_blob(self, exp_key: str | None, name: str) -> None:
        """Remove bytes that were put; KeyError if there are none of that name."""
        ...

    def blob_names(self, exp_key: str | None, prefix: str = "") -> list[str]:
        """Return the names that begin with a prefix, in order."""
        ...

    def get_meta(self, exp_key: str | None) -> dict[str, Any]:
        """Return the small facts kept with an experiment: direction, description of the space, ..."""
        ...

    def update_meta(self, exp_key: str | None, facts: Mapping[str, Any]) -> None:
        """Merge facts into those of an experiment."""
        ...

    def publish_domain(
        self,
        exp_key: str | None,
        sha: str,
        blob: bytes | None = None,
        signature: str | None = None,
        ttl: float = DRIVER_LEASE,
    ) -> None:
        """Declare what objective the experiment's trials are evaluated with, and hold that for `ttl` seconds.

        Drivers call it again to keep their hold, and with a `ttl` of 0 to let go. A `blob` of None leaves the bytes
        of the same `sha` that are there; so it does for an objective that never travels.

        Raises
        ------
        DomainSwapError
            Another `sha` is there, and the hold on it has not run out.
        """
        ...

    def domain(self, exp_key: str | None) -> tuple[str, bytes | None, str | None]:
        """Return sha, bytes and signature of the objective; KeyError if none was published."""
        ...

    # -- presence ------------------------------------------------------------------------------------------

    def hello(self, worker: Mapping[str, Any]) -> None:
        """Note that a worker or driver is there, now. Its key "owner" is its name in claims."""
        ...

    def workers(self, exp_key: str | None, within: float = LEASE) -> list[dict[str, Any]]:
        """Return who said hello within so many seconds, as they described themselves.

        Those that serve every experiment ("exp_key" None) are of each. "seen" is added: seconds ago.
        """
        ...
