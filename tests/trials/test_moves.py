"""The moves of documents in memory: each follows the table of transitions, or is refused and changes nothing.

NEW ── claim ──► RUNNING ── conclude ──► DONE | ERROR | CANCEL
 ▲ └─ cancel ─► CANCEL        │
 └────────── requeue ─────────┘  (not from DONE)
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from hpspace import Trials
from hpspace.exceptions import DirectionMismatch, IllegalMove
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    JOB_STATES,
    TRANSITIONS,
    new_document,
)

MOVES = {
    "claim": lambda trials, doc: trials.claim(doc),
    "cancel": lambda trials, doc: trials.cancel(doc),
    "requeue": lambda trials, doc: trials.requeue(doc),
    "done": lambda trials, doc: trials.conclude(doc, JOB_STATE_DONE, {"status": "ok", "loss": 1.0}),
    "error": lambda trials, doc: trials.conclude(doc, JOB_STATE_ERROR, error=("E", "m")),
    "interrupt": lambda trials, doc: trials.conclude(doc, JOB_STATE_CANCEL),
}
TARGETS = {
    "claim": JOB_STATE_RUNNING,
    "cancel": JOB_STATE_CANCEL,
    "requeue": JOB_STATE_NEW,
    "done": JOB_STATE_DONE,
    "error": JOB_STATE_ERROR,
    "interrupt": JOB_STATE_CANCEL,
}
#: What the table allows, but this move is not meant for.
OTHER_ROWS = {("cancel", JOB_STATE_RUNNING), ("interrupt", JOB_STATE_NEW)}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("state", JOB_STATES)
def test_every_move_is_a_row_of_the_table(move: str, state: int) -> None:
    trials, doc = Trials(), new_document(0, {"x": 0.5})
    doc["state"] = state
    before = copy.deepcopy(doc)
    legal = TARGETS[move] in TRANSITIONS[state] and (move, state) not in OTHER_ROWS
    assert MOVES[move](trials, doc) is legal
    assert doc["state"] == (TARGETS[move] if legal else state)
    if not legal:
        assert doc == before


def test_a_claim_is_dated_and_owned() -> None:
    trials, doc = Trials(), new_document(0, {"x": 0.5})
    assert trials.claim(doc, owner="me")
    assert doc["owner"] == "me" and doc["book_time"] is doc["refresh_time"] is not None


def test_an_outcome_is_written_into_the_document() -> None:
    trials, doc = Trials(), new_document(0, {"x": 0.5})
    trials.claim(doc)
    result = {"status": "fail"}
    assert trials.conclude(doc, JOB_STATE_ERROR, result, ("T", "m"), "lines", {"seconds": 2})
    assert doc["result"] is result
    assert (doc["misc"]["error"], doc["misc"]["traceback"], doc["misc"]["seconds"]) == (
        ("T", "m"),
        "lines",
        2,
    )


def test_only_outcomes_conclude() -> None:
    """A slip of the caller, not of fate: it raises and names the trial and both states."""
    trials, doc = Trials(), new_document(7, {"x": 0.5})
    trials.claim(doc)
    with pytest.raises(IllegalMove, match="trial 7: running cannot become new"):
        trials.conclude(doc, JOB_STATE_NEW)
    assert doc["state"] == JOB_STATE_RUNNING


def test_a_requeued_trial_forgets_its_evaluation() -> None:
    trials, doc = Trials(), new_document(0, {"x": 0.5})
    fresh = copy.deepcopy(doc)
    trials.claim(doc, owner="me")
    doc["misc"]["reports"] = [[0, 1.0]]
    trials.conclude(doc, JOB_STATE_ERROR, error=("T", "m"), traceback="lines")
    assert trials.requeue(doc)
    assert {**doc, "refresh_time": None} == fresh


def test_a_late_outcome_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    trials, doc = Trials(), new_document(4, {"x": 0.5})
    assert not trials.conclude(doc, JOB_STATE_DONE, {"status": "ok", "loss": 1.0})
    assert "outcome of trial 4 (done) is dropped" in caplog.text


def test_keeping_alive_and_waiting_are_there_for_loops_that_know_no_stores() -> None:
    trials = Trials()
    assert trials.shared is False
    with trials.keeping_alive():
        assert trials.wait(-1.0) is None


# -- the direction of the search -------------------------------------------------------------------------------


def test_trials_are_minimised_unless_told_otherwise() -> None:
    trials = Trials()
    assert trials.direction == "minimize"
    trials.direction = "maximize"
    assert trials.direction == "maximize"
    with pytest.raises(ValueError, match="direction='up': pass"):
        trials.direction = "up"


def test_trials_keep_their_direction(make, space) -> None:
    """Setting it again is fine, the other one is refused: the documents' signs would be wrong."""
    trials = Trials()
    trials.direction = "maximize"
    trials.insert_trial_doc(make(0, 1.0))
    trials.remember_space(space)
    trials.direction = "maximize"
    with pytest.raises(DirectionMismatch, match=r"1 trials were made with direction='maximize'.*'minimize'"):
        trials.direction = "minimize"


def test_the_direction_survives_every_way_of_keeping_trials(tmp_path: Path, make, space) -> None:
    trials = Trials()
    trials.direction = "maximize"
    trials.insert_trial_doc(make(0, 1.0))
    trials.remember_space(space)
    trials.save(tmp_path / "t")
    copies = [
        pickle.loads(pickle.dumps(trials)),
        copy.deepcopy(trials),
        trials.view(),
        Trials.load(tmp_path / "t"),
    ]
    assert [other.direction for other in copies] == ["maximize"] * 4
