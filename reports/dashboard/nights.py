"""Nights as a strip of marks that differ in shape as well as in colour, and the same in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from checks.common.dataclass import dataclass
from checks.history.fleet import Night
from reports.text import count

STEP = 6
HEIGHT = 16
_SHAPES = {
    # The worse, the taller; what did not happen is no block at all.
    "go": "{x} 11h5v5h-5z",
    "no-go": "{x} 0h5v16h-5z",
    "unknown": "{x} 4h5v4h-5zM{x} 10h5v6h-5z",
    "missed": "{x} 7h5v2h-5z",
}
_WORDS = {"go": "GO", "no-go": "NO-GO", "unknown": "UNKNOWN", "missed": "a run that did not happen"}
_NAMED = 6
"""Rows of days that the words name before they only count."""


@dataclass(frozen=True, slots=True)
class NightStrip:
    """Every night's mark, the oldest on the left."""

    width: int
    paths: tuple[tuple[str, str], ...]
    """Class, and all marks that have it, as one path."""
    told: str


def night_strip(nights: Sequence[Night]) -> NightStrip:
    """The picture of these days."""
    paths: dict[str, list[str]] = {}
    for place, night in enumerate(nights):
        if night.mark:
            paths.setdefault(night.mark, []).append("M" + _SHAPES[night.mark].format(x=place * STEP))
    return NightStrip(
        len(nights) * STEP - 1, tuple((f"t-{mark}", "".join(parts)) for mark, parts in paths.items()), _told(nights)
    )


def key(mark: str) -> str:
    """One mark alone, for the legend."""
    return "M" + _SHAPES[mark].format(x=0)


def _told(nights: Sequence[Night]) -> str:
    counts = Counter(night.mark for night in nights if night.mark)
    if not counts:
        return f"no run in {count(len(nights), 'night')}"
    parts = [_counted(mark, counts[mark], nights) for mark in ("no-go", "unknown", "missed", "go") if counts[mark]]
    return f"{count(len(nights), 'night')}: {'; '.join(parts)}"


def _counted(mark: str, number: int, nights: Sequence[Night]) -> str:
    text = f"{number} {_WORDS[mark]}"
    return text if mark == "go" else f"{text} ({spans([night.day for night in nights if night.mark == mark])})"


def spans(days: Sequence[date]) -> str:
    """Days in words, those in a row as one: `2026-03-02 to 2026-03-04, 2026-03-09`."""
    rows: list[list[date]] = []
    for day in days:
        if rows and (day - rows[-1][-1]).days == 1:
            rows[-1].append(day)
        else:
            rows.append([day])
    told = [f"{row[0]} to {row[-1]}" if len(row) > 1 else str(row[0]) for row in rows]
    # The latest ones matter most.
    return ", ".join([f"{len(told) - _NAMED} times before", *told[-_NAMED:]] if len(told) > _NAMED + 1 else told)
