"""What stands in sudoers is what the probes send, to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checks.chef_backend.facts.machine import SecretsFiles
from scanner.probes.probe import Probe
from scanner.probes.registry import BUILTIN
from scanner.probes.sudoers import root_commands, sudoers_lines, without_terminal

AS_ROOT = [probe for probe in BUILTIN if "$SUDO" in probe.script]


def probe(script: str) -> Probe:
    return Probe(id="x", language="sh", purpose="x", script=script, readers=())


@pytest.mark.parametrize("own", AS_ROOT, ids=lambda own: own.id)
def test_every_root_command_is_plain_words(own: Probe) -> None:
    """No variable, no pattern, no quotes: what is allowed is what is run, whatever a node holds."""
    found = re.findall(r"(?<!\")\$SUDO\b", own.script)
    words = [word for command in root_commands([own]) for word in command]
    assert len(root_commands([own])) == len(found) > 0
    assert not [word for word in words if re.search(r"[$`*?\[\]\"'\\!#~]", word)]
    assert all(" ".join(command) in own.script for command in root_commands([own]))


def test_a_line_for_each_path_of_each_command_once() -> None:
    scripts = ("$SUDO ls -a /x | sort", "if $SUDO ls -a /x; then :; fi", "x=$($SUDO chef-server-ctl status 2>&1)")
    assert sudoers_lines("ops", map(probe, scripts)) == [
        "ops ALL=(root) NOPASSWD: /usr/bin/ls -a /x",
        "ops ALL=(root) NOPASSWD: /bin/ls -a /x",
        "ops ALL=(root) NOPASSWD: /usr/bin/chef-server-ctl status",
        "ops ALL=(root) NOPASSWD: /opt/opscode/bin/chef-server-ctl status",
    ]


def test_what_sudoers_would_take_for_its_own_is_escaped() -> None:
    first, _ = sudoers_lines("CORP\\svc:x", [probe("$SUDO stat -c %a:%n,x=1 '/a*'")])
    assert first == r"CORP\\svc\:x ALL=(root) NOPASSWD: /usr/bin/stat -c %a\:%n\,x\=1 /a\*"
    assert sudoers_lines("%wheel", [probe("$SUDO ls")])[0].startswith(r"\%wheel ")
    assert without_terminal("ops@corp.example") == "Defaults:ops@corp.example !requiretty"


INVENTORY = """\
[clusters.chef]
product = "chef-backend"
user = "ops"
sudo = true
[clusters.chef.nodes.be1]
host = "192.0.2.1"
roles = ["backend"]
[clusters.chef.nodes.be2]
host = "192.0.2.2"
roles = ["backend"]
[clusters.chef.nodes.be3]
host = "192.0.2.3"
roles = ["backend"]
user = "root"
[clusters.chef.nodes.fe1]
host = "192.0.2.4"
roles = ["frontend"]
user = "other"
[clusters.chef.nodes.fe2]
host = "192.0.2.5"
roles = ["frontend"]
sudo = false
[clusters.vault]
product = "secret-server"
[clusters.vault.nodes.web1]
host = "192.0.2.6"
roles = ["web"]
user = "x"
password_env = "X"
auth = "ntlm"
"""


def test_the_command_prints_them_by_node_and_account(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    (tmp_path / "i.toml").write_text(INVENTORY)
    ended = preflight("probes", tmp_path / "i.toml", "--sudoers")
    assert ended.code == 0
    blocks = {text.splitlines()[0]: text for text in ended.out.strip().split("\n\n")}
    assert list(blocks)[1:] == [
        "# chef.be1, chef.be2",
        "# chef.fe1",
        "# None for chef.be3: root needs none",
        "# None for chef.fe2: `sudo` is not set: what needs root is read where the account may",
        "# None for vault.web1: no sudo is used there",
    ]
    backend, frontend = blocks["# chef.be1, chef.be2"], blocks["# chef.fe1"]
    assert "ops ALL=(root) NOPASSWD: /bin/cat /etc/chef-backend/chef-backend.rb" in backend
    assert "other ALL=(root) NOPASSWD: /usr/bin/chef-server-ctl status" in frontend
    assert "chef-server-ctl" not in backend
    assert "chef-backend-ctl" not in frontend
    assert "Defaults:other !requiretty" in frontend


def test_only_what_is_selected_is_printed(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    (tmp_path / "i.toml").write_text(INVENTORY)
    ended = preflight("probes", tmp_path / "i.toml", "--sudoers", "--node", "chef.be1", "--check", "chef-config-match")
    lines = [line for line in ended.out.splitlines() if line and not line.startswith("#")]
    assert lines == [
        "ops ALL=(root) NOPASSWD: /usr/bin/cat /etc/chef-backend/chef-backend.rb",
        "ops ALL=(root) NOPASSWD: /bin/cat /etc/chef-backend/chef-backend.rb",
    ]


def test_the_rights_for_one_fact_are_what_its_probes_run_and_nothing_else(
    preflight: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(INVENTORY, encoding="utf-8")
    (asked,) = [each for each in BUILTIN if SecretsFiles in each.facts]
    told = preflight("probes", path, "--fact", "secrets-files", "--sudoers").out.splitlines()
    assert [line for line in told if line.startswith("ops ")] == sudoers_lines("ops", [asked])
    sent = preflight("probes", path, "--fact", "secrets-files", "--node", "chef.be1").out
    assert re.findall(r"^#   ([\w-]+):", sent, re.MULTILINE) == [asked.id]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("secrets-file", "no fact 'secrets-file': did you mean 'secrets-files'?"),
        ("windows-version", "no node that was chosen is asked for that"),
    ],
)
def test_a_fact_that_is_not_asked_for_is_told(
    preflight: Callable[..., Any], tmp_path: Path, name: str, told: str
) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(INVENTORY, encoding="utf-8")
    ended = preflight("probes", path, "--fact", name, "--cluster", "chef")
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
