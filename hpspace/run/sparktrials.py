"""`SparkTrials`: Hyperopt's name for a search whose trials are evaluated on a Spark cluster.

It is an ordinary `Trials` in this process, whose `fmin` gives the work to a `SparkExecutor`. So everything that works
with trials in memory works here, which in Hyperopt it does not: attachments, `points_to_evaluate`, save files, early
stopping, timeouts of trials. What remains of the class is Hyperopt's arguments, its counts, and the session.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hpspace.exceptions import MissingExtra
from hpspace.run.stopping import ask_early_stop, validate_loss_threshold, validate_timeout
from hpspace.trials.document import JOB_STATE_CANCEL, JOB_STATE_DONE, JOB_STATE_ERROR
from hpspace.trials.trials import Trials

logger = logging.getLogger(__name__)

#: Values of `SparkTrials.fmin_cancelled_reason`.
CANCELLED_BY_TIMEOUT = "fmin run timeout"
CANCELLED_BY_EARLY_STOPPING = "early stopping condition"
CANCELLED_BY_USER = "fmin run cancelled by user"

#: Arguments of fmin that say where to evaluate; here that is said already.
_PLACES = ("n_jobs", "backend", "executor")


class SparkTrials(Trials):
    """Trials that are evaluated on a Spark cluster, one task each.

    Parameters
    ----------
    parallelism : int or None
        How many trials at a time, at most `MAX_CONCURRENT_JOBS_ALLOWED`; None or a number below 1 is Spark's default
        parallelism.
    timeout : float or None
        Seconds for a whole `fmin`; running trials are cancelled then. Goes before fmin's own argument.
    loss_threshold : float or None
        As of `fmin`, whose own argument goes before this one.
    spark_session : pyspark.sql.SparkSession or None
        None takes the active session, or makes one: on this machine, unless Spark is configured otherwise.
    resource_profile : pyspark.resource.ResourceProfile or None
        Resources that each trial's task needs, where the cluster supports such profiles.

    Attributes
    ----------
    parallelism : int
        How many trials at a time.
    user_specified_parallelism : int or None
        The argument.

    Raises
    ------
    MissingExtra
        pyspark is not installed.
    ExecutorError
        The session is one of Spark Connect, or Spark is older than 3.5.

    Notes
    -----
    An exception of the objective ends its trial and never the run, as in Hyperopt. `asynchronous` is False, other than
    there: the process that calls `fmin` sees to the trials.
    """

    __module__ = "hpspace.spark"

    #: The most trials at a time: each has a thread in this process.
    MAX_CONCURRENT_JOBS_ALLOWED = 128

    _spark: Any
    _fmin_cancelled: bool
    _fmin_cancelled_reason: str | None

    @classmethod
    def _birth_state(cls) -> dict[str, Any]:
        return {**super()._birth_state(), "_fmin_cancelled": False, "_fmin_cancelled_reason": None}

    @classmethod
    def _caches(cls) -> dict[str, Any]:
        return {**super()._caches(), "_spark": None}  # a session can be neither pickled nor copied

    def __init__(
        self,
        parallelism: int | None = None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        spark_session: Any = None,
        resource_profile: Any = None,
    ) -> None:
        super().__init__()
        validate_timeout(timeout)
        validate_loss_threshold(loss_threshold)
        self.timeout = timeout
        self.loss_threshold = loss_threshold
        self.user_specified_parallelism = parallelism
        self._spark = spark_session
        executor = self._executor(None)  # checks the session
        self.parallelism = self._decided(parallelism, executor.capacity)
        self._profile = _usable(resource_profile, self._spark)

    def _executor(self, profile: Any) -> Any:
        from hpspace.run.executors.spark import SparkExecutor

        if self._spark is None:
            self._spark = session_here()
        return SparkExecutor(self._spark, getattr(self, "parallelism", None), profile)

    @classmethod
    def _decided(cls, asked: int | None, default: int) -> int:
        if asked is not None and asked > 0:
            return min(asked, cls.MAX_CONCURRENT_JOBS_ALLOWED)
        logger.info(
            "SparkTrials: parallelism is Spark's default, %d trials at a time",
            default,
            extra={"action": "spark_parallelism", "parallelism": default},
        )
        return min(default, cls.MAX_CONCURRENT_JOBS_ALLOWED)

    def fmin(
        self,
        fn: Callable[..., Any],
        space: Any,
        algo: Any = None,
        max_evals: int | None = None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        *args: Any,
        early_stop_fn: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Search, with the trials evaluated on Spark; called by ``fmin(..., trials=SparkTrials())`` or by itself.

        Parameters
        ----------
        fn, space, algo, max_evals, timeout, loss_threshold, early_stop_fn, *args, **kwargs
            As of `Trials.fmin`. An exception of the objective never ends the run, whatever `catch_eval_exceptions`.

        Returns
        -------
        object
            What `hpspace.fmin` returns.
        """
        given = [name for name in _PLACES if name in kwargs]
        if given:
            raise ValueError(
                f"{given[0]}={kwargs[given[0]]!r}: SparkTrials are evaluated on Spark; use Trials()"
            )
        if self.timeout is not None and timeout is not None:
            logger.warning("SparkTrials(timeout=%s) goes before fmin(timeout=%s)", self.timeout, timeout)
        seconds = timeout if self.timeout is None else self.timeout
        rule = _Remembered(early_stop_fn)
        executor = self._executor(self._profile)
        executor.check_workers()  # before the clock of the run starts
        options = {**kwargs, "catch_eval_exceptions": True, "early_stop_fn": rule.function}
        with self._telling_why(seconds, rule):
            return super().fmin(
                fn, space, algo, max_evals, seconds,
                self.loss_threshold if loss_threshold is None else loss_threshold,
                *args, executor=executor, **options,
            )  # fmt: skip

    @contextmanager
    def _telling_why(self, seconds: float | None, rule: _Remembered) -> Iterator[None]:
        """Set the reason why a run has ended before its time."""
        self._fmin_cancelled, self._fmin_cancelled_reason = False, None
        begin = time.monotonic()
        try:
            yield
        except KeyboardInterrupt:
            self._fmin_cancelled_reason = CANCELLED_BY_USER
            raise
        else:
            if rule.said_stop:
                self._fmin_cancelled_reason = CANCELLED_BY_EARLY_STOPPING
            elif seconds is not None and time.monotonic() - begin >= seconds:
                self._fmin_cancelled_reason = CANCELLED_BY_TIMEOUT
        finally:
            self._fmin_cancelled = self._fmin_cancelled_reason is not None
            self._say_totals()

    def _say_totals(self) -> None:
        logger.info(
            "Total Trials: %d: %d succeeded, %d failed, %d cancelled.",
            self.count_total_trials(),
            self.count_successful_trials(),
            self.count_failed_trials(),
            self.count_cancelled_trials(),
            extra={"action": "spark_done"},
        )

    @property
    def fmin_cancelled_reason(self) -> str | None:
        """Why the last run ended before its time; None if it did not."""
        return self._fmin_cancelled_reason

    def count_successful_trials(self) -> int:
        """Return how many trials have ended with a result, status "fail" included."""
        return self.count_by_state_unsynced(JOB_STATE_DONE)

    def count_failed_trials(self) -> int:
        """Return how many trials have raised, died or taken too long."""
        return self.count_by_state_unsynced(JOB_STATE_ERROR)

    def count_cancelled_trials(self) -> int:
        """Return how many trials were cancelled."""
        return self.count_by_state_unsynced(JOB_STATE_CANCEL)

    def count_total_trials(self) -> int:
        """Return how many trials have ended in one of these ways."""
        return self.count_by_state_unsynced([JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL])

    def delete_all(self) -> None:
        """Forget all trials, and that a run was cancelled."""
        super().delete_all()
        self._fmin_cancelled, self._fmin_cancelled_reason = False, None

    def __str__(self) -> str:
        return f"SparkTrials(trials={self.trials})"


