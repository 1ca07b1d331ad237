"""The history file: whole runs or none, whoever else writes, whoever is killed, whatever the disk does."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.outcome import Result, Severity, Status
from checks.scan import NodeRecord, Scan
from scanner.history import database
from scanner.history import store as history
from scanner.history.database import HistoryError, refuse_unusable
from scanner.history.migrations import APPLICATION_ID, VERSION
from scanner.history.series import HistorySeries
from scanner.history.store import last_good_runs, prune, remember, runs

START = datetime(2026, 11, 1, 2, 15, tzinfo=UTC)
ROWS = 40
TOP = Path(__file__).parents[3]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX modes and signals")


def night(number: int, status: Status = Status.PASS, **more: Any) -> Scan:
    """A scan of two nodes; the first result has `status`."""
    rows = [
        Result(
            check=f"check-{row}",
            title="t",
            severity=Severity.LOW,
            cluster="vault",
            node=f"web{row % 2}",
            status=Status.PASS,
            message=f"night {number}, row {row}",
        )
        for row in range(ROWS)
    ]
    rows[0] = replace(rows[0], status=status, not_evaluated=status is Status.ERROR)
    nodes = tuple(
        NodeRecord(
            cluster="vault",
            node=f"web{n}",
            host="h",
            transport="winrm",
            reachable=True,
            connections=1,
            commands=1,
            requests=1,
            seconds=0.1,
        )
        for n in range(2)
    )
    started = START + timedelta(days=number)
    scan = Scan(
        tool_version="0.1.0",
        started=started,
        finished=started + timedelta(seconds=9),
        inventory="inventory.toml",
        nodes=nodes,
        results=tuple(rows),
    )
    return replace(scan, **more)


def question(folder: Path, **more: Any) -> HistorySeries:
    return replace(HistorySeries(command="scan", inventory=folder / "inventory.toml"), **more)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "preflight.db"


def whole(file: Path) -> list[datetime]:
    """When the recorded runs started, oldest first, after holding the file to be sound and each run to be whole."""
    with sqlite3.connect(file) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = store.execute("SELECT count(*) FROM run LEFT JOIN result ON run = id GROUP BY id").fetchall()
    store.close()
    assert set(counts) <= {(ROWS,)}
    return sorted(run.started for run in runs(file))


def test_a_run_comes_back_as_it_was(file: Path) -> None:
    asked = question(file.parent, phase="after", targets=("vault=11.8", "x=2"), scope="--skip-check a")
    remember(file, asked, night(0, Status.FAIL, strict=True, partial=True))
    (run,) = runs(file)
    assert (run.command, run.inventory) == ("scan", str((file.parent / "inventory.toml").resolve()))
    assert (run.phase, run.targets, run.scope) == ("after", ("vault=11.8", "x=2"), "--skip-check a")
    assert (run.started, run.finished) == (START, START + timedelta(seconds=9))
    assert (run.verdict, run.exit_code, run.strict, run.partial, run.good) == ("NO-GO", 130, True, True, False)
    assert (run.nodes, run.reached, run.tool_version) == (2, 2, "0.1.0")
    assert run.counts == {"pass": ROWS - 1, "fail": 1}


def test_the_next_run_knows_of_it(file: Path) -> None:
    asked = question(file.parent)
    first = remember(file, asked, night(0)).history
    assert first is not None
    assert first.last is None
    second = remember(file, asked, night(1, Status.FAIL)).history
    third = remember(file, asked, night(2, Status.FAIL)).history
    fourth = remember(file, asked, night(3)).history
    assert second is not None
    assert third is not None
    assert fourth is not None
    assert [(item.subject.node, item.new) for item in second.standings] == [("web0", True)]
    assert [(item.new, item.since, item.runs) for item in third.standings] == [(False, START + timedelta(days=1), 2)]
    assert [item.message for item in fourth.resolved] == ["night 2, row 0"]
    assert [point.fail for point in fourth.trend] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    "other",
    [
        {"inventory": Path("/elsewhere/inventory.toml")},
        {"command": "drift"},
        {"phase": "after"},
        {"targets": ("vault=11.8",)},
    ],
)
def test_another_question_is_another_story(file: Path, other: dict[str, Any]) -> None:
    remember(file, question(file.parent, **other), night(0, Status.FAIL))
    found = remember(file, question(file.parent), night(1)).history
    assert found is not None
    assert found.last is None
    assert found.resolved == ()
    assert len(runs(file)) == 2


def test_an_inventory_is_the_same_by_whatever_way_it_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    keys = {
        HistorySeries(command="scan", inventory=Path(path)).inventory_key
        for path in ("a.toml", "sub/../a.toml", str(tmp_path / "a.toml"))
    }
    assert keys == {str(tmp_path.resolve() / "a.toml")}


def test_the_order_of_options_makes_no_other_question() -> None:
    path = Path("i.toml")
    one = HistorySeries.asked("scan", path, narrowed=False, check=["b", "a", "a"], skip_check=["c"])
    two = HistorySeries.asked("scan", path, narrowed=False, check=["a", "b"], skip_check=["c"])
    assert one == two
    assert (one.scope, one.narrowed) == ("--check a --check b --skip-check c", True)
    assert not HistorySeries.asked("scan", path, narrowed=False, skip_check=["c"]).narrowed
    assert not HistorySeries.asked("scan", path, narrowed=False, cluster=["the only one"]).narrowed


def test_the_same_evidence_judged_again_is_no_other_run(file: Path) -> None:
    asked = question(file.parent)
    remember(file, asked, night(0))
    remember(file, asked, night(1, Status.FAIL))
    found = remember(file, asked, night(1, Status.FAIL)).history
    assert found is not None
    assert [(item.new, item.runs) for item in found.standings] == [(True, 1)]
    assert len(whole(file)) == 2


def test_a_run_is_held_against_those_before_it_and_not_against_later_ones(file: Path) -> None:
    asked = question(file.parent)
    remember(file, asked, night(5))
    found = remember(file, asked, night(1, Status.FAIL)).history
    assert found is not None
    assert found.last is None


def test_two_results_on_the_same_thing_break_nothing(file: Path) -> None:
    scan = night(0)
    remember(file, question(file.parent), replace(scan, results=(*scan.results, scan.results[0])))
    assert whole(file) == [START]


def test_strange_texts_are_kept(file: Path) -> None:
    texts = ["\ud800", "nul\0", "'; DROP TABLE run; --", "x" * 100_000, ""]
    rows = tuple(replace(night(0).results[0], message=text, check=f"c{n}") for n, text in enumerate(texts))
    remember(file, question(file.parent), night(0, results=rows))
    assert runs(file)[0].counts == {"pass": len(texts)}
    assert file.stat().st_size < 200_000


@posix
def test_nobody_else_may_read_it(file: Path) -> None:
    old = os.umask(0)
    try:
        remember(file, question(file.parent), night(0))
        with sqlite3.connect(file) as reader:
            reader.execute("SELECT * FROM run").fetchall()
            remember(file, question(file.parent), night(1))
            for found in file.parent.glob("preflight.db*"):
                assert stat.S_IMODE(found.stat().st_mode) == 0o600, found
        reader.close()
    finally:
        os.umask(old)


def test_it_writes_ahead(file: Path) -> None:
    remember(file, question(file.parent), night(0))
    with sqlite3.connect(file) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def foreign_database(file: Path) -> str:
    with sqlite3.connect(file) as store:
        store.execute("CREATE TABLE bookmarks (url TEXT)")
    store.close()
    return "this is no preflight history, but another database"


def foreign_mark(file: Path) -> str:
    with sqlite3.connect(file) as store:
        store.execute("PRAGMA application_id = 7")
        store.execute("VACUUM")
    store.close()
    return "this is no preflight history, but another database"


def later_version(file: Path) -> str:
    remember(file, question(file.parent), night(0))
    with sqlite3.connect(file) as store:
        store.execute(f"PRAGMA user_version = {VERSION + 1}")
    store.close()
    return f"a later preflight wrote it (version {VERSION + 1}, this one knows up to {VERSION})"


def no_database(file: Path) -> str:
    file.write_text("[clusters.vault]\n" * 1000)
    return "this is no preflight history; name another file"


def cut_off(file: Path) -> str:
    for number in range(3):
        remember(file, question(file.parent), night(number))
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 3])
    return "it is damaged"


def ours_without_tables(file: Path) -> str:
    with sqlite3.connect(file) as store:
        store.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        store.execute(f"PRAGMA user_version = {VERSION}")
        store.execute("VACUUM")
    store.close()
    return "it is damaged, or no preflight history: no such table"


def changed_by_hand(file: Path) -> str:
    remember(file, question(file.parent), night(0))
    with sqlite3.connect(file) as store:
        store.execute("UPDATE run SET started = '1 November'")
    store.close()
    return "it is damaged, or changed by hand"


def a_folder(file: Path) -> str:
    file.mkdir()
    return "it is a folder; name a file in it"


SPOILERS = [foreign_database, foreign_mark, later_version, no_database, cut_off, ours_without_tables, changed_by_hand]


@pytest.mark.parametrize("spoil", [*SPOILERS, a_folder])
def test_what_is_no_history_of_ours_is_refused_and_left_alone(file: Path, spoil: Callable[[Path], str]) -> None:
    said = spoil(file)
    before = b"" if file.is_dir() else file.read_bytes()
    with pytest.raises(HistoryError) as caught:
        remember(file, question(file.parent), night(9))
    assert str(caught.value).startswith("the history")
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    if spoil not in (cut_off, ours_without_tables, changed_by_hand):
        assert file.is_dir() or file.read_bytes() == before


@pytest.mark.parametrize("spoil", [foreign_database, foreign_mark, later_version, no_database, a_folder])
def test_that_is_said_before_anything_is_contacted(file: Path, spoil: Callable[[Path], str]) -> None:
    said = spoil(file)
    with pytest.raises(HistoryError) as caught:
        refuse_unusable(file)
    assert said in str(caught.value)


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("read", [runs, lambda file: last_good_runs(file, now=START + timedelta(days=9))])
def test_readers_refuse_it_too(file: Path, spoil: Callable[[Path], str], read: Callable[[Path], object]) -> None:
    spoil(file)
    with pytest.raises(HistoryError):
        read(file)


def test_what_is_not_there_yet(tmp_path: Path, file: Path) -> None:
    refuse_unusable(file)
    assert list(tmp_path.iterdir()) == []
    for read in (runs, lambda path: prune(path, before=START), lambda path: last_good_runs(path, now=START)):
        with pytest.raises(HistoryError, match="there is no such file"):
            read(file)
    with pytest.raises(HistoryError, match="does not exist; create it"):
        refuse_unusable(tmp_path / "none" / "preflight.db")
    file.touch()
    refuse_unusable(file)
    with pytest.raises(HistoryError, match="nothing was recorded in it yet"):
        runs(file)
    remember(file, question(tmp_path), night(0))
    assert len(whole(file)) == 1


@posix
def test_a_link_is_followed_and_a_device_is_not_taken_for_a_file(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(file)
    remember(link, question(tmp_path), night(0))
    assert len(whole(file)) == 1
    assert link.is_symlink()
    for path in (Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(HistoryError, match="no file but a device"):
            remember(path, question(tmp_path), night(0))


def test_a_full_disk_leaves_what_was_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = database._connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        store = connect(*arguments, **options)
        pages = store.execute("PRAGMA page_count").fetchone()[0]
        store.execute(f"PRAGMA max_page_count = {pages + room}")
        return store

    monkeypatch.setattr(database, "_connect", small)
    for room in (1, 5):  # noqa: B007  too little for the tables, and for the rows
        with pytest.raises(HistoryError, match="the disk is full; make room"):
            remember(file, question(file.parent), night(0))
    room = 1000
    remember(file, question(file.parent), night(0))
    room = 0
    long = tuple(replace(row, message=f"{row.message}{'x' * 400}") for row in night(1).results)
    with pytest.raises(HistoryError, match="the disk is full; make room"):
        remember(file, question(file.parent), night(1, results=long))
    assert whole(file) == [START]


def test_a_locked_file_is_waited_for_and_then_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(file, question(file.parent), night(0))
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    with pytest.raises(HistoryError, match="another program has locked it"):
        remember(file, question(file.parent), night(1))
    assert len(runs(file)) == 1, "who only reads is not held up"
    holder.execute("ROLLBACK")
    holder.close()
    remember(file, question(file.parent), night(1))
    assert len(whole(file)) == 2


@posix
def test_where_the_folder_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    file = folder / "preflight.db"
    remember(file, question(tmp_path), night(0))
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != folder and real(path, how))
    folder.chmod(0o500)
    try:
        for path in (file, folder / "new.db"):
            with pytest.raises(HistoryError, match="you may not write in the folder"):
                remember(path, question(tmp_path), night(1))
        assert len(runs(file)) == 1
        assert [found.name for found in folder.iterdir()] == ["preflight.db"]
    finally:
        folder.chmod(0o700)


def test_an_interrupt_leaves_nothing_half(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(file, question(file.parent), night(0))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "one_line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remember(file, question(file.parent), night(1))
    monkeypatch.undo()
    assert whole(file) == [START]
    remember(file, question(file.parent), night(1))
    assert len(whole(file)) == 2


def python(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A process of its own that has this file's helpers."""
    head = (
        "import importlib.util, os, signal, sys; from pathlib import Path\n"
        f"spec = importlib.util.spec_from_file_location('helpers', {str(Path(__file__))!r})\n"
        "helpers = importlib.util.module_from_spec(spec); sys.modules['helpers'] = helpers\n"
        "spec.loader.exec_module(helpers)\n"
        "from helpers import *; from helpers import night, question, database, remember\n"
        "file = Path(sys.argv[1])\n"
    )
    return subprocess.Popen([sys.executable, "-c", head + code, *map(str, arguments)], cwd=TOP)


