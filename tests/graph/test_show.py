"""Text for people: the listing, names in messages, Graphviz."""

from __future__ import annotations

import io

import numpy as np
import pytest

from hpspace.graph import as_apply, dump, scope, to_dot
from hpspace.graph.show import brief


@pytest.mark.parametrize(
    ("obj", "line"),
    [
        (5, "0 Literal{5}"),
        ("s", "0 Literal{s}"),
        (None, "0 Literal{None}"),
        (np.ones(3), "0 Literal{np.ndarray,shape=(3,),min=1.000000,max=1.000000}"),
        (np.ones(0), "0 Literal{np.ndarray,shape=(0,)}"),
        (np.array(["a"]), "0 Literal{np.ndarray,shape=(1,)}"),
        ("two\nlines", "0 Literal{two lines}"),
    ],
)
def test_a_literal_is_one_line(obj, line):
    assert str(as_apply(obj)) == line


def test_a_literal_with_much_text_is_cut():
    assert len(str(as_apply("x" * 10_000))) < 250


def test_the_listing():
    x = scope.hyperopt_param("x", 1)
    root = as_apply({"a": [1, (x,)], "b": scope.switch(x, "n", q=x)})
    assert str(root) == (
        "0 dict\n"
        "1  a =\n"
        "2   pos_args\n"
        "3     Literal{1}\n"
        "4     pos_args\n"
        "5       hyperopt_param\n"
        "6         Literal{x}\n"
        "7         Literal{1}\n"
        "8  b =\n"
        "9   switch\n"
        "10     hyperopt_param  [line:5]\n"
        "11     Literal{n}\n"
        "12    q =\n"
        "13     hyperopt_param  [line:5]"
    )


def test_pprint_writes_to_a_file():
    file = io.StringIO()
    (as_apply(1) + 2).pprint(file, indent=2)
    assert file.getvalue() == "0   add\n1     Literal{1}\n2     Literal{2}\n"


def test_a_deep_listing_stays_small():
    """Ten thousand levels drawn by indentation alone would be 200 MB."""
    x = as_apply(0)
    for _ in range(10_000):
        x = x + 1
    text = dump(x)
    assert text.count("\n") == 20_000
    assert len(text) < 4_000_000
    assert "(depth 10000) Literal{0}" in text


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (as_apply("s"), "'s'"),
        (as_apply([1, 2]), "pos_args(1, 2)"),
        (as_apply(range(9)), "range(0, 9)"),
        (as_apply(list(range(9))), "pos_args(0, 1, 2, 3, ...)"),
        (scope.sum([1], axis=0), "sum(pos_args(...), axis=0)"),
        (scope.int(scope.hyperopt_param("lr", 1)), "int(hyperopt_param 'lr')"),
        (scope.hyperopt_param("lr", 1), "hyperopt_param 'lr'"),
    ],
)
def test_brief(node, text):
    assert brief(node) == text


def test_dot_quotes_labels():
    text = to_dot(as_apply({'say "hi"': "a\\b"}))
    assert r'[label="say \"hi\""]' in text
    assert r'n0 [label="Literal{a\\b}"]' in text
