"""The pages that users read: README, and what lies in docs/."""

from __future__ import annotations

from pathlib import Path

TOP = Path(__file__).parents[1]
PAGES = (TOP / "README.md", *sorted((TOP / "docs").rglob("*.md")))


def user_pages() -> str:
    """All of them, one after the other."""
    return "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
