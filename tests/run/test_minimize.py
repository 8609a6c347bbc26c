"""fmin's own work: arguments, trials of every kind, what it says before it starts."""

from __future__ import annotations

import inspect
import logging
import pickle
import warnings

import numpy as np
import pytest

import hpspace
from hpspace import Trials, fmin, hp, rand, tpe
from hpspace.exceptions import BadSearchSpace, SpaceChanged

SPACE = {"x": hp.uniform("x", 0, 1)}


def x_of(config):
    return config["x"]


def search(fn=x_of, space=SPACE, algo="rand", max_evals=5, **kwargs):
    return fmin(fn, space, algo, max_evals, **{"rstate": 0, "verbose": False, **kwargs})


def actions(caplog):
    return [record.action for record in caplog.records if hasattr(record, "action")]


def test_the_signature_is_hyperopts():
    """Positional order and defaults; ours come after, by keyword only."""
    parameters = inspect.signature(fmin).parameters
    theirs = {
        "fn": inspect.Parameter.empty, "space": inspect.Parameter.empty, "algo": None, "max_evals": None,
        "timeout": None, "loss_threshold": None, "trials": None, "rstate": None, "allow_trials_fmin": True,
        "pass_expr_memo_ctrl": None, "catch_eval_exceptions": False, "verbose": True, "return_argmin": True,
        "points_to_evaluate": None, "max_queue_len": 1, "show_progressbar": True, "early_stop_fn": None,
        "trials_save_file": "",
    }  # fmt: skip
    assert {name: p.default for name, p in list(parameters.items())[: len(theirs)]} == theirs
    assert {p.kind for p in list(parameters.values())[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}
    assert "rstate" in inspect.getfullargspec(fmin).args


def test_an_unknown_keyword_is_a_type_error():
    """hyperas tries rseed= first and expects this."""
    with pytest.raises(TypeError, match="rseed"):
        search(rseed=3)


@pytest.mark.parametrize(
    "rstate",
    [3, np.int64(3), np.random.default_rng(3), np.random.RandomState(3), np.random.SeedSequence(3), None],
)
def test_every_seed_runs(rstate):
    """pain 19."""
    assert len(search(rstate=rstate).trials) == 5


def test_the_environment_seeds(monkeypatch):
    """HYPEROPT_FMIN_SEED, as in Hyperopt."""
    monkeypatch.setenv("HYPEROPT_FMIN_SEED", "11")
    assert search(rstate=None).trials.vals == search(rstate=11).trials.vals


def test_the_default_algorithm_is_tpe_and_said_so(caplog):
    """One logged line."""
    with caplog.at_level(logging.INFO, logger="hpspace"):
        default = search(algo=None, max_evals=25).trials.vals
    assert "algo" in actions(caplog)
    assert default == search(algo=tpe.suggest, max_evals=25).trials.vals


def test_everything_wrong_with_a_space_is_raised_before_anything_runs():
    """Even before a save file or the trials are touched."""
    trials = Trials()
    with pytest.raises(BadSearchSpace, match="2 faults"):
        search(pytest.fail, [hp.uniform("a", 1, 0), hp.choice("b", [])], trials=trials)
    assert trials._dynamic_trials == []


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ({"timeout": -1}, r"^The timeout argument should be None or a positive value. Given value: -1$"),
        ({"timeout": True}, r"^The timeout argument should be None or a positive value. Given value: True$"),
        (
            {"loss_threshold": "a"},
            r"^The loss_threshold argument should be None or a numeric value. Given value: a$",
        ),
        ({"max_evals": -1}, "max_evals=-1"),
        ({"rstate": "a"}, "rstate='a'"),
        ({"algo": "tpee"}, "did you mean 'tpe'"),
    ],
)
def test_wrong_arguments_are_refused_first(argument, text):
    """Before the objective is called."""
    with pytest.raises(Exception, match=text):
        search(pytest.fail, **argument)


def test_nothing_to_do_is_said(caplog):
    """A second fmin(max_evals=5) on the same trials did nothing without a word (pain 21)."""
    trials = search().trials
    with caplog.at_level(logging.INFO, logger="hpspace"):
        search(pytest.fail, trials=trials)
    assert "nothing_to_do" in actions(caplog)
    assert "there are 5 trials" in caplog.text


def test_a_run_without_an_end_is_warned_of(caplog):
    """max_evals=None and no other limit (pain 22); a finite space ends by itself."""

    def three(*args):
        return rand.suggest(*args) if len(args[2]) < 3 else []

    with caplog.at_level(logging.WARNING, logger="hpspace"):
        search(algo=three, max_evals=None)
        assert actions(caplog) == ["no_limit"]
        caplog.clear()
        search(algo=three, max_evals=None, timeout=60)
        search(lambda c: 0, hp.choice("c", [1, 2]), max_evals=None)
    assert actions(caplog) == ["space_exhausted"]


def test_nothing_is_printed(capsys):
    """verbose=False is silent on both streams."""
    search()
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------- trials of another space


def test_a_changed_space_is_said(recwarn):
    """With what has changed; the run goes on and learns from what fits."""
    trials = search(max_evals=8).trials
    with pytest.warns(SpaceChanged, match="'y'"):
        best = search(
            lambda c: c["x"] + c["y"],
            {"x": hp.uniform("x", 0, 1), "y": hp.uniform("y", 0, 1)},
            "tpe",
            40,
            trials=trials,
        )
    assert len(best.trials) == 40
    assert trials.vals["y"] == [doc["misc"]["vals"]["y"][0] for doc in trials.trials[8:]]


