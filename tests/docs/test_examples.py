"""Every Python block of the documents runs, in order, as one program per page.

A page is one namespace, as a reader who types along would have it. A block that shows an error on purpose is
fenced as ``python raises=NameOfTheException``; a block that is not meant to run is not fenced as ``python``.
Blocks written as a console session (``>>>``) are doctests: what they show is what comes out.
"""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpspace.pyll import scope

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    path
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    if "_build" not in path.parts and "```python" in path.read_text()
)
BLOCK = re.compile(r"^```python(?P<options>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """Return (line, options, code) of each Python block of a page."""
    text = page.read_text()
    return [
        (text.count("\n", 0, match.start("code")) + 1, match["options"].strip(), match["code"])
        for match in BLOCK.finditer(text)
    ]


def run_session(code: str, namespace: dict[str, Any], page: Path, line: int) -> None:
    """Run a ``>>>`` block; fail with doctest's own report when it shows something else."""
    test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line - 1)
    report: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)
    assert result.failed == 0, "".join(report)


def run_program(code: str, options: str, namespace: dict[str, Any], page: Path, line: int) -> None:
    """Run a plain block, its line numbers those of the page; expect the error that its fence announces."""
    program = compile("\n" * (line - 1) + code, str(page), "exec")
    if not options:
        exec(program, namespace)
        return
    name = options.removeprefix("raises=")
    with pytest.raises(Exception) as caught:
        exec(program, namespace)
    assert name in {cls.__name__ for cls in caught.type.__mro__}, repr(caught.value)


@pytest.fixture
def own_functions() -> Iterator[None]:
    """Forget the functions that a page gives to `scope.define`, a register of the whole process."""
    known = set(scope._impls)
    yield
    for name in set(scope._impls) - known:
        scope.undefine(name)


@pytest.mark.usefixtures("own_functions")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is run from top to bottom in an empty folder, where it may write files."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__page__"}
    for line, options, code in blocks(page):
        if code.lstrip().startswith(">>>"):
            run_session(code, namespace, page, line)
        else:
            run_program(code, options, namespace, page, line)


def test_pages_were_found() -> None:
    """A renamed folder or fence would otherwise leave nothing to run, silently."""
    names = {page.name for page in PAGES}
    assert {"README.md", "getting-started.md", "defining-search-spaces.md", "running-fmin.md"} <= names
    assert all(blocks(page) for page in PAGES)
