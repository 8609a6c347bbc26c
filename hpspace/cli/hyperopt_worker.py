"""``hpspace-mongo-worker``: Hyperopt's worker program, with its flags, so that scripts written for that one run.

What differs: it does not leave by itself unless told to (`--reserve-timeout` is not set by default, and failed trials
are no reason to stop), it keeps one child process instead of starting one for each trial, and being told to stop is no
failure of the trial. Exit codes are those of `hpspace.cli.main`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hpspace.cli.address import URL_VARIABLE
from hpspace.cli.main import WRONG, Parser
from hpspace.cli.worker import add_logging, count, seconds, set_up_logging, some_seconds, work
from hpspace.exceptions import StoreError

#: Variables that say which store is meant.
_NAMING = (URL_VARIABLE, "HPSPACE_MONGO_URL", "HPSPACE_MONGO_URL_FILE")

#: What Hyperopt's program takes without the flag ``--mongo``.
DEFAULT = "localhost:27017/hyperopt"


def parser() -> Parser:
    """Return the parser with Hyperopt's flags."""
    made = Parser(prog="hpspace-mongo-worker", description="Evaluate the trials of a MongoDB.")
    made.add_argument(
        "--mongo",
        help=f"host:port/db, or a whole MongoDB URL; by default the variable {URL_VARIABLE}, then HPSPACE_MONGO_URL, "
        f"then {DEFAULT}",
    )
    made.add_argument("--exp-key", help="serve this experiment only")
    made.add_argument(
        "--poll-interval", type=some_seconds, default=5.0, help="seconds between looks, at most (5)"
    )
    made.add_argument("--reserve-timeout", type=seconds, help="stop after so many seconds without a trial")
    made.add_argument("--max-jobs", type=count, help="stop after so many trials")
    made.add_argument("--max-consecutive-failures", type=count, help="stop after so many errors in a row")
    made.add_argument("--max-jobs-in-db", type=count, help="stop when the database holds so many trials")
    made.add_argument("--last-job-timeout", type=seconds, help="begin no trial after so many seconds")
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
    >>> url_of("host:1234/db?tls=true#first")
    'mongo://host:1234/db/jobs?tls=true#first'
    """
    if "://" in mongo:
        return mongo
    place = re.split(r"[?#]", mongo, maxsplit=1)[0]
    short = place.rstrip("/").removesuffix("/jobs")
    return f"mongo://{short}/jobs{mongo[len(place) :]}"


def _wanted(mongo: str | None) -> str | None:
    """Return the URL that is meant; None for the one of the environment."""
    if mongo is None and any(os.environ.get(name) for name in _NAMING):
        return None
    return url_of(DEFAULT if mongo is None else mongo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return the exit code."""
    given: argparse.Namespace = parser().parse_args(arguments)
    set_up_logging(given.log_level, given.log_format)
    try:
        return work(given, _wanted(given.mongo))
    except (StoreError, ValueError, ImportError) as error:
        sys.stderr.write(f"hpspace-mongo-worker: {error}\n")
        return WRONG


if __name__ == "__main__":
    sys.exit(main())
