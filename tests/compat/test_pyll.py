"""Expressions as programs written for Hyperopt build, read and evaluate them.

One test for each thing such programs rely on; the names are imported from where they import them.
"""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

import hpspace
from hpspace import hp, pyll
from hpspace.pyll import (
    Apply,
    Literal,
    as_apply,
    clone,
    clone_merge,
    dfs,
    rec_eval,
    scope,
    stochastic,
    toposort,
)
from hpspace.pyll.base import (
    GarbageCollected,
    Lambda,
    MissingArgument,
    PyllImportError,
    SymbolTable,
    apply,
    p0,
)

# -- names --------------------------------------------------------------------------------------------------


PACKAGE = "scope as_apply rec_eval Apply Literal clone clone_merge dfs toposort stochastic base"
BASE = """
    scope Apply Literal as_apply apply Lambda p0 p1 p2 p3 p4 UndefinedValue
    rec_eval clone clone_merge dfs toposort
    SymbolTable MissingArgument GarbageCollected PyllImportError
"""


@pytest.mark.parametrize("name", PACKAGE.split())
def test_names_of_the_package(name):
    assert hasattr(pyll, name)
    assert hpspace.base.pyll is pyll


@pytest.mark.parametrize("name", BASE.split())
def test_names_of_base(name):
    assert hasattr(pyll.base, name)


FUNCTIONS = """
    int float len list dict range map max min getattr
    add sub mul truediv floordiv neg pow eq lt le gt ge getitem
    exp log sqrt sin cos tan
    sum minimum maximum asarray array_union array_union1 bincount repeat uniq
    str_join identity pos_args call call_method call_method_pure copy_call_method_pure callpipe1 partial
    switch kwswitch Raise curtime pdb_settrace rng_from_seed hyperopt_param
    uniform quniform loguniform qloguniform normal qnormal lognormal qlognormal randint categorical
    choice one_of
"""


@pytest.mark.parametrize("name", FUNCTIONS.split())
def test_functions_on_scope(name):
    assert callable(getattr(scope, name))
    assert callable(scope._impls[name])


def test_the_table_is_a_symbol_table():
    assert isinstance(scope, SymbolTable)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (
            rec_eval,
            "expr deepcopy_inputs memo max_program_len memo_gc print_trace print_node_on_error",
        ),
        (clone, "expr memo"),
        (clone_merge, "expr memo merge_literals"),
        (Lambda, "name params expr"),
        (as_apply, "obj"),
        (SymbolTable.define, "self f o_len pure"),
        (SymbolTable.define_info, "self o_len pure"),
        (Apply.clone_from_inputs, "self inputs o_len"),
        (Apply.set_kwarg, "self name value"),
        (Apply.replace_input, "self old_node new_node"),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_parameters_have_their_names(function, parameters):
    assert list(inspect.signature(function).parameters) == parameters.split()


# -- as_apply ------------------------------------------------------------------------------------------------


def test_as_apply_of_each_kind():
    assert as_apply(as_apply(1)).name == "literal"
    assert (as_apply((1, 2)).name, as_apply((1, 2)).o_len) == ("pos_args", 2)
    assert (as_apply([1, 2]).name, as_apply([1, 2]).o_len) == ("pos_args", None)
    assert (as_apply({"a": 1}).name, as_apply({"a": 1}).o_len) == ("dict", 1)
    assert as_apply({1: 2}).pos_args[0].pos_args[0].name == "pos_args"
    assert as_apply("ab").obj == as_apply("ab")._obj == "ab"


def test_lists_become_tuples_and_dicts_stay():
    assert rec_eval({"a": [1, (2, [3])], "b": {"c": ()}}) == {"a": (1, (2, (3,))), "b": {"c": ()}}


def test_keys_of_other_kinds():
    assert rec_eval({2: "x", 1: ["y"]}) == {2: "x", 1: ("y",)}


# -- Apply ---------------------------------------------------------------------------------------------------


def test_attributes():
    node = scope.sum([1], axis=0)
    assert isinstance(node, Apply)
    assert not isinstance(node, Literal)
    assert node.name == "sum"
    assert type(node.pos_args) is list
    assert type(node.named_args) is list
    assert node.named_args == [["axis", node.inputs()[1]]]
    assert node.o_len is None
    assert node.pure is True
    assert node.arg["axis"].obj == 0
    assert scope.sum([1]).arg["axis"] is MissingArgument


def test_the_listing_of_a_literal():
    assert str(as_apply(5)) == "0 Literal{5}"


