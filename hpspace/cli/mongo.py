"""``hpspace mongo up | down | status``: a MongoDB server for this machine, see `hpspace.run.mongod`."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_commands(commands: Any) -> None:
    """Add the command to the program's."""
    group = commands.add_parser("mongo", help="start, stop or find a MongoDB server on this machine")
    which = group.add_subparsers(dest="what", metavar="up | down | status", required=True)
    for name, text in (
        ("up", "start a server, or find the one that runs, and print its URL"),
        ("down", "stop the server"),
        ("status", "print the server's URL; exit code 1 if none runs"),
    ):
        command = which.add_parser(name, help=text, description=text)
        command.add_argument("--dbpath", help="data folder; by default one for this user")
        command.set_defaults(run=_RUN[name])
        if name == "up":
            command.add_argument(
                "--port", type=int, default=0, help="0: the one of the last time, or a free one"
            )
            command.add_argument(
                "--no-auth", action="store_true", help="without a password, for everybody here"
            )


def _up(given: argparse.Namespace) -> int:
    from hpspace.run import mongod

    server = mongod.up(given.dbpath, given.port, auth=not given.no_auth)
    sys.stdout.write(f"{server.url}\n")
    sys.stderr.write(
        f"mongod runs as process {server.pid}, data in {server.dbpath}; hpspace mongo down stops it\n"
        "who has this URL can run code on your workers: treat it like a password\n"
    )
    return 0


def _down(given: argparse.Namespace) -> int:
    from hpspace.run import mongod

    if mongod.down(given.dbpath):
        return 0
    sys.stderr.write("no server runs there\n")
    return 1


def _status(given: argparse.Namespace) -> int:
    from hpspace.run import mongod

    server = mongod.status(given.dbpath)
    if server is None:
        sys.stderr.write("no server runs there; hpspace mongo up starts one\n")
        return 1
    sys.stdout.write(f"{server.url}\n")
    return 0


_RUN = {"up": _up, "down": _down, "status": _status}
