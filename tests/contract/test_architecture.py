"""ARCHITECTURE.md tells no tales: what it names is there, and its ten questions are answered by one search each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGE = (TOP / "ARCHITECTURE.md").read_text(encoding="utf-8")
ROOMS = ("checks", "reports", "scanner")


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


QUESTIONS = [(question, pattern.strip("`"), answer.strip(" `|")) for question, pattern, answer in rows("Ten questions")]


@pytest.mark.parametrize(("question", "pattern", "answer"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
def test_the_first_search_finds_the_answer(question: str, pattern: str, answer: str) -> None:
    wanted = re.compile(pattern, re.MULTILINE)
    found = [
        path.relative_to(TOP).as_posix()
        for room in ROOMS
        for path in sorted((TOP / room).rglob("*.py"))
        if wanted.search(path.read_text(encoding="utf-8"))
    ]
    assert found == [answer], question


def test_there_are_ten() -> None:
    assert len(QUESTIONS) == 10


def test_what_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:checks|reports|scanner|tests)/[^`]*)`", PAGE))
    assert len(named) > 15
    # A word in capitals stands for any: PRODUCT, DOCUMENT, TOPIC.
    assert [name for name in sorted(named) if not any(TOP.glob(re.sub(r"\b[A-Z]{4,}\b", "*", name).rstrip("/")))] == []


def test_every_room_has_its_row() -> None:
    named = " ".join(row[0] for row in rows("Rooms"))
    folders = [path for path in (TOP / "scanner").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [path.name for path in folders if f"`scanner/{path.name}/`" not in named] == []
