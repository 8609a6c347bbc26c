"""The reference store: the contract in memory, for threads of one process and for tests.

It is meant to be read beside `contract`: each method is what the other stores do in a database, with a lock in place
of a transaction. What it keeps are copies made by `encoding`, so values fare in it exactly as in a file.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from hpspace.trials.attachments import attachment_name
from hpspace.trials.direction import MINIMIZE
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    TRANSITIONS,
    requeued,
)
from hpspace.trials.moves import check_outcome
from hpspace.trials.shared.contract import (
    LEASE,
    MAX_ATTEMPTS,
    STORE_KEYS,
    Changes,
    Claim,
    Experiment,
    Reaped,
)
from hpspace.trials.shared.encoding import storable
from hpspace.trials.shared.memory_shelf import MemoryShelf
from hpspace.trials.shared.rules import (
    best_loss_of,
    check_insertable,
    new_token,
    same_trial,
    tid_taken,
    worker_lost,
)

Document = dict[str, Any]


class MemoryStore(MemoryShelf):
    """A store in memory.

    Examples
    --------
    >>> from hpspace.trials.document import new_document
    >>> store = MemoryStore()
    >>> (tid,) = store.new_tids(1)
    >>> store.insert([new_document(tid, {"x": 0.5})])
    >>> claim = store.reserve("me", None)
    >>> store.finish(claim, 2, {"status": "ok", "loss": 0.25})
    True
    >>> store.counts(None)
    {2: 1}
    """

    url = "memory:"

    def __init__(self) -> None:
        super().__init__()
        self._docs: dict[int, Document] = {}
        self._revs: dict[int, int] = {}  # tid: the change it was last touched by
        self._rev = self._next_tid = self._deletions = 0
        self._seen = threading.local()  # rev: the last change that a thread has looked at

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a store in memory is of one process and cannot be pickled; copy_to(Trials()) can be")

    # -- trials: adding and evaluating ---------------------------------------------------------------------

    def new_tids(self, n: int) -> list[int]:
        """Give out ids; see `Store.new_tids`."""
        with self._lock:
            first, self._next_tid = self._next_tid, self._next_tid + n
            return list(range(first, self._next_tid))

    def insert(self, docs: Sequence[Mapping[str, Any]]) -> None:
        """Add documents; see `Store.insert`."""
        new: dict[int, Document] = {}
        for doc in docs:
            check_insertable(doc)
            copy = {**STORE_KEYS, **storable(doc, f"trial {doc['tid']}"), "token": None, "lease_until": None}
            if not same_trial(new.setdefault(doc["tid"], copy), copy):
                raise tid_taken(doc)
        with self._lock:
            for tid, doc in new.items():
                if tid in self._docs and not same_trial(self._docs[tid], doc):
                    raise tid_taken(doc)
            for tid in new.keys() - self._docs.keys():
                self._docs[tid] = new[tid]
                self._touch(tid)
            self._next_tid = max(self._next_tid, *(tid + 1 for tid in new), 0)

    def reserve(
        self, owner: str, exp_key: str | None, lease: float = LEASE, tid: int | None = None
    ) -> Claim | None:
        """Claim a queued trial; see `Store.reserve`."""
        with self._lock:
            self._seen.rev = self._rev
            queued = self._having({JOB_STATE_NEW}, exp_key, None if tid is None else [tid])
            if not queued:
                return None
            doc = min(queued, key=lambda doc: int(doc["tid"]))
            self._change(
                doc,
                state=JOB_STATE_RUNNING,
                owner=owner,
                token=new_token(),
                attempt=doc["attempt"] + 1,
                book_time=self._now(),
                lease_until=self._in(lease),
                closed_by=None,
            )
            return Claim(doc["tid"], doc["token"], doc["attempt"], storable(doc))

    def beat(self, claims: Iterable[Claim], lease: float = LEASE) -> set[int]:
        """Extend leases; see `Store.beat`."""
        with self._lock:
            held = [doc for doc in map(self._held, claims) if doc is not None]
            for doc in held:
                doc["lease_until"] = self._in(lease)
            return {doc["tid"] for doc in held}

    def checkpoint(
        self, claim: Claim, result: Mapping[str, Any] | None = None, misc: Mapping[str, Any] | None = None
    ) -> bool:
        """Write through what is known of a running trial; see `Store.checkpoint`."""
        return self._update_held(claim, result, misc)

    def finish(
        self,
        claim: Claim,
        state: int,
        result: Mapping[str, Any] | None = None,
        misc: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a trial; see `Store.finish`."""
        check_outcome(claim.tid, state)
        with self._lock:
            doc = self._docs.get(claim.tid)
            if doc is not None and doc["closed_by"] == claim.token:
                return True
            return self._update_held(
                claim, result, misc, state=state, token=None, lease_until=None, closed_by=claim.token
            )

    def release(self, claim: Claim, counted: bool = False) -> bool:
        """Hand a trial back; see `Store.release`."""
        with self._lock:
            doc = self._held(claim)
            if doc is not None:
                self._queue_again(doc, attempt=doc["attempt"] - (not counted))
            return doc is not None

    def reap(
        self, exp_key: str | None, max_attempts: int = MAX_ATTEMPTS, dead: Collection[str] = ()
    ) -> Reaped:
        """Take back the trials that nobody holds any more; see `Store.reap`."""
        reaped = Reaped()
        with self._lock:
            for doc in self._having({JOB_STATE_RUNNING}, exp_key):
                if not self._is_lost(doc, dead):
                    continue
                if doc["attempt"] < max_attempts:
                    self._queue_again(doc)
                    reaped.requeued.append(doc["tid"])
                else:
                    doc["misc"]["error"] = worker_lost(doc["attempt"], doc["owner"])
                    self._change(doc, state=JOB_STATE_ERROR, token=None, lease_until=None)
                    reaped.failed.append(doc["tid"])
        return reaped

    def _is_lost(self, doc: Document, dead: Collection[str]) -> bool:
        until = doc["lease_until"]
        return until is None or until < self._now() or doc["owner"] in dead

    # -- trials: orders of an operator ---------------------------------------------------------------------

    def cancel(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Cancel queued trials; see `Store.cancel`."""
        with self._lock:
            docs = self._having({JOB_STATE_NEW}, exp_key, tids)
            for doc in docs:
                self._change(doc, state=JOB_STATE_CANCEL)
            return len(docs)

    def requeue(self, exp_key: str | None, tids: Iterable[int]) -> int:
        """Queue trials again; see `Store.requeue`."""
        states = {state for state, following in TRANSITIONS.items() if JOB_STATE_NEW in following}
        with self._lock:
            docs = self._having(states, exp_key, tids)
            for doc in docs:
                self._queue_again(doc, attempt=0)
            return len(docs)

    def delete(self, exp_key: str | None, tids: Iterable[int] | None = None) -> int:
        """Remove trials and what belongs to them; see `Store.delete`."""
        with self._lock:
            docs = self._having(TRANSITIONS.keys(), exp_key, tids)
            keys = self._experiment_keys()
            for doc in docs:
                del self._docs[doc["tid"]], self._revs[doc["tid"]]
                self._drop_blobs(doc["exp_key"], attachment_name(doc["tid"], ""))
            if tids is None:
                self._clear(keys if exp_key is None else {exp_key})
            self._deletions += 1
            self._changed()
            return len(docs)

    # -- reading -------------------------------------------------------------------------------------------

    def changes(self, exp_key: str | None, cursor: Any = None) -> Changes:
        """Return what changed since a cursor; see `Store.changes`."""
        with self._lock:
            self._seen.rev = self._rev
            deletions, rev = (self._deletions, 0) if cursor is None else cursor
            reset = deletions != self._deletions
            since = 0 if reset else rev
            changed = [
                storable(doc)
                for doc in self._having(TRANSITIONS.keys(), exp_key)
                if self._revs[doc["tid"]] > since
            ]
            return Changes(changed, (self._deletions, self._rev), reset)

    def counts(self, exp_key: str | None) -> dict[int, int]:
        """Count trials by state; see `Store.counts`."""
        with self._lock:
            return dict(sorted(Counter(doc["state"] for doc in self._of(exp_key)).items()))

    def experiments(self) -> list[Experiment]:
        """List the experiments; see `Store.experiments`."""
        with self._lock:
            keys = sorted(self._experiment_keys(), key=lambda key: (key is not None, key or ""))
            return [self._experiment(key) for key in keys]

    def _experiment_keys(self) -> set[str | None]:
        return {doc["exp_key"] for doc in self._docs.values()} | self._shelved_keys()

    def _experiment(self, exp_key: str | None) -> Experiment:
        docs = [doc for doc in self._docs.values() if doc["exp_key"] == exp_key]
        return Experiment(
            exp_key,
            counts=dict(sorted(Counter(doc["state"] for doc in docs).items())),
            best_loss=min((loss for loss in map(best_loss_of, docs) if loss is not None), default=None),
            direction=self._metas.get(exp_key, {}).get("direction", MINIMIZE),
            last_change=max((doc["refresh_time"] for doc in docs if doc["refresh_time"]), default=None),
        )

    def wait(self, seconds: float) -> None:
        """Wait for a change; see `Store.wait`."""
        with self._lock:
            seen = getattr(self._seen, "rev", self._rev)
            self._lock.wait_for(lambda: self._rev != seen, max(0.0, seconds))

    # -- how documents change ------------------------------------------------------------------------------

    def _of(self, exp_key: str | None) -> list[Document]:
        return [doc for doc in self._docs.values() if exp_key is None or doc["exp_key"] == exp_key]

    def _having(
        self, states: Collection[int], exp_key: str | None, tids: Iterable[int] | None = None
    ) -> list[Document]:
        """Return the documents of an experiment that are in one of the states, all or those with given ids."""
        wanted = None if tids is None else set(tids)
        return [
            doc
            for doc in self._of(exp_key)
            if doc["state"] in states and (wanted is None or doc["tid"] in wanted)
        ]

    def _held(self, claim: Claim) -> Document | None:
        doc = self._docs.get(claim.tid)
        return doc if doc is not None and doc["token"] == claim.token else None

    def _update_held(
        self,
        claim: Claim,
        result: Mapping[str, Any] | None,
        misc: Mapping[str, Any] | None,
        **fields: Any,
    ) -> bool:
        """Change a document if the claim on it is the newest one."""
        result_copy = None if result is None else storable(dict(result), "result")
        misc_copy = storable(dict(misc or {}), "misc")
        with self._lock:
            doc = self._held(claim)
            if doc is None:
                return False
            doc["misc"].update(misc_copy)
            if result_copy is not None:
                doc["result"] = result_copy
            self._change(doc, **fields)
            return True

    def _queue_again(self, doc: Document, **fields: Any) -> None:
        self._change(
            requeued(doc), state=JOB_STATE_NEW, token=None, lease_until=None, closed_by=None, **fields
        )

    def _change(self, doc: Document, **fields: Any) -> None:
        doc.update(fields, version=doc["version"] + 1, refresh_time=self._now())
        self._touch(doc["tid"])

    def _touch(self, tid: int) -> None:
        self._changed()
        self._revs[tid] = self._rev

    def _changed(self) -> None:
        self._rev += 1
        self._lock.notify_all()
