"""Real scripts, run as a user runs them: what happens to `__main__`, to Ctrl-C, and to children of a dead parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

#: Seconds that a script may take; far more than any needs.
PATIENCE = 120


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start scripts in a folder of their own; those that are still there in the end are killed."""
    running: list[subprocess.Popen[str]] = []

    def start(text: str) -> subprocess.Popen[str]:
        path = tmp_path / "search.py"
        path.write_text(textwrap.dedent(text))
        process = subprocess.Popen(
            [sys.executable, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def finished(process: subprocess.Popen[str]) -> list[str]:
    """Return the lines that a script has printed, and expect that it ended well."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out.splitlines()


def test_a_script_without_main_guard_runs_once(script: Any) -> None:
    """Children do not import the script, as multiprocessing's would: its lines run once, its functions everywhere."""
    lines = finished(
        script("""
            from hpspace import fmin, hp
            print("top of the script")
            OFFSET = 3

            class Loss(float):
                pass

            def objective(x):
                return {"status": "ok", "loss": Loss((x - OFFSET) ** 2), "kind": Loss}

            best = fmin(objective, hp.uniform("x", 0, 9), "rand", 8, n_jobs=2, rstate=0, verbose=False)
            print(len(best.trials), best.trials.results[0]["kind"] is Loss)
            print(fmin(lambda x: x, hp.uniform("x", 0, 9), "rand", 4, n_jobs=2, rstate=0, verbose=False).loss < 9)
        """)
    )
    assert lines == ["top of the script", "8 True", "True"]


def test_a_script_on_standard_input_and_an_interactive_session(tmp_path: Path) -> None:
    """Here nothing could be imported again even if one wanted to: the functions have no file."""
    text = (
        "from hpspace import fmin, hp\n"
        "print(len(fmin(lambda x: x, hp.uniform('x', 0, 9), 'rand', 4, n_jobs=2, verbose=False).trials))\n"
    )
    command = [sys.executable, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("4\n", 0), done.stderr


def test_cells_of_a_notebook_are_sent_as_they_are_now(script: Any) -> None:
    """A function that is defined again between two calls: the children of the second call get the second one."""
    lines = finished(
        script("""
            from hpspace import fmin, hp
            cell = "def objective(x):\\n    return {} + scale * 0\\nscale = 1"
            for value in (1.0, 2.0):
                exec(compile(cell.format(value), "<cell>", "exec"), globals())
                print(fmin(objective, hp.uniform("x", 0, 9), "rand", 2, n_jobs=2, verbose=False).loss)
        """)
    )
    assert lines == ["1.0", "2.0"]


def test_a_search_inside_of_an_objective_works(script: Any) -> None:
    """Children are ordinary processes: they may have children."""
    lines = finished(
        script("""
            from hpspace import fmin, hp

            def outer(x):
                inner = fmin(lambda y: (x - y) ** 2, hp.uniform("y", 0, 1), "rand", 4, n_jobs=2, verbose=False)
                return inner.loss

            print(len(fmin(outer, hp.uniform("x", 0, 1), "rand", 4, n_jobs=2, rstate=0, verbose=False).trials))
        """)
    )
    assert lines == ["4"]


def test_exceptions_of_the_script_are_known(script: Any) -> None:
    """A class of `__main__` comes back as that class: `catch=` and `except` see it."""
    lines = finished(
        script("""
            from hpspace import Trials, fmin, hp

            class Diverged(Exception):
                pass

            def objective(x):
                if x > 4:
                    raise Diverged(f"at {x}")
                return x

            trials = Trials()
            fmin(objective, hp.uniform("x", 0, 9), "rand", 12, trials=trials, n_jobs=2, rstate=0, verbose=False,
                 catch=Diverged)
            print(len(trials) < 12)
            try:
                fmin(objective, hp.uniform("x", 5, 9), "rand", 12, n_jobs=2, rstate=0, verbose=False)
            except Diverged as error:
                print("raised", "in objective" in str(error.__cause__))
        """)
    )
    assert lines == ["True", "raised True"]


SLEEPERS = """
    import os, pathlib, time
    from hpspace import Trials, fmin, hp

    def objective(x):
        mark = pathlib.Path(f"{os.getpid()}.tmp")
        mark.touch()
        mark.rename(f"{os.getpid()}.pid")
        time.sleep(1000)
        return x

    trials = Trials()
    try:
        fmin(objective, hp.uniform("x", 0, 1), "rand", 9, trials=trials, n_jobs=2, rstate=0, verbose=False)
    except KeyboardInterrupt:
        print(sorted(doc["state"] for doc in trials._dynamic_trials), flush=True)
"""


def children_of(folder: Path, n: int) -> list[int]:
    """Wait until `n` children have begun with their trials; return their process ids."""
    deadline = time.monotonic() + PATIENCE
    while len(marks := list(folder.glob("*.pid"))) < n:
        assert time.monotonic() < deadline, "the children have not begun"
        time.sleep(0.02)
    return [int(mark.stem) for mark in marks]


def test_an_interrupt_leaves_no_child(script: Any, tmp_path: Path, gone: Any) -> None:
    """Ctrl-C ends the children at once; their trials are marked for the next run (state CANCEL)."""
    process = script(SLEEPERS)
    pids = children_of(tmp_path, 2)
    process.send_signal(signal.SIGINT)
    (states,) = finished(process)
    assert states.count("4") >= 2 and "1" not in states
    assert all(gone(pid) for pid in pids)


def test_children_die_with_a_killed_parent(script: Any, tmp_path: Path, gone: Any) -> None:
    """kill -9 of the search itself: nobody is left to tidy up, and nothing is left."""
    process = script(SLEEPERS)
    pids = children_of(tmp_path, 2)
    os.kill(process.pid, signal.SIGKILL)
    assert all(gone(pid) for pid in pids)


def test_children_die_with_a_killed_parent_whose_thread_made_them(
    script: Any, tmp_path: Path, gone: Any
) -> None:
    """Where the kernel gives no signal, the child looks after its parent."""
    body = textwrap.indent(textwrap.dedent(SLEEPERS), "    ")
    process = script(f"import threading\ndef search():\n{body}\nthreading.Thread(target=search).start()\n")
    pids = children_of(tmp_path, 2)
    os.kill(process.pid, signal.SIGKILL)
    assert all(gone(pid) for pid in pids)
