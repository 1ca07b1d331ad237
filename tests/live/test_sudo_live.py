"""The lines that `preflight probes --sudoers` prints, and those of the guides, with a real sudo and no other rights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checks.chef_backend.facts.cluster import LeaderFlags
from checks.chef_backend.facts.machine import ConfigDigest, FrontendApi, LeaderAnswer, SecretsFiles, StraySecrets
from scanner.probes.probe import Answer, Probe, UnreadableError
from scanner.probes.registry import BUILTIN
from scanner.probes.sudoers import root_commands, without_terminal
from tests.contract.test_readme import section
from tests.live.sudo_machine import USER, SudoMachine, missing_programs
from tests.user_pages import user_pages

pytestmark = pytest.mark.live

AS_ROOT = [probe for probe in BUILTIN if root_commands([probe])]
WITHOUT = ("chef-leaderl", "chef-search-index", "chef-frontend-api", "linux-disks")
"""They look where it may be guessed, when they may not read the configuration."""
SECRETS = "/etc/chef-backend/chef-backend-secrets.json"
LEFT = {
    "/root/chef-backend-cleanse-1/chef-backend-secrets.json": True,
    "/tmp/chef-backend-secrets.json": True,
    "/home/kim/own/chef-backend-secrets.json": False,
    "/var/tmp/open/chef-backend-secrets.json": False,
}
"""Copies of the secrets, and whether root alone can get at them."""
INVENTORY = """\
[defaults.ssh]
user = "preflight"
sudo = true
[clusters.chef]
product = "chef-backend"
target = "2.3.16"
[clusters.chef.nodes.both]
host = "192.0.2.1"
roles = ["backend", "frontend"]
"""


@pytest.fixture(params=["merged", "split"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> SudoMachine:
    """A backend and frontend; /bin is usr/bin there, or a folder of its own."""
    if lacks := missing_programs():
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {', '.join(lacks)} on this machine")
    made = SudoMachine(tmp_path / "root", split=request.param == "split").build()
    for name in ("backend", "server"):
        home = "chef-backend" if name == "backend" else "opscode"
        made.install(f"/opt/{home}/bin/chef-{name}-ctl", 'echo "$(id -u) asked for $*"')
        (made.folder / f"usr/bin/chef-{name}-ctl").symlink_to(f"/opt/{home}/bin/chef-{name}-ctl")
    made.put(SECRETS, "hush", mode=0o640, group="chef_pgsql")
    made.put("/etc/opscode/private-chef-secrets.json", "hush", mode=0o600)
    made.put("/etc/chef-backend/chef-backend.rb", "publish_address '192.0.2.1'\netcd.x 1\n", mode=0o600)
    text = "chef_backend_members ['192.0.2.1']\nnginx['ssl_port'] = 8443\n"
    made.put("/etc/opscode/chef-server.rb", text, mode=0o600)
    # Prints what it was asked for; no port of this machine is.
    made.install("/usr/bin/curl", 'for url; do :; done; printf "%s\\ncode 404 0.1" "$url"')
    made.put("/var/opt/opscode/upgrades/migration-level", '{"major":1,"minor":30}', mode=0o600)
    made.put("/var/opt/chef-backend/leaderl/data/unsynced", "")
    for folder in ("/var/opt/chef-backend/leaderl/data", "/var/opt/opscode/upgrades", "/etc/opscode"):
        (made.folder / folder.lstrip("/")).chmod(0o700)
    for path in LEFT:
        made.put(path, "hush", mode=0o644 if "cleanse" in path or "open" in path else 0o600)
    made.put("/home/kim/own/chef-backend-secrets.json", "hush", mode=0o600, owner="kim")
    return made


@pytest.fixture
def printed(tmp_path: Path) -> list[str]:
    """What the command prints for a node of both roles."""
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(INVENTORY)
    command = [sys.executable, "-m", "scanner", "probes", str(inventory), "--sudoers"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def refusals(machine: SudoMachine, probes: list[Probe] = AS_ROOT) -> list[str]:
    """What the readers say that sudo refuses."""
    found = []
    for probe_id, answer in machine.ask(probes).items():
        assert isinstance(answer, Answer), (probe_id, answer)
        (probe,) = (probe for probe in probes if probe.id == probe_id)
        told = []
        for _, reader in probe.readers:
            try:
                said = str(getattr(reader(answer), "level_problem", ""))
            except UnreadableError as error:
                said = str(error)
            told += [said] if "sudo " in said else []
        if probe_id not in WITHOUT:
            assert told or "sudo: " not in answer.error_output, f"{probe_id} takes a refusal for an answer"
        found += told
    return found


def fact(machine: SudoMachine, kind: type) -> Any:
    ((probe, reader),) = ((probe, reader) for probe in AS_ROOT for one, reader in probe.readers if one is kind)
    answer = machine.ask([probe])[probe.id]
    assert isinstance(answer, Answer)
    return reader(answer)


@pytest.mark.parametrize("path", ["/usr/local/bin:/usr/bin:/bin", "/bin:/usr/bin"])
def test_what_the_command_prints_is_enough(machine: SudoMachine, printed: list[str], path: str) -> None:
    machine.path = path
    machine.allow(*printed)
    assert refusals(machine) == []
    assert fact(machine, LeaderFlags).unsynced
    assert [name for name, _ in fact(machine, ConfigDigest).named] == ["publish_address", "etcd.x"]
    secrets = fact(machine, SecretsFiles)
    assert [(one.mode, one.owner, one.group) for one in (secrets.backend, secrets.frontend)] == [
        ("640", "root", "chef_pgsql"),
        ("600", "root", "root"),
    ]
    strays = fact(machine, StraySecrets)
    assert sorted(strays.paths) == sorted([SECRETS, *LEFT])
    assert sorted(strays.closed) == sorted(path for path, closed in LEFT.items() if closed)
    assert (strays.unseen, strays.homes) == ((), ())
    assert fact(machine, FrontendApi).asked == ("https://127.0.0.1:8443/_status",)
    assert fact(machine, LeaderAnswer).asked == ("http://127.0.0.1:7331/leader",)
    answers = machine.ask([probe for probe in AS_ROOT if probe.id in ("chef-service-status", "chef-frontend-services")])
    assert all(isinstance(one, Answer) and one.output == "0 asked for status\n" for one in answers.values())


def test_the_readmes_lines_are_enough(machine: SudoMachine) -> None:
    lines = section(user_pages(), "sudoers").splitlines()
    machine.allow(*lines[1:-1], "Defaults secure_path=/usr/sbin:/usr/bin:/sbin:/bin")
    assert refusals(machine) == []


def test_nothing_else_is_allowed(machine: SudoMachine, printed: list[str]) -> None:
    machine.allow(*printed)
    for command in (
        *("cat /etc/shadow", "cat", "ls -a /root", "ls", "chef-backend-ctl show-config", "chef-backend-ctl status x"),
        *("grep -w secret /etc/opscode/chef-server.rb", "find / -name x", "sh", "chef-server-ctl"),
        "cat /etc/chef-backend/chef-backend.rb /etc/shadow",
    ):
        done = machine.run(f"LC_ALL=C sudo -n {command}")
        assert (done.returncode, done.stdout) == (1, b""), command
        assert b"password is required" in done.stderr or b"not allowed" in done.stderr


def test_lines_for_one_folder_alone_are_not_enough_where_bin_is_another(
    machine: SudoMachine, printed: list[str]
) -> None:
    """What the guide said before, and why it says more now."""
    machine.allow(*(line for line in printed if " /bin/" not in line and " /opt/" not in line))
    refused = refusals(machine)
    assert bool(refused) is machine.split
    assert all("`preflight probes INVENTORY --sudoers` prints the lines" in text for text in refused)


def test_a_terminal_that_is_wanted_is_told_and_the_line_helps(machine: SudoMachine, printed: list[str]) -> None:
    machine.allow(*printed, "Defaults requiretty")
    refused = refusals(machine)
    assert len(refused) >= len(AS_ROOT) - len(WITHOUT)
    assert all("sudo wants a terminal" in text and "!requiretty" in text for text in refused)
    assert not any("NOPASSWD" in text for text in refused)
    (told,) = (line for line in printed if "requiretty" in line)
    assert told.endswith(without_terminal(USER))
    machine.allow(*printed, "Defaults requiretty", without_terminal(USER))
    assert refusals(machine) == []


def test_what_a_site_sets_beside_decides_nothing_and_noexec_is_told(machine: SudoMachine, printed: list[str]) -> None:
    for setting in ("use_pty", "log_output", "lecture=always", "timestamp_timeout=0"):
        machine.allow(*printed, f"Defaults {setting}")
        assert refusals(machine) == [], setting
    machine.allow(*printed, "Defaults noexec")
    with pytest.raises(UnreadableError, match="`noexec` is set in sudoers"):
        fact(machine, StraySecrets)
    machine.allow(*(line.replace("NOPASSWD: ", "NOPASSWD: EXEC: ") for line in printed), "Defaults noexec")
    assert refusals(machine) == []


def test_whatever_sudo_says_instead_is_told(machine: SudoMachine, printed: list[str]) -> None:
    (probe,) = (probe for probe in AS_ROOT if probe.id == "chef-leader-flags")
    machine.allow()
    assert "sudo wants a password" in refusals(machine, [probe])[0]
    machine.allow(f"{USER} ALL=(root) NOPASSWD: /usr/bin/true")
    assert "sudo wants a password" in refusals(machine, [probe])[0]
    machine.put("/etc/sudoers", "nonsense here\n", mode=0o440)
    assert "sudo cannot read its own configuration" in refusals(machine, [probe])[0]
    machine.put("/etc/sudoers", "\n".join(printed), mode=0o440, owner=USER)
    assert "sudo cannot read its own configuration" in refusals(machine, [probe])[0]
    machine.allow(*printed)
    machine.put("/etc/shadow", f"root:*:19000::::::\n{USER}:*:19000:::::19001:\n", mode=0o600)
    assert "sudo does not accept the account" in refusals(machine, [probe])[0]
    (machine.folder / "usr/bin/sudo").chmod(0o755)
    assert "sudo cannot become root" in refusals(machine, [probe])[0]
