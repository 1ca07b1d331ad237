"""No assertion is true whatever happens: one of that kind is a test that cannot fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


def vacuous(source: str) -> list[str]:
    """The assertions in it that cannot fail, each with its line."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert) and _is_true(node.test)
    ]


def _is_true(test: ast.expr) -> bool:
    if isinstance(test, ast.BoolOp):
        return (any if isinstance(test.op, ast.Or) else all)(map(_is_true, test.values)) or _is_either(test)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_false(test.operand)
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
        return bool(getattr(test, "elts", None) or getattr(test, "keys", None))
    if isinstance(test, (ast.Lambda, ast.GeneratorExp, ast.JoinedStr)):
        return not isinstance(test, ast.JoinedStr) or any(isinstance(part, ast.Constant) for part in test.values)
    if isinstance(test, ast.Call):
        return _holds_for_any(test)
    return isinstance(test, ast.Compare) and all(_always(*pair) for pair in _pairs(test))


def _is_false(test: ast.expr) -> bool:
    if isinstance(test, ast.Constant):
        return not test.value
    return isinstance(test, (ast.Tuple, ast.List)) and not test.elts


def _is_either(test: ast.BoolOp) -> bool:
    """`x or not x`, `x == 1 or x != 1`."""
    told = {ast.unparse(one) for one in test.values}
    return isinstance(test.op, ast.Or) and any(
        ast.unparse(one.operand) in told
        for one in test.values
        if isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not)
    )


def _pairs(test: ast.Compare) -> Iterator[tuple[ast.expr, ast.cmpop, ast.expr]]:
    yield from zip([test.left, *test.comparators], test.ops, test.comparators, strict=False)


def _always(left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool:
    same = ast.unparse(left) == ast.unparse(right) and not any(isinstance(one, ast.Call) for one in ast.walk(left))
    if isinstance(op, (ast.Eq, ast.Is, ast.GtE, ast.LtE)) and same:
        return True
    if isinstance(op, ast.In):
        return _is_empty_text(left) or (
            isinstance(right, (ast.Tuple, ast.List, ast.Set))
            and any(ast.unparse(one) == ast.unparse(left) for one in right.elts)
        )
    if isinstance(op, ast.GtE):
        return _is_length(left) and _is_number(right, 0)
    if isinstance(op, ast.LtE):
        return _is_length(right) and _is_number(left, 0)
    return isinstance(op, ast.Gt) and _is_length(left) and isinstance(right, ast.UnaryOp)


def _holds_for_any(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("startswith", "endswith") and call.args:
        parts = call.args[0].elts if isinstance(call.args[0], ast.Tuple) else [call.args[0]]
        return any(map(_is_empty_text, parts))
    if name == "isinstance" and len(call.args) == 2:
        return isinstance(call.args[1], ast.Name) and call.args[1].id == "object"
    return (
        name in ("all", "any")
        and bool(call.args)
        and isinstance(call.args[0], ast.List)
        and name == "all"
        and (not call.args[0].elts)
    )


def _is_empty_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in ("", b"")


def _is_length(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "len"


def _is_number(value: ast.expr, number: int) -> bool:
    return isinstance(value, ast.Constant) and value.value == number


def test_no_assertion_of_the_tests_is_vacuous() -> None:
    found = [
        f"{path.relative_to(TOP)}:{told}"
        for folder in ("tests", "examples")
        for path in sorted((TOP / folder).rglob("*.py"))
        for told in vacuous(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "assert True",
        "assert (x, 'a message')",
        "assert x or True",
        "assert x or not x",
        "assert not []",
        "assert x.startswith(('a', ''))",
        "assert '' in x",
        "assert x in (x, y)",
        "assert x == x",
        "assert len(x) >= 0",
        "assert 0 <= len(x)",
        "assert len(x) > -1",
        "assert f'always {x}'",
        "assert isinstance(x, object)",
        "assert all([])",
        "assert (y for y in x)",
    ],
)
def test_one_of_each_kind_is_found(text: str) -> None:
    assert vacuous(text) == [f"1: {ast.unparse(ast.parse(text).body[0])}"]


@pytest.mark.parametrize(
    "text",
    [
        "assert x",
        "assert not x",
        "assert x or y",
        "assert x.startswith('a')",
        "assert 'a' in x",
        "assert len(x) >= 1",
        "assert f(x) == f(x)",
        "assert f'{x}'",
        "assert x in (y, z)",
    ],
)
def test_one_that_can_fail_is_not(text: str) -> None:
    assert vacuous(text) == []
