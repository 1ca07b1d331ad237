"""The glossary's terms stand where it says, and each of them once."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<term>.+?) \| (?P<meaning>.+?) \| `(?P<file>[^`]+)` \|$")
GLOSSARY = (TOP / "CONTRIBUTING.md").read_text("utf-8").partition("## Glossary")[2].partition("\n## ")[0]
TERMS = [found.groupdict() for line in GLOSSARY.splitlines() if (found := ROW.match(line))]
NAMES = [(name, row["file"]) for row in TERMS for name in re.findall(r"`(\w+)`", f"{row['term']} {row['meaning']}")]


@cache
def defined() -> dict[str, list[str]]:
    """Each name of a class or of a type to the files that define it."""
    found: dict[str, list[str]] = {}
    for room in ("checks", "reports", "scanner"):
        for path in sorted((TOP / room).rglob("*.py")):
            for name in re.findall(r"^(?:class )?([A-Z]\w*)(?: = |[(:])", path.read_text("utf-8"), re.MULTILINE):
                found.setdefault(name, []).append(str(path.relative_to(TOP)))
    return found


def test_the_glossary_is_read() -> None:
    assert len(TERMS) > 40
    assert len({row["term"] for row in TERMS}) == len(TERMS)


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row["term"])
def test_a_term_names_a_file_that_is_there(row: dict[str, str]) -> None:
    assert list(TOP.glob(row["file"].replace("PRODUCT", "*"))), row


@pytest.mark.parametrize(("name", "file"), [(name, file) for name, file in NAMES if name[0].isupper()])
def test_what_is_named_is_defined_there_and_nowhere_else(name: str, file: str) -> None:
    assert defined()[name] == [file]
