"""SECURITY.md names, for each promise, a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGE = (TOP / "SECURITY.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_each_promise_names_tests_that_are_there() -> None:
    promises = rows("What is promised")
    assert promises
    for promise, held_by in promises:
        file = ""
        named = re.findall(r"`([^`]+)`", held_by)
        assert named, promise
        for name in named:
            path, _, test = name.partition("::")
            file = path or file
            assert (TOP / file).is_file(), name
            text = (TOP / file).read_text(encoding="utf-8")
            assert f"def {test}(" in text if test else "def test_" in text, name


def test_everybody_who_is_trusted_is_told_what_not_with() -> None:
    assert all(len(row) == 3 and all(row) for row in rows("Who is trusted with what"))
