"""`preflight dashboard`: histories good and bad, and a folder in which others keep files too."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import UsageError
from scanner.files.dashboard import MANIFEST, publish, ready
from scanner.files.short_names import apart
from scanner.history.migrations import VERSION

Preflight = Callable[..., Any]
FIRST = Path(__file__).parents[1] / "history" / "files" / "version-1.db.gz"
PAGES = {"index.html", "inventory.chef.html", "inventory.vault.html"}


@pytest.fixture
def history(tmp_path: Path) -> Path:
    file = tmp_path / "preflight.db"
    file.write_bytes(gzip.decompress(FIRST.read_bytes()))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "fleet"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {MANIFEST}


def test_a_history_becomes_a_folder_of_pages(preflight: Preflight, history: Path, folder: Path) -> None:
    ended = preflight("dashboard", history, "-o", folder, "--today", "2026-03-12")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"wrote {folder / 'index.html'}: 1 of 2 clusters GO, 1 NO-GO\n"
    assert names(folder) == PAGES
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "2026-03-12 23:59 UTC" in text
    assert "1 run after 2026" not in text
    assert "an earlier preflight made its latest run" in text
    assert preflight("dashboard", history, "-o", folder, "-q", "--today", "2026-03-12").out == ""


def test_the_same_data_and_day_make_the_same_pages(preflight: Preflight, history: Path, folder: Path) -> None:
    preflight("dashboard", history, "-o", folder, "--today", "2026-03-12")
    before = {name: (folder / name).read_bytes() for name in PAGES}
    preflight("dashboard", history, history, "-o", folder, "--today", "2026-03-12")
    assert {name: (folder / name).read_bytes() for name in PAGES} == before


def test_a_day_in_the_past_is_seen_from_its_end(preflight: Preflight, history: Path, folder: Path) -> None:
    ended = preflight("dashboard", history, "-o", folder, "--today", "2026-03-08")
    assert "2 of 2 clusters GO" in ended.out
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "preflight.db: 5 runs after 2026-03-08 23:59 UTC left out" in text
    assert "2026-03-07" in text, "the night that was missed"


def test_now_is_the_machines_time(preflight: Preflight, history: Path, folder: Path) -> None:
    ended = preflight("dashboard", history, "-o", folder)
    assert "0 of 2 clusters GO, 1 NO-GO, 1 OLD GO" in ended.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a database, and long enough to be none at all" * 30, "this is no preflight history"),
        (None, "there is no such file"),
        (b"", "nothing was recorded in it yet"),
    ],
)
def test_a_bad_history_does_not_take_the_others(
    preflight: Preflight, history: Path, folder: Path, content: bytes | None, said: str
) -> None:
    bad = history.with_name("bad.db")
    if content is not None:
        bad.write_bytes(content)
    ended = preflight("dashboard", bad, history, "-o", folder, "--today", "2026-03-12")
    assert ended.code == 2
    assert f"the history {bad}: {said}" in " ".join(ended.err.split())
    assert "was written without" in ended.err
    assert names(folder) == PAGES
    assert said in (folder / "index.html").read_text(encoding="utf-8")
    alone = preflight("dashboard", bad, "-o", folder.with_name("none"))
    assert (alone.code, alone.out) == (2, "")
    assert said in " ".join(alone.err.split())
    assert not folder.with_name("none").exists()


def test_later_and_foreign_histories_are_refused(preflight: Preflight, history: Path, folder: Path) -> None:
    with sqlite3.connect(history) as store:
        store.execute(f"PRAGMA user_version = {VERSION + 1}")
    store.close()
    ended = preflight("dashboard", history, "-o", folder)
    assert ended.code == 2
    assert "a later preflight wrote it" in ended.err
    other = history.with_name("other.db")
    with sqlite3.connect(other) as store:
        store.execute("CREATE TABLE t (x)")
    store.close()
    assert "another database" in preflight("dashboard", other, "-o", folder).err


def test_a_history_that_may_not_be_written_is_read(preflight: Preflight, history: Path, folder: Path) -> None:
    before = history.read_bytes()
    history.chmod(0o400)
    assert preflight("dashboard", history, "-o", folder).code == 0
    assert history.read_bytes() == before


def test_pages_of_clusters_that_are_gone_are_taken_away_and_nothing_else(
    preflight: Preflight, history: Path, folder: Path
) -> None:
    preflight("dashboard", history, "-o", folder, "--today", "2026-03-12")
    (folder / "robots.txt").write_text("mine")
    (folder / "inventory.mine.html").write_text("mine")
    with sqlite3.connect(history) as store:
        store.execute("DELETE FROM result WHERE subject IN (SELECT id FROM subject WHERE cluster = 'chef')")
    store.close()
    bad = history.with_name("bad.db")
    preflight("dashboard", history, bad, "-o", folder, "--today", "2026-03-12")
    assert "inventory.chef.html" in names(folder), "where a history could not be read, its clusters may be there yet"
    ended = preflight("dashboard", history, "-o", folder, "--today", "2026-03-12")
    assert "took away 1 page of clusters that are gone" in ended.out
    assert names(folder) == {"index.html", "inventory.vault.html", "robots.txt", "inventory.mine.html"}


@pytest.mark.parametrize("name", ["index.html", "inventory.vault.html"])
def test_a_page_of_somebody_else_is_not_replaced(preflight: Preflight, history: Path, folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / name).write_text("mine")
    ended = preflight("dashboard", history, "-o", folder)
    assert ended.code == 2
    assert f"{folder / name} is there and is no page of a dashboard" in " ".join(ended.err.split())
    assert names(folder) == {name}
    assert (folder / name).read_text() == "mine"


def test_what_a_manifest_lists_is_removed_only_where_it_is_ours(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.html"
    outside.write_text("mine")
    publish(folder, {"a.html": "x"}, ready(folder), tidy=True)
    own = '<meta name="generator" content="preflight dashboard 1">'
    listed = ["a.html", "link.html", "folder.html", "ours.html", "../outside.html", "/etc/passwd", "x.txt", 5]
    (folder / MANIFEST).write_text(json.dumps({"schema": "preflight.dashboard/1", "pages": listed}))
    (folder / "link.html").symlink_to(outside)
    (folder / "folder.html").mkdir()
    (folder / "ours.html").write_text(own)
    (folder / "x.txt").write_text(own)
    outside.write_text(own)
    assert publish(folder, {"index.html": own}, ready(folder), tidy=True) == ["ours.html"]
    assert names(folder) == {"a.html", "link.html", "folder.html", "x.txt", "index.html"}
    assert outside.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "preflight.dashboard/1"}', "{" * 100_000, '{"schema": "z/9"}'])
def test_a_manifest_that_is_none_is_told(preflight: Preflight, history: Path, folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / MANIFEST).write_text(text)
    ended = preflight("dashboard", history, "-o", folder)
    assert ended.code == 2
    assert MANIFEST in ended.err
    assert names(folder) == set()


def test_a_run_that_was_killed_between_pages_is_made_good_by_the_next(folder: Path) -> None:
    ours = ready(folder)
    with pytest.raises(UsageError):
        publish(folder, {"a.html": "1", "missing/b.html": "2", "index.html": "3"}, ours, tidy=True)
    assert names(folder) == {"a.html"}
    publish(folder, {"a.html": "4", "index.html": "5"}, ready(folder), tidy=True)
    assert (folder / "a.html").read_text() == "4"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "-"), "cannot go to standard output"),
        (("-o", "preflight.db"), "is no folder"),
        (("-o", "none/fleet"), "cannot write none/fleet"),
        (("-o", "fleet", "--today", "yesterday"), "expected a day such as 2026-03-31"),
        (("-o", "fleet", "--nights", "3"), "--nights"),
        ((), "--output"),
    ],
)
def test_bad_options_are_told(
    preflight: Preflight, history: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(history.parent)
    ended = preflight("dashboard", history.name, *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


def test_equal_names_in_several_histories_stay_apart(preflight: Preflight, history: Path, folder: Path) -> None:
    paris = history.parent / "paris"
    paris.mkdir()
    shutil.copy(history, paris / history.name)
    preflight("dashboard", history, paris / history.name, "-o", folder, "--today", "2026-03-12")
    assert names(folder) == PAGES | {"inventory.chef-2.html", "inventory.vault-2.html"}
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "paris/preflight.db" in text
    assert str(history.parent) not in text, "where files lie on the scanner is nobody's business"


@pytest.mark.parametrize(
    ("paths", "called"),
    [
        (["/etc/a.toml", "/etc/b.toml"], ["a.toml", "b.toml"]),
        (["/x/prod/i.toml", "/x/test/i.toml", "/x/z.toml"], ["prod/i.toml", "test/i.toml", "z.toml"]),
        (["i.toml", "/x/i.toml"], ["i.toml", "x/i.toml"]),
        ([r"C:\a\i.toml", r"C:\b\i.toml"], ["a/i.toml", "b/i.toml"]),
        (["/"], ["/"]),
    ],
)
def test_files_are_called_by_what_tells_them_apart(paths: list[str], called: list[str]) -> None:
    assert apart(paths) == called
