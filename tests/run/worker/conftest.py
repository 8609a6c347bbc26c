"""Real workers on a real store: programs started as users start them, and killed as the world kills them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpspace import Trials, fmin, hp, rand

SPACE = {"x": hp.uniform("x", -1, 1)}


class Pool:
    """An experiment in one SQLite file, and the workers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'study.db'}#pool"
        self.workers: list[subprocess.Popen[str]] = []

    def trials(self, **options):
        return Trials.open(self.url, asynchronous=True, **options)

    def worker(self, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a worker; its leases are short, so that tests need not wait."""
        command = [sys.executable, "-m", "hpspace.cli.main", "worker", self.url, "--lease", "2", *options]
        log = open(self.folder / f"worker{len(self.workers)}.log", "w+")  # noqa: SIM115 - closed in `close`
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        process.log = log  # type: ignore[attr-defined]
        self.workers.append(process)
        return process

    def log(self, worker: subprocess.Popen[str]) -> str:
        return Path(worker.log.name).read_text()  # type: ignore[attr-defined]

    def fmin(self, fn, max_evals=6, trials=None, **options):
        options = {"algo": rand.suggest, "max_queue_len": 2, "rstate": 0, "verbose": False, **options}
        return fmin(fn, SPACE, max_evals=max_evals, trials=trials or self.trials(), **options)

    def states(self) -> dict[int, int]:
        trials = self.trials()
        try:
            return trials.store.counts("pool")
        finally:
            trials.close()

    def documents(self):
        trials = self.trials()
        try:
            return trials.documents()
        finally:
            trials.close()

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            worker.log.close()  # type: ignore[attr-defined]


@pytest.fixture
def pool(tmp_path):
    made = Pool(tmp_path)
    yield made
    made.close()
