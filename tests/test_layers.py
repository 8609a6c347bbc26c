"""The architecture, as a test: which part of the package may import which.

`MAY_IMPORT` *is* the diagram of ``docs/design/flow.md``. Each part is a folder or a single module of hpspace;
a part imports from itself and from the parts listed beside it, wherever the import stands (in a function or
under ``TYPE_CHECKING`` too: knowing a name is knowing it). Every other module is a door: it may import
anything, and nothing imports it. A change of the table is a change of the architecture and needs a decision
record in ``docs/design``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hpspace"

MAY_IMPORT: dict[str, set[str]] = {
    "exceptions": set(),
    "graph": {"exceptions"},
    "dists": {"exceptions"},
    "space": {"exceptions", "graph", "dists", "hp"},
    "hp": {"exceptions", "graph", "dists", "space"},
    "history": {"exceptions", "space"},
    "suggest": {"exceptions", "dists", "space", "history"},
    "prune": {"exceptions", "space", "history"},
    "trials": {"exceptions", "graph", "space", "history", "prune"},
    "run": {"exceptions", "graph", "space", "history", "suggest", "prune", "trials"},
    "integrations": {"exceptions", "space", "hp", "trials", "run"},
    "cli": {"exceptions", "trials", "run"},
    "plot": {"exceptions", "space", "history", "trials"},
    "testing": {"exceptions", "graph", "dists", "space", "hp", "history", "suggest", "trials", "run"},
}

DOORS = {
    "__init__",
    "__main__",
    "anneal",
    "asha",
    "atpe",
    "base",
    "bohb",
    "criteria",
    "early_stop",
    "fmin",
    "graph_viz",
    "hyperband",
    "mix",
    "mongoexp",
    "plotting",
    "progress",
    "pyll",
    "pyll_utils",
    "rand",
    "rdists",
    "spark",
    "stop",
    "tpe",
    "utils",
}

#: Slow to import or optional: only ever imported inside the function that needs them.
IMPORTED_LATE = {
    "IPython",
    "bson",
    "catboost",
    "cloudpickle",
    "dask",
    "distributed",
    "fastai",
    "gridfs",
    "ignite",
    "joblib",
    "keras",
    "lightgbm",
    "lightning",
    "matplotlib",
    "networkx",
    "optuna",
    "pandas",
    "pymongo",
    "pyspark",
    "scipy.optimize",
    "scipy.stats",
    "pytorch_lightning",
    "skorch",
    "sklearn",
    "torch",
    "tqdm",
    "xgboost",
}

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    """Return the part that a dotted module name belongs to: ``hpspace.graph.node`` is of "graph"."""
    words = module.split(".")
    return words[1] if len(words) > 1 else "__init__"


def module_of(path: Path) -> str:
    words = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def imported_names(statement: ast.stmt, path: Path) -> list[str]:
    """Return the modules that one import statement reaches, in full and absolute."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if not isinstance(statement, ast.ImportFrom):
        return []
    base = statement.module or ""
    if statement.level:
        above = path.relative_to(ROOT).parent.parts
        base = ".".join([*above[: len(above) - statement.level + 1], *([base] if base else [])])
    whole = [f"{base}.{alias.name}" for alias in statement.names]
    return [name if is_module(name) or not base.startswith("hpspace") else base for name in whole]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for every import anywhere in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.stmt):
            yield from ((node.lineno, name) for name in imported_names(node, path))


def imports_at_module_level(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for the imports that run when the file is imported."""
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            yield from ((node.lineno, name) for name in imported_names(node, path))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))


def faults_of(path: Path) -> list[str]:
    """Return a line for each import of a file that the table does not allow."""
    here = part_of(module_of(path))
    if here in DOORS:
        return []
    allowed = MAY_IMPORT[here] | {here}
    found = ((line, name) for line, name in imports(path) if name.split(".")[0] == "hpspace")
    return [
        f"{path.relative_to(ROOT)}:{line}: {here} may not import {name}"
        for line, name in found
        if part_of(name) not in allowed
    ]


def test_every_file_has_a_place_in_the_table() -> None:
    """A new folder or module must be put into a layer, or be declared a door, before it can be used."""
    known = MAY_IMPORT.keys() | DOORS
    strangers = {str(path.relative_to(ROOT)) for path in FILES if part_of(module_of(path)) not in known}
    assert strangers == set()


def test_the_table_has_no_circle() -> None:
    """To import is a strict order: parts can be taken away one by one, each when all below it are gone.

    `hp` is the one part that is a file of its own for its name's sake; it belongs to the layer of `space`.
    """
    below = {part: allowed - {"hp"} for part, allowed in MAY_IMPORT.items() if part != "hp"}
    settled: set[str] = set()
    while ready := {part for part in below if part not in settled and below[part] <= settled}:
        settled |= ready
    assert settled == set(below)


@pytest.mark.parametrize("path", FILES, ids=lambda path: module_of(path))
def test_imports_follow_the_table(path: Path) -> None:
    """Lower never imports higher, and nothing imports a door."""
    assert faults_of(path) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: module_of(path))
def test_heavy_modules_are_imported_late(path: Path) -> None:
    """What is optional or slow to import is imported by the function that uses it, never by the module."""
    early = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for line, name in imports_at_module_level(path)
        if any(f"{name}.".startswith(f"{heavy}.") for heavy in IMPORTED_LATE)
    ]
    assert early == []


@pytest.mark.parametrize(
    ("place", "source", "complaint"),
    [
        ("graph", "from hpspace.dists.base import Distribution", "graph may not import hpspace.dists.base"),
        ("suggest", "from hpspace import tpe", "suggest may not import hpspace.tpe"),
        ("run", "from hpspace import fmin", "run may not import hpspace.fmin"),
        ("trials", "from ..run import loop", "trials may not import hpspace.run.loop"),
        ("space", "def f():\n    import hpspace", "space may not import hpspace"),
    ],
)
def test_the_checker_sees_a_breach(
    place: str, source: str, complaint: str, monkeypatch, tmp_path: Path
) -> None:
    """The walk itself is tested: absolute, relative, door, package and in-function imports are all seen."""
    for folder in ("graph", "dists", "suggest", "run", "trials", "space"):
        (tmp_path / "hpspace" / folder).mkdir(parents=True)
    for module in ("__init__", "tpe", "fmin", "dists/base", "run/loop", "run/__init__", "dists/__init__"):
        (tmp_path / "hpspace" / f"{module}.py").touch()
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    breach = tmp_path / "hpspace" / place / "breach.py"
    breach.write_text(source)
    (fault,) = faults_of(breach)
    assert fault.endswith(complaint)


@pytest.mark.parametrize(
    ("source", "early"),
    [
        ("import tqdm", ["tqdm"]),
        ("class A:\n    import tqdm", ["tqdm"]),
        ("try:\n    import tqdm\nexcept ImportError:\n    import bson", ["bson", "tqdm"]),
        ("class A:\n    def f(self):\n        import tqdm", []),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas", ["typing.TYPE_CHECKING"]),
    ],
)
def test_the_checker_tells_early_from_late(
    source: str, early: list[str], monkeypatch, tmp_path: Path
) -> None:
    """Class bodies and try blocks run at import time; functions and type-checking blocks do not."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(source)
    assert sorted(name for _, name in imports_at_module_level(path)) == early
