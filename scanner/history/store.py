"""The history of runs in one SQLite file: each run is there whole or not at all, whoever else writes or is killed.

What is kept are results: checks, places, statuses and messages. No answer of a node, and no secret, is in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from checks.baseline.drift import Drift
from checks.common.dataclass import dataclass
from checks.history.drift_comparison import AS_APPROVED, kept_of, worth_telling
from checks.history.drift_comparison import entries_of as entries_of_drift
from checks.history.model import FindingKey, ScanHistory
from checks.history.scan_comparison import FLAPPING_RUNS, Entry, PastRun, compare_with_history, entries_of
from checks.outcome import Status
from checks.scan import Scan, Verdict
from reports.text import one_line
from scanner.history.asides import note
from scanner.history.database import reading, recognise, stamp, writing
from scanner.history.series import HistorySeries
from scanner.inventory.model import NodeKey

DRIFT = "drift"
"""The command whose runs name what is not as approved, and are silent on the rest."""
_MESSAGE_CHARS = 500
_SAID = (
    "SELECT check_id, cluster, node, status, judged, text FROM result JOIN subject ON subject.id = subject "
    "JOIN message ON message.id = message WHERE run = ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recorded run, for lists."""

    command: str
    inventory: str
    """Its absolute path."""
    phase: str
    targets: tuple[str, ...]
    scope: str
    narrowed: bool
    partial: bool
    strict: bool
    started: datetime
    """Aware, UTC."""
    finished: datetime
    """Aware, UTC."""
    tool_version: str
    verdict: str
    """A scan's, or a comparison's: NO DRIFT, DRIFT or UNKNOWN."""
    exit_code: int
    nodes: int
    """Nodes that were asked."""
    reached: int
    """Nodes that answered."""
    counts: dict[str, int]
    """Status to number of results."""
    good: bool
    """Whether it looked at everything: not narrowed, not interrupted, all nodes reached, the verdict not UNKNOWN."""


def remember(path: Path, question: HistorySeries, scan: Scan) -> Scan:
    """Record the scan in the history at `path`, and give it back with what the earlier runs say of it.

    A scan that is there already (the same evidence, judged again) takes the place of the earlier judgement.
    Raises HistoryError; then nothing of the run is in the file.
    """
    present = PastRun(
        started=scan.started,
        verdict=str(scan.verdict),
        scope=question.scope,
        narrowed=question.narrowed,
        partial=scan.partial,
        entries=entries_of(scan.results),
        strict=scan.strict,
    )
    reached = sum(node.reachable for node in scan.nodes)
    with writing(path) as store:
        return replace(scan, history=_add(store, question, present, scan, len(scan.nodes), reached))


def remember_drift(path: Path, question: HistorySeries, drift: Drift, asked: Collection[NodeKey]) -> Drift:
    """Record a comparison over the nodes that were asked, and give it back with what the earlier ones say of it.

    What differs is kept as fail, what was not compared as error; of values, only that they differ. Raises HistoryError.
    """
    unread = {gap.place[:2] for gap in drift.gaps if not gap.place.path}
    with writing(path) as store:
        if whole := not (question.scope or drift.partial):
            entries = kept_of(drift, _lately_told(store, (*_series(question), stamp(drift.started))), asked)
        else:
            entries = entries_of_drift(drift)
        present = PastRun(
            started=drift.started,
            verdict=str(drift.verdict),
            scope=question.scope,
            narrowed=question.narrowed,
            partial=drift.partial,
            entries=entries,
            silence=AS_APPROVED if whole else None,
        )
        history = _add(store, question, present, drift, len(asked), len(set(asked) - unread))
    return replace(drift, history=worth_telling(history, drift))


def runs(path: Path, *, limit: int | None = None, inventory: str = "") -> tuple[Run, ...]:
    """The recorded runs, newest first; those of one inventory where its key is given. Raises HistoryError."""
    with reading(path) as store:
        return _runs(store, "?1 = '' OR inventory = ?1", (inventory,), limit)


