"""What the guide "Two sites, one scheduler" says of faults, case by case, and that every report says it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

from tests.live.dask_estate import PAGE, REPORTS

BEFORE, DURING, AFTER = "before the scan", "while nodes are asked", "when all have answered"
SECOND = "what the report says"
"""The columns of the one table, and that of the other."""

_played: set[tuple[str, str]] = set()


def plays(row: str, column: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Says which cell of the page's tables a test is of."""
    _played.add((row, column))
    return lambda test: test


def assert_played_whole(*columns: str) -> None:
    """Of every cell in these columns there is a test, and no test is of another."""
    assert {column for _, column in table()} == {BEFORE, DURING, AFTER, SECOND}
    assert {cell for cell in table() if cell[1] in columns} == {cell for cell in _played if cell[1] in columns}


def table() -> dict[tuple[str, str], str]:
    """The page's tables: what a report says, by what happens and when."""
    told: dict[tuple[str, str], str] = {}
    for found in re.findall(r"<!-- faults:begin -->\n(.*?)\n<!-- faults:end -->", PAGE, re.DOTALL):
        head, _, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in found.splitlines())
        told |= {(row[0], column): text for row in rows for column, text in zip(head[1:], row[1:], strict=True)}
    return told


def phrases(row: str, column: str) -> list[str]:
    """What the page says that a report says, as patterns."""
    quoted = re.findall(r"`([^`]+)`", table()[row, column])
    patterns = []
    for text in quoted:
        pattern = re.sub(r"(?<=\\ )\d+\\ nodes", r"\\d+\\ nodes?", re.escape(text)).replace(
            r"\ were\ ", r"\ (?:were|was)\ "
        )
        patterns.append(re.sub(r"\d+\\ s\b", r"[\\d.]+\\ s", pattern).replace(r"\.\.\.", ".*?"))
    return patterns


def text_of(inventory: Path, option: str) -> str:
    text = (inventory.parent / REPORTS[option]).read_text("utf-8")
    if option == "--html":
        text = re.sub(r"<[^>]*>", "", text)
    if option == "--markdown":
        text = re.sub(r"\\(?=[^\w\s])", "", text).replace("\u200b", "")
    return " ".join(html.unescape(text).split())


def assert_as_told(inventory: Path, row: str, column: str) -> None:
    """What the page says of the case stands in every report; a table of rows alone has no notices."""
    for pattern in phrases(row, column):
        for option in REPORTS:
            if option == "--csv" and any(sign in pattern for sign in ("once\\ more", "even\\ so")):
                continue
            said = text_of(inventory, option)
            assert re.search(pattern, said), (option, pattern, said[:5000])