class _Remembered:
    """An `early_stop_fn`, and whether it has said stop."""

    def __init__(self, rule: Callable[..., Any] | None) -> None:
        self.said_stop = False
        self._rule = rule
        self.function = None if rule is None else self._ask

    def _ask(self, trials: Any, *args: Any) -> tuple[bool, Any]:
        assert self._rule is not None
        stop, kept = ask_early_stop(self._rule, trials, list(args))
        self.said_stop = self.said_stop or stop
        return stop, kept


def session_here() -> Any:
    """Return the active Spark session, or make one whose workers run this interpreter.

    Returns
    -------
    pyspark.sql.SparkSession
        New ones that are not configured otherwise run on this machine and listen to this machine only.

    Raises
    ------
    MissingExtra
        pyspark is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtra("pyspark", "spark") from error
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    wanted = {"PYSPARK_PYTHON": sys.executable}
    if not any(
        os.environ.get(name) for name in ("MASTER", "PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR", "SPARK_HOME")
    ):
        wanted["SPARK_LOCAL_IP"] = "127.0.0.1"
    with _environment_defaults(wanted):
        return SparkSession.builder.getOrCreate()


@contextmanager
def _environment_defaults(wanted: dict[str, str]) -> Iterator[None]:
    """Set environment variables that are not set, for a while."""
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _usable(profile: Any, session: Any) -> Any:
    if profile is not None and session.sparkContext.master.startswith("local"):
        logger.warning("SparkTrials: resource_profile is ignored, Spark runs on this machine only")
        return None
    return profile
