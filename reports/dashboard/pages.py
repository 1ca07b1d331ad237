"""A fleet into its pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from checks.common.dataclass import dataclass
from checks.history.fleet import ENDS_DAYS, NEW_DAYS, Beat, Finding, Fleet, Row
from checks.history.kept import Kept, PastScan, Said, Word
from checks.outcome import Status
from checks.scan import Verdict
from reports.dashboard.nights import HEIGHT, NightStrip, key, night_strip, spans
from reports.findings.history_text import moment
from reports.render.page import render_page
from reports.render.svg_trend import trend_svg
from reports.scan.page.anchors import WHOLE
from reports.scan.page.folder import INDEX, file_names
from reports.text import count, one_line

GENERATOR = "preflight dashboard"
"""Stands in every page, by which one is known as ours."""
OLD_GO = "OLD GO"
"""What a GO is called that is too old to go by."""
_ORDER = (str(Verdict.NO_GO), str(Verdict.UNKNOWN), OLD_GO, str(Verdict.GO))
_STYLE = "dashboard.css"
_PLACES = 12
"""Places that a line names before it only counts."""
_LINES = 60
"""Lines of a list on the index; the clusters' pages have the rest."""
_LOG = 200
"""Runs that a cluster's page lists."""
_CHARS = 300
_MARKS = (
    ("go", "GO"),
    ("no-go", "NO-GO"),
    ("unknown", "UNKNOWN"),
    ("missed", "a run was due and did not happen"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A cluster on the index."""

    name: str
    page: str
    verdict: str
    tone: str
    about: str
    place: str
    """Inventory and history, where there are several."""
    asked: str
    when: str
    age: str
    stale: str
    since: str
    strip: NightStrip
    last_go: str
    last_good: str
    new: int
    flapping: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is the same in some places."""

    status: str
    text: str
    note: str
    places: tuple[tuple[str, str], ...]
    """Name, and the page that tells more."""
    more: int


def pages(fleet: Fleet, notices: Sequence[str], version: str) -> Mapping[str, str]:
    """File name to page, the index last: whoever writes them in this order never has a link that leads nowhere."""
    files = _files(fleet.rows)
    placed = _placed(fleet)
    entries = [_entry(fleet, row, files[number], placed) for number, row in enumerate(fleet.rows)]
    frame = {
        "version": version,
        "made": moment(fleet.now),
        "made_iso": fleet.now.astimezone(UTC).isoformat(timespec="seconds"),
        "first": fleet.days[0],
        "last": fleet.days[-1],
        "nights": len(fleet.days),
        "strip_height": HEIGHT,
        "keys": [(mark, word, key(mark)) for mark, word in _MARKS],
        "index": INDEX,
        "generator": GENERATOR,
        "new_days": NEW_DAYS,
        "ends_days": ENDS_DAYS,
    }
    made = {}
    for row, entry in zip(fleet.rows, entries, strict=True):
        values = {**frame, **_cluster(fleet, row), "entry": entry}
        made[entry.page] = render_page("dashboard_cluster", values, "dashboard.js", style=_STYLE)
    paged = list(zip(fleet.rows, entries, strict=True))
    made[INDEX] = render_page(
        "dashboard", {**frame, **_index(fleet, paged, notices, placed)}, "index.js", "dashboard.js", style=_STYLE
    )
    return made


def summary(fleet: Fleet) -> str:
    """How many may go, in one line."""
    counts = Counter(_word(row) for row in fleet.rows)
    rest = ", ".join(f"{counts[word]} {word}" for word in _ORDER[:-1] if counts[word])
    told = f"{counts[_ORDER[-1]]} of {count(len(fleet.rows), 'cluster')} GO"
    return f"{told}, {rest}" if rest else told


def age(since: datetime, now: datetime) -> str:
    """How long ago, to the hour up to two days: `7 h`, `3 days`."""
    hours = int((now - since).total_seconds()) // 3600
    return "under 1 h" if hours < 1 else f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _files(rows: Sequence[Row]) -> list[str]:
    """By inventory and cluster, whatever else is on the page: a link that was mailed still leads there."""
    stems = [f"{row.inventory.rsplit('/', 1)[-1].removesuffix('.toml')}.{row.name}" for row in rows]
    # Names that are the same in two histories are told apart by where they came from, before they are made safe.
    keys = [f"{stem}\0{number}" for number, stem in enumerate(stems)]
    return list(file_names(keys, shown=lambda name: name.partition("\0")[0]).values())


def _placed(fleet: Fleet) -> tuple[bool, bool]:
    """Whether there are several inventories, and several histories, so that a cluster's has to be said."""
    inventories = {(row.source, row.inventory) for row in fleet.rows}
    inventories |= {(beat.source, beat.inventory) for beat in fleet.beats}
    return len({inventory for _, inventory in inventories}) > 1, len({source for source, _ in inventories}) > 1


def _place(item: Row | Beat | Kept, placed: tuple[bool, bool]) -> str:
    inventory = one_line(item.inventory, 200) if placed[0] else ""
    source = one_line(item.source, 200) if placed[1] else ""
    return " in ".join(filter(None, (inventory, source)))


def _word(row: Row) -> str:
    return OLD_GO if row.stale and row.said.verdict is Verdict.GO else str(row.said.verdict)


def _day(when: datetime | None) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d") if when else ""


def _entry(fleet: Fleet, row: Row, page: str, placed: tuple[bool, bool]) -> Entry:
    word = _word(row)
    before = " or before" if row.open_start else ""
    return Entry(
        name=one_line(row.name, 200),
        page=page,
        verdict=word,
        tone="old" if word == OLD_GO else word.lower(),
        about=one_line(row.said.about, _CHARS),
        place=_place(row, placed),
        asked=one_line(row.run.asked, _CHARS),
        when=moment(row.run.started),
        age=age(row.run.started, fleet.now),
        stale=row.stale,
        since=f"{_day(row.since)}{before}",
        strip=night_strip(row.nights),
        last_go=_day(row.last_go),
        last_good=_day(row.last_good),
        new=sum(finding.new for finding in row.findings),
        flapping=len(row.flapping),
        owner=one_line(row.said.owner, 200),
    )


def _index(
    fleet: Fleet, paged: Sequence[tuple[Row, Entry]], notices: Sequence[str], placed: tuple[bool, bool]
) -> dict[str, object]:
    entries = sorted((entry for _, entry in paged), key=lambda entry: _ORDER.index(entry.verdict))
    found = _lines(
        (
            (str(finding.standing.status), _said(finding), _day(finding.standing.since)),
            (_subject(entry.name, finding.standing.subject.node), entry.page),
        )
        for row, entry in paged
        for finding in row.findings
        if finding.new
    )
    flapping = _lines(
        (
            ("", f"{one_line(flaps.subject.check, 200)}: {flaps.changes} changes in {flaps.runs} runs", ""),
            (_subject(entry.name, flaps.subject.node), entry.page),
        )
        for row, entry in paged
        for flaps in row.flapping
    )
    late = [beat for beat in fleet.beats if beat.overdue]
    counts = Counter(entry.verdict for entry in entries)
    return {
        "tone": "go" if fleet.verdict is Verdict.GO else str(fleet.verdict).lower(),
        "go": counts[str(Verdict.GO)],
        "total": len(entries),
        "counts": [(word, counts[word]) for word in _ORDER if counts[word]],
        "words_shown": [word for word in _ORDER if word != OLD_GO or counts[word]],
        "headline": _headline(fleet, entries, late),
        "notices": [*(one_line(notice, 1_000) for notice in notices), *_unrecorded(fleet)],
        "entries": entries,
        "owners": list(dict.fromkeys(entry.owner for entry in entries if entry.owner)),
        "found": found[:_LINES],
        "found_more": len(found[_LINES:]),
        "flapping": flapping[:_LINES],
        "flapping_more": len(flapping[_LINES:]),
        "ends": [_ends(word, fleet.now.date(), _place(kept, placed)) for kept, word in fleet.words],
        "beats": [(beat, _place(beat, placed), _beat(fleet, beat)) for beat in _latest_first(fleet.beats)],
        "loose": [": ".join(filter(None, (_place(kept, placed), _said(finding)))) for kept, finding in fleet.loose],
        "several": placed,
    }


def _headline(fleet: Fleet, entries: Sequence[Entry], late: Sequence[Beat]) -> str:
    new, flapping = sum(entry.new for entry in entries), sum(entry.flapping for entry in entries)
    missed = sum(len(beat.missed) for beat in fleet.beats)
    return ", ".join(
        (
            f"{new or 'nothing'} new in the last {NEW_DAYS} days",
            f"{flapping or 'nothing'} flapping",
            f"{count(missed, 'run')} did not happen{', and runs are missing now' if late else ''}"
            if missed
            else "no run is missing",
            f"{count(len(fleet.words), 'waiver or attestation', 'waivers and attestations')} ending"
            if fleet.words
            else "no waiver or attestation ends soon",
        )
    )


def _unrecorded(fleet: Fleet) -> list[str]:
    """What the page cannot tell, because an earlier preflight did not record it."""
    told = sorted({one_line(f"{row.inventory} ({row.source})", 300) for row in fleet.rows if not row.words_known})
    return [
        f"{name}: an earlier preflight made its latest run; waivers, attestations and versions are told from the next "
        "scan on"
        for name in told
    ]


def _lines(found: Iterable[tuple[tuple[str, str, str], tuple[str, str]]]) -> list[Line]:
    grouped: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for said, place in found:
        grouped.setdefault(said, []).append(place)
    ranks = [str(status) for status in (Status.FAIL, Status.ERROR, Status.WARN, Status.WAIVED)]
    lines = [
        Line(status=status, text=text, note=note, places=tuple(places[:_PLACES]), more=len(places[_PLACES:]))
        for (status, text, note), places in grouped.items()
    ]
    return sorted(lines, key=lambda line: ranks.index(line.status) if line.status in ranks else len(ranks))


def _said(finding: Finding) -> str:
    return f"{one_line(finding.standing.subject.check, 200)}: {one_line(finding.message, _CHARS)}"


def _subject(cluster: str, node: str | None) -> str:
    return f"{cluster}/{one_line(node, 200)}" if node else cluster


def _ends(word: Word, today: date, place: str) -> dict[str, str]:
    left = (word.expires - today).days
    where = "/".join(filter(None, (word.cluster, word.node)))
    return {
        "kind": str(word.kind),
        "about": one_line(" on ".join(filter(None, (word.check, where))) or "the inventory", _CHARS),
        "place": place,
        "by": one_line(word.by, 200),
        "said": one_line(word.said, _CHARS),
        "expires": str(word.expires),
        "left": f"ended {count(-left, 'day')} ago"
        if left < 0
        else "today"
        if left == 0
        else f"in {count(left, 'day')}",
        "tone": "fail" if left < 0 else "warn",
    }


def _latest_first(beats: Sequence[Beat]) -> list[Beat]:
    return sorted(beats, key=lambda beat: (not beat.overdue, not beat.missed))


def _beat(fleet: Fleet, beat: Beat) -> dict[str, str]:
    return {
        "what": " ".join(filter(None, (beat.command, one_line(beat.asked, _CHARS)))),
        "rhythm": beat.rhythm.told if beat.rhythm else "",
        "last": moment(beat.last),
        "age": age(beat.last, fleet.now),
        "missed": spans(beat.missed),
    }


def _cluster(fleet: Fleet, row: Row) -> dict[str, object]:
    trend = trend_svg(row.trend)
    standing = [
        {
            "status": str(finding.standing.status),
            "check": one_line(finding.standing.subject.check, 200),
            "node": one_line(finding.standing.subject.node or WHOLE, 200),
            "message": one_line(finding.message, _CHARS),
            "since": f"{_day(finding.standing.since)}{' or before' if finding.standing.open_start else ''}",
            "runs": finding.standing.runs,
            "new": finding.new,
        }
        for finding in row.findings
    ]
    log = _log(fleet, row)
    return {
        "row_of": count(row.row_of, "run"),
        "findings": standing,
        "flaps": [
            f"{one_line(flaps.subject.check, 200)} on {one_line(flaps.subject.node or WHOLE, 200)}: "
            f"{flaps.changes} changes in {flaps.runs} runs"
            for flaps in row.flapping
        ],
        "words": [_ends(word, fleet.now.date(), "") for word in sorted(row.words, key=lambda word: word.expires)],
        "words_known": row.words_known,
        "trend": trend,
        "trend_told": _trend_told(row) if trend else "",
        "log": log[:_LOG],
        "log_more": len(log[_LOG:]),
    }


def _trend_told(row: Row) -> str:
    first, last = row.trend[0], row.trend[-1]
    parts = [
        f"{name} from {before} to {after}"
        for name, before, after in (
            ("fail", first.fail, last.fail),
            ("error", first.error, last.error),
            ("warn", first.warn, last.warn),
        )
    ]
    return f"{count(len(row.trend), 'run')} from {moment(first.started)} to {moment(last.started)}: {', '.join(parts)}"


def _log(fleet: Fleet, row: Row) -> list[dict[str, object]]:
    """Every run, and every one that did not happen, newest first."""
    first = datetime.combine(fleet.days[0], datetime.min.time(), UTC)
    made = [(past.started, _logged(past, said)) for past, said in row.runs if past.started >= first]
    missed = [
        (datetime.combine(night.day, datetime.min.time(), UTC) + timedelta(days=1, microseconds=-1), _unmade(night.day))
        for night in row.nights
        if night.mark == "missed"
    ]
    return [what for _, what in sorted([*made, *missed], key=lambda pair: pair[0], reverse=True)]


def _logged(past: PastScan, said: Said) -> dict[str, object]:
    numbers = [said.counts.get(status, 0) for status in (Status.FAIL, Status.ERROR, Status.WARN, Status.WAIVED)]
    return {
        "when": moment(past.started),
        "verdict": str(said.verdict),
        "numbers": [*numbers, said.counts.get(Status.PASS, 0), said.not_evaluated],
        "note": ", ".join(filter(None, (one_line(past.asked, _CHARS), "interrupted" if past.partial else ""))),
    }


def _unmade(day: date) -> dict[str, object]:
    return {"when": str(day), "verdict": "", "numbers": [], "note": "a run was due and did not happen"}
