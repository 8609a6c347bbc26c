"""Registering functions on scope, and taking them from there."""

from __future__ import annotations

import pytest

from hpspace.graph import Node, PyllImportError, SymbolTable, scope
from hpspace.graph.primitives import Primitive


@pytest.fixture
def table():
    return SymbolTable()


def plus_one(x, step=1):
    return x + step


def test_define_returns_the_function_and_makes_nodes(table):
    assert table.define(plus_one) is plus_one
    node = table.plus_one(1, step=2)
    assert isinstance(node, Node)
    assert node.name == "plus_one"
    assert node.args[0].obj == 1
    assert node.kwargs["step"].obj == 2
    assert table._impls["plus_one"] is plus_one


def test_a_name_is_bound_once(table):
    table.define(plus_one)
    with pytest.raises(ValueError) as caught:
        table.define(plus_one)
    assert caught.value.args == ("Cannot override existing symbol", "plus_one")


@pytest.mark.parametrize("name", ["define", "inject", "import_", "undefine"])
def test_methods_of_the_table_cannot_be_hidden(table, name):
    def f():
        return None

    f.__name__ = name
    with pytest.raises(ValueError, match="Cannot override existing symbol"):
        table.define(f)


def test_builtins_cannot_be_overridden():
    def int(x):
        return x

    with pytest.raises(ValueError, match="Cannot override existing symbol"):
        scope.define(int)


def test_define_if_new_is_silent_for_the_same_function_only(table):
    table.define_if_new(plus_one)
    table.define_if_new(plus_one)

    def other(x):
        return x

    other.__name__ = "plus_one"
    with pytest.raises(ValueError, match="Cannot override existing symbol"):
        table.define_if_new(other)


def test_what_is_known_of_a_function_reaches_its_nodes(table):
    @table.define_info(o_len=2, pure=True)
    def pair(x):
        return x, x

    @table.define_pure
    def same(x):
        return x

    @table.define
    def other(x):
        return x

    assert (table.pair(1).o_len, table.pair(1).pure) == (2, True)
    assert (table.same(1).o_len, table.same(1).pure) == (None, True)
    assert table.other(1).pure is False


@pytest.mark.parametrize("by_name", [True, False])
def test_undefine(table, by_name):
    table.define(plus_one)
    table.undefine("plus_one" if by_name else plus_one)
    assert "plus_one" not in table
    assert "plus_one" not in table._impls
    table.define(plus_one)
    assert "plus_one" in table


def test_undefine_what_is_not_there(table):
    with pytest.raises(KeyError):
        table.undefine("nope")


def test_a_stochastic_function_is_marked(table):
    @table.define_stochastic
    def dice(rng=None, size=None):
        return rng.integers(6, size=size)

    assert table.dice.stochastic
    assert table.dice().pure is False
    table.undefine("dice")
    assert not table.drawing


def test_an_unknown_name_offers_near_ones():
    with pytest.raises(AttributeError, match=r"no function 'swich'; did you mean 'switch' or 'kwswitch'\?"):
        _ = scope.swich
    with pytest.raises(AttributeError, match=r"register it with scope\.define"):
        _ = scope.zzzzzz


def test_a_function_without_a_name_cannot_be_registered(table):
    with pytest.raises(TypeError, match="define it with `def`"):
        table.define(lambda x: x)


def test_inject_and_import():
    made = scope.inject("float", whole="int")
    assert made["float"](3).name == "float"
    assert made["whole"](3).name == "int"
    namespace: dict = {}
    scope.import_(namespace, "add", minus="sub")
    assert sorted(namespace) == ["add", "minus"]
    assert namespace["minus"](5, 2).eval() == 3


def test_importing_an_unknown_name():
    with pytest.raises(PyllImportError, match="'flot'; did you mean 'float'"):
        scope.inject("int", "flot")
    with pytest.raises(ImportError):
        scope.import_({}, x="flot")


def test_the_table_lists_its_names():
    assert {"int", "switch", "kwswitch"} <= set(scope)
    assert {"int", "define"} <= set(dir(scope))
    assert "int" in scope
    assert "no such" not in scope


def test_a_length_rule_sees_the_inputs():
    primitive = Primitive("f", len, o_len=lambda args, kwargs: len(args) + len(kwargs))
    assert primitive(1, 2, q=3).o_len == 3
