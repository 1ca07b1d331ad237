"""Numbers in sentences."""

from __future__ import annotations


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
