"""Documents as history rows: every kind, every edit, and what a refresh costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpspace import Trials, compile_space, hp, trials_from_docs
from hpspace.history import FAILED, OK, PENDING, PRUNED
from hpspace.space.compiled import CompiledSpace
from hpspace.trials import codec
from hpspace.trials.document import JOB_STATE_CANCEL, new_document


@pytest.mark.parametrize(
    ("state", "result", "loss", "kind"),
    [
        (0, {"status": "new"}, math.nan, PENDING),
        (1, {"status": "new"}, math.nan, PENDING),
        (1, {"status": "ok", "loss": 0.5}, math.nan, PENDING),
        (2, {"status": "ok", "loss": 0.5}, 0.5, OK),
        (2, {"status": "ok", "loss": -math.inf}, -math.inf, OK),
        (2, {"status": "ok", "loss": math.inf}, math.nan, FAILED),
        (2, {"status": "ok", "loss": math.nan}, math.nan, FAILED),
        (2, {"status": "ok", "loss": None}, math.nan, FAILED),
        (2, {"status": "ok"}, math.nan, FAILED),
        (2, {"status": "fail", "loss": -99.0}, math.nan, FAILED),
        (2, {"status": "suspended", "loss": 1.0}, math.nan, FAILED),
        (2, {"status": "pruned", "last_step": 3, "last_value": 0.5, "reason": "r"}, math.nan, PRUNED),
        (1, {"status": "pruned"}, math.nan, PENDING),
        (2, {}, math.nan, FAILED),
        (3, {"status": "new"}, math.nan, FAILED),
    ],
)
def test_each_kind_of_document(
    space: CompiledSpace, state: int, result: dict[str, Any], loss: float, kind: int
) -> None:
    """A trial that went wrong is bad news, whatever its loss says; it is never left out."""
    doc = {**new_document(0, {"x": 0.5, "c": 1}), "state": state, "result": result}
    history = codec.Mirror(space).sync([doc])
    assert history.kind.tolist() == [kind]
    np.testing.assert_array_equal(history.losses, [loss])


def test_cancelled_trials_are_left_out(space: CompiledSpace, make: Any) -> None:
    docs = [make(0, 1.0), make(1, state=JOB_STATE_CANCEL), make(2, 2.0)]
    assert codec.Mirror(space).sync(docs).losses.tolist() == [1.0, 2.0]


def test_values_are_columns_in_the_order_of_the_space(space: CompiledSpace, make: Any) -> None:
    docs = [make(0, 1.0, point={"n": 4, "c": 0, "x": 0.125}), make(1, 1.0)]
    rows = codec.Mirror(space).sync(docs).values
    for row, point in zip(rows, [{"x": 0.125, "c": 0, "n": 4}, {"x": 0.5, "c": 1}]):
        np.testing.assert_array_equal(row, [point.get(label, math.nan) for label in space.labels])


@pytest.mark.parametrize("value", [7.0, -1, "abc", None, [1]])
def test_a_value_that_the_space_cannot_give_is_unknown(space: CompiledSpace, make: Any, value: Any) -> None:
    """As after the bounds were narrowed between two runs; the trial's other values still count."""
    history = codec.Mirror(space).sync([make(0, 1.0, point={"x": value, "c": 1})])
    row = dict(zip(space.labels, history.values[0].tolist()))
    assert math.isnan(row["x"]) and row["c"] == 1


def test_labels_of_another_space_are_ignored_and_absent_ones_unknown(space: CompiledSpace, make: Any) -> None:
    history = codec.Mirror(space).sync([make(0, 1.0, point={"x": 0.5, "zz": 3})])
    assert np.isnan(history.values).sum() == 2 and history.n == 1


def test_documents_of_a_batch_read_back_as_the_batch(space: CompiledSpace) -> None:
    """Encoding and decoding are inverse, and documents hold plain Python numbers."""
    batch = space.sample(np.random.default_rng(5), 40)
    specs, results, miscs = codec.documents(range(40), batch)
    docs = Trials().new_trial_docs(range(40), specs, results, miscs)
    np.testing.assert_array_equal(codec.history_rows(docs, space), batch.values)
    assert {type(v[0]) for misc in miscs for v in misc["vals"].values() if v} == {int, float}
    assert all(list(misc["vals"]) == list(space.labels) for misc in miscs)


def test_an_edit_in_place_reaches_the_history_at_refresh(space: CompiledSpace, make: Any) -> None:
    trials = trials_from_docs([make(0, state=0), make(1, 2.0)])
    history = trials.history(space)
    trials[0].update(state=2, result={"status": "ok", "loss": 0.5})
    assert history.kind.tolist() == [PENDING, OK]
    trials.refresh()
    assert trials.history(space) is history
    assert history.losses.tolist() == [0.5, 2.0] and history.order.tolist() == [0, 1]


