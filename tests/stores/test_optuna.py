"""Studies of Optuna become trials, and trials become studies; both keep what they mean."""

from __future__ import annotations

import math

import optuna
import pytest

from hpspace import SqliteTrials, Trials, fmin, hp
from hpspace.exceptions import MissingExtra
from hpspace.integrations.optuna import from_optuna, to_optuna
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_ERROR

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial):
    """Prune trial 1, let trial 2 fail; `depth` exists for trees only."""
    x = trial.suggest_float("x", 1e-3, 1.0, log=True)
    kind = trial.suggest_categorical("kind", ["tree", "line", None])
    depth = trial.suggest_int("depth", 1, 9) if kind == "tree" else 0
    trial.report(x / 2, 0)
    trial.report(x, 3)
    trial.set_user_attr("note", [1, "a"])
    if trial.number == 1:
        raise optuna.TrialPruned
    return math.nan if trial.number == 2 else x + depth


@pytest.fixture(params=["minimize", "maximize"])
def study(request, tmp_path):
    """A study in Optuna's own SQLite file."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/optuna.db")
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=storage, sampler=sampler, direction=request.param, study_name="s")
    study.optimize(objective, n_trials=8)
    study.enqueue_trial({"x": 0.5})
    yield study
    storage.engine.dispose()


def test_a_study_becomes_trials(study):
    trials = from_optuna(study)
    sign = -1 if study.direction.name == "MAXIMIZE" else 1
    assert trials.direction == study.direction.name.lower() and trials.best_value == study.best_value
    assert trials.best_trial["tid"] == study.best_trial.number
    for doc, frozen in zip(trials.documents(), study.trials):
        assert doc["tid"] == frozen.number
        kinds = doc["misc"]["vals"]["kind"]
        assert [("tree", "line", None)[kind] for kind in kinds] == [
            v for k, v in frozen.params.items() if k == "kind"
        ]
        if frozen.state.name == "COMPLETE":
            assert doc["result"]["loss"] == sign * frozen.value
            assert doc["misc"]["reports"] == [
                [0, sign * frozen.params["x"] / 2],
                [3, sign * frozen.params["x"]],
            ]
            assert doc["misc"]["user_attrs"] == {"note": [1, "a"]}
            assert doc["refresh_time"] >= doc["book_time"]
    assert trials.by_tid(1)["result"]["status"] == "pruned" and trials.by_tid(1)["result"]["last_step"] == 3
    assert trials.by_tid(2)["state"] == JOB_STATE_ERROR
    assert len(trials.documents()) == 8, "what waits in Optuna has no point yet"


def test_the_best_configuration_reads_as_in_optuna(study):
    """The space is flat: what the best trial had is in it."""
    best = from_optuna(study).best_trial
    space = from_optuna(study).space
    assert set(space.labels) == {"x", "kind", "depth"}
    assert {label for label, held in best["misc"]["vals"].items() if held} == set(study.best_params)


def test_a_search_goes_on_with_the_trials_of_a_study(study, tmp_path):
    trials = from_optuna(study, SqliteTrials(tmp_path / "study.db", "e"))
    space = {"x": hp.float("x", 1e-3, 1.0, log=True), "kind": hp.categorical("kind", ["tree", "line", None])}
    with pytest.warns(UserWarning, match="another search space"):
        fmin(
            lambda c: c["x"], space, "tpe", 12, trials=trials, rstate=0, show_progressbar=False,
            direction=trials.direction,
        )  # fmt: skip
    assert trials.count_by_state_unsynced(JOB_STATE_DONE) >= 10
    trials.close()


def test_trials_become_a_study_and_come_back(study):
    trials = from_optuna(study)
    again = to_optuna(trials)
    finished = [t for t in study.trials if t.state.is_finished()]
    assert [t.params for t in again.trials] == [t.params for t in finished]
    assert [t.state for t in again.trials] == [t.state for t in finished]
    assert again.best_value == study.best_value and again.direction == study.direction
    assert [t.intermediate_values for t in again.trials] == [t.intermediate_values for t in finished]
    back = from_optuna(again)
    assert back.losses() == [doc["result"].get("loss") for doc in trials]


def test_every_distribution_can_be_exported(tmp_path):
    space = {
        "normal": hp.normal("normal", 0, 1),
        "quantised": hp.quniform("quantised", -1.05, 1, 0.1),
        "log": hp.loguniform("log", -5, 0),
        "int": hp.int("int", 1, 64, log=True),
        "nested": hp.choice("nested", [{"a": hp.uniform("a", 0, 1)}, "plain"]),
    }
    trials = Trials()
    fmin(lambda c: c["normal"] ** 2, space, "rand", 20, trials=trials, rstate=0, show_progressbar=False)
    study = to_optuna(trials)
    assert [t.value for t in study.trials] == trials.losses()
    assert [t.params["log"] for t in study.trials] == trials.vals["log"]
    texts = trials.space["nested"].options
    assert [t.params["nested"] for t in study.trials] == [texts[i] for i in trials.vals["nested"]]
    assert study.trials[0].distributions["log"].log and study.trials[0].user_attrs["hpspace_tid"] == 0
    study.optimize(lambda trial: trial.suggest_float("log", *_range(study), log=True), n_trials=1)


def _range(study):
    distribution = study.trials[0].distributions["log"]
    return distribution.low, distribution.high


def test_the_directions_must_agree(study):
    other = "minimize" if study.direction.name == "MAXIMIZE" else "maximize"
    with pytest.raises(
        ValueError, match=f"is to {other}, and the trials are to {study.direction.name.lower()}"
    ):
        to_optuna(from_optuna(study), optuna.create_study(direction=other))


def test_several_objectives_are_refused():
    with pytest.raises(ValueError, match="has 2 objectives"):
        from_optuna(optuna.create_study(directions=["minimize", "maximize"]))


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"hpspace\[optuna\]"):
        to_optuna(Trials())
