"""Callbacks: when they are called, with what, what their answer does, and that they cannot spoil a search."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from hpspace import Callback, Trials, fmin, hp
from hpspace.early_stop import no_progress_loss
from hpspace.exceptions import CallbackError
from hpspace.run.executors.threads import ThreadExecutor
from hpspace.trials.document import JOB_STATE_CANCEL, JOB_STATE_DONE, JOB_STATE_NEW

SPACE = {"x": hp.uniform("x", 0, 1)}


def x_of(config):
    return config["x"]


def search(fn=x_of, max_evals=5, callbacks=None, **kwargs):
    return fmin(
        fn, SPACE, "rand", max_evals, callbacks=callbacks, **{"rstate": 0, "verbose": False, **kwargs}
    )


class Diary(Callback):
    """Writes down each call: hook, tid, and what the trials looked like."""

    def __init__(self):
        self.entries = []

    def on_start(self, trials):
        self.entries.append(("start", len(trials)))

    def on_suggested(self, trials, trial):
        assert trial["state"] == JOB_STATE_NEW
        assert trials.by_tid(trial["tid"]) is trial
        self.entries.append(("suggested", trial["tid"]))

    def on_reported(self, trials, trial, step, value):
        self.entries.append(("reported", trial["tid"], step, value))

    def on_finished(self, trials, trial):
        self.entries.append(("finished", trial["tid"], len(trials)))

    def on_new_best(self, trials, trial):
        assert trials.best_trial is trial
        self.entries.append(("best", trial["tid"]))

    def on_end(self, trials):
        self.entries.append(("end", len(trials)))


# ---------------------------------------------------------------- when


def test_the_hooks_of_a_run_in_order():
    """Three trials with losses 2, 1, 3; the second reports."""
    losses = iter([2.0, 1.0, 3.0])

    def fn(config, ctrl):
        loss = next(losses)
        if loss == 1.0:
            ctrl.report(0.5, 7)
        return loss

    diary = Diary()
    search(fn, 3, diary)
    assert diary.entries == [
        ("start", 0),
        ("suggested", 0), ("finished", 0, 1), ("best", 0),
        ("suggested", 1), ("reported", 1, 7, 0.5), ("finished", 1, 2), ("best", 1),
        ("suggested", 2), ("finished", 2, 3),
        ("end", 3),
    ]  # fmt: skip


def test_a_plain_function_is_called_after_each_trial():
    """With the trials, in which the trial is complete, and its document."""
    seen = []

    def note(trials, trial):
        seen.append((trial["tid"], trial["state"], trials.losses()[-1] == trial["result"]["loss"]))

    search(callbacks=note)
    assert seen == [(tid, JOB_STATE_DONE, True) for tid in range(5)]


def test_trials_that_raised_are_finished_too():
    """They are no more in the visible list by then; interrupted ones are not announced."""
    seen = []

    def fn(config):
        if len(seen) == 1:
            raise ValueError
        if len(seen) == 3:
            raise KeyboardInterrupt
        return config["x"]

    with pytest.raises(KeyboardInterrupt):
        search(fn, 9, lambda trials, trial: seen.append((trial["state"], len(trials))), catch=ValueError)
    assert seen == [(2, 1), (3, 1), (2, 2)]


def test_several_callbacks_are_called_in_order():
    """One after the other, for each event."""
    seen = []
    search(max_evals=2, callbacks=[lambda *_: seen.append("a"), lambda *_: seen.append("b")])
    assert seen == ["a", "b", "a", "b"]


def test_any_object_with_hooks_will_do():
    """No base class is needed, and missing hooks are not called."""

    class OnlyEnd:
        ended = 0

        def on_end(self, trials):
            self.ended += 1

    callback = OnlyEnd()
    search(callbacks=(callback,))
    assert callback.ended == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_on_end_is_called_when_the_run_ends_badly(error):
    """So that files can be closed; the trials are settled by then."""
    diary = Diary()

    def fn(config):
        raise error

    with pytest.raises(error):
        search(fn, 3, diary)
    assert diary.entries[-1] == ("end", 0)


def test_values_are_in_the_direction_asked_for():
    """Reports, and `value_of`; a trial without a usable loss has NaN."""
    seen = []

    class Values(Callback):
        def on_reported(self, trials, trial, step, value):
            seen.append(value)

        def on_finished(self, trials, trial):
            seen.append(self.value_of(trials, trial))

    def fn(config, ctrl):
        ctrl.report(3.0)
        return 5.0 if ctrl.current_trial["tid"] == 0 else {"status": "fail"}

    search(fn, 2, Values(), direction="maximize")
    assert seen[:3] == [3.0, 5.0, 3.0]
    assert np.isnan(seen[3])


def test_a_repeated_report_is_not_announced():
    """The first report of a step counts."""
    diary = Diary()

    def fn(config, ctrl):
        ctrl.report(1.0, 0)
        ctrl.report(2.0, 0)
        return 0.0

    search(fn, 1, diary)
    assert [entry for entry in diary.entries if entry[0] == "reported"] == [("reported", 0, 0, 1.0)]


# ---------------------------------------------------------------- what the answer does


@pytest.mark.parametrize("yes", [True, np.True_])
def test_true_ends_the_run(yes):
    """After the trial that it was said of."""
    best = search(max_evals=50, callbacks=lambda trials, trial: yes if len(trials) == 3 else None)
    assert len(best.trials) == 3


def test_other_answers_mean_nothing():
    """A callback that ends with a list, a number or a tuple was not asked."""
    assert len(search(callbacks=lambda trials, trial: [1]).trials) == 5
    assert len(search(callbacks=lambda trials, trial: 1).trials) == 5


def test_what_is_queued_when_the_run_ends_is_cancelled():
    """Three points, and the end after the first."""
    trials = Trials()
    points = [{"x": k / 4} for k in range(3)]
    search(x_of, 9, lambda *_: True, trials=trials, points_to_evaluate=points)
    states = [doc["state"] for doc in trials._dynamic_trials]
    assert states == [JOB_STATE_DONE, JOB_STATE_CANCEL, JOB_STATE_CANCEL]


def test_ending_before_anything_is_evaluated():
    """True from on_start."""

    class Never(Callback):
        def on_start(self, trials):
            return True

    trials = Trials()
    search(pytest.fail, 5, Never(), trials=trials, return_argmin=False)
    assert len(trials._dynamic_trials) == 0


def test_an_objective_can_end_the_run():
    """ctrl.stop(): this trial still counts."""

    def fn(config, ctrl):
        if ctrl.current_trial["tid"] == 3:
            ctrl.stop()
        return config["x"]

    assert len(search(fn, 50).trials) == 4


def test_a_second_run_starts_anew():
    """Having been asked to stop does not outlive the run."""
    trials = Trials()
    for total in (1, 2):
        search(max_evals=9, callbacks=lambda *_: True, trials=trials)
        assert len(trials) == total


# ---------------------------------------------------------------- callbacks that fail


def failing_at(tid, hook="on_finished"):
    class Failing(Callback):
        pass

    def call(self, trials, *about):
        if not about or about[0]["tid"] == tid:
            raise ZeroDivisionError("by zero")

    setattr(Failing, hook, call)
    return Failing()


@pytest.mark.parametrize("hook", ["on_suggested", "on_reported", "on_finished", "on_new_best"])
def test_a_failing_callback_ends_the_run_and_is_named(hook, tmp_path):
    """The error has the callback, the hook, the trial and the cause; the trial's result is in the store."""

    def fn(config, ctrl):
        ctrl.report(1.0)
        return -ctrl.current_trial["tid"]

    trials = Trials()
    with pytest.raises(
        CallbackError, match=f"Failing, {hook} of trial 2: ZeroDivisionError: by zero"
    ) as caught:
        search(fn, 9, failing_at(2, hook), trials=trials, trials_save_file=str(tmp_path / "file"))
    error = caught.value
    assert (error.hook, error.tid, type(error.error)) == (hook, 2, ZeroDivisionError)
    assert error.__cause__ is error.error
    done = 2 if hook == "on_suggested" else 3
    assert trials.losses()[:done] == [0.0, -1.0, -2.0][:done]
    assert Trials.load(tmp_path / "file").losses() == trials.losses()
    assert len(search(fn, 9, trials=trials).trials) == 9  # and the search can go on


