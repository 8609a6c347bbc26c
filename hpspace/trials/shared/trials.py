"""`SharedTrials`: trials that live in a store, behind the reading interface of any `Trials`.

The store is the truth. This object follows it: `refresh` reads the documents that changed, and only those, and writes
what it read into the dicts that it holds already, so that whoever has one sees it change. Documents are never changed
here first: each move asks the store, then reads back what became of it.

Documents of trials that this process is evaluating are its own until they are concluded; what comes in from elsewhere
touches them only if the claim was lost.
"""

from __future__ import annotations

import contextlib
import copy
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from hpspace.exceptions import Unstorable
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.attachments import TrialAttachments
from hpspace.trials.document import JOB_STATE_ERROR
from hpspace.trials.fidelity import ancestors_of
from hpspace.trials.moves import check_outcome, log_refused, outcome_misc
from hpspace.trials.reading import checked_states
from hpspace.trials.shared.attachments import INTERNAL, StoreAttachments
from hpspace.trials.shared.contract import LEASE, MAX_ATTEMPTS, STORE_KEYS, Claim, Store
from hpspace.trials.shared.fingerprint import fingerprint
from hpspace.trials.shared.following import FollowingTrials, replace
from hpspace.trials.shared.keeper import Keeper
from hpspace.trials.spacememo import SpaceMemo
from hpspace.trials.trials import Trials

logger = logging.getLogger(__name__)

S = TypeVar("S", bound="SharedTrials")

#: The blob with the pickled space.
SPACE_BLOB = f"{INTERNAL}space"


