"""The objectives that a worker can evaluate: fetched from the store once, opened if they may be trusted, kept ready.

Each lives in an executor of its own, that is in a child process unless told otherwise. An objective that cannot be had,
be it unsigned, unreadable or in want of a module, is nobody's fault here: the worker hands its trials back, tells the
driver why, and leaves the experiment alone for a while. Used by `hpspace.run.worker` only.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import Any

from hpspace.exceptions import UntrustedObjective
from hpspace.run.claimed import ClaimedTrials
from hpspace.run.executors.base import Executor
from hpspace.run.orders import Settings
from hpspace.run.trust import Parcel, opened, pruner_of, shared_key
from hpspace.trials.shared.contract import Store
from hpspace.trials.shared.keeper import Keeper

logger = logging.getLogger(__name__)

#: Seconds for which an objective that could not be loaded is left alone.
LEFT_ALONE = 60.0

#: Seconds for which the list of experiments is believed, while some of them are left alone.
LIST_HOLDS = 5.0

#: Signals that children take no notice of: the worker decides.
SHIELDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


@dataclass
class Objective:
    """The objective of an experiment, ready to evaluate."""

    sha: str
    trials: ClaimedTrials
    executor: Executor
    pruner: Any = None
    loaded: bool = False

    @property
    def has_loaded(self) -> bool:
        """Whether it was loaded at least once where it is evaluated."""
        return self.loaded or bool(getattr(self.executor, "loaded", True))


class Objectives:
    """The objectives of a worker.

    Parameters
    ----------
    store : Store
        Where they are published.
    keeper : Keeper
        Through which drivers are told what cannot be loaded.
    settings : Settings
        How they are evaluated.
    """

    def __init__(self, store: Store, keeper: Keeper, settings: Settings) -> None:
        self._store, self._keeper, self._settings = store, keeper, settings
        self._ready: dict[str | None, Objective] = {}
        self._left_alone: dict[str | None, float] = {}  # experiment to the end of its being left alone
        self._listed: tuple[float, list[str]] = (-math.inf, [])  # when the experiments were listed, and they

    def to_serve(self) -> list[str | None]:
        """Return the experiments to look for trials in: None for all that are served, unless some are left alone."""
        now = time.monotonic()
        self._left_alone = {key: end for key, end in self._left_alone.items() if end > now}
        if not self._left_alone:
            return [None]
        if self._settings.exp_key is not None:
            return []
        if now - self._listed[0] > LIST_HOLDS:
            keys = [experiment.exp_key for experiment in self._store.experiments()]
            self._listed = now, [key for key in keys if key is not None]
        return [key for key in self._listed[1] if key not in self._left_alone]

    def get(self, exp_key: str | None, trials: ClaimedTrials) -> Objective | None:
        """Return the objective of an experiment, None if it cannot be had now."""
        try:
            sha, blob, signature = self._store.domain(exp_key)
        except KeyError:
            self.leave_alone(exp_key, "no driver has published an objective for it yet")
            return None
        known = self._ready.get(exp_key)
        if known is not None and known.sha == sha:
            known.trials = trials
            return known
        try:
            parcel = self._settings.parcel or _parcel(blob, signature)
            pruner = pruner_of(parcel)
        except Exception as error:  # noqa: BLE001 - it is read from a pickle, which may raise anything
            self.leave_alone(exp_key, str(error) or type(error).__name__)
            return None
        if known is not None:
            known.executor.close(kill=True)
        made = Objective(sha, trials, self._executor(parcel), pruner)
        self._ready[exp_key] = made
        return made

    def _executor(self, parcel: Parcel) -> Executor:
        if not self._settings.subprocess:
            from hpspace.run.executors.here import HereExecutor

            return HereExecutor(parcel.domain)
        from hpspace.run.executors.processes import ProcessExecutor

        executor = ProcessExecutor(1, fresh=self._settings.fresh, shielded=SHIELDED)
        executor.start_pickled(parcel.domain)
        return executor

    def leave_alone(self, exp_key: str | None, reason: str) -> None:
        """Say why an experiment cannot be served, to this log and to its driver, and leave it for a while."""
        logger.error(
            "experiment %s is left alone for %d s: %s",
            exp_key,
            LEFT_ALONE,
            reason,
            extra={"action": "cannot_load", "exp_key": exp_key},
        )
        self._left_alone[exp_key] = time.monotonic() + LEFT_ALONE
        self._keeper.tell(cannot_load={**self._keeper.facts.get("cannot_load", {}), str(exp_key): reason})
        known = self._ready.pop(exp_key, None)
        if known is not None:
            known.executor.close(kill=True)

    def note_loaded(self, exp_key: str | None, objective: Objective) -> None:
        """Take back what was said of an objective that could not be loaded before."""
        objective.loaded = True
        missing = self._keeper.facts.get("cannot_load", {})
        if missing.pop(str(exp_key), None) is not None:
            self._keeper.tell(cannot_load=missing)

    def close(self) -> None:
        """End the processes that evaluate."""
        for objective in self._ready.values():
            objective.executor.close(kill=True)


def _parcel(blob: bytes | None, signature: str | None) -> Parcel:
    if blob is None:
        raise UntrustedObjective(
            "its driver evaluates the trials itself and has sent no objective: "
            "open the trials with workers=1 (or asynchronous=True) there"
        )
    return opened(blob, signature, shared_key())
