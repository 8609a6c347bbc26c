"""How objectives are called, and what they may return."""

from __future__ import annotations

import functools
import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from hpspace import fmin, hp
from hpspace.exceptions import InvalidAnnotatedParameter, InvalidLoss, InvalidResultStatus
from hpspace.run.objective import (
    annotated_space,
    call_style,
    checked_result,
    fmin_pass_expr_memo_ctrl,
    partial,
)

SPACE = {"x": hp.uniform("x", 0, 1)}


class Callable:
    def __call__(self, config, ctrl):
        return 0.0

    def method(self, config, ctrl):
        return 0.0


@pytest.mark.parametrize(
    ("fn", "style"),
    [
        (lambda config: 0, "config"),
        (lambda config, ctrl: 0, "config_ctrl"),
        (lambda config, ctrl=None: 0, "config_ctrl"),
        (lambda config, other=None: 0, "config"),
        (lambda *args: 0, "config"),
        (lambda config, *, ctrl=None: 0, "config"),
        (functools.partial(lambda a, config, ctrl: 0, 1), "config_ctrl"),
        (Callable(), "config_ctrl"),
        (Callable().method, "config_ctrl"),
        (max, "config"),
        (fmin_pass_expr_memo_ctrl(lambda expr, memo, ctrl: 0), "expr_memo_ctrl"),
    ],
)
def test_the_way_to_call_is_read_off_the_signature(fn, style):
    """Only a second positional parameter of that very name asks for the Ctrl."""
    assert call_style(fn, None) == style


def test_the_argument_overrides_the_mark():
    """pass_expr_memo_ctrl=True or False wins over the function's attribute."""
    marked = fmin_pass_expr_memo_ctrl(lambda *args, **kwargs: 0)
    assert call_style(marked, False) == "config"
    assert call_style(lambda x: 0, True) == "expr_memo_ctrl"


def test_partial_keeps_the_mark():
    """functools.partial would lose it."""
    marked = fmin_pass_expr_memo_ctrl(lambda expr, memo, ctrl, k: k)
    assert partial(marked, k=1).fmin_pass_expr_memo_ctrl is True
    assert not hasattr(partial(max, 1), "fmin_pass_expr_memo_ctrl")
    assert partial(max, 3)(2) == 3


def test_the_signature_is_read_once_not_per_trial(monkeypatch):
    """Inspecting costs more than a cheap objective."""
    calls = []
    import inspect

    original = inspect.signature
    monkeypatch.setattr(inspect, "signature", lambda *a, **k: calls.append(a) or original(*a, **k))
    fmin(lambda c: 0.0, SPACE, "rand", 10, rstate=0, verbose=False)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "loss", [1, 1.5, True, np.float32(1.5), np.int8(3), Fraction(1, 2), math.inf, -math.inf]
)
def test_numbers_are_losses(loss):
    """Any real number, Python's or numpy's."""
    assert checked_result(loss, 0) == {"loss": float(loss), "status": "ok"}
    assert type(checked_result(loss, 0)["loss"]) is float


@pytest.mark.parametrize(
    "value",
    [
        None,
        np.True_,
        np.array(0.5),
        np.array([0.5]),
        "0.5",
        1j,
        np.complex128(1),
        [1.0],
        Decimal(1),
        object(),
    ],
)
def test_other_things_are_refused_with_trial_and_value(value):
    """A TypeError or ValueError from dict(x) says nothing to the user (pain, section 6)."""
    with pytest.raises(InvalidLoss, match="trial 17: objective returned ") as caught:
        checked_result(value, 17)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    assert repr(value) in str(caught.value)
    assert caught.value.result is value


def test_a_numpy_scalar_gets_the_fix():
    """np.bool_ and 0-d arrays only need a conversion."""
    with pytest.raises(InvalidLoss, match=r"return float\(\.\.\.\) of it"):
        checked_result(np.True_, 0)


def test_mappings_and_pairs_are_copied():
    """The result kept in the trial is not the objective's own dict."""
    mine = {"status": "ok", "loss": 1, "model": object()}
    result = checked_result(mine, 0)
    assert result == mine
    assert result is not mine
    assert checked_result(iter([("status", "fail")]), 0) == {"status": "fail"}


@pytest.mark.parametrize("loss", [1, "1.5", np.array(2.0), np.float16(1)])
def test_a_loss_in_a_dict_becomes_a_float(loss):
    """What float() takes, as in Hyperopt."""
    assert checked_result({"status": "ok", "loss": loss}, 0)["loss"] == float(loss)