def test_runs_that_overlap_lose_nothing(file: Path) -> None:
    """From the first moment on, when there is no file yet and each of them makes it."""
    writers, each = 4, 6
    code = "for n in range(int(sys.argv[2]), int(sys.argv[3])): remember(file, question(file.parent), night(n))"
    started = [python(code, file, number * each, (number + 1) * each) for number in range(writers)]
    assert [process.wait(60) for process in started] == [0] * writers
    assert whole(file) == [START + timedelta(days=number) for number in range(writers * each)]


@posix
@pytest.mark.parametrize("new", [True, False])
def test_a_run_that_is_killed_at_any_statement_is_not_there(file: Path, new: bool) -> None:
    """SIGKILL before each of the statements of one run in turn, and once after the last; the next run goes on."""
    if not new:
        remember(file, question(file.parent), night(0))
    code = (
        "connect, count = database._connect, 0\n"
        "def deadly(*arguments, **options):\n"
        "    store = connect(*arguments, **options)\n"
        "    def step(statement):\n"
        "        global count\n"
        "        count += 1\n"
        "        if count == at: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    store.set_trace_callback(step)\n"
        "    return store\n"
        "database._connect = deadly\n"
        "for at in map(int, sys.argv[2:]):\n"
        "    count = 0\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        remember(file, question(file.parent), night(99))\n"
        "        os._exit(7)\n"
        "    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "    assert ended == -9, (at, ended)\n"
    )
    moments = [*range(1, 24), 40, 90, 130]
    process = python(code, file, *moments)
    assert process.wait(60) == 0
    if not new:
        assert whole(file) == [START]
    remember(file, question(file.parent), night(1))
    assert whole(file) == [START + timedelta(days=1)] if new else [START, START + timedelta(days=1)]


