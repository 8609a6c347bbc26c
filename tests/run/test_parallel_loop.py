"""Several trials at a time: what the loop does with events, whatever their order, and with an end at any moment.

Most tests use an executor that a test directs: it evaluates nothing by itself, and each `wait` does what the script
says. Real threads are used where the point is that they are real; child processes have tests of their own.
"""

from __future__ import annotations

import sys
import threading
from collections import deque

import numpy as np
import pytest

import hpspace
from hpspace import Callback, Trials, fmin, hp, rand
from hpspace.exceptions import AllTrialsFailed, ExecutorError, ObjectiveError, UnpicklableObjective
from hpspace.run.bridge import history_of
from hpspace.run.executors.base import Called, Died, Finished, Raised, TimedOut
from hpspace.run.executors.evaluation import evaluated
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
)

SPACE = {"x": hp.uniform("x", 0, 1), "c": hp.choice("c", [0, {"y": hp.normal("y", 0, 1)}])}


def x_of(config):
    return config["x"]


class NoCtrl:
    """For objectives that do not use theirs."""

    def __init__(self, tid):
        self.current_trial = {"tid": tid, "misc": {}}


class Scripted:
    """An executor that does what a test says.

    `wait` calls ``script(self)`` for its events; by default the job that waits longest is evaluated. Where the loop
    only looks (a timeout of 0) nothing has happened yet, unless the executor is `eager`.
    """

    def __init__(self, capacity=2, script=None, can_kill=True, interactive=True, eager=False):
        self.capacity, self.can_kill, self.interactive = capacity, can_kill, interactive
        self.script, self.eager = script or Scripted.finish_oldest, eager
        self.jobs = {}
        self.log = []

    def start(self, domain):
        self.domain = domain
        self.log.append("start")

    def submit(self, job):
        assert job.tid not in self.jobs
        assert len(self.jobs) < self.capacity
        self.jobs[job.tid] = job
        self.log.append(("submit", job.tid))

    def wait(self, timeout=None):
        events = self.script(self) if timeout != 0 or self.eager else []
        for event in events:
            if not isinstance(event, Called):
                self.jobs.pop(event.tid, None)
        return events

    def cancel(self, tid):
        self.log.append(("cancel", tid))
        return self.can_kill and self.jobs.pop(tid, None) is not None

    def close(self, kill=False):
        self.jobs.clear()
        self.log.append(("close", kill))

    # -- what scripts are made of

    def finished(self, tid):
        return evaluated(self.domain, self.jobs[tid], NoCtrl(tid))

    def finish_oldest(self):
        return [self.finished(min(self.jobs))] if self.jobs else []

    def finish_newest(self):
        return [self.finished(max(self.jobs))] if self.jobs else []

    def finish_all(self):
        return [self.finished(tid) for tid in list(self.jobs)]


def search(executor, fn=x_of, max_evals=9, trials=None, algo="rand", space=SPACE, **kwargs):
    return fmin(
        fn,
        space,
        algo,
        max_evals,
        trials=trials,
        executor=executor,
        **{"rstate": 0, "verbose": False, **kwargs},
    )


def states(trials):
    return [doc["state"] for doc in trials._dynamic_trials]


# ---------------------------------------------------------------- keeping everybody busy


def test_places_are_kept_full_and_one_trial_is_proposed_ahead():
    """Whenever the loop waits: three under way and the next one waiting already, until there is no more to propose."""
    trials, seen = Trials(), []

    def script(executor):
        seen.append((len(executor.jobs), trials.count_by_state_unsynced(JOB_STATE_NEW)))
        return executor.finish_oldest()

    search(Scripted(3, script), trials=trials, max_evals=8)
    assert seen == [(3, 1)] * 5 + [(3, 0), (2, 0), (1, 0)]
    assert states(trials) == [JOB_STATE_DONE] * 8


def test_results_are_taken_while_places_are_filled():
    """The loop looks between two proposals: cheap objectives do not wait for the algorithm."""
    timeouts = []

    class Noting(Scripted):
        def wait(self, timeout=None):
            timeouts.append(timeout)
            return super().wait(timeout)

    assert len(search(Noting(4, eager=True), max_evals=10).trials) == 10
    assert timeouts[:9] == [0.0] * 9


def test_the_algorithm_knows_what_is_under_way():
    """Pending rows of the history: those under way, and what waits."""
    pending = []

    def algo(new_ids, domain, trials, seed):
        pending.append(int(np.count_nonzero(history_of(trials, domain.space).pending)))
        return rand.suggest(new_ids, domain, trials, seed)

    search(Scripted(3), algo=algo, max_evals=8)
    assert pending == [0, 1, 2, 3, 3, 3, 3, 3]