def last_good_runs(path: Path, *, now: datetime, inventory: str = "", command: str = "") -> dict[str, Run | None]:
    """The latest good run of each recorded inventory, by its path; None where it has none. Raises HistoryError.

    Runs that lie in the future prove nothing but a wrong clock, and are passed over.
    """
    with reading(path, empty=True) as store:
        if recognise(store, path):
            return {}
        known = [row[0] for row in store.execute("SELECT DISTINCT inventory FROM run ORDER BY inventory")]
        found: dict[str, Run | None] = {}
        for name in known if not inventory else [inventory]:
            where = "good = 1 AND inventory = ?1 AND (?2 = '' OR command = ?2) AND finished <= ?3"
            good = _runs(store, where, (name, command, stamp(now)), 1)
            found[name] = good[0] if good else None
        return found


def prune(path: Path, *, before: datetime) -> int:
    """Forget the runs that finished before that time; the last good one of each inventory and command stays.

    Returns how many were forgotten. Raises HistoryError.
    """
    with writing(path, create=False) as store:
        gone = store.execute(
            "DELETE FROM run WHERE finished < ? AND id NOT IN (SELECT id FROM (SELECT id, row_number() OVER "
            "(PARTITION BY inventory, command ORDER BY started DESC, id DESC) AS place FROM run WHERE good = 1) "
            "WHERE place = 1)",
            (stamp(before),),
        ).rowcount
        store.execute("DELETE FROM message WHERE id NOT IN (SELECT message FROM result)")
        store.execute("DELETE FROM subject WHERE id NOT IN (SELECT subject FROM result)")
        return gone


def _add(
    store: sqlite3.Connection, question: HistorySeries, present: PastRun, done: Scan | Drift, nodes: int, reached: int
) -> ScanHistory:
    series = _series(question)
    own = (*series, question.scope, stamp(present.started))
    history = compare_with_history(present, earlier_runs(store, (*series, stamp(present.started))))
    store.execute(
        "DELETE FROM run WHERE inventory = ? AND command = ? AND phase = ? AND targets = ? AND scope = ? "
        "AND started = ?",
        own,
    )
    number = store.execute(
        "INSERT INTO run (inventory, command, phase, targets, scope, started, narrowed, partial, strict, finished, "
        "tool_version, verdict, exit_code, nodes, reached, good) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *own,
            question.narrowed,
            present.partial,
            isinstance(done, Scan) and done.strict,
            stamp(done.finished),
            done.tool_version,
            present.verdict,
            done.exit_code,
            nodes,
            reached,
            present.meant_all and present.verdict != Verdict.UNKNOWN and reached == nodes > 0,
        ),
    ).lastrowid
    if isinstance(done, Scan) and number is not None:
        note(store, number, done)
    for subject, entry in present.entries.items():
        place = (subject.check, subject.cluster, subject.node or "")
        said = (one_line(entry.message, _MESSAGE_CHARS),)
        store.execute("INSERT OR IGNORE INTO subject (check_id, cluster, node) VALUES (?,?,?)", place)
        store.execute("INSERT OR IGNORE INTO message (text) VALUES (?)", said)
        store.execute(
            "INSERT INTO result (run, subject, status, judged, message) VALUES (?, "
            "(SELECT id FROM subject WHERE check_id = ? AND cluster = ? AND node = ?), ?, ?, "
            "(SELECT id FROM message WHERE text = ?))",
            (number, *place, str(entry.status), entry.judged, *said),
        )
    return history


def _series(question: HistorySeries) -> tuple[str, ...]:
    """What runs have in common that are held against each other."""
    return question.inventory_key, question.command, question.phase, "\n".join(question.targets)


