"""The package as a thing to install: what the wheel holds, and what the folder around it looks like."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hpspace"

TOP_LEVEL = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "docs",
    "hpspace",
    "notebooks",
    "pyproject.toml",
    "setup.cfg",
    "tests",
}
#: What building, installing and benchmarking leave behind; all of it ignored by git.
PRODUCTS = {"build", "dist", "hpspace.egg-info"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Build the wheel from a copy of the sources, so that no stale build folder can add to it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(PACKAGE, source / "hpspace", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = source.glob("hpspace-*.whl")
    return zipfile.ZipFile(built)


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_the_types_marker(wheel: zipfile.ZipFile) -> None:
    """A folder without ``__init__.py``, or a data file that is not declared, would be missing here."""
    sources = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py")} | {"hpspace/py.typed"}
    packed = {name for name in wheel.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert packed == sources


@pytest.mark.slow
def test_the_wheel_tells_its_license_and_needs(wheel: zipfile.ZipFile) -> None:
    """The metadata that an index shows: license file, supported Python, and exactly six requirements."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode())
    always = {
        re.split(r"[<>=;\s]", need)[0]
        for need in metadata.get_all("Requires-Dist", [])
        if "extra" not in need
    }
    assert always == {"numpy", "scipy", "networkx", "pymongo", "cloudpickle", "tqdm"}
    assert metadata["Requires-Python"] == ">=3.10"
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())


def test_version_is_the_one_of_the_metadata() -> None:
    """``hpspace.__version__`` and pyproject.toml cannot drift apart."""
    import hpspace

    (written,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert hpspace.__version__ == written == importlib.metadata.version("hpspace")


def test_changelog_names_the_version() -> None:
    (written,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert re.search(rf"^## \[{re.escape(written)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_folder_of_the_package_is_a_package() -> None:
    """A folder without ``__init__.py`` imports here, from the checkout, and is absent from a wheel."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_first_screen_of_the_readme_names_the_two_commands() -> None:
    """Whoever has just cloned the project reads 40 lines: they say how to see it run and how to test it."""
    first_screen = (ROOT / "README.md").read_text().splitlines()[:40]
    assert {"make demo", "make test"} <= {
        match for line in first_screen for match in re.findall(r"make \w+", line)
    }


def test_commands_in_the_documents_exist() -> None:
    """Each ``make <target>`` that a document names is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {
        target
        for path in documents
        if "_build" not in path.parts
        for target in re.findall(r"(?:`|^|\$ )make ([a-z]+)", path.read_text(), re.MULTILINE)
    }
    assert named <= targets


def test_the_top_level_holds_only_what_was_agreed() -> None:
    """The root stays readable: everything else has a folder to live in."""
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert names >= TOP_LEVEL
    assert names - TOP_LEVEL <= PRODUCTS


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_top_level_documents_lead_somewhere(name: str) -> None:
    """The documentation build checks the links of ``docs``; these three are read on the project's page too."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text())
    local = [target for target in targets if "://" not in target]
    assert local
    assert [target for target in local if not (ROOT / target).exists()] == []
