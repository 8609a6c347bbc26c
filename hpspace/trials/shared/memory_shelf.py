"""What a store in memory keeps beside trials: bytes, facts and the objective of each experiment, and who is there.

The lower half of `memory.MemoryStore`, which adds the trials. It also owns the clock that leases are judged by.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from hpspace.exceptions import DomainSwapError
from hpspace.trials.shared.contract import DRIVER_LEASE, LEASE
from hpspace.trials.shared.encoding import storable

K = TypeVar("K")
V = TypeVar("V")


class MemoryShelf:
    """Blobs, meta, objectives, presence, and a clock."""

    def __init__(self) -> None:
        self._lock = threading.Condition(threading.RLock())
        self._blobs: dict[tuple[str | None, str], bytes] = {}
        self._metas: dict[str | None, dict[str, Any]] = {}
        self._domains: dict[str | None, _Domain] = {}
        self._workers: dict[str, tuple[datetime.datetime, dict[str, Any]]] = {}
        self._birth = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        self._start = time.monotonic()

    def advance(self, seconds: float) -> None:
        """Put the store's clock forward, so that tests of leases need not wait."""
        with self._lock:
            self._start -= seconds
            self._lock.notify_all()

    def _now(self) -> datetime.datetime:
        now = self._birth + datetime.timedelta(seconds=time.monotonic() - self._start)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _in(self, seconds: float) -> datetime.datetime:
        return self._now() + datetime.timedelta(seconds=seconds)

    # -- what belongs to an experiment ---------------------------------------------------------------------

    def put_blob(self, exp_key: str | None, name: str, data: bytes) -> None:
        """Keep bytes; see `Store.put_blob`."""
        with self._lock:
            self._blobs[exp_key, name] = bytes(data)

    def get_blob(self, exp_key: str | None, name: str) -> bytes:
        """Return bytes; see `Store.get_blob`."""
        with self._lock:
            return _found(self._blobs, (exp_key, name), name)

    def delete_blob(self, exp_key: str | None, name: str) -> None:
        """Remove bytes; see `Store.delete_blob`."""
        with self._lock:
            _found(self._blobs, (exp_key, name), name)
            del self._blobs[exp_key, name]

    def blob_names(self, exp_key: str | None, prefix: str = "") -> list[str]:
        """List names; see `Store.blob_names`."""
        with self._lock:
            return sorted(name for key, name in self._blobs if key == exp_key and name.startswith(prefix))

    def _drop_blobs(self, exp_key: str | None, prefix: str = "") -> None:
        for name in self.blob_names(exp_key, prefix):
            del self._blobs[exp_key, name]

    def get_meta(self, exp_key: str | None) -> dict[str, Any]:
        """Return facts; see `Store.get_meta`."""
        with self._lock:
            facts: dict[str, Any] = storable(self._metas.get(exp_key, {}))
            return facts

    def update_meta(self, exp_key: str | None, facts: Mapping[str, Any]) -> None:
        """Merge facts; see `Store.update_meta`."""
        with self._lock:
            self._metas[exp_key] = {**self._metas.get(exp_key, {}), **storable(facts, "meta")}

    def publish_domain(
        self,
        exp_key: str | None,
        sha: str,
        blob: bytes | None = None,
        signature: str | None = None,
        ttl: float = DRIVER_LEASE,
    ) -> None:
        """Declare and hold the objective; see `Store.publish_domain`."""
        with self._lock:
            old = self._domains.get(exp_key)
            if old is not None and old.sha == sha:
                blob, signature = (old.blob, old.signature) if blob is None else (blob, signature)
            elif old is not None and old.until > self._now():
                raise DomainSwapError(exp_key, f"held until {old.until:%H:%M:%S} UTC unless renewed")
            self._domains[exp_key] = _Domain(sha, blob, signature, self._in(ttl))

    def domain(self, exp_key: str | None) -> tuple[str, bytes | None, str | None]:
        """Return the objective; see `Store.domain`."""
        with self._lock:
            domain = _found(self._domains, exp_key, "objective")
            return domain.sha, domain.blob, domain.signature

    # -- presence ------------------------------------------------------------------------------------------

    def hello(self, worker: Mapping[str, Any]) -> None:
        """Note a worker's presence; see `Store.hello`."""
        with self._lock:
            self._workers[worker["owner"]] = (self._now(), storable(worker, "worker"))

    def workers(self, exp_key: str | None, within: float = LEASE) -> list[dict[str, Any]]:
        """List present workers; see `Store.workers`."""
        with self._lock:
            now = self._now()
            ages = [((now - seen).total_seconds(), about) for seen, about in self._workers.values()]
            return [
                {**storable(about), "seen": age}
                for age, about in ages
                if age <= within and (exp_key is None or about.get("exp_key") in (None, exp_key))
            ]

    # -- for `MemoryStore` ---------------------------------------------------------------------------------

    def _shelved_keys(self) -> set[str | None]:
        return {exp_key for exp_key, _ in self._blobs} | self._metas.keys() | self._domains.keys()

    def _clear(self, exp_keys: set[str | None]) -> None:
        """Remove all that experiments have."""
        for exp_key in exp_keys:
            self._drop_blobs(exp_key)
            self._metas.pop(exp_key, None)
            self._domains.pop(exp_key, None)


class _Domain:
    """An objective, and until when it is held."""

    def __init__(self, sha: str, blob: bytes | None, signature: str | None, until: datetime.datetime) -> None:
        self.sha = sha
        self.blob = blob
        self.signature = signature
        self.until = until


def _found(mapping: Mapping[K, V], key: K, name: str) -> V:
    """Return a value; KeyError with its name if there is none."""
    if key not in mapping:
        raise KeyError(name)
    return mapping[key]
