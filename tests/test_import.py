"""What ``import hpspace`` loads, and what it leaves for later.

The price of an import is paid by every script, worker and command line, so the package loads numpy and
nothing else of weight: scipy comes with the first normal distribution or model.
``tests/benchmarks/import_time.py`` measures the seconds; this file pins down the cause, which is the same on
every machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = [
    "IPython",
    "cloudpickle",
    "distributed",
    "hpspace.plot",
    "hpspace.testing",
    "hypothesis",
    "joblib",
    "matplotlib",
    "multiprocessing",
    "networkx",
    "optuna",
    "pandas",
    "pymongo",
    "pyspark",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "sklearn",
    "tqdm",
]


def modules_after(statement: str) -> set[str]:
    """Return the names in ``sys.modules`` of a fresh interpreter after one statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return modules_after("import hpspace")


@pytest.mark.parametrize("name", HEAVY)
def test_import_does_not_load(name: str, loaded: set[str]) -> None:
    """None of the slow or optional libraries comes in with the package."""
    assert name not in loaded


def test_import_loads_what_a_search_needs(loaded: set[str]) -> None:
    """The other side: the check above looked at an interpreter that really has the package in it."""
    assert {"hpspace", "hpspace.hp", "hpspace.tpe", "numpy"} <= loaded


SEARCH = """
import hpspace
from hpspace import hp

options = [1, {"y": hp.normal("y", 0, 1)}]
space = {"x": hp.uniform("x", -1, 1), "n": hp.choice("n", options)}
best = hpspace.fmin(lambda c: c["x"] ** 2, space, algo="tpe", max_evals=25, rstate=0, show_progressbar=False)
assert len(best.trials) == 25
"""


def test_a_whole_search_needs_no_heavy_module() -> None:
    """Searching without a progress bar loads one more thing than importing: the normal distribution."""
    assert modules_after(SEARCH) & set(HEAVY) == {"scipy.special"}