def test_equality_makes_no_node():
    x = as_apply(1)
    assert (x == 1) is False
    assert scope.eq(x, 1).eval() is True


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda x: x + 1, "add"),
        (lambda x: 1 + x, "add"),
        (lambda x: x - 1, "sub"),
        (lambda x: 1 - x, "sub"),
        (lambda x: x * 2, "mul"),
        (lambda x: 2 * x, "mul"),
        (lambda x: x / 2, "truediv"),
        (lambda x: 2 / x, "truediv"),
        (lambda x: x // 2, "floordiv"),
        (lambda x: 2 // x, "floordiv"),
        (lambda x: x**2, "pow"),
        (lambda x: 2**x, "pow"),
        (lambda x: -x, "neg"),
        (lambda x: x > 1, "gt"),
        (lambda x: x >= 1, "ge"),
        (lambda x: x < 1, "lt"),
        (lambda x: x <= 1, "le"),
        (lambda x: x[0], "getitem"),
        (lambda x: x(1), "call"),
    ],
)
def test_syntax(make, name):
    assert make(as_apply(3)).name == name


def test_length():
    assert len(as_apply((1, 2))) == 2
    with pytest.raises(TypeError, match=r"len of pyll.Apply either undefined or unknown"):
        len(as_apply([1, 2]))
    with pytest.raises(TypeError, match=r"len of pyll.Apply either undefined or unknown"):
        bool(as_apply(3) > 2)


def test_known_lengths_unpack():
    a, b = as_apply((1, 2))
    assert a.eval() + b.eval() == 3
    with pytest.raises(IndexError):
        as_apply((1, 2))[2]


# -- registering ---------------------------------------------------------------------------------------------


def test_define_and_call():
    """The function itself still runs; the name on scope makes nodes."""

    @scope.define
    def compat_scaled(x, by=2, **options):
        return x * by, options

    try:
        assert compat_scaled(2) == (4, {})
        assert scope.compat_scaled(as_apply(1) + 1, q=1).eval() == (4, {"q": 1})
        with pytest.raises(ValueError) as caught:
            scope.define(compat_scaled)
        assert caught.value.args == ("Cannot override existing symbol", "compat_scaled")
        assert scope.define_if_new(compat_scaled) is compat_scaled
    finally:
        scope.undefine("compat_scaled")


def test_define_info_makes_results_unpack():
    @scope.define_info(o_len=2)
    def compat_pair(x):
        return x, x + 1

    try:
        a, b = scope.compat_pair(1)
        assert (a.eval(), b.eval()) == (1, 2)
    finally:
        scope.undefine(compat_pair)


def test_import_into_a_namespace():
    names: dict = {}
    scope.import_(names, "int", g="float")
    assert names["g"](1).name == "float"
    with pytest.raises(PyllImportError):
        scope.inject("nope")


def test_a_recursive_lambda():
    body = scope.switch(scope.lt(p0, 2), p0 * apply("CompatFact", p0 - 1), 1)
    fact = scope.define(Lambda("CompatFact", [("x", p0)], expr=body))
    try:
        assert rec_eval(scope.CompatFact(5)) == 120
    finally:
        scope.undefine(fact)


# -- evaluation ----------------------------------------------------------------------------------------------


def test_rec_eval_rejects_a_memo_by_position():
    with pytest.raises(ValueError):
        rec_eval(as_apply(1), {})


def test_rec_eval_takes_and_keeps_the_memo():
    x = as_apply(1)
    memo = {x: 5}
    assert rec_eval(x + 1, memo=memo) == 6
    assert memo == {x: 5}


def test_switch():
    assert rec_eval(scope.switch(1, scope.Raise(ValueError), "b")) == "b"
    with pytest.raises(ValueError) as negative:
        rec_eval(scope.switch(-1, "a"))
    assert negative.value.args == ("switch pos must be positive int", -1)
    with pytest.raises(TypeError) as fraction:
        rec_eval(scope.switch(1.0, "a"))
    assert fraction.value.args == ("switch argument was", 1.0)
    with pytest.raises(IndexError):
        rec_eval(scope.switch(1, "a"))


def test_kwswitch_sorts_its_options():
    node = scope.kwswitch("b", b=1, a=2)
    assert [option.obj for option in node.pos_args[1:]] == [2, 1]
    assert rec_eval(node) == 1


def test_incomplete_points_say_garbage_collected():
    """Ray Tune catches a TypeError (or AssertionError) with this word in its text."""
    x = hp.uniform("x", 0, 1)
    param = next(node for node in dfs(x) if node.name == "hyperopt_param")
    with pytest.raises(TypeError, match="GarbageCollected"):
        rec_eval({"x": x}, memo={param: GarbageCollected})


def test_toposort_and_dfs():
    x = as_apply(1)
    root = x + x
    assert dfs(root) == toposort(root) == [x, root]


def test_clone_shares_nothing_and_pickles_work():
    root = as_apply({"x": hp.uniform("x", 0, 1), "n": [1, 2]})
    for other in (clone(root), copy.deepcopy(root), pickle.loads(pickle.dumps(root))):
        assert str(other) == str(root)
        assert not set(dfs(other)) & set(dfs(root))


