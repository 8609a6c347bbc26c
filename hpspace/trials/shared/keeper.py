"""What this process holds in a store, and what it does so as not to lose it.

A `Keeper` has the claims on the trials that are being evaluated here, and the hold on the experiment's objective. Its
heart beats for them. With each beat it also looks after the others: trials whose evaluators vanished go back into the
queue, so that an experiment is whole again whoever is left in it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
import weakref
from collections.abc import Iterator
from typing import Any

from hpspace.exceptions import DomainSwapError, StoreError
from hpspace.trials.shared.contract import BEATS_PER_LEASE, LEASE, MAX_ATTEMPTS, Claim, Reaped, Store
from hpspace.trials.shared.heart import Heart
from hpspace.trials.shared.process import default_owner, is_gone, this_process

logger = logging.getLogger(__name__)

#: Seconds for which a process that has said hello may be found dead by its number.
REMEMBERED = 7 * 86_400.0


class Keeper:
    """The claims of this process on the trials of one experiment.

    Parameters
    ----------
    store : Store
        Where the trials are.
    exp_key : str or None
        The experiment; None for all.
    lease : float
        Seconds that a claim lasts without a beat.
    max_attempts : int
        Claims of a trial after which it is given up.
    owner : str, optional
        The name of this process in claims; by default ``host:pid``.
    role : {"driver", "worker"}
        What this process is.

    Raises
    ------
    ValueError
        A lease without a length, or no attempt at all.
    """

    def __init__(
        self,
        store: Store,
        exp_key: str | None,
        lease: float = LEASE,
        max_attempts: int = MAX_ATTEMPTS,
        owner: str | None = None,
        role: str = "driver",
    ) -> None:
        if not 0 < lease < math.inf:
            raise ValueError(
                f"lease={lease!r}: write the seconds, more than 0, that a silent evaluator is given"
            )
        if max_attempts < 1:
            raise ValueError(f"max_attempts={max_attempts!r}: a trial must be tried at least once")
        #: Further facts that others are to know of this process, JSON.
        self.facts: dict[str, Any] = {"role": role}
        self._store = store
        self._exp_key = exp_key
        self._lease = lease
        self._max_attempts = max_attempts
        self._owner = owner
        self._heart = Heart(self.beat, lease / BEATS_PER_LEASE)
        weakref.finalize(self, self._heart.stop, wait=False)
        self._objective: str | None = None
        self._scopes = 0
        self._begin_in_this_process()

    def _begin_in_this_process(self) -> None:
        """Hold nothing: what a parent process has claimed is its own business."""
        self._pid = os.getpid()
        self._claims: dict[int, Claim] = {}
        self._last_beat: float | None = None  # by the wall clock, which goes on while a machine sleeps

    @property
    def owner(self) -> str:
        """The name of this process in claims."""
        return self._owner or default_owner()

    # -- claims --------------------------------------------------------------------------------------------

    def claim(
        self, tid: int | None = None, owner: str | None = None, exp_key: str | None = None
    ) -> Claim | None:
        """Claim a queued trial, or the first there is, and keep it alive until `let_go`; None if there is none.

        `exp_key` narrows a keeper of all experiments to one of them.
        """
        if os.getpid() != self._pid:
            self._begin_in_this_process()
        if self._last_beat is None:
            self._say_hello()
        claim = self._store.reserve(owner or self.owner, exp_key or self._exp_key, self._lease, tid)
        if claim is not None:
            self._claims[claim.tid] = claim
            self._heart.start()
        return claim

    def held(self, tid: int) -> Claim | None:
        """Return the claim on a trial, None if there is none or it is lost."""
        return self._claims.get(tid) if os.getpid() == self._pid else None

    def let_go(self, tid: int) -> None:
        """Forget a claim."""
        if self._claims.pop(tid, None) is not None and not (self._scopes or self._claims):
            self._heart.stop(wait=False)

    # -- staying alive -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Beat within, and begin by taking back what others have left behind."""
        self._say_hello()
        self.reap()
        self._scopes += 1
        self._heart.start()
        try:
            yield
        finally:
            self._scopes -= 1
            if not (self._scopes or self._claims):
                self._heart.stop()
            if not self._scopes:
                self._let_objective_go()

    def beat(self) -> bool:
        """Renew what is held, look after what others hold; return whether there is anything to go on for."""
        if os.getpid() != self._pid:
            return False
        asleep = self._last_beat is not None and time.time() - self._last_beat > self._lease
        self._renew()
        self._say_hello()
        if not asleep:  # else others may have slept as well, and shall have the time to beat first
            self.reap()
        return bool(self._scopes or self._claims)

    def _renew(self) -> None:
        claims = list(self._claims.values())
        held = self._store.beat(claims, self._lease) if claims else set()
        for claim in claims:
            if claim.tid not in held and self._claims.get(claim.tid) is claim:
                self.let_go(claim.tid)
                logger.warning(
                    "trial %d is not ours any more: it was taken back, or deleted, while it was evaluated here",
                    claim.tid,
                    extra={"action": "claim_lost", "tid": claim.tid},
                )
        if self._objective is not None:
            self._store.publish_domain(self._exp_key, self._objective, ttl=self._lease)

    def tell(self, **facts: Any) -> None:
        """Let others know facts of this process, now."""
        self.facts.update(facts)
        self._say_hello()

    def _say_hello(self) -> None:
        self._last_beat = time.time()
        about = {"owner": self.owner, "exp_key": self._exp_key, "objective": self._objective, **self.facts}
        self._store.hello({**this_process(), **about})

    # -- others --------------------------------------------------------------------------------------------

    def reap(self) -> Reaped:
        """Take back the trials of evaluators that have vanished."""
        present = self._store.workers(None, REMEMBERED)
        dead = {worker["owner"] for worker in present if is_gone(worker)} - {self.owner}
        reaped = self._store.reap(self._exp_key, self._max_attempts, dead)
        if reaped.requeued:
            _tell("wait to be evaluated again", reaped.requeued)
        if reaped.failed:
            _tell(f"are given up after {self._max_attempts} attempts", reaped.failed)
        return reaped

    # -- the objective -------------------------------------------------------------------------------------

    def hold_objective(self, sha: str, blob: bytes | None = None, signature: str | None = None) -> None:
        """Declare what the trials are evaluated with, and hold it as long as the heart beats."""
        try:
            self._store.publish_domain(self._exp_key, sha, blob, signature, self._lease)
        except DomainSwapError:
            if not self._take_from_the_dead():
                raise
            self._store.publish_domain(self._exp_key, sha, blob, signature, self._lease)
        self._objective = sha
        self._say_hello()

    def _take_from_the_dead(self) -> bool:
        """Let go for the drivers that hold another objective, if all of them are known to be gone."""
        held, _, _ = self._store.domain(self._exp_key)
        present = self._store.workers(self._exp_key, REMEMBERED)
        holders = [worker for worker in present if worker.get("objective") == held]
        gone = bool(holders) and all(map(is_gone, holders))
        if gone:
            self._store.publish_domain(self._exp_key, held, ttl=0.0)
        return gone

    def _let_objective_go(self) -> None:
        held, self._objective = self._objective, None
        if held is not None:
            try:
                self._store.publish_domain(self._exp_key, held, ttl=0.0)
            except StoreError as error:  # it runs out by itself; what ended the run matters more
                logger.debug("the objective could not be let go: %s", error)


def _tell(fate: str, tids: list[int]) -> None:
    logger.warning(
        "the evaluators of trials %s have vanished; they %s",
        ", ".join(map(str, tids)),
        fate,
        extra={"action": "reaped", "tids": tids},
    )