def _lately_told(store: sqlite3.Connection, series: Sequence[str]) -> list[FindingKey]:
    """What runs of one series before a start did not find as it should be, as long as that may count as flapping."""
    rows = store.execute(
        "SELECT DISTINCT check_id, cluster, node FROM result JOIN subject ON subject.id = subject "
        "WHERE status != ? AND run IN (SELECT id FROM run WHERE inventory = ? AND command = ? AND phase = ? "
        "AND targets = ? AND started < ? AND scope = '' AND NOT partial ORDER BY started DESC LIMIT ?)",
        (str(Status.PASS), *series, FLAPPING_RUNS - 1),
    )
    return [FindingKey(check, cluster, node or None) for check, cluster, node in rows]


def earlier_runs(store: sqlite3.Connection, series: Sequence[str]) -> Iterator[PastRun]:
    """The runs of one series before a start, newest first, each read when it is asked for."""
    rows = store.execute(
        "SELECT id, started, verdict, scope, narrowed, partial, strict FROM run WHERE inventory = ? AND command = ? "
        "AND phase = ? AND targets = ? AND started < ? ORDER BY started DESC, id DESC",
        series,
    ).fetchall()
    for number, started, verdict, scope, narrowed, partial, strict in rows:
        entries = _Entries(store, number)
        silence = AS_APPROVED if series[1] == DRIFT and not (scope or partial) else None
        yield PastRun(
            started=_moment(started),
            verdict=verdict,
            scope=scope,
            narrowed=bool(narrowed),
            partial=bool(partial),
            entries=entries,
            strict=bool(strict),
            silence=silence,
        )


def said_by(store: sqlite3.Connection, run: int) -> Mapping[FindingKey, Entry]:
    """What the run with that number said."""
    return _Entries(store, run)


class _Entries(Mapping[FindingKey, Entry]):
    """What one run said, read as it is needed: all of it for the latest runs, a few subjects for those long ago."""

    _FEW = 50

    def __init__(self, store: sqlite3.Connection, run: int) -> None:
        self._store, self._run = store, run
        self._asked = 0
        self._all: dict[FindingKey, Entry] | None = None

    def __getitem__(self, subject: FindingKey) -> Entry:
        self._asked += 1
        if self._all is None and self._asked <= self._FEW:
            place = (self._run, subject.check, subject.cluster, subject.node or "")
            found = self._read(f"{_SAID} AND check_id = ? AND cluster = ? AND node = ?", place)
        else:
            found = self._whole()
        return found[subject]

    def __iter__(self) -> Iterator[FindingKey]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def _whole(self) -> dict[FindingKey, Entry]:
        if self._all is None:
            self._all = self._read(_SAID, (self._run,))
        return self._all

    def _read(self, query: str, values: Sequence[str | int]) -> dict[FindingKey, Entry]:
        return {
            FindingKey(check, cluster, node or None): Entry(Status(status), bool(judged), text)
            for check, cluster, node, status, judged, text in self._store.execute(query, values)
        }


def _runs(store: sqlite3.Connection, where: str, values: Sequence[str], limit: int | None) -> tuple[Run, ...]:
    store.row_factory = sqlite3.Row
    found = []
    for row in store.execute(
        f"SELECT * FROM run WHERE {where} ORDER BY started DESC, id DESC LIMIT {limit or -1:d}",  # noqa: S608  constants
        values,
    ).fetchall():
        counted = store.execute("SELECT status, count(*) FROM result WHERE run = ? GROUP BY status", (row["id"],))
        found.append(
            Run(
                command=row["command"],
                inventory=row["inventory"],
                phase=row["phase"],
                targets=tuple(row["targets"].splitlines()),
                scope=row["scope"],
                narrowed=bool(row["narrowed"]),
                partial=bool(row["partial"]),
                strict=bool(row["strict"]),
                started=_moment(row["started"]),
                finished=_moment(row["finished"]),
                tool_version=row["tool_version"],
                verdict=row["verdict"],
                exit_code=row["exit_code"],
                nodes=row["nodes"],
                reached=row["reached"],
                counts=dict(counted),
                good=bool(row["good"]),
            )
        )
    return tuple(found)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
