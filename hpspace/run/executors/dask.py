"""A Dask cluster as a pool: ``fmin(..., executor=client)``.

What Dask does by itself and a search must not have: computing equal tasks once (each trial's key is unique), repeating
a task that raised (a trial never raises in its task), and repeating a task whose worker died, on one worker after the
other. The last cannot be switched off for single tasks, so a trial marks with the scheduler that it has begun, and
one that finds its mark ends at once (`guarded_task`).
"""

from __future__ import annotations

import uuid
import warnings
from typing import Any

from hpspace.run.executors.base import Died
from hpspace.run.executors.late import Collector, run_task
from hpspace.run.executors.wire import loads


class DaskPool:
    """The methods of a `concurrent.futures.Executor`, as far as they are needed, on a Dask client.

    Parameters
    ----------
    client : distributed.Client
        A synchronous one. Its workers need hpspace.
    """

    #: What messages call it.
    name = "the Dask cluster"

    def __init__(self, client: Any) -> None:
        if client.asynchronous:
            raise TypeError(
                f"executor={client!r}: an asynchronous client cannot be waited for; use Client(...)"
            )
        self._client = client
        self._run = uuid.uuid4().hex[:8]
        self._sent: dict[str, Any] = {}

    @property
    def num_workers(self) -> int:
        """How many tasks the cluster works on at a time, now."""
        return sum(self._client.nthreads().values())

    def submit(self, task: Any, name: str, domain: bytes, job: bytes) -> Any:
        """Submit `late.run_task`; the domain travels to each worker once."""
        if name not in self._sent:
            self._sent = {name: self._spread(name, domain)}
        key = f"hpspace-trial-{self._run}-{loads(job).tid}"
        return self._client.submit(
            guarded_task, key, name, self._sent[name], job, key=key, pure=False, retries=0
        )

    def _spread(self, name: str, domain: bytes) -> Any:
        """Put the domain on the cluster as a task's result, which unlike scattered data survives its worker."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(_same, domain, key=f"hpspace-domain-{name}", pure=False)


def _same(domain: bytes) -> bytes:
    return domain


def guarded_task(key: str, name: str, domain: bytes, job: bytes) -> bytes:
    """Evaluate one trial unless another worker has begun with it, and therefore has died.

    Parameters
    ----------
    key : str
        Of the task.
    name, domain, job
        As for `run_task`.

    Returns
    -------
    bytes
        As of `run_task`.
    """
    from distributed import Event

    begun: Any = Event(key)  # type: ignore[no-untyped-call]
    try:
        if begun.is_set():
            work = loads(job)
            return Collector(work).answer(Died(work.tid, None, "the Dask worker that evaluated it died"))
        begun.set()
        return run_task(name, domain, job)
    finally:
        begun.clear()  # the scheduler keeps marks that are set
