"""What is at a path is looked for in one place: pathlib raises where it may not even be looked for."""

from __future__ import annotations

import ast
from pathlib import Path

TOP = Path(__file__).parents[2]
RAISING = {"exists", "is_file", "is_dir", "is_symlink", "is_socket", "is_fifo", "is_mount", "is_junction", "expanduser"}
WITH_THE_PROGRAM = {
    "scanner/installation.py",
    "scanner/rule_data.py",
    "scanner/lab/scenario.py",
    "reports/render/page.py",
}
"""These look for what lies in packages."""
GUARDED = {"scanner/transports/ssh/hop.py"}


def looks(tree: ast.AST) -> list[int]:
    """The lines that ask a path itself: a call without arguments of a method of such a name."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in RAISING
        and not node.args
    ]


def test_no_path_of_a_user_s_is_asked_itself() -> None:
    files = [file for room in ("checks", "reports", "scanner") for file in (TOP / room).rglob("*.py")]
    found = {str(file.relative_to(TOP)): looks(ast.parse(file.read_text("utf-8"))) for file in files}
    assert {file for file, lines in found.items() if lines} == WITH_THE_PROGRAM | GUARDED


def test_such_a_look_is_found() -> None:
    assert looks(ast.parse("if path.exists(): pass")) == [1]
    assert not looks(ast.parse("exists(path); registry.exists(name)"))
