"""hpspace driven exactly as three third-party libraries drive Hyperopt, written anew from what they touch.

Each test class is a small stand-in for the library's adapter: Ray Tune's searcher (ask and tell with documents edited
in place), hyperopt-sklearn (graphs taken apart and extended), hyperas (trials edited, then compared).
"""

from __future__ import annotations

import copy
import inspect
import pickle
from functools import partial

import numpy as np
import pytest

import hpspace as hpo
from hpspace import pyll
from hpspace.fmin import generate_trials_to_calculate
from hpspace.pyll import scope

# ---------------------------------------------------------------- Ray Tune's searcher


class Searcher:
    """Ask and tell over Domain, Trials and a suggest function.

    ::

        suggest(id) ─► new_trial_ids ─► algo ─► insert_trial_docs ─► spec_from_misc ─► rec_eval ─► config
        report(id)  ─► the very document: result, state, times ─► refresh
    """

    def __init__(self, space, points=None, n_initial_points=20, random_state=0, gamma=0.25):
        self.algo = partial(partial(hpo.tpe.suggest, n_startup_jobs=n_initial_points), gamma=gamma)
        self.domain = hpo.Domain(lambda spec: spec, space)
        self.trials = hpo.Trials()
        self.points = len(points or [])
        if points:
            self.trials = generate_trials_to_calculate(points)
            self.trials.refresh()
        self.live = {}
        self.rstate = np.random.RandomState(random_state)

    def suggest(self, trial_id):
        if self.points > 0:
            using = len(self.trials.trials) - self.points
            self.points -= 1
            doc = self.trials.trials[using]
        else:
            new_ids = self.trials.new_trial_ids(1)
            self.trials.refresh()
            docs = self.algo(new_ids, self.domain, self.trials, self.rstate.randint(2**31 - 1))
            self.trials.insert_trial_docs(docs)
            self.trials.refresh()
            doc = docs[0]
        self.live[trial_id] = (doc["tid"], doc)
        config = hpo.base.spec_from_misc(doc["misc"])
        ctrl = hpo.base.Ctrl(self.trials, current_trial=doc)
        memo = self.domain.memo_from_config(config)
        hpo.utils.use_obj_for_literal_in_memo(self.domain.expr, ctrl, hpo.base.Ctrl, memo)
        try:
            return hpo.pyll.rec_eval(
                self.domain.expr, memo=memo, print_node_on_error=self.domain.rec_eval_print_node_on_error
            )
        except (AssertionError, TypeError) as error:
            if any("GarbageCollected" in str(arg) for arg in error.args):
                raise ValueError("points must give all active parameters") from error
            raise

    def start(self, trial_id):
        doc = self._stored(trial_id)
        now = hpo.utils.coarse_utcnow()
        doc["book_time"] = now
        doc["refresh_time"] = now

    def report(self, trial_id, loss=None, error=False):
        doc = self._stored(trial_id)
        doc["refresh_time"] = hpo.utils.coarse_utcnow()
        if error:
            doc["state"] = hpo.base.JOB_STATE_ERROR
            doc["misc"]["error"] = ("TuneError", "Tune Error")
        else:
            doc["state"] = hpo.base.JOB_STATE_DONE
            doc["result"] = {"loss": loss, "status": "ok"}
        self.trials.refresh()
        del self.live[trial_id]

    def _stored(self, trial_id):
        tid = self.live[trial_id][0]
        return next(doc for doc in self.trials.trials if doc["tid"] == tid)

    def save(self):
        return pickle.dumps({"trials": self.trials, "rstate": self.rstate.get_state(), "live": self.live})

    def restore(self, data):
        state = pickle.loads(data)
        self.trials, self.live = state["trials"], state["live"]
        self.rstate.set_state(state["rstate"])


def tune_space():
    return {
        "lr": hpo.hp.loguniform("lr", -10, 0),
        "net": hpo.hp.choice(
            "net", [{"kind": "cnn"}, {"kind": "mlp", "units": hpo.hp.quniform("units", 16, 128, 16)}]
        ),
    }


def tune_loss(config):
    return (np.log(config["lr"]) + 5) ** 2 + (config["net"]["kind"] == "cnn") * 5


def ask_and_tell(searcher, n, in_flight):
    """Run n trials with some always waiting for their result; return the losses in order of reporting."""
    waiting, losses = [], []
    for step in range(n):
        name = f"trial-{step}"
        waiting.append((name, searcher.suggest(name)))
        searcher.start(name)
        if len(waiting) == in_flight:
            done, config = waiting.pop(0)
            losses.append(tune_loss(config))
            searcher.report(done, losses[-1])
    return losses