def test_a_loss_changed_inside_a_finished_result_is_seen(space: CompiledSpace, make: Any) -> None:
    trials = trials_from_docs([make(0, 1.0), make(1, 2.0)])
    history = trials.history(space)
    trials[0]["result"]["loss"] = 9.0
    trials[1]["result"]["status"] = "fail"
    trials.refresh()
    assert history.kind.tolist() == [OK, FAILED] and history.losses[0] == 9.0


def test_nothing_changes_when_nothing_changed(space: CompiledSpace, trials: Trials) -> None:
    """NaN losses too compare equal to themselves."""
    history = trials.history(space)
    before = history.version
    trials.refresh()
    trials.refresh()
    assert trials.history(space) is history and history.version == before


def test_edited_values_of_a_finished_trial_rebuild_the_history(space: CompiledSpace, make: Any) -> None:
    """Values are compared when the outcome of the trial changes."""
    trials = trials_from_docs([make(0, state=1), make(1, 2.0)])
    trials.history(space)
    trials[0]["misc"]["vals"]["x"] = [0.75]
    trials[0].update(state=2, result={"status": "ok", "loss": 0.5})
    trials.refresh()
    column = space.index["x"]
    assert trials.history(space).values[:, column].tolist() == [0.75, 0.5]


def test_cancelling_a_trial_takes_its_row_away(space: CompiledSpace, make: Any) -> None:
    trials = trials_from_docs([make(0, 1.0), make(1, state=1), make(2, 3.0)])
    assert trials.history(space).n == 3
    trials.by_tid(1)["state"] = JOB_STATE_CANCEL
    trials.refresh()
    assert trials.history(space).losses.tolist() == [1.0, 3.0]
    trials.by_tid(1)["state"] = 0
    trials.refresh()
    assert trials.history(space).kind.tolist() == [OK, PENDING, OK]


def test_deleted_and_replaced_documents_are_noticed(space: CompiledSpace, make: Any) -> None:
    trials = trials_from_docs([make(0, 1.0), make(1, 2.0), make(2, 3.0)])
    trials.history(space)
    del trials._dynamic_trials[0]
    trials.refresh()
    assert trials.history(space).losses.tolist() == [2.0, 3.0]
    trials._dynamic_trials[0] = make(7, 5.0, point={"x": 0.0625, "c": 1})
    trials.refresh()
    assert trials.history(space).losses.tolist() == [5.0, 3.0]
    assert trials.history(space).values[0, space.index["x"]] == 0.0625


def _injected(make: Any, tid: int, loss: float, source: int) -> dict[str, Any]:
    doc: dict[str, Any] = make(tid, loss)
    doc["misc"]["from_tid"] = source
    return doc


def test_of_a_trial_and_those_it_injected_the_best_counts(space: CompiledSpace, make: Any) -> None:
    docs = [make(0, 1.0), make(1, 5.0), _injected(make, 2, 0.5, 0), _injected(make, 3, 0.75, 0)]
    assert codec.Mirror(space).sync(docs).losses.tolist() == [5.0, 0.5]


def test_injected_trials_give_way_when_their_source_ends_better(space: CompiledSpace, make: Any) -> None:
    """The source runs while it injects, and finishes last."""
    trials = trials_from_docs([make(0, state=1), make(1, 5.0)])
    trials.history(space)
    trials.insert_trial_doc(_injected(make, 2, 0.5, 0))
    trials.refresh()
    assert trials.history(space).losses.tolist() == [5.0, 0.5]
    trials.by_tid(0).update(state=2, result={"status": "ok", "loss": 0.125})
    trials.refresh()
    assert trials.history(space).losses.tolist() == [0.125, 5.0]


def test_a_history_per_space_and_no_more_than_two_kept(space: CompiledSpace, trials: Trials) -> None:
    others = [compile_space({"x": hp.uniform("x", 0, 1)}) for _ in range(2)]
    first = trials.history(space)
    assert trials.history(others[0]) is not first and trials.history(space) is first
    trials.history(others[1])
    assert len(trials._mirrors) == 2
    np.testing.assert_array_equal(trials.history(space).losses, first.losses)


def test_a_view_has_histories_of_its_own(space: CompiledSpace, make: Any) -> None:
    store = Trials()
    store._insert_trial_docs([make(0, 1.0, exp_key="a"), make(1, 2.0, exp_key="b")])
    store.refresh()
    assert store.history(space).n == 2 and store.view("b").history(space).losses.tolist() == [2.0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "finish", "fail", "nan", "cancel", "drop", "inject"]), st.integers(0, 9)
        )
    )
)
def test_any_sequence_of_edits_ends_in_the_history_of_the_final_documents(
    steps: list[tuple[str, int]],
) -> None:
    """Following the edits one by one gives what reading the last state afresh gives."""
    space = compile_space({"x": hp.uniform("x", 0, 10)})
    trials = Trials()
    for number, (step, which) in enumerate(steps):
        docs = trials._dynamic_trials
        if step in ("add", "inject") or not docs:
            doc = new_document(number, {"x": float(which)})
            if step == "inject" and docs:
                doc["misc"]["from_tid"] = docs[which % len(docs)]["tid"]
                doc.update(state=2, result={"status": "ok", "loss": which / 2})
            trials.insert_trial_doc(doc)
        elif step == "drop":
            del docs[which % len(docs)]
        else:
            states = {"finish": (2, "ok", float(which)), "fail": (3, "new", None), "nan": (2, "ok", math.nan)}
            state, status, loss = states.get(step, (JOB_STATE_CANCEL, "new", None))
            docs[which % len(docs)].update(state=state, result={"status": status, "loss": loss})
        trials.refresh()
        trials.history(space)
    followed, afresh = trials.history(space), codec.Mirror(space).sync(trials.documents())
    np.testing.assert_array_equal(followed.values, afresh.values)
    np.testing.assert_array_equal(followed.losses, afresh.losses)
    np.testing.assert_array_equal(followed.kind, afresh.kind)
    assert followed.keys == afresh.keys