def test_one_place_is_the_serial_run():
    """Nothing is proposed ahead, so the proposals are the same, in portions too."""
    for queue in (1, 4):
        alone = search(Scripted(1), algo="tpe", max_evals=30, max_queue_len=queue).trials
        serial = search(None, algo="tpe", max_evals=30, max_queue_len=queue).trials
        assert alone.vals == serial.vals
        assert alone.losses() == serial.losses()


@pytest.mark.parametrize("order", [Scripted.finish_oldest, Scripted.finish_newest, Scripted.finish_all])
def test_whatever_the_order_each_result_reaches_its_trial(order):
    """By its id."""
    best = search(Scripted(4, order), max_evals=20)
    assert best.trials.losses() == best.trials.vals["x"]
    assert best.loss == min(best.trials.vals["x"])


def test_random_search_draws_the_same_points_with_any_number_of_jobs():
    """A seed belongs to a trial's id, so points do not depend on the order in which trials end."""
    runs = [search(Scripted(n, Scripted.finish_newest), max_evals=15).trials.vals for n in (1, 3, 7)]
    assert runs[0] == runs[1] == runs[2] == search(None, max_evals=15).trials.vals


def test_points_come_first_and_longer_queues_wait():
    """points_to_evaluate, then the algorithm in portions of max_queue_len."""
    asked = []

    def algo(new_ids, domain, trials, seed):
        asked.append(len(new_ids))
        return rand.suggest(new_ids, domain, trials, seed)

    trials = search(
        Scripted(2), algo=algo, max_evals=7, max_queue_len=3, points_to_evaluate=[{"x": 0.5, "c": 0}]
    ).trials
    assert trials.vals["x"][0] == 0.5
    assert asked == [3, 3, 1]
    assert len(trials) == 8


@pytest.mark.parametrize("order", [Scripted.finish_oldest, Scripted.finish_newest])
def test_a_finite_space_ends_when_all_is_evaluated(order):
    """An algorithm that has nothing to give while trials are pending is asked again when they have ended."""
    space = hp.choice("c", list(range(7)))
    trials = search(Scripted(3, order), float, 100, space=space, algo="tpe").trials
    assert sorted(trials.vals["c"]) == list(range(7))


def test_a_planner_that_waits_for_results_is_not_taken_for_finished():
    """It gives two trials, then nothing before both have ended, and so on."""

    def by_twos(new_ids, domain, trials, seed):
        waiting = trials.count_by_state_unsynced([JOB_STATE_NEW, JOB_STATE_RUNNING])
        blocked = waiting and len(trials._dynamic_trials) % 2 == 0
        return [] if blocked else rand.suggest(new_ids, domain, trials, seed)

    assert len(search(Scripted(3), algo=by_twos, max_evals=8).trials) == 8


def test_jobs_carry_what_the_trial_is():
    """Point, a copy of misc, the timeout, and attachments for executors that cannot ask."""
    jobs = []

    class Noting(Scripted):
        def submit(self, job):
            jobs.append(job)
            super().submit(job)

    trials = search(Noting(2, interactive=False), max_evals=2, trial_timeout=7.5).trials
    for job, doc in zip(jobs, trials._dynamic_trials):
        assert job.tid == doc["tid"]
        assert job.config == {label: values[0] for label, values in doc["misc"]["vals"].items() if values}
        assert job.misc == doc["misc"] and job.misc is not doc["misc"]
        assert job.timeout == 7.5
        assert dict(job.attachments) == {}


# ---------------------------------------------------------------- ways to end


def test_a_death_costs_one_trial():
    """Recorded with the cause; never the run, whatever is caught."""

    def script(executor):
        dying = [Died(tid, -9, "killed by signal 9 (SIGKILL)") for tid in executor.jobs if tid == 3]
        return dying or executor.finish_oldest()

    trials = search(Scripted(2, script)).trials
    assert states(trials) == [2, 2, 2, JOB_STATE_ERROR, 2, 2, 2, 2, 2]
    assert trials.by_tid(3)["misc"]["error"] == ("ProcessDied", "killed by signal 9 (SIGKILL)")