def test_the_public_address_of_nodes():
    assert (Apply.__module__, Apply.__qualname__) == ("hpspace.pyll.base", "Apply")
    assert (Literal.__module__, Literal.__qualname__) == ("hpspace.pyll.base", "Literal")


# -- random draws --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "node",
    [
        scope.uniform(0, 1),
        scope.quniform(0, 10, 2),
        scope.loguniform(-3, 0),
        scope.qloguniform(0, 3, 1),
        scope.normal(0, 1),
        scope.qnormal(0, 5, 1),
        scope.lognormal(0, 1),
        scope.qlognormal(0, 1, 1),
        scope.randint(5),
        scope.randint(2, 5),
        scope.categorical([0.3, 0.7]),
        scope.choice([1, 2]),
        scope.one_of(1, 2),
    ],
    ids=lambda node: node.name,
)
def test_anonymous_draws(node):
    """With a seed of their own, or with the generator of `sample`; the node is not changed."""
    before = str(node)
    assert stochastic.sample(node, np.random.default_rng(3)) == stochastic.sample(
        node, np.random.default_rng(3)
    )
    assert str(node) == before
    seeded = stochastic.recursive_set_rng_kwarg(node, scope.rng_from_seed(5))
    assert rec_eval(seeded) == rec_eval(seeded)


def test_noise_with_a_generator_of_its_own():
    """A node indexed by a node chooses the mean; the generator goes on from one evaluation to the next."""
    x = as_apply(1)
    noise = scope.normal(as_apply([-1, 0])[x], 1e-9, rng=np.random.default_rng(0))
    first, second = rec_eval(noise), rec_eval(noise)
    assert first != second
    assert abs(first) < 1e-6
    assert abs(rec_eval(noise, memo={x: 0}) + 1) < 1e-6


# -- the shapes that other libraries walk --------------------------------------------------------------------


def shape(node):
    """A node as nested tuples of names."""
    if node.name == "literal":
        return node.obj
    return (
        node.name,
        *(shape(child) for child in node.pos_args),
        *((k, shape(v)) for k, v in node.named_args),
    )


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (hp.uniform("x", 0, 1), ("float", ("hyperopt_param", "x", ("uniform", 0, 1)))),
        (hp.loguniform("x", -2, 1), ("float", ("hyperopt_param", "x", ("loguniform", -2, 1)))),
        (hp.quniform("x", 0, 9, 3), ("float", ("hyperopt_param", "x", ("quniform", 0, 9, 3)))),
        (hp.normal("x", 0, 1), ("float", ("hyperopt_param", "x", ("normal", 0, 1)))),
        (hp.randint("x", 5), ("int", ("hyperopt_param", "x", ("randint", 5)))),
        (hp.choice("x", ["a", "b"]), ("switch", ("hyperopt_param", "x", ("randint", 2)), "a", "b")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_shape_of_a_parameter(node, expected):
    assert shape(node) == expected


def test_shape_of_a_weighted_choice():
    node = hp.pchoice("x", [(0.25, "a"), (0.75, "b")])
    assert node.name == "switch"
    assert node.pos_args[0].name == "hyperopt_param"
    assert node.pos_args[0].pos_args[1].name == "categorical"
    assert [option.obj for option in node.pos_args[1:]] == ["a", "b"]


def test_shape_of_uniformint():
    node = hp.uniformint("x", 0, 5)
    assert node.name == "int"
    (inner,) = node.pos_args
    assert inner.name == "float"
    draw = inner.pos_args[0].pos_args[1]
    assert draw.name == "quniform"
    assert draw.arg["q"].obj == 1.0 if "q" in draw.arg else draw.kwargs["q"].obj == 1.0


def test_options_are_read_as_an_integration_reads_them():
    """Ray Tune turns a value of a choice into its index like this."""
    space = {"act": hp.choice("act", ["relu", "tanh"])}
    node = space["act"]
    assert isinstance(node, pyll.Apply)
    assert node.name == "switch"
    options = [a for a in node.pos_args[1:] if a.name == "literal" and a.obj == "tanh"]
    assert node.pos_args[1:].index(options[0]) == 1


def test_an_estimator_space_as_it_is_composed():
    """hyperopt-sklearn builds nodes, appends keywords to them, and evaluates what it has."""

    class Estimator:
        def __init__(self, **kwargs):
            self.kwargs = kwargs

    @scope.define
    def compat_estimator(*args, **kwargs):
        return Estimator(*args, **kwargs)

    try:
        space = scope.compat_estimator(C=as_apply(1.0))
        space.named_args.append(["kernel", as_apply("rbf")])
        assert dict(space.named_args)["kernel"].obj == "rbf"
        assert space.eval().kwargs == {"C": 1.0, "kernel": "rbf"}
        outer = as_apply({"clf": space})
        assert outer["clf"].eval().kwargs == {"C": 1.0, "kernel": "rbf"}
    finally:
        scope.undefine(compat_estimator)
