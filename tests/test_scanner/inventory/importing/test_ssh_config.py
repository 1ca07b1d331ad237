"""Machines out of the configuration of OpenSSH's client."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory.importing.ssh_config import SshConfig
from tests.field.samples import FOLDER

Preflight = Callable[..., Any]
SAMPLE = FOLDER / "ansible" / "ssh_config"
MAP = ("--product", "chef-backend", "--map", "be*=chef-prod:backend")


def test_hosts_that_are_names_are_machines(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    assert preflight("init", path, *MAP, "--from-ssh-config", SAMPLE).code == 0
    assert preflight("validate", path).code == 0
    nodes = tomllib.loads(path.read_text(encoding="utf-8"))["clusters"]["chef-prod"]["nodes"]
    assert list(nodes) == ["be1", "be2", "be3"]
    assert (nodes["be2"]["host"], nodes["be2"]["user"]) == ("be2.corp.example", "deploy")
    assert nodes["be2"]["key_file"].endswith("/.ssh/deploy key")
    wanted = ("10.20.30.43", 2222, "kim@bastion.corp.example")
    assert (nodes["be3"]["host"], nodes["be3"]["port"], nodes["be3"]["jump"]) == wanted


def test_values_are_those_that_ssh_itself_gives() -> None:
    ssh = shutil.which("ssh")
    if ssh is None:
        pytest.skip("no ssh on this machine")
    for machine in SshConfig(SAMPLE).members("be*"):
        asked = [ssh, "-G", "-F", str(SAMPLE), machine.name]
        said = dict(
            line.partition(" ")[::2]
            for line in reversed(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines())
        )
        assert machine.host == said["hostname"]
        assert str(machine.keys.get("port", 22)) == said["port"]
        assert machine.keys.get("jump", "") == said.get("proxyjump", "")
        assert str(Path(said["identityfile"]).expanduser()) == machine.keys["key_file"]


def test_what_only_ssh_can_do_stays_with_its_file(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    options = ("--product", "chef-backend", "--map", "old=backend")
    assert preflight("init", path, *options, "--from-ssh-config", SAMPLE).code == 0
    (node,) = tomllib.loads(path.read_text(encoding="utf-8"))["clusters"]["chef-backend"]["nodes"].values()
    assert node["host"] == "old"
    assert tomllib.loads(path.read_text(encoding="utf-8"))["defaults"]["ssh"]["ssh_config"] == str(SAMPLE)


def test_included_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "a.conf").write_text("Host be9\n HostName 10.0.0.9\n")
    config = tmp_path / "config"
    config.write_text("Include config.d/*.conf\nHost be1\n User kim\n")
    assert [(each.name, each.host) for each in SshConfig(config).members("*")] == [("be9", "10.0.0.9"), ("be1", "be1")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("Include config\n", "circle"),
        ("Host be1\n Port\x00 x\n", "no machine"),
        ("Host x\n", 'knows no "be\\*"'.replace("\\", "")),
    ],
)
def test_what_cannot_be_read_is_told(preflight: Preflight, tmp_path: Path, text: str | None, told: str) -> None:
    config = tmp_path / "config"
    if text is not None:
        config.write_text(text)
    ended = preflight("init", tmp_path / "i.toml", *MAP, "--from-ssh-config", config)
    if told == "no machine":  # nonsense that OpenSSH would refuse gets no further than a file without a traceback
        assert ended.code in (0, 2)
        return
    assert (ended.code, told in ended.err, (tmp_path / "i.toml").exists()) == (2, True, False), ended.err
