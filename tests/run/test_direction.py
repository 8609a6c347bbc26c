"""direction="maximize": people see what they returned, documents hold what is minimised, and nobody gets it wrong."""

from __future__ import annotations

import contextlib
import math
import pickle

import pytest

from hpspace import Best, Trials, fmin, hp
from hpspace.exceptions import DirectionMismatch, InvalidResult
from hpspace.fmin import generate_trials_to_calculate

SPACE = {"x": hp.uniform("x", 0, 1)}


def x_of(config):
    return config["x"]


def search(fn=x_of, max_evals=12, direction="maximize", algo="rand", **kwargs):
    return fmin(
        fn, SPACE, algo, max_evals, **{"rstate": 0, "verbose": False, "direction": direction, **kwargs}
    )


def test_the_best_is_the_largest_and_has_its_own_sign():
    """What the objective returned, not what was minimised."""
    best = search()
    xs = best.trials.vals["x"]
    assert best.loss == best.value == best["x"] == max(xs)
    assert best.trials.best_value == max(xs)
    assert isinstance(pickle.loads(pickle.dumps(best)), Best)
    assert pickle.loads(pickle.dumps(best)).value == max(xs)


def test_documents_hold_what_is_minimised_and_the_value():
    """So that every reader of losses is right without knowing of directions; Hyperopt's reading API is unchanged."""
    trials = search().trials
    xs = trials.vals["x"]
    assert trials.losses() == [-x for x in xs]
    assert [result["value"] for result in trials.results] == xs
    assert trials.argmin["x"] == max(xs)
    assert trials.average_best_error() == -max(xs)


@pytest.mark.parametrize("algo", ["rand", "tpe", "anneal"])
def test_maximising_is_minimising_the_negative_bit_by_bit(algo):
    """The same trials, so algorithms cannot have seen a wrong sign."""
    up = search(algo=algo, max_evals=30).trials
    down = search(lambda c: -c["x"], algo=algo, max_evals=30, direction="minimize").trials
    assert up.vals == down.vals
    assert up.losses() == down.losses()


def test_zero_has_no_minus():
    """A value of 0 is shown as 0.0 everywhere."""
    best = search(lambda c: 0)
    assert repr(best.loss) == "0.0"
    assert repr(best.trials.losses()[0]) == "0.0"


@pytest.mark.parametrize("odd", [math.nan, -math.inf])
def test_worst_values_are_never_the_best(odd):
    """NaN is bad news either way, and so is minus infinity when maximising."""
    best = search(lambda c: odd if c["x"] > 0.5 else c["x"])
    assert best.loss == max(x for x in best.trials.vals["x"] if x <= 0.5)


def test_results_as_dicts_keep_their_keys():
    """Everything but the loss is the user's; a loss of a failed trial that is no number stays what it is."""
    best = search(
        lambda c: (
            {"status": "ok", "loss": c["x"], "true_loss": c["x"], "note": "mine"}
            if c["x"] > 0.4
            else {"status": "fail", "loss": "none"}
        )
    )
    good = [result for result in best.trials.results if result["status"] == "ok"]
    assert all(result["true_loss"] == result["loss"] == -result["value"] for result in good)
    assert {result["note"] for result in good} == {"mine"}
    assert "none" in {result["loss"] for result in best.trials.results}


def test_a_key_value_of_another_meaning_is_refused():
    """The key is taken; the error says what to do."""
    with pytest.raises(InvalidResult, match="give the other one another name"):
        search(lambda c: {"status": "ok", "loss": c["x"], "value": 99.0})


def test_minimising_leaves_a_key_value_alone():
    """Results are the user's."""
    best = search(lambda c: {"status": "ok", "loss": c["x"], "value": 99.0}, direction="minimize")
    assert {result["value"] for result in best.trials.results} == {99.0}


def test_loss_threshold_is_in_the_direction_asked_for():
    """Stops above it when maximising, and says so in the same sign."""
    values = iter([0.1, 0.2, 0.3, 0.4, 0.5])
    assert len(search(lambda c: next(values), loss_threshold=0.3).trials) == 4


def test_the_display_shows_the_value():
    """best value, as it was returned."""
    texts = []

    class Display:
        def __setattr__(self, name, text):
            texts.append(text)

        def update(self, n):
            pass

    @contextlib.contextmanager
    def callback(initial, total):
        yield Display()

    best = search(show_progressbar=callback)
    assert texts[-1] == f"best value: {best.loss}"