def test_a_run_in_which_everything_dies_is_given_up():
    """The first ten: it would be so for ever; the reason is said."""
    trials = Trials()
    executor = Scripted(2, lambda e: [Died(tid, 1, "no GPU") for tid in list(e.jobs)])
    with pytest.raises(AllTrialsFailed, match=r"each of the first 10 trials of this run ended.*no GPU"):
        search(executor, max_evals=1000, trials=trials)
    assert states(trials).count(JOB_STATE_ERROR) == 10


def test_a_few_deaths_at_the_start_are_not_hopeless():
    """Nine, and then a result: the run goes on, more deaths included."""

    def script(executor):
        tid = min(executor.jobs)
        return executor.finish_oldest() if tid == 9 else [Died(tid, 1, "x")]

    assert states(search(Scripted(1, script), max_evals=25).trials).count(JOB_STATE_ERROR) == 24


def test_too_long_is_an_error_of_its_trial():
    """Bad news for the model, as any error."""

    def script(executor):
        return [TimedOut(tid, 3.0) for tid in executor.jobs if tid % 2] or executor.finish_oldest()

    trials = search(Scripted(2, script)).trials
    errors = {doc["misc"]["error"] for doc in trials._dynamic_trials if doc["state"] == JOB_STATE_ERROR}
    assert errors == {("TrialTimeout", "no result after 3.0 s")}
    assert states(trials)[1::2] == [JOB_STATE_ERROR] * 4
    trials.refresh()
    assert int(history_of(trials, trials.space).failed.sum()) == 4


def flaky(config):
    if config["x"] > 0.6:
        raise ValueError("too big")
    return config["x"]


def test_exceptions_are_caught_or_end_the_run():
    """As in a serial run; what was under way is evaluated again when the search goes on."""
    caught = search(Scripted(3), flaky, 12, catch=ValueError).trials
    assert 0 < states(caught).count(JOB_STATE_ERROR) == 12 - len(caught)

    trials, executor = Trials(), Scripted(3, Scripted.finish_newest)
    with pytest.raises(ValueError, match="too big"):
        search(executor, flaky, 12, trials)
    assert executor.log[-1] == ("close", True)
    assert JOB_STATE_RUNNING not in states(trials)
    assert JOB_STATE_CANCEL in states(trials)
    search(None, x_of, 12, trials)
    assert JOB_STATE_CANCEL not in states(trials)


def test_results_that_came_with_an_exception_are_kept():
    """One look brings an exception and two results: all are stored before the run ends."""

    def script(executor):
        if len(executor.jobs) < 3:
            return []
        tid, *others = sorted(executor.jobs)
        error = Raised(tid, str(ValueError), "first", "Traceback ...", ValueError("first"))
        return [error, *(executor.finished(other) for other in others)]

    trials = Trials()
    with pytest.raises(ValueError, match="first"):
        search(Scripted(3, script), trials=trials)
    assert states(trials)[:3] == [JOB_STATE_ERROR, JOB_STATE_DONE, JOB_STATE_DONE]
    assert trials._dynamic_trials[0]["misc"]["traceback"] == "Traceback ..."


def test_an_exception_that_could_not_travel_is_raised_by_description():
    """And caught by its type's text."""

    def script(executor):
        tid = min(executor.jobs, default=None)
        if tid != 2:
            return executor.finish_oldest()
        kind = "<class 'somewhere.Odd'>"
        return [Raised(tid, kind, "odd", "", ObjectiveError(kind, "odd"))]

    with pytest.raises(ObjectiveError, match=r"somewhere\.Odd.*odd"):
        search(Scripted(2, script), catch=ValueError)
    assert len(search(Scripted(2, script), catch=Exception).trials) == 8


def test_pruned_trials_are_finished_trials():
    """With the reason, and with the last report."""

    def script(executor):
        if not executor.jobs:
            return []
        tid = min(executor.jobs)
        if tid != 1:
            return executor.finish_oldest()
        error = hpspace.TrialPruned("hopeless")
        replies = []
        report = Called(tid, "report", (0.75, 4), replies.append)
        return [report, Raised(tid, str(type(error)), "hopeless", "", error, pruned=True)]

    doc = search(Scripted(2, script)).trials.by_tid(1)
    assert doc["state"] == JOB_STATE_DONE
    assert doc["result"] == {"status": "pruned", "last_step": 4, "last_value": 0.75, "reason": "hopeless"}


