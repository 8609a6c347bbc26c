"""Evaluation: lazy, each node once, without recursion, with errors that say where."""

from __future__ import annotations

import logging
import sys

import networkx
import pytest

from hpspace.graph import GarbageCollected, Literal, Node, apply, as_apply, evaluate, rec_eval, scope


@pytest.fixture
def counted():
    """A function on scope that counts its calls."""
    calls = []

    @scope.define
    def counted(x=0):
        calls.append(x)
        return x

    yield calls
    scope.undefine("counted")


def test_a_shared_node_is_computed_once(counted):
    x = scope.counted(3)
    assert evaluate(as_apply([x, x + x, {"a": x}])) == (3, 6, {"a": 3})
    assert counted == [3]


def test_equal_nodes_are_computed_each(counted):
    assert evaluate(scope.counted(1) + scope.counted(1)) == 2
    assert counted == [1, 1]


def test_inputs_are_computed_from_left_to_right(counted):
    evaluate(as_apply([scope.counted(1), {"a": scope.counted(2), "b": [scope.counted(3)]}, scope.counted(4)]))
    assert counted == [1, 2, 3, 4]


def test_only_the_chosen_branch_is_computed(counted):
    root = scope.switch(scope.counted(1), scope.Raise(ValueError), [scope.counted(2)], scope.counted(3))
    assert evaluate(root) == (2,)
    assert counted == [1, 2]


def test_a_branch_is_shared_with_the_rest(counted):
    x = scope.counted(7)
    assert evaluate(as_apply([scope.switch(0, x, 1), x])) == (7, 7)
    assert counted == [7]


def test_the_memo_is_used_and_left_alone(counted):
    x = scope.counted(1)
    y = x + 1
    memo = {x: 10}
    assert evaluate(y, memo) == 11
    assert memo == {x: 10}
    assert counted == []
    assert evaluate(y, {y: "known"}) == "known"


def test_literals_can_be_given_another_value():
    """This is how a live object takes the place of a constant in the space."""
    place = Literal("placeholder")
    assert evaluate(place, {place: 1}) == 1
    assert evaluate(as_apply({"a": place, "b": [place]}), {place: 1}) == {"a": 1, "b": (1,)}
    assert evaluate(scope.switch(0, place), {place: 1}) == 1


def test_values_in_the_memo_are_final():
    """A node as a *value* is a constant like any other."""
    x, other = as_apply(1), as_apply(2) + 3
    assert evaluate(as_apply([x]), {x: other}) == (other,)
    assert evaluate(Literal(other)) is other


def test_a_function_that_returns_a_node(counted):
    @scope.define
    def lazily(x):
        return scope.counted(x) * 2

    try:
        node = scope.lazily(4)
        assert evaluate(node + node) == 16
        assert counted == [4]
    finally:
        scope.undefine(lazily)


def test_named_inputs_appended_later_count():
    node = as_apply({"a": 1})
    node.named_args.append(["a", as_apply(2)])
    assert evaluate(node) == {"a": 2}


@pytest.mark.parametrize("run", [evaluate, rec_eval, Node.eval])
def test_a_chain_of_ten_thousand_operations(run):
    x = as_apply(0)
    for _ in range(10_000):
        x = x + 1
    assert run(x) == 10_000


def test_a_ladder_of_shared_nodes_is_linear(counted):
    """x + x, sixty times doubled: 2**60 if shared nodes were computed for each user."""
    x = scope.counted(1)
    for _ in range(60):
        x = x + x
    assert evaluate(x) == 2**60
    assert counted == [1]


def test_a_chain_of_ten_thousand_branches():
    x = as_apply("end")
    for _ in range(10_000):
        x = scope.switch(0, x)
    assert evaluate(x) == "end"


def test_rec_eval_wraps_what_is_no_node():
    assert rec_eval([1, {"a": as_apply(1) + 1}]) == (1, {"a": 2})


def test_rec_eval_refuses_a_memo_by_position():
    with pytest.raises(ValueError, match="deepcopy_inputs should be bool"):
        rec_eval(as_apply(1), {})


def test_rec_eval_copies_inputs_on_request():
    numbers = [1, 2]
    pop = scope.call_method(Literal(numbers), "pop")
    assert rec_eval(pop, deepcopy_inputs=True) == 2
    assert numbers == [1, 2]
    assert rec_eval(pop) == 2
    assert numbers == [1]


