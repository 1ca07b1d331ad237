"""One enum holds what a process may end with, and nothing else says a number."""

from __future__ import annotations

import ast
from pathlib import Path

import preflight_scanner
import scanner.cli
from checks import scan
from checks.baseline import drift
from checks.exit_codes import ExitCode
from scanner.cli.process import defects

TOP = Path(__file__).parents[2]
ENDS = {"Exit", "exit", "_exit", "exit_now", "leave", "end"}
"""typer.Exit, sys.exit, os._exit, and our own."""


def test_what_may_not_ask_the_enum_agrees_with_it() -> None:
    assert (scanner.cli.INTERRUPTED, scanner.cli.USAGE) == (ExitCode.INTERRUPTED, ExitCode.USAGE)
    assert (preflight_scanner.USAGE, preflight_scanner.DEFECT) == (ExitCode.USAGE, ExitCode.DEFECT)
    assert defects.DEFECT == ExitCode.DEFECT


def test_every_verdict_has_a_code() -> None:
    assert scan.EXIT_CODES.keys() == set(scan.Verdict)
    assert drift.EXIT_CODES.keys() == set(drift.DriftVerdict)
    assert {*scan.EXIT_CODES.values()} == {*drift.EXIT_CODES.values()} == {code for code in ExitCode if code.is_answer}


def test_the_numbers_are_for_ever() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "GO": 0,
        "NO_GO": 1,
        "USAGE": 2,
        "UNKNOWN": 3,
        "DEFECT": 70,
        "INTERRUPTED": 130,
    }


def test_one_place_ends_the_commands() -> None:
    """Which code wins where several could be said is decided there, and by no command for itself."""
    elsewhere = []
    for folder in ("commands", "output"):
        for path in sorted((TOP / "scanner" / "cli" / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            ends = [word for word in ("typer.Exit(", "sys.exit(", "exit_now(", "SystemExit") if word in text]
            if ends and path.name not in ("ending.py", "streams.py"):
                elsewhere.append(f"{path.name}: {', '.join(ends)}")
    assert elsewhere == []


def test_nothing_ends_with_a_number_of_its_own() -> None:
    numbers = []
    for path in sorted((TOP / "scanner").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ENDS and any(isinstance(part, ast.Constant) for part in node.args):
                numbers.append(f"{path.relative_to(TOP)}:{node.lineno}")
    assert numbers == []
