"""Documents hold what was proposed, for every space: batch -> documents -> history is the identity."""

from __future__ import annotations

import json
import pickle

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpspace import Trials, compile_space
from hpspace.base import JOB_STATE_DONE, spec_from_misc
from hpspace.testing.spaces import spaces
from hpspace.trials import codec

seeds = st.integers(0, 2**32 - 1)
relaxed = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])


def trials_of(space, batch):
    trials = Trials()
    tids = trials.new_trial_ids(len(batch))
    docs = trials.new_trial_docs(tids, *codec.documents(tids, batch))
    for tid, doc in zip(tids, docs):
        doc["state"], doc["result"] = JOB_STATE_DONE, {"status": "ok", "loss": float(tid)}
    trials.insert_trial_docs(docs)
    trials.refresh()
    return trials


@relaxed
@given(spaces(), seeds)
def test_a_batch_survives_being_written_down_and_read(space, seed):
    compiled = compile_space(space)
    batch = compiled.sample(seed, 4)
    history = trials_of(compiled, batch).history(compiled)
    np.testing.assert_array_equal(history.values, batch.values)
    assert history.order.tolist() == [0, 1, 2, 3]


@relaxed
@given(spaces(), seeds)
def test_documents_hold_exactly_the_active_labels_in_plain_python(space, seed):
    compiled = compile_space(space)
    batch = compiled.sample(seed, 3)
    for doc, point in zip(trials_of(compiled, batch).trials, batch.points()):
        assert spec_from_misc(doc["misc"]) == point
        assert set(doc["misc"]["vals"]) == set(compiled.labels)
        for label, values in doc["misc"]["vals"].items():
            assert doc["misc"]["idxs"][label] == [doc["tid"]] * len(values)
        json.dumps({key: doc["misc"][key] for key in ("vals", "idxs")})  # no numpy scalars


@relaxed
@given(spaces(), seeds)
def test_documents_mean_the_same_after_pickling(space, seed):
    compiled = compile_space(space)
    trials = trials_of(compiled, compiled.sample(seed, 3))
    again = pickle.loads(pickle.dumps(trials))
    np.testing.assert_array_equal(again.history(compiled).values, trials.history(compiled).values)
    assert again.trials == trials.trials