@pytest.fixture
def small_room(monkeypatch):
    """Let 1000 nodes wait instead of 100 000, to keep the tests short."""
    monkeypatch.setattr(sys.modules[evaluate.__module__], "DEFAULT_MAX_PROGRAM_LEN", 1000)


@pytest.mark.parametrize("in_tail_position", [True, False])
def test_an_endless_recursion_ends(in_tail_position, small_room):
    @scope.define
    def endless(x):
        return apply("endless", x) if in_tail_position else apply("endless", x) + 1

    try:
        with pytest.raises(RuntimeError, match=r"more than 10 nodes wait .* endless recursion"):
            rec_eval(scope.endless(1), max_program_len=10)
        with pytest.raises(RuntimeError, match=r"more than 1001 nodes wait .* endless recursion"):
            evaluate(scope.endless(1))
    finally:
        scope.undefine(endless)


def test_a_large_expression_is_no_endless_recursion(small_room):
    """Only a limit that was asked for counts the nodes of the expression itself."""
    wide = as_apply([scope.int(1) for _ in range(1001)])
    assert len(evaluate(wide)) == len(rec_eval(wide)) == 1001
    with pytest.raises(RuntimeError, match=r"more than 1000 nodes"):
        rec_eval(wide, max_program_len=1000, print_node_on_error=False)


def test_a_cycle_is_reported(small_room):
    root = as_apply({"a": scope.int(1)})
    root.kwargs["a"].named_args.append(["loop", root])
    with pytest.raises(networkx.NetworkXUnfeasible, match="cycle"):
        evaluate(root)


def test_an_error_passes_through_and_names_the_node():
    node = as_apply({"a": scope.int(scope.hyperopt_param("x", "text"))})
    with pytest.raises(ValueError, match="invalid literal") as caught:
        evaluate(node)
    assert caught.value.args == ("invalid literal for int() with base 10: 'text'",)
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["hpspace: while evaluating int(hyperopt_param 'x')"]


def test_an_unregistered_function():
    with pytest.raises(KeyError, match="nosuch") as caught:
        evaluate(apply("nosuch", 1))
    if sys.version_info >= (3, 11):
        assert "scope has no 'nosuch' here" in caught.value.__notes__[1]


def test_errors_do_not_hide_behind_a_broken_repr():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no text")

    with pytest.raises(TypeError, match="int"):
        rec_eval(scope.int(Broken()))


def test_rec_eval_logs_the_failing_node_unless_told_not_to(caplog, capsys):
    node = scope.int(as_apply("x"))
    for wanted in (True, False):
        caplog.clear()
        with pytest.raises(ValueError):
            rec_eval(node, print_node_on_error=wanted)
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * wanted
        assert ("0 int\n1   Literal{x}" in caplog.text) is wanted
    assert capsys.readouterr() == ("", "")


def test_print_trace_logs_each_call(caplog):
    with caplog.at_level(logging.INFO, logger="hpspace.graph.evaluate"):
        rec_eval(as_apply(1) + 2, print_trace=True)
    assert [record.getMessage() for record in caplog.records] == ["evaluating add(1, 2) with [1, 2] {}"]


@pytest.mark.parametrize("run", [evaluate, rec_eval])
def test_an_unknown_value_that_is_not_needed(run):
    x = scope.hyperopt_param("x", 1)
    assert run(scope.switch(0, "a", scope.float(x)), memo={x: GarbageCollected}) == "a"


@pytest.mark.parametrize("wrap", [scope.float, lambda x: as_apply({"a": x}), lambda x: as_apply([x])])
def test_an_unknown_value_that_is_needed_names_its_label(wrap):
    x = scope.hyperopt_param("width", 1)
    with pytest.raises(TypeError, match=r"GarbageCollected") as caught:
        evaluate(wrap(x), {x: GarbageCollected})
    assert "hyperopt_param 'width'" in str(caught.value)


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: scope.switch(0, x)])
def test_an_unknown_value_is_no_result(wrap):
    x = scope.hyperopt_param("width", 1)
    with pytest.raises(TypeError, match="is wanted, which is GarbageCollected"):
        evaluate(wrap(x), {x: GarbageCollected})


def test_an_unknown_selector():
    """Integrations look for the word in the text of a TypeError."""
    x = scope.hyperopt_param("c", 1)
    with pytest.raises(TypeError, match="GarbageCollected") as caught:
        evaluate(scope.switch(x, 1), {x: GarbageCollected})
    assert caught.value.args == ("switch argument was", GarbageCollected)
