"""The figures of the documents show what the algorithms do now: a part of the searches behind them is repeated.

What fails here after a change of an algorithm is mended by ``make docs-figures``.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent.parent / "docs" / "figures"
PAGE = FOLDER.parent / "how-tpe-and-atpe-propose.md"
REDRAW = "run `make docs-figures`"


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("make_figures", FOLDER / "make_figures.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kept():
    return json.loads((FOLDER / "figures.json").read_text())


def test_the_search_behind_the_densities_is_repeated(figures, kept):
    """Trials, good trials, both densities, candidates and scores."""
    now = figures.densities()
    assert now.keys() == kept["densities"].keys()
    for key, values in now.items():
        np.testing.assert_allclose(kept["densities"][key], values, rtol=1e-3, atol=1e-3, err_msg=REDRAW)


def test_the_first_searches_take_the_arms_that_are_drawn(figures, kept):
    """The first of 40 searches of each algorithm, trial by trial."""
    for name, runs in figures.arms(1).items():
        assert runs == kept["arms"][name][:1], f"{name}: {REDRAW}"


@pytest.mark.parametrize("name", ["rand", "tpe-hyperopt03", "tpe-optuna5", "tpe"])
def test_the_first_searches_end_where_the_curves_say(figures, kept, name):
    """One search of each problem; atpe, whose fits depend on the linear algebra underneath, is left out."""
    for problem in (figures.valley, figures.models):
        best = figures.best_losses(name, problem, 1)[:, -1]
        shown = kept["regrets"][problem.__name__][name]["ends"][:1]
        np.testing.assert_allclose(best, shown, rtol=1e-3, err_msg=f"{name}: {REDRAW}")


def test_each_file_is_drawn_from_the_numbers_and_shown(figures, kept):
    """Every figure carries the hash of its numbers, stays small, and stands on the page."""
    drawn = {path.stem for path in FOLDER.glob("*.svg")}
    assert drawn == set(kept) == set(re.findall(r"figures/(\w+)\.svg", PAGE.read_text()))
    for name in drawn:
        text = (FOLDER / f"{name}.svg").read_text()
        assert figures.fingerprint(kept[name]) in text, f"{name}: {REDRAW}"
        assert len(text) < 100_000


def test_the_same_numbers_give_the_same_files(figures, kept, tmp_path):
    """Drawn twice, equal byte by byte."""
    (tmp_path / "again").mkdir()
    figures.draw(kept, tmp_path)
    figures.draw(kept, tmp_path / "again")
    for path in sorted(tmp_path.glob("*.svg")):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    assert len(list(tmp_path.glob("*.svg"))) == len(kept)
