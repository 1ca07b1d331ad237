"""What a history holds of whole fleets: each run's clusters, and what the earlier runs say of the latest ones.

Read only: a file that an earlier preflight wrote is taken as it is.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from checks.common.dataclass import dataclass
from checks.history.fleet import recorded_verdict
from checks.history.kept import SCAN, Kept, Latest, PastScan, Said, Word, WordKind
from checks.history.scan_comparison import PastRun, compare_with_history
from checks.outcome import Status
from checks.scan import CONNECTIVITY, Verdict, gravest
from scanner.history.database import reading, stamp, version_of
from scanner.history.store import earlier_runs, said_by

_SINCE_WORDS = 2
"""The version of the tables from which on clusters and people's words are kept."""


def read_fleet(path: Path, source: str, *, now: datetime, days: int) -> tuple[list[Kept], int]:
    """Every inventory of the history, and how many runs lie after `now` and were left out. Raises HistoryError.

    Of each inventory the last `days` up to its latest run are read.
    """
    with reading(path) as store:
        known = [row[0] for row in store.execute("SELECT DISTINCT inventory FROM run ORDER BY inventory")]
        (later,) = store.execute("SELECT count(*) FROM run WHERE started > ?", (stamp(now),)).fetchone()
        found = [_kept(store, source, name, now, days) for name in known]
        return [kept for kept in found if kept.runs], int(later)


@dataclass(slots=True)
class _Counted:
    """The results of one cluster in one run."""

    said: set[tuple[str, Status]] = field(default_factory=set)
    counts: Counter[Status] = field(default_factory=Counter)
    missed: int = 0


def _kept(store: sqlite3.Connection, source: str, inventory: str, now: datetime, days: int) -> Kept:
    end = stamp(now)
    (last,) = store.execute(
        "SELECT max(started) FROM run WHERE inventory = ? AND started <= ?", (inventory, end)
    ).fetchone()
    if last is None:
        return Kept(source=source, inventory=inventory, runs=(), latest=())
    span = (inventory, stamp(_moment(last) - timedelta(days=days)), end)
    counted = _counted(store, span)
    told = _told_clusters(store, span)
    runs: dict[int, PastScan] = {}
    for number, command, phase, targets, scope, partial, strict, started, verdict in store.execute(
        "SELECT id, command, phase, targets, scope, partial, strict, started, verdict FROM run "
        "WHERE inventory = ? AND started >= ? AND started <= ? ORDER BY started, id",
        span,
    ).fetchall():
        past = PastScan(
            command=command,
            phase=phase,
            targets=tuple(targets.splitlines()),
            scope=scope,
            partial=bool(partial),
            strict=bool(strict),
            started=_moment(started),
            verdict=verdict,
        )
        clusters = counted.get(number, {}) if command == SCAN else {}
        runs[number] = _with_clusters(past, clusters, told.get(number, {}))
    latest = _latest_numbers(runs)
    words, words_known = _words(store, [number for number in latest if runs[number].whole])
    return Kept(
        source=source,
        inventory=inventory,
        runs=tuple(runs.values()),
        latest=tuple(_looked_back(store, inventory, number, runs[number]) for number in latest),
        words=words,
        words_known=words_known,
    )


def _counted(store: sqlite3.Connection, span: Sequence[str]) -> dict[int, dict[str, _Counted]]:
    found: dict[int, dict[str, _Counted]] = {}
    for run, cluster, check, status, judged, number in store.execute(
        # What recorded_verdict tells apart: that nodes answered, what people vouch for, and the rest.
        "SELECT run, cluster, CASE WHEN check_id IN ('connectivity', 'attestations') THEN check_id ELSE '' END "
        "AS kind, status, judged, count(*) FROM result JOIN subject ON subject.id = subject WHERE run IN "
        "(SELECT id FROM run WHERE command = 'scan' AND inventory = ? AND started >= ? AND started <= ?) "
        "GROUP BY run, cluster, kind, status, judged ORDER BY run, min(subject.id)",
        span,
    ):
        one = found.setdefault(run, {}).setdefault(cluster, _Counted())
        kept = Status(status)
        one.said.add((check, kept))
        if kept is Status.SKIP and not judged:
            one.missed += number
        else:
            one.counts[kept] += number
    return found


