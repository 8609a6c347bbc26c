"""refresh_recent: what a search calls each turn shows what refresh would, at a cost that stays flat."""

from __future__ import annotations

import copy
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hpspace import Trials, compile_space, fmin, hp
from hpspace.trials.changes import Changes
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_NEW, new_document
from hpspace.trials.store import FULL_LOOK_TURNS

SPACE = {"x": hp.uniform("x", 0, 1)}


def finish(doc, loss=0.5, state=JOB_STATE_DONE):
    doc.update(state=state, result={"status": "ok", "loss": loss})


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "done", "error", "cancel", "run", "drop"]), st.integers(0, 9))
)


@given(STEPS)
def test_the_same_as_refresh_while_trials_only_go_forward(steps):
    """Whatever is added, finished or removed in whatever order; list, ids and history agree."""
    states = {"run": 1, "done": 2, "error": 3, "cancel": 4}
    trials, space = Trials(), compile_space(SPACE)
    trials.history(space)
    for tid, (step, position) in enumerate(steps):
        docs = trials._dynamic_trials
        waiting = [doc for doc in docs if doc["state"] < JOB_STATE_DONE]
        if step == "add" or not docs:
            trials.insert_trial_docs([new_document(tid, {"x": position / 10})])
        elif step == "drop":
            docs.pop()
        elif waiting:
            finish(waiting[position % len(waiting)], position / 10, states[step])
        trials.refresh_recent()
        assert trials.states() == Counter(doc["state"] for doc in docs)
        fresh = copy.deepcopy(trials)
        fresh.refresh()
        assert [doc["tid"] for doc in trials.trials] == [doc["tid"] for doc in fresh.trials]
        ours, theirs = trials.history(space), fresh.history(space)
        assert ours.kind.tolist() == theirs.kind.tolist()
        assert repr(ours.losses.tolist()) == repr(theirs.losses.tolist())
        assert {d["tid"] for d in trials.unsettled()} >= {
            d["tid"] for d in docs if d["state"] < JOB_STATE_DONE
        }


def test_an_edit_of_a_finished_trial_is_noticed_in_time():
    """Not at once, but after so many turns; and at once by refresh itself."""
    space = compile_space(SPACE)
    trials = Trials()
    trials.insert_trial_docs([new_document(0, {"x": 0.5}), new_document(1, {"x": 0.25})])
    finish(trials._dynamic_trials[0])
    trials.refresh()
    history = trials.history(space)
    finish(trials._dynamic_trials[0], loss=7.0)
    trials.refresh_recent()
    assert history.losses[0] == 0.5
    for _ in range(FULL_LOOK_TURNS):
        trials.refresh_recent()
    assert history.losses[0] == 7.0
    finish(trials._dynamic_trials[0], loss=8.0)
    trials.refresh()
    assert history.losses[0] == 8.0


def test_a_finished_trial_put_back_is_queued_again_after_refresh():
    """As `unsettled` must give it to the loop."""
    trials = Trials()
    trials.insert_trial_docs([new_document(0, {"x": 0.5})])
    finish(trials._dynamic_trials[0], state=JOB_STATE_ERROR)
    trials.refresh()
    assert trials.unsettled() == []
    trials._dynamic_trials[0]["state"] = JOB_STATE_NEW
    trials.refresh()
    assert trials.unsettled() == trials._dynamic_trials


def test_a_refresh_of_ones_own_is_called_each_turn():
    """A subclass whose refresh fetches documents from elsewhere must see every turn."""
    calls = []

    class Counted(Trials):
        def refresh(self):
            calls.append(1)
            super().refresh()

    fmin(lambda c: c["x"], SPACE, "rand", 20, trials=Counted(), rstate=0, verbose=False)
    assert len(calls) > 40


def test_a_turn_does_not_look_at_settled_documents():
    """Looked at are the states: documents that count how often they are read."""
    reads = []

    class Watched(dict):
        def __getitem__(self, key):
            if key == "state":
                reads.append(1)
            return super().__getitem__(key)

    trials = Trials()
    fmin(lambda c: c["x"], SPACE, "rand", 300, trials=trials, rstate=0, verbose=False)
    trials._dynamic_trials[:] = map(Watched, trials._dynamic_trials)
    trials.refresh()
    reads.clear()
    fmin(lambda c: c["x"], SPACE, "rand", 330, trials=trials, rstate=0, verbose=False)
    assert len(reads) < 300 * 20  # a dozen full looks before and after; two a turn would be 18,000


def test_changes_passes_over_what_is_settled():
    """Until a finished one is seen to be unfinished again."""
    docs = [{"state": 2, "result": {}, "refresh_time": None} for _ in range(3)]
    changes = Changes()
    for position, doc in enumerate(docs):
        changes.remember(position, doc)
    docs[1]["state"] = 0
    assert (changes.settled, changes.of(docs, recent=True), changes.of(docs)) == (3, [], [1])
    changes.remember(1, docs[1])
    docs[1]["state"] = 2
    assert (changes.settled, changes.of(docs, recent=True)) == (1, [1])
