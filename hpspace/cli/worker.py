"""``hpspace worker URL``: evaluate the trials of a store, in one process or in several under a supervisor."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from hpspace.cli.address import HELP, URL_VARIABLE, opened, shows_password
from hpspace.exceptions import StoreUnavailable

#: Environment variable by which a worker knows its supervisor: without it the worker stops after its trial.
SUPERVISOR_VARIABLE = "HPSPACE_SUPERVISOR"

#: Seconds after which a server that did not answer is asked again.
AWAY_PAUSE = 2.0

#: Keys of a log record that are hpspace's own, for ``--log-format json``.
_FACTS = ("action", "tid", "exp_key", "outcome", "attempt", "seconds", "reason", "exitcode", "pid")


def add_commands(commands: Any) -> None:
    """Add the command to the program's."""
    text = "evaluate the trials of a store"
    command = commands.add_parser("worker", help=text, description=text)
    command.add_argument("url", nargs="?", help=HELP)
    command.add_argument("--jobs", type=count, default=1, help="worker processes (1)")
    _add_limits(command)
    _add_ways(command)
    add_logging(command)
    command.set_defaults(run=run)


def _add_limits(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("when to stop; by default only when told to")
    group.add_argument("--max-jobs", type=count, help="trials to evaluate, for each worker process")
    group.add_argument("--reserve-timeout", type=seconds, help="seconds without a trial")
    group.add_argument("--last-job-timeout", type=seconds, help="seconds after which no trial is begun")
    group.add_argument(
        "--max-consecutive-failures", type=count, help="trials in a row that ended in an error"
    )


def _add_ways(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("how to work")
    group.add_argument("--exp-key", help="serve this experiment only; by default that of the URL, or all")
    group.add_argument(
        "--lease", type=some_seconds, default=60.0, help="seconds until a silent worker is given up (60)"
    )
    group.add_argument(
        "--max-attempts",
        type=count,
        default=3,
        help="workers that a trial may cost before it is given up (3)",
    )
    group.add_argument(
        "--drain-timeout", type=seconds, default=25.0, help="seconds to finish a trial when told to stop (25)"
    )
    group.add_argument(
        "--poll-interval", type=some_seconds, default=1.0, help="seconds between looks, at most (1)"
    )
    group.add_argument("--trial-timeout", type=some_seconds, help="seconds for a trial; then it is an error")
    group.add_argument("--workdir", type=Path, help="each trial runs in a folder of its own in here")
    group.add_argument("--no-subprocesses", action="store_true", help="evaluate in the worker's own process")
    group.add_argument("--fresh-process", action="store_true", help="a new process for every trial")
    group.add_argument("--objective", metavar="MODULE:NAME", help="the objective, instead of the pickled one")
    group.add_argument("--space", metavar="MODULE:NAME", help="its search space, with --objective")


def count(text: str) -> int:
    """Read a number of trials or the like: 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def seconds(text: str) -> float:
    """Read a time: 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def some_seconds(text: str) -> float:
    """Read a time: more than 0."""
    value = seconds(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def add_logging(command: argparse.ArgumentParser) -> None:
    """Add the options of the log, which goes to stderr."""
    command.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    command.add_argument("--log-format", default="text", choices=["text", "json"])


def run(given: argparse.Namespace) -> int:
    """Work, or supervise those who do."""
    set_up_logging(given.log_level, given.log_format)
    if bool(given.objective) != bool(given.space):
        raise ValueError("--objective and --space go together: both are MODULE:NAME")
    if given.trial_timeout is not None and given.no_subprocesses:
        raise ValueError("--trial-timeout needs a child process, which --no-subprocesses forbids")
    if given.jobs == 1:
        return work(given, given.url)
    warn_of_password(given.url)
    return _supervise(given)


def warn_of_password(url: str | None) -> None:
    """Say so if the command line of this process, which goes on for long, shows a password."""
    if shows_password(url):
        logging.getLogger("hpspace").warning(
            "the password in this command line can be read by everybody on the machine (ps); "
            "give the URL in the variable %s instead",
            URL_VARIABLE,
            extra={"action": "password_shown"},
        )


def work(given: argparse.Namespace, url: str | None) -> int:
    """Be one worker; return the exit code."""
    from hpspace.run.orders import Limits, Settings, heeding_signals
    from hpspace.run.trust import by_name
    from hpspace.run.worker import Worker

    warn_of_password(url)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # modules beside the script, as `python script.py` finds them
    trials = _opened_patiently(url, given.exp_key, given.reserve_timeout)
    settings = Settings(
        exp_key=trials._exp_key,
        lease=given.lease,
        max_attempts=given.max_attempts,
        drain_timeout=given.drain_timeout,
        poll_interval=given.poll_interval,
        subprocess=not given.no_subprocesses,
        fresh=given.fresh_process,
        workdir=given.workdir,
        trial_timeout=getattr(given, "trial_timeout", None),
        parent=_supervisor(),
        parcel=by_name(given.objective, given.space) if given.objective else None,
    )
    limits = Limits(
        jobs=given.max_jobs,
        idle=given.reserve_timeout,
        last_start=given.last_job_timeout,
        failures=given.max_consecutive_failures,
        in_store=getattr(given, "max_jobs_in_db", None),
    )
    worker = Worker(trials.store, settings, limits)
    with heeding_signals(worker.stop):
        logging.getLogger("hpspace").info("worker for %s", trials.store.url, extra={"action": "worker_start"})
        worker.run()
    trials.close()
    return 0


def _opened_patiently(url: str | None, exp_key: str | None, seconds: float | None) -> Any:
    """Open the trials; wait for a server that is away, as one would wait for trials."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    while True:
        try:
            return opened(url, exp_key)
        except StoreUnavailable as error:
            if (url or "").startswith("sqlite:") or time.monotonic() >= end:
                raise
            logging.getLogger("hpspace").warning("%s; trying again", error, extra={"action": "store_away"})
        time.sleep(AWAY_PAUSE)


def _supervise(given: argparse.Namespace) -> int:
    from hpspace.run.supervisor import supervise

    options = {
        "--exp-key": given.exp_key,
        "--max-jobs": given.max_jobs,
        "--reserve-timeout": given.reserve_timeout,
        "--last-job-timeout": given.last_job_timeout,
        "--max-consecutive-failures": given.max_consecutive_failures,
        "--lease": given.lease,
        "--max-attempts": given.max_attempts,
        "--drain-timeout": given.drain_timeout,
        "--poll-interval": given.poll_interval,
        "--trial-timeout": given.trial_timeout,
        "--workdir": given.workdir,
        "--objective": given.objective,
        "--space": given.space,
        "--log-level": given.log_level,
        "--log-format": given.log_format,
    }
    said = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    switches = {"--no-subprocesses": given.no_subprocesses, "--fresh-process": given.fresh_process}
    said += [name for name, on in switches.items() if on]
    command = [sys.executable, "-m", "hpspace.cli.main", "worker", *said]
    url = {URL_VARIABLE: given.url} if given.url else {}
    return supervise(command, given.jobs, {**url, SUPERVISOR_VARIABLE: str(os.getpid())})


def _supervisor() -> int | None:
    """Return the process id of the supervisor if this process was started by one."""
    parent = os.environ.pop(SUPERVISOR_VARIABLE, None)
    return None if parent is None else int(parent)


def set_up_logging(level: str, style: str) -> None:
    """Send hpspace's log to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if style == "json" else _text_formatter())
    logger = logging.getLogger("hpspace")
    logger.addHandler(handler)
    logger.setLevel(level)


def _text_formatter() -> logging.Formatter:
    return logging.Formatter(f"%(asctime)s {os.getpid()} %(levelname)s %(message)s")


class _JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        facts = {name: getattr(record, name) for name in _FACTS if hasattr(record, name)}
        said = {
            "time": when,
            "pid": record.process,
            "level": record.levelname,
            "message": record.getMessage(),
        }
        return json.dumps({**said, **facts})
