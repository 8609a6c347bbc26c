"""Fingerprints of objectives: equal for one program in all its processes, different for different functions."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest

from hpspace.trials.shared.fingerprint import fingerprint

DATA = [1, 2, 3]


def square(x):
    return x * x


def cube(x):
    return x * x * x


def scaled(factor):
    return lambda x: factor * x


class Model:
    def __init__(self, depth):
        self.depth = depth

    def __call__(self, x):
        return self.depth * x

    def score(self, x):
        return -x


#: Each is another objective than all the others.
OBJECTIVES = {
    "square": lambda: square,
    "cube": lambda: cube,
    "closure": lambda: scaled(2),
    "other closure": lambda: scaled(3),
    "partial": lambda: functools.partial(square, 1),
    "other partial": lambda: functools.partial(square, x=2),
    "instance": lambda: Model(2),
    "other instance": lambda: Model(3),
    "method": lambda: Model(2).score,
    "builtin": lambda: len,
    "class": lambda: Model,
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_one_objective_has_one_fingerprint(name):
    assert fingerprint(OBJECTIVES[name]()) == fingerprint(OBJECTIVES[name]())


def test_other_objectives_have_others():
    prints = {name: fingerprint(make()) for name, make in OBJECTIVES.items()}
    assert len(set(prints.values())) == len(prints)


def test_the_space_belongs_to_it():
    assert len({fingerprint(square), fingerprint(square, {"x": 1}), fingerprint(square, {"x": 2})}) == 3


def test_processes_agree(tmp_path):
    """Hashes of texts differ from process to process, and so do addresses and pickles."""
    script = tmp_path / "script.py"
    script.write_text(
        "from hpspace.trials.shared.fingerprint import fingerprint\n"
        "words = {'a', 'b', 'c'}\n"
        "def make(rate, other):\n"
        "    def objective(config, scale=2.5): return rate * config['x'] * scale, words, other\n"
        "    return objective\n"
        "print(fingerprint(make(0.5, object()), {'x': [1, 2]}))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, str(script)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_what_contains_itself_has_one_too():
    loop: list = []
    loop.append(loop)
    assert fingerprint(functools.partial(square, loop)) == fingerprint(functools.partial(square, loop))
