"""The backups that a recorded Windows shows, and what is made of its answers."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from checks.secret_server.facts.backups import AppBackup, DatabaseBackupFile
from scanner.lab.machines.windows.script import run_script
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.tables import ScenarioError
from scanner.probes.batch.powershell import compose, parse
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.backup.backups import PROBES, app_backup, database_backup
from tests.test_scanner.probes.secret_server.crafted import COMMENTS, RECORDED

NONCE = "0123456789abcdef"
ZIP = "[files.'D:\\b\\app.zip']\nage_hours = 30\nzip = {'S/web.config' = 9, 'S/Encryption.config' = 1322}"


def answered(toml: str, **options: str) -> Answer:
    script = compose(PROBES, nonce=NONCE, budget_s=10, options=options, probe_bytes=100_000)
    output = run_script(script, read_windows(tomllib.loads(toml)), PROBES)
    answer = parse(output.stdout, nonce=NONCE, probe_ids=["backups"])["backups"]
    assert isinstance(answer, Answer)
    return answer


def app(toml: str, path: str = "D:\\b") -> AppBackup:
    return app_backup(answered(toml, backup_app_path=path))


def database(toml: str, path: str = "D:\\b\\") -> Any:
    return database_backup(answered(toml, backup_database_path=path)).backup


def test_nothing_is_looked_for_that_nobody_declared() -> None:
    answer = answered(ZIP)
    assert app_backup(answer) == AppBackup(backup=None)
    assert database_backup(answer) == DatabaseBackupFile(None)


@pytest.mark.parametrize("path", ["D:\\b", "d:/b/", "D:\\b\\app.zip"])
def test_a_zip_by_name_or_in_its_folder(path: str) -> None:
    found = app(ZIP, path)
    assert found.backup
    assert (found.backup.kind, found.backup.age_s, found.contents, found.entries) == ("zip", 108_000, "listed", 2)
    assert [(key.path, key.size_bytes) for key in found.keys] == [("S/Encryption.config", 1322)]
    assert found.web_config


def test_other_names_in_a_zip_are_not_taken_for_the_key() -> None:
    found = app(
        "[files.'D:\\b\\app.zip'.zip]\n'my-encryption.config' = 9\n'encryption.config/x' = 9\n'xweb.config' = 1"
    )
    assert (found.keys, found.web_config, found.entries) == ((), False, 3)


def test_a_zip_without_an_end_is_broken_and_one_with_nothing_is_empty() -> None:
    assert app(
        "files = {'D:\\b\\a.zip' = 'PK\\u0003\\u0004 cut'}".replace("'PK", '"PK').replace("cut'", 'cut"')
    ).contents == ("broken")
    assert app("[files.'D:\\b\\a.zip']\nzip = {}").entries == 0


def test_the_newest_of_zips_and_copied_folders_counts() -> None:
    copy = "\n[files.'D:\\b\\copy\\web.config']\nage_hours = 99\nmade_hours = 5\n"
    copy += "[files.'D:\\b\\copy\\encryption.config']\n"
    found = app(ZIP + copy + "age_hours = 99\nattributes = 0x4020\nsize = 7")
    assert found.backup
    assert (found.backup.found, found.backup.kind, found.backup.age_s) == ("D:\\b\\copy", "folder", 18_000)
    assert [(key.state, key.efs, key.size_bytes) for key in found.keys] == [("hashed", True, 7)]
    older = app(ZIP + copy.replace("made_hours = 5\n", "") + "age_hours = 99")
    assert older.backup
    assert older.backup.found == "D:\\b\\app.zip"


def test_the_newest_bak_counts_and_nothing_else() -> None:
    files = "[files]\n'D:\\b\\1.bak' = {size = 5, age_hours = 9}\n'D:\\b\\2.BAK' = {size = 6, age_hours = 4}\n"
    found = database(files + "'D:\\b\\3.bak_old' = {size = 7}\n'D:\\b\\4.txt' = 'x'")
    assert (found.found, found.size_bytes, found.age_s, found.kind) == ("D:\\b\\2.BAK", 6, 14_400, "file")


def test_what_is_not_there_or_closed_says_so() -> None:
    assert database("").kind == "missing"
    assert database("folders = ['D:\\b']").kind == "nothing"
    closed = database("files = {'D:\\b' = {hidden = true}}")
    assert (closed.kind, "D:\\b" in closed.problem) == ("closed", True)
    share = app("files = {'\\\\fs\\b\\a.zip' = {hidden = true}}", "\\\\fs\\b\\a.zip")
    assert share.backup
    assert "kerberos with delegation" in share.backup.problem


def test_too_many_files_are_counted() -> None:
    rows = "\n".join(f"'D:\\b\\{number:04}.bak' = {{age_hours = {number}, size = 1}}" for number in range(510))
    found = database("[files]\n" + rows)
    assert (found.left_out, found.found) == (10, "D:\\b\\0010.bak")


BACKUP = {"path": "D:\\b", "found": "D:\\b", "kind": "zip", "size_bytes": 3, "written": 10_000_000, "left_out": 0}
BACKUP |= {"contents": "listed", "entries": 1, "web_config": True, "keys": [], "error": ""}
KEY = {"path": "x", "state": "hashed", "size_bytes": 1, "sha256": "0" * 64, "efs": False}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "tape"}, "not understood: 'tape'"),
        ({"written": None}, "time or size of the zip is missing"),
        ({"size_bytes": None}, "time or size of the zip is missing"),
        ({"size_bytes": "3"}, "size_bytes is no int"),
        ({"contents": "full"}, "not understood: 'full'"),
        ({"keys": [{**KEY, "sha256": "secret"}]}, "state of encryption.config is not understood"),
        ({"keys": [{**KEY, "state": "open"}]}, "state of encryption.config is not understood"),
        ({"keys": [{**KEY, "efs": "no"}]}, "efs is no bool"),
        ({"web_config": 1}, "web_config is no bool"),
    ],
)
def test_garbage_is_refused(changes: dict[str, object], why: str) -> None:
    body = {"now": 20_000_000, "application": {**BACKUP, **changes}, "database": None}
    with pytest.raises(UnreadableError, match=why):
        app_backup(Answer(json.dumps(body), 0))


def test_an_answer_that_leaves_one_out_is_refused() -> None:
    with pytest.raises(UnreadableError, match="nothing about the database's backup"):
        database_backup(Answer('{"now": 1, "application": null}', 0))
    with pytest.raises(UnreadableError, match="network is down"):
        database_backup(Answer("unreadable: sockets: The network is down.", 1))


def test_a_zip_in_a_scenario_is_a_table_of_sizes() -> None:
    with pytest.raises(ScenarioError, match="expected a table of names with their sizes"):
        read_windows({"files": {"D:\\a.zip": {"zip": {"x": "y"}}}})


def of_zip(name: str) -> AppBackup:
    return app_backup(Answer(json.dumps(RECORDED[name]), 0))


@pytest.mark.parametrize("name", COMMENTS)
def test_an_end_record_in_a_comment_is_none(name: str) -> None:
    found = of_zip(name)
    assert (found.contents, found.entries, found.web_config) == ("listed", 2, True)
    assert [key.path for key in found.keys] == ["SecretServer/encryption.config"]


def test_names_in_utf_8_are_shown_as_they_are() -> None:
    (key,) = of_zip("names in UTF-8").keys
    assert key.path == "Größe \u5099\u4efd/encryption.config"


def test_a_zip_with_something_behind_it_is_still_read() -> None:
    assert of_zip("something behind it").entries == len(("web.config", "encryption.config"))


def test_a_zip_that_is_not_what_it_says_has_no_contents() -> None:
    assert of_zip("a zip that lies").contents == "broken"


def test_variables_in_the_paths_of_backups_are_expanded() -> None:
    toml = "files = {'C:\\b\\a.bak' = {age_hours = 1, size = 5}}"
    assert database(toml, "%SystemDrive%\\b").found == "C:\\b\\a.bak"
