"""Hyperopt's small helpers, which old programs import."""

from __future__ import annotations

import datetime
import logging
import os

import numpy as np
import pytest

from hpspace import utils


def test_coarse_utcnow_is_naive_utc_in_milliseconds():
    """What document stores give back unchanged."""
    now = utils.coarse_utcnow()
    utc = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert now.tzinfo is None
    assert now.microsecond % 1000 == 0
    assert abs(utc - now) < datetime.timedelta(seconds=5)


def test_working_dir_comes_back(tmp_path):
    """Also after an exception; None stays."""
    before = os.getcwd()
    with pytest.raises(KeyError), utils.working_dir(str(tmp_path)):
        assert os.getcwd() == str(tmp_path)
        raise KeyError
    assert os.getcwd() == before
    with utils.working_dir(None):
        assert os.getcwd() == before


def test_temp_dir_erases_what_it_made(tmp_path):
    """The whole new branch, and nothing that was there before."""
    new = tmp_path / "a" / "b"
    with utils.temp_dir(str(new), erase_after=True):
        assert new.is_dir()
        (new / "file").touch()
    assert list(tmp_path.iterdir()) == []
    with utils.temp_dir(str(new)):
        pass
    with utils.temp_dir(str(new), erase_after=True):
        pass
    assert new.is_dir()


def test_a_removed_sentinel_protects_the_folder(tmp_path):
    """Who wants to keep the folder removes the file beside it."""
    with utils.temp_dir(str(tmp_path / "a"), erase_after=True):
        (tmp_path / "a.inuse").unlink()
    assert (tmp_path / "a").is_dir()


def test_closest_dir(tmp_path):
    """The deepest folder that exists and the first part that does not."""
    assert utils.get_closest_dir(str(tmp_path / "x" / "y")) == (str(tmp_path), "x")
    assert utils.get_closest_dir(str(tmp_path)) == (str(tmp_path), "")


def test_load_tokens_imports_on_the_way():
    """A submodule that nobody has imported yet, and then its attribute."""
    assert utils.load_tokens(["xml", "dom", "minidom", "parseString"]).__name__ == "parseString"
    with pytest.raises(AttributeError):
        utils.load_tokens(["math", "no_such_function"])


def test_ids_loggers_and_arrays():
    """The rest, by example."""
    assert len(utils._get_random_id()) == 12
    assert utils._get_random_id() != utils._get_random_id()
    assert utils._get_logger("hpspace.x") is logging.getLogger("hpspace.x")
    assert utils._get_logger("hpspace.x").handlers == []
    np.testing.assert_array_equal(utils.fast_isin(np.array([1, 2]), np.array([], dtype=int)), [False, False])
    assert utils.pmin_sampled(np.array([0.0, 50.0]), np.array([1.0, 1.0])).tolist() == [1.0, 0.0]