class SharedTrials(FollowingTrials):
    """Trials in a store that other processes share.

    Parameters
    ----------
    store : Store
        Where they are.
    exp_key : str, optional
        The experiment; None shows all experiments of the store, and adds trials to the one without a name.
    refresh : bool
        Whether to read at once.
    asynchronous : bool
        Whether workers evaluate; a search in this process then only proposes, and waits for them. By default it
        evaluates its trials itself; several such searches may share an experiment.
    lease : float
        Seconds after which a trial whose evaluator is silent is evaluated again.
    max_attempts : int
        Evaluators that a trial may cost before it is given up.

    Examples
    --------
    >>> from hpspace.trials.shared.memory import MemoryStore
    >>> from hpspace.trials.document import new_document
    >>> trials = SharedTrials(MemoryStore())
    >>> trials.insert_trial_doc(new_document(trials.new_trial_ids(1)[0], {"x": 0.5}))
    0
    >>> other = SharedTrials(trials.store)
    >>> other.claim(other.trials[0]), trials.claim(trials._dynamic_trials[0])
    (True, False)
    >>> other.conclude(other.trials[0], 2, {"status": "ok", "loss": 0.25})
    True
    >>> trials.refresh()
    >>> trials.losses()
    [0.25]
    """

    __module__ = "hpspace.trials.shared.trials"

    shared = True

    store: Store
    _keeper: Keeper
    _options: dict[str, Any]
    _spare_tids: list[int]

    def __init__(
        self,
        store: Store,
        exp_key: str | None = None,
        refresh: bool = True,
        *,
        asynchronous: bool = False,
        lease: float = LEASE,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self.asynchronous = asynchronous
        self._options = {"lease": lease, "max_attempts": max_attempts}
        self._follow(store, exp_key)
        super().__init__(exp_key, refresh)

    def _follow(self, store: Store, exp_key: str | None) -> None:
        """Belong to an experiment of a store, of which nothing was read yet."""
        self.store = store
        self._exp_key = exp_key
        self._keeper = Keeper(store, exp_key, **self._options)
        self.attachments = StoreAttachments(store, exp_key)
        self._memo = self._stored_memo()

    @classmethod
    def _caches(cls) -> dict[str, Any]:
        """Return fresh attributes that follow from the store: here the documents are among them."""
        return {
            **super()._caches(),
            "_dynamic_trials": [],
            "_ids": set(),
            "_spare_tids": [],  # given out to us and given back unused
        }

    # -- reading -------------------------------------------------------------------------------------------

    def unsettled(self) -> list[dict[str, Any]]:
        """Return the documents that may be unfinished and may be evaluated with these trials."""
        return [doc for doc in super().unsettled() if doc["exp_key"] == self._exp_key]

    def count_by_state_unsynced(self, arg: int | Iterable[int]) -> int:
        """Count the trials in a state or states as of now; see `ReadTrials.count_by_state_unsynced`."""
        self._pull()
        wanted, states = checked_states(arg), self.states()
        return sum(states[state] for state in wanted)

    def states(self) -> Counter[int]:
        """Count the documents by state; see `StoredTrials.states`."""
        return Counter(doc["state"] for doc in self.documents()) if self._stale else super().states()

    def wait(self, seconds: float) -> None:
        """Return when something may have changed in the store, at the latest after some time."""
        self.store.wait(seconds)

    def view(self: S, exp_key: str | None = None, refresh: bool = True) -> S:
        """Return trials of the same store that show one experiment, or all; see `StoredTrials.view`."""
        other = super().view(exp_key, refresh=False)
        other._follow(self.store, exp_key)
        if refresh:
            other.refresh()
        return other

    # -- adding --------------------------------------------------------------------------------------------

    def new_trial_ids(self, n: int) -> list[Any]:
        """Reserve ids that no other process gets; see `StoredTrials.new_trial_ids`."""
        with self._reading:
            spare, self._spare_tids = self._spare_tids[:n], self._spare_tids[n:]
        tids = [*spare, *(self.store.new_tids(n - len(spare)) if len(spare) < n else ())]
        self._ids.update(tids)
        return tids

    def release_trial_ids(self, tids: Iterable[Any]) -> None:
        """Take back ids that were not used, for the next `new_trial_ids` of this process."""
        with self._reading:
            unused = [tid for tid in tids if self._tid_index.find(self._dynamic_trials, tid) is None]
            self._spare_tids = sorted({*self._spare_tids, *unused})
            self._ids.difference_update(unused)

    def _insert_trial_docs(self, docs: Sequence[dict[str, Any]]) -> list[Any]:
        """Insert documents without checking them: one write, then the very objects are held."""
        with self._reading:
            self.store.insert(docs)
            for doc in docs:
                doc.update({key: doc.get(key, value) for key, value in STORE_KEYS.items()})
                if self._tid_index.find(self._dynamic_trials, doc["tid"]) is None:
                    self._dynamic_trials.append(doc)
        tids = [doc["tid"] for doc in docs]
        self._ids.update(tids)
        return tids

    def delete_all(self) -> None:
        """Remove every trial of the experiment (without one: of the store), and all that belongs to it."""
        self.store.delete(self._exp_key)
        self._memo = SpaceMemo()
        self.refresh()

    # -- moves ---------------------------------------------------------------------------------------------

    @property
    def owner(self) -> str:
        """The name of this process in claims: ``host:pid``."""
        return self._keeper.owner

    def claim(self, doc: dict[str, Any], owner: str | None = None) -> bool:
        """Take a queued trial in order to evaluate it here; see `MovingTrials.claim`."""
        claim = self._keeper.claim(doc["tid"], owner)
        if claim is None:
            self._pull()
            return False
        replace(doc, copy.deepcopy(claim.doc))
        return True

    def conclude(
        self,
        doc: dict[str, Any],
        state: int,
        result: dict[str, Any] | None = None,
        error: tuple[str, str] | None = None,
        traceback: str | None = None,
        misc: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record how the evaluation of a claimed trial ended; see `MovingTrials.conclude`."""
        check_outcome(doc["tid"], state)
        claim = self._keeper.held(doc["tid"])
        done = claim is not None and self._finish(claim, state, result, outcome_misc(error, traceback, misc))
        self._keeper.let_go(doc["tid"])
        self._read_back()
        if not done:
            log_refused(doc, state)
        return done

    def _read_back(self) -> None:
        """Read what became of a move, and what else has changed by now."""
        self._pull()

    def _finish(
        self, claim: Claim, state: int, result: dict[str, Any] | None, misc: Mapping[str, Any]
    ) -> bool:
        """End a trial, as failed if its result cannot be kept."""
        try:
            return self.store.finish(claim, state, result, misc)
        except Unstorable as refused:
            error = (str(type(refused)), str(refused))
            logger.error(
                "trial %d: %s", claim.tid, refused, extra={"action": "result_unstorable", "tid": claim.tid}
            )
            return self.store.finish(claim, JOB_STATE_ERROR, misc={"error": error})

    def requeue(self, doc: dict[str, Any]) -> bool:
        """Put a trial back into the queue; see `MovingTrials.requeue`. One that is ours costs it no attempt."""
        claim = self._keeper.held(doc["tid"])
        if claim is not None:
            moved = self.store.release(claim)
            self._keeper.let_go(doc["tid"])
        else:
            moved = self.store.requeue(self._exp_key, [doc["tid"]]) == 1
        self._pull()
        return moved

    def cancel(self, doc: dict[str, Any]) -> bool:
        """Cancel a queued trial; see `MovingTrials.cancel`."""
        cancelled = self.store.cancel(self._exp_key, [doc["tid"]]) == 1
        self._pull()
        return cancelled

    def checkpoint(self, doc: dict[str, Any]) -> None:
        """Store what this process has changed in the result and the misc of a running trial."""
        claim = self._keeper.held(doc["tid"])
        if claim is None:
            return
        was = claim.doc["misc"]
        misc = {key: value for key, value in doc["misc"].items() if key not in was or was[key] != value}
        result = doc["result"] if doc["result"] != claim.doc["result"] else None
        if misc or result is not None:
            self.store.checkpoint(claim, result, misc)

    def keeping_alive(self) -> AbstractContextManager[Any]:
        """Return a context manager within which claims are renewed and abandoned trials are taken back."""
        return self._kept_alive()

    @contextlib.contextmanager
    def _kept_alive(self) -> Iterator[None]:
        with self._keeper.alive():
            self.refresh()
            yield

    def adopt(self, domain: Any, seal: Callable[[Any], tuple[bytes, str | None]] | None = None) -> None:
        """Hold the experiment for an objective, and hand it to workers; see `MovingTrials.adopt`."""
        travels = self.asynchronous and seal is not None
        blob, signature = seal(domain) if travels and seal is not None else (None, None)
        self._keeper.hold_objective(fingerprint(domain.fn, domain.space.to_json()), blob, signature)

    def live_workers(self) -> int:
        """Return how many workers are there for the experiment, evaluating or waiting."""
        present = self.store.workers(self._exp_key, self._options["lease"])
        return sum(worker.get("role") == "worker" for worker in present)

    # -- what belongs to the experiment --------------------------------------------------------------------

    def trial_attachments(self, trial: dict[str, Any]) -> TrialAttachments:
        """Return the attachments of one trial, read from the store and written to it with each access."""
        return StoreAttachments(self.store, trial["exp_key"]).of_trial(trial["tid"], ancestors_of(trial))

    def remember_space(self, space: CompiledSpace) -> None:
        """Keep the space with the trials; see `Trials.remember_space`."""
        known = self._memo.json
        super().remember_space(space)
        pickled, json, _ = self._memo.dump()
        if json == known:
            return
        if pickled is not None:
            self.store.put_blob(self._exp_key, SPACE_BLOB, pickled)
        self.store.update_meta(self._exp_key, {"space": json, "space_pickled": pickled is not None})

    @property
    def direction(self) -> str:
        """What the search asks for; see `Trials.direction`."""
        return super().direction

    @direction.setter
    def direction(self, direction: str) -> None:
        before = self._memo.direction
        Trials.direction.__set__(self, direction)  # type: ignore[attr-defined]
        if direction != before:
            self.store.update_meta(self._exp_key, {"direction": direction})

    def _stored_memo(self) -> SpaceMemo:
        meta = self.store.get_meta(self._exp_key)
        pickled = self.store.get_blob(self._exp_key, SPACE_BLOB) if meta.get("space_pickled") else None
        memo = SpaceMemo(None, pickled, meta.get("space"))
        return memo.with_direction(meta["direction"]) if "direction" in meta else memo

    # -- copies --------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write a copy to a file, as trials in memory; see `Trials.save`."""
        self.copy_to(Trials(self._exp_key)).save(path)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the way to the store; what was read from it is left behind."""
        left_out = {*self._caches(), "store", "_keeper", "attachments", "_memo", "_trials"}
        kept = {key: value for key, value in self.__dict__.items() if key not in left_out}
        return _restored, (type(self), self.store, kept)

    def __deepcopy__(self: S, memo: dict[int, Any]) -> S:
        other: S = self.view(self._exp_key)
        memo[id(self)] = other
        return other

    def close(self) -> None:
        """Let go of the store's files or connections; they are opened again when they are needed."""
        self.store.close()


def _restored(cls: type[S], store: Store, state: dict[str, Any]) -> S:
    """Make trials from a pickle."""
    trials = cls.__new__(cls)
    trials.__dict__.update(state)
    trials._follow(store, state["_exp_key"])
    trials.refresh()
    return trials
