"""Mutants judged in a process that imports the module with the change in it: for what is worked out at import.

That takes seconds for each, and not tenths of one.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import resource
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from tests.mutate.changes import Mutant
from tests.mutate.copies import in_a_copy
from tests.mutate.results import Results
from tests.mutate.warm import OPTIONS, Way, quietly, steady

_LIMIT_S = 600
"""Of the processor, for all tests: one that takes more loops, and was noticed. Waiting is none of it."""


def import_ahead(names: Iterable[str]) -> None:
    """Import what others wrote once, and not again for each mutant."""
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


def judge(mutant: Mutant, way: Way, results: Results) -> None:
    """The tests that import the module first, or one that imports it, and then the others."""
    near = tests_of(mutant.path, way)
    rest = [str(path) for path in way.tests if str(path) not in near]
    further = [*rest, *(f"--ignore={path}" for path in near)]
    said = (_run(mutant, way.top, near) if near else "") or (_run(mutant, way.top, further) if rest else "")
    results.add(mutant, said or "none of all tests", noticed=bool(said))


def tests_of(path: Path, way: Way) -> list[str]:
    """The tests that import the module, or one that imports it."""
    name = _dotted(path, way.top)
    users = {name, *(_dotted(each, way.top) for each in way.product.rglob("*.py") if name in _imports(each))}
    every = (each for path in way.tests for each in (path.rglob("test_*.py") if path.is_dir() else [path]))
    return [str(each) for each in sorted(set(every)) if users & _imports(each)]


def _dotted(path: Path, top: Path) -> str:
    return ".".join(path.relative_to(top).with_suffix("").parts)


@cache
def _imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found)


class _First:
    """The first that failed: a test, or a module that could not be imported."""

    failed = ""

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        steady(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._keep(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._keep(report)

    def _keep(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def _run(mutant: Mutant, top: Path, arguments: Sequence[str]) -> str:
    """What noticed it, in a process of its own."""

    def tried() -> tuple[int, str]:
        resource.setrlimit(resource.RLIMIT_CPU, (_LIMIT_S, _LIMIT_S))
        _import_with(mutant)
        first = _First()
        code, _ = quietly(lambda: pytest.main(["-x", *OPTIONS, f"--rootdir={top}", *arguments], plugins=[first]))
        passed = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        return 0, first.failed or ("" if passed else f"pytest ended with {code}")

    status, said = in_a_copy(tried, broken=(0, "whatever ends the tests notices it"))
    return said or ("it took too long" if status else "")


def _import_with(mutant: Mutant) -> None:
    loaded = importlib.machinery.SourceFileLoader.get_code
    target, code = str(mutant.path), mutant.source()

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> object:
        if self.path == target:
            return compile(code, target, "exec", dont_inherit=True)
        return loaded(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]  # of this process
