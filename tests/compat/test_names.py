"""The names that existing programs import, and the doors they import them through."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import hpspace

PACKAGE = Path(hpspace.__file__).parent
GOLDEN = Path(__file__).parent / "names.txt"
DOORS = (
    "anneal", "atpe", "base", "criteria", "early_stop", "fmin", "graph_viz", "mix", "plotting", "progress",
    "pyll_utils", "rand", "rdists", "tpe", "utils", "pyll/__init__", "pyll/base", "pyll/stochastic", "__init__",
)  # fmt: skip


def golden():
    lines = [line for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#")]
    return [
        (module.strip(), name)
        for module, _, names in (line.partition(":") for line in lines)
        for name in names.split()
    ]


@pytest.mark.parametrize(("module", "name"), golden(), ids=lambda part: part)
def test_the_name_is_there(module, name):
    """As `from module import name` finds it."""
    assert hasattr(importlib.import_module(module) if module != "hpspace.fmin" else sys.modules[module], name)


def test_a_name_that_is_gone_would_be_noticed():
    """The golden list is read, and reaches every door."""
    names = golden()
    assert len(names) > 150
    assert {module for module, _ in names} >= {
        "hpspace." + door.replace("/", ".").replace(".__init__", "") for door in DOORS[:-1]
    }


@pytest.mark.parametrize(
    "statement",
    [
        "import hpspace.fmin",
        "from hpspace.fmin import generate_trials_to_calculate",
        "import hpspace.fmin as module",
        "import importlib, sys; importlib.reload(sys.modules['hpspace.fmin'])",
    ],
)
def test_fmin_stays_the_function(statement):
    """`hpspace.fmin` is the function and `hpspace.fmin` is a module: both, whatever is imported in which order."""
    lines = ["import hpspace", statement, "import hpspace", "assert callable(hpspace.fmin)"]
    program = "\n".join(lines if "reload" in statement else lines[1:])
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_package_under_hyperopts_name():
    """`import hpspace as hyperopt` and the attribute paths that programs use."""
    import hpspace as hyperopt

    assert hyperopt.tpe.suggest is hpspace.tpe.suggest
    assert hyperopt.base.pyll.Apply is hyperopt.pyll.Apply
    assert hyperopt.exceptions.AllTrialsFailed is hyperopt.base.AllTrialsFailed
    assert hyperopt.pyll.stochastic.sample(hyperopt.hp.choice("c", [3])) == 3


def test_constants_have_hyperopts_values():
    """They are written into stored documents; statuses of our own come after."""
    base = hpspace.base
    assert base.STATUS_STRINGS == ("new", "running", "suspended", "ok", "fail", "pruned")
    assert base.JOB_STATES == [0, 1, 2, 3, 4]
    assert (
        {base.JOB_STATE_NEW, base.JOB_STATE_RUNNING, base.JOB_STATE_DONE}
        == base.JOB_VALID_STATES
        == {0, 1, 2}
    )
    assert (base.JOB_STATE_ERROR, base.JOB_STATE_CANCEL) == (3, 4)


@pytest.mark.parametrize(
    "address",
    [
        "hpspace.base.Trials",
        "hpspace.base.Domain",
        "hpspace.base.Ctrl",
        "hpspace.pyll.base.Literal",
        "hpspace.fmin.FMinIter",
        "hpspace.fmin.Best",
    ],
)
def test_pickled_classes_have_public_addresses(address):
    """Files may move; what is pickled may not."""
    module, _, name = address.rpartition(".")
    cls = getattr(importlib.import_module(module) if module != "hpspace.fmin" else sys.modules[module], name)
    assert f"{cls.__module__}.{cls.__name__}" == address
    assert pickle.loads(pickle.dumps(cls)) is cls


def test_everything_public_of_the_package_is_listed_and_there():
    """`__all__` is the front desk."""
    assert len(set(hpspace.__all__)) == len(hpspace.__all__)
    assert all(hasattr(hpspace, name) for name in hpspace.__all__)
    assert all(
        inspect.getdoc(getattr(hpspace, name)) for name in hpspace.__all__ if callable(getattr(hpspace, name))
    )


def is_wrapper(statement):
    """A function with a docstring and straight lines only: no branch, no loop, no handler."""
    if not isinstance(statement, ast.FunctionDef) or ast.get_docstring(statement) is None:
        return False
    return len(statement.body) <= 3 and all(
        isinstance(s, (ast.Expr, ast.Assign, ast.Return)) for s in statement.body
    )


def is_for_checkers(statement):
    """Imports that only a type checker makes."""
    return (
        isinstance(statement, ast.If)
        and ast.unparse(statement.test) == "TYPE_CHECKING"
        and not statement.orelse
        and all(isinstance(s, ast.ImportFrom) for s in statement.body)
    )


@pytest.mark.parametrize("door", DOORS)
def test_doors_hold_no_logic(door):
    """A docstring, imports, constants and one-line wrappers: nothing that could grow or break."""
    tree = ast.parse((PACKAGE / f"{door}.py").read_text())
    assert ast.get_docstring(tree)
    plain = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    logic = [
        ast.unparse(s).splitlines()[0]
        for s in tree.body
        if not (isinstance(s, plain) or is_wrapper(s) or is_for_checkers(s))
    ]
    assert logic == []
