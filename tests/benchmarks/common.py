"""What the benchmarks share: which libraries are there, taking turns, and Markdown tables."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import statistics
from collections.abc import Callable, Mapping, Sequence

PEERS = ("hyperopt", "optuna")


def installed(names: Sequence[str] = ("hpspace", *PEERS)) -> list[str]:
    """Return those of the libraries that can be imported here, in the given order."""
    return [name for name in names if importlib.util.find_spec(name)]


def version(name: str) -> str:
    return importlib.metadata.version(name)


def medians(tasks: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return each task's median seconds over some rounds, the tasks taking turns.

    A task returns the seconds it measured itself. Taking turns spreads the machine's other work evenly; one
    round before the first is run and thrown away.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            seconds[name].append(task())
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.01 else f"{seconds * 1e3:.0f} ms"


def ratio(seconds: float | None, base: float) -> str:
    return "–" if seconds is None else f"{seconds / base:.1f}×"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def wants_quick(description: str | None) -> bool:
    """Read the command line: is this a run with tiny sizes?"""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    return bool(parser.parse_args().quick)
