"""Trials as columns and as a DataFrame."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from hpspace import Trials, compile_space, hp, trials_from_docs
from hpspace.exceptions import MissingExtra
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.document import new_document


def test_columns_show_options_and_leave_inactive_parameters_empty(
    trials: Trials, space: CompiledSpace
) -> None:
    trials.remember_space(space)
    columns = trials.to_columns()
    assert list(columns)[:7] == ["tid", "state", "status", "loss", "book_time", "refresh_time", "duration"]
    assert list(columns)[7:] == [f"params_{label}" for label in space.labels]
    assert columns["params_n"] == [None, None, None, 4]
    assert columns["params_c"][0] == "none" and columns["params_c"][3] == space["c"].options[0]  # type: ignore[index]
    assert columns["state"] == ["done"] * 4 and columns["duration"][0] == timedelta(seconds=2)
    assert {len(column) for column in columns.values()} == {4}


def test_without_a_space_choices_show_their_index(trials: Trials) -> None:
    assert trials.to_columns()["params_c"] == [1, 1, 1, 0]


def test_all_states_include_errors_with_their_message(trials: Trials) -> None:
    columns = trials.to_columns(all_states=True)
    assert columns["tid"] == [0, 1, 2, 3, 4] and columns["state"][4] == "error"
    assert columns["error"] == [None, None, None, None, "<class 'ValueError'>: bad kernel"]
    assert columns["duration"][4] is None


def test_labels_of_another_space_come_last(space: CompiledSpace, make: Any) -> None:
    trials = trials_from_docs([make(0, 1.0, point={"old": 3, "x": 0.5, "c": 7})])
    trials.remember_space(space)
    columns = trials.to_columns()
    assert list(columns)[-1] == "params_old" and columns["params_old"] == [3]
    assert columns["params_c"] == [7]  # there is no such option: the index is all there is to show


def test_the_frame_has_a_type_for_each_kind(trials: Trials, space: CompiledSpace) -> None:
    trials.remember_space(space)
    frame = trials.to_dataframe()
    assert frame["params_x"].dtype == "float64" and frame["params_n"].dtype == "Int64"
    assert isinstance(frame["params_c"].dtype, pd.CategoricalDtype)
    assert list(frame["params_c"].cat.categories) == list(space["c"].options or ())
    assert frame["params_n"].isna().tolist() == [True, True, True, False]
    assert frame["loss"].dtype == "float64" and frame["loss"].isna().tolist() == [False, False, True, False]
    assert frame["duration"].dt.total_seconds().tolist() == [2.0] * 4
    assert frame["tid"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("options", [[1, None], [1, True, 2], [{"a": 1}, {"b": 2}], [1.0, float("nan")]])
def test_options_that_cannot_be_categories_are_shown_as_they_are(options: list[Any]) -> None:
    """A missing value, values equal to each other, and values that cannot be hashed."""
    trials = trials_from_docs([new_document(0, {"c": 1}), new_document(1, {}, ["c"])])
    trials.remember_space(compile_space(hp.choice("c", options)))
    column = trials.to_dataframe()["params_c"]
    assert column.dtype == object and column[1] is pd.NA
    assert repr(column[0]) == repr(options[1])


def test_empty_trials_make_an_empty_frame(space: CompiledSpace) -> None:
    trials = Trials()
    assert trials.to_dataframe().shape == (0, 7)
    trials.remember_space(space)
    assert list(trials.to_dataframe().columns[7:]) == [f"params_{label}" for label in space.labels]


def test_losses_and_values_of_any_kind_fit(make: Any) -> None:
    docs = [make(0, "abc", point={"s": "text", "big": 2**70}), make(1, None, point={"s": 1, "big": 1})]
    frame = trials_from_docs(docs).to_dataframe()
    assert frame["loss"].isna().all() and frame["params_s"].tolist() == ["text", 1]
    assert frame["params_big"].tolist() == [2.0**70, 1.0]


def test_without_pandas_the_error_names_the_extra(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r'pip install "hpspace\[pandas\]"'):
        trials.to_dataframe()
    assert trials.to_columns()["tid"] == [0, 1, 2, 3]
