"""What `fmin` says about arguments that are the wrong kind of object, before it evaluates anything."""

from __future__ import annotations

import pytest

from hpspace import Trials, fmin, hp
from hpspace.early_stop import no_progress_loss

SPACE = {"x": hp.uniform("x", 0, 1)}


def objective(config):
    """Return a loss; the tests never get so far."""
    raise AssertionError("evaluated")


async def awaited(config):
    return 0.0


def yielding(config):
    yield 0.0


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"fn": None}, TypeError, r"fn=None: pass the objective"),
        ({"fn": SPACE, "space": objective}, TypeError, r"they seem to be swapped"),
        ({"space": None}, TypeError, r"space=None: pass the search space"),
        ({"space": lambda trial: 0}, TypeError, r"space=<function .*: pass the search space"),
        (
            {"space": "anotated"},
            ValueError,
            r"space='anotated': the only text that is a space is 'annotated'",
        ),
        ({"trials": []}, TypeError, r"trials=\[\]: pass a Trials object, such as Trials\(\), or None"),
        ({"trials": [{"tid": 0}]}, TypeError, r"trials_from_docs makes one of documents"),
        ({"trials": Trials}, TypeError, r"is a class; pass an object of it: trials=Trials\(\)"),
        ({"fn": awaited}, TypeError, r"fn=awaited is an async function.*asyncio.run"),
        ({"fn": yielding}, TypeError, r"fn=yielding is a generator.*return the loss"),
        ({"early_stop_fn": 10}, TypeError, r"early_stop_fn=10: pass a function .* such as no_progress_loss"),
        ({"early_stop_fn": lambda trials, best: False}, TypeError, r"called with the trials alone at first"),
        ({"early_stop_fn": no_progress_loss}, TypeError, r"pass no_progress_loss\(20\)"),
    ],
)
def test_a_wrong_kind_of_object_is_named_before_the_first_evaluation(given, kind, message):
    """Each mistake is said of the argument that has it, not of what the loop does with it later."""
    arguments = {"fn": objective, "space": SPACE, **given}
    with pytest.raises(kind, match=message):
        fmin(**arguments, algo="rand", max_evals=1, show_progressbar=False)
