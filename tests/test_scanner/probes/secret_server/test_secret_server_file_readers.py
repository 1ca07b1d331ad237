"""From recorded answers about a web node's files to facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.secret_server.facts.folder import AppTree, DatabaseConfig
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.files.files import PROBES

RECORDINGS = Path(__file__).parents[3] / "recordings" / "secret_server" / "web-files.json"
PATH = "C:\\inetpub\\wwwroot\\SecretServer\\database.config"


def recorded(case: str, kind: type) -> Any:
    (probe_id,) = [probe.id for probe in PROBES if kind in probe.facts]
    value = json.loads(RECORDINGS.read_text(encoding="utf-8"))[probe_id][case]["value"]
    return read(kind, value)


def read(kind: type, value: object) -> Any:
    (reader,) = [reader for probe in PROBES for fact, reader in probe.readers if fact is kind]
    return reader(Answer(json.dumps(value), 0))


def refused(case: str, kind: type) -> str:
    with pytest.raises(UnreadableError) as caught:
        recorded(case, kind)
    return str(caught.value)


def test_database_config_is_hashed() -> None:
    found = recorded("hashed", DatabaseConfig)
    assert found == DatabaseConfig(path=PATH, state="hashed", sha256="4f3a9c1d" * 8, efs=False, size_bytes=644)


@pytest.mark.parametrize(
    ("case", "state", "efs", "size"),
    [("efs", "denied", True, 644), ("hidden", "denied", False, None), ("missing", "missing", False, None)],
)
def test_database_config_that_is_not_hashed(case: str, state: str, size: int | None, *, efs: bool) -> None:
    found = recorded(case, DatabaseConfig)
    assert (found.state, found.efs, found.size_bytes, found.sha256) == (state, efs, size, "")


def test_database_config_garbled() -> None:
    assert "does not go with this hash: 'deadbeef'" in refused("garbled", DatabaseConfig)
    assert "found no folder that holds the application" in refused("no-application", DatabaseConfig)


def test_app_files() -> None:
    found = recorded("whole", AppTree)
    assert [(folder.path, folder.count, folder.partial) for folder in found.folders] == [
        ("", 2, False),
        ("\\bin", 1, True),
    ]
    assert found.folders[0].files == (("default.aspx", "0a1b2c3d"), ("saml.config", "4f3a9c1d"))
    assert found.left_out == (("\\bin\\locked.dll", "D:\\App\\bin\\locked.dll is locked by another process (in use)"),)
    assert (found.stopped, found.files, found.bytes) == ("", 3, 1048976)


def test_a_folder_that_may_not_be_looked_into_is_no_link() -> None:
    value = json.loads(RECORDINGS.read_text(encoding="utf-8"))["app-files"]["whole"]["value"]
    (folder,) = value["folders"]
    folder["left_out"] = [
        {"path": "\\bin\\x.dll", "why": "locked: D:\\App\\bin\\x.dll: in use"},
        {"path": "\\secret\\", "why": "denied: D:\\App\\secret: Access is denied."},
        {"path": "\\media\\", "why": "unreadable: a link to elsewhere"},
    ]
    assert read(AppTree, value).unlisted == ("\\secret\\",)


def test_app_files_where_there_were_too_many_or_too_little_time() -> None:
    found = recorded("stopped", AppTree)
    assert (found.stopped, found.folders[0].files) == ("time", None)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("garbled", "the files of folder '' are garbled"),
        ("twice", "a folder stands in the answer twice"),
        ("bad-digest", "the digest of folder '' is none"),
        ("empty", "there are no files of the application"),
        ("odd-end", "how the walk ended is not understood: 'boredom'"),
    ],
)
def test_app_files_garbled(case: str, said: str) -> None:
    assert said in refused(case, AppTree)