def _told_clusters(store: sqlite3.Connection, span: Sequence[str]) -> dict[int, dict[str, tuple[Verdict, str, str]]]:
    """By run and cluster: verdict, what it is for, and who answers for it, as they were recorded."""
    if version_of(store) < _SINCE_WORDS:
        return {}
    found: dict[int, dict[str, tuple[Verdict, str, str]]] = {}
    for run, name, verdict, product, installed, target, owner, contact in store.execute(
        "SELECT run, name, verdict, product, installed, target, owner, contact FROM cluster "
        "WHERE run IN (SELECT id FROM run WHERE inventory = ? AND started >= ? AND started <= ?)",
        span,
    ):
        about = " ".join(filter(None, (product, installed, f"→ {target}" if target else "")))
        answers = ", ".join(filter(None, (owner, contact)))
        found.setdefault(run, {})[name] = Verdict(verdict), about, answers
    return found


def _with_clusters(
    run: PastScan, counted: Mapping[str, _Counted], told: Mapping[str, tuple[Verdict, str, str]]
) -> PastScan:
    verdicts = {
        name: told[name][0] if name in told else recorded_verdict(one.said, strict=run.strict, partial=run.partial)
        for name, one in counted.items()
    }
    if run.strict and not told and str(gravest(verdicts.values())) != run.verdict:
        # Something counted as a failure that the results do not show: which cluster's it was is not known any more.
        verdicts = {name: Verdict.UNKNOWN if word is Verdict.GO else word for name, word in verdicts.items()}
    clusters = {}
    for name, one in counted.items():
        answered = all(status in (Status.PASS, Status.WARN) for check, status in one.said if check == CONNECTIVITY)
        _, about, owner = told.get(name, (None, "", ""))
        clusters[name] = Said(
            verdict=verdicts[name],
            counts=dict(one.counts),
            not_evaluated=one.missed,
            reached=answered,
            about=about,
            owner=owner,
        )
    return replace(run, clusters=clusters)


def _latest_numbers(runs: Mapping[int, PastScan]) -> list[int]:
    """The runs that are the last whole scan of some cluster, for one question or another."""
    found: dict[tuple[object, ...], int] = {}
    for number, run in runs.items():
        if run.command == SCAN and run.whole:
            found |= {(name, *run.series): number for name in run.clusters}
    return sorted(set(found.values()))


def _looked_back(store: sqlite3.Connection, inventory: str, number: int, run: PastScan) -> Latest:
    entries = said_by(store, number)
    (narrowed,) = store.execute("SELECT narrowed FROM run WHERE id = ?", (number,)).fetchone()
    present = PastRun(
        started=run.started,
        verdict=run.verdict,
        scope=run.scope,
        narrowed=bool(narrowed),
        partial=run.partial,
        entries=dict(entries),
        strict=run.strict,
    )
    series = (inventory, SCAN, run.phase, "\n".join(run.targets), stamp(run.started))
    history = compare_with_history(present, earlier_runs(store, series))
    return Latest(run, history, {subject: entry.message for subject, entry in present.entries.items()})


def _words(store: sqlite3.Connection, runs: Sequence[int]) -> tuple[tuple[Word, ...], bool]:
    """What the latest scans count on, those of a later run instead of an earlier one's; and whether that was kept."""
    if version_of(store) < _SINCE_WORDS:
        return (), False
    found: dict[tuple[object, ...], Word] = {}
    known = False
    for number in runs:
        known = known or bool(store.execute("SELECT 1 FROM cluster WHERE run = ?", (number,)).fetchone())
        for kind, check, cluster, node, by, said, expires in store.execute(
            "SELECT kind, check_id, cluster, node, said_by, said, expires FROM word WHERE run = ? ORDER BY number",
            (number,),
        ):
            word = Word(
                kind=WordKind(kind),
                check=check,
                cluster=cluster,
                node=node or None,
                by=by,
                said=said,
                expires=date.fromisoformat(expires),
            )
            found[(word.kind, check, cluster, node, by, said)] = word
    return tuple(found.values()), known


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {moment}")
    return moment