@pytest.mark.parametrize("hook", ["on_start", "on_end"])
def test_hooks_without_a_trial_may_fail_as_well(hook):
    """The message names none."""
    with pytest.raises(CallbackError, match=f"{hook}: ZeroDivisionError"):
        search(callbacks=failing_at(None, hook))


def test_the_other_callbacks_are_called_all_the_same():
    """A broken logger does not silence the others; a second failure is logged."""
    diary = Diary()
    with pytest.raises(CallbackError, match="trial 0"):
        search(callbacks=[failing_at(0), diary, failing_at(0, "on_end")])
    assert diary.entries[-2:] == [("best", 0), ("end", 1)]


def test_a_failure_does_not_hide_the_objectives_own(caplog):
    """on_end fails after the objective has: what the objective raised is what the user sees."""

    def fn(config):
        raise ValueError("of the objective")

    with (
        caplog.at_level(logging.ERROR, logger="hpspace"),
        pytest.raises(ValueError, match="of the objective"),
    ):
        search(fn, 3, failing_at(None, "on_end"))
    assert "on_end: ZeroDivisionError" in caplog.text


def test_an_objective_cannot_swallow_a_callbacks_failure():
    """It is raised by the run, not inside of ctrl.report."""

    def fn(config, ctrl):
        try:
            ctrl.report(1.0)
        except Exception:
            pytest.fail("raised in the objective")
        return 0.0

    with pytest.raises(CallbackError, match="on_reported"):
        search(fn, 3, failing_at(0, "on_reported"))