def test_a_result_that_cannot_be_kept_is_an_error_of_its_trial():
    """The key "value" is taken when maximising; the exception can be caught."""

    def fn(config):
        return {"status": "ok", "loss": config["x"], "value": -1.0}

    with pytest.raises(ValueError, match="another name"):
        search(Scripted(2), fn, direction="maximize")
    with pytest.raises(AllTrialsFailed, match="another name"):
        search(Scripted(2), fn, direction="maximize", catch=ValueError)


def test_the_first_values_count_when_maximising():
    """The sign is changed on the way in."""
    best = search(Scripted(3), direction="maximize", max_evals=20)
    assert best.loss == max(best.trials.vals["x"])


# ---------------------------------------------------------------- questions of running objectives


def test_questions_are_answered_while_the_trial_runs():
    """Reports, attachments, checkpoints: on the real Ctrl, and the objective gets the answer."""
    answers = []

    def script(executor):
        tid = min(executor.jobs, default=None)
        if tid is None or tid in asked:
            return executor.finish_oldest()
        asked.add(tid)
        return [
            Called(tid, "report", (0.5, 1), answers.append),
            Called(tid, "attachments.set", ("note", b"kept"), answers.append),
            Called(tid, "attachments.get", ("note",), answers.append),
            Called(tid, "should_prune", (), answers.append),
            Called(tid, "report", ("text", 2), answers.append),
        ]

    asked = set()
    trials = search(Scripted(1, script), max_evals=1).trials
    assert answers[:4] == [None, None, b"kept", False]
    assert isinstance(answers[4], TypeError)  # raised in the objective
    assert trials.trials[0]["misc"]["reports"] == [[1, 0.5]]
    assert trials.trial_attachments(trials.trials[0])["note"] == b"kept"


def test_questions_of_trials_that_are_over_are_dropped():
    """An event may come late."""

    def script(executor):
        late = [Called(99, "report", (0.5, 1), pytest.fail), Finished(99, {"status": "ok", "loss": 0.0})]
        return [*late, *executor.finish_oldest()]

    assert len(search(Scripted(2, script)).trials) == 9


def test_an_objective_elsewhere_can_end_the_run():
    """ctrl.stop(): nothing new is begun; what is under way is waited for, what waits is cancelled."""

    def script(executor):
        tid = min(executor.jobs, default=None)
        if tid == 2 and not stopped:
            stopped.append(True)
            return [Called(2, "stop", (), lambda answer: None)]
        return executor.finish_oldest()

    stopped = []
    executor, trials = Scripted(3, script), Trials()
    search(executor, trials=trials, max_evals=50)
    submitted = [entry[1] for entry in executor.log if entry[0] == "submit"]
    assert states(trials)[: len(submitted)] == [JOB_STATE_DONE] * len(submitted)
    assert set(states(trials)[len(submitted) :]) <= {JOB_STATE_CANCEL}
    assert len(submitted) < 10


# ---------------------------------------------------------------- ends of the run


