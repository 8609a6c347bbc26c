"""Users' subclasses of Trials: overriding, arguments of their own, no super().__init__, documents elsewhere."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hpspace import Trials
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.document import JOB_VALID_STATES, new_document


class Logged(Trials):
    """Overrides what Hyperopt's users override, each with a call of super."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.calls: list[str] = []
        self.name = name
        super().__init__(**kwargs)

    def refresh(self) -> None:
        self.calls.append("refresh")
        super().refresh()

    def new_trial_ids(self, n: int) -> list[Any]:
        self.calls.append("ids")
        return super().new_trial_ids(n)

    def _insert_trial_docs(self, docs: Sequence[dict[str, Any]]) -> list[Any]:
        self.calls.append("insert")
        return super()._insert_trial_docs(docs)


def test_overridden_methods_are_the_ones_that_are_used(make: Any) -> None:
    trials = Logged("mine")
    trials.insert_trial_doc(make(trials.new_trial_ids(1)[0], 1.0))
    trials.refresh()
    assert trials.calls == ["refresh", "ids", "insert", "refresh"]
    assert trials.best_trial["tid"] == 0


def test_extra_arguments_survive_copies_and_views(make: Any) -> None:
    """None of them calls ``__init__``, whose arguments they cannot know."""
    trials = Logged("mine", exp_key="k")
    trials.insert_trial_doc(make(0, 1.0, exp_key="k"))
    trials.refresh()
    for other in (pickle.loads(pickle.dumps(trials)), copy.deepcopy(trials), trials.view("k")):
        assert (type(other), other.name, other.tids) == (Logged, "mine", [0])


class Careless(Trials):
    """Never calls super().__init__."""

    def __init__(self) -> None:
        self.mine = 1


def test_a_subclass_that_forgets_super_init_works(make: Any, space: CompiledSpace) -> None:
    trials = Careless()
    trials.insert_trial_doc(make(0, 1.0))
    trials.refresh()
    assert trials.tids == [0] and trials.history(space).n == 1 and trials.new_trial_ids(1) == [1]


class Elsewhere(Trials):
    """Keeps documents in a table of its own and fills only the visible list, as a client of a database does."""

    def __init__(self) -> None:
        self.table: dict[int, dict[str, Any]] = {}
        super().__init__()

    def _insert_trial_docs(self, docs: Sequence[dict[str, Any]]) -> list[Any]:
        self.table.update({doc["tid"]: copy.deepcopy(doc) for doc in docs})
        return [doc["tid"] for doc in docs]

    def refresh(self) -> None:
        self._trials = [
            doc for doc in copy.deepcopy(list(self.table.values())) if doc["state"] in JOB_VALID_STATES
        ]


def test_documents_kept_elsewhere_are_read_through_the_visible_list(make: Any, space: CompiledSpace) -> None:
    trials = Elsewhere()
    trials.insert_trial_docs([make(0, 1.0), make(1, 0.5)])
    trials.refresh()
    history = trials.history(space)
    assert history.losses.tolist() == [1.0, 0.5] and trials.by_tid(1)["tid"] == 1
    trials.table[0]["result"]["loss"] = 0.25
    trials.refresh()
    assert trials.history(space).losses.tolist() == [0.25, 0.5]
    assert trials.best_trial["tid"] == 0 and "2 done" in repr(trials)


def test_documents_kept_elsewhere_are_saved(make: Any, tmp_path: Path) -> None:
    trials = Elsewhere()
    trials.insert_trial_docs([make(0, 1.0), make(1, 0.5)])
    trials.refresh()
    trials.save(tmp_path / "t")
    assert Trials.load(tmp_path / "t").losses() == [1.0, 0.5]


class ReadOnly(Trials):
    """Computes what Trials keeps as an attribute."""

    @property
    def _dynamic_trials(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return [new_document(0, {"x": 1.0}), new_document(1, {"x": 2.0})]


def test_an_attribute_may_become_a_property() -> None:
    trials = ReadOnly()
    assert trials.tids == [0, 1] and trials.vals == {"x": [1.0, 2.0]}


@pytest.mark.parametrize("asynchronous", [True, False])
def test_asynchronous_is_a_class_attribute(asynchronous: bool) -> None:
    assert type("Mine", (Trials,), {"asynchronous": asynchronous})().asynchronous is asynchronous
