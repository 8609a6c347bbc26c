"""A Dask cluster as the place of evaluation: a real LocalCluster, with real workers that die."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

from hpspace import fmin, hp
from hpspace.run.executors.base import Died, executor_from


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    """Two worker processes of one thread each, seen by nobody outside."""
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def test_a_search_on_dask(client: Any, tmp_path: Path) -> None:
    """Reports and attachments arrive; equal points are evaluated as often as they are proposed."""
    here = os.getpid()

    def objective(x: int, ctrl: Any) -> dict[str, Any]:
        (tmp_path / str(os.getpid())).touch()
        until = time.monotonic() + 60
        while len(os.listdir(tmp_path)) < 2 and time.monotonic() < until:
            time.sleep(0.01)  # so that the other worker has to take a trial
        ctrl.report(x, 1)
        ctrl.attachments["pid"] = os.getpid()
        return {"status": "ok", "loss": x, "elsewhere": os.getpid() != here}

    best = fmin(
        objective, hp.randint("x", 1), "rand", 12, executor=client, rstate=0, verbose=False, revisit=True
    )
    trials = best.trials
    assert len(trials) == 12 and all(result["elsewhere"] for result in trials.results)
    assert all(doc["misc"]["reports"] == [[1, 0.0]] for doc in trials.trials)
    assert len({trials.trial_attachments(doc)["pid"] for doc in trials.trials}) == 2


def test_a_dead_worker_costs_its_trial_once(client: Any, drive: Any) -> None:
    """Dask would give it to one worker after the other; here it ends, and the cluster goes on."""
    driver = drive(executor_from(executor=client, n_jobs=2)).start(lambda x: os._exit(3) if x == 1 else x)
    tids = [driver.submit(x) for x in (1, 2, 3, 4)]
    ends = driver.ends(4)
    assert isinstance(ends[tids[0]], Died) and "Dask worker" in ends[tids[0]].reason
    assert [ends[tid].result["loss"] for tid in tids[1:]] == [2, 3, 4]


def test_an_asynchronous_client_is_refused(client: Any) -> None:
    """It would answer with coroutines that nobody awaits."""

    async def attempt() -> None:
        async with distributed.Client(client.scheduler.address, asynchronous=True) as other:
            with pytest.raises(TypeError, match="asynchronous client"):
                executor_from(executor=other)

    asyncio.run(attempt())
