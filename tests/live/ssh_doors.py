"""Doors to a real OpenSSH server, from a home of our own: what the tests of SSH against it have in common."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scanner.errors import NodeError
from scanner.inventory.model import Node, SshSettings
from scanner.transports.protocol import Limits
from scanner.transports.ssh.transport import SshTransport
from tests.live.openssh import OpenSshServer

StartSshd = Callable[..., OpenSshServer]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of our own: no agent, no keys, no configuration of whoever runs the tests."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


def transport(server: OpenSshServer, limits: Limits | None = None, /, **changes: object) -> SshTransport:
    settings: dict[str, object] = {
        "user": server.user,
        "port": server.port,
        "key_file": str(server.key_file),
        "known_hosts": str(server.known_hosts),
    }
    host = str(changes.pop("host", server.host))
    ssh = SshSettings(**{**settings, **changes})  # type: ignore[arg-type]
    node = Node(
        cluster="chef",
        name="backend-1",
        host=host,
        product="chef-backend",
        roles=("backend",),
        transport="ssh",
        ssh=ssh,
    )
    return SshTransport(node, limits or Limits(timeout_s=20))


def fails(kind: type[NodeError], door: SshTransport, script: str = "echo in", match: str = "") -> NodeError:
    with pytest.raises(NodeError, match=match or None) as caught:
        door.run(script)
    assert isinstance(caught.value, kind), repr(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def both_known(*servers: OpenSshServer) -> str:
    text = "".join(server.known_hosts.read_text() for server in servers)
    servers[-1].known_hosts.write_text(text)
    return str(servers[-1].known_hosts)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A running ssh-agent; call it with key files to add."""
    if not shutil.which("ssh-agent"):
        pytest.skip("no ssh-agent on this machine")
    address = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket(socket.AF_UNIX) as asking:  # the file is there before anybody listens
            if not asking.connect_ex(str(address)):
                break
        time.sleep(0.02)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(address))

    def add(*keys: Path, passphrase: str = "") -> None:
        answer = tmp_path / "askpass"
        answer.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
        answer.chmod(0o700)
        environment = {**os.environ, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"}
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True, stdin=subprocess.DEVNULL)

    yield add
    process.terminate()
    process.wait(5)
