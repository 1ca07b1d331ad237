"""Documentation on a terminal: headings, paragraphs, lists and addresses, wrapped to its width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

_HEADING = re.compile(r"#{1,6} +(.+)")
_ITEM = re.compile(r"( *)([-*]|[0-9]+[.)]) +(.*)", re.DOTALL)
BOLD = "1"


def rendered(text: str, *, width: int, color: bool) -> Iterator[str]:
    """The Markdown of a docstring as lines: what is indented stays as it is, and nothing to copy is broken."""
    for number, block in enumerate(re.split(r"\n\s*\n", text.strip("\n"))):
        if number:
            yield ""
        lines = block.split("\n")
        while lines and (found := _HEADING.fullmatch(lines[0].strip())):
            yield painted(found[1], BOLD, color=color)
            lines.pop(0)
        if all(line.startswith("    ") for line in lines):
            yield from lines
            continue
        for part in _items(lines):
            item = _ITEM.fullmatch(part)
            mark = f"{item[1]}{item[2]} " if item else ""
            yield from wrapped(" ".join((item[3] if item else part).split()), width=width, first=mark)


def wrapped(text: str, *, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """One paragraph behind `first`; its other lines start with `rest`, or as far to the right."""
    return textwrap.wrap(
        text,
        max(width, len(first) + 20),
        initial_indent=first,
        subsequent_indent=" " * len(first) if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or ([first.rstrip()] if first else [])


def painted(text: str, code: str, *, color: bool) -> str:
    """The text in a colour or in bold, where there is a terminal that has them."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def _items(lines: list[str]) -> Iterator[str]:
    """The paragraph, or each item of a list."""
    part: list[str] = []
    for line in lines:
        if _ITEM.fullmatch(line) and part:
            yield "\n".join(part)
            part = []
        part.append(line)
    if part:
        yield "\n".join(part)