def test_tables_and_texts_have_the_value():
    """The column "value" beside "loss"; the repr and the table of a notebook show the value only."""
    trials = search().trials
    columns = trials.to_columns()
    assert columns["value"] == [-loss for loss in columns["loss"]] == trials.vals["x"]
    assert trials.to_dataframe()["value"].dtype == "float64"
    assert f"best value: {trials.best_value!r}" in repr(trials)
    assert "<th>value</th>" in trials._repr_html_()
    assert "<th>loss</th>" not in trials._repr_html_()
    assert "value" not in search(direction="minimize").trials.to_columns()


def test_figures_show_the_value():
    """History, histogram and parameters by loss: axes in the direction asked for, the best so far rises."""
    from hpspace import plotting

    trials = search().trials
    ax = plotting.main_plot_history(trials, do_show=False)
    (step,) = (line for line in ax.lines if line.get_label() == "best so far")
    heights = list(step.get_ydata())
    assert (ax.get_ylabel(), ax.get_title()) == ("value", "Value History")
    assert heights == sorted(heights) and heights[-1] == trials.best_value
    ax.figure.clear()
    ax = plotting.main_plot_histogram(trials, do_show=False)
    assert ax.get_xlabel().startswith("value (12 ok")
    ax.figure.clear()
    figure = plotting.main_plot_vars(trials, do_show=False, arrange_by_loss=True)
    assert figure.axes[0].get_xlabel() == "value"


# ---------------------------------------------------------------- the trials remember it


def test_trials_remember_the_direction(tmp_path):
    """In the object, in a pickle, in a saved file and in the save file of a run."""
    trials = search(trials_save_file=str(tmp_path / "run")).trials
    trials.save(tmp_path / "saved")
    for again in (
        trials,
        pickle.loads(pickle.dumps(trials)),
        Trials.load(tmp_path / "run"),
        Trials.load(tmp_path / "saved"),
    ):
        assert again.direction == "maximize"
        assert again.best_value == trials.best_value


@pytest.mark.parametrize(("first", "second"), [("maximize", "minimize"), ("minimize", "maximize")])
def test_the_other_direction_on_the_same_trials_is_an_error(first, second):
    """Naming both; nothing is evaluated. It would make the best the worst."""
    trials = search(direction=first).trials
    with pytest.raises(DirectionMismatch, match=f"(?s){first}.*{second}"):
        search(pytest.fail, 20, second, trials=trials)
    assert len(trials) == 12


def test_a_resumed_search_that_maximises_goes_on(tmp_path):
    """The same call again, with the file: the trials of the unbroken run."""
    whole = search(max_evals=20).trials
    path = str(tmp_path / "run")
    search(trials_save_file=path)
    again = search(max_evals=20, trials_save_file=path).trials
    assert again.vals == whole.vals
    assert again.losses() == whole.losses()


def test_points_may_wait_before_the_direction_is_known():
    """Trials that have no outcome have no sign."""
    trials = generate_trials_to_calculate([{"x": 0.25}])
    assert search(trials=trials, max_evals=3).trials.direction == "maximize"
    assert trials.losses()[0] == -0.25


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("maximise", 'did you mean "maximize"'),
        ("max", 'did you mean "maximize"'),
        (None, "pass"),
        (1, "pass"),
    ],
)
def test_other_words_are_refused_before_anything_runs(wrong, hint):
    """With a guess of what was meant."""
    with pytest.raises(ValueError, match=f"direction=.*{hint}"):
        search(pytest.fail, direction=wrong)


# ---------------------------------------------------------------- inside the objective


def test_the_objective_speaks_in_its_own_sign():
    """Checkpoints, injected results and reports are turned round too."""

    def fn(config, ctrl):
        assert ctrl.direction == "maximize"
        ctrl.checkpoint({"status": "running", "loss": 0.125})
        assert ctrl.current_trial["result"]["loss"] == -0.125
        ctrl.report(0.5, 1)
        if ctrl.current_trial["tid"] == 0:
            ctrl.inject_results([None], [{"status": "ok", "loss": 7.0}], [{"idxs": {}, "vals": {}}])
        return config["x"]

    best = search(fn, 3)
    assert best.loss == 7.0
    assert min(best.trials.losses()) == -7.0
    assert best.trials.trials[0]["misc"]["reports"] == [[1, -0.5]]


def test_trials_fmin_maximises():
    """The method takes the argument too, and a class written for Hyperopt is not given it unasked."""
    trials = Trials()
    best = trials.fmin(x_of, SPACE, algo="rand", max_evals=5, rstate=0, direction="maximize")
    assert best.loss == max(trials.vals["x"])
