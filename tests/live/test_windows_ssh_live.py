"""PowerShell behind a real OpenSSH server: a stand-in on the PATH, which is the lab's Windows, gets what is sent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from checks.facts import Contact, Unknown
from scanner.errors import NodeError
from scanner.inventory.model import Node, SshSettings
from scanner.loading.registry import load_registry
from scanner.probes.batch.powershell import literal
from scanner.probes.probe import Answer, Probe
from scanner.run.facts import read_facts
from scanner.run.node import NodeRequest, query_node
from scanner.transports.protocol import Limits
from scanner.transports.ssh.transport import SshTransport
from tests import windows_stand_in
from tests.live.openssh import OpenSshServer
from tests.windows_stand_in import WindowsStandIn

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def node(server: OpenSshServer) -> Node:
    ssh = SshSettings(
        user=server.user, port=server.port, key_file=str(server.key_file), known_hosts=str(server.known_hosts)
    )
    return Node(
        cluster="vault",
        name="web1",
        host=server.host,
        product="secret-server",
        roles=("web",),
        transport="ssh",
        ssh=ssh,
        platform="windows",
    )


def contact(server: OpenSshServer, timeout_s: float = 30) -> Contact:
    """Ask the server's machine everything that a Windows node is asked."""
    probes = tuple(probe for probe in load_registry()[1] if probe.language == "powershell")
    said = query_node(NodeRequest(node(server), probes, Limits(timeout_s=timeout_s)))
    assert (said.usage.connections, said.usage.commands, said.usage.requests) == (1, 1, 0)
    found = read_facts(said, probes)[Contact]
    assert isinstance(found, Contact)
    if found.failure is None:
        assert not any(isinstance(answer, Unknown) for answer in said.answers.values())
    return found


def windows(server: OpenSshServer, **machine: object) -> WindowsStandIn:
    return windows_stand_in.install(server.folder / "bin", **machine)


def test_everything_is_answered_on_one_connection_with_one_command(sshd: OpenSshServer) -> None:
    stand_in = windows(sshd, windows="2019", app_version="11.6.000003")
    found = contact(sshd)
    assert found.failure is None
    assert found.answered == found.asked > 5
    (seen,) = stand_in.seen
    assert re.fullmatch(
        "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand [A-Za-z0-9+/=]+",
        seen["line"],
    )
    assert seen["stdin"].isascii()
    assert "Invoke-PfProbe" in seen["stdin"]
    assert sshd.log.count("Connection from") == 1


def test_a_secret_of_the_script_stands_on_standard_input_alone(sshd: OpenSshServer) -> None:
    stand_in = windows(sshd)
    door = SshTransport(node(sshd), Limits(timeout_s=30))
    with pytest.raises(NodeError, match="runs nothing but"):
        door.run("'another script'", {"PREFLIGHT_SECRET": "canary-5e1f"})
    (seen,) = stand_in.seen
    assert "canary" not in seen["line"] + str(seen["environment"])
    assert seen["stdin"].splitlines()[0] == "PREFLIGHT_SECRET=canary-5e1f"


def test_restricted_powershell_is_told(sshd: OpenSshServer) -> None:
    windows(sshd, language_mode="ConstrainedLanguage")
    assert "Constrained Language Mode" in str(contact(sshd).failure)


def test_a_machine_without_powershell_is_told(sshd: OpenSshServer) -> None:
    found = contact(sshd)
    assert re.search(r"powershell.exe cannot be run there \(exit 127\)", str(found.failure))
    assert "is it a Windows machine?" in found.hint


def test_complaints_on_standard_error_keep_no_answer_from_us(sshd: OpenSshServer) -> None:
    stand_in = windows(sshd, windows="2019", app_version="11.6.000003")
    real = stand_in.program.rename(stand_in.folder / "real.exe")
    sshd.install("powershell.exe", f"echo '#< CLIXML <Objs/>' >&2\nexec {real} \"$@\"")
    assert contact(sshd).failure is None


def test_a_powershell_that_hangs_costs_its_own_time(sshd: OpenSshServer) -> None:
    sshd.install("powershell.exe", "exec sleep 30")
    assert "did not finish within 1 s" in str(contact(sshd, timeout_s=1).failure)


def test_a_real_powershell_is_not_kept_by_what_blocks_or_leaves(sshd: OpenSshServer) -> None:
    engine = shutil.which("pwsh")
    if engine is None:
        pytest.skip("no pwsh on this machine")  # nor where servers are required: no package brings it
    sshd.install("powershell.exe", f'exec {engine} "$@"')
    share = sshd.folder / "share"
    os.mkfifo(share)  # opening it never returns, as with a share whose server is dead
    mark = str(6_000_000 + os.getpid())
    bodies = {
        "first": "return 1",
        "share": f"return Get-PfFileHash ({literal(str(share))})",
        "exits": "exit 3",
        "program": f"& sleep {mark}",
        "last": "return 2",
    }
    probes = tuple(
        Probe(id=name, language="powershell", purpose="", script=body, readers=()) for name, body in bodies.items()
    )
    said = query_node(NodeRequest(node(sshd), probes, Limits(timeout_s=30)))
    assert said.failure is None
    assert (said.usage.connections, said.usage.commands) == (1, 1)
    told = {name: found.output if isinstance(found, Answer) else found.reason for name, found in said.answers.items()}
    assert (told["first"], told["last"]) == ("1", "2")
    assert told["share"].startswith(f"blocked: {share}: no answer within")
    assert "exit" in told["exits"]
    assert told["program"].startswith("timed out: it did not end within")
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"sleep {mark}" not in left
