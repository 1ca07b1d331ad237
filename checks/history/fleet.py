"""Many clusters seen through the histories of their runs: how each stands, how old that is, and what did not happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from checks.common.dataclass import dataclass
from checks.history.kept import SCAN, Kept, Latest, PastScan, Said, Word
from checks.history.model import FindingAge, Flapping, TrendPoint
from checks.history.rhythm import Rhythm, rhythm
from checks.outcome import Result, Severity, Status
from checks.scan import Verdict, gravest, verdict_of

NEW_DAYS = 7
"""What began within so many days is new this week."""
ENDS_DAYS = 30
"""Words of people that end within so many days are told."""
STALE_DAYS = 7
"""A verdict of which nobody knows when the next one is due is old after so many days."""


@dataclass(frozen=True, slots=True)
class Night:
    """One day of a cluster, in UTC."""

    day: date
    mark: str
    """"go", "no-go", "unknown"; "missed" where a run was due; empty where nothing was due, or known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a cluster now."""

    standing: FindingAge
    message: str
    new: bool
    """Whether it began within the last `NEW_DAYS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cluster."""

    source: str
    inventory: str
    name: str
    said: Said
    run: PastScan
    """That the verdict is of."""
    since: datetime
    """Start of the first run of the unbroken row with this verdict."""
    row_of: int
    """Runs in that row."""
    open_start: bool
    """Whether the row reaches back to the first run that is known."""
    stale: str
    """Why the verdict says little of today; empty where it is as young as can be expected."""
    last_go: datetime | None
    last_good: datetime | None
    """The last run that reached all nodes and came to a verdict."""
    nights: tuple[Night, ...]
    findings: tuple[Finding, ...]
    flapping: tuple[Flapping, ...]
    trend: tuple[TrendPoint, ...]
    words: tuple[Word, ...]
    words_known: bool
    """Whether the latest run kept such words."""
    runs: tuple[tuple[PastScan, Said], ...]
    """Newest first, those that asked something else among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The runs of one question, and whether they still happen."""

    source: str
    inventory: str
    command: str
    asked: str
    rhythm: Rhythm | None
    last: datetime
    missed: tuple[date, ...]
    """Days on which one was due, within the days that are shown."""
    overdue: bool
    """Whether the last that was due did not happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All clusters, at one moment."""

    now: datetime
    days: tuple[date, ...]
    """Those that are shown, oldest first."""
    rows: tuple[Row, ...]
    """By history, inventory and name, as these came."""
    beats: tuple[Beat, ...]
    words: tuple[tuple[Kept, Word], ...]
    """That end within `ENDS_DAYS`, or have ended; the first to end first."""
    loose: tuple[tuple[Kept, Finding], ...]
    """What is wrong with a scan itself, and belongs to no cluster."""

    @property
    def verdict(self) -> Verdict:
        """The gravest of them; an old GO is none."""
        return gravest(
            Verdict.UNKNOWN if row.stale and row.said.verdict is Verdict.GO else row.said.verdict for row in self.rows
        )


def recorded_verdict(said: Iterable[tuple[str, Status]], *, strict: bool = False, partial: bool = False) -> Verdict:
    """The verdict over checks and statuses, for runs that did not record it by cluster."""
    rows = (
        Result(check=check, title="", severity=Severity.LOW, cluster="", node=None, status=status, message="")
        for check, status in said
    )
    return verdict_of(rows, strict=strict, partial=partial)


def fleet(kept: Sequence[Kept], now: datetime, nights: int) -> Fleet:
    """How all clusters of these histories stand `now` (aware, UTC), seen over so many days."""
    days = tuple(now.date() - timedelta(days=number) for number in reversed(range(nights)))
    rows: list[Row] = []
    beats: list[Beat] = []
    for one in kept:
        mine = [_beat(one, runs, now, days) for runs in _questions(one)]
        rows += _rows(one, [(beat, runs) for beat, runs in zip(mine, _questions(one), strict=True)], now, days)
        # What was looked at but once or twice, or has long been replaced, is nobody's plan.
        beats += [beat for beat in mine if beat.rhythm and (beat.missed or beat.last.date() >= days[0])]
    limit = now.date() + timedelta(days=ENDS_DAYS)
    words = [(one, word) for one in kept for word in one.words if word.expires <= limit]
    loose = [
        (one, _finding(standing, latest, now))
        for one in kept
        for latest in one.latest
        if latest.run is _last_scan(one)
        for standing in latest.history.standings
        if not standing.subject.cluster and standing.status is not Status.WAIVED
    ]
    return Fleet(
        now=now,
        days=days,
        rows=tuple(rows),
        beats=tuple(beats),
        words=tuple(sorted(words, key=lambda w: w[1].expires)),
        loose=tuple(loose),
    )


def _last_scan(kept: Kept) -> PastScan | None:
    return next((run for run in reversed(kept.runs) if run.command == SCAN and run.whole), None)


def _questions(kept: Kept) -> list[list[PastScan]]:
    """The runs by what they ask, oldest first."""
    found: dict[tuple[object, ...], list[PastScan]] = {}
    for run in kept.runs:
        found.setdefault((run.command, *run.series, run.scope), []).append(run)
    return list(found.values())


def _beat(kept: Kept, runs: Sequence[PastScan], now: datetime, days: Sequence[date]) -> Beat:
    last = runs[-1]
    starts = [run.started for run in runs]
    beat = rhythm(starts)
    covered = _covered(kept, runs)
    missed = [day for day in beat.missed(now, starts) if day not in covered] if beat else []
    overdue = any(day > last.started.date() for day in missed)
    shown = tuple(day for day in missed if day >= days[0])
    return Beat(
        source=kept.source,
        inventory=kept.inventory,
        command=last.command,
        asked=last.asked,
        rhythm=beat,
        last=last.started,
        missed=shown,
        overdue=overdue,
    )


def _covered(kept: Kept, runs: Sequence[PastScan]) -> set[date]:
    """The days on which other questions looked at all that this one looks at: it may have been replaced by them."""
    wanted = set(runs[-1].clusters)
    seen: dict[date, set[str]] = {}
    whole: set[date] = set()
    for run in kept.runs:
        same = (run.series, run.scope) == (runs[-1].series, runs[-1].scope)
        if run.command != runs[-1].command or same or run.partial or not run.whole:
            continue
        seen.setdefault(run.started.date(), set()).update(run.clusters)
        if not run.scope:
            whole.add(run.started.date())
    return whole | {day for day, names in seen.items() if wanted and wanted <= names}


def _rows(
    kept: Kept, beats: Sequence[tuple[Beat, Sequence[PastScan]]], now: datetime, days: Sequence[date]
) -> Iterable[Row]:
    by_cluster: dict[str, list[tuple[PastScan, Said]]] = {}
    complete: PastScan | None = None
    for run in kept.runs:
        if run.command != SCAN or not run.whole:
            continue
        for name, said in run.clusters.items():
            if name:
                by_cluster.setdefault(name, []).append((run, said))
        if not run.partial and run.every_cluster:
            complete = run
    for name, runs in by_cluster.items():
        # A run over the whole inventory that came later did not know it: it was taken out.
        if complete and complete.started > runs[-1][0].started:
            continue
        yield _row(kept, name, runs, [beat for beat in beats if name in beat[1][-1].clusters], now, days)


def _row(
    kept: Kept,
    name: str,
    runs: Sequence[tuple[PastScan, Said]],
    beats: Sequence[tuple[Beat, Sequence[PastScan]]],
    now: datetime,
    days: Sequence[date],
) -> Row:
    # What is asked night after night is the question; somebody's single run with other options does not answer it.
    made = Counter(run.series for run, _ in {(run.series, run.started.date()): (run, 0) for run, _ in runs}.values())
    series = max(made, key=lambda one: (made[one], max(run.started for run, _ in runs if run.series == one)))
    mine = [(run, said) for run, said in runs if run.series == series]
    run, said = mine[-1]
    row = 1
    while row < len(mine) and mine[-1 - row][1].verdict is said.verdict:
        row += 1
    seen = {one.started.date() for one, _ in runs}
    missed = {day for beat, asked in beats if asked[-1].whole for day in beat.missed} - seen
    latest = next((one for one in kept.latest if one.run is run), None)
    standings = latest.history.standings if latest else ()
    flapping = latest.history.flapping if latest else ()
    return Row(
        source=kept.source,
        inventory=kept.inventory,
        name=name,
        said=said,
        run=run,
        since=mine[-row][0].started,
        row_of=row,
        open_start=row == len(mine),
        stale=_stale(run, [beat for beat, asked in beats if asked[-1].whole], missed, now),
        last_go=next((one.started for one, what in reversed(mine) if what.verdict is Verdict.GO), None),
        last_good=next((one.started for one, what in reversed(mine) if _good(one, what)), None),
        nights=tuple(_nights(runs, series, missed, days)),
        findings=tuple(
            _finding(standing, latest, now) for standing in standings if latest and standing.subject.cluster == name
        ),
        flapping=tuple(flaps for flaps in flapping if flaps.subject.cluster == name),
        trend=latest.history.by_cluster.get(name, ()) if latest else (),
        words=tuple(word for word in kept.words if word.cluster in ("", name)),
        words_known=kept.words_known,
        runs=tuple(reversed(runs)),
    )


def _good(run: PastScan, said: Said) -> bool:
    return said.reached and not run.partial and said.verdict is not Verdict.UNKNOWN


def _stale(run: PastScan, beats: Sequence[Beat], missed: Iterable[date], now: datetime) -> str:
    late = sorted(day for day in missed if day > run.started.date())
    if late:
        return f"no run since; {len(late)} {'was' if len(late) == 1 else 'were'} due"
    if not any(beat.rhythm for beat in beats) and now - run.started > timedelta(days=STALE_DAYS):
        return f"older than {STALE_DAYS} days"
    return ""


def _nights(
    runs: Sequence[tuple[PastScan, Said]],
    series: tuple[object, ...],
    missed: Iterable[date],
    days: Sequence[date],
) -> Iterable[Night]:
    marks: dict[date, str] = dict.fromkeys(missed, "missed")
    # The last run of a day tells how things are; one with other options only where there is no other.
    for usual in (False, True):
        for run, said in runs:
            if usual == (run.series == series):
                marks[run.started.date()] = str(said.verdict).lower()
    return (Night(day, marks.get(day, "")) for day in days)


def _finding(standing: FindingAge, latest: Latest, now: datetime) -> Finding:
    since = standing.since.astimezone(UTC)
    waived = standing.status is Status.WAIVED
    new = not (waived or standing.open_start) and now - since < timedelta(days=NEW_DAYS)
    return Finding(standing, latest.messages.get(standing.subject, ""), new)
