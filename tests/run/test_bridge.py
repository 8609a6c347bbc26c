"""From Hyperopt's suggest signature to an algorithm's propose, and back to documents."""

from __future__ import annotations

import functools
import inspect
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from hpspace import Domain, Trials, anneal, compile_space, hp, mix, rand, tpe
from hpspace.run import bridge
from hpspace.suggest.random import Random
from hpspace.suggest.tpe.algorithm import TPE
from hpspace.trials.document import JOB_STATE_DONE, JOB_STATE_NEW

SPACE = {"x": hp.uniform("x", 0, 1), "c": hp.choice("c", ["a", {"y": hp.normal("y", 0, 1)}])}
DOORS = [
    rand.suggest,
    tpe.suggest,
    anneal.suggest,
    functools.partial(mix.suggest, p_suggest=[(1.0, rand.suggest)]),
]


@pytest.fixture
def domain():
    return Domain(lambda config: 0.0, SPACE)


def filled(domain, n=30):
    """Trials with n finished random points."""
    trials = Trials()
    docs = rand.suggest(trials.new_trial_ids(n), domain, trials, 1)
    for doc in docs:
        doc.update(state=JOB_STATE_DONE, result={"status": "ok", "loss": doc["misc"]["vals"]["x"][0]})
    trials.insert_trial_docs(docs)
    trials.refresh()
    return trials


@pytest.mark.parametrize("suggest", DOORS)
@pytest.mark.parametrize("history", [0, 30])
def test_documents_of_new_trials(suggest, history, domain):
    """One for each id, in state NEW, not inserted, with every label recorded."""
    trials = filled(domain, history) if history else Trials()
    docs = suggest([100, 101, 102], domain, trials, 5)
    assert [doc["tid"] for doc in docs] == [100, 101, 102]
    assert {doc["state"] for doc in docs} == {JOB_STATE_NEW}
    assert len(trials) == history
    for doc in docs:
        assert set(doc["misc"]["vals"]) == set(domain.space.labels)
        assert doc["misc"]["idxs"]["x"] == [doc["tid"]]
        assert bool(doc["misc"]["vals"]["y"]) == (doc["misc"]["vals"]["c"] == [1])


@pytest.mark.parametrize("suggest", DOORS)
def test_ids_do_not_influence_the_draw(suggest, domain):
    """Ids are opaque: strings and floats give the points that integers give."""
    trials = filled(domain)
    draws = [
        [doc["misc"]["vals"] for doc in suggest(ids, domain, trials, 7)]
        for ids in ([1, 2], ["a", "b"], [0.1, 0.2], np.array([8, 9]))
    ]
    assert draws[0] == draws[1] == draws[2] == draws[3]


@pytest.mark.parametrize("suggest", DOORS)
@pytest.mark.parametrize("seed", [np.int64(3), np.random.RandomState(0).randint(2**31 - 1)])
def test_seeds_may_be_numpy_integers(suggest, seed, domain):
    """Ray passes RandomState.randint's result."""
    first, second = (suggest([0], domain, Trials(), s)[0]["misc"]["vals"] for s in (seed, int(seed)))
    assert first == second


def test_another_seed_gives_another_point(domain):
    """The seed is used."""
    assert (
        rand.suggest([0], domain, Trials(), 1)[0]["misc"] != rand.suggest([0], domain, Trials(), 2)[0]["misc"]
    )


@pytest.mark.parametrize("suggest_batch", [rand.suggest_batch, anneal.suggest_batch])
def test_batches_are_columns(suggest_batch, domain):
    """Label to ids and to values, active ones only."""
    idxs, vals = suggest_batch([4, 5, 6], domain, Trials(), 0)
    assert idxs["x"] == [4, 5, 6]
    assert len(vals["x"]) == 3
    assert len(idxs["y"]) == len(vals["y"]) == vals["c"].count(1)


def test_a_batch_of_no_ids(domain):
    """Every label is there."""
    assert rand.suggest_batch([], domain, Trials(), 0) == (
        {"x": [], "c": [], "y": []},
        {"x": [], "c": [], "y": []},
    )


@pytest.mark.parametrize("suggest", DOORS)
def test_doors_can_be_pickled(suggest, domain):
    """functools.partial of a door travels to other processes."""
    again = pickle.loads(pickle.dumps(suggest))
    assert again([0], domain, Trials(), 3)[0]["misc"] == suggest([0], domain, Trials(), 3)[0]["misc"]


def test_door_signatures_can_be_inspected():
    """Hyperopt's parameters in Hyperopt's order, then ours by keyword; defaults are those of TPE."""
    parameters = inspect.signature(tpe.suggest).parameters
    assert list(parameters)[:9] == [
        "new_ids", "domain", "trials", "seed", "prior_weight", "n_startup_jobs", "n_EI_candidates", "gamma", "verbose",
    ]  # fmt: skip
    assert {k: p.default for k, p in list(parameters.items())[4:]} == {
        field: getattr(TPE(), field) for field in TPE.__dataclass_fields__
    }
    assert inspect.getfullargspec(anneal.suggest).args[4:] == ["avg_best_idx", "shrink_coef"]
    assert inspect.getfullargspec(mix.suggest).args[4:] == ["p_suggest"]