def test_a_refresh_with_one_change_reads_one_document_again(make: Any, monkeypatch: Any) -> None:
    """500 documents, one of which gets another result: its values are read again, and no other's."""
    space = compile_space({"x": hp.uniform("x", 0, 1)})
    trials = trials_from_docs([make(tid, 1.0, point={"x": 0.5}) for tid in range(500)], validate=False)
    history = trials.history(space)
    read: list[int] = []
    read_rows = codec.history_rows

    def counted(docs: Any, of: Any) -> Any:
        read.append(len(docs))
        return read_rows(docs, of)

    monkeypatch.setattr(codec, "history_rows", counted)
    trials[250]["result"] = {"status": "ok", "loss": 2.0}
    trials.refresh()

    assert trials.history(space) is history
    assert history.losses[250] == 2.0
    assert read == [1]


@pytest.mark.parametrize(
    ("result", "misc", "progress"),
    [
        (
            {"status": "pruned", "last_step": 3, "last_value": 0.5},
            {"reports": [[4, 0.1]]},
            (3, 0.5, math.nan),
        ),
        ({"status": "pruned", "last_step": None, "last_value": None}, {}, (math.nan, math.nan, math.nan)),
        ({"status": "pruned"}, {"reports": [[4, 0.1]]}, (4, 0.1, math.nan)),
        ({"status": "ok", "loss": 1.0}, {"reports": [[0, 0.3], [5, 0.2], [2, 0.9]]}, (5, 0.2, math.nan)),
        ({"status": "ok", "loss": 1.0}, {"reports": [[0, math.nan]]}, (0, math.nan, math.nan)),
        ({"status": "ok", "loss": 1.0}, {"fidelity": {"resource": 27}}, (math.nan, math.nan, 27)),
        ({"status": "ok", "loss": 1.0}, {"reports": [], "fidelity": None}, (math.nan, math.nan, math.nan)),
    ],
)
def test_how_far_a_trial_came(
    space: CompiledSpace, result: dict[str, Any], misc: dict[str, Any], progress: tuple[float, ...]
) -> None:
    """The pruned result is asked first, then the reports, of which the highest step counts."""
    doc = {**new_document(0, {"x": 0.5, "c": 1}), "state": 2, "result": result}
    doc["misc"].update(misc)
    history = codec.Mirror(space).sync([doc])
    np.testing.assert_array_equal([history.steps[0], history.partials[0], history.resources[0]], progress)


def test_a_trial_pruned_in_place_reaches_the_history(space: CompiledSpace, make: Any) -> None:
    trials = trials_from_docs([make(0, state=1), make(1, 2.0)])
    history = trials.history(space)
    trials[0].update(state=2, result={"status": "pruned", "last_step": 7, "last_value": 0.5, "reason": "r"})
    trials.refresh()
    assert history.kind.tolist() == [PRUNED, OK]
    assert history.steps[0] == 7 and history.partials[0] == 0.5 and history.ranked.tolist() == [1, 0]


def staged(doc: dict[str, Any], resource: float, rung: int, config: Any) -> dict[str, Any]:
    """Give a document a place in a race for resources."""
    doc["misc"]["fidelity"] = {
        "label": "e",
        "resource": resource,
        "rung": rung,
        "bracket": 2,
        "config": config,
    }
    return doc


def test_stages_are_read_and_configurations_found(space: CompiledSpace, make: Any) -> None:
    """Ids become rows: the first of each configuration that is there, whatever became of the others."""
    docs = [
        make(0, 1.0),
        staged(make(1, state=JOB_STATE_CANCEL), 1, 0, 1),
        staged(make(2, 1.0), 1, 0, 2),
        staged(make(3, 0.5), 3, 1, 2),
        staged(make(4, 0.5), 3, 1, 1),
    ]
    mirror = codec.Mirror(space)
    history = mirror.sync(docs[:3])
    mirror.sync(docs)
    assert history.configs.tolist() == [-1, 1, 1, 3]
    assert history.rungs.tolist() == [-1, 0, 1, 1]
    assert history.brackets.tolist() == [-1, 2, 2, 2]
    assert [mirror.document(row)["tid"] for row in range(4)] == [0, 2, 3, 4]
