"""What stands in the way of an objective that is to travel, named by where it is."""

from __future__ import annotations

import functools
import pickle
import threading
from typing import Any

import pytest

from hpspace import Domain, hp
from hpspace.exceptions import UnpicklableObjective
from hpspace.run.executors.pickling import pickled_domain
from hpspace.run.objective import KeywordObjective

LOCK = threading.Lock()


class Trainer:
    """An objective that is an object."""

    def __init__(self) -> None:
        self.settings = {"seed": 1, "guards": [1, LOCK]}

    def __call__(self, x: float) -> float:
        return x

    def run(self, x: float) -> float:
        return x


class Slotted:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = LOCK

    def __call__(self, x: float) -> float:
        return x


def _closure() -> Any:
    lock = LOCK
    return lambda x: (x, lock)


def _inner_closure() -> Any:
    lock = LOCK

    def helper(x: float) -> float:
        return x if lock else 0

    return lambda x: helper(x)


def _default() -> Any:
    return lambda x, guard=LOCK: x


def _keyword_default() -> Any:
    return lambda x, *, guard=LOCK: x


def _attribute() -> Any:
    fn = _plain()
    fn.guard = LOCK
    return fn


def _plain() -> Any:
    return lambda x: x


def _nested_global() -> Any:
    source = "def outer(x):\n    def inner():\n        return LOCK\n    return inner()\n"
    scope = {"LOCK": LOCK, "__name__": "__main__"}
    exec(source, scope)
    return scope["outer"]


@pytest.mark.parametrize(
    ("fn", "path"),
    [
        (_closure(), "fn.__closure__['lock']"),
        (_inner_closure(), "fn.__closure__['helper'].__closure__['lock']"),
        (_default(), "fn.__defaults__[0]"),
        (_keyword_default(), "fn.__kwdefaults__['guard']"),
        (_attribute(), "fn.guard"),
        (_nested_global(), "fn.__globals__['LOCK']"),
        (Trainer(), "fn.settings['guards'][1]"),
        (Trainer().run, "fn.__self__.settings['guards'][1]"),
        (Slotted(), "fn.lock"),
        (functools.partial(_plain(), guard=LOCK), "fn.keywords['guard']"),
        (functools.partial(_plain(), LOCK), "fn.args[0]"),
        (functools.partial(_closure()), "fn.func.__closure__['lock']"),
        (KeywordObjective(_closure()), "fn.__closure__['lock']"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_culprit_is_named(fn: Any, path: str) -> None:
    """The path reads like Python, from the objective down to the object that refuses."""
    with pytest.raises(UnpicklableObjective) as caught:
        pickled_domain(Domain(fn, hp.uniform("x", 0, 1)))
    assert caught.value.path == path
    assert "cannot pickle '_thread.lock' object" in caught.value.reason
    assert 'backend="thread"' in str(caught.value)


def test_a_constant_of_the_space_can_be_the_culprit() -> None:
    """The space travels with the objective."""
    with pytest.raises(UnpicklableObjective, match=r"another process: space\['lock'\] cannot be pickled"):
        pickled_domain(Domain(_plain(), {"x": hp.uniform("x", 0, 1), "lock": LOCK}))


def test_an_object_that_refers_to_itself_is_searched_once() -> None:
    """The search for the culprit ends, whatever it walks through."""

    class Knot:
        def __init__(self) -> None:
            self.me = self
            self.lock = LOCK

        def __call__(self, x: float) -> float:
            return x

    with pytest.raises(UnpicklableObjective, match=r"fn\.lock"):
        pickled_domain(Domain(Knot(), hp.uniform("x", 0, 1)))


def test_an_error_can_be_pickled() -> None:
    """It may itself come from a child, where a nested search could not send its objective."""
    error = pickle.loads(pickle.dumps(UnpicklableObjective("fn.lock", "TypeError: no")))
    assert (error.path, error.reason) == ("fn.lock", "TypeError: no")


def test_the_pruner_stays_at_home() -> None:
    """It is asked where the reports are, so it need not travel; the domain that was given keeps it."""
    domain = Domain(_plain(), hp.uniform("x", 0, 1))
    domain.pruner = LOCK
    assert pickle.loads(pickled_domain(domain)).pruner is None
    assert domain.pruner is LOCK
