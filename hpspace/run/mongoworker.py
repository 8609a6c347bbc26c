"""`MongoWorker`: Hyperopt's class for programs that have a worker loop of their own.

Each call evaluates one trial, in the process that calls, and raises what the trial raised. Everything else is
`hpspace.run.worker`. Who has no such program starts ``hpspace worker`` instead.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from hpspace.exceptions import ReserveTimeout
from hpspace.run.orders import Limits, Settings
from hpspace.run.worker import Worker
from hpspace.trials.shared.contract import Store


class MongoWorker:
    """Evaluates the trials of a database one by one.

    Parameters
    ----------
    mj : MongoJobs, MongoTrials or Store
        Where they are: a `MongoTrials.handle`, as in Hyperopt, the trials themselves, or a store of any kind.
    poll_interval : float
        Seconds between two looks at the queue, at most.
    workdir : str or path, optional
        Each trial runs in a folder of its own in here.
    exp_key : str, optional
        The experiment; None for all.
    logfilename : str
        As in Hyperopt; nothing is written there, the log goes to `logging`.
    """

    __module__ = "hpspace.mongoexp"

    poll_interval = 3.0
    workdir: str | Path | None = None

    def __init__(
        self,
        mj: Any,
        poll_interval: float = poll_interval,
        workdir: str | Path | None = workdir,
        exp_key: str | None = None,
        logfilename: str | None = "logfile.txt",
    ) -> None:
        self.mj = mj
        self.poll_interval = poll_interval
        self.workdir = workdir
        self.exp_key = exp_key
        self.logfilename = logfilename

    @property
    def store(self) -> Store:
        """The database as a store."""
        store: Store = getattr(self.mj, "store", self.mj)
        return store

    def run_one(
        self,
        host_id: str | None = None,
        reserve_timeout: float | None = None,
        erase_created_workdir: bool = False,
    ) -> None:
        """Evaluate the next trial.

        Parameters
        ----------
        host_id : str, optional
            The owner of the trial; by default ``host:pid``.
        reserve_timeout : float, optional
            Seconds to wait for a trial; by default for ever.
        erase_created_workdir : bool
            Whether to remove the folder of the trial with all that is in it, if `workdir` was not there before.

        Raises
        ------
        ReserveTimeout
            No trial came in time.
        Exception
            What the objective raised, after it was stored with the trial.
        """
        workdir = None if self.workdir is None else Path(self.workdir)
        created = workdir is not None and not workdir.exists()
        settings = Settings(
            exp_key=self.exp_key,
            poll_interval=self.poll_interval,
            subprocess=False,
            workdir=workdir,
            owner=host_id,
        )
        done = Worker(self.store, settings, Limits(jobs=1, idle=reserve_timeout)).run()
        if erase_created_workdir and created and workdir is not None:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(workdir)
        if not done.ended:
            raise ReserveTimeout(f"no trial within {reserve_timeout} s")
        if done.error is not None:
            raise done.error
