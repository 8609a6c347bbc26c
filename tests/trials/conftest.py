"""What the tests of the trials layer share: a small conditional space and documents at any stage.

x ─ uniform(0, 1)                    always active
c ─ choice ┬ 0: {"kind": "tree", "depth": randint(1, 9) n}
           └ 1: "none"
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from hpspace import Trials, compile_space, hp
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR, new_document

LABELS = ("x", "c", "n")

Maker = Callable[..., dict[str, Any]]


def make_document(
    tid: Any,
    loss: Any = None,
    *,
    status: str = "ok",
    state: int = JOB_STATE_DONE,
    point: dict[str, Any] | None = None,
    exp_key: str | None = None,
    error: tuple[str, str] | None = None,
    **result: Any,
) -> dict[str, Any]:
    """Return a document; by default of a finished trial at x=0.5, c=1."""
    doc = new_document(tid, {"x": 0.5, "c": 1} if point is None else point, LABELS, exp_key)
    doc["state"] = JOB_STATE_ERROR if error else state
    if doc["state"] == JOB_STATE_DONE:
        doc["result"] = {"status": status, "loss": loss, **result}
        doc["book_time"] = datetime(2026, 1, 2, 3, 4, 5)
        doc["refresh_time"] = doc["book_time"] + timedelta(seconds=2)
    if error:
        doc["misc"]["error"] = error
    return doc


@pytest.fixture
def make() -> Maker:
    return make_document


@pytest.fixture
def space() -> CompiledSpace:
    return compile_space(
        {
            "x": hp.uniform("x", 0, 1),
            "model": hp.choice("c", [{"kind": "tree", "depth": hp.randint("n", 1, 9)}, "none"]),
        }
    )


@pytest.fixture
def trials() -> Trials:
    """Four trials: good, failed although its loss is the lowest, NaN, best; and one error."""
    trials = Trials()
    trials.insert_trial_docs(
        [
            make_document(0, 0.5),
            make_document(1, -99.0, status="fail"),
            make_document(2, float("nan")),
            make_document(3, 0.25, point={"x": 0.125, "c": 0, "n": 4}),
            make_document(4, error=("<class 'ValueError'>", "bad kernel")),
        ]
    )
    trials.refresh()
    return trials