@pytest.mark.parametrize("loss", [None, "abc", 1j, np.array([1.0]), [1.0], {}])
def test_status_ok_needs_a_number(loss):
    """The message says which trial, what it was, and what to return."""
    with pytest.raises(
        InvalidLoss, match=r"trial 3: objective returned loss=.* with status 'ok'; return a float"
    ):
        checked_result({"status": "ok", "loss": loss}, 3)


def test_a_missing_loss_is_said_to_be_missing():
    """Not "loss=None"."""
    with pytest.raises(InvalidLoss, match="returned no loss with status 'ok'"):
        checked_result({"status": "ok"}, 3)


def test_nan_is_let_through():
    """Kept in the trials, and never best."""
    assert math.isnan(checked_result({"status": "ok", "loss": math.nan}, 0)["loss"])


@pytest.mark.parametrize("status", ["fail", "new", "running", "suspended"])
def test_other_statuses_keep_whatever_loss_they_have(status):
    """Only "ok" promises a number."""
    assert checked_result({"status": status, "loss": None}, 0) == {"status": status, "loss": None}


def test_an_unknown_status_is_refused():
    """Naming the allowed ones."""
    with pytest.raises(
        InvalidResultStatus, match="trial 5: objective returned status='good'; use one of"
    ) as caught:
        checked_result({"status": "good", "loss": 1}, 5)
    assert caught.value.result == {"status": "good", "loss": 1}


def test_a_missing_status_is_refused_with_the_keys_there_are():
    """Hyperopt's KeyError 'status' left the rest to guess."""
    with pytest.raises(InvalidResultStatus, match=r"without 'status' \(its keys: \['loss'\]\)"):
        checked_result({"loss": 1}, 5)


def test_result_errors_can_be_pickled():
    """They cross process borders."""
    with pytest.raises(InvalidLoss) as caught:
        checked_result(None, 5)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


# ---------------------------------------------------------------- space="annotated"


def annotated(x: hp.uniform("a", 0, 1), kind: hp.choice("b", ["p", "q"]), k=2) -> float:
    """Has a label that is not its parameter's name, a default, and a return annotation."""
    return x + (kind == "p") + k


def test_annotations_are_the_space():
    """Labels come from the annotation; the rest keeps its default."""
    best = fmin(annotated, "annotated", "rand", 20, rstate=0, verbose=False)
    assert set(best) == {"a", "b"}
    assert best.config == {"x": best["a"], "kind": "q"}
    assert best.loss == pytest.approx(best["a"] + 2)


def test_a_wrong_annotation_names_its_parameter():
    """And says how to write it."""

    def f(x: hp.uniform("x", 0, 1), n: int = 3):
        return x

    f.__annotations__["n"] = int
    with pytest.raises(InvalidAnnotatedParameter, match=r"parameter 'n' is annotated with .*int"):
        fmin(f, "annotated", "rand", 1, verbose=False)


def test_an_annotation_that_cannot_be_evaluated_says_so():
    """Under `from __future__ import annotations` names must be global, as this file's local one is not."""
    low = 0

    def f(x: hp.uniform("x", low, 1)):
        return x

    with pytest.raises(InvalidAnnotatedParameter, match="'low' is not defined"):
        annotated_space(f)


# ---------------------------------------------------------------- odd answers


class Unshowable:
    """An object that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    "value",
    [
        Unshowable(),
        {"status": "ok", "loss": Unshowable()},
        {"status": Unshowable()},
        {"status": np.array(["ok", "fail"]), "loss": 1},
        {"status": [], "loss": 1},
        10**400,
        {"status": "ok", "loss": 10**400},
        {"status": "ok", "loss": 1, "attachments": None},
        {"status": "ok", "loss": 1, "attachments": [1]},
    ],
)
def test_odd_answers_are_refused_with_the_trial_named(value):
    """Never with an exception of the check itself."""
    with pytest.raises((InvalidLoss, InvalidResultStatus), match=r"trial 7: "):
        checked_result(value, 7)


def test_a_huge_answer_is_cut_in_the_message():
    """A result of a million characters is no message."""
    with pytest.raises(InvalidLoss) as caught:
        checked_result("x" * 10**6, 7)
    assert len(str(caught.value)) < 500


def test_what_has_a_float_is_told_so():
    """A tensor with one element, a Decimal."""
    with pytest.raises(InvalidLoss, match=r"return float\(\.\.\.\) of it"):
        checked_result(Decimal(1), 7)


def test_a_misspelt_loss_is_seen_in_the_message():
    """The keys that the dict has show the typo."""
    with pytest.raises(InvalidLoss, match=r"returned no loss .*keys of the dict: \['los', 'status'\]"):
        fmin(lambda x: {"status": "ok", "los": 1.0}, hp.uniform("x", 0, 1), "rand", 1, verbose=False)
