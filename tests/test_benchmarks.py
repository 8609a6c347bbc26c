"""The benchmarks run, without their peers and in tiny sizes; what they measure is not a matter for a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "benchmarks"


def output_of(script: str) -> str:
    command = [sys.executable, SCRIPTS / script, "--quick"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.slow
def test_run_all_prints_a_table_for_each_benchmark() -> None:
    """One page with five tables; every row has a figure for hpspace."""
    page = output_of("run_all.py")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Import",
        "## Sampling",
        "## Suggestions",
        "## Where the time of a suggestion goes",
    ]
    assert sum(" ms" in line or " µs" in line for line in rows) == len(rows) - 5  # all but the headers


def test_a_profile_says_what_share_each_stage_has() -> None:
    """In each of the four spaces; a stage that always happens takes some time, and none more than the whole."""
    rows = [line.strip("| ").split(" | ") for line in output_of("profile_suggest.py").splitlines()]
    shares = {row[0]: [float(cell.split("(")[1].rstrip("%)")) for cell in row[1:]] for row in rows[2:]}
    assert shares.pop("a whole suggestion") == [100.0] * 4
    assert shares["draw candidates"] > [0.0] * 4
    assert all(0 <= share <= 100 for row in shares.values() for share in row)


def test_pruning_prints_a_row_for_each_pruner_and_family() -> None:
    """Without pruning all steps are spent and the best is kept, in every family."""
    rows = [
        line.split(" | ") for line in output_of("pruning.py").splitlines() if line.startswith("| hpspace")
    ]
    assert [row[0] for row in rows[:2]] == ["| hpspace none", "| hpspace median"]
    assert rows[0][1:6] == ["100%, 100%, +0.000"] * 5
    assert [len(row) for row in rows] == [7] * 4 + [6] * 4


def test_parallel_prints_a_row_for_each_objective_and_place() -> None:
    """Speed-ups are positive numbers; every place has figures, also pools that were made by others."""
    rows = [line.split(" | ") for line in output_of("parallel.py").splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[2:4]] == ["| sleeps", "| computes"]
    assert all(float(cell) > 0 for row in rows[2:4] for cell in row[2:4])
    assert {"| this thread", "| n_jobs=2", "| ProcessPoolExecutor(2)"} <= {row[0] for row in rows[4:]}


def test_each_script_says_what_it_measures() -> None:
    """The table of the folder's README names exactly the scripts that can be run."""
    runnable = {path.name for path in SCRIPTS.glob("*.py") if "__main__" in path.read_text()}
    listed = {name for name in runnable if f"`{name}`" in (SCRIPTS / "README.md").read_text()}
    assert listed == runnable


@pytest.mark.slow
def test_the_benchmark_of_stores_prints_its_tables() -> None:
    """Rates by ways of evaluating and by sizes of stores, and how soon a worker starts; MongoDB is there, too."""
    page = output_of("stores.py")
    for start in (
        "hpspace SQLite, processes",
        "hpspace SQLite, workers",
        "hpspace MongoDB, workers",
        "hpspace SQLite, one process",
        "hpspace MongoDB, one worker",
        "SQLite |",
        "MongoDB |",
    ):
        assert f"\n| {start}" in page


@pytest.mark.slow
def test_multifidelity_prints_a_row_for_each_search() -> None:
    """Two figures for each family: what it took, and what is left."""
    page = output_of("multifidelity.py").splitlines()
    rows = [line.strip("| ").split(" | ") for line in page if line.startswith("| hpspace")]
    assert {"hpspace rand, whole", "hpspace asha", "hpspace hyperband", "hpspace bohb"} <= {
        row[0] for row in rows
    }
    assert all(float(cell.split(", ")[1]) >= 0 for row in rows for cell in row[1:])
