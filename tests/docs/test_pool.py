"""The commands of the documents do what the documents say: a pool on a real MongoDB, a look into a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hpspace import SqliteTrials, fmin, hp

ROOT = Path(__file__).parent.parent.parent
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """Return what is typed in a console session."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def section(page: str, title: str) -> str:
    """Return the text of a page from a heading on."""
    return (ROOT / page).read_text().split(f"## {title}\n")[1]


@pytest.fixture
def shell(tmp_path):
    """Run a script of bash with this environment's programs, in an empty folder and as a user without any data."""
    programs = Path(sys.executable).parent
    hidden = {name: value for name, value in os.environ.items() if not name.startswith("HPSPACE_")}
    mongod = {name: value for name, value in os.environ.items() if name == "HPSPACE_MONGOD"}
    env = {
        **hidden,
        **mongod,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    yield run
    run("hpspace mongo down")


README, PAGE = ("README.md", "A pool of workers"), ("docs/worker-pools.md", "A pool in four commands")


@pytest.mark.slow
def test_a_pool_takes_four_commands(shell, tmp_path):
    """As typed: a server, two workers in the background, a search; both workers end when told to."""
    text = section(*README)
    typed = commands(CONSOLE.search(text)[1])
    assert len(typed) == 4
    (tmp_path / "tune.py").write_text(PROGRAM.search(text)[1])
    done = shell("\n".join(["set -e", *typed, "hpspace list --json", "kill $(jobs -p)", "wait"]))
    assert '"done": 30' in done.stdout, done.stderr
    assert done.returncode == 0
    assert done.stderr.count("worker stops: it was told to") == 2


def test_both_pages_show_the_same_pool():
    """What was tried from the one page holds for the other."""
    texts = [section(*README), section(*PAGE)]
    assert len({CONSOLE.search(text)[1] for text in texts}) == 1
    programs = [PROGRAM.search(text)[1].removeprefix("# tune.py\n").split("\n") for text in texts]
    assert len({tuple(filter(None, lines)) for lines in programs}) == 1


def test_the_session_with_a_file_shows_what_the_page_shows(shell, tmp_path):
    """Trial numbers and values to the last digit; only the time and the folder differ."""
    trials = SqliteTrials(tmp_path / "study.db", "first")
    space = {"x": hp.uniform("x", -5, 5)}
    fmin(lambda c: (c["x"] - 1) ** 2, space, max_evals=20, trials=trials, rstate=0, verbose=False)
    trials.close()
    block = CONSOLE.search(section("docs/command-line.md", "A session"))[1]
    shown = shell("exec 2>&1; " + "; ".join(commands(block)))
    expected = "\n".join(line for line in block.splitlines() if not line.startswith("$ "))
    assert plain(shown.stdout) == plain(expected)
    assert (tmp_path / "first.jsonl").read_text().count("\n") == 21


def plain(text: str) -> str:
    """Leave out what differs: times, folders, and the width of a column that depends on them."""
    text = re.sub(r"\d{4}-\d\d-\d\d [\d:.]+", "TIME", text)
    return re.sub(r"sqlite:////\S*/study", "sqlite:////study", text).strip()
