"""Histories of earlier versions: read as they are, brought up to date by the next run, refused where a later one wrote.

`files/version-1.db.gz` was made by the first version of the tables: twelve nights of March 2026 with one missing.
"""

from __future__ import annotations

import contextlib
import gzip
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from checks.engine.acceptance.model import Attestation, Attested, Expiry, Waiver
from checks.history.kept import Kept, WordKind
from checks.outcome import Result, Severity, Status
from checks.scan import ClusterRecord, NodeRecord, Scan, Verdict
from scanner.history.database import HistoryError
from scanner.history.fleet import read_fleet
from scanner.history.migrations import VERSION
from scanner.history.series import HistorySeries
from scanner.history.store import prune, remember, runs

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
FIRST = Path(__file__).parent / "files" / "version-1.db.gz"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    file = tmp_path / "preflight.db"
    file.write_bytes(gzip.decompress(FIRST.read_bytes()))
    return file


@contextlib.contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as store:
        yield store


def version(file: Path) -> int:
    with opened(file) as store:
        return int(store.execute("PRAGMA user_version").fetchone()[0])


def read(file: Path) -> Kept:
    (kept,), _ = read_fleet(file, "db", now=NOW, days=90)
    return kept


WAIVER = Waiver(check="disk-space", cluster="vault", reason="new disk ordered", owner="Ada", expires=date(2026, 4, 1))
WORD = Attestation(statement="the vault is backed up", by="Bob", date=date(2026, 3, 1), expires=date(2026, 3, 20))


def scan(day: int, status: Status = Status.WAIVED, *, strict: bool = False) -> Scan:
    at = datetime(2026, 3, day, 2, 15, tzinfo=UTC)
    rows = (
        Result(
            check="connectivity",
            title="t",
            severity=Severity.LOW,
            cluster="vault",
            node="web1",
            status=Status.PASS,
            message="m",
        ),
        Result(
            check="other",
            title="t",
            severity=Severity.LOW,
            cluster="vault",
            node="web1",
            status=Status.PASS,
            message="m",
        ),
        Result(
            check="disk-space",
            title="t",
            severity=Severity.CRITICAL,
            cluster="vault",
            node="web1",
            status=status,
            message="m",
            waiver=WAIVER if status is Status.WAIVED else None,
            not_declared="backup" if status is Status.SKIP else "",
        ),
    )
    about = ClusterRecord(
        name="vault", product="p", title="Secret Server", installed="11.6", target="11.7", owner="Ada"
    )
    return Scan(
        tool_version="0.2.0",
        started=at,
        finished=at + timedelta(seconds=9),
        inventory="inventory.toml",
        nodes=(
            NodeRecord(
                cluster="vault",
                node="web1",
                host="h",
                transport="winrm",
                reachable=True,
                connections=1,
                commands=1,
                requests=1,
                seconds=0.1,
            ),
        ),
        results=rows,
        strict=strict,
        attestations=(Attested(WORD, Expiry.HOLDS),),
        clusters=(about,),
    )


def test_a_file_of_the_first_version_is_read_as_it_is(first: Path) -> None:
    before = first.read_bytes()
    kept = read(first)
    assert first.read_bytes() == before
    assert version(first) == 1
    assert len(kept.runs) == len(runs(first)) == 12
    verdicts = [
        (run.started.day, {name: str(said.verdict) for name, said in run.clusters.items()}) for run in kept.runs
    ]
    assert verdicts[7] == (9, {"vault": "GO", "chef": "UNKNOWN"})
    assert verdicts[10] == (12, {"vault": "NO-GO", "chef": "GO"})
    assert verdicts[11] == (12, {"vault": "NO-GO"})
    assert [run.clusters["chef"].reached for run in kept.runs[6:9]] == [True, False, True]
    (latest,) = kept.latest
    assert latest.run is kept.runs[10], "the last one looked at one node alone"
    since = {item.subject.check: item.since.day for item in latest.history.standings}
    assert since == {"disk-space": 10}
    assert not kept.words_known