@posix
def test_runs_that_are_killed_at_random_are_whole_or_not_there(file: Path) -> None:
    code = (
        "for n in range(10_000):\n"
        "    remember(file, question(file.parent), night(int(sys.argv[2]) + n))\n"
        "    with open(sys.argv[3], 'ab') as done: done.write(b'.')\n"
    )
    rng = random.Random(7)
    kept = 0
    for attempt in range(4):
        done = file.parent / f"done-{attempt}"
        process = python(code, file, attempt * 10_000, done)
        give_up = time.monotonic() + 30
        while not done.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        time.sleep(rng.random() / 10)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        kept += done.stat().st_size
    # One more may have been recorded before each death than was told.
    assert kept <= len(whole(file)) <= kept + 4
    remember(file, question(file.parent), night(90_000))


def test_good_runs(file: Path) -> None:
    asked = question(file.parent)
    now = START + timedelta(days=50)
    down = tuple(replace(node, reachable=False) for node in night(0).nodes)

    def last() -> datetime | None:
        (run,) = last_good_runs(file, now=now).values()
        return run.started if run else None

    remember(file, asked, night(0, Status.ERROR))
    assert last() is None
    remember(file, asked, night(1))
    remember(file, asked, night(2, Status.FAIL))
    good = START + timedelta(days=2)
    assert last() == good
    remember(file, asked, night(3, Status.ERROR))
    remember(file, asked, night(4, partial=True))
    remember(file, asked, night(5, Status.FAIL, nodes=down))
    remember(file, replace(asked, scope="--node web1", narrowed=True), night(6))
    remember(file, asked, night(7, nodes=(), results=()))
    assert last() == good
    remember(file, asked, night(400))  # a clock that was wrong
    assert last() == good
    remember(file, replace(asked, command="drift"), night(8))
    assert last() == START + timedelta(days=8)
    assert last_good_runs(file, now=now, command="scan")[asked.inventory_key] is not None
    assert last_good_runs(file, now=now, inventory="/other") == {"/other": None}


def test_pruning(file: Path) -> None:
    asked, other = question(file.parent), question(file.parent, inventory=file.parent / "other.toml")
    remember(file, other, night(1, Status.FAIL))
    for number in range(2, 10):
        remember(file, asked, night(number, Status.PASS if number == 3 else Status.ERROR))
    gone = prune(file, before=START + timedelta(days=8))
    assert gone == 5
    assert whole(file) == [START + timedelta(days=number) for number in (1, 3, 8, 9)]
    with sqlite3.connect(file) as store:
        kept = {text for (text,) in store.execute("SELECT text FROM message")}
    store.close()
    assert "night 3, row 0" in kept
    assert "night 4, row 0" not in kept
    assert prune(file, before=START + timedelta(days=8)) == 0
    found = remember(file, asked, night(10, Status.ERROR)).history
    assert found is not None
    (standing,) = found.standings
    assert (standing.since, standing.runs) == (START + timedelta(days=8), 3)
