"""What is imported is declared, what is declared is imported, and the lock installs nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TOP = Path(__file__).parents[2]
ROOMS = ("checks", "reports", "scanner")
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(text) for text in texts] for name, texts in PROJECT["optional-dependencies"].items()}
LOCK = (TOP / "requirements.lock").read_text(encoding="utf-8")


@cache
def imported() -> dict[str, list[str]]:
    """Every foreign module's first name with where it is imported, at the top or late."""
    found: dict[str, list[str]] = {}
    for path in [
        TOP / "preflight_scanner.py",
        *(each for room in ROOMS for each in sorted((TOP / room).rglob("*.py"))),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            line = getattr(node, "lineno", 0)
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                names = [str(node.args[0].value)] if called in ("import_module", "__import__") else []
            for name in names:
                first = name.split(".")[0]
                if first not in sys.stdlib_module_names and first not in ROOMS:
                    found.setdefault(first, []).append(f"{path.relative_to(TOP)}:{line}")
    return found


@cache
def installed() -> Mapping[str, list[str]]:
    """By a module's first name the distributions that bring it; reads the lists of all that is installed."""
    return metadata.packages_distributions()


def distribution_of(module: str) -> set[str]:
    """The distributions that bring a module; its own name where none is installed that does."""
    return {canonicalize_name(name) for name in installed().get(module, [module])}


def behind(requirement: Requirement) -> set[str]:
    """What a requirement's own extras bring: `pyspnego[kerberos]` brings gssapi and krb5."""
    wanted = [Requirement(text) for text in metadata.requires(requirement.name) or ()]
    marked = [each for each in wanted if each.marker and "extra" in str(each.marker)]
    return {
        canonicalize_name(each.name)
        for each in marked
        if any(extra in str(each.marker) for extra in requirement.extras)
    }


def test_everything_imported_is_declared() -> None:
    optional = [each for group in EXTRAS.values() for each in group]
    declared: set[str] = {canonicalize_name(each.name) for each in [*NEEDED, *optional]}
    declared = declared.union(*(behind(each) for each in optional if each.extras))
    undeclared = {name: places for name, places in imported().items() if not distribution_of(name) & declared}
    assert undeclared == {}, "add them to pyproject.toml, or do without"


def test_everything_declared_is_imported() -> None:
    used = set().union(*(distribution_of(name) for name in imported()))
    declared = {
        canonicalize_name(each.name) for each in [*NEEDED, *(row for group in EXTRAS.values() for row in group)]
    }
    assert declared - used == set()


def test_what_an_extra_brings_is_imported_late() -> None:
    """Without the extra everything else still works."""
    optional = {canonicalize_name(each.name) for group in EXTRAS.values() for each in group}
    optional -= {canonicalize_name(each.name) for each in NEEDED}
    late = {name for name in imported() if distribution_of(name) & optional}
    assert late
    for room in ROOMS:
        for path in sorted((TOP / room).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.split(".")[0] for name in names} & late, f"{path.relative_to(TOP)}:{node.lineno}"


@pytest.mark.parametrize("requirement", [*NEEDED, *EXTRAS["tds"]], ids=lambda each: each.name)
def test_every_dependency_says_from_which_version_on(requirement: Requirement) -> None:
    assert [each for each in requirement.specifier if each.operator == ">="], "make test-lowest needs one"


def pinned() -> dict[str, Version]:
    return {
        canonicalize_name(name): Version(version)
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK, re.MULTILINE)
    }


@pytest.mark.parametrize("requirement", [*NEEDED, *EXTRAS["tds"]], ids=lambda each: each.name)
def test_the_lock_is_one_that_pyproject_allows(requirement: Requirement) -> None:
    version = pinned().get(canonicalize_name(requirement.name))
    assert version is not None, "run: make lock"
    assert version in requirement.specifier, "run: make lock"


def test_the_lock_has_a_hash_for_everything_and_names_no_server() -> None:
    rows = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(rows) == len(pinned()) >= len(NEEDED)
    for row in rows:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", row), row
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "--find-links" not in LOCK


def test_the_lock_has_what_its_packages_need() -> None:
    """As far as they are installed here: a package that was taken out by hand would be missed at the customer's."""
    pins = pinned()
    for name in pins:
        try:
            wanted = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for other systems only
            continue
        for each in map(Requirement, wanted):
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                assert canonicalize_name(each.name) in pins, f"{name} needs {each.name}; run: make lock"