def test_tpe_parameters_reach_the_algorithm(domain):
    """A wrong one is refused by name."""
    with pytest.raises(ValueError, match="gamma=-1"):
        functools.partial(tpe.suggest, gamma=-1)([0], domain, Trials(), 0)


def test_defaults_under_hyperopts_names():
    """Programs read them to pass them on."""
    assert (tpe._default_prior_weight, tpe._default_n_EI_candidates) == (1.0, 24)
    assert tpe._default_n_startup_jobs == TPE().n_startup_jobs
    assert (tpe._default_gamma, tpe.DEFAULT_LF) == (0.25, 25)


def test_a_certain_mix_is_its_algorithm(domain):
    """The limit case: the same documents for the same seed."""
    trials = filled(domain)
    certain = mix.suggest([50, 51], domain, trials, 9, p_suggest=[(0.0, rand.suggest), (1.0, tpe.suggest)])
    assert certain == tpe.suggest([50, 51], domain, trials, 9)


def test_a_mix_asks_in_proportion(domain):
    """400 calls at 0.25: within 5.2 standard deviations of 100 (1e-7 on a random seed)."""
    asked = []

    def one(new_ids, domain, trials, seed):
        asked.append(1)
        return []

    for seed in range(400):
        mix.suggest([0], domain, Trials(), seed, p_suggest=[(0.25, one), (0.75, lambda *args: [])])
    assert abs(len(asked) - 100) < 5.2 * (400 * 0.25 * 0.75) ** 0.5


def test_probabilities_of_a_mix_sum_to_one(domain):
    """Else ValueError, as in Hyperopt."""
    with pytest.raises(ValueError, match="sum to 1"):
        mix.suggest([0], domain, Trials(), 0, p_suggest=[(0.5, rand.suggest), (0.6, rand.suggest)])


def test_trials_of_another_make_are_read_by_their_documents(domain):
    """A foreign Trials has no history; what it shows is enough."""
    own = filled(domain)
    foreign = SimpleNamespace(trials=own.trials, new_trial_docs=own.new_trial_docs)
    assert tpe.suggest([60], domain, foreign, 3) == tpe.suggest([60], domain, own, 3)


def test_a_domain_of_another_make_needs_an_expr():
    """Only its expression is read."""
    foreign = SimpleNamespace(expr=compile_space(SPACE).expr)
    assert len(rand.suggest([0], foreign, Trials(), 0)) == 1


# ---------------------------------------------------------------- finite spaces


def test_outside_of_fmin_an_exhausted_space_repeats(caplog):
    """Ray takes the first document of the answer without asking whether there is one."""
    domain = Domain(lambda c: 0.0, hp.choice("c", [1, 2]))
    trials = Trials()
    docs = rand.suggest(trials.new_trial_ids(5), domain, trials, 0)
    picks = [doc["misc"]["vals"]["c"][0] for doc in docs]
    assert len(picks) == 5
    assert sorted(picks[:2]) == [0, 1]


@pytest.mark.parametrize(("revisit", "expected"), [(False, 2), (True, 5)])
def test_a_domain_says_whether_points_may_come_again(revisit, expected):
    """fmin sets this from its own argument."""
    domain = Domain(lambda c: 0.0, hp.choice("c", [1, 2]))
    domain.revisit = revisit
    assert len(rand.suggest(list(range(5)), domain, Trials(), 0)) == expected


def test_the_permission_to_repeat_does_not_stay_in_the_history():
    """The history is cached on the trials and shared with the next call."""
    domain = Domain(lambda c: 0.0, hp.choice("c", [1, 2]))
    domain.revisit = True
    trials = Trials()
    rand.suggest([0, 1, 2], domain, trials, 0)
    assert trials.history(domain.space).allow_repeats is False


# ---------------------------------------------------------------- what algo may be


class Corner:
    """An algorithm of one's own, never registered."""

    def propose(self, space, history, n, rng):
        return space.sample(rng, n)


@pytest.mark.parametrize("algo", ["rand", "tpe", "anneal", Corner(), Random(), None, tpe.suggest])
def test_every_kind_of_algo_becomes_a_suggest_function(algo, domain):
    """A name, an object, a function, nothing."""
    assert len(bridge.as_suggest(algo)([0, 1], domain, Trials(), 0)) == 2


def test_a_function_is_used_as_it_is():
    """No wrapper between the loop and a user's function."""
    assert bridge.as_suggest(tpe.suggest) is tpe.suggest


@pytest.mark.parametrize(
    ("algo", "complaint"),
    [
        (tpe, "did you mean its function `suggest`"),
        (Corner, r"pass an instance: Corner\(\)"),
        (3, r"algo=3: .*did you mean max_evals=3\?"),
    ],
)
def test_other_things_are_refused_with_what_was_probably_meant(algo, complaint):
    """`algo=tpe` and `algo=TPE` are the usual slips."""
    with pytest.raises(TypeError, match=complaint):
        bridge.as_suggest(algo)


def test_an_unknown_name_names_the_nearest():
    """From the registry."""
    with pytest.raises(ValueError, match="did you mean 'anneal'"):
        bridge.as_suggest("aneal")
