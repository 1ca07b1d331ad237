"""The trend of the last runs as shapes for the HTML page: a bar for each run, stacked from what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from checks.common.dataclass import dataclass
from checks.history.model import TREND_RUNS, TrendPoint
from reports.findings.history_text import moment

HEIGHT = 64
"""Of the bars, in the picture's own units."""
FOOT = 6
"""Of the strip below them, which shows each run's verdict."""
_STEP = 20
_BAR = 14
_GAP = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """One rectangle; `kind` is its class."""

    kind: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The bars, and the same in figures."""

    width: int
    height: int
    bar: int
    shapes: tuple[Shape, ...]
    most: int
    """Findings of the run that has most; the tallest bar."""
    rows: tuple[tuple[str, TrendPoint], ...]
    """When, and how many; the latest first."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A run's verdict a square, oldest on the left, small enough to stand in a table."""

    width: int
    paths: tuple[tuple[str, str], ...]
    """Class, and the squares that have it, as one path."""
    told: str
    """The same in words."""


def strip(points: Sequence[TrendPoint], most: int | None = None) -> Strip | None:
    """The last runs, all or `most` of them; None for fewer than two."""
    shown = points if most is None else points[-most:]
    if len(shown) < 2:
        return None
    paths: dict[str, list[str]] = {}
    for place, point in enumerate(shown):
        paths.setdefault(point.verdict.lower(), []).append(f"M{place * 5} 0h4v8h-4")
    counts = Counter(point.verdict for point in shown)
    told = f"last {len(shown)} runs: {', '.join(f'{number} {verdict}' for verdict, number in counts.items())}"
    return Strip(len(shown) * 5 - 1, tuple((f"t-{kind}", "".join(parts)) for kind, parts in paths.items()), told)


def trend_svg(points: Sequence[TrendPoint]) -> Picture | None:
    """The picture of two runs or more, oldest on the left; None for fewer, which are no trend."""
    if len(points) < 2:
        return None
    most = max(point.fail + point.error + point.warn for point in points)
    shapes = []
    for place, point in enumerate(points):
        x, top = place * _STEP, float(HEIGHT)
        for kind, number in (("fail", point.fail), ("error", point.error), ("warn", point.warn)):
            height = round(number * HEIGHT / max(1, most), 2)
            top -= height
            if number:
                shapes.append(Shape(f"t-{kind}", x, round(top, 2), height))
        shapes.append(Shape(f"t-{point.verdict.lower()}", x, HEIGHT + _GAP, FOOT))
    return Picture(
        width=TREND_RUNS * _STEP - (_STEP - _BAR),
        height=HEIGHT + _GAP + FOOT,
        bar=_BAR,
        shapes=tuple(shapes),
        most=most,
        rows=tuple((moment(point.started), point) for point in reversed(points)),
    )
