"""SparkTrials on a real cluster of two worker machines, simulated on this one (``local-cluster``).

Needs Java and pyspark, 500 MB: run by ``make test-spark`` in an environment of its own.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpspace import Trials, fmin, hp
from hpspace.early_stop import no_progress_loss
from hpspace.exceptions import AllTrialsFailed, ExecutorError, MissingExtra
from hpspace.run.executors.base import executor_from
from hpspace.run.sparktrials import session_here
from hpspace.spark import SparkTrials

HAS_SPARK = importlib.util.find_spec("pyspark") is not None and shutil.which("java") is not None

pytestmark = pytest.mark.spark
needs_spark = pytest.mark.skipif(not HAS_SPARK, reason="pyspark or Java is not installed; make test-spark")

SPACE = hp.uniform("x", 0, 10)


@pytest.mark.skipif(HAS_SPARK, reason="pyspark is installed")
def test_without_pyspark_the_extra_is_named() -> None:
    """At the first line that needs it."""
    with pytest.raises(MissingExtra, match=r"hpspace\[spark\]"):
        SparkTrials()


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A session of two executors with one core each; their Python is this one."""
    from pyspark.sql import SparkSession

    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    session = (
        SparkSession.builder.master("local-cluster[2,1,512]")
        .config("spark.executor.memory", "512m")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.executorEnv.PYTHONPATH", os.pathsep.join(sys.path))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@needs_spark
def test_everything_that_hyperopts_class_cannot_do(spark: Any, tmp_path: Path) -> None:
    """Points to begin with, attachments, reports, exceptions that are caught, and a save file, in one run."""
    saved = str(tmp_path / "run.save")
    here = os.getpid()

    def objective(x: float, ctrl: Any) -> dict[str, Any]:
        if x > 8:
            raise ValueError("too large")
        ctrl.report(x, 1)
        ctrl.attachments["model"] = b"weights"
        return {"status": "ok", "loss": (x - 3) ** 2, "elsewhere": os.getpid() != here}

    trials = SparkTrials(parallelism=2, spark_session=spark)
    best = fmin(
        objective,
        SPACE,
        "rand",
        6,
        trials=trials,
        rstate=0,
        verbose=False,
        points_to_evaluate=[{"x": 3.0}, {"x": 9.0}],
        catch_eval_exceptions=True,
        trials_save_file=saved,
    )
    failed = [doc for doc in trials._dynamic_trials if doc["misc"]["vals"]["x"][0] > 8]
    assert best == {"x": 3.0} and trials.fmin_cancelled_reason is None
    assert trials.count_failed_trials() == len(failed) > 0
    assert trials.count_total_trials() == trials.count_successful_trials() + len(failed)
    assert all(doc["result"]["elsewhere"] for doc in trials.trials)
    assert trials.trials[0]["misc"]["reports"] == [[1, 3.0]]
    assert trials.trial_attachments(trials.trials[0])["model"] == b"weights"
    assert Trials.load(saved).losses() == trials.losses()


@needs_spark
def test_a_timeout_of_a_trial_and_a_dead_worker_cost_one_trial_each(spark: Any, tmp_path: Path) -> None:
    """Spark would give the trial of a dead worker to four workers; it is begun once."""

    def objective(x: float) -> float:
        with open(tmp_path / "begun", "a") as log:
            log.write(f"{x}\n")
        if x == 1:
            time.sleep(1000)
        if x == 2:
            os._exit(3)
        return x

    trials = SparkTrials(2, spark_session=spark)
    points = [{"x": float(i)} for i in range(1, 5)]
    fmin(
        objective, SPACE, "rand", 4, trials=trials, trial_timeout=8, points_to_evaluate=points, verbose=False
    )
    errors = {doc["misc"]["vals"]["x"][0]: doc["misc"].get("error") for doc in trials._dynamic_trials[:4]}
    assert errors[1.0][0] == "TrialTimeout" and "Spark worker" in errors[2.0][1]
    assert errors[3.0] is None is errors[4.0]
    assert (tmp_path / "begun").read_text().splitlines().count("2.0") == 1


@needs_spark
def test_the_timeout_of_a_run_cancels_what_runs(spark: Any) -> None:
    """Hyperopt's argument of the class; the best so far is returned, and the reason is known."""
    trials = SparkTrials(2, timeout=6, spark_session=spark)
    points = [{"x": 1.0}, {"x": 9.0}, {"x": 9.5}]

    def objective(x: float) -> float:
        if x >= 9:
            time.sleep(1000)
        return x

    begin = time.monotonic()
    best = fmin(objective, SPACE, "rand", 3, trials=trials, points_to_evaluate=points, verbose=False)
    assert best == {"x": 1.0} and time.monotonic() - begin < 500
    assert trials.fmin_cancelled_reason == "fmin run timeout" and trials.count_cancelled_trials() >= 2
    trials.delete_all()
    assert trials.fmin_cancelled_reason is None and trials.count_total_trials() == 0


@needs_spark
def test_early_stopping_stops_and_says_so(spark: Any) -> None:
    """With Hyperopt's class this combination waits for ever."""
    trials = SparkTrials(2, spark_session=spark)
    fmin(
        lambda x: 1.0,
        SPACE,
        "rand",
        50,
        trials=trials,
        rstate=0,
        verbose=False,
        early_stop_fn=no_progress_loss(3),
    )
    assert trials.fmin_cancelled_reason == "early stopping condition" and len(trials) < 50


@needs_spark
def test_failures_are_never_raised_but_told(spark: Any) -> None:
    """As Hyperopt's: an exception of an objective ends its trial only."""

    def objective(x: float) -> float:
        raise ZeroDivisionError("always")

    with pytest.raises(AllTrialsFailed, match="always"):
        fmin(objective, SPACE, "rand", 3, trials=SparkTrials(2, spark_session=spark), rstate=0, verbose=False)


@needs_spark
def test_workers_that_cannot_evaluate_are_told_before_any_trial(spark: Any, monkeypatch: Any) -> None:
    """Here the workers' Python does not exist; without a check each trial would fail by itself."""
    monkeypatch.setattr(spark.sparkContext, "pythonExec", "/nonexistent/python")
    trials = SparkTrials(2, spark_session=spark)
    with pytest.raises(ExecutorError, match="PYSPARK_PYTHON"):
        fmin(lambda x: x, SPACE, "rand", 3, trials=trials, verbose=False)
    assert len(trials._dynamic_trials) <= 1


@needs_spark
def test_hyperopts_arguments(spark: Any, caplog: Any) -> None:
    """Parallelism, its cap and its default; arguments that are none; places that Spark excludes."""
    trials = SparkTrials(spark_session=spark)
    assert trials.parallelism == 2 and trials.user_specified_parallelism is None
    assert (
        SparkTrials(1000, spark_session=spark).parallelism == SparkTrials.MAX_CONCURRENT_JOBS_ALLOWED == 128
    )
    with pytest.raises(Exception, match="timeout"):
        SparkTrials(timeout=-1, spark_session=spark)
    with pytest.raises(Exception, match="loss_threshold"):
        SparkTrials(loss_threshold="low", spark_session=spark)
    with pytest.raises(ValueError, match="n_jobs=2"):
        fmin(lambda x: x, SPACE, "rand", 3, trials=trials, n_jobs=2, verbose=False)
    assert str(trials) == "SparkTrials(trials=[])"


@needs_spark
def test_trials_travel_without_their_session(spark: Any) -> None:
    """A session cannot be pickled; the copy finds the active one when it searches."""
    trials = SparkTrials(2, spark_session=spark)
    fmin(lambda x: x, SPACE, "rand", 2, trials=trials, rstate=0, verbose=False)
    again = pickle.loads(pickle.dumps(trials))
    assert again.losses() == trials.losses()
    fmin(lambda x: x, SPACE, "rand", 4, trials=again, rstate=np.random.default_rng(1), verbose=False)
    assert len(again) == 4


@needs_spark
def test_a_session_is_an_executor_too(spark: Any) -> None:
    """``fmin(executor=spark)``, for those who do not come from Hyperopt; not one of Spark Connect."""
    best = fmin(lambda x: x, SPACE, "rand", 3, executor=spark, n_jobs=2, rstate=0, verbose=False)
    assert len(best.trials) == 3

    remote = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
    with pytest.raises(ExecutorError, match="Spark Connect"):
        executor_from(executor=remote)


@needs_spark
def test_without_a_session_one_is_made_here(spark: Any, monkeypatch: Any) -> None:
    """Its workers run this Python, and it listens to this machine only; the environment is as before."""
    from pyspark.sql import SparkSession

    assert session_here() is spark
    spark.stop()
    for name in ("PYSPARK_PYTHON", "SPARK_LOCAL_IP"):
        monkeypatch.delenv(name, raising=False)
    trials = SparkTrials(2)
    try:
        assert trials._spark.sparkContext.pythonExec == sys.executable
        assert trials._spark.sparkContext.getConf().get("spark.driver.host") in ("127.0.0.1", "localhost")
        assert len(fmin(lambda x: x, SPACE, "rand", 2, trials=trials, rstate=0, verbose=False).trials) == 2
        assert "PYSPARK_PYTHON" not in os.environ
    finally:
        SparkSession.getActiveSession().stop()