def test_ray_a_whole_search():
    """Four trials in flight, edits in place, tpe after the start: late losses are far below random ones (10.8)."""
    late = []
    for seed in range(3):
        searcher = Searcher(tune_space(), n_initial_points=10, random_state=seed)
        losses = ask_and_tell(searcher, 80, in_flight=4)
        late.append(np.mean(losses[-20:]))
        assert searcher.trials.best_trial["result"]["loss"] == min(losses)
    assert np.mean(late) < 7


def test_ray_sees_edits_at_refresh():
    """The document returned by the algorithm, the one in trials, and the history are one and the same."""
    searcher = Searcher(tune_space())
    searcher.suggest("a")
    doc = searcher.live["a"][1]
    assert doc is searcher.trials.trials[0]
    assert searcher.trials.history(searcher.domain.space).pending.tolist() == [True]
    searcher.report("a", 0.5)
    assert searcher.trials.history(searcher.domain.space).losses.tolist() == [0.5]


def test_ray_errors_leave_the_visible_trials():
    """State ERROR set from outside."""
    searcher = Searcher(tune_space())
    searcher.suggest("a")
    searcher.report("a", error=True)
    assert len(searcher.trials.trials) == 0
    assert searcher.trials.history(searcher.domain.space).failed.tolist() == [True]


def test_ray_points_first():
    """Whole points in order; then the algorithm."""
    points = [{"lr": 0.5, "net": 0}, {"lr": 0.25, "net": 1, "units": 32}]
    searcher = Searcher(tune_space(), points)
    assert searcher.suggest("a") == {"lr": 0.5, "net": {"kind": "cnn"}}
    assert searcher.suggest("b") == {"lr": 0.25, "net": {"kind": "mlp", "units": 32}}
    assert set(searcher.suggest("c")) == {"lr", "net"}


def test_ray_incomplete_points_are_recognised():
    """By the word GarbageCollected in a TypeError."""
    with pytest.raises(ValueError, match="all active parameters"):
        Searcher(tune_space(), [{"lr": 0.5}]).suggest("a")


def test_ray_checkpoint_and_restore():
    """A restored searcher goes on exactly as the original would have."""
    first = Searcher(tune_space(), n_initial_points=5)
    for step in range(10):
        first.report(f"t{step}", tune_loss(first.suggest(f"t{step}"))) if step else (
            first.suggest("t0"),
            first.report("t0", 1.0),
        )
    second = Searcher(tune_space(), n_initial_points=5)
    second.restore(first.save())
    assert [second.suggest(f"n{i}") for i in range(3)] == [first.suggest(f"n{i}") for i in range(3)]


def test_ray_finite_space_with_more_samples_than_configurations():
    """The adapter takes the first document without looking: there is always one."""
    searcher = Searcher({"c": hpo.hp.choice("c", [1, 2])}, n_initial_points=1)
    for step in range(6):
        name = f"t{step}"
        searcher.suggest(name)
        searcher.report(name, float(step))
    assert len(searcher.trials) == 6


def test_ray_walks_the_graph():
    """To resolve choices it reads names, positions and literals of nodes."""
    node = hpo.hp.choice("net", ["cnn", "mlp"])
    assert isinstance(node, hpo.base.pyll.Apply)
    assert node.name == "switch"
    assert [a.obj for a in node.pos_args[1:] if a.name == "literal"] == ["cnn", "mlp"]


# ---------------------------------------------------------------- hyperopt-sklearn


@scope.define
def _integration_make_model(kind, depth=None, seed=0):
    return (kind, depth, seed)


class Estimator:
    """Spaces made of graph calls, extended after they were built; fmin called again and again for one more trial."""

    def __init__(self, model, preprocessing):
        self.space = pyll.as_apply(
            {"classifier": model, "preprocessing": preprocessing, "ex_preprocs": pyll.as_apply([])}
        )
        self.trials = hpo.Trials()
        self.seen = []

    def objective(self, config):
        self.seen.append(config)
        kind, depth, seed = config["classifier"]
        return {"loss": abs(depth - 5) + (kind == "b"), "status": hpo.STATUS_OK, "iterations": seed}

    def fit_iter(self):
        while True:
            hpo.fmin(
                self.objective,
                space=self.space,
                algo=hpo.rand.suggest,
                trials=self.trials,
                max_evals=len(self.trials.trials) + 1,
                rstate=np.random.default_rng(0),
                return_argmin=False,
                verbose=False,
            )
            yield self.trials.trials[-1]


