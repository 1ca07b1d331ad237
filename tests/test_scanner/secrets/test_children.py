"""Children of ours: no secret in their environment, an end in time with all they started, nothing beyond a bound."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from scanner.errors import InventoryError, UnreachableError
from scanner.inventory import credentials
from scanner.inventory.model import SshSettings
from scanner.loading.inventory import parse_inventory
from scanner.run.drift.approver import approver
from scanner.secrets import children
from scanner.transports.ssh.config import route

CANARY = "Canary-9d2e77-Kanari"
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks at processes as Linux shows them"
)


@pytest.fixture(autouse=True)
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password under a name of the inventory's, and one under a name that the documentation proposes."""
    monkeypatch.setattr(children, "_withheld", set())
    monkeypatch.setenv("VAULT_OF_MINE", CANARY)
    monkeypatch.setenv("PREFLIGHT_SSH_PASSPHRASE", CANARY)
    children.withhold(["VAULT_OF_MINE"])


def alive(mark: str) -> list[str]:
    """Command lines of the processes that have `mark` in theirs, but for our own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if mark in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found


def spy(folder: Path, name: str, then: str = "") -> Path:
    """A program of that name which notes what the kernel shows of it: its environment and its arguments."""
    path = folder / name
    path.write_text(f'#!/bin/sh\ncat /proc/$$/environ /proc/$$/cmdline >> "{folder}/seen"\n{then}\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("kind", ["ssh -G", "git", "password command"])
def test_no_child_has_a_secret_in_its_environment_or_its_arguments(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = {"ssh -G": "ssh", "git": "git", "password command": "helper"}[kind]
    spy(tmp_path, program, "echo something-else")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if kind == "ssh -G":
        (tmp_path / "config").write_text("Host *\n")
        route("node", SshSettings(ssh_config=str(tmp_path / "config")))
    elif kind == "git":
        approver("", tmp_path)
    else:
        resolve(tmp_path, "password_command = 'helper'", more="sql_password_env = 'VAULT_OF_MINE'\nsql_user = 'q'")
    seen = (tmp_path / "seen").read_bytes()
    assert b"PATH=" in seen
    assert CANARY.encode() not in seen


def test_a_command_that_names_a_variable_was_given_it(tmp_path: Path) -> None:
    spy(tmp_path, "helper", 'printf %s "$VAULT_OF_MINE"')
    text = f"password_command = '''{tmp_path}/helper'''"
    assert "is empty" in refusal(tmp_path, text)
    line = "sh -c 'printf %s \"${VAULT_OF_MINE}\"'"
    assert resolve(tmp_path, f'password_command = """{line}"""') == CANARY


STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
{more}
print("half of a secret", flush=True)
time.sleep(60)
"""
ESCAPES = {
    "ignores what it is asked": "",
    "has a child that holds the pipe": "os.fork()",
    "has a daemon in a session of its own": "os.fork() or os.setsid() or os.fork() and os._exit(0)",
    "has a daemon that let go of the pipe": (
        "child = os.fork()\nif not child:\n    os.setsid()\n    os.fork() and os._exit(0)\n    os.close(1); os.close(2)"
    ),
}


@pytest.mark.parametrize("escape", ESCAPES)
def test_what_does_not_end_is_ended_with_all_that_it_started(escape: str, tmp_path: Path) -> None:
    script = tmp_path / f"stubborn-{abs(hash(escape))}.py"
    script.write_text(STUBBORN.format(more=ESCAPES[escape]))
    began = time.monotonic()
    said = refusal(tmp_path, f"password_command = '{sys.executable} {script}'\nconnect_timeout = 1")
    assert "did not end within 1 s" in said
    assert "half of" not in said
    assert time.monotonic() - began < 15
    assert alive(script.name) == []


@pytest.mark.parametrize("where", ["1", "2"])
def test_a_flood_is_ended_long_before_its_time(where: str, tmp_path: Path) -> None:
    began = time.monotonic()
    said = refusal(tmp_path, f"password_command = '''sh -c \"yes {CANARY} >&{where}\"'''")
    assert "printed more than 64 KiB" in said
    assert time.monotonic() - began < 15
    assert alive(f"yes {CANARY}") == []


@pytest.mark.parametrize(
    "script",
    [
        f"echo {CANARY}; echo the password is {CANARY} >&2; exit 1",
        f"echo {CANARY}; echo 'Basic '$(printf %s {CANARY} | base64) >&2; exit 1",
        f"set -x; : {CANARY}; exit 1",
        'echo "$PREFLIGHT_SSH_PASSPHRASE"; echo got "$0" >&2; exit 1',
        f"echo refused for {CANARY[:12]}... >&2; echo {CANARY}; exit 1",
    ],
)
def test_what_a_failing_command_complains_of_is_told_without_the_secret(script: str, tmp_path: Path) -> None:
    (tmp_path / "helper.sh").write_text(script)
    said = refusal(tmp_path, f"password_command = '''sh helper.sh --token={CANARY}'''")
    assert "failed with exit code 1" in said
    assert not any(CANARY[at : at + 6] in said for at in range(len(CANARY) - 5))


def test_an_ssh_configuration_that_hangs_costs_its_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy(tmp_path, "ssh", "sleep 60 & sleep 60")
    (tmp_path / "config").write_text("Host *\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("scanner.transports.ssh.config._PATIENCE_S", 0.3)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="did not read"):
        route("node", SshSettings(ssh_config=str(tmp_path / "config")))
    assert time.monotonic() - began < 15


def inventory(folder: Path, keys: str, more: str) -> str:
    return (
        "[clusters.v]\nproduct = 'secret-server'\n[clusters.v.nodes.web1]\nhost = 'h'\nroles = ['web', 'database']\n"
        f"user = 'u'\n{keys}\n{more}\n"
    )


def resolve(folder: Path, keys: str, more: str = "") -> str:
    node = credentials.resolve(parse_inventory(inventory(folder, keys, more), folder / "i.toml")).clusters[0].nodes[0]
    assert node.winrm
    password = node.winrm.password
    assert password is not None
    return password.reveal()  # type: ignore[union-attr]  # it is resolved


def refusal(folder: Path, keys: str) -> str:
    with pytest.raises(InventoryError) as caught:
        resolve(folder, keys)
    return str(caught.value)


def test_the_helpers_of_these_tests_see_a_process() -> None:
    with children.start(["sleep", "60.25"], folder="/", environment=children.environment()) as process:
        while not alive("sleep 60.25"):
            time.sleep(0.01)
        children.end(process)
    assert shlex.split(" ".join(alive("sleep 60.25"))) == []
