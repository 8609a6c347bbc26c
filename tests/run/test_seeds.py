"""Seeds of every kind, and the seed of each call of an algorithm."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from hpspace.run.seeds import SEED_LIMIT, SEED_VARIABLE, base_from, generator_from, seed_for


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: seed,
        np.int32,
        np.uint64,
        np.random.default_rng,
        np.random.RandomState,
        np.random.SeedSequence,
        lambda seed: np.random.Generator(np.random.Philox(seed)),
    ],
    ids=["int", "int32", "uint64", "Generator", "RandomState", "SeedSequence", "Philox"],
)
def test_every_kind_of_seed_is_accepted_and_repeats(make):
    """Hyperopt took only a Generator; older programs pass an int or a RandomState (pain 19)."""
    assert base_from(make(7)) == base_from(make(7))
    assert base_from(make(7)) != base_from(make(8))


def test_a_seed_sequence_is_not_consumed():
    """Reading the seed leaves a SeedSequence as it was: it may seed other things."""
    sequence = np.random.SeedSequence(3)
    assert base_from(sequence) == base_from(sequence)


def test_a_generator_shared_by_two_runs_gives_two_seeds():
    """Two searches with one Generator must not evaluate the same points."""
    rng = np.random.default_rng(0)
    assert base_from(rng) != base_from(rng)


def test_none_reads_the_environment(monkeypatch):
    """HYPEROPT_FMIN_SEED seeds runs without a seed; an empty one counts as unset."""
    monkeypatch.setenv(SEED_VARIABLE, "12")
    assert base_from(None) == base_from(12)
    monkeypatch.setenv(SEED_VARIABLE, "")
    assert base_from(None) != base_from(None)


def test_an_unreadable_environment_names_itself(monkeypatch):
    """A typo in the variable is reported with its name and value."""
    monkeypatch.setenv(SEED_VARIABLE, "lucky")
    with pytest.raises(ValueError, match="HYPEROPT_FMIN_SEED='lucky'"):
        base_from(None)


@pytest.mark.parametrize("wrong", [True, np.True_, 1.0, "7", [1, 2], np.random])
def test_anything_else_is_refused_with_what_is_accepted(wrong):
    """The error lists the accepted kinds, so that it is read once."""
    with pytest.raises(TypeError, match=r"Generator.*RandomState.*SeedSequence.*None"):
        base_from(wrong)


def test_a_negative_seed_is_refused():
    """numpy would refuse it too, without naming rstate."""
    with pytest.raises(ValueError, match="rstate=-1"):
        base_from(-1)


def test_call_seeds_are_plain_ints_in_range_and_spread_out():
    """Algorithms written for Hyperopt take the seed for numpy or for `random`; 2000 ids hardly collide."""
    seeds = [seed_for(base_from(0), tid) for tid in range(2000)]
    assert {type(seed) for seed in seeds} == {int}
    assert all(0 <= seed < SEED_LIMIT for seed in seeds)
    assert len(set(seeds)) >= 1999


@pytest.mark.parametrize("tid", ["a", 0.5, (1, 2), -1, 2**70])
def test_ids_are_opaque(tid):
    """Any hashable id has a seed of its own."""
    assert seed_for(base_from(0), tid) == seed_for(base_from(0), tid)
    assert seed_for(base_from(0), tid) != seed_for(base_from(0), 0)


def test_an_id_counts_by_value_whatever_its_integer_type():
    """Stores give ids back as numpy integers."""
    assert seed_for(base_from(0), np.int64(3)) == seed_for(base_from(0), 3)


def test_the_seed_of_a_string_id_is_the_same_in_every_process():
    """Python's own hash of a string changes from process to process, and would break resuming."""
    program = "from hpspace.run.seeds import *; print(seed_for(base_from(0), 'trial'))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert runs == {f"{seed_for(base_from(0), 'trial')}\n"}


# ---------------------------------------------------------------- generators


def test_generators_of_seeds_are_the_same_for_the_same_number_and_uniform_for_others():
    """Of 2,000 seeds the first draws, and sums of neighbours' draws, follow their laws: KS, false alarms 1e-6."""
    first = np.array([generator_from(seed).random() for seed in range(2_000)])
    assert first.tolist() == [generator_from(np.int64(seed)).random() for seed in range(2_000)]
    assert stats.kstest(first, "uniform").pvalue > 1e-6
    assert stats.kstest((first[1:] + first[:-1]) / 2, stats.triang(0.5).cdf).pvalue > 1e-6


def test_a_generator_from_a_seed_spawns_and_can_be_pickled():
    """What an algorithm of a user may do with its generator; children differ from each other and later ones."""
    rng = generator_from(2**100)
    draws = [child.random() for child in [*rng.spawn(2), *rng.spawn(2), *generator_from(2**100).spawn(2)]]
    assert len(set(draws)) == 4 and draws[:2] == draws[4:]
    assert pickle.loads(pickle.dumps(rng)).random() == rng.random()
    words = generator_from(5).bit_generator.seed_seq.generate_state(1_000)
    assert len(np.unique(words)) == 1_000


def test_generators_are_passed_through_and_negative_seeds_refused():
    rng = np.random.default_rng(0)
    assert generator_from(rng) is rng
    with pytest.raises(ValueError, match="non-negative"):
        generator_from(-1)