def sklearn_space():
    return scope._integration_make_model(
        kind=hpo.hp.choice("kind", ["a", "b"]), depth=scope.int(hpo.hp.uniform("depth", 1, 9.9))
    )


def test_sklearn_one_more_trial_at_a_time():
    """Each call adds one trial, with new points although each passes the same seed."""
    estimator = Estimator(sklearn_space(), hpo.hp.choice("prep", [[], [scope.identity("pca")]]))
    steps = estimator.fit_iter()
    docs = [next(steps) for _ in range(12)]
    assert [doc["tid"] for doc in docs] == list(range(12))
    assert len(set(estimator.trials.vals["depth"])) == 12
    assert {config["preprocessing"] for config in estimator.seen} <= {(), ("pca",)}


def test_sklearn_extends_named_args_in_place():
    """`named_args` is a live list of [name, node] pairs that evaluation honours."""
    model = sklearn_space()
    assert isinstance(model, pyll.Apply)
    assert set(dict(model.named_args)) == {"kind", "depth"}
    model.named_args.append(["seed", pyll.as_apply(7)])
    assert all(isinstance(pair, list) and len(pair) == 2 for pair in model.named_args)
    estimator = Estimator(model, pyll.as_apply([]))
    assert next(estimator.fit_iter())["result"]["iterations"] == 7


def test_sklearn_indexes_and_evaluates_nodes():
    """space['key'] is a node; eval() gives values; arguments can be changed one by one."""
    space = pyll.as_apply({"a": 1, "b": pyll.as_apply([1, 2])})
    assert isinstance(space["b"], pyll.Apply)
    assert space["a"].eval() == 1
    assert dict(space.named_args)["a"].eval() == 1
    copied = copy.deepcopy(space)
    assert copied is not space
    assert copied.eval() == space.eval()


def test_sklearn_looks_for_rstate_in_the_signature():
    """To tell old Hyperopt from new."""
    assert "rstate" in inspect.getfullargspec(hpo.fmin).args


def test_sklearn_reads_the_best_result():
    """argmin, losses and the result's own keys."""
    estimator = Estimator(sklearn_space(), pyll.as_apply([]))
    steps = estimator.fit_iter()
    for _ in range(15):
        next(steps)
    best = int(np.argmin(estimator.trials.losses()))
    assert estimator.trials.best_trial["tid"] == best
    config = hpo.space_eval(estimator.space, estimator.trials.argmin)
    assert config["classifier"][:2] == estimator.seen[best]["classifier"][:2]


# ---------------------------------------------------------------- hyperas


def base_minimizer(objective, space, max_evals, trials, rseed=1337):
    """Try an old keyword first, then a RandomState, as hyperas does."""
    try:
        return hpo.fmin(
            objective, space=space, algo=hpo.tpe.suggest, max_evals=max_evals, trials=trials, rseed=rseed
        )
    except TypeError:
        return hpo.fmin(
            objective,
            space=space,
            algo=hpo.tpe.suggest,
            max_evals=max_evals,
            trials=trials,
            rstate=np.random.RandomState(rseed),
            return_argmin=True,
            verbose=False,
        )


def test_hyperas_finds_the_model_of_the_best_trial():
    """It unpacks `vals` in place, compares them with the returned dict, and takes the model from the result."""
    models = []

    def objective(space):
        models.append(object())
        loss = (space["Dropout"] - 0.3) ** 2 + len(space["units"]) * 0.0
        return {"loss": loss, "status": hpo.STATUS_OK, "model": models[-1]}

    space = {
        "Dropout": hpo.hp.uniform("Dropout", 0, 1),
        "units": hpo.hp.choice("units", ["small", "large"]),
        "layer": hpo.hp.choice("layer", [{"n": 1}, {"n": 2, "act": hpo.hp.choice("act", ["relu", "tanh"])}]),
    }
    trials = hpo.Trials()
    best_run = base_minimizer(objective, space, 30, trials)
    best_model = None
    for trial in trials:
        vals = trial.get("misc").get("vals")
        for key in list(vals):
            if vals[key] == []:
                del vals[key]
            else:
                vals[key] = vals[key][0]
        if trial.get("misc").get("vals") == best_run and "model" in trial.get("result"):
            best_model = trial.get("result").get("model")
    assert best_model is models[int(np.argmin(trials.losses()))]


def test_hyperas_seed_repeats():
    """The revived RandomState: two runs, one result."""
    space = {"x": hpo.hp.uniform("x", 0, 1)}
    first, second = (base_minimizer(lambda s: s["x"], space, 25, hpo.Trials()) for _ in range(2))
    assert first == second
