"""`scan --history`, `preflight history` and `preflight status`, with good input, bad input and none."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from checks.outcome import Result, Severity, Status
from checks.scan import NodeRecord, Scan
from reports.scan.json import schema
from scanner.history import database
from scanner.history.series import HistorySeries
from scanner.history.store import remember, runs
from scanner.lab.lab import Lab

Preflight = Callable[..., Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("chef-leaderless") as running:
        yield running


@pytest.fixture
def inventory(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return lab.write(tmp_path)


def record(file: Path, *ages_h: float, status: Status = Status.PASS, inventory: str = "inventory.toml") -> None:
    """Runs that ended so many hours ago."""
    for age in ages_h:
        done = datetime.now(UTC) - timedelta(hours=age)
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
                check="disk-space",
                title="t",
                severity=Severity.LOW,
                cluster="vault",
                node="web1",
                status=status,
                message="m",
            ),
        )
        nodes = (
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
        )
        scan = Scan(
            tool_version="0.1.0",
            started=done - timedelta(seconds=30),
            finished=done,
            inventory=inventory,
            nodes=nodes,
            results=rows,
        )
        remember(file, HistorySeries(command="scan", inventory=Path(inventory)), scan)


def test_two_scans_and_what_the_second_says(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    kept = ("--history", tmp_path / "h.db", "--check", "chef-cluster-status", "--json", tmp_path / "r.json")
    first = preflight("scan", inventory, *kept)
    assert first.code == 1
    assert "history   the first run in this history" in first.out
    preflight("scan", inventory, *kept)
    second = preflight("scan", inventory, *kept, "--html", "r.html", "--markdown", "r.md", "--junit", "r.xml")
    assert second.code == 1
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    assert f"history   since {today} or before (3 runs)" in second.out
    assert "nothing new, nothing resolved, 1 as before" in " ".join(second.out.split())
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema())
    assert [(item["check"], item["runs"], item["new"]) for item in document["history"]["findings"]] == [
        ("chef-cluster-status", 3, False)
    ]
    assert len(document["history"]["trend"]) == 3
    for report in ("r.html", "r.md"):
        assert f"since {today} or before (3 runs)" in (tmp_path / report).read_text(encoding="utf-8")
    assert "since" not in (tmp_path / "r.xml").read_text(encoding="utf-8"), "names and texts of cases stay as they are"
    assert [run.scope for run in runs(tmp_path / "h.db")] == ["--check chef-cluster-status"] * 3
    assert not any(run.good for run in runs(tmp_path / "h.db"))


def test_a_whole_run_of_every_node_is_a_good_one(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    preflight("scan", inventory, "--history", "h.db", "--skip-check", "disk-space")
    (run,) = runs(tmp_path / "h.db")
    assert (run.good, run.verdict, run.narrowed, run.scope) == (True, "NO-GO", False, "--skip-check disk-space")
    assert run.inventory == str(inventory.resolve())
    preflight("scan", inventory, "--history", "h.db", "--node", "backend-1")
    assert [run.good for run in runs(tmp_path / "h.db")] == [False, True]


def test_the_inventory_can_name_the_history(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    inventory.write_text(inventory.read_text(encoding="utf-8") + '\n[run]\nhistory = "kept.db"\n', encoding="utf-8")
    preflight("scan", inventory)
    assert len(runs(inventory.parent / "kept.db")) == 1
    preflight("scan", inventory, "--history", "other.db")
    assert len(runs(inventory.parent / "kept.db")) == len(runs(tmp_path / "other.db")) == 1
    assert preflight("status", inventory).code == 0


def test_drift_is_recorded_too(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    assert preflight("baseline", inventory, "--by", "me", "--reason", "first").code == 0
    ended = preflight("drift", inventory, "--history", "h.db", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    (run,) = runs(tmp_path / "h.db")
    assert (run.command, run.verdict, run.good, run.nodes, run.reached) == ("drift", "NO DRIFT", True, 3, 3)
    assert run.counts.keys() == {"pass"}
    assert preflight("status", inventory, "--history", "h.db", "--command", "drift", "-q").code == 0
    preflight("drift", inventory, "--history", "h.db", "--node", "backend-1")
    preflight("scan", inventory, "--history", "h.db")
    assert [(run.command, run.good) for run in runs(tmp_path / "h.db")] == [
        ("scan", True),
        ("drift", False),
        ("drift", True),
    ]


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_a_history_that_cannot_be_written_costs_no_report(
    preflight: Preflight, inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: tuple[str, ...]
) -> None:
    connect = database._connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        store = connect(*arguments, **options)
        store.execute("PRAGMA max_page_count = 3")
        return store

    monkeypatch.setattr(database, "_connect", small)
    ended = preflight("scan", inventory, "--history", "h.db", "--json", "r.json", *quiet)
    assert ended.code == 1
    assert "this run is not in the history: the history h.db: the disk is full" in " ".join(ended.err.split())
    assert ended.out.startswith("NO-GO")
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert document["verdict"] == "NO-GO"
    assert "history" not in document
    assert "the disk is full" in document["notices"][-1]


@pytest.mark.parametrize("trouble", ["locked", "file", "folder"])
def test_a_history_that_is_locked_or_read_only_costs_the_history_alone(
    preflight: Preflight, inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    (tmp_path / "kept").mkdir()
    file = tmp_path / "kept" / "h.db"
    preflight("scan", inventory, "--history", file)
    assert len(runs(file)) == 1
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    real = os.access
    if trouble != "locked":  # root may write everywhere, so the system's answer stands in for its refusal
        closed = file if trouble == "file" else file.parent
        monkeypatch.setattr(
            os, "access", lambda path, how: not (how == os.W_OK and Path(path) == closed) and real(path, how)
        )
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        if trouble == "locked":
            other.execute("BEGIN IMMEDIATE")
        ended = preflight("scan", inventory, "--history", file, "--json", "r.json")
    assert (ended.code, ended.out[:5]) == (1, "NO-GO"), ended.err
    assert "this run is not in the history: the history" in " ".join(ended.err.split())
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (document["verdict"], document["exit_code"]) == ("NO-GO", 1)
    assert "this run is not in the history" in document["notices"][-1]
    monkeypatch.undo()
    assert len(runs(file)) == 1


@pytest.mark.parametrize("path", ["text.db", "folder", "nowhere/h.db"])
def test_an_impossible_history_is_refused_before_any_contact(
    preflight: Preflight, inventory: Path, tmp_path: Path, path: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text("x" * 1000, encoding="utf-8")
    ended = preflight("scan", inventory, "--history", path)
    assert (ended.code, ended.out) == (2, "")
    assert path in ended.err
    assert "asking" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--history", "-"), "the history is a file"),
        (("--history", "x.db", "--json", "./x.db"), "that file is read or written"),
        (("--history", "inventory.toml"), "that file is read or written"),
    ],
)
def test_a_history_in_the_way_of_other_files(
    preflight: Preflight, inventory: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = inventory.read_bytes()
    ended = preflight("scan", inventory, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert inventory.read_bytes() == before


def test_listing(preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "preflight.db"
    record(file, 30, 20, status=Status.FAIL)
    record(file, 10, inventory="other.toml")
    ended = preflight("history")
    head, *lines = ended.out.splitlines()
    assert ended.code == 0
    assert head.split() == ["started", "(UTC)", "command", "verdict", "fail", "error", "warn", "reached", "inventory"]
    assert [line.split()[3:8] for line in lines] == [
        ["GO", "0", "0", "0", "1/1"],
        ["NO-GO", "1", "0", "0", "1/1"],
        ["NO-GO", "1", "0", "0", "1/1"],
    ]
    assert len(preflight("history", file, "--limit", "1").out.splitlines()) == 2
    assert len(preflight("history", file, "--inventory", "other.toml").out.splitlines()) == 2
    assert preflight("history", file, "--inventory", "none.toml").out == "no run is recorded\n"
    told = json.loads(preflight("history", file, "--json", "-").out)
    assert told["schema"] == "preflight.history/1"
    assert [run["good"] for run in told["runs"]] == [True, True, True]
    assert told["runs"][0]["results"] == {"pass": 2}
    preflight("history", file, "--json", "runs.json")
    assert json.loads((tmp_path / "runs.json").read_text(encoding="utf-8")) == told


def test_what_a_list_says_of_a_run(preflight: Preflight, tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    scan = Scan(
        tool_version="0",
        started=datetime.now(UTC),
        finished=datetime.now(UTC),
        inventory="i",
        nodes=(),
        results=(),
        partial=True,
    )
    asked = HistorySeries(
        command="drift", inventory=Path("i"), phase="after", targets=("vault=11.8",), scope="--node web1", narrowed=True
    )
    remember(file, asked, scan)
    said = preflight("history", file).out
    assert "drift    UNKNOWN" in said
    assert "(--node web1, --target vault=11.8, --phase after, interrupted)" in said


def test_pruning(preflight: Preflight, tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    record(file, 24 * 500, 24 * 450, 24, status=Status.ERROR)
    record(file, 24 * 460)
    ended = preflight("history", file, "--keep", "400d")
    assert (ended.code, ended.out) == (0, f"{file}: forgot 2 runs older than 400d\n")
    assert [run.verdict for run in runs(file)] == ["UNKNOWN", "GO"]
    assert preflight("history", file, "--keep", "400d").out == f"{file}: forgot no runs older than 400d\n"
    ended = preflight("history", file, "--keep", "1h", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert [run.verdict for run in runs(file)] == ["GO"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "400"], "a unit is missing"),
        (["--keep", "0d"], "more than nothing"),
        (["--keep", "1d", "--json", "-"], "leave --json and --inventory out"),
        (["--limit", "0"], "limit"),
        (["--limit", "x"], "limit"),
    ],
)
def test_bad_calls_of_history(preflight: Preflight, tmp_path: Path, arguments: list[str], said: str) -> None:
    file = tmp_path / "h.db"
    record(file, 1)
    ended = preflight("history", file, *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert len(runs(file)) == 1


@pytest.mark.parametrize("more", [(), ("--keep", "1d")])
def test_a_history_that_is_not_there(preflight: Preflight, tmp_path: Path, more: tuple[str, ...]) -> None:
    ended = preflight("history", tmp_path / "none.db", *more)
    assert ended.code == 2
    assert "there is no such file" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("ages", "max_age", "code", "said"),
    [
        ((50, 3), "26h", 0, "the last good run was 3h ago"),
        ((3, 30), "26h", 0, "the last good run was 3h ago"),
        ((30,), "26h", 3, "the last good run was 30h ago"),
        ((30,), "2d", 0, "30h ago"),
        ((-24 * 365, 100), "26h", 3, "4d 4h ago"),
    ],
)
def test_status(
    preflight: Preflight, tmp_path: Path, ages: tuple[float, ...], max_age: str, code: int, said: str
) -> None:
    """The last case is a run from a clock that was a year ahead: it proves nothing."""
    file = tmp_path / "h.db"
    record(file, *ages)
    ended = preflight("status", "inventory.toml", "--history", file, "--max-age", max_age)
    assert ended.code == code
    assert said in ended.out
    assert ended.out.count("\n") == 1
    assert ("longer than" in ended.out) is (code == 3)
    quiet = preflight("status", "inventory.toml", "--history", file, "--max-age", max_age, "-q")
    assert (quiet.code, quiet.out) == (code, ended.out if code else "")


def test_status_counts_good_runs_only(preflight: Preflight, tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    record(file, 30)
    record(file, 1, status=Status.ERROR)
    late = preflight("status", "--history", file)
    assert late.code == 3
    assert "; the last run, scan at " in late.out
    assert "UTC, was no good one: UNKNOWN, 1 of 1 node reached" in late.out
    record(file, 1, status=Status.FAIL)
    ended = preflight("status", "--history", file)
    assert ended.code == 0
    assert "NO-GO" in ended.out
    assert preflight("status", "--history", file, "--command", "drfit").code == 2
    ended = preflight("status", "--history", file, "--command", "drift")
    assert (ended.code, ended.out.strip().endswith("no good run is recorded")) == (3, True)


def test_status_looks_at_every_inventory(preflight: Preflight, tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    record(file, 1)
    record(file, 100, inventory="dead.toml")
    ended = preflight("status", "--history", file)
    assert ended.code == 3
    assert len(ended.out.splitlines()) == 2
    assert preflight("status", "--history", file, "-q").out.splitlines() == [
        line for line in ended.out.splitlines() if "dead.toml" in line
    ]
    assert preflight("status", "inventory.toml", "--history", file).code == 0
    never = preflight("status", "never.toml", "--history", file)
    assert (never.code, "no good run is recorded" in never.out) == (3, True)


def test_status_of_what_was_never_recorded(preflight: Preflight, tmp_path: Path) -> None:
    """A cron job that never ran is as dead as one that stopped."""
    ended = preflight("status", "--history", tmp_path / "none.db", "-q")
    assert ended.code == 3
    assert "nothing was ever recorded" in ended.out
    (tmp_path / "empty.db").touch()
    ended = preflight("status", "--history", tmp_path / "empty.db")
    assert (ended.code, ended.out) == (3, f"no good run: nothing is recorded in {tmp_path / 'empty.db'}\n")


def test_bad_calls_of_status(preflight: Preflight, tmp_path: Path, inventory: Path) -> None:
    (tmp_path / "text.db").write_text("x" * 1000, encoding="utf-8")
    for arguments, said in (
        ((), "name the history with --history"),
        ((inventory,), "names no history"),
        ((tmp_path / "none.toml",), "no such file"),
        (("--history", tmp_path / "text.db"), "this is no preflight history"),
        (("--history", tmp_path / "text.db", "--max-age", "soon"), "expected a length of time"),
    ):
        ended = preflight("status", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
