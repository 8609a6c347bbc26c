"""Between points and the ``misc`` of documents."""

from __future__ import annotations

from typing import Any

import pytest

from hpspace.exceptions import InvalidTrial
from hpspace.trials.miscs import miscs_to_idxs_vals, miscs_update_idxs_vals, spec_from_misc


def misc(tid: int, **vals: Any) -> dict[str, Any]:
    return {"tid": tid, "idxs": {k: [tid] * len(v) for k, v in vals.items()}, "vals": vals}


def test_spec_from_misc_keeps_active_labels_only() -> None:
    assert spec_from_misc(misc(0, a=[0.5], b=[])) == {"a": 0.5}


def test_spec_from_misc_refuses_two_values_and_names_trial_and_label() -> None:
    with pytest.raises(InvalidTrial, match=r"trial 3: label 'a' has several values, \[1, 2\]"):
        spec_from_misc(misc(3, a=[1, 2]))


def test_values_are_gathered_by_label_and_inactive_ones_left_out() -> None:
    miscs = [misc(0, a=[0.1], b=[]), misc(1, a=[0.2], b=[5])]
    assert miscs_to_idxs_vals(miscs) == ({"a": [0, 1], "b": [1]}, {"a": [0.1, 0.2], "b": [5]})


def test_labels_are_those_of_all_trials_not_of_the_first() -> None:
    """After the space has grown, the first trial does not know the new label; the old ones lack it."""
    assert miscs_to_idxs_vals([misc(0, a=[1]), misc(1, a=[2], new=[3])])[1] == {"a": [1, 2], "new": [3]}


def test_no_trials_have_no_labels() -> None:
    """Hyperopt raises here, which makes reading empty trials an error."""
    assert miscs_to_idxs_vals([]) == ({}, {})


def test_ids_are_the_trials_own_even_where_the_document_has_others() -> None:
    """Hyperopt's atpe writes ``idxs = [0]`` into every document, after which its readers fail."""
    wrong = {"tid": 7, "idxs": {"a": [0]}, "vals": {"a": [0.5]}}
    assert miscs_to_idxs_vals([wrong]) == ({"a": [7]}, {"a": [0.5]})


def test_asked_labels_only() -> None:
    assert miscs_to_idxs_vals([misc(0, a=[1], b=[2])], keys=["b"]) == ({"b": [0]}, {"b": [2]})
    assert miscs_to_idxs_vals([], keys=["b"]) == ({"b": []}, {"b": []})


def test_a_label_that_no_trial_has_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="zz"):
        miscs_to_idxs_vals([misc(0, a=[1])], keys=["zz"])


def test_update_is_the_inverse_of_gathering() -> None:
    miscs = [misc(4, a=[0.1], b=[]), misc(9, a=[0.2], b=[5])]
    bare: list[dict[str, Any]] = [{"tid": 4, "idxs": {}, "vals": {}}, {"tid": 9, "idxs": {}, "vals": {}}]
    assert miscs_update_idxs_vals(bare, *miscs_to_idxs_vals(miscs)) is bare
    assert bare == miscs


def test_update_translates_ids() -> None:
    bare: list[dict[str, Any]] = [misc(0), misc(1)]
    miscs_update_idxs_vals(bare, {"a": [10, 1]}, {"a": [0.1, 0.2]}, idxs_map={10: 0})
    assert bare == [misc(0, a=[0.1]), misc(1, a=[0.2])]


def test_update_refuses_a_value_of_an_unknown_trial_unless_told_to_pass_it_over() -> None:
    with pytest.raises(KeyError, match="7"):
        miscs_update_idxs_vals([misc(0)], {"a": [7]}, {"a": [0.1]})
    passed = [misc(0)]
    miscs_update_idxs_vals(passed, {"a": [7]}, {"a": [0.1]}, assert_all_vals_used=False)
    assert passed == [misc(0, a=[])]


@pytest.mark.parametrize(
    ("idxs", "vals", "complaint"),
    [
        ({"a": [0]}, {"b": [1]}, r"different labels: \['a', 'b'\]"),
        ({"a": [0, 1]}, {"a": [1]}, "label 'a' has 2 ids for 1 values"),
    ],
)
def test_update_refuses_ids_and_values_that_do_not_match(idxs: Any, vals: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        miscs_update_idxs_vals([misc(0), misc(1)], idxs, vals)


def test_update_makes_what_a_bare_misc_lacks() -> None:
    """As users' algorithms make them: a tid, and nothing to write into yet."""
    bare: list[dict[str, Any]] = [{"tid": 0}, {"tid": 1}]
    assert miscs_update_idxs_vals(bare, {"a": [1]}, {"a": [0.5]}) == [misc(0, a=[]), misc(1, a=[0.5])]