# ---------------------------------------------------------------- arguments


def test_what_can_be_called_and_has_hooks_is_both():
    """As a counter that is called after each trial and has something to do at the end."""

    class Counter:
        calls = ended = 0

        def __call__(self, trials, trial):
            self.calls += 1

        def on_end(self, trials):
            self.ended += 1

    callback = Counter()
    search(callbacks=callback, max_evals=4)
    assert (callback.calls, callback.ended) == (4, 1)


class Close:
    def on_finish(self, trials, trial):
        pass


class Short(Callback):
    def on_reported(self, trials, trial, value):
        pass


class Misspelt(Callback):
    def on_finish(self, trials, trial):
        pass


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, "callbacks=3: pass a list of functions"),
        ([3], r"callbacks\[0\]=3: pass a function"),
        ("print", "callbacks='print'"),
        (Diary, r"is a class; pass an object of it: Diary\(\.\.\.\)"),
        (lambda trials: None, r"is called with \(trials, trial\)"),
        ([Short()], r"Short.on_reported is called with \(trials, trial, step, value\)"),
        (Close(), r"Close.on_finish: did you mean on_finished\?"),
        ([Misspelt()], r"Misspelt.on_finish: did you mean on_finished\?"),
        (no_progress_loss(3), "pass it as early_stop_fn=, or hpspace.stop.no_improvement"),
    ],
)
def test_what_is_no_callback_is_refused_first(wrong, message):
    """Named, before anything is evaluated."""
    with pytest.raises(TypeError, match=message):
        search(pytest.fail, callbacks=wrong)


# ---------------------------------------------------------------- with several at a time


def test_callbacks_see_parallel_trials_in_the_order_in_which_they_end():
    """All hooks, in the driver's thread."""
    import threading

    diary = Diary()
    threads = set()

    def fn(config, ctrl):
        ctrl.report(config["x"], 1)
        return config["x"]

    def where(trials, trial):
        threads.add(threading.current_thread())

    search(fn, 12, [diary, where], executor=ThreadExecutor(3))
    kinds = [entry[0] for entry in diary.entries]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert [kinds.count(kind) for kind in ("suggested", "reported", "finished")] == [12, 12, 12]
    for tid in range(12):
        ours = [
            entry[0]
            for entry in diary.entries
            if entry[1:2] == (tid,) and entry[0] not in ("best", "end", "start")
        ]
        assert ours == ["suggested", "reported", "finished"]
    assert threads == {threading.main_thread()}
