"""What earlier runs say of a scan, in the words that every format shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from checks.baseline.drift import Drift
from checks.common.dataclass import dataclass
from checks.history.model import TREND_RUNS, ClosedFinding, FindingAge, FindingKey, Flapping, ScanHistory
from checks.outcome import Result, Status
from checks.scan import Scan
from reports.text import count, one_line

_NAMES = 12
"""Places that one line names before it only counts."""


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of change since the last run, with a line for each check it concerns."""

    title: str
    lines: tuple[str, ...]


def history_formatter(scan: Scan) -> Callable[[Result], str]:
    """What to say of one result's past; "" where there is nothing to say."""
    tell = teller_of(scan.history)
    return lambda row: tell(FindingKey(row.check, row.cluster, row.node))


def teller_of(history: ScanHistory | None) -> Callable[[FindingKey], str]:
    """What to say of one subject's past; "" where there is nothing to say."""
    if history is None or history.last is None:
        return lambda _: ""
    standings = {standing.subject: standing for standing in history.standings}
    flapping = {flaps.subject: flaps for flaps in history.flapping}

    def tell(subject: FindingKey) -> str:
        standing, flaps = standings.get(subject), flapping.get(subject)
        parts = [_stands(standing)] if standing else []
        if flaps:
            parts.append(f"flapping: {_flaps(flaps)}")
        return ", ".join(parts)

    return tell


def history_line(done: Scan | Drift) -> str:
    """How a run differs from the one before, in one line; "" where no history is kept."""
    history = done.history
    if history is None:
        return ""
    if history.last is None:
        return "the first run in this history"
    new = sum(standing.new for standing in history.standings)
    parts = [f"{new or 'nothing'} new", f"{len(history.resolved) or 'nothing'} resolved"]
    if stays := len(history.standings) - new:
        parts.append(f"{stays} as before")
    if history.gone:
        parts.append(f"{len(history.gone)} not looked at any more")
    if history.flapping:
        parts.append(f"{len(history.flapping)} flapping")
    return f"since the run of {moment(history.last)}: {', '.join(parts)}"


def changes(done: Scan | Drift) -> tuple[Change, ...]:
    """What is not among the present findings and yet worth telling: resolved, no longer looked at, flapping."""
    history = done.history
    if history is None:
        return ()
    ended_as = _difference_ended if isinstance(done, Drift) else _finding_ended
    kinds = (
        ("Resolved", [(ended.subject, ended_as(ended)) for ended in history.resolved]),
        ("Not looked at any more", [(ended.subject, ended_as(ended)) for ended in history.gone]),
        ("Flapping", [(flaps.subject, _flaps(flaps)) for flaps in history.flapping]),
    )
    return tuple(Change(title, _lines(found)) for title, found in kinds if found)


def trend_line(scan: Scan) -> str:
    """The trend in words, for those who cannot see it; "" where there is none to see."""
    points = scan.history.trend if scan.history else ()
    if len(points) < 2:
        return ""
    first, last = points[0], points[-1]
    told = ", ".join(
        f"{name} from {before} to {after}"
        for name, before, after in (
            ("fail", first.fail, last.fail),
            ("error", first.error, last.error),
            ("warn", first.warn, last.warn),
        )
    )
    most = f" (the last {TREND_RUNS})" if len(points) == TREND_RUNS else ""
    return f"{count(len(points), 'run')}{most} from {moment(first.started)} to {moment(last.started)}: {told}"


def moment(when: datetime) -> str:
    """A time for readers."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _stands(standing: FindingAge) -> str:
    text = "new" if standing.new else _since(standing.since, standing.runs, open_start=standing.open_start)
    # Of what cannot be seen today, what was seen last matters most where it was bad.
    if standing.status is Status.ERROR and standing.before in (Status.FAIL, Status.WARN):
        return f"{text}, was {standing.before} when last seen"
    changed = (
        not standing.new and standing.status is not Status.ERROR and standing.before not in (None, standing.status)
    )
    return f"{text}, was {standing.before}" if changed else text


def _difference_ended(ended: ClosedFinding) -> str:
    since = _since(ended.since, ended.runs, open_start=ended.open_start)
    return f"was {one_line(ended.message.replace('-', ' '), 200)} {since}"


def _finding_ended(ended: ClosedFinding) -> str:
    since = _since(ended.since, ended.runs, open_start=ended.open_start)
    return f"was {ended.was} {since}: {one_line(ended.message, 200)}"


def _since(since: datetime, runs: int, *, open_start: bool) -> str:
    day = since.astimezone(UTC).strftime("%Y-%m-%d")
    return f"since {day}{' or before' if open_start else ''} ({count(runs, 'run')})"


def _flaps(flaps: Flapping) -> str:
    return f"{count(flaps.changes, 'change')} in {count(flaps.runs, 'run')}"


def _lines(found: Iterable[tuple[FindingKey, str]]) -> tuple[str, ...]:
    """One line for all places that have the same to say of one check."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for subject, said in found:
        grouped.setdefault((subject.check, said), []).append(_place(subject))
    return tuple(f"{one_line(check, 300)} on {_listed(places)}: {said}" for (check, said), places in grouped.items())


def _place(subject: FindingKey) -> str:
    name = subject.cluster if subject.node is None else f"{subject.cluster}/{subject.node}"
    return one_line(name, 200) or "the scan itself"


def _listed(places: Sequence[str]) -> str:
    kept = [*places[:_NAMES], f"{len(places) - _NAMES} more"] if len(places) > _NAMES + 1 else places
    return ", ".join(kept)
