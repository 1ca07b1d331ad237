"""One thing at a time changed in a module: a comparison, an `and`, a number, what a function returns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Changed = ast.expr | ast.Return

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
_SILENT = {"repr", "doc", "title", "maxsize", "strict"}
"""Arguments: what is only said, how much is remembered, and that a `zip` has no lengths to differ."""
_TRIED = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant, ast.Return)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one module."""

    path: Path
    name: str
    """Of the module's file, from the top of the project."""
    text: bytes
    """Of the module as it was read: the file may be edited while its mutants are judged."""
    node: Changed
    changed: ast.AST
    lines: range
    """Of the statement, or of the head of it: a test that runs none of them does not meet the change."""
    in_function: bool
    """Or else what is changed is worked out when the module is imported."""

    def source(self) -> str:
        """The module with the change in it."""
        text = ast.unparse(self.changed)
        return _replaced(self.text, self.node, text if isinstance(self.node, ast.Return) else f"({text})")

    def __str__(self) -> str:
        before, after = (re.sub(r"\s+", " ", ast.unparse(node))[:70] for node in (self.node, self.changed))
        return f"{self.name}:{self.node.lineno}:{self.node.col_offset}: {before}  ->  {after}"


def mutants(path: Path, top: Path) -> Iterator[Mutant]:
    """Every change of a module that is tried."""
    name, text = str(path.relative_to(top)), path.read_bytes()
    for node, lines, inside in _places(ast.parse(text), range(0), in_function=False):
        for changed in _changes(node):
            yield Mutant(path=path, name=name, text=text, node=node, changed=changed, lines=lines, in_function=inside)


def _places(tree: ast.AST, lines: range, *, in_function: bool) -> Iterator[tuple[Changed, range, bool]]:
    if isinstance(tree, _TRIED):
        if isinstance(tree, ast.Return):
            lines = _span(tree)
        yield tree, lines, in_function
    for field, each in _parts(tree):
        inside = in_function or (isinstance(tree, _FUNCTIONS) and field == "body")
        if isinstance(each, ast.stmt) or not lines or _is_head(tree, field):
            yield from _places(each, _span(each), in_function=inside)
        else:
            yield from _places(each, lines, in_function=inside)


def _parts(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """All below it but what is only said: annotations, messages, and that a dataclass is frozen and its fields named.

    The type checker and the contract tests hold those.
    """
    if isinstance(tree, ast.JoinedStr) or (isinstance(tree, ast.keyword) and tree.arg in _SILENT):
        return
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns") or (isinstance(tree, ast.ClassDef) and field == "decorator_list"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield field, each


def _is_head(tree: ast.AST, field: str) -> bool:
    """Whether it stands at the head of a statement that has others in it, such as the condition of an `if`."""
    return field not in ("body", "orelse") and (
        isinstance(tree, ast.match_case | ast.ExceptHandler) or (isinstance(tree, ast.stmt) and hasattr(tree, "body"))
    )


def _span(tree: ast.AST) -> range:
    """Its lines; none are known of the few that have no place of their own, and then each part has its own."""
    if isinstance(tree, ast.stmt) and hasattr(tree, "body"):
        return range(0)
    first, last = getattr(tree, "lineno", None), getattr(tree, "end_lineno", None)
    return range(first, last + 1) if first is not None and last is not None else range(0)


def _changes(node: Changed) -> Iterator[ast.AST]:
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
    """As false as `None`: that it is not of the type which is promised is the type checker's to say."""
    if isinstance(value, ast.Call):
        return (
            not value.args and not value.keywords and ast.unparse(value.func) in ("dict", "frozenset", "set", "tuple")
        )
    if isinstance(value, ast.Constant):
        return not value.value
    return (isinstance(value, ast.Tuple | ast.List) and not value.elts) or (
        isinstance(value, ast.Dict) and not value.keys
    )


def _replaced(source: bytes, node: Changed, text: str) -> str:
    lines = source.splitlines(keepends=True)
    assert node.end_lineno is not None
    begin = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + (node.end_col_offset or 0)
    return (source[:begin] + text.encode("utf-8") + source[end:]).decode("utf-8")
