"""What a check's documentation says under one of its headings."""

from __future__ import annotations

import re

WHY = "Why it matters"
_HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)


def section(doc: str, heading: str) -> str:
    """The text below `## HEADING`, its paragraphs on a line each; empty where there is no such heading."""
    parts = _HEADING.split(doc)
    found = next((body for name, body in zip(parts[1::2], parts[2::2], strict=True) if name == heading), "")
    return "\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", found) if part.strip())
