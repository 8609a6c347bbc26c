"""``hpspace-mongo-worker``: Hyperopt's worker program, with its flags, so that scripts written for that one run.

What differs: it does not leave by itself unless told to (`--reserve-timeout` is not set by default, and failed trials
are no reason to stop), it keeps one child process instead of starting one for each trial, and being told to stop is no
failure of the trial. Exit codes are those of `hpspace.cli.main`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hpspace.cli.main import WRONG, Parser
from hpspace.cli.worker import add_logging, set_up_logging, work
from hpspace.exceptions import StoreError


def parser() -> Parser:
    """Return the parser with Hyperopt's flags."""
    made = Parser(prog="hpspace-mongo-worker", description="Evaluate the trials of a MongoDB.")
    made.add_argument(
        "--mongo", default="localhost:27017/hyperopt", help="host:port/db, or a whole MongoDB URL"
    )
    made.add_argument("--exp-key", help="serve this experiment only")
    made.add_argument("--poll-interval", type=float, default=5.0, help="seconds between looks, at most (5)")
    made.add_argument("--reserve-timeout", type=float, help="stop after so many seconds without a trial")
    made.add_argument("--max-jobs", type=int, help="stop after so many trials")
    made.add_argument("--max-consecutive-failures", type=int, help="stop after so many errors in a row")
    made.add_argument("--max-jobs-in-db", type=int, help="stop when the database holds so many trials")
    made.add_argument("--last-job-timeout", type=float, help="begin no trial after so many seconds")
    made.add_argument("--workdir", type=Path, help="each trial runs in a folder of its own in here")
    made.add_argument("--no-subprocesses", action="store_true", help="evaluate in the worker's own process")
    add_logging(made)
    made.set_defaults(
        lease=60.0, max_attempts=3, drain_timeout=25.0, fresh_process=False, objective=None, space=None
    )
    return made


def url_of(mongo: str) -> str:
    """Return the URL for Hyperopt's short form.

    Examples
    --------
    >>> url_of("host:1234/db"), url_of("mongodb://host/db")
    ('mongo://host:1234/db/jobs', 'mongodb://host/db')
    """
    if "://" in mongo:
        return mongo
    return f"mongo://{mongo}" if mongo.rstrip("/").endswith("/jobs") else f"mongo://{mongo.rstrip('/')}/jobs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return the exit code."""
    given: argparse.Namespace = parser().parse_args(arguments)
    set_up_logging(given.log_level, given.log_format)
    try:
        return work(given, url_of(given.mongo))
    except (StoreError, ValueError, ImportError) as error:
        sys.stderr.write(f"hpspace-mongo-worker: {error}\n")
        return WRONG


if __name__ == "__main__":
    sys.exit(main())
