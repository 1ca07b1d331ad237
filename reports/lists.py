"""Lists of lines that several documents have: notices, what people vouch for, what changed since the last run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.baseline.drift import Drift
from checks.engine.acceptance.model import Attested
from checks.scan import Scan
from reports.document import Line, Section
from reports.findings.grouping import attested_line
from reports.findings.history_text import changes
from reports.text import one_line


def listed(
    key: str,
    title: str,
    lines: Iterable[Line],
    *,
    rest: str = "",
    level: int = 3,
    counted: bool = True,
    most: int | None = None,
) -> Iterator[Section]:
    """The lines as a section; none where there is no line."""
    if entries := tuple(lines):
        count = len(entries) if counted else None
        yield Section(key=key, title=title, rest=rest, level=level, count=count, entries=entries, most=most)


def notices(told: Iterable[str], *, level: int = 3) -> Iterator[Section]:
    """What a reader must know about how it was made."""
    return listed("notices", "Notices", (Line(text=one_line(each)) for each in told), level=level, counted=False)


def attested(heard: Iterable[Attested], *, level: int = 3) -> Iterator[Section]:
    """What people vouch for."""
    lines = (Line(text=attested_line(each)) for each in heard)
    return listed("attested", "Attested", lines, rest=", not checked", level=level)


def changed(done: Scan | Drift, *, most: int | None = None) -> Iterator[Section]:
    """What changed since the last run, by kind."""
    for change in changes(done):
        yield from listed("change", change.title, (Line(text=line) for line in change.lines), most=most)
