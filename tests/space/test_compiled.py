"""What a compiled space tells of itself: the table, the tree, JSON, fingerprint, differences, graphs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hpspace import compile_space, dists, hp
from hpspace.pyll import scope

PIPELINE = hp.choice(
    "clf",
    [
        {"kind": "bayes"},
        {
            "kind": "svm",
            "C": hp.lognormal("svm_C", 0, 1),
            "kernel": hp.choice("kernel", ["linear", {"rbf": hp.lognormal("width", 0, 1)}]),
        },
        {"kind": "tree", "depth": hp.choice("limited", [None, hp.qlognormal("depth", 3, 1, 1)])},
    ],
)


def test_the_table_of_parameters():
    compiled = compile_space(PIPELINE)
    assert compiled.labels == ("clf", "svm_C", "kernel", "width", "limited", "depth")
    width = compiled["width"]
    assert width.dist == dists.LogNormal(0, 1)
    assert width.conditions == ((("clf", 1), ("kernel", 1)),)
    assert width.path == 'space(clf=1)["kernel"](kernel=1)["rbf"]'
    assert [p.kind for p in compiled] == ["choice", "real", "choice", "real", "choice", "grid"]
    assert compiled["kernel"].options == ("linear", "dict(width)")
    assert "width" in compiled and "other" not in compiled and len(compiled) == 6


def test_the_description_is_a_readable_tree():
    assert compile_space(PIPELINE).describe().splitlines() == [
        "6 parameters, infinitely many configurations",
        "  clf: one of 3",
        "    [0] {'kind': 'bayes'}",
        "    [1]",
        "      kind: 'svm'",
        "      C: svm_C ~ lognormal(mu=0.0, sigma=1.0)",
        "      kernel: kernel: one of 2",
        "        [0] 'linear'",
        "        [1]",
        "          rbf: width ~ lognormal(mu=0.0, sigma=1.0)",
        "    [2]",
        "      kind: 'tree'",
        "      depth: limited: one of 2",
        "        [0] None",
        "        [1] depth ~ qlognormal(mu=3.0, sigma=1.0, q=1.0)",
    ]


def test_the_description_shows_sharing_expressions_defaults_and_odds():
    lr = hp.float("lr", 0.1, 1, log=True, default=0.5)
    text = compile_space(
        {"a": lr, "b": [lr, 2 * lr], "p": hp.pchoice("p", [(0.25, "x"), (0.75, "y")]), "f": len}
    ).describe()
    assert "a: lr ~ float(low=0.1, high=1.0, log=True) (default 0.5)" in text
    assert "0: lr (the same parameter as above)" in text
    assert "p: p ~ {'x', 'y'} with p=[0.25, 0.75]" in text
    assert "mul(...) of" in text


def test_the_json_description_holds_what_a_reader_needs():
    described = compile_space(PIPELINE).to_json()
    assert json.loads(json.dumps(described)) == described
    assert described["params"]["width"] == {
        "distribution": "lognormal",
        "arguments": {"mu": 0.0, "sigma": 1.0},
        "kind": "real",
        "path": 'space(clf=1)["kernel"](kernel=1)["rbf"]',
        "conditions": [[["clf", 1], ["kernel", 1]]],
    }
    assert described["structure"]["switch"] == {"param": "clf"}
    assert described["cardinality"] is None


def test_a_fingerprint_is_the_same_in_another_process():
    """Also when the space holds functions, classes and objects, whose addresses differ."""
    program = (
        "from hpspace import compile_space, hp\n"
        "class Model: pass\n"
        "space = {'x': hp.uniform('x', 0, 1), 'f': len, 'c': hp.choice('c', [Model, Model(), print])}\n"
        "import sys; sys.stdout.write(compile_space(space).fingerprint())"
    )
    seen = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(seen) == 1 and len(seen.pop()) == 16


@pytest.mark.parametrize(
    "other",
    [
        hp.uniform("x", 0, 2),
        hp.quniform("x", 0, 1, 0.5),
        hp.uniform("y", 0, 1),
        [hp.uniform("x", 0, 1)],
        {"x": hp.uniform("x", 0, 1), "y": hp.randint("y", 3)},
    ],
)
def test_another_space_has_another_fingerprint(other):
    assert compile_space(other).fingerprint() != compile_space(hp.uniform("x", 0, 1)).fingerprint()


def test_the_difference_of_two_spaces_in_sentences():
    old = compile_space(
        {"a": hp.uniform("a", 0, 1), "b": hp.randint("b", 3), "c": hp.choice("c", ["x", "y"])}
    )
    new = compile_space(
        {"a": hp.uniform("a", 0, 2), "c": hp.choice("c", ["x", "y", "z"]), "d": hp.normal("d", 0, 1)}
    )
    assert new.diff(old.to_json()) == [
        "'b' was removed",
        "'d' is new (normal(mu=0.0, sigma=1.0))",
        "'a' was uniform(low=0.0, high=1.0) and is uniform(low=0.0, high=2.0)",
        "'c' was one of ['x', 'y'] and is one of ['x', 'y', 'z']",
    ]
    assert old.diff(json.loads(json.dumps(old.to_json()))) == []


def test_the_networkx_view():
    graph = compile_space(PIPELINE).to_networkx()
    assert graph.edges["kernel", "width"]["options"] == [1]
    assert set(graph.predecessors("width")) == {"clf", "kernel"}
    assert graph.nodes["depth"]["distribution"] == "qlognormal"


def test_a_dependent_distribution_is_an_edge():
    x = hp.uniform("x", 1, 2)
    graph = compile_space([x, hp.uniform("y", 0, x)]).to_networkx()
    assert graph.edges["x", "y"] == {"argument": True}


def test_graph_sources_escape_labels():
    compiled = compile_space(hp.choice('a "quoted" <b>', [0, hp.uniform("x", 0, 1)]))
    assert '"a \\"quoted\\" <b>" -> "x" [label="= 1"];' in compiled.to_dot()
    assert "a &quot;quoted&quot; &lt;b&gt;" in compiled.to_mermaid()
    assert 'p0 -->|"= 1"| p1' in compiled.to_mermaid()


def test_a_compiled_space_compiles_to_itself():
    compiled = compile_space(PIPELINE)
    assert compile_space(compiled) is compiled


def test_constants_of_any_kind_pass_through_by_identity():
    thing, function = object(), len
    compiled = compile_space({"a": thing, "b": function, "c": None, "d": {1, 2}})
    config = compiled.config({})
    assert config["a"] is thing and config["b"] is function and config["c"] is None and config["d"] == {1, 2}
    assert compiled.cardinality() == 1


def test_containers_keep_their_kind_and_dicts_their_order():
    """Lists become tuples, as in Hyperopt; dicts keep the order in which they were written."""
    config = compile_space({"z": [hp.randint("r", 1), [2]], "a": (1,), "k": {2: "x", 1: "y"}}).config(
        {"r": 0}
    )
    assert config == {"z": (0, (2,)), "a": (1,), "k": {2: "x", 1: "y"}}
    assert list(config) == ["z", "a", "k"] and list(config["k"]) == [2, 1]


def test_arithmetic_and_defined_functions():
    units = hp.quniform("units", 1, 4, 1)
    space = {
        "units": scope.int(units) * 2,
        "power": 2**units,
        "least": scope.minimum(units, 2),
        "rest": units % 2,
    }
    assert compile_space(space).config({"units": 3.0}) == {"units": 6, "power": 8.0, "least": 2, "rest": 1.0}


def test_the_repr_says_how_large_it_is():
    assert repr(compile_space(hp.randint("r", 3))) == "<CompiledSpace: 1 parameters, 3 configurations>"
    assert "infinitely many" in repr(compile_space(PIPELINE))


def test_a_users_own_draw_is_sampled_and_refused_in_a_search_without_a_label():
    """`implicit_stochastic` below `scope.define` declares that a function takes ``rng``."""
    from hpspace.exceptions import UnlabelledDraw
    from hpspace.pyll.stochastic import implicit_stochastic, sample

    @scope.define
    @implicit_stochastic
    def dice(sides, rng=None, size=None):
        return int(rng.integers(1, sides + 1))

    try:
        assert sample({"d": scope.dice(6)}, rng=0)["d"] in range(1, 7)
        with pytest.raises(UnlabelledDraw):
            compile_space(scope.dice(6))
    finally:
        scope.undefine("dice")
