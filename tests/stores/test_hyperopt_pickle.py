"""Hyperopt's pickles are read without Hyperopt, and without running what a file says."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from hpspace import Trials
from hpspace.trials.hyperopt import import_hyperopt
from hpspace.trials.shared.memory import MemoryStore
from hpspace.trials.shared.trials import SharedTrials

#: ``fmin(trials_save_file=...)`` of Hyperopt 0.3.0: 12 evaluations, two of which raised.
GOLDEN = Path(__file__).parent.parent / "trials" / "data" / "hyperopt-0.3.0.pkl"


@pytest.mark.parametrize("make", [lambda: None, lambda: SharedTrials(MemoryStore(), "e")])
def test_a_file_of_hyperopt_is_read(make):
    trials = import_hyperopt(GOLDEN, make())
    assert len(trials) == 10 and trials.count_by_state_unsynced(3) == 2
    assert trials.best_trial["tid"] == 7 and trials.argmin == {"c": 0, "x": 0.15953324416396486}


def test_attachments_come_along_and_the_objective_does_not(tmp_path):
    old = Trials.load(GOLDEN)
    old.attachments.update({"FMinIter_Domain": b"code", "note": b"mine"})
    old.trial_attachments(old.trials[0])["log"] = b"lines"
    state = {
        key: old.__dict__[key] for key in ("_dynamic_trials", "_trials", "_ids", "_exp_key", "attachments")
    }
    (tmp_path / "f").write_bytes(_as_hyperopt(state))
    target = SharedTrials(MemoryStore(), "e")
    target.insert_trial_docs([{**old.trials[0], "exp_key": "e", "result": {"status": "fail"}}])
    trials = import_hyperopt(tmp_path / "f", target)
    (moved,) = [doc for doc in trials if len(trials.trial_attachments(doc))]
    assert moved["tid"] != old.tids[0] and dict(trials.trial_attachments(moved)) == {"log": b"lines"}
    assert trials.attachments["note"] == b"mine" and "FMinIter_Domain" not in trials.attachments


def _as_hyperopt(state):
    """Pickle a state as that of an object of Hyperopt's class, opcode by opcode: the class, NEWOBJ, state, BUILD."""
    inner = pickle.dumps(state, protocol=2)
    return b"\x80\x02chyperopt.base\nTrials\n)\x81" + inner[2:-1] + b"b."


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_nothing_in_the_file_is_run(tmp_path):
    trials = Trials()
    trials.attachments["model"] = Bomb(tmp_path / "harm")
    (tmp_path / "f").write_bytes(pickle.dumps(trials))
    with pytest.raises(ValueError, match=r"holds a (posix|nt)\.mkdir, which is no part of Hyperopt's trials"):
        import_hyperopt(tmp_path / "f")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps([1, 2])])
def test_other_files_are_refused(tmp_path, data):
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(ValueError, match=r"f (cannot be read as trials|holds no trials)"):
        import_hyperopt(tmp_path / "f")
