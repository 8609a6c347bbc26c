"""What an import costs: hpspace beside numpy, scipy.special (which it needs), Hyperopt and Optuna.

Each measurement is a fresh interpreter that times one import statement; compiled bytecode is there already.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from common import installed, medians, milliseconds, ratio, table, wants_quick

PROGRAM = "import time; start = time.perf_counter(); import {0}; print(time.perf_counter() - start)"


def import_seconds(module: str) -> float:
    """Time one import in a fresh interpreter, the interpreter's own start not counted."""
    command = [sys.executable, "-c", PROGRAM.format(module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(rounds: int) -> dict[str, float]:
    modules = ["numpy", "scipy.special", *installed()]
    return medians({module: partial(import_seconds, module) for module in modules}, rounds)


def report(quick: bool) -> str:
    seconds = measure(1 if quick else 11)
    rows = [[f"`import {name}`", milliseconds(s), ratio(s, seconds["numpy"])] for name, s in seconds.items()]
    return table(["", "median", "× numpy"], rows)


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
