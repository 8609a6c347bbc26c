"""No change makes the algorithms worse unnoticed: paired with what the released versions found on the same instances.

Unchanged code finds the same, bit for bit. Code that is changed without being worse fails with probability 0.01; then
look at ``tests/benchmarks/quality/run.py`` with more seeds. A change on purpose comes with a new version of the
algorithm (``docs/how-tpe-and-atpe-propose.md``) and new figures: ``python tests/suggest/quality.py --write``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl


@pytest.fixture(scope="module")
def quality():
    path = Path(__file__).parent / "quality.py"
    spec = importlib.util.spec_from_file_location("quality", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpe", "atpe"])
def test_it_is_not_worse_than_the_released_version(quality, name):
    """60 trials on 12 families; 12 instances of each for tpe, 3 for atpe. Signed ranks, one-sided, p >= 0.01."""
    with threadpoolctl.threadpool_limits(1):
        now = quality.regrets(name)
    difference = quality.differences(now, quality.kept()[name])
    assert quality.worse(difference) >= 0.01, (
        f"{name}: regret is {10 ** difference.mean():.2f} times the released one"
    )


def test_what_is_kept_covers_every_instance(quality):
    for name, seeds in quality.SEEDS.items():
        assert {family: len(values) for family, values in quality.kept()[name].items()} == dict.fromkeys(
            quality.FAMILIES, seeds
        )


def rolled(kept, factor):
    """The regrets of other instances of each family, times a factor."""
    return {family: (factor * np.roll(values, 1)).tolist() for family, values in kept.items()}


@pytest.mark.parametrize(("name", "factor"), [("tpe", 1.5), ("atpe", 3.0)])
def test_the_comparison_sees_a_loss_and_no_more(quality, name, factor):
    """Power, with unpaired noise: 1.5 times the regret for tpe, 3 times for atpe; the same regret is not seen."""
    kept = quality.kept()[name]
    assert quality.worse(quality.differences(kept, kept)) == 1.0
    assert quality.worse(quality.differences(rolled(kept, 1.0), kept)) > 0.05
    assert quality.worse(quality.differences(rolled(kept, factor), kept)) < 0.01
    assert quality.worse(quality.differences(rolled(kept, 1 / factor), kept)) > 0.9