def test_documents_without_a_stored_space_are_compared_by_their_labels():
    """Trials of old pickles, or made from documents."""
    docs = pickle.loads(pickle.dumps(search().trials.trials))
    with pytest.warns(SpaceChanged, match=r"(?s)'x' of the stored trials.*'z' is in no stored trial"):
        search(
            lambda c: c["z"], {"z": hp.uniform("z", 0, 1)}, trials=hpspace.trials_from_docs(docs), max_evals=8
        )


def test_the_same_space_built_anew_is_no_change():
    """A resumed script builds its space again."""
    trials = search().trials
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search(space={"x": hp.uniform("x", 0, 1)}, trials=trials, max_evals=7)


def test_the_trials_remember_the_space():
    """So that best_config works without it."""
    best = search(space={"x": hp.choice("x", [0.5])})
    assert best.trials.best_config == best.config == {"x": 0.5}


# ---------------------------------------------------------------- Trials.fmin and subclasses


def test_trials_fmin_runs_on_itself():
    """Trials.fmin(...) with its own default of verbose=False."""
    trials = Trials()
    best = trials.fmin(x_of, SPACE, algo=rand.suggest, max_evals=5, rstate=0)
    assert best.trials is trials
    assert best == search()


def test_a_subclass_without_its_own_fmin_runs_as_trials():
    """Only an overriding class is handed the call."""

    class Plain(Trials):
        pass

    trials = Plain()
    assert search(trials=trials).trials is trials


class Own(Trials):
    """A subclass in Hyperopt's style, with Hyperopt's signature."""

    def fmin(
        self,
        fn,
        space,
        algo=None,
        max_evals=None,
        timeout=None,
        loss_threshold=None,
        max_queue_len=1,
        rstate=None,
        verbose=False,
        pass_expr_memo_ctrl=None,
        catch_eval_exceptions=False,
        return_argmin=True,
        show_progressbar=True,
        early_stop_fn=None,
        trials_save_file="",
    ):
        self.given = dict(locals())
        return fmin(
            fn, space, algo, max_evals, trials=self, rstate=rstate, allow_trials_fmin=False, verbose=False
        )


def test_a_subclass_with_its_own_fmin_is_handed_the_call():
    """With every argument it knows; the points are in its queue."""
    trials = Own()
    best = search(trials=trials, points_to_evaluate=[{"x": 0.25}], loss_threshold=-1)
    assert trials.given["loss_threshold"] == -1
    assert trials.given["rstate"] == 0
    assert best.trials is trials
    assert trials.vals["x"][0] == 0.25
    assert len(trials) == 6


def test_handing_over_can_be_forbidden():
    """allow_trials_fmin=False."""
    trials = Own()
    search(trials=trials, allow_trials_fmin=False)
    assert not hasattr(trials, "given")


def test_a_subclass_that_calls_its_parent_does_not_recurse():
    """super().fmin(...) is the ordinary run."""

    class Calling(Trials):
        calls = 0

        def fmin(self, fn, space, **kwargs):
            type(self).calls += 1
            return super().fmin(fn, space, **kwargs)

    assert len(search(trials=Calling()).trials) == 5
    assert Calling.calls == 1


def test_a_subclass_that_overrides_the_store_runs():
    """refresh and insertion are the documented hooks."""

    class Counting(Trials):
        def __init__(self):
            self.refreshed, self.inserted = 0, 0
            super().__init__()

        def refresh(self):
            self.refreshed += 1
            super().refresh()

        def insert_trial_docs(self, docs):
            self.inserted += len(docs)
            return super().insert_trial_docs(docs)

    trials = Counting()
    search(algo="tpe", max_evals=30, trials=trials)
    assert trials.inserted == 30
    assert trials.refreshed >= 30


# ---------------------------------------------------------------- learning from bad news


@pytest.mark.parametrize(
    "bad",
    [
        lambda: float("nan"),
        lambda: {"status": "fail", "loss": -99.0},
        lambda: {"status": "fail"},
        lambda: 1 / 0,
    ],
    ids=["nan", "fail with a loss", "fail", "raise"],
)
def test_tpe_leaves_the_region_that_fails(bad):
    """Hyperopt's tpe is drawn into NaN and crashing regions: up to 100 % of its suggestions (pain 36 to 38).

    Loss falls towards x = 0.4, where the failing half begins at 0.5.
    """
    best = search(
        lambda c: bad() if c["x"] > 0.5 else abs(c["x"] - 0.4),
        algo="tpe",
        max_evals=80,
        catch_eval_exceptions=True,
    )
    late = [doc["misc"]["vals"]["x"][0] for doc in best.trials._dynamic_trials[40:]]
    assert sum(x > 0.5 for x in late) <= 12
    assert best.loss < 0.05


def test_fmin_is_the_function_wherever_it_is_imported_from():
    """`hpspace.fmin` stays the function after any import of the module of that name."""
    import hpspace.fmin
    from hpspace.fmin import generate_trials_to_calculate

    assert callable(hpspace.fmin)
    assert callable(generate_trials_to_calculate)
    assert pickle.loads(pickle.dumps(hpspace.fmin)) is fmin
