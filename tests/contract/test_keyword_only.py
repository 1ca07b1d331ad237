"""Whoever builds something of many parts names them: two texts that change places are seen by no type checker."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
BY_PLACE = 4
"""How many fields may be given by their place."""


def fields(node: ast.ClassDef, known: dict[str, ast.ClassDef]) -> Iterator[str]:
    """What may be given by place to a dataclass, those of its bases in the same file first."""
    decorator = next(iter(decorators(node)), None)
    if decorator is None:
        return
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in known and base.id != node.name:
            yield from fields(known[base.id], known)
    if isinstance(decorator, ast.Call) and any(each.arg == "kw_only" for each in decorator.keywords):
        return
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            kind = ast.unparse(each.annotation)
            if kind.endswith("KW_ONLY"):
                return
            if not kind.startswith("ClassVar"):
                yield each.target.id


def decorators(node: ast.ClassDef) -> Iterator[ast.expr]:
    for each in node.decorator_list:
        if ast.unparse(each.func if isinstance(each, ast.Call) else each).endswith("dataclass"):
            yield each


def too_long(text: str) -> list[str]:
    classes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]
    known = {node.name: node for node in classes}
    found = ((node, list(fields(node, known))) for node in classes)
    return [f"{node.name}({', '.join(names)})" for node, names in found if len(names) > BY_PLACE]


@pytest.mark.parametrize("room", ["checks", "reports", "scanner"])
def test_more_than_four_parts_are_named(room: str) -> None:
    found = {
        path.relative_to(TOP).as_posix(): flaws
        for path in sorted((TOP / room).rglob("*.py"))
        if (flaws := too_long(path.read_text(encoding="utf-8")))
    }
    assert found == {}, "give @dataclass kw_only=True, or put `_: KW_ONLY` after the fields that nobody can mix up"


FIELDS = "    a: str\n    b: str\n    c: str\n    d: str\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"@dataclass\nclass A:\n{FIELDS}", []),
        (f"@dataclass\nclass A:\n{FIELDS}    e: str = ''\n", ["A(a, b, c, d, e)"]),
        (f"@dataclasses.dataclass(frozen=True)\nclass A:\n{FIELDS}    e: str\n", ["A(a, b, c, d, e)"]),
        (f"@dataclass(kw_only=True)\nclass A:\n{FIELDS}    e: str\n", []),
        (f"@dataclass\nclass A:\n{FIELDS}    _: KW_ONLY\n    e: str\n", []),
        (f"@dataclass\nclass A:\n{FIELDS}@dataclass\nclass B(A):\n    e: str\n", ["B(a, b, c, d, e)"]),
        (f"class A:\n{FIELDS}    e: str\n", []),
    ],
)
def test_what_may_be_given_by_place_is_counted(text: str, names: list[str]) -> None:
    assert too_long(text) == names
