"""The present results held against earlier runs: since when, what is new, what was resolved, what flaps.

A result is *there* (fail, warn, waived), *clear* (pass, not applicable) or *blind* (error, not evaluated). A run that
was blind says nothing about a finding: it neither ends nor starts it. What a narrowed or an interrupted run was blind
for counts as not looked at, because that run did not mean to see everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from checks.common.dataclass import dataclass
from checks.history.fleet import recorded_verdict
from checks.history.model import TREND_RUNS, ClosedFinding, FindingAge, FindingKey, Flapping, ScanHistory, TrendPoint
from checks.outcome import Result, Status
from checks.scan import CONNECTIVITY, Verdict, gravest

FLAPPING_CHANGES = 3
"""So many changes of status, or more, are called flapping: a fault that came, went and came again."""
FLAPPING_RUNS = 10
"""Changes are counted over the last so many runs that judged the result, the present one included."""

_THERE = frozenset({Status.FAIL, Status.WARN, Status.WAIVED})


@dataclass(frozen=True, slots=True)
class Entry:
    """What one run said of one subject."""

    status: Status
    judged: bool
    """False for every error and for what was not evaluated."""
    message: str = ""

    @property
    def there(self) -> bool:
        """Whether it is a finding."""
        return self.judged and self.status in _THERE


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run, as far as later ones want to know it."""

    started: datetime
    """Aware, UTC."""
    verdict: str
    scope: str
    """The selection, in words; empty where there is none. Runs with the same one looked at the same."""
    narrowed: bool
    """True where the selection leaves out nodes, or all checks but some."""
    partial: bool
    """True where the run was interrupted."""
    entries: Mapping[FindingKey, Entry]
    strict: bool = False
    """True where warnings counted as failures."""
    silence: Entry | None = None
    """What the run says of a subject that it does not name; None: nothing."""

    def heard(self, subject: FindingKey) -> Entry | None:
        """What the run has to say of the subject, if anything."""
        entry = self.entries.get(subject, self.silence)
        return None if entry is None or not (entry.judged or self.meant_all) else entry

    @property
    def meant_all(self) -> bool:
        """Whether what it could not see is news."""
        return not (self.narrowed or self.partial)


_Track = list[tuple[PastRun, Entry]]
"""What was said of one subject, newest first."""


def entries_of(results: Iterable[Result]) -> dict[FindingKey, Entry]:
    """The results by subject, without what the inventory leaves out: a finding of before is not looked at any more."""
    return {
        FindingKey(row.check, row.cluster, row.node): Entry(
            row.status, not (row.not_evaluated or row.status is Status.ERROR), row.message
        )
        for row in results
        if not row.left_out
    }


def compare_with_history(present: PastRun, earlier: Iterable[PastRun]) -> ScanHistory:
    """The present run seen from the `earlier` ones, newest first. No more of them are taken than are needed."""
    tracks = {subject: [(present, entry)] for subject in present.entries if (entry := present.heard(subject))}
    gone: dict[FindingKey, _Track] = {}
    last: PastRun | None = None
    points = [] if present.partial else [_point(present)]
    parts = [] if present.partial else [_points(present)]
    peer: PastRun | None = None
    unsettled = dict(tracks)
    for run in earlier:
        last = last or run
        if run.scope == present.scope and not run.partial:
            if len(points) < TREND_RUNS:
                points.append(_point(run))
                parts.append(_points(run))
            if peer is None and not present.partial:
                peer = run
                gone = {subject: [] for subject in run.entries if subject not in present.entries}
                unsettled |= gone
        unsettled = _followed(unsettled, run)
        if not unsettled and (peer or present.partial) and len(points) >= TREND_RUNS:
            break
    trend = tuple(reversed(points))
    by_cluster = _transposed(reversed(parts))
    if last is None:
        return ScanHistory(last=None, trend=trend, by_cluster=by_cluster)
    compared = peer or last
    standings = (
        _standing(subject, track, comparable=peer is not None or compared.meant_all)
        for subject, track in tracks.items()
    )
    return ScanHistory(
        last=compared.started,
        standings=tuple(standing for standing in standings if standing),
        resolved=tuple(ended for subject, track in tracks.items() if (ended := _resolved(subject, track))),
        gone=tuple(ended for subject, track in gone.items() if (ended := _ended(subject, track, None))),
        flapping=tuple(flaps for subject, track in tracks.items() if (flaps := _flapping(subject, track))),
        trend=trend,
        by_cluster=by_cluster,
    )


def _followed(unsettled: Mapping[FindingKey, _Track], run: PastRun) -> dict[FindingKey, _Track]:
    """Add what `run` said to each track. Returns those that older runs may still change."""
    left = {}
    for subject, track in unsettled.items():
        if entry := run.heard(subject):
            track.append((run, entry))
        # Behind a clear result no older run matters, but for the changes that flapping counts.
        settled = len(track) >= FLAPPING_RUNS and track[-1][1].judged and not track[-1][1].there
        if not settled:
            left[subject] = track
    return left


