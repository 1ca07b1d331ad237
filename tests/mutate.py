"""How much of `checks/` the tests of `checks/` hold: `python -m tests.mutate [--most N] [--seed N] [MODULE]...`.

One thing at a time is changed in a module (a comparison, an `and`, a number, what a function returns), as it is
imported and never on the disk, and the tests that import it are run, then all of `tests/test_checks`. A change that no
test notices is told with its place: a test is missing there, or the code says something that makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import importlib.machinery
import io
import os
import re
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import pytest

TOP = Path(__file__).parents[1]
TESTS = TOP / "tests" / "test_checks"
_LIMIT_S = 600
"""Of the processor, for all tests of one mutant: one that takes more loops, and was noticed. Waiting is none of it."""
_SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_SILENT = {"repr", "doc", "title"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    path: Path
    node: ast.expr | ast.Return
    changed: ast.AST

    @property
    def source(self) -> str:
        """The module with the change in it."""
        return _replaced(self.path.read_text(encoding="utf-8"), self.node, ast.unparse(self.changed))

    def __str__(self) -> str:
        before, after = (_short(ast.unparse(node)) for node in (self.node, self.changed))
        return f"{self.path.relative_to(TOP)}:{self.node.lineno}: {before}  ->  {after}"


def mutants(path: Path) -> Iterator[Mutant]:
    """Every change of a module that is tried."""
    for node in _judging(ast.parse(path.read_text(encoding="utf-8"))):
        for changed in _changes(node):
            yield Mutant(path, node, changed)


def _judging(tree: ast.Module) -> Iterator[ast.expr | ast.Return]:
    """What may be changed: no annotation, nothing that is only said, and no decorator of a class."""
    told: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            told.update(ast.walk(node))
        elif isinstance(node, ast.FunctionDef):
            told.update(each for each in (node.returns, *(arg.annotation for arg in node.args.args)) if each)
        elif isinstance(node, ast.AnnAssign):
            told.update(ast.walk(node.annotation))
        elif isinstance(node, ast.ClassDef):
            # That a dataclass is frozen and its fields are named: the type checker and the contract tests hold it.
            told.update(each for decorator in node.decorator_list for each in ast.walk(decorator))
        elif isinstance(node, ast.keyword) and node.arg in _SILENT:
            told.update(ast.walk(node.value))
    for node in ast.walk(tree):
        if node not in told and isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant, ast.Return)):
            yield node


def _changes(node: ast.expr | ast.Return) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for at, op in enumerate(node.ops):
            ops = [*node.ops[:at], _SWAPPED[type(op)](), *node.ops[at + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Return) and node.value is not None and not _is_nothing(node.value):
        yield ast.Return(ast.Constant(None))


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _replaced(source: str, node: ast.expr | ast.Return, text: str) -> str:
    lines = source.encode("utf-8").splitlines(keepends=True)
    assert node.end_lineno is not None
    begin = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + (node.end_col_offset or 0)
    whole = b"".join(lines)
    wrapped = text if isinstance(node, ast.Return) else f"({text})"
    return (whole[:begin] + wrapped.encode("utf-8") + whole[end:]).decode("utf-8")


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:70]


def tests_of(path: Path) -> list[str]:
    """The tests that import the module, or one that imports it."""
    name = _dotted(path)
    users = {name, *(_dotted(each) for each in (TOP / "checks").rglob("*.py") if name in _imports(each))}
    return [str(each) for each in sorted((TOP / "tests").rglob("test_*.py")) if users & _imports(each)]


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts)


@cache
def _imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found)


def is_noticed(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Whether a test fails with it. Run in a process of its own, in which the module is imported so."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (_LIMIT_S, _LIMIT_S))
        os._exit(_run(mutant, tests))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != 0


def _run(mutant: Mutant, tests: Sequence[str]) -> int:
    loaded = importlib.machinery.SourceFileLoader.get_code
    target, code = str(mutant.path), mutant.source

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> object:
        if self.path == target:
            return compile(code, target, "exec", dont_inherit=True)
        return loaded(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]  # of this process
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", "--no-header", "--no-summary"]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            return int(pytest.main([*options, *tests]))
        except BaseException:  # noqa: BLE001  whatever ends the tests, the change was noticed
            return 1


def sampled(paths: Sequence[Path], most: int, seed: int) -> list[Mutant]:
    """`most` of all mutants, the same for the same seed; all of them for 0."""
    every = [mutant for path in paths for mutant in mutants(path)]
    if not 0 < most < len(every):
        return every
    return sorted(Random(seed).sample(every, most), key=lambda mutant: (mutant.path, mutant.node.lineno))


def main(arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Tell the survivors and the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description="Mutate checks/, and run its tests.")
    parser.add_argument("modules", nargs="*", type=Path, help="files below checks/; all without one")
    parser.add_argument("--most", type=int, default=160, help="how many mutants; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", type=int, default=1, help="several processes share the sample, each with its part")
    parser.add_argument("--part", type=int, default=1, help="which part is this one's, from 1")
    chosen = parser.parse_args(arguments)
    paths = [path.resolve() for path in chosen.modules] or sorted((TOP / "checks").rglob("*.py"))
    counts: Counter[str] = Counter()
    for number, mutant in enumerate(sampled(paths, chosen.most, chosen.seed)):
        if number % chosen.parts != chosen.part - 1:
            continue
        near = tests_of(mutant.path)
        noticed = bool(near) and is_noticed(mutant, near)
        noticed = noticed or is_noticed(mutant, [str(TESTS)])
        counts["noticed" if noticed else "not noticed"] += 1
        if not noticed:
            say(f"not noticed: {mutant}")
    whole = counts.total()
    say(f"{counts['noticed']} of {whole} mutants noticed: {100 * counts['noticed'] // max(whole, 1)} %")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], lambda line: print(line, flush=True)))  # noqa: T201  a program of its own