def test_the_next_run_brings_it_up_to_date_and_loses_nothing(first: Path) -> None:
    before = [(run.started, run.verdict, run.counts) for run in runs(first)]
    done = remember(first, HistorySeries(command="scan", inventory=Path("/etc/preflight/inventory.toml")), scan(13))
    assert version(first) == VERSION
    assert [(run.started, run.verdict, run.counts) for run in runs(first)][1:] == before
    assert done.history
    assert done.history.last == datetime(2026, 3, 12, 2, 15, tzinfo=UTC)
    with opened(first) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_a_scan_is_about_and_counts_on_is_kept_and_forgotten_with_it(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    question = HistorySeries(command="scan", inventory=tmp_path / "inventory.toml")
    for day in (10, 13):
        remember(file, question, scan(day))
        remember(file, question, scan(day))
    kept = read(file)
    said = kept.runs[-1].clusters["vault"]
    assert (said.about, said.owner, said.verdict) == ("Secret Server 11.6 → 11.7", "Ada", Verdict.GO)
    assert [(word.kind, word.by, word.said, word.expires) for word in kept.words] == [
        (WordKind.WAIVER, "Ada", "new disk ordered", date(2026, 4, 1)),
        (WordKind.ATTESTATION, "Bob", "the vault is backed up", date(2026, 3, 20)),
    ]
    assert kept.words_known
    assert prune(file, before=datetime(2026, 3, 11, tzinfo=UTC)) == 1
    with opened(file) as store:
        assert store.execute("SELECT (SELECT count(*) FROM cluster), (SELECT count(*) FROM word)").fetchone() == (1, 2)


def test_a_verdict_is_the_one_that_was_given_not_one_that_the_statuses_make(tmp_path: Path) -> None:
    """Under --strict what is critical and not declared is a blocker, and its status is skip."""
    file = tmp_path / "h.db"
    remember(file, HistorySeries(command="scan", inventory=tmp_path / "i.toml"), scan(13, Status.SKIP, strict=True))
    assert read(file).runs[0].clusters["vault"].verdict is Verdict.NO_GO
    with opened(file) as store:
        store.execute("DELETE FROM cluster")
    assert read(file).runs[0].clusters["vault"].verdict is Verdict.UNKNOWN, "no GO in a run that was a NO-GO"


def test_a_later_version_is_refused(first: Path) -> None:
    with opened(first) as store:
        store.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(HistoryError, match=f"a later preflight wrote it \\(version {VERSION + 1}"):
        read(first)


def test_runs_of_a_clock_that_went_wrong_are_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    for day in (13, 20, 21):
        remember(file, HistorySeries(command="scan", inventory=tmp_path / "i.toml"), scan(day))
    (kept,), later = read_fleet(file, "db", now=NOW, days=90)
    assert ([run.started.day for run in kept.runs], later) == ([13], 2)


def test_a_job_that_died_long_ago_is_still_read(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    remember(file, HistorySeries(command="scan", inventory=tmp_path / "i.toml"), scan(1))
    (kept,), _ = read_fleet(file, "db", now=NOW + timedelta(days=900), days=30)
    assert len(kept.runs) == 1


@pytest.mark.parametrize("value", ["12 March", "2026-03-13T02:15:00", 5])
def test_times_that_were_changed_by_hand_are_told(tmp_path: Path, value: object) -> None:
    file = tmp_path / "h.db"
    remember(file, HistorySeries(command="scan", inventory=tmp_path / "i.toml"), scan(13))
    with opened(file) as store:
        store.execute("UPDATE run SET started = ?", (value,))
    with pytest.raises(HistoryError, match="damaged, or changed by hand"):
        read_fleet(file, "db", now=datetime.max.replace(tzinfo=UTC) - timedelta(days=9), days=90)


def test_the_older_run_is_not_the_later_one(tmp_path: Path) -> None:
    """Two jobs, a cluster each: what both count on is told, the latest of each."""
    file = tmp_path / "h.db"
    remember(
        file,
        HistorySeries(command="scan", inventory=tmp_path / "i.toml", scope="--cluster vault", narrowed=True),
        scan(12),
    )
    chef = scan(13)
    rows = tuple(replace(row, cluster="chef", waiver=None) for row in chef.results)
    chef = replace(chef, results=rows, clusters=(ClusterRecord(name="chef"),), attestations=())
    remember(
        file, HistorySeries(command="scan", inventory=tmp_path / "i.toml", scope="--cluster chef", narrowed=True), chef
    )
    kept = read(file)
    assert {word.kind for word in kept.words} == {WordKind.WAIVER, WordKind.ATTESTATION}
    assert [sorted(one.run.clusters) for one in kept.latest] == [["vault"], ["chef"]]
