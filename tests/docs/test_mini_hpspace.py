"""The miniature of ``docs/design`` runs, and does what the library does in small."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PATH = Path(__file__).parent.parent.parent / "docs" / "design" / "mini_hpspace.py"


@pytest.fixture(scope="module")
def mini() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mini_hpspace", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def space(mini: ModuleType) -> dict:
    """lr always; width only when model is 1."""
    options = ["linear", {"width": mini.uniform("width", 1, 9)}]
    return {"lr": mini.uniform("lr", 1e-4, 1, log=True), "model": mini.choice("model", options)}


def loss(config: dict) -> float:
    size = config["model"]["width"] if isinstance(config["model"], dict) else 0.0
    return abs(np.log10(config["lr"]) + 2) + abs(size - 5)


def test_inactive_parameters_are_blank(mini: ModuleType, space: dict) -> None:
    """The width column is NaN exactly where the model column is not 1."""
    compiled = mini.compile_space(space)
    values = compiled.sample(np.random.default_rng(0), 200)
    assert compiled.labels == ["lr", "model", "width"]
    assert (np.isnan(values[:, 2]) == (values[:, 1] != 1)).all()
    assert values[:, 0].min() >= 1e-4 and values[:, 0].max() <= 1


def test_faults_are_reported_together(mini: ModuleType) -> None:
    with pytest.raises(ValueError) as caught:
        mini.compile_space({"a": mini.uniform("x", 1, 0), "b": {"c": mini.uniform("x", 0, 1)}})
    assert "space['a']: 'x': low=1 is not less" in str(caught.value)
    assert "space['b']['c']: label 'x' is used twice" in str(caught.value)


def test_a_search_finds_the_good_branch(mini: ModuleType, space: dict) -> None:
    """The model-based algorithm beats drawing at random at the same budget and seed."""
    near, documents = mini.fmin(loss, space, mini.propose_near_best, 60, seed=1)
    random, _ = mini.fmin(loss, space, mini.propose_random, 60, seed=1)
    assert len(documents) == 60
    assert loss(near) <= loss(random)
    assert loss(near) < 0.5


def test_a_shorter_run_is_the_beginning_of_a_longer_one(mini: ModuleType, space: dict) -> None:
    """Draws depend on (seed, id) only."""
    _, short = mini.fmin(loss, space, mini.propose_near_best, 10, seed=3)
    _, long = mini.fmin(loss, space, mini.propose_near_best, 20, seed=3)
    assert long[:10] == short


def test_a_failing_trial_is_recorded_and_never_best(mini: ModuleType, space: dict) -> None:
    def fragile(config: dict) -> float:
        if config["model"] == "linear":
            raise MemoryError("no")
        return loss(config)

    best, documents = mini.fmin(fragile, space, mini.propose_random, 20, seed=0)
    assert {doc["state"] for doc in documents} == {"done", "error"}
    assert best["model"] != "linear"


def test_it_stays_a_miniature() -> None:
    """At most 150 lines that hold code: comments, docstrings and blank lines do not count."""
    expressions = [node for node in ast.walk(ast.parse(PATH.read_text())) if isinstance(node, ast.Expr)]
    strings = [node for node in expressions if isinstance(node.value, ast.Constant)]
    prose = {line for node in strings for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    lines = enumerate(PATH.read_text().splitlines(), 1)
    code = [text for number, text in lines if number not in prose and text.strip() and text.strip()[0] != "#"]
    assert 100 < len(code) <= 150
