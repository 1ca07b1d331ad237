"""A path at which nobody may look, or can, is the user's to mend and no defect of preflight."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scanner.inventory.reading.looking import exists, is_file, is_folder, is_missing, unseen
from tests.test_scanner.conftest import Preflight

TOP = Path(__file__).parents[3]
CHEF = """
[defaults.ssh]
LINE
[clusters.chef]
product = "chef-backend"
nodes.b1 = {host = "127.0.0.1", roles = ["backend"], port = 9}
"""
TOO_LONG = "k" * 300
OPTIONS = (
    *(
        ("scan", "INVENTORY", option, "PATH")
        for option in ("--json", "--html", "--junit", "--evidence", "--from", "--waivers")
    ),
    ("scan", "PATH"),
    ("collect", "INVENTORY", "-o", "PATH"),
    ("baseline", "INVENTORY", "--reason", "r", "-o", "PATH"),
    ("drift", "INVENTORY", "--baseline", "PATH"),
    ("plan", "INVENTORY", "--check", "next", "--plan", "PATH"),
    ("plan", "INVENTORY", "--json", "PATH"),
    ("dashboard", "PATH", "-o", "out"),
    ("dashboard", "preflight.db", "-o", "PATH"),
    ("history", "PATH"),
    ("status", "--history", "PATH"),
    ("init", "PATH"),
    ("lab", "chef-healthy", "--copy", "PATH"),
    ("lab", "PATH"),
)


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "inventory.toml"
    path.write_text(CHEF.replace("LINE", 'agent = false\nssh_config = ""'))
    return path


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_it_is_told_of_each_command(preflight: Preflight, inventory: Path, words: tuple[str, ...]) -> None:
    path = str(inventory.parent / f"{TOO_LONG}.toml")
    ended = preflight(*({"INVENTORY": str(inventory), "PATH": path}.get(word, word) for word in words))
    assert ended.code == 2, ended.err
    assert TOO_LONG[:40] in ended.err.replace("\n", "")
    assert "defect" not in ended.err


@pytest.mark.parametrize("key", ["key_file", "known_hosts", "ssh_config"])
def test_it_is_told_of_a_file_that_nodes_are_reached_with(preflight: Preflight, inventory: Path, key: str) -> None:
    inventory.write_text(CHEF.replace("LINE", f'{key} = "{TOO_LONG}"'))
    ended = preflight("scan", str(inventory))
    assert ended.code == 2
    assert f"clusters.chef.nodes.b1.{key}: " in ended.err
    assert "it cannot be looked for: File name too long" in " ".join(ended.err.split())


def test_the_home_of_nobody_is_told(preflight: Preflight, inventory: Path) -> None:
    del inventory
    ended = preflight("init", "new.toml", "--product", "chef-backend", "--from-ssh-config", "~nosuchuser/config")
    assert ended.code == 2
    assert "~nosuchuser/config" in ended.err
    assert "defect" not in ended.err


def test_a_folder_that_is_gone_under_whoever_is_in_it_is_told(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "inventory.toml").write_text(CHEF.replace("LINE", ""))
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'cd {there} && rmdir {there} && exec "{sys.executable}" -m scanner scan ../inventory.toml',
        ],
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "the folder that you are in is not there any more" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_may_not_be_entered_hides_what_is_in_it(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(0)
    assert not any(look(locked / "key") for look in (exists, is_file, is_folder, is_missing))
    assert unseen(locked / "key").startswith("you may not look for this file there")


def test_what_is_seen_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert (unseen(tmp_path / "file"), unseen(tmp_path, "folder")) == ("", "")
    assert unseen(tmp_path / "file" / "below", "folder") == "there is no such folder"
    assert is_missing(tmp_path / "none")
    assert not is_missing(tmp_path / TOO_LONG)
    assert [look(tmp_path) for look in (exists, is_file, is_folder)] == [True, False, True]
