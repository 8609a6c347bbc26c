"""``hpspace``: workers, a local MongoDB, and a look into experiments, from the command line.

Each command is a function of one of the modules beside this one. What a user can do wrong ends with one line on stderr
and exit code 2; a traceback is a bug of hpspace.

Exit codes: 0 done; 1 the answer is no (no trial is finished, no server runs); 2 wrong arguments, or a store that cannot
be opened; 130 interrupted from the keyboard.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from hpspace.cli import experiments, mongo, worker
from hpspace.exceptions import AllTrialsFailed, StoreError

DONE, NO, WRONG, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """A parser that guesses which command was meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and exit with code 2."""
        self.exit(WRONG, f"{self.prog}: {self._with_guess(message)}\n")

    def _with_guess(self, message: str) -> str:
        _, found, rest = message.partition("invalid choice: ")
        if not found:
            return f"{message}; {self.prog} --help says more"
        given = rest.split(" ", 1)[0].strip("'")
        near = difflib.get_close_matches(given, self._commands(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._commands())}"
        return f"there is no command {given!r}; {hint}"

    def _commands(self) -> list[str]:
        return [
            name for action in self._actions if isinstance(action.choices, dict) for name in action.choices
        ]


def parser() -> Parser:
    """Return the parser of the whole program."""
    top = Parser(prog="hpspace", description="Workers, stores and experiments of hpspace.")
    top.add_argument("--version", action="version", version=f"hpspace {version('hpspace')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for module in (worker, mongo, experiments):
        module.add_commands(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    given = parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (StoreError, ValueError, OSError, ImportError) as error:  # OSError: a file that cannot be written
        sys.stderr.write(f"hpspace {given.command}: {error}\n")
        return WRONG
    except AllTrialsFailed as error:
        sys.stderr.write(f"hpspace {given.command}: {error}\n")
        return NO
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
