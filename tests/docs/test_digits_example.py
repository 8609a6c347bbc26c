"""The example behind ``make demo``: it runs with a small budget and says what it promises to say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import hpspace

PATH = Path(__file__).parent.parent.parent / "docs" / "examples" / "digits_pipeline.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("digits_pipeline", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_demo_reports_what_it_found(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Leaderboard, best configuration and the comparison are on stdout; the progress display is not."""
    example.main(max_evals=8)
    shown = capsys.readouterr().out
    for text in ("rank  error", "best configuration, as the objective saw it", "best error:", "random "):
        assert text in shown
    assert "%|" not in shown  # a bar's ink


def test_every_configuration_of_the_space_can_be_built(example: ModuleType) -> None:
    """The objective understands each branch of the space: naive Bayes, both kernels, both depths."""
    space = hpspace.compile_space(example.SPACE)
    models = [example.build(space.config(point)) for point in space.sample(0, n=60).points()]
    shown = {f"{type(model).__name__}-{getattr(model, 'kernel', '')}" for model in models}
    assert shown == {"GaussianNB-", "SVC-linear", "SVC-rbf", "DecisionTreeClassifier-"}
    assert any(getattr(model, "max_depth", 0) is None for model in models)


def test_a_configuration_fits_on_one_line(example: ModuleType) -> None:
    config = {"type": "svm", "C": 1.23456, "kernel": {"name": "rbf", "width": 2.0}}
    assert example.one_line(config) == "type=svm C=1.235 kernel.name=rbf kernel.width=2"