class Clock:
    """Stands in for the module `time` of the loop."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize("can_kill", [True, False])
def test_the_timeout_of_the_run_bounds_the_wait(monkeypatch, can_kill):
    """Trials that still run are stopped, or left alone by executors that cannot; they are cancelled either way."""
    clock = Clock()
    monkeypatch.setattr("hpspace.run.loop.time", clock)

    def script(executor):
        clock.now += 1
        return executor.finish_oldest() if clock.now < 105 else []

    executor, trials = Scripted(2, script, can_kill), Trials()
    search(executor, trials=trials, timeout=10, max_evals=100)
    assert clock.now < 115
    assert states(trials).count(JOB_STATE_CANCEL) == 3  # two under way, and one that waited
    assert JOB_STATE_RUNNING not in states(trials) and JOB_STATE_NEW not in states(trials)
    assert sum(entry[0] == "cancel" for entry in executor.log) == 2
    assert executor.log[-1] == ("close", not can_kill)


def test_a_limit_waits_for_what_is_under_way():
    """The threshold is passed by the first result; the two others are results too."""
    executor = Scripted(3, Scripted.finish_newest)
    trials = search(executor, trials=Trials(), max_evals=100, loss_threshold=2.0).trials
    submitted = sum(entry[0] == "submit" for entry in executor.log)
    assert states(trials).count(JOB_STATE_DONE) == submitted <= 4
    assert executor.log[-1] == ("close", False)


def test_an_interrupt_stops_the_children_and_loses_nothing():
    """Ctrl-C in a wait: what has ended by then is kept, the rest is evaluated again on resuming."""
    whole = search(None, max_evals=12).trials

    def script(executor):
        script.calls += 1
        if script.calls == 8:
            raise KeyboardInterrupt
        return executor.finish_oldest() if len(executor.jobs) == 3 else []

    script.calls = 0
    executor, trials = Scripted(3, script), Trials()
    with pytest.raises(KeyboardInterrupt):
        search(executor, trials=trials, max_evals=12)
    done = states(trials).count(JOB_STATE_DONE)
    assert executor.log[-1] == ("close", True)
    assert JOB_STATE_RUNNING not in states(trials)
    assert states(trials).count(JOB_STATE_CANCEL) >= 2
    search(Scripted(3), trials=trials, max_evals=12)
    assert states(trials) == [JOB_STATE_DONE] * 12
    assert (trials.vals, trials.losses()) == (whole.vals, whole.losses())
    assert 0 < done < 12


def test_results_that_are_there_when_the_run_is_interrupted_are_kept():
    """The loop looks once more before it closes."""

    def script(executor):
        script.calls += 1
        if script.calls == 5:
            raise KeyboardInterrupt
        return executor.finish_all() if script.calls > 5 else []

    script.calls = 0
    trials = Trials()
    with pytest.raises(KeyboardInterrupt):
        search(Scripted(2, script, eager=True), trials=trials)
    assert states(trials)[:2] == [JOB_STATE_DONE] * 2


class Remote(Scripted):
    """Evaluates without a line of hpspace in this process, as children do."""

    def finished(self, tid):
        return Finished(tid, {"loss": self.jobs[tid].config["x"], "status": "ok"})


class Interrupt:
    """Raises KeyboardInterrupt at the n-th line that runs in hpspace, as a signal handler does."""

    def __init__(self, after):
        self.left = after

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.trace)

    def __exit__(self, *_):
        sys.settrace(self.before)

    def trace(self, frame, event, arg):
        if not any(part in frame.f_code.co_filename for part in ("hpspace/run/", "hpspace/trials/")):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self.trace


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment(tmp_path):
    """No trial is stuck, no result is lost, and going on from the file gives the trials of the unbroken run."""
    whole = search(None, max_evals=8).trials
    hits = 0
    for moment in [*range(300, 4000, 149), *range(4001, 12000, 797)]:
        trials, path = Trials(), str(tmp_path / f"file{moment}")
        try:
            with Interrupt(moment):
                search(Remote(3, Scripted.finish_newest), trials=trials, max_evals=8, trials_save_file=path)
        except KeyboardInterrupt:
            hits += 1
        kept = {doc["tid"] for doc in trials._dynamic_trials if doc["state"] == JOB_STATE_DONE}
        search(Remote(3, Scripted.finish_newest), fn=x_of, trials=trials, max_evals=8)
        assert states(trials) == [JOB_STATE_DONE] * 8, moment
        assert kept <= set(trials.tids)
        again = search(Remote(3, Scripted.finish_newest), max_evals=8, trials_save_file=path).trials
        assert states(again) == [JOB_STATE_DONE] * 8, moment
        assert (again.vals, again.losses()) == (whole.vals, whole.losses()), moment
    assert hits > 15


@pytest.mark.parametrize("moment", ["start", "wait"])
def test_an_executor_that_breaks_ends_the_run_cleanly(moment):
    """Children that cannot be started, a connection that is lost: the error reaches the user, trials can be resumed."""

    class Broken(Scripted):
        def start(self, domain):
            if moment == "start":
                raise ExecutorError("no process can be started")

        def wait(self, timeout=None):
            raise ExecutorError("no process can be started")

    trials = Trials()
    with pytest.raises(ExecutorError, match="no process"):
        search(Broken(2), trials=trials)
    assert JOB_STATE_RUNNING not in states(trials)
    assert len(search(None, trials=trials).trials) == 9


def test_an_objective_that_cannot_travel_is_refused_before_anything_runs():
    """Neither a callback nor the algorithm is called."""

    class Refusing(Scripted):
        def start(self, domain):
            raise UnpicklableObjective("fn.__closure__['lock']", "cannot pickle '_thread.lock' object")

    class Started(Callback):
        def on_start(self, trials):
            pytest.fail("the run has begun")

    trials = Trials()
    with pytest.raises(UnpicklableObjective, match=r"fn.__closure__\['lock'\]"):
        search(Refusing(2), trials=trials, callbacks=Started(), algo=pytest.fail)
    assert states(trials) == []


def test_the_executor_is_closed_when_the_run_is_over():
    """Without killing; and a second run starts it again."""
    executor = Scripted(2)
    search(executor)
    search(executor)
    starts_and_ends = [entry for entry in executor.log if entry == "start" or entry[0] == "close"]
    assert starts_and_ends == ["start", ("close", False)] * 2


def test_a_callbacks_failure_stops_what_is_under_way():
    """It is put aside for the next run, the result that the callback was called about is kept."""

    def bad(trials, trial):
        raise ZeroDivisionError

    trials, executor = Trials(), Scripted(3, Scripted.finish_newest)
    with pytest.raises(hpspace.exceptions.CallbackError):
        search(executor, trials=trials, callbacks=bad)
    assert states(trials).count(JOB_STATE_DONE) == 1
    assert executor.log[-1] == ("close", True)
    assert len(search(None, trials=trials).trials) == 9


# ---------------------------------------------------------------- real threads


def test_threads_evaluate_at_the_same_time():
    """Two trials wait for each other: one after the other they never would."""
    barrier = threading.Barrier(2, timeout=20)
    trials = search(None, lambda c: barrier.wait() * 0 + c["x"], 10, n_jobs=2, backend="thread").trials
    assert trials.losses() == trials.vals["x"]


def test_an_objective_in_a_thread_has_a_ctrl():
    """Reports, attachments and module-level access."""

    def fn(config, ctrl):
        ctrl.report(config["x"], 1)
        hpspace.report(config["x"] / 2, 2)
        ctrl.attachments["x"] = config["x"]
        return config["x"]

    trials = search(None, fn, 8, n_jobs=3, backend="thread").trials
    for doc in trials:
        x = doc["result"]["loss"]
        assert doc["misc"]["reports"] == [[1, x], [2, x / 2]]
        assert trials.trial_attachments(doc)["x"] == x


THREADS = {"n_jobs": 2, "backend": "thread"}


@pytest.mark.parametrize(("outside", "inside"), [({}, {}), (THREADS, {}), (THREADS, THREADS)])
def test_a_search_inside_of_an_objective(outside, inside):
    """Serial in serial, serial in threads, threads in threads; each has the Ctrl of its own trial."""

    def nested(config):
        inner_space = {"z": hp.uniform("z", 0, 1)}
        inner = fmin(
            lambda c: c["z"] + config["x"], inner_space, "rand", 3, rstate=0, verbose=False, **inside
        )
        assert hpspace.current_ctrl().current_trial["misc"]["vals"]["x"] == [config["x"]]
        return inner.loss

    best = search(None, nested, 4, **outside)
    assert len(best.trials) == 4
    assert 0 <= best.loss - best["x"] <= 1


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"n_jobs": 0}, ValueError, "n_jobs=0"),
        ({"n_jobs": 2.5}, TypeError, "n_jobs=2.5"),
        ({"backend": "fork"}, ValueError, "backend='fork'"),
        ({"trial_timeout": 0}, ValueError, "trial_timeout=0"),
        (
            {"trial_timeout": 3.0, "n_jobs": 2, "backend": "thread"},
            ValueError,
            "trial_timeout=3.0.*cannot stop",
        ),
        ({"trial_timeout": 3.0, "backend": "thread"}, ValueError, "trial_timeout=3.0.*cannot stop"),
        ({"executor": Scripted}, TypeError, "is a class"),
    ],
)
def test_where_to_evaluate_is_checked_first(arguments, kind, message):
    """Before anything runs."""
    with pytest.raises(kind, match=message):
        fmin(pytest.fail, SPACE, "rand", 3, verbose=False, **arguments)


def test_workers_have_their_own_settings():
    """Asynchronous trials are not evaluated here, so n_jobs cannot be meant."""

    class Workers(Trials):
        asynchronous = True

    with pytest.raises(
        ValueError, match=r"n_jobs=3, trial_timeout=2.0: these Workers are evaluated by workers"
    ):
        fmin(pytest.fail, SPACE, "rand", 3, trials=Workers(), n_jobs=3, trial_timeout=2.0)


def test_the_loop_can_be_driven_by_hand():
    """FMinIter with an executor: iterating keeps it open, close lets it go."""
    from hpspace import Domain, FMinIter

    executor = Scripted(2)
    loop = FMinIter("rand", Domain(x_of, SPACE), Trials(), rstate=0, max_evals=4, executor=executor)
    assert [len(trials) for trials in loop] == [1, 2, 3]
    assert executor.log.count("start") == 1
    loop.close()
    assert executor.log[-1] == ("close", False)
    assert not deque(executor.jobs)