def _standing(subject: FindingKey, track: _Track, *, comparable: bool) -> FindingAge | None:
    """`comparable`: whether an earlier run asked what the present one asks, so that silence on the subject is news."""
    now = track[0][1]
    if not now.there and now.status is not Status.ERROR:
        return None
    older = [entry for _, entry in track[1:]]
    judged = next((entry for entry in older if entry.judged), None)
    row = _row(track)
    latest = judged if now.there else older[0] if older else None
    new = comparable if latest is None else not latest.there if now.there else latest.judged
    return FindingAge(
        subject=subject,
        status=now.status,
        since=row.since,
        open_start=row.open_start,
        runs=row.runs,
        new=new,
        before=judged.status if judged else None,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """Runs in a row that said the same."""

    since: datetime
    open_start: bool
    runs: int


def _row(track: _Track) -> _Row:
    """The row that the first of `track` is the latest of: of runs with a finding, or of runs that could not judge."""
    there = track[0][1].there
    since, runs = track[0][0].started, 0
    for run, entry in track:
        if there and not entry.judged:
            continue
        if not entry.there if there else entry.judged:
            return _Row(since, open_start=False, runs=runs)
        since, runs = run.started, runs + 1
    return _Row(since, open_start=True, runs=runs)


def _resolved(subject: FindingKey, track: _Track) -> ClosedFinding | None:
    now = track[0][1]
    return _ended(subject, track[1:], now.status) if now.judged and not now.there else None


def _ended(subject: FindingKey, older: _Track, now: Status | None) -> ClosedFinding | None:
    """The finding that the `older` runs end with; a blind run in between hides it, and does not end it."""
    judged = next((place for place, (_, entry) in enumerate(older) if entry.judged), len(older))
    if judged < len(older) and older[judged][1].there:
        rest = older[judged:]
    elif older and older[0][1].status is Status.ERROR:
        rest = older
    else:
        return None
    entry, row = rest[0][1], _row(rest)
    return ClosedFinding(
        subject=subject,
        was=entry.status,
        message=entry.message,
        since=row.since,
        open_start=row.open_start,
        runs=row.runs,
        now=now,
    )


def _flapping(subject: FindingKey, track: _Track) -> Flapping | None:
    said = [mood for _, entry in track if (mood := _mood(subject, entry))][:FLAPPING_RUNS]
    changes = sum(1 for newer, older in pairwise(said) if newer != older)
    return Flapping(subject, changes, len(said)) if changes >= FLAPPING_CHANGES else None


def _mood(subject: FindingKey, entry: Entry) -> str:
    """What counts as a change: "" where the entry tells none. That a node does not answer is connectivity's finding."""
    if entry.status is Status.WAIVED or not (entry.judged or subject.check == CONNECTIVITY):
        return ""
    return "clear" if entry.status in (Status.PASS, Status.SKIP) else str(entry.status)


def _transposed(runs: Iterable[Mapping[str, TrendPoint]]) -> dict[str, tuple[TrendPoint, ...]]:
    found: dict[str, list[TrendPoint]] = {}
    for run in runs:
        for cluster, point in run.items():
            found.setdefault(cluster, []).append(point)
    return {cluster: tuple(points) for cluster, points in found.items()}


def _points(run: PastRun) -> dict[str, TrendPoint]:
    """The run in numbers, cluster by cluster, with the verdict that its results make."""
    found: dict[str, list[tuple[FindingKey, Entry]]] = {}
    for subject, entry in run.entries.items():
        found.setdefault(subject.cluster, []).append((subject, entry))
    verdicts = {
        cluster: recorded_verdict(((subject.check, entry.status) for subject, entry in said), strict=run.strict)
        for cluster, said in found.items()
    }
    if run.strict and str(gravest(verdicts.values())) != run.verdict:
        # Something counted as a failure that the results do not show: which cluster's it was is not known any more.
        verdicts = {name: Verdict.UNKNOWN if word is Verdict.GO else word for name, word in verdicts.items()}
    return {
        cluster: replace(_counted(run, (entry for _, entry in said)), verdict=str(verdicts[cluster]))
        for cluster, said in found.items()
    }


def _point(run: PastRun) -> TrendPoint:
    return _counted(run, run.entries.values())


def _counted(run: PastRun, entries: Iterable[Entry]) -> TrendPoint:
    count = dict.fromkeys(Status, 0)
    missed = 0
    for entry in entries:
        if entry.status is Status.SKIP and not entry.judged:
            missed += 1
        else:
            count[entry.status] += 1
    return TrendPoint(
        started=run.started,
        verdict=run.verdict,
        fail=count[Status.FAIL],
        error=count[Status.ERROR],
        warn=count[Status.WARN],
        waived=count[Status.WAIVED],
        passed=count[Status.PASS],
        not_evaluated=missed,
    )
